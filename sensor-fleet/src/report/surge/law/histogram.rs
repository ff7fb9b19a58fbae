//! Values in standard units, in bins, each side apart.

/// Width of the bins of a histogram.
pub(super) const STEP: f64 = 1.0 / 32.0;
/// Bins of a side, up to 16 units.
pub(super) const BINS: usize = 512;

/// A histogram of values in standard units.
#[derive(Clone, Debug)]
pub(in super::super) struct Histogram {
    up: Vec<u32>,
    down: Vec<u32>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { up: vec![0; BINS + 1], down: vec![0; BINS + 1], count: 0 }
    }
}

impl Histogram {
    /// Takes one in; nothing if it is no number.
    pub(in super::super) fn add(&mut self, value: f32) {
        if value.is_nan() {
            return;
        }
        let side = if value < 0.0 { &mut self.down } else { &mut self.up };
        side[whole(f64::from(value.abs()) / STEP).min(BINS)] += 1;
        self.count += 1;
    }

    /// Whether the upper side is lighter than a normal law's beyond doubt, as that of gamma-distributed counts is
    /// on a scale of logarithms.
    pub(in super::super) fn is_light(&self) -> bool {
        /// The quotient of the values that 0.5 % and 10 % of normal ones exceed; and what a bin may be off.
        const NORMAL: f64 = 2.01 - 0.03;
        let far = self.count_of(0.005);
        let quotient = length(exceeded(&self.up, far)) / length(exceeded(&self.up, self.count_of(0.1)));
        far > 10.0 && quotient < NORMAL - 0.6 / far.sqrt()
    }

    /// Values.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Those not below 0, by bin.
    pub(super) fn up(&self) -> &[u32] {
        &self.up
    }

    /// Those below, mirrored.
    pub(super) fn down(&self) -> &[u32] {
        &self.down
    }

    fn count_of(&self, part: f64) -> f64 {
        part * super::super::number(self.count)
    }
}

/// The bin that so many values reach.
pub(super) fn exceeded(side: &[u32], count: f64) -> usize {
    let mut above = 0.0;
    for (bin, values) in side.iter().enumerate().rev() {
        above += f64::from(*values);
        if above >= count {
            return bin;
        }
    }
    0
}

pub(super) fn total(side: &[u32]) -> f64 {
    side.iter().copied().map(f64::from).sum()
}

pub(super) fn length(bins: usize) -> f64 {
    super::super::number(bins as u64) * STEP
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0, and small")]
pub(super) fn whole(value: f64) -> usize {
    value as usize
}
