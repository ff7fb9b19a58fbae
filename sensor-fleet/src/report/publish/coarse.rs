//! Numbers with few digits.

use super::Aliases;
use crate::report::model::{
    Average, Balance, Mean, MeanMonth, Notices, Ranked, RankedOrigin, SensorReport, SourcesReport,
};

/// Makes numbers coarse.
#[derive(Clone, Copy)]
pub(super) struct Coarse {
    pub(super) threshold: u64,
    pub(super) digits: u8,
}

impl Coarse {
    /// 0 below the threshold.
    pub(super) fn count(self, packets: u64) -> u64 {
        if packets < self.threshold {
            return 0;
        }
        let length = packets.ilog10() + 1;
        let unit = 10_u64.pow(length.saturating_sub(u32::from(self.digits)));
        let low = packets - packets % unit;
        // Up only where it fits: the largest numbers stay below 2^64.
        if packets - low >= unit.div_ceil(2) { low.checked_add(unit).unwrap_or(low) } else { low }
    }

    /// To the digits that are left.
    pub(super) fn number(self, number: f64) -> f64 {
        let digits = usize::from(self.digits) - 1;
        // Through text, which rounds the decimal digits that are shown.
        format!("{number:.digits$e}").parse().unwrap_or(number)
    }

    /// An average over some days; 0 if the count it comes from is below the threshold.
    pub(super) fn average(self, average: f64, days: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a threshold is small")]
        let threshold = self.threshold as f64;
        if average * days + 1e-6 < threshold { 0.0 } else { self.number(average) }
    }

    /// Nothing below the threshold.
    pub(super) fn month(self, average: Average) -> Option<Average> {
        (average.packets >= self.threshold).then(|| Average {
            packets: self.count(average.packets),
            sensor_days: self.number(average.sensor_days),
            per_sensor_day: self.number(average.per_sensor_day),
        })
    }

    /// Without the rows below the threshold.
    pub(super) fn ranking(self, rows: &[Ranked]) -> Vec<Ranked> {
        let rows = rows.iter().filter(|row| row.packets >= self.threshold);
        rows.map(|row| Ranked {
            packets: self.count(row.packets),
            share: self.number(row.share),
            ..row.clone()
        })
        .collect()
    }

    /// With an alias, and without gaps.
    pub(super) fn sensor(self, sensor: &mut SensorReport, aliases: &Aliases, days: f64) {
        // Without an alias there is no name at all: better nameless than named.
        sensor.name = aliases.get(&sensor.name).cloned().unwrap_or_default();
        sensor.packets = self.count(sensor.packets);
        sensor.top = self.ranking(&sensor.top);
        sensor.coverage = (sensor.coverage * 100.0).round() / 100.0;
        sensor.observed_days = (sensor.coverage * days).round();
        sensor.gaps.clear();
        sensor.moves.clear();
    }

    /// Without months, which have no three sensors behind each number, and without who stands alone.
    pub(super) fn balance(self, balance: &mut Balance) {
        balance.alone = None;
        balance.months.clear();
        balance.median_per_day = self.number(balance.median_per_day);
        for row in &mut balance.top {
            row.alone = None;
            row.mean_share = self.number(row.mean_share);
            row.median_per_day = self.number(row.median_per_day);
        }
    }

    /// With few digits, without rows below the threshold, and without what is of one sensor, or names a constituency.
    pub(super) fn sources(self, sources: &mut SourcesReport) {
        sources.constituencies.clear();
        sources.notices = Notices::default();
        sources.share = sources.share.map(|share| self.number(share));
        for months in [&mut sources.monthly, &mut sources.mirai, &mut sources.victims] {
            for MeanMonth { home, overseas, all, .. } in months {
                for mean in [home, overseas, all] {
                    *mean = mean.and_then(|mean| self.mean(mean));
                }
            }
        }
        sources.mirai_sources.retain(|row| row.sum >= self.threshold);
        for row in &mut sources.mirai_sources {
            row.sum = self.count(row.sum);
            for (_, value) in &mut row.months {
                *value = value.map(|value| self.number(value));
            }
        }
        for row in &mut sources.services {
            row.per_sensor_day = self.number(row.per_sensor_day);
        }
        self.origins(&mut sources.countries);
        self.origins(&mut sources.systems);
        self.origins(&mut sources.tools);
        if let Some(scanners) = &mut sources.scanners {
            scanners.packets = self.count(scanners.packets);
            scanners.observed = self.count(scanners.observed);
            scanners.share = scanners.share.map(|share| self.number(share));
            scanners.previous_share = scanners.previous_share.map(|share| self.number(share));
            self.origins(&mut scanners.top);
            scanners.without.clear();
        }
    }

    fn mean(self, mean: Mean) -> Option<Mean> {
        (mean.sum >= self.threshold).then(|| Mean {
            sum: self.count(mean.sum),
            sensor_days: self.number(mean.sensor_days),
            per_sensor_day: self.number(mean.per_sensor_day),
        })
    }

    fn origins(self, rows: &mut Vec<RankedOrigin>) {
        rows.retain(|row| row.packets >= self.threshold);
        for row in rows {
            row.holder = None;
            row.packets = self.count(row.packets);
            row.share = self.number(row.share);
            row.previous_share = row.previous_share.map(|share| self.number(share));
            row.sources_per_sensor_day = row.sources_per_sensor_day.map(|sources| self.number(sources));
        }
    }
}
