//! How the numbers came about.

use crate::report::model::{CHANGES, Report};

use super::super::number::{count, percent, thousands};

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
        sentences.push(format!(
            "A surge is a day of a service on a sensor with at least {} packets and {} times the median of the {} \
             observed days before, less likely by chance than a threshold that holds the false ones among all found \
             to {} on average (Benjamini–Hochberg over {} cells).",
            thousands(method.floor),
            method.ratio,
            method.baseline_days,
            percent(method.false_discovery_rate),
            thousands(method.tested),
        ));
        sentences.push(
            "Verdicts: sensor-only, one sensor saw it; region-only, sensors of one region; global, most sensors of \
             every region; mixed, some of several regions; new port, no sensor that saw it had any in its baseline."
                .to_owned(),
        );
    }
    sentences
}
