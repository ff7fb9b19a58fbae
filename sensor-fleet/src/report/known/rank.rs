//! Rankings of what is known of sources, with the ranks of before.

use crate::report::model::{Previous, RankedOrigin, RankedSources, TOP_OF_A_SENSOR};
use crate::report::tally::per;
use crate::vocabulary::service::Service;

/// What a period and the one before it had of something.
type Sums<K> = [(K, u64, u64)];

/// A part of all, 0 to 1, where there is any.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn part(of: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| of as f64 / all as f64)
}

/// The keys that had any, those with most first, then in their order.
fn ordered<'a, K: Ord>(sums: impl Iterator<Item = (&'a K, u64)>) -> Vec<(&'a K, u64)> {
    let mut sums: Vec<_> = sums.filter(|(_, number)| *number > 0).collect();
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    sums
}

/// Where something was before. What had no series may have been in another's.
fn before<K: Ord>(order: &[(&K, u64)], key: &K, may_hide: bool) -> (Option<usize>, Previous) {
    let place = order.iter().position(|(before, _)| *before == key).map(|at| at + 1);
    match place {
        Some(rank) if rank <= TOP_OF_A_SENSOR => (Some(rank), Previous::Ranked),
        Some(_) => (None, Previous::OutsideTop10),
        None if may_hide => (None, Previous::OutsideTop10),
        None => (None, Previous::Nothing),
    }
}

/// The first by packets, of those that have a rank. Shares are of all.
pub(super) fn origins(
    sums: &Sums<String>,
    length: usize,
    has_rank: impl Fn(&str) -> bool,
) -> Vec<RankedOrigin> {
    let all = sums.iter().fold(0_u64, |sum, (_, now, _)| sum.saturating_add(*now));
    let all_before = sums.iter().fold(0_u64, |sum, (.., before)| sum.saturating_add(*before));
    let ranked = || sums.iter().filter(|(name, ..)| has_rank(name));
    let order_before = ordered(ranked().map(|(name, _, before)| (name, *before)));
    let may_hide = sums.iter().any(|(name, _, before)| !has_rank(name) && *before > 0);
    let first = ordered(ranked().map(|(name, now, _)| (name, *now))).into_iter().take(length).enumerate();
    first
        .map(|(at, (name, packets))| {
            let (previous_rank, previous) = before(&order_before, name, may_hide);
            let was = sums.iter().find(|(of, ..)| of == name).map_or(0, |(.., before)| *before);
            RankedOrigin {
                rank: at + 1,
                name: name.clone(),
                holder: None,
                packets,
                share: part(packets, all).unwrap_or(0.0),
                previous_share: part(was, all_before),
                sources_per_sensor_day: None,
                previous_rank,
                previous,
            }
        })
        .collect()
}

/// The first by sources, over so many days of sensors, with their ranks by packets.
pub(super) fn services(
    sources: &Sums<Service>,
    packets: &Sums<Service>,
    days: f64,
    length: usize,
) -> Vec<RankedSources> {
    let order_before = ordered(sources.iter().map(|(service, _, before)| (service, *before)));
    let by_packets = ordered(packets.iter().map(|(service, now, _)| (service, *now)));
    let first = ordered(sources.iter().map(|(service, now, _)| (service, *now)));
    let rows = first.into_iter().take(length).enumerate().filter_map(|(at, (service, number))| {
        let (previous_rank, previous) = before(&order_before, service, false);
        Some(RankedSources {
            rank: at + 1,
            service: service.clone(),
            per_sensor_day: per(number, days)?,
            packets_rank: by_packets.iter().position(|(of, _)| *of == service).map(|at| at + 1),
            previous_rank,
            previous,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn named(name: &str) -> bool {
        name != "other"
    }

    #[rstest]
    #[case::most_first(&[("US", 5, 9), ("JP", 7, 1)], &[("JP", 7.0 / 12.0, Some(2)), ("US", 5.0 / 12.0, Some(1))])]
    #[case::others_are_in_all(&[("US", 5, 0), ("other", 5, 1)], &[("US", 0.5, None)])]
    #[case::none_now(&[("US", 0, 3), ("JP", 1, 0)], &[("JP", 1.0, None)])]
    #[case::ties_by_name(&[("US", 1, 1), ("CN", 1, 1)], &[("CN", 0.5, Some(1)), ("US", 0.5, Some(2))])]
    fn rows_have_shares_and_ranks(
        #[case] sums: &[(&str, u64, u64)],
        #[case] expected: &[(&str, f64, Option<usize>)],
    ) {
        let sums: Vec<_> =
            sums.iter().map(|(name, now, before)| ((*name).to_owned(), *now, *before)).collect();
        let rows = origins(&sums, 10, named);
        let found: Vec<_> =
            rows.iter().map(|row| (row.name.as_str(), row.share, row.previous_rank)).collect();
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::nothing(0, Previous::Nothing)]
    #[case::perhaps_among_others(4, Previous::OutsideTop10)]
    fn what_had_no_series_may_have_been_among_others(#[case] others: u64, #[case] expected: Previous) {
        let sums = [("KP".to_owned(), 9, 0), ("other".to_owned(), 0, others)];
        assert_eq!(origins(&sums, 10, named)[0].previous, expected);
    }
}
