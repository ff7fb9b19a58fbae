//! Sums of series: what a region or the fleet had in all.
//!
//! What is tested of a sum asks whether its members moved together: each counts with at most four of its spreads
//! above its baseline, or one loud member would be the sum. What is shown is all of it. A member that was not observed
//! counts with its baseline, or every outage would be a fall and every new sensor a surge.

use super::pool::Outline;
use super::track::Track;

/// Spreads above its baseline that a member counts with at most.
const MOST: f32 = 4.0;
/// The part of a sum that must have been observed.
const LEAST_OBSERVED: f64 = 0.5;

/// A sum being made.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    /// Members.
    pub(super) members: usize,
    tested: Vec<f64>,
    high: Vec<f64>,
    all: Vec<f64>,
    observed: Vec<f64>,
    weights: Vec<f64>,
}

impl Sum {
    /// Of nothing, over so many days.
    pub(super) fn new(days: usize) -> Self {
        let zeros = || vec![0.0; days];
        Self { members: 0, tested: zeros(), high: zeros(), all: zeros(), observed: zeros(), weights: zeros() }
    }

    /// Adds a series.
    pub(super) fn add(&mut self, track: &Track, outline: &Outline) {
        let (bases, spreads) = (outline.bases(), &outline.spreads);
        let Some(first) = bases.iter().position(|base| !base.is_nan()) else { return };
        self.members += 1;
        let (mut usual, mut most) = (0.0, 0.0);
        let mut known = usize::MAX;
        for day in 0..track.days() {
            let base = if bases[day].is_nan() && known == usize::MAX { first } else { day };
            if !bases[base].is_nan() && base != known {
                known = base;
                usual = f64::from(bases[base]).exp_m1();
                most = f64::from(bases[base] + MOST * spreads[base]).exp_m1();
            }
            // Spreads are on logarithms near the baseline only; few packets vary more.
            let most = most.max(usual + 10.0);
            let weight = usual.max(0.1);
            self.weights[day] += weight;
            if track.observed[day] {
                let packets = f64::from(track.low[day]).exp_m1();
                self.tested[day] += packets.min(most);
                let high = track.high.as_ref().map_or(packets, |high| f64::from(high[day]).exp_m1());
                self.high[day] += high.min(most);
                self.all[day] += packets;
                self.observed[day] += weight;
            } else {
                for sum in [&mut self.tested, &mut self.high, &mut self.all] {
                    sum[day] += usual;
                }
            }
        }
    }

    /// The sum as a series, and all packets of its days.
    pub(super) fn track(&self) -> (Track, Vec<f32>) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let ln = |sums: &[f64]| sums.iter().map(|sum| sum.ln_1p() as f32).collect::<Vec<f32>>();
        let parts = self.observed.iter().zip(&self.weights);
        let observed: Vec<bool> = parts.map(|(part, all)| *part > LEAST_OBSERVED * all).collect();
        let track = Track {
            low: ln(&self.tested),
            high: Some(ln(&self.high)).filter(|high| *high != ln(&self.tested)),
            masked: vec![false; observed.len()],
            observed,
            ..Track::default()
        };
        (track, ln(&self.all))
    }
}
