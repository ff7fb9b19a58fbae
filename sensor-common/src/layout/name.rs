//! Which sensor, and which constituency, has which number.

/// Name of the map of the sensors' names: a `BPF_MAP_TYPE_ARRAY` of [`MAX_SENSORS`](super::MAX_SENSORS) [`Name`]s. A sensor's
/// number is its index.
pub const NAMES: &str = "NAMES";

/// Name of the map of the constituencies' names: a `BPF_MAP_TYPE_ARRAY` of as many [`Name`]s as there may be constituencies. A
/// constituency's number is its index.
pub const CONSTITUENCY_NAMES: &str = "CONSTITUENCY_NAMES";

/// The name of a sensor or a constituency as it is kept in the kernel, filled up with zeros.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name([u8; Self::LENGTH]);

impl Name {
    /// Bytes: 64 characters of UTF-8.
    pub const LENGTH: usize = 256;
    /// None has the number yet.
    pub const NONE: Self = Self([0; Self::LENGTH]);

    /// The name; what is beyond [`Name::LENGTH`] is cut off.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; Self::LENGTH];
        for (byte, of) in bytes.iter_mut().zip(name.bytes()) {
            *byte = of;
        }
        Self(bytes)
    }
}

// SAFETY: `Name` is a transparent array of bytes: any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Name {}
