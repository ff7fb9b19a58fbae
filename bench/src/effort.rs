//! How much is measured: enough for a narrow spread, or just enough to see that everything runs.

/// Packets of a burst: a millisecond or two.
pub const BURST: u32 = 4_096;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of packets, each with every case once.
    pub rounds: usize,
    /// Packets that a program sees in one round.
    pub packets: u32,
    /// Packets of a sustained flood of live frames, one call to the kernel.
    pub flood: u32,
    /// Bursts of [`BURST`] live frames, each after the machine was idle, in one round.
    pub bursts: u32,
    /// Rounds of live frames.
    pub floods: usize,
    /// Drains and scrapes of each kind.
    pub readings: usize,
    /// How many sensors there are when drains and scrapes are measured; each a power of two.
    pub sensors: &'static [u8],
    /// Whether pages with a series for every port are measured too.
    pub every_port: bool,
}

impl Effort {
    /// A few minutes.
    pub const FULL: Self = Self {
        rounds: 25,
        packets: 262_144,
        flood: 262_144,
        bursts: 20,
        floods: 11,
        readings: 41,
        sensors: &[1, 4, 16],
        every_port: true,
    };

    /// A few seconds: it shows that everything runs, and not much more.
    pub const QUICK: Self = Self {
        rounds: 3,
        packets: 5_000,
        flood: 16_384,
        bursts: 3,
        floods: 2,
        readings: 3,
        sensors: &[1],
        every_port: false,
    };
}
