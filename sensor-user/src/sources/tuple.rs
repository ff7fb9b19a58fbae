//! What a SYN shows of the stack that made it: window, options, MSS, window scale, and where its TTL began.
//!
//! Most SYNs of one program have the same, so that a program is seen before anybody has a name for it.

use std::fmt;

use sensor_common::parse::Packet;
use serde::{Serialize, Serializer};

use crate::evidence::Captured;

// Kinds of TCP options (RFC 9293 §3.2, RFC 7323 §2).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;

/// Bytes of options that a TCP header has at most.
const MOST_OPTIONS: usize = 40;
/// What TTLs and hop limits begin with.
const BEGINS: [u8; 4] = [32, 64, 128, 255];

/// The tuple of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Tuple {
    /// The window, as it is written.
    pub window: u16,
    /// The kinds of its options, in their order.
    pub options: OptionKinds,
    /// The maximum segment size in bytes, if it names one.
    pub mss: Option<u16>,
    /// The window scale, as a power of two, if it names one.
    pub scale: Option<u8>,
    /// What its TTL or hop limit began with, as far as can be told: 32, 64, 128 or 255.
    pub ttl: u8,
}

/// Kinds of TCP options in the order in which they stand in a header, written `2-4-8-1-3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionKinds {
    kinds: [u8; MOST_OPTIONS],
    count: u8,
}

impl Tuple {
    /// That of a SYN; `None` if less than its options is kept of it.
    pub(super) fn of(frame: Captured<'_>, packet: &Packet) -> Option<Self> {
        let segment = packet.segment(&frame)?;
        let at = packet.tcp_options();
        let options = frame.bytes().get(at..at.checked_add(segment.options_length())?)?;
        let ttl = if packet.is_ipv6() { packet.hop_limit(&frame) } else { packet.time_to_live(&frame) }?;
        let ttl = BEGINS.into_iter().find(|&begin| ttl <= begin)?;
        let mut tuple =
            Self { window: segment.window, options: OptionKinds::default(), mss: None, scale: None, ttl };
        tuple.read(options);
        Some(tuple)
    }

    /// An option that is cut short, or lies about its length, is the last.
    fn read(&mut self, mut options: &[u8]) {
        while let [kind, rest @ ..] = options {
            self.options.push(*kind);
            options = match *kind {
                END => return,
                NO_OPERATION => rest,
                kind => {
                    let Some(length @ 2..) = rest.first().map(|&length| usize::from(length)) else { return };
                    let (Some(value), Some(rest)) = (options.get(2..length), options.get(length..)) else {
                        return;
                    };
                    match (kind, value) {
                        (MSS, &[high, low]) => self.mss = Some(u16::from_be_bytes([high, low])),
                        (WINDOW_SCALE, &[scale]) => self.scale = Some(scale),
                        _ => {}
                    }
                    rest
                }
            };
        }
    }
}

impl OptionKinds {
    /// The kinds.
    #[must_use]
    pub fn kinds(&self) -> &[u8] {
        self.kinds.get(..usize::from(self.count)).unwrap_or_default()
    }

    fn push(&mut self, kind: u8) {
        if let Some(place) = self.kinds.get_mut(usize::from(self.count)) {
            *place = kind;
            self.count += 1;
        }
    }
}

impl Default for OptionKinds {
    fn default() -> Self {
        Self { kinds: [0; MOST_OPTIONS], count: 0 }
    }
}

impl fmt::Display for OptionKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.kinds().iter().map(u8::to_string).collect();
        f.pad(&kinds.join("-"))
    }
}

impl fmt::Debug for OptionKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for OptionKinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// A SYN over IPv4 with these options.
    fn syn(ttl: u8, options: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 54];
        frame[12..15].copy_from_slice(&[8, 0, 0x45]);
        let length = u16::try_from(40 + options.len()).unwrap();
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        frame[22..24].copy_from_slice(&[ttl, 6]);
        frame[46] = u8::try_from(5 + options.len() / 4).unwrap() << 4;
        frame[47] = 2;
        frame[48..50].copy_from_slice(&64_240_u16.to_be_bytes());
        frame.extend_from_slice(options);
        frame
    }

    fn tuple(frame: &[u8], length: usize) -> Option<Tuple> {
        let captured = Captured::new(frame, u32::try_from(length).unwrap());
        Tuple::of(captured, &captured.packet()?)
    }

    const LINUX: &[u8] = &[2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];

    #[rstest]
    #[case::none(64, &[], "", None, None, 64)]
    #[case::linux(49, LINUX, "2-4-8-1-3", Some(1460), Some(7), 64)]
    #[case::windows(113, &[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2], "2-1-3-1-1-4", Some(1460), Some(8), 128)]
    #[case::ended(255, &[2, 4, 1, 0, 0, 9, 9, 9], "2-0", Some(256), None, 255)]
    #[case::length_of_none(20, &[2, 0, 5, 180], "2", None, None, 32)]
    #[case::beyond(20, &[1, 1, 2, 9], "1-1-2", None, None, 32)]
    #[case::no_length(20, &[1, 1, 1, 254], "1-1-1-254", None, None, 32)]
    #[case::wrong_length(20, &[2, 3, 5, 1], "2-1", None, None, 32)]
    fn a_syn_has_a_tuple(
        #[case] ttl: u8,
        #[case] options: &[u8],
        #[case] kinds: &str,
        #[case] mss: Option<u16>,
        #[case] scale: Option<u8>,
        #[case] class: u8,
    ) {
        let frame = syn(ttl, options);
        let tuple = tuple(&frame, frame.len()).unwrap();
        assert_eq!((tuple.window, tuple.options.to_string().as_str()), (64_240, kinds));
        assert_eq!((tuple.mss, tuple.scale, tuple.ttl), (mss, scale, class));
    }

    #[test]
    fn one_whose_options_are_not_kept_has_none() {
        let frame = syn(64, LINUX);
        assert_eq!(tuple(&frame[..64], frame.len()), None);
        assert!(tuple(&frame[..74], frame.len()).is_some());
    }

    proptest! {
        #[test]
        fn no_options_panic(options in prop::collection::vec(any::<u8>(), 0..=40)) {
            let options = &options[..options.len() / 4 * 4];
            prop_assert!(tuple(&syn(64, options), 54 + options.len()).is_some());
        }
    }
}
