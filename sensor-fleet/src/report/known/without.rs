//! What sensors had without known scanners.
//!
//! Which packets are of known scanners is known of those whose sources were looked at. Of all that were counted, they are
//! taken to be the same part.

use std::ops::Range;

use super::keyed::sum;
use super::{Days, Known, at};
use crate::report::history::{Counts, Observer};
use crate::report::model::{SensorTop, TOP_OF_A_SENSOR};
use crate::report::tally::ranking;
use crate::vocabulary::service::Service;

/// Packets by day whose sources were looked at: by country where that is told, else as of UTC days.
pub(super) fn looked_at(known: &Known) -> Days {
    if known.countries.is_empty() {
        return known.observed.clone();
    }
    let mut all = Days::new();
    known.countries.values().for_each(|days| super::add(&mut all, days));
    all
}

/// A sensor's first services without known scanners, of the days on which these are told; nothing if they never are, or
/// nobody knows of how many packets. Protocols without ports are as they are.
pub(super) fn top(
    observer: &Observer,
    counts: &Counts,
    known: &Known,
    ranges: &[Range<usize>; 2],
) -> Option<SensorTop> {
    let told = |day: usize| known.knows_scanners(day);
    let looked_at = looked_at(known);
    let all: Days = counts.all.iter().copied().map(Some).collect();
    let less = |range: &Range<usize>| -> Option<Vec<(&Service, u64)>> {
        let (part, all) = (sum(&looked_at, range, told), sum(&all, range, told));
        if part == 0 {
            return None;
        }
        let of = |(service, days): &'_ (Service, Days)| {
            let scanned = known.scanned.get(service).map_or(0, |days| sum(days, range, told));
            sum(days, range, told).saturating_sub(scaled(scanned, all.max(part), part))
        };
        Some(counts.services.iter().map(|row| (&row.0, of(row))).collect())
    };
    let now = less(&ranges[0])?;
    let before = less(&ranges[1]).unwrap_or_default();
    let packets = now.iter().fold(0_u64, |sum, (_, packets)| sum.saturating_add(*packets));
    let top = ranking(now, before, packets.max(1), TOP_OF_A_SENSOR);
    Some(SensorTop { sensor: observer.name.clone(), region: observer.region.clone(), top })
}

/// `number × all ∕ part`, rounded.
fn scaled(number: u64, all: u64, part: u64) -> u64 {
    let exact = u128::from(number) * u128::from(all) + u128::from(part) / 2;
    u64::try_from(exact / u128::from(part.max(1))).unwrap_or(u64::MAX)
}

impl Known {
    /// Whether known scanners are told on a day.
    pub(super) fn knows_scanners(&self, day: usize) -> bool {
        self.scanners.values().any(|days| at(days, day).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::report::fixture::service;

    /// A sensor that had 100 packets to 23/TCP and 60 to 22/TCP in a day, of which so many were looked at and so many were
    /// of known scanners.
    #[rstest]
    #[case::none_told(None, 160, 0, &[])]
    #[case::all_looked_at(Some(60), 160, 60, &[("22/TCP", 60), ("23/TCP", 40)])]
    #[case::half_looked_at(Some(30), 80, 30, &[("22/TCP", 60), ("23/TCP", 40)])]
    #[case::nobody_looked(Some(0), 0, 0, &[])]
    #[case::more_than_there_were(Some(160), 160, 160, &[("22/TCP", 60)])]
    fn a_top_without_known_scanners(
        #[case] scanners: Option<u64>,
        #[case] looked_at: u64,
        #[case] of_telnet: u64,
        #[case] expected: &[(&str, u64)],
    ) {
        let observer = Observer { name: "a".to_owned(), region: String::new(), observed: vec![1.0; 2] };
        let day = |number| vec![None, Some(number)];
        let counts = Counts {
            services: vec![(service("22/TCP"), day(60)), (service("23/TCP"), day(100))],
            all: vec![0, 160],
            unranked: vec![0; 2],
        };
        let known = Known {
            scanners: scanners.map(|number| ("Example".to_owned(), day(number))).into_iter().collect(),
            scanned: BTreeMap::from([(service("23/TCP"), day(of_telnet))]),
            countries: BTreeMap::from([("JP".to_owned(), day(looked_at))]),
            ..Known::default()
        };
        let top = top(&observer, &counts, &known, &[1..2, 0..1]);
        let rows = top.map(|top| top.top).unwrap_or_default();
        let found: Vec<_> = rows.iter().map(|row| (row.service.to_string(), row.packets)).collect();
        let expected: Vec<_> = expected.iter().map(|(of, packets)| ((*of).to_owned(), *packets)).collect();
        assert_eq!(found, expected);
    }
}
