//! How a test in a virtual machine asks the host for packets: with a frame over the machine's own interface.

/// A local experimental `EtherType` (IEEE Std 802): nothing else uses it.
const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];
/// The receiver's and the sender's address: everybody, and nobody in particular.
const ADDRESSES: [u8; 12] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 1];

/// What is asked for: the first packets of a [`crate::mix::Mix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The mix's seed.
    pub seed: u64,
    /// How many.
    pub packets: u64,
}

impl Order {
    /// The frame that asks for it.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        [&ADDRESSES[..], &ETHER_TYPE, &self.seed.to_be_bytes(), &self.packets.to_be_bytes()].concat()
    }

    /// Reads a frame, padded or not; `None`: it is none of ours.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let body = frame.strip_prefix(&ADDRESSES)?.strip_prefix(&ETHER_TYPE)?;
        let (seed, body) = body.split_first_chunk()?;
        let (packets, _padding) = body.split_first_chunk()?;
        Some(Self { seed: u64::from_be_bytes(*seed), packets: u64::from_be_bytes(*packets) })
    }
}
