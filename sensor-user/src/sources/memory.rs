//! What is known of the sources of each sensor, in bounded memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::account::Accounts;
use super::clock::{Clock, Doubt};
use super::distinct::Secret;
use super::lists::Lists;
use super::observation::Observation;
use super::scans::{Definition, Scan, Scans};
use super::sketch::SketchKey;
use super::source::Source;
use super::totals::Totals;
use super::victims::{Victim, Victims};
use super::window::{About, Span, Window, Windows};
use crate::config::{NumberedSensor, SensorNumber, Sources};
use crate::store::{Event, EventKind};

/// All sensors.
pub(super) struct Memory {
    pub sensors: BTreeMap<SensorNumber, OfSensor>,
    clock: Clock,
    secret: Secret,
    sketch_key: Option<SketchKey>,
}

/// One of them.
pub(super) struct OfSensor {
    pub name: String,
    windows: [Windows; 2],
    pub victims: Victims,
    pub scans: Scans,
    pub totals: Totals,
    /// Packets since it is known.
    pub accounts: Accounts,
    /// What the counters said last.
    counted: Option<Counted>,
}

/// Something that is an event, with the sensor that saw it.
pub(super) enum Seen {
    Scan(String, Scan),
    Victim(String, Victim),
}

impl From<Seen> for Event {
    /// As the store has it.
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Scan(sensor, scan) => Self {
                kind: EventKind::Scan,
                start: scan.start,
                end: scan.end,
                sensor,
                source: Some(scan.source),
                packets: scan.packets,
                detail: serde_json::to_value(&scan).unwrap_or_default(),
            },
            Seen::Victim(sensor, victim) => Self {
                kind: EventKind::Victim,
                start: victim.start,
                end: victim.end,
                sensor,
                source: Some(victim.victim),
                packets: victim.packets,
                detail: serde_json::to_value(&victim).unwrap_or_default(),
            },
        }
    }
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
        Self { windows: all / 32 * 11, victims: all / 8, scans: all / 16 * 3 }
    }
}

/// Bytes of one window of each of so many sensors, of all that there is.
#[cfg(test)]
pub(super) fn window_bytes(memory: u64, sensors: usize) -> usize {
    Shares::of(&Sources { memory, ..Sources::default() }, sensors).windows / 2
}

impl Memory {
    pub(super) fn new(settings: &Sources, key: Option<SketchKey>, sensors: &[NumberedSensor]) -> Self {
        let (clock, secret) = (Clock::default(), Secret::default());
        let mut memory = Self { sensors: BTreeMap::new(), clock, secret, sketch_key: None };
        memory.configure(settings, key, sensors);
        memory
    }

    /// Knows of these sensors from now on, and makes sketches with this key. Those that were there before, by name and number,
    /// are not forgotten.
    pub(super) fn configure(
        &mut self,
        settings: &Sources,
        key: Option<SketchKey>,
        sensors: &[NumberedSensor],
    ) {
        self.sketch_key = key;
        let shares = Shares::of(settings, sensors.len());
        let labels = settings.max_labels as usize;
        let mut before = std::mem::take(&mut self.sensors);
        for NumberedSensor { number, sensor } in sensors {
            let definition = Definition::of(sensor);
            let mut of_sensor = match before.remove(number).filter(|before| before.name == sensor.name) {
                Some(mut before) => {
                    for windows in &mut before.windows {
                        windows.bound(shares.windows);
                    }
                    before.victims.bound(settings.victims, shares.victims, &before.accounts);
                    before.scans.bound(definition, shares.scans, &before.accounts);
                    before.totals.bound(labels);
                    before
                }
                None => OfSensor {
                    name: sensor.name.clone(),
                    windows: Span::ALL.map(|span| Windows::new(span, shares.windows)),
                    victims: Victims::new(settings.victims, shares.victims),
                    scans: Scans::new(definition, self.secret.clone(), shares.scans),
                    totals: Totals::new(labels),
                    accounts: Accounts::default(),
                    counted: None,
                },
            };
            for windows in &mut of_sensor.windows {
                windows.sketch_with(self.sketch_key.as_ref());
            }
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
            sketched: self.sketch_key.as_ref().map(|key| key.hash(it.source)),
        };
        let OfSensor { accounts, victims, scans, .. } = of_sensor;
        let victim = it.reply.filter(|reply| victims.add(it, *reply, accounts));
        let victim = victim.map(|reply| self.secret.key(Source::of(reply.victim)));
        scans.add(it, accounts);
        accounts.observe(it.lost);
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
        of_sensor.accounts.look(counted.time, skipped);
        for windows in &mut of_sensor.windows {
            windows.miss(from, counted.time, skipped);
        }
    }

    /// What keys are made by.
    pub(super) const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What sketches are made by.
    pub(super) const fn sketch_key(&self) -> Option<&SketchKey> {
        self.sketch_key.as_ref()
    }

    /// Scans and victims that were seen then or later, in seconds since 1970.
    pub(super) fn events(&self, since: i64) -> Vec<Seen> {
        let mut seen = Vec::new();
        for OfSensor { name, scans, victims, accounts, .. } in self.sensors.values() {
            let scans = scans.all(accounts).filter(|scan| scan.end.as_second() >= since);
            seen.extend(scans.map(|scan| Seen::Scan(name.clone(), scan)));
            let victims = victims.all(accounts).filter(|victim| victim.end.as_second() >= since);
            seen.extend(victims.map(|victim| Seen::Victim(name.clone(), victim)));
        }
        seen
    }

    /// Victims that were seen then or later, in seconds since 1970.
    pub(super) fn victims(&self, since: i64) -> Vec<(String, Victim)> {
        let mut seen = Vec::new();
        for OfSensor { name, victims, accounts, .. } in self.sensors.values() {
            let victims = victims.all(accounts).filter(|victim| victim.end.as_second() >= since);
            seen.extend(victims.map(|victim| (name.clone(), victim)));
        }
        seen
    }

    /// Tells the time, by the clock and by one that nobody sets.
    ///
    /// Gives what was not watched, as far as that can be told.
    pub(super) fn tick(&mut self, now: Timestamp, monotonic: Instant) -> Option<Doubt> {
        let doubt = self.clock.look(now, monotonic);
        for of_sensor in self.sensors.values_mut() {
            for windows in &mut of_sensor.windows {
                windows.tick(now, doubt);
            }
            of_sensor.victims.tick(now, &of_sensor.accounts);
            of_sensor.scans.tick(now, &of_sensor.accounts);
            let [hours, _] = &of_sensor.windows;
            of_sensor.totals.tick(now, hours);
        }
        doubt
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
    pub(super) fn last_full(&self) -> impl Iterator<Item = &Arc<Window>> {
        self.windows.iter().filter_map(Windows::last_full)
    }
}

#[cfg(test)]
mod tests;
