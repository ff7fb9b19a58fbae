//! What was missing, and what else a reader must know: sentences.
//!
//! None names a sensor: they are [published](super::publish) as they are.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::history::Observer;
use super::model::{Report, WHOLE};
use super::moves::{Moved, Regions};
use super::period::Plan;
use super::tally::PreviousCoverage;

/// Makes sure that the region to compare with is one.
///
/// # Errors
/// No sensor was in it.
pub fn check_home(home: Option<&str>, observers: &[Observer], moved: &Moved) -> Result<()> {
    let last = observers.iter().map(|observer| observer.region.as_str());
    let regions: BTreeSet<&str> = last.chain(moved.values().flat_map(Regions::all)).collect();
    match home {
        Some(home) if !regions.contains(home) => {
            let regions: Vec<_> = regions.into_iter().filter(|region| !region.is_empty()).collect();
            let remedy = match regions.as_slice() {
                [] => "set `region` in the sensors' configurations, or leave --home out".to_owned(),
                regions => format!("pass as --home one of {}", regions.join(", ")),
            };
            bail!("no sensor is in region {home:?}: {remedy}")
        }
        _ => Ok(()),
    }
}

/// The notes of a report.
#[must_use]
pub fn notes(plan: &Plan, report: &Report, previous: PreviousCoverage) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.unfinished {
        notes.push(format!(
            "The period was not over when this was written: it is covered until {}, that day in part.",
            plan.period.to
        ));
    }
    let with_gaps = report.sensors.iter().filter(|sensor| sensor.coverage < WHOLE).count();
    if with_gaps > 0 {
        notes.push(format!(
            "{with_gaps} of {} sensors observed less than nine tenths of the period. Averages are over the days on \
             which sensors observed; rankings are of the packets that were counted, and nothing was added for what \
             was not.",
            report.sensors.len()
        ));
    }
    let silent = report.sensors.iter().filter(|sensor| !sensor.observed()).count();
    if silent > 0 {
        notes.push(format!(
            "Sensors that observed in {} and not at all since: {silent}. They are listed with a coverage of 0 %.",
            plan.previous.name
        ));
    }
    let moved = report.sensors.iter().filter(|sensor| !sensor.moves.is_empty()).count();
    if moved > 0 {
        notes.push(format!(
            "Sensors that moved to another region within the period: {moved}. Each of their hours counts for the region \
             that they were in; they are listed in that of the last day."
        ));
    }
    if report.totals.packets == 0 {
        notes.push("No packet was counted in the period.".to_owned());
    } else if report.totals.unranked > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = report.totals.unranked as f64 / report.totals.packets as f64 * 100.0;
        notes.push(format!(
            "{share:.1} % of the packets went to ports without a series of their own. They are in all sums, but in \
             no ranking; a port that got its series within the period is ranked by what was counted since."
        ));
    }
    if report.totals.previous_packets == 0 {
        notes.push(format!("Nothing is recorded of {}, so nothing is compared with it.", plan.previous.name));
    } else if let Some(coverage) = previous.filter(|coverage| *coverage < WHOLE) {
        notes.push(format!(
            "The sensors that observed in {} did so for {:.1} % of it on average: ranks, changes and what is new are \
             against that part only.",
            plan.previous.name,
            coverage * 100.0
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use rstest::rstest;

    use super::super::fixture;
    use super::super::model::SensorReport;
    use super::super::period::Asked;
    use super::*;

    /// The notes on the fixture's quarter, after a change to it.
    fn said(change: impl Fn(&mut Report, &mut PreviousCoverage)) -> String {
        let plan = Plan::new(Asked::Quarter("2023Q4".parse().unwrap()), &TimeZone::UTC, 28, Timestamp::MAX);
        let (mut report, mut previous) = (fixture::report(), Some(1.0));
        change(&mut report, &mut previous);
        notes(&plan.unwrap(), &report, previous).join(
            "
",
        )
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

    #[rstest]
    #[case::another(&["japan", "overseas", ""], Some("japn"), "in region \"japn\": pass as --home one of japan, overseas")]
    #[case::none_at_all(&["", ""], Some("japan"), "set `region` in the sensors' configurations, or leave --home out")]
    #[case::right(&["japan", ""], Some("japan"), "")]
    #[case::not_asked(&[""], None, "")]
    fn home_is_a_region(#[case] regions: &[&str], #[case] home: Option<&str>, #[case] words: &str) {
        let observer = |region: &&str| Observer {
            name: "a".to_owned(),
            region: (*region).to_owned(),
            observed: Vec::new(),
        };
        let observers: Vec<_> = regions.iter().map(observer).collect();
        let said = check_home(home, &observers, &Moved::new())
            .map_or_else(|error| error.to_string(), |()| String::new());
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{said}");
    }
}
