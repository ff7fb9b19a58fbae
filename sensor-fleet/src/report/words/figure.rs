//! What figures say: what they show, and their legends.

use super::Form;
use crate::report::model::{Report, TOP};
use crate::vocabulary::names::label;

/// Of the averages of months.
#[must_use]
pub fn monthly(form: Form, report: &Report) -> String {
    by_month(form, report, "Packets per sensor and day", "センサー1台の1日当たりの平均パケット数")
}

/// Of the sources of months.
#[must_use]
pub fn sources(form: Form, report: &Report) -> String {
    by_month(form, report, "Distinct sources in a day per sensor", "センサー1台の1日当たりの平均送信元数")
}

/// Of what there was in months, at home against overseas if there is a home.
fn by_month(form: Form, report: &Report, english: &str, japanese: &str) -> String {
    let period = form.period(&report.period);
    match report.home.as_deref().filter(|_| report.compares()) {
        Some(home) => {
            let (home, overseas) = (form.region(home), form.overseas());
            let against = overseas.to_lowercase();
            form.say(
                format!("{english}, month by month, {home} against {against}, {period}"),
                format!("{japanese}の比較({home}と{overseas}、{period})"),
            )
        }
        None => form.say(format!("{english}, month by month, {period}"), format!("{japanese}({period})")),
    }
}

/// Of the top services from day to day.
#[must_use]
pub fn curves(form: Form, report: &Report) -> String {
    let period = form.period(&report.period);
    form.say(
        format!(
            "Packets per sensor and day of the top {TOP} services, {period}, each on its own scale: days (faint), 7-day \
             mean (bold), surges (shaded)"
        ),
        format!(
            "宛先ポート番号トップ{TOP}の推移({period})。縦軸は個別、細線は日別、太線は7日間の移動平均、網掛けは急増"
        ),
    )
}

/// Of what rose and fell.
#[must_use]
pub fn changes(form: Form, report: &Report) -> String {
    let (now, before) = (form.period(&report.period), form.period(&report.previous));
    form.say(
        format!(
            "What rose (right) and fell (left) most, in packets per sensor and day, {now} against {before}"
        ),
        format!(
            "増加(右)および減少(左)の大きい宛先ポート番号(センサー1台の1日当たり、{before}と{now}の比較)"
        ),
    )
}

/// What is measured upwards.
#[must_use]
pub fn unit(form: Form) -> &'static str {
    form.say("packets per sensor and day", "センサー1台の1日当たりのパケット数")
}

/// The same for sources.
#[must_use]
pub fn sources_unit(form: Form) -> &'static str {
    form.say("distinct sources in a UTC day per sensor", "センサー1台の1日(UTC)当たりの送信元数")
}

/// The legend of a marker.
#[must_use]
pub fn median(form: Form) -> &'static str {
    form.say("median sensor", "センサーの中央値")
}

/// The legend of bars of all sensors.
#[must_use]
pub fn all(form: Form) -> &'static str {
    form.say("all sensors", "全センサー")
}

/// In place of bars.
#[must_use]
pub fn nothing(form: Form) -> &'static str {
    form.say("nothing rose or fell", "増減なし")
}

/// From what to what a service changed.
#[must_use]
pub fn from_to(form: Form, before: f64, now: f64) -> String {
    format!("{} → {}", form.average(before), form.average(now))
}

/// For those who don't see it: the first and the last value of each curve.
#[must_use]
pub fn curves_described(form: Form, report: &Report) -> String {
    let curves = report.curves.iter().filter_map(|curve| {
        let mut values = curve.days.iter().copied().flatten();
        let first = values.next()?;
        let last = values.next_back().unwrap_or(first);
        let most = curve.days.iter().copied().flatten().fold(0.0, f64::max);
        let service = label(&curve.service);
        let (first, last, most) = (form.average(first), form.average(last), form.average(most));
        Some(form.say(
            format!("{service} goes from {first} to {last}, at most {most}."),
            format!("{service}は{first}から{last}、最大{most}。"),
        ))
    });
    form.text(&curves.collect::<Vec<_>>())
}

/// For those who don't see it: the values of each month, those of the home region first.
#[must_use]
pub fn monthly_described(form: Form, months: &[(String, Vec<Option<f64>>)]) -> String {
    let months = months.iter().map(|(month, bars)| {
        let values: Vec<String> = bars.iter().map(|value| form.maybe(*value)).collect();
        let (month, values) = (form.month(month), form.list(&values));
        form.say(format!("{month}: {values}."), format!("{month}: {values}。"))
    });
    form.text(&months.collect::<Vec<_>>())
}

/// For those who don't see it: what rose and fell.
#[must_use]
pub fn changes_described(form: Form, report: &Report, rows: usize) -> String {
    let changes = report.rose.iter().take(rows).chain(report.fell.iter().take(rows)).map(|change| {
        let (service, values) = (label(&change.service), from_to(form, change.before, change.now));
        form.say(format!("{service}: {values}."), format!("{service}: {values}。"))
    });
    form.text(&changes.collect::<Vec<_>>())
}
