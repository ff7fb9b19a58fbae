//! What the metrics page says of sources: those of each sensor, where evidence is kept.

use super::exported::Exported;
use super::families::{
    AS, AS_INFO, COUNTRY, COUNTRY_SOURCES, Family, LIST, MIRAI_SOURCES, MISSED_RECORDS, SCANNER,
    SCANNER_PORT, SOURCES, SOURCES_MISSED, SOURCES_OBSERVED, VICTIMS,
};
use super::text::Samples;
use crate::config::Port;
use crate::counters::select::Drain;
use crate::counters::{Snapshot, names};
use crate::country::Country;
use crate::sources::{Labelled, Register, Told, WindowTold};

/// Writes the families of sources, in the order of the list: on the page of the last drain, which the snapshot is of.
pub(super) fn write(
    page: &mut Vec<u8>,
    (sensors, snapshot): (&[Exported], &Snapshot),
    drain: Drain,
    register: &Register,
    constituencies_are_current: Option<bool>,
) {
    let told = |(sensor, slots): (&Exported, _)| {
        let ports: Vec<Port> = sensor.selection.ports(slots).map(|(slot, _)| slot.port()).collect();
        Some((sensor.name.clone(), register.told(sensor.number, &ports, drain)?))
    };
    let told: Vec<_> = sensors.iter().zip(&snapshot.sensors).filter_map(told).collect();
    windows(page, &told);
    let countries = told.iter().filter_map(|(name, told)| Some((name, told.countries.as_ref()?)));
    let mut samples = Samples::new(page, &COUNTRY);
    for (name, labelled) in countries {
        add(&mut samples, name, labelled, true);
    }
    by_country(page, &COUNTRY_SOURCES, &told, |window| window.countries.as_ref());
    by_country(page, &MIRAI_SOURCES, &told, |window| window.mirai.as_ref());
    let mut samples = Samples::new(page, &AS);
    for (name, labelled) in told.iter().filter_map(|(name, told)| Some((name, told.systems.as_ref()?))) {
        add(&mut samples, name, labelled, true);
    }
    let mut systems: Vec<_> = told.iter().flat_map(|(_, told)| &told.names).collect();
    systems.sort_unstable();
    systems.dedup_by_key(|(system, _)| *system);
    let mut samples = Samples::new(page, &AS_INFO);
    for (system, name) in systems {
        samples.add([&system.to_string(), name], 1);
    }
    let mut samples = Samples::new(page, &SCANNER);
    for (name, labelled) in told.iter().filter_map(|(name, told)| Some((name, told.scanners.as_ref()?))) {
        add(&mut samples, name, labelled, false);
    }
    let mut samples = Samples::new(page, &SCANNER_PORT);
    for (name, told) in &told {
        for (port, packets) in &told.ports {
            samples.add([name, names::transport(port.transport), &port.number.to_string()], *packets);
        }
    }
    let mut samples = Samples::new(page, &VICTIMS);
    for (name, window) in told.iter().flat_map(|(name, told)| told.windows.iter().map(move |it| (name, it))) {
        samples.add([name, window.span.label()], window.victims);
    }
    let status = register.list_status();
    lists(page, status.iter().map(|status| (status.list, status.current)), constituencies_are_current);
    Samples::new(page, &MISSED_RECORDS).add([], register.missed());
}

/// Writes whether lists are as their files are now, and whether constituencies are, if files tell them.
pub(super) fn lists<'a>(
    page: &mut Vec<u8>,
    lists: impl Iterator<Item = (&'a str, bool)>,
    constituencies_are_current: Option<bool>,
) {
    let mut samples = Samples::new(page, &LIST);
    let constituencies = constituencies_are_current.map(|current| ("constituencies", current));
    for (list, current) in lists.chain(constituencies) {
        samples.add([list], current.into());
    }
}

fn windows(page: &mut Vec<u8>, told: &[(String, Told)]) {
    let windows =
        || told.iter().flat_map(|(name, told)| told.windows.iter().map(move |window| (name, window)));
    let mut samples = Samples::new(page, &SOURCES);
    for (name, window) in windows() {
        samples.add([name, "", "", window.span.label()], window.sources);
        for (port, sources) in &window.ports {
            let (protocol, number) = (names::transport(port.transport), port.number.to_string());
            samples.add([name, protocol, &number, window.span.label()], *sources);
        }
    }
    let mut samples = Samples::new(page, &SOURCES_OBSERVED);
    for (name, window) in windows() {
        samples.add([name, window.span.label()], window.observed);
    }
    let mut samples = Samples::new(page, &SOURCES_MISSED);
    for (name, window) in windows() {
        samples.add([name, window.span.label()], window.missed);
    }
}

/// Sources of windows by country, of those that have a file which knows them.
fn by_country(
    page: &mut Vec<u8>,
    family: &'static Family,
    told: &[(String, Told)],
    of: impl Fn(&WindowTold) -> Option<&Labelled<Country>>,
) {
    let mut samples = Samples::new(page, family);
    for (name, told) in told {
        for window in &told.windows {
            let Some(countries) = of(window) else { continue };
            let span = window.span.label();
            for (country, sources) in &countries.series {
                samples.add([name, &country.to_string(), span], *sources);
            }
            samples.add([name, "other", span], countries.other);
            samples.add([name, "unknown", span], countries.unknown);
        }
    }
}

/// By each that has a series, then of the others.
fn add<K: ToString>(samples: &mut Samples<'_>, sensor: &str, labelled: &Labelled<K>, may_be_unknown: bool) {
    for (of, value) in &labelled.series {
        samples.add([sensor, &of.to_string()], *value);
    }
    samples.add([sensor, "other"], labelled.other);
    if may_be_unknown {
        samples.add([sensor, "unknown"], labelled.unknown);
    }
}
