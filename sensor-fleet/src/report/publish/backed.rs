//! The numbers of a report again, with three sensors behind each.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::model::{Average, Curve, Month, Ranked, Report, SensorReport, TOP, TOP_OF_A_SENSOR};
use crate::report::spread::balance::balance;
use crate::report::spread::{SENSORS, Spread};
use crate::report::tally::{changes, per, ranking};
use crate::vocabulary::service::Service;

/// What each sensor had of each service, now and before.
type OfSensors<'a> = Vec<Vec<(&'a Service, u64, u64)>>;

/// Puts into a report what three sensors saw, in place of what was seen.
pub(super) fn only(report: &mut Report, spread: &Spread) {
    let backed = spread.backed();
    let sums: Vec<(&Service, u64, u64)> = backed
        .services
        .iter()
        .map(|(service, row)| {
            let sum = |of: fn(&crate::report::spread::Cell) -> u64| {
                row.cells.iter().map(of).fold(0, u64::saturating_add)
            };
            (service, sum(|cell| cell.now), sum(|cell| cell.before))
        })
        .collect();
    let home = report.home.clone();
    for month in &mut report.monthly {
        averages(month, &backed, home.as_deref());
    }
    let all = |at: fn(&(&Service, u64, u64)) -> u64| sums.iter().map(at).fold(0, u64::saturating_add);
    report.totals.packets = all(|(_, now, _)| *now);
    report.totals.previous_packets = all(|(.., before)| *before);
    report.totals.unranked = 0;
    if report.totals.previous_packets == 0 {
        // Too few observed for anything to be said of them: with nothing to compare with, nothing is new.
        report.totals.previous_sensor_days = 0.0;
    }
    report.top = ranked(&sums, report.totals.packets, TOP);
    report.curves = report.top.iter().map(|row| curve(&backed, &row.service)).collect();
    [report.rose, report.fell, report.new] = changes(sums.iter().copied(), report.totals);
    tops(report, &backed);
    report.balance = balance(&backed, &report.top, &report.monthly, home.as_deref());
}

/// A ranking, with the ranks before.
fn ranked(sums: &[(&Service, u64, u64)], all: u64, length: usize) -> Vec<Ranked> {
    let now = sums.iter().map(|(service, now, _)| (*service, *now)).collect();
    let before = sums.iter().map(|(service, _, before)| (*service, *before)).collect();
    ranking(now, before, all.max(1), length)
}

/// The tops of sensors, of services that three sensors have in theirs.
fn tops(report: &mut Report, backed: &Spread) {
    let mut of: OfSensors<'_> = vec![Vec::new(); backed.sensors.len()];
    for (service, row) in &backed.services {
        for cell in &row.cells {
            of[cell.sensor].push((service, cell.now, cell.before));
        }
    }
    let mut tops: BTreeMap<Service, usize> = BTreeMap::new();
    for rows in &of {
        for row in ranked(rows, 1, TOP_OF_A_SENSOR) {
            *tops.entry(row.service).or_default() += 1;
        }
    }
    for rows in &mut of {
        rows.retain(|(service, ..)| tops.get(service).is_some_and(|sensors| *sensors >= SENSORS));
    }
    for (place, rows) in backed.sensors.iter().zip(&of) {
        let same = |sensor: &&mut SensorReport| sensor.name == place.name;
        if let Some(sensor) = report.sensors.iter_mut().find(same) {
            sensor.packets = place.packets;
            sensor.top = ranked(rows, place.packets, TOP_OF_A_SENSOR);
        }
    }
}

fn curve(backed: &Spread, service: &Service) -> Curve {
    let days = backed.services.get(service).map_or(&[][..], |row| &row.days);
    let days = days
        .get(backed.period())
        .unwrap_or_default()
        .iter()
        .zip(&backed.observers)
        .map(|(sum, observers)| per(sum.backed(), *observers));
    Curve { service: service.clone(), days: days.collect() }
}

/// A month's averages, of groups of three sensors or more.
fn averages(month: &mut Month, backed: &Spread, home: Option<&str>) {
    let sensors =
        |of: &dyn Fn(&str) -> bool| -> Group { backed.there(&month.month, of).into_keys().collect() };
    let average = |was: Average, of: &dyn Fn(&str) -> bool| {
        let packets = backed.backed_in(&month.month, of);
        let per_sensor_day = per(packets, was.sensor_days)?;
        Some(Average { packets, per_sensor_day, ..was })
    };
    let at_home = |region: &str| Some(region) == home;
    // Each is what the other leaves of all.
    let both = sensors(&at_home).len() >= SENSORS && sensors(&|region| !at_home(region)).len() >= SENSORS;
    month.home = month.home.filter(|_| both).and_then(|was| average(was, &at_home));
    month.overseas = month.overseas.filter(|_| both).and_then(|was| average(was, &|region| !at_home(region)));
    month.all = month.all.and_then(|was| average(was, &|_| true));

    // What is said beside the regions anyway hides nothing if it is left out here.
    let said = |region: &str| both && at_home(region);
    let groups = month.regions.keys().map(|region| (region.clone(), sensors(&|name| name == region)));
    let told = told(groups.collect(), said);
    month.regions = std::mem::take(&mut month.regions)
        .into_iter()
        .filter(|(region, _)| told.contains(region))
        .filter_map(|(region, was)| Some((region.clone(), average(was, &|name| name == region)?)))
        .collect();
}

/// Sensors, by their places in a list.
type Group = BTreeSet<usize>;

/// The regions that may be told beside what all of them make together: those of three sensors or more, and of which
/// the rest is of three or more too. The smallest go first, and last those that are `said` elsewhere anyway.
pub(super) fn told(groups: Vec<(String, Group)>, said: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let (few, mut kept): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, group)| group.len() < SENSORS);
    kept.sort_by_key(|(region, group)| (said(region), group.len(), region.clone()));
    let mut hidden: Group = few.into_iter().flat_map(|(_, group)| group).collect();
    while !hidden.is_empty()
        && hidden.len() < SENSORS
        && kept.first().is_some_and(|(region, _)| !said(region))
    {
        hidden.extend(kept.remove(0).1);
    }
    kept.into_iter().map(|(region, _)| region).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::each_has_three(&[("a", 0..3), ("b", 3..7)], "", &["a", "b"])]
    #[case::of_two_the_rest_would_tell(&[("a", 0..2), ("b", 2..5), ("c", 5..9)], "", &["c"])]
    #[case::two_of_one_hide_one_another(&[("a", 0..1), ("b", 1..2), ("c", 2..5)], "", &[])]
    #[case::two_and_one_hide_one_another(&[("a", 0..2), ("b", 2..3), ("c", 3..6)], "", &["c"])]
    #[case::a_sensor_in_both_is_one(&[("a", 0..2), ("b", 1..2), ("c", 2..5), ("d", 5..9)], "", &["d"])]
    #[case::what_is_said_anyway_stays(&[("a", 0..2), ("b", 2..5), ("c", 5..9)], "b", &["b"])]
    #[case::nothing_else_is_left(&[("a", 0..2), ("b", 2..5)], "b", &["b"])]
    #[case::nobody(&[], "", &[])]
    fn regions_are_told_where_the_rest_tells_nothing(
        #[case] groups: &[(&str, std::ops::Range<usize>)],
        #[case] home: &str,
        #[case] expected: &[&str],
    ) {
        let groups = groups.iter().map(|(region, group)| ((*region).to_owned(), group.clone().collect()));
        let told = told(groups.collect(), |region| region == home);
        assert_eq!(told.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
