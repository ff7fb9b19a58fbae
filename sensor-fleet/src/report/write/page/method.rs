//! How the numbers came about.

use super::super::number::{count, percent, thousands};
use crate::report::model::{CHANGES, Report};
use crate::report::surge::Settings;

/// Sentences that a reader needs to judge the numbers by.
pub fn sentences(report: &Report) -> Vec<String> {
    let mut sentences = vec![
        "Packets are what sensors counted of unsolicited traffic, by destination port or, without ports, by protocol; \
         nothing is sampled."
            .to_owned(),
        format!("Days begin at midnight of {}.", report.period.zone),
        "Averages are packets divided by sensor-days: the days that sensors observed, added up. A day without \
         observation counts for nothing, not for zero."
            .to_owned(),
        "Equal numbers of packets are ranked by protocol, then by port.".to_owned(),
    ];
    let totals = report.totals;
    if totals.unranked > 0 {
        sentences.push(format!(
            "{} of {} packets went to ports without a series of their own, or had none: they are in totals and \
             averages, but cannot be ranked.",
            count(totals.unranked, report.publication),
            count(totals.packets, report.publication),
        ));
    }
    if [&report.rose, &report.fell, &report.new].iter().any(|changes| changes.len() == CHANGES) {
        sentences.push(format!(
            "Of what rose, fell and is new, the first {} each are kept.",
            thousands(CHANGES as u64)
        ));
    }
    let method = report.method;
    if method.tested > 0 {
        // The report sets no others than these.
        let settings = Settings::default();
        sentences.push(format!(
            "A surge is a day of a service on a sensor with at least {} packets, {ratio} times the median of the days \
             that the sensor observed among the {} before ({} or more), and {ratio} times what was reached on two \
             occasions among these; less likely by chance than a threshold that holds the false ones among all found \
             to {} on average (Benjamini–Hochberg over {} cells, and over the days of services).",
            thousands(method.floor),
            method.baseline_days,
            settings.least_baseline_days,
            percent(method.false_discovery_rate),
            thousands(method.tested),
            ratio = method.ratio,
        ));
        sentences.push(
            "A service without a series on a day is taken to have had as many packets as it may have had among the \
             others without one. A day with the packets of more than one, as after a gap in which a sensor went on \
             counting, is taken as an average day of these."
                .to_owned(),
        );
        sentences.push(format!(
            "On a day on which one sensor has a surge, others saw it too if theirs is as large and has a chance of {} at \
             most, or less in a large fleet.",
            settings.saw_too
        ));
        sentences.push(
            "Verdicts: sensor-only, one sensor saw it; region-only, sensors of one region; global, sensors of every \
             region, and half of all or more; mixed, others, or the only sensor that could be judged; new-port, no \
             sensor that saw it had any in its baseline."
                .to_owned(),
        );
    }
    sentences
}
