//! The numbers of a report again, with three sensors behind each.

use std::collections::BTreeMap;

use crate::report::model::{Average, Curve, Month, Ranked, Report, SensorReport, TOP, TOP_OF_A_SENSOR};
use crate::report::spread::balance::balance;
use crate::report::spread::{Place, SENSORS, Spread};
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
    let sensors = |of: &dyn Fn(&Place) -> bool| {
        backed.sensors.iter().filter(|place| place.days > 0.0 && of(place)).count()
    };
    let average = |was: Average, of: &dyn Fn(&str) -> bool| {
        let packets = backed.backed_in(&month.month, of);
        let per_sensor_day = per(packets, was.sensor_days)?;
        Some(Average { packets, per_sensor_day, ..was })
    };
    let at_home = |region: &str| Some(region) == home;
    let (here, there) = (sensors(&|place| at_home(&place.region)), sensors(&|place| !at_home(&place.region)));
    // Each is what the other leaves of all.
    let both = here >= SENSORS && there >= SENSORS;
    month.home = month.home.filter(|_| both).and_then(|was| average(was, &at_home));
    month.overseas = month.overseas.filter(|_| both).and_then(|was| average(was, &|region| !at_home(region)));
    month.all = month.all.and_then(|was| average(was, &|_| true));

    let mut kept: Vec<(usize, String)> = month
        .regions
        .keys()
        .map(|region| (sensors(&|place| place.region == *region), region.clone()))
        .collect();
    // What is said beside the regions anyway hides nothing if it is left out here.
    let said = |region: &str| both && at_home(region);
    kept.sort_by_key(|(sensors, region)| (said(region), *sensors, region.clone()));
    let (few, mut kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(sensors, _)| *sensors < SENSORS);
    // What is left of all, or of overseas, must not tell of fewer either: the smallest regions go with it.
    let mut hidden: usize = few.iter().map(|(sensors, _)| sensors).sum();
    while hidden > 0 && hidden < SENSORS && kept.first().is_some_and(|(_, region)| !said(region)) {
        hidden += kept.remove(0).0;
    }
    month.regions = std::mem::take(&mut month.regions)
        .into_iter()
        .filter(|(region, _)| kept.iter().any(|(_, kept)| kept == region))
        .filter_map(|(region, was)| Some((region.clone(), average(was, &|name| name == region)?)))
        .collect();
}
