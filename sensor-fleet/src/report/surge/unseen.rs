//! How many packets a service may have had on a day on which it had no series.
//!
//! They were counted in the sensor's `other`, with those of all services that had none. A port gets a series once it
//! has twice as many packets in an hour as the least of those that may lose theirs (see `counters::select`). So over a
//! day it had at most about twice those of any port that had a series all day and may lose it. Configured ports may
//! not, however few packets they have; so it is compared with those that had none on another day. The lower quartile
//! of these is taken, as some may have been configured for a time. On days without any, no place was fought for, and all
//! ports are compared with. Without this bound each port that gets its series at last would look new.

use super::super::history::Counts;
use crate::vocabulary::service::Service;

/// How much more than another a port must have to get its place.
const PROMOTION: u64 = 2;

/// The most packets that a service may have had without a series, on each of so many days.
pub(super) fn most(counts: &Counts, days: usize) -> Vec<u64> {
    let ports = counts.services.iter().filter(|(service, _)| matches!(service, Service::Port(_)));
    let ports: Vec<&[Option<u64>]> = ports.map(|(_, days)| days.as_slice()).collect();
    // On a day without any, the sensor was away.
    let there: Vec<usize> =
        (0..days).filter(|day| ports.iter().any(|port| at(port, *day).is_some())).collect();
    let stays = |port: &&[Option<u64>]| there.iter().all(|day| at(port, *day).is_some());
    let (staying, moving): (Vec<_>, Vec<_>) = ports.into_iter().partition(stays);
    let most = |day| {
        let other = counts.unranked.get(day).copied().unwrap_or(0);
        let fought_for = moving.iter().any(|port| at(port, day).is_some());
        let rivals = if fought_for { &moving } else { &staying };
        quartile(rivals, day).map_or(other, |packets| other.min(packets.saturating_mul(PROMOTION)))
    };
    (0..days).map(most).collect()
}

/// The lower quartile of the packets of a day, of ports that had a series all day.
fn quartile(ports: &[&[Option<u64>]], day: usize) -> Option<u64> {
    // Who has one on the days before and after had it all day.
    let all_day = |port: &&&[Option<u64>]| {
        (day == 0 || at(port, day - 1).is_some()) && (day + 1 >= port.len() || at(port, day + 1).is_some())
    };
    let mut packets: Vec<u64> = ports.iter().filter(all_day).filter_map(|port| at(port, day)).collect();
    let lower = packets.len() / 4;
    (!packets.is_empty()).then(|| *packets.select_nth_unstable(lower).1)
}

fn at(port: &[Option<u64>], day: usize) -> Option<u64> {
    port.get(day).copied().flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    type Days = [Option<u64>; 4];

    fn counts(ports: &[Days], unranked: [u64; 4]) -> Counts {
        let service = |port: usize| Service::from_labels("tcp", &port.to_string()).unwrap();
        let services = ports.iter().enumerate().map(|(port, days)| (service(port), days.to_vec())).collect();
        Counts { services, all: Vec::new(), unranked: unranked.to_vec() }
    }

    const STAYS: fn(u64) -> Days = |packets| [Some(packets); 4];
    const LEAVES: fn(u64) -> Days = |packets| [Some(packets), Some(packets), Some(packets), None];
    const COMES: Days = [None, Some(1), Some(900), Some(900)];
    const GOES: Days = [Some(900), Some(1), None, None];

    #[rstest]
    #[case::all_have_a_series(&[STAYS(1_000)], [0; 4], 0)]
    #[case::little_in_other(&[STAYS(1_000)], [7; 4], 7)]
    #[case::much_in_other(&[STAYS(1_000)], [100_000; 4], 2_000)]
    #[case::nothing_to_compare_with(&[], [100_000; 4], 100_000)]
    #[case::on_another_day(&[STAYS(1_000)], [100_000, 0, 100_000, 100_000], 0)]
    #[case::no_place_was_fought_for(&[STAYS(0), STAYS(800), STAYS(900), STAYS(1_000)], [9_999; 4], 1_600)]
    #[case::most_are_configured(&[STAYS(0), STAYS(0), STAYS(0), LEAVES(800)], [9_999; 4], 1_600)]
    #[case::configured_for_a_time(&[LEAVES(0), LEAVES(800), LEAVES(900), LEAVES(1_000)], [9_999; 4], 1_600)]
    #[case::a_series_for_a_part_of_the_day(&[COMES, LEAVES(700)], [9_999; 4], 1_400)]
    #[case::the_same_at_its_end(&[GOES, LEAVES(700), STAYS(0)], [9_999; 4], 1_400)]
    #[case::none_that_may_leave_all_day(&[COMES, STAYS(0)], [9_999; 4], 9_999)]
    #[case::the_sensor_was_away_later(&[GOES, LEAVES(0)], [9_999; 4], 9_999)]
    fn what_may_be_in_other(#[case] ports: &[Days], #[case] unranked: [u64; 4], #[case] expected: u64) {
        assert_eq!(most(&counts(ports, unranked), 4)[1], expected);
    }
}
