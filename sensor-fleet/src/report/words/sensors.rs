//! What the tops of sensors have in common, and what only one or two have.

use std::collections::BTreeMap;

use super::Form;
use crate::report::model::{Report, TOP_OF_A_SENSOR};
use crate::vocabulary::names;
use crate::vocabulary::service::Service;

/// Sensors that have so few alike in their tops are said to be alone.
const FEW: usize = 2;
/// Services that only one or two sensors have, named below a table.
const NAMED: usize = 12;

/// In how many sensors' tops each service is.
#[must_use]
pub fn tops(report: &Report) -> BTreeMap<&Service, usize> {
    let mut tops = BTreeMap::new();
    for row in report.sensors.iter().flat_map(|sensor| &sensor.top) {
        *tops.entry(&row.service).or_insert(0) += 1;
    }
    tops
}

/// Sensors that have a top.
fn ranked(report: &Report) -> usize {
    report.sensors.iter().filter(|sensor| !sensor.top.is_empty()).count()
}

/// Whether a service is in the tops of so few that it is shaded: one or two, and less than half.
#[must_use]
pub fn few(report: &Report, sensors: usize) -> bool {
    sensors <= FEW && 2 * sensors < ranked(report)
}

/// The services that most sensors have in their top, those with most packets first.
#[must_use]
pub fn common(form: Form, report: &Report) -> Option<String> {
    let tops = tops(report);
    let all = ranked(report);
    let most = *tops.values().max()?;
    if all < 2 || 2 * most < all {
        return None;
    }
    let packets = |of: &Service| {
        let rows = report.sensors.iter().flat_map(|sensor| &sensor.top).filter(|row| row.service == *of);
        rows.fold(0, |sum: u64, row| sum.saturating_add(row.packets))
    };
    let mut services: Vec<(u64, &Service)> = tops
        .iter()
        .filter(|(_, sensors)| **sensors == most)
        .map(|(service, _)| (packets(service), *service))
        .collect();
    services.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let services: Vec<String> = services.into_iter().map(|(_, service)| service.to_string()).collect();
    let (list, most, all) = (form.list(&services), form.number(most), form.number(all));
    Some(form.say(
        format!("In the top {TOP_OF_A_SENSOR} of {most} of {all} sensors: {list}."),
        format!("{all}台中{most}台のセンサーでトップ{TOP_OF_A_SENSOR}に入った宛先ポート番号は{list}です。"),
    ))
}

/// What only one or two have, and who.
#[must_use]
pub fn alone(form: Form, report: &Report) -> Option<String> {
    let shaded: Vec<&Service> = tops(report)
        .into_iter()
        .filter(|(_, sensors)| few(report, *sensors))
        .map(|(service, _)| service)
        .collect();
    if shaded.is_empty() {
        return None;
    }
    let said = shaded.iter().take(NAMED).map(|service| {
        let has =
            report.sensors.iter().filter(|sensor| sensor.top.iter().any(|row| row.service == **service));
        let who: Vec<String> = has.map(|sensor| sensor.name.clone()).collect();
        form.say(format!("{service} ({})", form.list(&who)), format!("{service}({})", form.list(&who)))
    });
    let list = form.list(&said.collect::<Vec<_>>());
    let more = match shaded.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => form.say(format!("; and {} more", form.number(more)), format!("、他{}件", form.number(more))),
    };
    Some(form.say(
        format!("Shaded in Table 1, since only one or two sensors have it in their top {TOP_OF_A_SENSOR}: {list}{more}."),
        format!("表1の網掛けは、1台または2台のセンサーのみでトップ{TOP_OF_A_SENSOR}に入ったものです: {list}{more}。"),
    ))
}

/// What the services in the tops are called.
#[must_use]
pub fn named(form: Form, services: impl Iterator<Item = Service>) -> Option<String> {
    let named: Vec<String> =
        services.filter_map(|service| Some(format!("{service} {}", names::name(&service)?))).collect();
    let list = named.join(form.say("; ", "、"));
    (!named.is_empty()).then(|| form.say(format!("Names: {list}."), format!("サービス名: {list}。")))
}

/// In the cells of a sensor that observed nothing.
#[must_use]
pub fn not_observed(form: Form) -> &'static str {
    form.say("not observed", "観測なし")
}

/// What one sensor has most of, below the ranking over all sensors.
#[must_use]
pub fn loud(form: Form, report: &Report) -> Vec<String> {
    let rows = report.balance.top.iter().filter_map(|row| Some((row, row.alone.as_ref()?)));
    rows.map(|(row, alone)| {
        let (service, share) = (names::label(&row.service), form.percent(alone.share));
        let sensor = &alone.sensor;
        form.say(
            format!("{sensor} alone received {share} of the packets to {service}."),
            format!("{service}宛のパケットの{share}は{sensor}の1台で観測したものです。"),
        )
    })
    .collect()
}
