//! The rules of `fleet/rules/surge.yml`, written once more, for the many repetitions that a real server would take
//! weeks for. A test holds them to what the real ones make of a history.

/// Days of a baseline, and the two that are judged.
pub const NEEDED: usize = 30;

/// What the rules say of a port on a sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The median of the 28 days.
    pub median: f64,
    /// Above which it surges.
    pub threshold: f64,
    /// The last day's packets.
    pub packets: f64,
    /// Whether it surges.
    pub surges: bool,
}

/// Judges the day `last` of each cell, all of them whole days of sensors that are judged.
pub fn judge(cells: &[Vec<f64>], last: usize) -> Vec<Judged> {
    let baselines: Vec<(f64, f64)> = cells
        .iter()
        .map(|days| {
            let mut sorted = days[last + 1 - NEEDED..last - 1].to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            (quantile(&sorted, 0.5), quantile(&sorted, 0.9))
        })
        .collect();
    let mut spreads: Vec<f64> =
        baselines.iter().filter(|(median, _)| *median > 10.0).map(|(median, high)| high / median).collect();
    spreads.sort_unstable_by(f64::total_cmp);
    let usual = if spreads.is_empty() { 1.3 } else { quantile(&spreads, 0.5).max(1.3) };
    #[expect(clippy::cast_precision_loss, reason = "few cells")]
    let exponent = 1.0 + 0.25 * (cells.len() as f64).ln();
    let judged = cells.iter().zip(baselines).map(|(days, (median, high))| {
        let spread = (high.max(10.0) / median.max(10.0)).max(usual);
        let threshold = (median.max(10.0) * spread.powf(exponent).max(2.0)).max(100.0);
        let (packets, before) = (days[last], days[last - 1]);
        let above = |packets: f64| packets >= 100.0 && packets > threshold;
        Judged { median, threshold, packets, surges: above(packets) && above(before) }
    });
    judged.collect()
}

/// Whether each of these sensors has fallen on the day `last`, by all their packets of each day.
pub fn falls(sensors: &[Vec<f64>], last: usize) -> Vec<bool> {
    #[expect(clippy::cast_precision_loss, reason = "few sensors")]
    let exponent = 1.0 + 0.25 * (sensors.len() as f64).ln();
    let fell = sensors.iter().map(|days| {
        let mut sorted = days[last + 1 - NEEDED..last - 1].to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (median, low) = (quantile(&sorted, 0.5), quantile(&sorted, 0.1));
        let threshold = median / (median / low.max(1.0)).max(1.3).powf(exponent);
        median > 99.0 && days[last] < median / 2.0 && days[last] < threshold && days[last - 1] < threshold
    });
    fell.collect()
}

/// As Prometheus has it: between two values, in proportion.
fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "few values")]
    let rank = quantile * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among a few values")]
    let below = rank as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    sorted[below] * (1.0 - weight) + sorted[above] * weight
}
