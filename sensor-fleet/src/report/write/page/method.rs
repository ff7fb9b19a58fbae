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
            "A surge is traffic of a service, on a sensor or summed over a region or all sensors, of at least {} packets a \
             day and {ratio} times its baseline over 1, 3, 7 or 14 days, and {ratio} times what was reached on two \
             occasions in the baseline. The baseline is of the 28 days before on which the sensor observed ({} or \
             more), days of events left out. A surge lasts until traffic is back near the baseline that it had at its \
             begin; a ramp is one that grew from day to day. Falls are found in the same way, for services, \
             sensors and regions.",
            thousands(method.floor),
            settings.least_baseline_days,
            ratio = method.ratio,
        ));
        sentences.push(format!(
            "How much traffic varies without an event, and by which law, is estimated from the sensors' own days, for \
             series of like size; of all events found, {} at most are false on average (Benjamini–Hochberg over events; \
             {} days of services on sensors were tested). Where that holds and what it was tried on is in the \
             documentation.",
            percent(method.false_discovery_rate),
            thousands(method.tested),
        ));
        sentences.push(
            "A service without a series on a day is taken to have had as many packets as it may have had among the \
             others without one. A day with the packets of more than one, as after a gap in which a sensor went on \
             counting, is taken as an average day of these."
                .to_owned(),
        );
        sentences.push(
            "Verdicts: sensor-only, one sensor saw it; region-only, sensors of one region; global, sensors of every \
             region, and half of all or more; mixed, others, or the only sensor that could be judged; new-port, no \
             sensor that saw it had any in its baseline."
                .to_owned(),
        );
    }
    sentences
}
