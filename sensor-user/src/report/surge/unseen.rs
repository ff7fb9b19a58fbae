//! How many packets a service may have had on a day on which it had no series.
//!
//! They were counted in the sensor's `other`, with those of all services that had none. A port gets a series once it
//! has twice as many packets in an hour as the least of those that have one (see `counters::select`). So over a day it
//! had at most twice those of any port that had a series all day; a port that is always exported may have fewer, so
//! the lower quartile of these is taken. Without this bound each port that gets its series at last would look new.

use super::super::history::Counts;

/// How much more than another a port must have to get its place.
const PROMOTION: u64 = 2;

/// The most packets of a day that a service may have had without a series.
pub(super) fn most(counts: &Counts, day: usize) -> u64 {
    let other = counts.unranked.get(day).copied().unwrap_or(0);
    if other == 0 {
        return 0;
    }
    let at = |days: &[Option<u64>], day: usize| days.get(day).copied().flatten();
    // Who has a series on the days before and after had it all day.
    let all_day = |days: &&[Option<u64>]| {
        (day == 0 || at(days, day - 1).is_some()) && (day + 1 >= days.len() || at(days, day + 1).is_some())
    };
    let days = counts.services.iter().map(|(_, days)| days.as_slice());
    let mut packets: Vec<u64> = days.filter(all_day).filter_map(|days| at(days, day)).collect();
    let quartile = packets.len() / 4;
    if packets.is_empty() {
        return other;
    }
    let (_, quartile, _) = packets.select_nth_unstable(quartile);
    other.min(quartile.saturating_mul(PROMOTION))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::super::service::Service;
    use super::*;

    /// What each port had on three days.
    fn counts(ports: &[[Option<u64>; 3]], unranked: [u64; 3]) -> Counts {
        let service = |port: usize| Service::from_labels("tcp", &port.to_string()).unwrap();
        let services = ports.iter().enumerate().map(|(port, days)| (service(port), days.to_vec())).collect();
        Counts { services, all: Vec::new(), unranked: unranked.to_vec() }
    }

    const ALL_DAY: fn(u64) -> [Option<u64>; 3] = |packets| [Some(packets); 3];

    #[rstest]
    #[case::all_have_a_series(&[ALL_DAY(1_000)], [0; 3], 0)]
    #[case::little_in_other(&[ALL_DAY(1_000)], [7; 3], 7)]
    #[case::much_in_other(&[ALL_DAY(1_000)], [100_000; 3], 2_000)]
    #[case::nothing_to_compare_with(&[], [100_000; 3], 100_000)]
    #[case::on_another_day(&[ALL_DAY(1_000)], [100_000, 0, 100_000], 0)]
    #[case::a_port_that_is_always_exported(&[ALL_DAY(0), ALL_DAY(800), ALL_DAY(900), ALL_DAY(1_000)], [9_999; 3], 1_600)]
    #[case::a_series_for_a_part_of_the_day(&[[None, Some(1), Some(900)], ALL_DAY(700)], [9_999; 3], 1_400)]
    #[case::the_same_at_its_end(&[[Some(900), Some(1), None], ALL_DAY(700)], [9_999; 3], 1_400)]
    fn what_may_be_in_other(
        #[case] ports: &[[Option<u64>; 3]],
        #[case] unranked: [u64; 3],
        #[case] expected: u64,
    ) {
        assert_eq!(most(&counts(ports, unranked), 1), expected);
    }
}
