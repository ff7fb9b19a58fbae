//! What matters most, in a few sentences.

use super::Form;
use crate::report::model::{Average, Previous, Ranked, Report, SurgeKind, TOP_OF_A_SENSOR};
use crate::vocabulary::names::label;
use crate::vocabulary::verdict::SurgeVerdict;

/// Sentences, the most important first.
#[must_use]
pub fn sentences(report: &Report) -> Vec<String> {
    let form = Form::of(report);
    let mut sentences = vec![total(form, report)];
    sentences.extend(first(form, report));
    sentences.extend(super::sensors::common(form, report));
    sentences.extend(alone(form, report));
    sentences.extend(newcomers(form, report));
    sentences.extend(home(form, report));
    sentences.extend(super::sources::summary(form, report));
    sentences.extend(surges(form, report));
    sentences.extend(made_by_one(form, report));
    sentences.extend(risen(form, report));
    sentences
}

fn total(form: Form, report: &Report) -> String {
    let totals = report.totals;
    let sensors = form.sensors(report.observing());
    let packets = form.count(totals.packets);
    if totals.sensor_days <= 0.0 {
        return form.say(
            format!("{sensors} counted {packets} packets."),
            format!("{sensors}で{packets}パケットを観測しました。"),
        );
    }
    let now = per_day(totals.packets, totals.sensor_days);
    let previous = form.period(&report.previous);
    let against = if totals.previous_sensor_days > 0.0 {
        let change = form.change(now, per_day(totals.previous_packets, totals.previous_sensor_days));
        form.say(format!(" ({change} against {previous})"), format!("({previous}比{change})"))
    } else {
        String::new()
    };
    let average = form.average(now);
    form.say(
        format!("{sensors} counted {packets} packets, {average} per sensor and day{against}."),
        format!(
            "{sensors}で{packets}パケットを観測しました。センサー1台の1日当たりの平均は{average}パケットです{against}。"
        ),
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts are exact below 2^53, and an average is rounded")]
fn per_day(packets: u64, days: f64) -> f64 {
    packets as f64 / days
}

/// Whether nothing is known of the previous period: then nothing is new in this one.
#[must_use]
pub fn unknown_before(report: &Report) -> bool {
    report.totals.previous_packets == 0
}

/// Where a service was in the previous period, to read on from; nothing if nothing is known of it.
fn before(form: Form, report: &Report, row: &Ranked) -> Option<String> {
    let previous = form.period(&report.previous);
    if unknown_before(report) {
        return None;
    }
    Some(match (row.previous_rank, row.previous) {
        (Some(rank), _) => {
            let rank = form.rank(rank);
            form.say(format!("{rank} in {previous}"), format!("{previous}は{rank}"))
        }
        (None, Previous::Nothing) => {
            form.say(format!("not observed in {previous}"), format!("{previous}は観測なし"))
        }
        (None, _) => form.say(
            format!("outside the top {TOP_OF_A_SENSOR} in {previous}"),
            format!("{previous}はトップ{TOP_OF_A_SENSOR}外"),
        ),
    })
}

fn first(form: Form, report: &Report) -> Option<String> {
    let top = report.top.first()?;
    let (service, share) = (label(&top.service), form.percent(top.share));
    let before = before(form, report, top);
    let too = if top.previous_rank == Some(1) { form.say(" too", "") } else { "" };
    Some(form.say(
        format!(
            "{service} received the most packets: {share} of all{}.",
            before.as_ref().map_or_else(String::new, |before| format!(", {before}{too}"))
        ),
        format!(
            "最も多くのパケットを観測した宛先ポート番号は{service}で、全体の{share}を占めました{}。",
            before.as_ref().map_or_else(String::new, |before| format!("({before})"))
        ),
    ))
}

/// A sensor that has most of all for itself.
fn alone(form: Form, report: &Report) -> Option<String> {
    let alone = report.balance.alone.as_ref()?;
    let (sensor, share) = (&alone.sensor, form.percent(alone.share));
    let median = form.average(report.balance.median_per_day);
    Some(form.say(
        format!(
            "{sensor} alone received {share} of all packets, so sums, curves and Figure 1 are mostly its own; the median \
             sensor received {median} packets a day."
        ),
        format!(
            "全パケットの{share}は{sensor}の1台で観測したもので、合計、推移および図1は主にこのセンサーの値です。\
             センサーの中央値は1日当たり{median}パケットです。"
        ),
    ))
}

/// Services that came from far below.
fn newcomers(form: Form, report: &Report) -> Option<String> {
    let new: Vec<&Ranked> = report.top.iter().skip(1).filter(|row| row.previous_rank.is_none()).collect();
    if new.is_empty() || unknown_before(report) {
        return None;
    }
    let said: Vec<String> = new
        .iter()
        .map(|row| {
            let before = before(form, report, row).unwrap_or_default();
            let service = label(&row.service);
            form.say(format!("{service} ({before})"), format!("{service}({before})"))
        })
        .collect();
    let (list, length) = (form.list(&said), report.top.len());
    let verb = if new.len() == 1 { "is" } else { "are" };
    Some(form.say(
        format!("{list} {verb} new in the top {length}."),
        format!("{list}が新たにトップ{length}に入りました。"),
    ))
}

fn home(form: Form, report: &Report) -> Option<String> {
    let home = form.region(report.home.as_deref()?);
    let sum = |of: fn(&crate::report::model::Month) -> Option<Average>| {
        let (packets, days) = report
            .monthly
            .iter()
            .filter_map(of)
            .fold((0, 0.0), |(packets, days), month| (packets + month.packets, days + month.sensor_days));
        (days > 0.0).then(|| form.average(per_day(packets, days)))
    };
    let (at_home, overseas) = (sum(|month| month.home)?, sum(|month| month.overseas)?);
    Some(form.say(
        format!("A sensor in {home} received {at_home} packets a day on average, one overseas {overseas}."),
        format!("センサー1台の1日当たりの平均は{home}が{at_home}パケット、海外が{overseas}パケットでした。"),
    ))
}

fn surges(form: Form, report: &Report) -> Option<String> {
    if report.method.baseline_days == 0 || (report.surges.is_empty() && report.publication.is_some()) {
        return None;
    }
    let Some(widest) = report.surges.iter().max_by(|a, b| {
        // Of those that as many sensors saw, the first: the latest.
        a.sensors.len().cmp(&b.sensors.len()).then(std::cmp::Ordering::Greater)
    }) else {
        return report
            .surges_of_one
            .is_empty()
            .then(|| form.say("No surge was found.", "急増は検出されませんでした。").to_owned());
    };
    let of = |verdict| report.surges.iter().filter(|surge| surge.verdict == verdict).count();
    let (global, one) = (of(SurgeVerdict::Global), of(SurgeVerdict::SensorOnly));
    let mut parts = Vec::new();
    if global > 0 {
        let number = form.number(global);
        parts.push(form.say(format!("{number} in every region"), format!("全地域で{number}件")));
    }
    if one > 0 {
        let number = form.number(one);
        parts
            .push(form.say(format!("{number} on one sensor only"), format!("1台のセンサーのみで{number}件")));
    }
    let parts = match (parts.is_empty(), form.list(&parts)) {
        (true, _) => String::new(),
        (_, list) => form.say(format!(", {list}"), format!("({list})")),
    };
    let number = report.surges.len();
    let (verb, ending) = if number == 1 { ("was", "") } else { ("were", "s") };
    let (found, judged) = (form.number(number), form.sensors(widest.judged));
    let (seen, service) = (form.number(widest.sensors.len()), label(&widest.service));
    let kind = if widest.kind == SurgeKind::Ramp { form.say(", a ramp", "(漸増)") } else { "" };
    Some(form.say(
        format!(
            "{found} surge{ending} {verb} found{parts}; the widest was of {service}{kind}, on {seen} of {judged}."
        ),
        format!(
            "急増は{found}件検出されました{parts}。最も広く観測したのは{service}{kind}で、{judged}のうち{seen}台です。"
        ),
    ))
}

/// Surges that one source or network made: they are not counted above.
fn made_by_one(form: Form, report: &Report) -> Option<String> {
    let number = report.surges_of_one.len();
    let shown = form.number(number);
    let verb = match number {
        0 => return None,
        1 => "is",
        _ => "are",
    };
    if !report.surges.is_empty() {
        return Some(form.say(
            format!("{shown} more that one source or one network made {verb} listed apart."),
            format!("このほか、単一の送信元または単一のネットワークによる急増が{shown}件あり、別に掲載しています。"),
        ));
    }
    let surges = if number == 1 { "One surge".to_owned() } else { format!("{shown} surges") };
    Some(form.say(
        format!("{surges} that one source or one network made {verb} listed apart. No other was found."),
        format!(
            "単一の送信元または単一のネットワークによる急増が{shown}件あり、別に掲載しています。\
             そのほかの急増は検出されませんでした。"
        ),
    ))
}

fn risen(form: Form, report: &Report) -> Option<String> {
    let rose = report.rose.first()?;
    let (service, before, now) = (label(&rose.service), form.average(rose.before), form.average(rose.now));
    Some(form.say(
        format!("{service} rose the most, from {before} to {now} packets per sensor and day."),
        format!("最も増加したのは{service}で、センサー1台の1日当たり{before}から{now}パケットになりました。"),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::report::fixture;
    use crate::report::language::Language;

    /// How many surges there are, and how many of one source; and what is said of the latter, in English and in Japanese.
    #[rstest]
    #[case::none(0, 0, "", "")]
    #[case::none_of_one(4, 0, "", "")]
    #[case::one_more(
        4,
        1,
        "1 more that one source or one network made is listed apart.",
        "このほか、単一の送信元または単一のネットワークによる急増が1件あり、別に掲載しています。"
    )]
    #[case::two_more(
        1,
        2,
        "2 more that one source or one network made are listed apart.",
        "このほか、単一の送信元または単一のネットワークによる急増が2件あり、別に掲載しています。"
    )]
    #[case::one_alone(
        0,
        1,
        "One surge that one source or one network made is listed apart. No other was found.",
        "単一の送信元または単一のネットワークによる急増が1件あり、別に掲載しています。そのほかの急増は検出されませんでした。"
    )]
    #[case::two_alone(
        0,
        2,
        "2 surges that one source or one network made are listed apart. No other was found.",
        "単一の送信元または単一のネットワークによる急増が2件あり、別に掲載しています。そのほかの急増は検出されませんでした。"
    )]
    fn surges_of_one_are_beside_others_or_alone(
        #[case] surges: usize,
        #[case] of_one: usize,
        #[case] english: &str,
        #[case] japanese: &str,
    ) {
        let mut report = fixture::report();
        report.surges.truncate(surges);
        report.surges_of_one = vec![report.surges_of_one[0].clone(); of_one];
        for (language, expected) in [(Language::English, english), (Language::Japanese, japanese)] {
            report.language = language;
            let form = Form::of(&report);
            assert_eq!(made_by_one(form, &report).unwrap_or_default(), expected);
            let none = form.say("No surge was found.", "急増は検出されませんでした。");
            let said = sentences(&report);
            assert_eq!(said.iter().any(|sentence| sentence == none), surges + of_one == 0, "{said:?}");
        }
    }
}
