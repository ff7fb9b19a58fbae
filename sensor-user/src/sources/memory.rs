//! What is known of the sources of each sensor, in bounded memory.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use super::account::Account;
use super::clock::Clock;
use super::distinct::Secret;
use super::lists::Lists;
use super::observation::Observation;
use super::scans::{Definition, Scans};
use super::source::Source;
use super::totals::Totals;
use super::victims::Victims;
use super::window::{About, Span, Window, Windows};
use crate::config::{NumberedSensor, SensorNumber, Sources};
use crate::store::{Event, EventKind};

/// All sensors.
pub(super) struct Memory {
    pub sensors: BTreeMap<SensorNumber, OfSensor>,
    clock: Clock,
    secret: Secret,
}

/// One of them.
pub(super) struct OfSensor {
    pub name: String,
    windows: [Windows; 2],
    pub victims: Victims,
    pub scans: Scans,
    pub totals: Totals,
    /// Packets since it is known.
    pub account: Account,
    /// What the counters said last.
    counted: Option<Counted>,
}

/// What a sensor's counters say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// When.
    pub time: Timestamp,
    /// Packets that were counted and not handed over as evidence.
    pub skipped: u64,
}

/// The bytes of a sensor's parts. Together they are its share of all.
struct Shares {
    /// Of the windows of each span.
    windows: usize,
    victims: usize,
    scans: usize,
}

impl Shares {
    fn of(settings: &Sources, sensors: usize) -> Self {
        let all = usize::try_from(settings.memory).unwrap_or(usize::MAX) / sensors.max(1);
        Self { windows: all / 16 * 5, victims: all / 8, scans: all / 4 }
    }
}

/// Bytes of one window of each of so many sensors, of all that there is.
#[cfg(test)]
pub(super) fn window_bytes(memory: u64, sensors: usize) -> usize {
    Shares::of(&Sources { memory, ..Sources::default() }, sensors).windows / 2
}

impl Memory {
    pub(super) fn new(settings: &Sources, sensors: &[NumberedSensor]) -> Self {
        let mut memory =
            Self { sensors: BTreeMap::new(), clock: Clock::default(), secret: Secret::default() };
        memory.configure(settings, sensors);
        memory
    }

    /// Knows of these sensors from now on. Those that were there before, by name and number, are not forgotten.
    pub(super) fn configure(&mut self, settings: &Sources, sensors: &[NumberedSensor]) {
        let shares = Shares::of(settings, sensors.len());
        let labels = settings.max_labels as usize;
        let mut before = std::mem::take(&mut self.sensors);
        for NumberedSensor { number, sensor } in sensors {
            let definition = Definition::of(sensor);
            let of_sensor = match before.remove(number).filter(|before| before.name == sensor.name) {
                Some(mut before) => {
                    for windows in &mut before.windows {
                        windows.bound(shares.windows);
                    }
                    let account = before.account;
                    before.victims.bound(settings.victims, shares.victims, account);
                    before.scans.bound(definition, shares.scans, account);
                    before.totals.bound(labels);
                    before
                }
                None => OfSensor {
                    name: sensor.name.clone(),
                    windows: Span::ALL.map(|span| Windows::new(span, shares.windows)),
                    victims: Victims::new(settings.victims, shares.victims),
                    scans: Scans::new(definition, self.secret.clone(), shares.scans),
                    totals: Totals::new(labels),
                    account: Account::default(),
                    counted: None,
                },
            };
            self.sensors.insert(*number, of_sensor);
        }
    }

    /// Notes what was observed, with what the lists know of its source.
    pub(super) fn add(&mut self, it: &Observation, lists: &Lists) {
        // A record of a sensor that was configured before a reload.
        let Some(of_sensor) = self.sensors.get_mut(&it.sensor) else { return };
        let about = About {
            key: self.secret.key(it.source),
            country: lists.country(it.address),
            system: lists.system_number(it.address),
            known: lists.scanner(it.address).is_some(),
        };
        let account = of_sensor.account;
        let victim = it.reply.filter(|reply| of_sensor.victims.add(it, *reply, account));
        let victim = victim.map(|reply| self.secret.key(Source::of(reply.victim)));
        of_sensor.scans.add(it, account);
        of_sensor.account.observed += 1;
        of_sensor.account.missed += it.lost;
        of_sensor.totals.add(it, &about, lists);
        if let Some(system) = about.system
            && of_sensor.totals.wants_name(system)
        {
            let name = lists.system(it.address).map(|system| system.name).unwrap_or_default();
            of_sensor.totals.names.insert(system, name);
        }
        for windows in &mut of_sensor.windows {
            let window = windows.at(it.time);
            window.add(it, &about);
            if let Some(victim) = victim {
                window.victims.add(victim);
            }
            // Most likely just after the one that was observed before.
            windows.miss(it.before, it.before, it.lost);
        }
    }

    /// Takes what the counters of a sensor say, from which it is known how many packets were not observed, and when.
    pub(super) fn count(&mut self, sensor: SensorNumber, counted: Counted) {
        let Some(of_sensor) = self.sensors.get_mut(&sensor) else { return };
        // What was before is not known.
        let Some(before) = of_sensor.counted.replace(counted) else { return };
        // Counters that were made anew begin from 0.
        let skipped = counted.skipped.checked_sub(before.skipped).unwrap_or(counted.skipped);
        // A clock that was set back meanwhile has nothing between.
        let from = before.time.min(counted.time);
        of_sensor.account.missed += skipped;
        for windows in &mut of_sensor.windows {
            windows.miss(from, counted.time, skipped);
        }
    }

    /// What keys are made by.
    pub(super) const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Scans and victims that were seen then or later, in seconds since 1970, as the store has them.
    pub(super) fn events(&self, since: i64) -> Vec<Event> {
        let mut events = Vec::new();
        for of_sensor in self.sensors.values() {
            let scans = of_sensor.scans.all(of_sensor.account).map(|scan| Event {
                kind: EventKind::Scan,
                start: scan.start,
                end: scan.end,
                sensor: of_sensor.name.clone(),
                source: Some(scan.source),
                packets: scan.packets,
                detail: serde_json::to_value(&scan).unwrap_or_default(),
            });
            events.extend(scans.filter(|event| event.end.as_second() >= since));
            let victims = of_sensor.victims.all(of_sensor.account).map(|victim| Event {
                kind: EventKind::Victim,
                start: victim.start,
                end: victim.end,
                sensor: of_sensor.name.clone(),
                source: Some(victim.victim),
                packets: victim.packets,
                detail: serde_json::to_value(&victim).unwrap_or_default(),
            });
            events.extend(victims.filter(|event| event.end.as_second() >= since));
        }
        events
    }

    /// Tells the time, by the clock and by one that nobody sets.
    pub(super) fn tick(&mut self, now: Timestamp, monotonic: Instant) {
        let doubt = self.clock.look(now, monotonic);
        for of_sensor in self.sensors.values_mut() {
            for windows in &mut of_sensor.windows {
                windows.tick(now, doubt);
            }
            of_sensor.victims.tick(now, of_sensor.account);
            of_sensor.scans.tick(now, of_sensor.account);
            let [hours, _] = &of_sensor.windows;
            of_sensor.totals.tick(now, hours);
        }
    }
}

impl OfSensor {
    /// Likewise, to be put in.
    pub(super) fn windows_mut(&mut self, span: Span) -> &mut Windows {
        let [hours, days] = &mut self.windows;
        match span {
            Span::Hour => hours,
            Span::Day => days,
        }
    }

    /// The windows of a span.
    pub(super) fn windows(&self, span: Span) -> &Windows {
        let [hours, days] = &self.windows;
        match span {
            Span::Hour => hours,
            Span::Day => days,
        }
    }

    /// The last full window of each span that has one.
    pub(super) fn last_full(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter_map(Windows::last_full)
    }
}

#[cfg(test)]
mod tests;
