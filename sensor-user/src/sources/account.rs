//! How many packets of a sensor were observed, and how many were not: which share a number rests on.

/// Packets of a sensor, since something began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Those that were observed.
    pub observed: u64,
    /// Those that were counted and not observed.
    pub missed: u64,
}

impl Account {
    /// Which share of what was counted was observed: 1 if nothing was.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn share(self) -> f64 {
        let Self { observed, missed } = self;
        if missed == 0 { 1.0 } else { observed as f64 / (observed + missed) as f64 }
    }

    /// What came since then.
    pub(super) const fn since(self, then: Self) -> Self {
        Self {
            observed: self.observed.saturating_sub(then.observed),
            missed: self.missed.saturating_sub(then.missed),
        }
    }
}
