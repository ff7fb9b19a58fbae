//! What was missing, and what else a reader must know: sentences.
//!
//! None names a sensor: they are [published](crate::report::publish) as they are.

use jiff::civil::DateTime;

use super::{Form, date};
use crate::report::language::Language;
use crate::report::model::{Report, WHOLE};
use crate::report::period::Plan;
use crate::report::tally::PreviousCoverage;

/// The notes of a report; those that may be published leave out packets that nobody knows how many sensors saw.
#[must_use]
pub fn notes(plan: &Plan, report: &Report, previous: PreviousCoverage, publish: bool) -> Vec<String> {
    let form = Form { language: report.language, publication: None };
    let before = form.period(&plan.previous);
    let mut notes = Vec::new();
    if plan.unfinished {
        let to = date::day(report.language, plan.period.to);
        notes.push(form.say(
            format!(
                "The period was not over when this was written: it is covered until {to}, that day in part."
            ),
            format!("本レポートは期間の途中で作成したもので、{to}(当日は一部)までを対象としています。"),
        ));
    }
    let with_gaps = report.sensors.iter().filter(|sensor| sensor.coverage < WHOLE).count();
    if with_gaps > 0 {
        let all = form.number(report.sensors.len());
        notes.push(form.say(
            format!(
                "{with_gaps} of {all} sensors observed less than nine tenths of the period. Averages are over the days on \
                 which sensors observed; rankings are of the packets that were counted, and nothing was added for what \
                 was not."
            ),
            format!(
                "{all}台のうち{with_gaps}台のセンサーは稼働率が期間の90%未満です。平均は稼働日のみで計算しています。\
                 順位は観測したパケット数によるもので、停止中の補正はしていません。"
            ),
        ));
    }
    let silent = report.sensors.iter().filter(|sensor| !sensor.observed()).count();
    if silent > 0 {
        notes.push(form.say(
            format!(
                "Sensors that observed in {before} and not at all since: {silent}. They are listed with a coverage of 0 %."
            ),
            format!("{before}に稼働し、その後稼働していないセンサーが{silent}台あります(稼働率0%として掲載)。"),
        ));
    }
    let moved = report.sensors.iter().filter(|sensor| !sensor.moves.is_empty()).count();
    if moved > 0 {
        notes.push(form.say(
            format!(
                "Sensors that moved to another region within the period: {moved}. Each of their hours counts for the region \
                 that they were in; they are listed in that of the last day."
            ),
            format!(
                "期間中に地域を移動したセンサーが{moved}台あります。移動前後の時間はそれぞれの地域に集計し、一覧では最終日の地域に\
                 掲載しています。"
            ),
        ));
    }
    if report.totals.packets == 0 {
        notes.push(
            form.say("No packet was counted in the period.", "期間中にパケットは観測されませんでした。")
                .to_owned(),
        );
    } else if report.totals.unranked > 0 && !publish {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = report.totals.unranked as f64 / report.totals.packets as f64 * 100.0;
        notes.push(form.say(
            format!(
                "{share:.1} % of the packets went to ports without a series of their own. They are in all sums, but in no \
                 ranking; a port that got its series within the period is ranked by what was counted since."
            ),
            format!(
                "パケットの{share:.1}%は個別に集計していない宛先ポート番号宛のもので、合計には含まれますが順位には含まれません。\
                 期間中に個別の集計を始めた宛先ポート番号の順位は、開始以降のパケット数によります。"
            ),
        ));
    }
    if report.totals.previous_packets == 0 {
        notes.push(form.say(
            format!("Nothing is recorded of {before}, so nothing is compared with it."),
            format!("{before}の記録がないため、比較はしていません。"),
        ));
    } else if let Some(coverage) = previous.filter(|coverage| *coverage < WHOLE) {
        let part = coverage * 100.0;
        notes.push(form.say(
            format!(
                "The sensors that observed in {before} did so for {part:.1} % of it on average: ranks, changes and what is \
                 new are against that part only."
            ),
            format!(
                "{before}に稼働したセンサーの平均稼働率は{part:.1}%です。順位、増減および新規は、その範囲との比較です。"
            ),
        ));
    }
    notes
}

/// Files by the hour that could not be read.
#[must_use]
pub fn untold(language: Language, files: usize) -> Option<String> {
    let form = Form { language, publication: None };
    (files > 0).then(|| {
        form.say(
            format!("Files by the hour that could not be read: {files}. Who made a surge is told without them."),
            format!("読み取れない1時間ごとのファイルが{files}個ありました。急増の送信元の判定には含まれていません。"),
        )
    })
}

/// Hours that Prometheus did not record, of which some could be read all the same; each number with when they were.
#[must_use]
pub fn unrecorded(language: Language, all: (usize, &str), read: usize, lost: (usize, &str)) -> String {
    let form = Form { language, publication: None };
    let ((all, when), (lost, lost_when)) = (all, lost);
    let mut said = vec![form.say(
        format!("Hours that Prometheus did not record, as when it is down over a full hour: {all} ({when})."),
        format!("Prometheusの停止などにより記録のない時間が{all}時間あります({when})。"),
    )];
    if read > 0 {
        let which = if lost == 0 { "They".to_owned() } else { format!("{read} of them") };
        said.push(form.say(
            format!("{which} were read from the counters, to the packet."),
            format!("うち{read}時間はカウンターの値から正確に求めました。"),
        ));
    }
    if lost > 0 {
        said.push(form.say(
            format!(
                "Of {lost} there are no samples ({lost_when}): what sensors counted then is in the hour in which they were \
                 scraped again, if that was within a day and their hosts had not been restarted; otherwise it is missing \
                 here."
            ),
            format!(
                "{lost}時間は値がありません({lost_when})。1日以内に収集が再開し、その間にセンサーの再起動がなければ再開後の\
                 時間に含まれますが、それ以外は本レポートに含まれません。"
            ),
        ));
    }
    form.text(&said)
}

/// Stretches of hours, from when to when, and how many more there are.
#[must_use]
pub fn stretches(language: Language, stretches: &[(DateTime, DateTime)], more: usize) -> String {
    let form = Form { language, publication: None };
    let named: Vec<String> = stretches.iter().map(|(from, to)| date::hours(language, *from, *to)).collect();
    let named = named.join(form.say(", ", "、"));
    match more {
        0 => named,
        more => form.say(format!("{named} and {more} more times"), format!("{named}、ほか{more}回")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::report::fixture;
    use crate::report::model::SensorReport;
    use crate::report::period::Asked;

    fn of(change: impl Fn(&mut Report, &mut PreviousCoverage), publish: bool) -> String {
        let plan = Plan::new(Asked::Quarter("2023Q4".parse().unwrap()), &TimeZone::UTC, 28, Timestamp::MAX);
        let (mut report, mut previous) = (fixture::report(), Some(1.0));
        change(&mut report, &mut previous);
        notes(&plan.unwrap(), &report, previous, publish).join("\n")
    }

    /// The notes on the fixture's quarter, after a change to it.
    fn said(change: impl Fn(&mut Report, &mut PreviousCoverage)) -> String {
        of(change, false)
    }

    fn silence(sensor: &mut SensorReport) {
        (sensor.packets, sensor.observed_days, sensor.coverage) = (0, 0.0, 0.0);
    }

    #[test]
    fn a_report_says_what_was_missing() {
        let found = said(|_, _| ());
        assert!(found.contains("1 of 6 sensors observed less than nine tenths"), "{found}");
        assert!(!found.contains("2023Q3"), "{found}");

        let found = said(|report, _| silence(&mut report.sensors[5]));
        assert!(found.contains("2 of 6 sensors observed less than nine tenths"), "{found}");
        assert!(found.contains("Sensors that observed in 2023Q3 and not at all since: 1."), "{found}");

        let found = said(|_, previous| *previous = Some(3.0 / 92.0));
        assert!(found.contains("observed in 2023Q3 did so for 3.3 % of it on average"), "{found}");

        let found = said(|report, previous| (report.totals.previous_packets, *previous) = (0, None));
        assert!(found.contains("Nothing is recorded of 2023Q3"), "{found}");
    }

    #[test]
    fn no_note_names_a_sensor() {
        let found = said(|report, previous| {
            silence(&mut report.sensors[5]);
            *previous = Some(0.1);
        });
        assert_eq!(found.lines().count(), 4, "{found}");
        for (name, _) in fixture::SENSORS {
            assert!(!found.contains(name), "{found}");
        }
    }

    /// Nobody knows whether three sensors saw the ports that have no series.
    #[test]
    fn a_part_of_packets_that_nobody_can_rank_is_not_published() {
        assert!(of(|_, _| (), false).contains("ports without a series"));
        assert!(!of(|_, _| (), true).contains("ports without a series"));
    }
}
