//! What is said of surges, and of what fell.

use jiff::civil::Date;

use super::Form;
use crate::report::model::{Heaviest, Report, Shift, ShiftKind, Surge, SurgeKind, SurgeOrigin};
use crate::vocabulary::verdict::SurgeVerdict;

/// Who saw a surge.
#[must_use]
pub fn name(form: Form, verdict: SurgeVerdict) -> &'static str {
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
    let said = match place {
        Some(place) => form.say(format!("{verdict}: {place}"), format!("{verdict}({place})")),
        None => verdict.to_owned(),
    };
    match surge.kind {
        SurgeKind::Ramp => form.say(format!("ramp, {said}"), format!("漸増、{said}")),
        SurgeKind::Surge => said,
    }
}

/// How many sensors saw a surge, and in which regions.
#[must_use]
pub fn seen(form: Form, surge: &Surge) -> String {
    let mut regions = std::collections::BTreeMap::<&str, usize>::new();
    for on in surge.sensors.iter().filter(|on| !on.region.is_empty()) {
        *regions.entry(&on.region).or_default() += 1;
    }
    let all = form.out_of(surge.sensors.len(), surge.judged);
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

/// Who made a surge: one source, one network, or many.
#[must_use]
pub fn origin(form: Form, surge: &Surge) -> String {
    let Some((origin, said)) = surge.origin.as_ref().and_then(|origin| Some((origin, who(form, origin)?)))
    else {
        return form.maybe(None);
    };
    if !origin.is_thin() {
        return said;
    }
    let (hours, all) = (form.number(origin.hours), form.number(origin.of_hours));
    form.say(
        format!("{said}, by files of {hours} of {all} hours"),
        format!("{said}、{all}時間中{hours}時間のファイルによる"),
    )
}

fn who(form: Form, origin: &SurgeOrigin) -> Option<String> {
    if let Some(one) = &origin.one {
        return Some(from(form, one.share, one.length, &one.name));
    }
    if let Some(Heaviest { name, length, share }) = origin.loudest() {
        let said = from(form, *share, length, name);
        return Some(if origin.is_thin() {
            said
        } else {
            form.say(
                format!("{said}, but not on most sensors"),
                format!("{said}(過半数のセンサーではこれに該当せず)"),
            )
        });
    }
    let Heaviest { length, share, .. } = origin.network.as_ref()?;
    let share = form.percent(*share);
    Some(form.say(
        format!("many, at most {share} from one {length}"),
        format!("多数(単一の{length}からは最大{share})"),
    ))
}

/// A share of one source or network.
fn from(form: Form, share: f64, length: &str, name: &str) -> String {
    let share = form.percent(share);
    let what = match length {
        "" => form.say("one address", "単一のアドレス").to_owned(),
        length => form.say(format!("one {length}"), format!("単一の{length}")),
    };
    form.say(format!("{share} from {what} ({name})"), format!("{what}({name})から{share}"))
}

/// The days of an event.
#[must_use]
pub fn days(form: Form, from: Date, to: Date, continues: bool) -> String {
    let days = form.days(from, to);
    if continues { form.say(format!("{days}, continues"), format!("{days}(継続中)")) } else { days }
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

/// What shifted as a whole.
#[must_use]
pub fn shifted(form: Form, report: &Report, shift: &Shift) -> String {
    let region = report.sensors.iter().any(|sensor| sensor.region == shift.place);
    let what = match shift.place.as_str() {
        "" => form.say("the fleet", "全センサー").to_owned(),
        place if region => form.region(place),
        place => place.to_owned(),
    };
    match shift.kind {
        ShiftKind::Fall => form.say(format!("{what} fell"), format!("{what}の減少")),
        ShiftKind::Rise => form.say(format!("{what} rose"), format!("{what}の増加")),
    }
}
