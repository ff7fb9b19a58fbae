//! What was missing, and what else a reader must know: sentences.
//!
//! None names a sensor: they are [published](super::publish) as they are.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::history::Observer;
use super::model::WHOLE;
use super::period::Plan;
use super::tally::Tallied;

/// Makes sure that the region to compare with is one.
///
/// # Errors
/// No sensor is in it.
pub fn check_home(home: Option<&str>, observers: &[Observer]) -> Result<()> {
    let regions: BTreeSet<&str> = observers.iter().map(|observer| observer.region.as_str()).collect();
    match home {
        Some(home) if !regions.contains(home) => {
            let regions: Vec<_> = regions.into_iter().filter(|region| !region.is_empty()).collect();
            let mend = match regions.as_slice() {
                [] => "set `region` in the sensors' configurations, or leave --home out".to_owned(),
                regions => format!("pass as --home one of {}", regions.join(", ")),
            };
            bail!("no sensor is in region {home:?}: {mend}")
        }
        _ => Ok(()),
    }
}

/// The notes of a report.
#[must_use]
pub fn notes(plan: &Plan, tallied: &Tallied) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.unfinished {
        notes.push(format!(
            "The period was not over when this was written: it is covered until {}, that day in part.",
            plan.period.to
        ));
    }
    let with_gaps = tallied.sensors.iter().filter(|sensor| sensor.coverage < WHOLE).count();
    if with_gaps > 0 {
        notes.push(format!(
            "{with_gaps} of {} sensors observed less than nine tenths of the period. Averages are over the days on \
             which sensors observed; rankings are of the packets that were counted, and nothing was added for what \
             was not.",
            tallied.sensors.len()
        ));
    }
    if tallied.totals.packets == 0 {
        notes.push("No packet was counted in the period.".to_owned());
    } else if tallied.totals.unranked > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = tallied.totals.unranked as f64 / tallied.totals.packets as f64 * 100.0;
        notes.push(format!(
            "{share:.1} % of the packets went to ports without a series of their own. They are in all sums, but in \
             no ranking; a port that got its series within the period is ranked by what was counted since."
        ));
    }
    if tallied.totals.previous_packets == 0 {
        notes.push(format!("Nothing is recorded of {}, so nothing is compared with it.", plan.previous.name));
    }
    notes
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

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
        let said = check_home(home, &observers).map_or_else(|error| error.to_string(), |()| String::new());
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{said}");
    }
}
