//! Packets from constituencies, and victims in them, on their way to the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::book::{Book, By};
use crate::sources::{Observation, Register, Sink, Source, Victim};
use crate::store::{About, Attack, NoticeKey, Noticed, Sample};

/// Addresses of which something waits until the next second, at most.
const MOST: usize = 20_000;
/// How often it is looked for victims, in seconds.
const VICTIMS_EACH: i64 = 10;
/// For so long beyond that they are told again, in seconds: a clock may be set, and records come a little late.
const MARGIN: i64 = 60;

struct Gatherer {
    book: Book,
    register: Register,
    waiting: BTreeMap<NoticeKey, Noticed>,
    over: BTreeMap<(i64, String), u64>,
    /// When it was last looked for victims, in seconds since 1970.
    looked: i64,
}

impl Book {
    /// What takes observations; `register` knows whose addresses are, and of victims.
    #[must_use]
    pub fn sink(&self, register: Register) -> Box<dyn Sink> {
        Box::new(Gatherer {
            book: self.clone(),
            register,
            waiting: BTreeMap::new(),
            over: BTreeMap::new(),
            looked: 0,
        })
    }
}

impl Gatherer {
    fn look_for_victims(&mut self, now: Timestamp, by: &By) {
        let since = self.looked.min(now.as_second()) - VICTIMS_EACH - MARGIN;
        self.looked = now.as_second();
        if by.constituencies.names().is_empty() {
            return;
        }
        for (sensor, victim) in self.register.victims_since(since) {
            let address = victim.victim.first();
            if let Some(constituency) = by.constituencies.of(address).filter(|_| !by.is_own(address)) {
                let Victim { victim, start, end, packets, peak_per_minute, ports, kinds, .. } = victim;
                let key = NoticeKey::of(end, About::Victim, victim);
                let new = || {
                    let belongs = self.register.belongs(victim);
                    Noticed::new(constituency.to_owned(), address, belongs, start)
                };
                let sensor = by.told(&sensor);
                let attack = Attack { sensor, start, end, packets, peak_per_minute, ports, kinds };
                self.waiting.entry(key).or_insert_with(new).attack(attack);
            }
        }
    }

    fn hand_on(&mut self, by: &By) {
        let (waiting, over) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.over));
        if let Some(feed) = by.feed.as_ref().filter(|_| !waiting.is_empty() || !over.is_empty()) {
            feed.notices(waiting, over);
        }
    }
}

impl Sink for Gatherer {
    fn observe(&mut self, _: &[Observation]) {}

    fn constituents(&mut self, it: &Observation, frame: &[u8]) {
        let by: Arc<By> = self.book.by();
        // Nobody has an address of the sensor's but the sensor: whoever sends from it forges it, and it is not told.
        if it.address == it.destination || by.is_own(it.address) {
            return;
        }
        // One of a configuration that has just gone has none.
        let Some(constituency) = by.constituencies.of(it.address) else { return };
        let Some(sensor) = by.sensors.get(&it.sensor) else { return };
        let key = NoticeKey::of(it.time, About::Source, Source::of(it.address));
        if self.waiting.len() >= MOST && !self.waiting.contains_key(&key) {
            *self.over.entry((key.day, constituency.to_owned())).or_default() += 1;
            return;
        }
        let noticed = self.waiting.entry(key).or_insert_with(|| {
            let belongs = self.register.belongs(it.source);
            let mut noticed = Noticed::new(constituency.to_owned(), it.address, belongs, it.time);
            noticed.sample = Some(Sample::of(it, frame));
            noticed
        });
        noticed.packet(&sensor.alias, it);
    }

    fn tick(&mut self, now: Timestamp) {
        let by = self.book.by();
        if now.as_second().abs_diff(self.looked) >= VICTIMS_EACH.unsigned_abs() {
            self.look_for_victims(now, &by);
        }
        self.hand_on(&by);
    }

    fn end(mut self: Box<Self>) {
        let by = self.book.by();
        self.look_for_victims(Timestamp::now(), &by);
        self.hand_on(&by);
    }
}
