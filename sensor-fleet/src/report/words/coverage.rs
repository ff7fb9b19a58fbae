//! What is said of how much was observed.

use super::Form;
use super::date;
use crate::report::model::{Report, SensorReport, WHOLE};

/// Sensors that observed so little that averages and ranks may mislead.
#[must_use]
pub fn warning(form: Form, report: &Report) -> Option<String> {
    let low = || report.sensors.iter().filter(|sensor| sensor.coverage < WHOLE);
    let low_ones = low().count();
    let worst = low().min_by(|a, b| a.coverage.total_cmp(&b.coverage))?;
    let verb = if low_ones == 1 { "was" } else { "were" };
    let (number, all) = (form.number(low_ones), form.sensors(report.sensors.len()));
    let (name, part) = (&worst.name, form.percent(worst.coverage));
    Some(form.say(
        format!(
            "{number} of {all} {verb} observed for less than 90 % of the period; lowest: {name}, {part}. Averages count only \
             days that were observed; totals and ranks miss what nobody saw."
        ),
        format!(
            "{all}のうち{number}台は稼働率が期間の90%未満です(最低は{name}の{part})。平均は稼働日のみで計算していますが、\
             合計と順位には停止中のパケットが含まれません。"
        ),
    ))
}

/// How much all observed together.
#[must_use]
pub fn total(form: Form, report: &Report, whole: usize) -> String {
    let there = || report.sensors.iter().filter(|sensor| sensor.observed());
    let days: f64 = there().map(|sensor| sensor.observed_days).sum();
    let number = there().count();
    #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 sensors")]
    let mean = there().map(|sensor| sensor.coverage).sum::<f64>() / number.max(1) as f64;
    let (sensors, days, mean, whole) =
        (form.sensors(number), form.average(days), form.percent(mean), form.number(whole));
    form.say(
        format!(
            "{sensors} observed for {days} days together, {mean} of the period on average; {whole} had no day below 90 %."
        ),
        format!("{sensors}が延べ{days}日稼働しました(平均稼働率{mean})。稼働率90%未満の日がなかったのは{whole}台です。"),
    )
}

/// In the cell of gaps, of a report that may be published.
#[must_use]
pub fn not_published(form: Form) -> &'static str {
    form.say("not published", "非公開")
}

/// The gaps of a sensor, and how many more there are.
#[must_use]
pub fn gaps(form: Form, gaps: &[String], rest: usize) -> String {
    let list = gaps.join(form.say("; ", "、"));
    match (gaps.is_empty(), rest) {
        (true, _) => form.say("none", "なし").to_owned(),
        (_, 0) => list,
        (_, rest) => form.say(format!("{list}; {rest} more"), format!("{list}、他{rest}件")),
    }
}

/// In place of a table of gaps.
#[must_use]
pub fn no_gap(form: Form) -> &'static str {
    form.say("No sensor has a gap.", "停止のあったセンサーはありません。")
}

/// A sensor's region, and those where it was before.
#[must_use]
pub fn region(form: Form, sensor: &SensorReport) -> String {
    let now = if sensor.region.is_empty() { String::new() } else { form.region(&sensor.region) };
    let before = sensor.moves.iter().rev().map(|it| {
        let (from, day) = (form.region(&it.from), date::day(form.language, it.day));
        form.say(format!("{from} before {day}"), format!("{day}より前は{from}"))
    });
    let before: Vec<String> = before.collect();
    if before.is_empty() { now } else { format!("{now} ({})", before.join(form.say(", ", "、"))) }
}
