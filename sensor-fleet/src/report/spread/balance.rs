//! What stands beside sums: the sensor in the middle, the mean of shares, and who has most of a sum alone.

use serde::Serialize;

use super::{Cell, Place, SENSORS, Spread};
use crate::report::model::{Month, Ranked};
use crate::report::tally::per;
use crate::vocabulary::service::Service;

/// A sensor has a sum for itself if its part of it is as large as this.
const MOST: f64 = 0.5;

/// How the packets of a period spread over sensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Balance {
    /// Packets per day of the sensor in the middle: half of the sensors had more.
    pub median_per_day: f64,
    /// Who had half of all packets or more alone, of three sensors at least.
    pub alone: Option<Alone>,
    /// The services of the ranking over all sensors, in the same order.
    pub top: Vec<Balanced>,
    /// The sensors in the middle, month by month.
    pub months: Vec<Medians>,
}

/// A sensor that has most of a sum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alone {
    /// Its name.
    pub sensor: String,
    /// Its part, 0 to 1.
    pub share: f64,
}

/// How a service's packets spread over sensors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balanced {
    /// What it is about.
    pub service: Service,
    /// Sensors that had any.
    pub sensors: usize,
    /// Its part of a sensor's packets, 0 to 1, averaged over the sensors.
    pub mean_share: f64,
    /// Its rank among all services by that; 1 is the first.
    pub mean_share_rank: usize,
    /// Its packets per day on the sensor in the middle.
    pub median_per_day: f64,
    /// Who had half of them or more alone, of three sensors at least.
    pub alone: Option<Alone>,
}

/// Packets per day of the sensors in the middle of a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Medians {
    /// As `2023-10`.
    pub month: String,
    /// Of the home region; nothing without one, or if it observed nothing.
    pub home: Option<f64>,
    /// Of all other regions.
    pub overseas: Option<f64>,
    /// Of all sensors.
    pub all: Option<f64>,
}

/// How what is in a report spreads over sensors.
#[must_use]
pub fn balance(spread: &Spread, top: &[Ranked], monthly: &[Month], home: Option<&str>) -> Balance {
    let there: Vec<&Place> = spread.sensors.iter().filter(|place| place.days > 0.0).collect();
    let shares: Vec<(&Service, f64)> = spread
        .services
        .iter()
        .map(|(service, row)| (service, mean_share(spread, &row.cells, there.len())))
        .collect();
    let of = |row: &Ranked| {
        let cells = spread.services.get(&row.service).map_or(&[][..], |row| &row.cells);
        let mean = mean_share(spread, cells, there.len());
        Balanced {
            service: row.service.clone(),
            sensors: cells.iter().filter(|cell| cell.now > 0).count(),
            mean_share: mean,
            mean_share_rank: 1 + shares
                .iter()
                .filter(|(service, share)| {
                    *share > mean || (share.total_cmp(&mean).is_eq() && **service < row.service)
                })
                .count(),
            median_per_day: median_of(spread, cells),
            alone: alone(spread, there.len(), cells.iter().map(|cell| (cell.sensor, cell.now))),
        }
    };
    Balance {
        median_per_day: median(there.iter().filter_map(|place| per(place.packets, place.days)).collect())
            .unwrap_or(0.0),
        alone: alone(spread, there.len(), spread.sensors.iter().map(|place| place.packets).enumerate()),
        top: top.iter().map(of).collect(),
        months: monthly.iter().map(|month| medians(spread, month, home)).collect(),
    }
}

/// A service's part of a sensor's packets, averaged over the sensors that observed.
fn mean_share(spread: &Spread, cells: &[Cell], sensors: usize) -> f64 {
    let share = |cell: &Cell| match spread.sensors[cell.sensor].packets {
        0 => 0.0,
        all => number(cell.now) / number(all),
    };
    cells.iter().map(share).sum::<f64>() / number(sensors.max(1) as u64)
}

/// Packets per day on the sensor in the middle.
fn median_of(spread: &Spread, cells: &[Cell]) -> f64 {
    let mut packets = vec![0; spread.sensors.len()];
    for cell in cells {
        packets[cell.sensor] = cell.now;
    }
    let of_all = spread.sensors.iter().zip(packets);
    median(of_all.filter_map(|(place, packets)| per(packets, place.days)).collect()).unwrap_or(0.0)
}

fn alone(spread: &Spread, sensors: usize, packets: impl Iterator<Item = (usize, u64)>) -> Option<Alone> {
    let packets: Vec<(usize, u64)> = packets.collect();
    let all = packets.iter().fold(0_u64, |sum, (_, packets)| sum.saturating_add(*packets));
    let (sensor, most) = packets.into_iter().max_by_key(|(_, packets)| *packets)?;
    let share = number(most) / number(all.max(1));
    (sensors >= SENSORS && share >= MOST)
        .then(|| Alone { sensor: spread.sensors[sensor].name.clone(), share })
}

fn medians(spread: &Spread, month: &Month, home: Option<&str>) -> Medians {
    let of = |whose: &dyn Fn(&str) -> bool| {
        let there = spread.there(&month.month, whose).into_values();
        median(there.filter_map(|(packets, days)| per(packets, days)).collect())
    };
    let at_home = |region: &str| home == Some(region);
    Medians {
        month: month.month.clone(),
        home: home.and_then(|_| of(&at_home)),
        overseas: home.and_then(|_| of(&|region| !at_home(region))),
        all: of(&|_| true),
    }
}

/// The one in the middle, or between the two that are.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    Some(if numbers.len().is_multiple_of(2) { f64::midpoint(numbers[middle - 1], upper) } else { upper })
}

#[expect(clippy::cast_precision_loss, reason = "counts are exact below 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], None)]
    #[case::one(&[3.0], Some(3.0))]
    #[case::between(&[9.0, 1.0], Some(5.0))]
    #[case::middle(&[100.0, 1.0, 2.0], Some(2.0))]
    fn the_middle_is_not_moved_by_one(#[case] numbers: &[f64], #[case] middle: Option<f64>) {
        assert_eq!(median(numbers.to_vec()), middle);
    }
}
