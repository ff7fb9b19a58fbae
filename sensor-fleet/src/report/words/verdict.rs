//! What is said of surges.

use super::Form;
use crate::report::model::{Report, Surge};
use crate::vocabulary::verdict::SurgeVerdict;

/// Who saw a surge.
fn name(form: Form, verdict: SurgeVerdict) -> &'static str {
    form.say(
        verdict.name(),
        match verdict {
            SurgeVerdict::SensorOnly => "1台のセンサーのみ",
            SurgeVerdict::RegionOnly => "1地域のみ",
            SurgeVerdict::Global => "全地域",
            SurgeVerdict::Mixed => "一部のセンサー",
            SurgeVerdict::NewPort => "新規ポート",
        },
    )
}

/// Who saw a surge, and where, if that is one place.
#[must_use]
pub fn place(form: Form, surge: &Surge) -> String {
    let verdict = name(form, surge.verdict);
    let place = match (surge.verdict, surge.sensors.first()) {
        (SurgeVerdict::SensorOnly, Some(on)) if !on.sensor.is_empty() => Some(on.sensor.clone()),
        (SurgeVerdict::RegionOnly, Some(on)) if !on.region.is_empty() => Some(form.region(&on.region)),
        _ => None,
    };
    match place {
        Some(place) => form.say(format!("{verdict}: {place}"), format!("{verdict}({place})")),
        None => verdict.to_owned(),
    }
}

/// How many sensors saw a surge, and in which regions.
#[must_use]
pub fn seen(form: Form, surge: &Surge) -> String {
    let mut regions = std::collections::BTreeMap::<&str, usize>::new();
    for on in surge.sensors.iter().filter(|on| !on.region.is_empty()) {
        *regions.entry(&on.region).or_default() += 1;
    }
    let (seen, judged) = (form.number(surge.sensors.len()), form.number(surge.judged));
    let all = form.say(format!("{seen} of {judged}"), format!("{judged}台中{seen}台"));
    let by: Vec<String> = regions
        .into_iter()
        .map(|(region, sensors)| format!("{} {}", form.region(region), form.number(sensors)))
        .collect();
    if by.is_empty() {
        return all;
    }
    let by = by.join(form.say(", ", "、"));
    form.say(format!("{all}: {by}"), format!("{all}({by})"))
}

/// In place of a table of surges.
#[must_use]
pub fn none(form: Form, report: &Report) -> String {
    match report.publication {
        Some(publication) => form.say(
            format!("No surge was seen by {} sensors or more.", publication.sensors),
            format!("{}台以上のセンサーで観測した急増はありません。", publication.sensors),
        ),
        None => form.say("None.", "ありません。").to_owned(),
    }
}
