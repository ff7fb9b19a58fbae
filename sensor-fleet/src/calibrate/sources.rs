//! Who sent what a made-up fleet counted, as the agents' files would tell: its loud sources, and many others.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::fleet::{DAYS, Fleet};
use super::outcome::{name, service};
use crate::report::model::Surge;
use crate::report::origin::Search;
use crate::report::period::{Days, HOUR};
use crate::sources::source::Source;
use crate::vocabulary::service::Service;

/// Other sources of a day, which send as much as each other, but for a packet.
const OTHERS: u64 = 64;
/// So many of a day's loud sources are told; the Poisson law seldom has more.
const MOST: usize = 64;

/// What a source sent to a service.
type Row = (Service, Source, u64);

/// Says of surges who made them, if the fleet's noise tells. `counts` are packets by sensor, service and day.
pub(super) fn tell(fleet: &Fleet, counts: &[Vec<Vec<u64>>], dates: &[Date], surges: &mut [Surge]) {
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else { return };
    let Ok(days) = Days::new(*first, *last, &TimeZone::UTC) else { return };
    if fleet.loud.iter().all(Vec::is_empty) {
        return;
    }
    let mut search = Search::new(surges, &days);
    let ports: BTreeSet<u16> = surges.iter().filter_map(|surge| surge.service.port()).collect();
    // Services have the ports from 1 on.
    let services: Vec<usize> =
        ports.into_iter().filter_map(|port| usize::from(port).checked_sub(1)).collect();
    for (sensor, counts) in counts.iter().enumerate() {
        let on =
            |day: usize| services.iter().flat_map(move |&of| rows(fleet, (of, sensor, day), counts[of][day]));
        for day in 0..DAYS {
            let rows: Vec<Row> = on(day).collect();
            let (from, to) = days.span(day);
            // All of a day's packets come in its first hour.
            search.add(&name(sensor), from, &rows);
            (1..(to - from) / HOUR).for_each(|hour| search.add(&name(sensor), from + hour * HOUR, &[]));
        }
    }
    search.tell(surges);
}

/// A day's flows to a service on a sensor. Of what was planted, nothing is of a loud source.
fn rows(fleet: &Fleet, (of, sensor, day): (usize, usize, usize), packets: u64) -> Vec<Row> {
    let level = fleet.levels[of][sensor][day];
    let sent = fleet.loud[of][sensor][day].iter().take(MOST);
    let mut rest = packets;
    // Each loud source is in a /24 of its own, day by day; the others are where none of them is.
    let place = (sensor * DAYS + day) * MOST;
    let loud = sent.enumerate().map(|(at, sent)| {
        // Rounded up, some are more than all.
        let sent = ((packets as f64 * sent / level).round() as u64).min(rest);
        rest -= sent;
        (service(of), source(place + at), sent)
    });
    let mut rows: Vec<Row> = loud.collect();
    rows.extend((1..=OTHERS).map(|at| {
        let sent = rest / OTHERS + u64::from(at <= rest % OTHERS);
        (service(of), source((1 << 24) - at as usize), sent)
    }));
    rows
}

/// The first address of a /24.
fn source(network: usize) -> Source {
    Source::V4(((network as u32) << 8).into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::simulation::noise::stream;

    /// What loud sources are expected to send of 100 packets, and how many there are.
    #[rstest]
    #[case::none(&[], 0)]
    #[case::a_few(&[], 3)]
    #[case::one_each(&[], 64)]
    #[case::almost_two_each(&[], 127)]
    #[case::beside_loud_ones(&[40.0, 20.5], 1_000)]
    #[case::rounded_up(&[50.0, 50.0], 1)]
    #[case::all_of_a_loud_one(&[100.0], 77)]
    fn the_flows_of_a_day_sum_to_its_packets(#[case] loud: &[f64], #[case] packets: u64) {
        let fleet = Fleet {
            sensors: 1,
            levels: vec![vec![vec![100.0]]],
            loud: vec![vec![vec![loud.to_vec()]]],
            random: stream(1, [0; 3]),
        };
        let sent: Vec<u64> = rows(&fleet, (0, 0, 0), packets).into_iter().map(|(.., sent)| sent).collect();
        assert_eq!(sent.iter().sum::<u64>(), packets);
        let (_, others) = sent.split_at(loud.len());
        // Each sends as much as the others, or one packet more.
        assert!(others[0] - others[others.len() - 1] <= 1, "{others:?}");
    }
}
