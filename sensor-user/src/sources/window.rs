//! Full hours and days in UTC: what was observed of one sensor in the current one, and in the last.
//!
//! Who makes an answer of a window has it as it is at that moment, and nobody waits for that: if something comes meanwhile,
//! it goes on in a copy.

mod shown;

use std::sync::Arc;

use jiff::Timestamp;
use sensor_common::heavy::{Heavy, forgotten};
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::Tool;
use serde::{Deserialize, Serialize};

pub(super) use self::shown::{Sent, Shown};
use super::account::Account;
use super::clock::Doubt;
use super::counted::Counted;
use super::distinct::{Count, Distinct, Key};
use super::doing::Doing;
use super::lists::Country;
use super::observation::Observation;
use super::pair::Pair;
use super::seen::Seen;
use super::sketch::{Sketch, SketchKey};
use super::source::Source;
use super::tuple::Tuple;
use crate::config::Prefix;
use crate::store::{self, Flowed};

/// How far a clock may be behind a window that it has begun: CPUs hand over a little out of order.
const SLACK: i64 = 60;

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Span {
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[serde(rename = "1d")]
    Day,
}

impl Span {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// As metrics name it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Seconds.
    pub(super) const fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// When the window that a time lies in began, in seconds since 1970.
    pub(super) fn start(self, time: Timestamp) -> i64 {
        let second = time.as_second();
        second - second.rem_euclid(self.seconds())
    }
}

/// What is known of a packet's source, beside the packet.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub key: Key,
    pub country: Option<Country>,
    pub system: Option<u32>,
    pub known: bool,
    /// Where it belongs in sketches; `None` without a key for them.
    pub sketched: Option<u64>,
}

/// What was observed in one hour or day.
#[derive(Clone)]
pub(super) struct Window {
    pub span: Span,
    /// When it begins, in seconds since 1970.
    pub start: i64,
    /// Since when it was observed.
    pub since: Timestamp,
    /// Whether it was observed from then on without a break, as far as can be told.
    pub whole: bool,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed.
    pub missed: u64,
    /// Of those observed, those from known scanners.
    pub known: u64,
    /// Sources that are no known scanners. What is known of two sets apart is known of both together as well; of one and a part
    /// of it, it is not known of the rest.
    pub others: Distinct,
    /// Sources that are known scanners.
    pub known_sources: Distinct,
    pub slots: Counted<SlotKind>,
    pub countries: Counted<Option<Country>>,
    /// Of SYNs with Mirai's mark alone.
    pub mirai: Counted<Option<Country>>,
    pub systems: Counted<Option<u32>>,
    pub sources: Heavy<Source, Doing>,
    pub pairs: Heavy<Pair, Seen>,
    pub networks: Heavy<Prefix, Sent>,
    pub tuples: Heavy<Tuple, Shown>,
    /// Addresses under denial of service.
    pub victims: Distinct,
    /// Of all sources, for others; `None` without a key that was there from the begin.
    pub sketch: Option<Sketch>,
}

/// A window's bytes are so many parts, of which each table has some.
const PARTS: usize = 19;

impl Window {
    /// In so many bytes.
    fn new(span: Span, start: i64, since: Timestamp, bytes: usize, key: Option<&SketchKey>) -> Self {
        let part = bytes / PARTS;
        Self {
            span,
            start,
            since,
            whole: true,
            observed: 0,
            missed: 0,
            known: 0,
            others: Distinct::default(),
            known_sources: Distinct::default(),
            slots: Counted::within(3 * part),
            countries: Counted::within(part),
            mirai: Counted::within(part),
            systems: Counted::within(part),
            sources: Heavy::within(4 * part, 0),
            pairs: Heavy::within(4 * part, 0),
            networks: Heavy::within(part, 0),
            tuples: Heavy::within(4 * part, Shown::MOST_BYTES),
            victims: Distinct::default(),
            sketch: key.map(Sketch::new),
        }
    }

    /// Has so many bytes from now on.
    fn bound(&mut self, bytes: usize) {
        let part = bytes / PARTS;
        self.slots.bound(3 * part);
        self.countries.bound(part);
        self.mirai.bound(part);
        self.systems.bound(part);
        self.sources.bound(4 * part, 0, forgotten);
        self.pairs.bound(4 * part, 0, forgotten);
        self.networks.bound(part, 0, forgotten);
        self.tuples.bound(4 * part, Shown::MOST_BYTES, forgotten);
    }

    /// When it ends, likewise.
    pub(super) const fn end(&self) -> i64 {
        self.start + self.span.seconds()
    }

    pub(super) fn add(&mut self, it: &Observation, about: &About) {
        self.sketch(about);
        self.observed += 1;
        self.known += u64::from(about.known);
        self.add_source(about);
        self.slots.add(it.slot, about.key, about.known);
        self.countries.add(about.country, about.key, about.known);
        if it.tool == Some(Tool::Mirai) {
            self.mirai.add(about.country, about.key, about.known);
        }
        self.systems.add(about.system, about.key, about.known);
        self.sources.add(it.source, || Doing::since(it.time), forgotten).add(it);
        let seen = Seen::at(it.time);
        self.pairs.add(Pair::new(it.source, it.slot), || seen, forgotten).add(it.time);
        self.networks.add(it.source.network(), || Sent::since(seen), forgotten).add(it, about);
        if let Some(tuple) = it.tuple {
            self.tuples.add(tuple, || Shown::since(seen), forgotten).add(it, about);
        }
    }

    fn add_source(&mut self, about: &About) {
        let set = if about.known { &mut self.known_sources } else { &mut self.others };
        set.add(about.key);
    }

    /// How many sources there were.
    pub(super) fn sources(&self) -> Count {
        Distinct::count_both(&self.others, &self.known_sources)
    }

    fn sketch(&mut self, about: &About) {
        if let (Some(sketch), Some(hash)) = (&mut self.sketch, about.sketched) {
            sketch.add(hash);
        }
    }

    /// Adds what the store has of a source in an hour.
    pub(super) fn restore(&mut self, it: &Flowed, about: &About) {
        let (packets, known) = (it.packets, if about.known { it.packets } else { 0 });
        self.sketch(about);
        self.known += known;
        self.add_source(about);
        self.slots.add_all(it.slot, about.key, about.known, packets);
        self.countries.add_all(about.country, about.key, about.known, packets);
        if it.tool == Some(Tool::Mirai) {
            self.mirai.add_all(about.country, about.key, about.known, packets);
        }
        self.systems.add_all(about.system, about.key, about.known, packets);
        let mut seen = Seen::at(it.first);
        seen.add(it.last);
        self.sources.add_all(it.source, packets, || Doing::since(it.first), forgotten).restore(it);
        self.pairs.add_all(Pair::new(it.source, it.slot), packets, || seen, forgotten).merge(seen);
        let of_network = || Sent::since(seen);
        self.networks
            .add_all(it.source.network(), packets, of_network, forgotten)
            .merge(Sent { seen, known });
    }

    /// As the store has it.
    pub(super) fn stored(&self, sensor: String) -> store::Window {
        let sources = self.sources();
        store::Window {
            length: u32::try_from(self.span.seconds()).unwrap_or_default(),
            start: Timestamp::from_second(self.start).unwrap_or_default(),
            sensor,
            slot: None,
            packets: self.observed,
            sources: sources.count,
            exact: sources.exact,
            sketch: self.sketch.as_ref().map(Sketch::stored).unwrap_or_default(),
        }
    }

    /// Notes that packets were counted and not observed.
    fn miss(this: &mut Arc<Self>, packets: u64) {
        // Of one that an answer is made of, no copy is made for nothing.
        if packets > 0 {
            Arc::make_mut(this).missed += packets;
        }
    }

    pub(super) const fn account(&self) -> Account {
        Account { observed: self.observed, missed: self.missed }
    }

    /// How much of a time lies within it, in microseconds.
    fn overlap(&self, from: Timestamp, to: Timestamp) -> i64 {
        let within = |time: Timestamp| time.as_microsecond().clamp(self.start * MICRO, self.end() * MICRO);
        within(to) - within(from)
    }

    fn contains(&self, time: Timestamp) -> bool {
        (self.start..self.end()).contains(&time.as_second())
    }
}

/// Microseconds of a second.
const MICRO: i64 = 1_000_000;

/// The current window, and the one before.
#[derive(Clone)]
pub(super) struct Windows {
    span: Span,
    /// For each of the two.
    bytes: usize,
    current: Option<Arc<Window>>,
    last: Option<Arc<Window>>,
    /// What makes their sketches.
    key: Option<SketchKey>,
}

impl Windows {
    /// In so many bytes together.
    pub(super) const fn new(span: Span, bytes: usize) -> Self {
        Self { span, bytes: bytes / 2, current: None, last: None, key: None }
    }

    /// They have so many bytes together from now on.
    pub(super) fn bound(&mut self, bytes: usize) {
        self.bytes = bytes / 2;
        for window in self.current.iter_mut().chain(&mut self.last).map(Arc::make_mut) {
            window.bound(self.bytes);
        }
    }

    /// Makes sketches with this key from now on. Those of another are of no use any more, and a window that has begun has none.
    pub(super) fn sketch_with(&mut self, key: Option<&SketchKey>) {
        if self.key.as_ref() != key {
            self.key = key.cloned();
            for window in self.current.iter_mut().chain(&mut self.last).map(Arc::make_mut) {
                window.sketch = None;
            }
        }
    }

    /// Tells the time, so that windows end though nothing comes, and what was not watched of it.
    pub(super) fn tick(&mut self, now: Timestamp, doubt: Option<Doubt>) {
        let was_set_back = |window: &Arc<Window>| now.as_second() + SLACK < window.start;
        if self.current.as_ref().is_some_and(was_set_back) {
            self.current = self.last.take().filter(|last| !was_set_back(last));
        }
        self.turn(now);
        if let Some(doubt) = doubt {
            self.doubt(doubt);
        }
    }

    /// No window is whole that a time lies in which was not watched.
    fn doubt(&mut self, Doubt { before, now }: Doubt) {
        let (from, to) = (before.min(now), before.max(now));
        for window in self.last.iter_mut().chain(&mut self.current).map(Arc::make_mut) {
            if window.overlap(from, to) > 0 || window.contains(to) {
                window.whole = false;
            }
            // One that a leap has begun was not observed from its begin on.
            if before < now && window.start > before.as_second() && window.contains(now) {
                window.since = window.since.max(now);
            }
        }
    }

    /// The window of this time; a new one, if its time has come. What comes later than a window late is of the last one
    /// that is known.
    pub(super) fn at(&mut self, time: Timestamp) -> &mut Window {
        Arc::make_mut(self.turn(time))
    }

    /// Likewise, to be looked at.
    fn turn(&mut self, time: Timestamp) -> &mut Arc<Window> {
        let start = self.span.start(time);
        let (span, bytes) = (self.span, self.bytes);
        let key = self.key.as_ref();
        let new = |since| Arc::new(Window::new(span, start, since, bytes, key));
        if self.current.as_ref().is_some_and(|current| start < current.start) {
            // It was not observed from the begin on: else it would be there.
            return self.last.get_or_insert_with(|| new(time));
        }
        if let Some(mut before) = self.current.take_if(|current| current.start < start) {
            let follows = before.end() == start;
            if before.whole && !follows {
                Arc::make_mut(&mut before).whole = false;
            }
            self.last = Some(before);
            let since = if follows { Timestamp::from_second(start).unwrap_or(time) } else { time };
            self.current = Some(new(since));
        }
        self.current.get_or_insert_with(|| new(time))
    }

    /// One of these windows, of this start, with nothing in it.
    pub(super) fn empty(&self, start: i64) -> Window {
        let since = Timestamp::from_second(start).unwrap_or_default();
        Window::new(self.span, start, since, self.bytes, self.key.as_ref())
    }

    /// Puts a window in its place, unless something was observed there already.
    pub(super) fn put(&mut self, window: Window) {
        let is_free = |place: &Option<Arc<Window>>| place.as_ref().is_none_or(|there| there.observed == 0);
        let newest = self.current.as_ref().map_or(i64::MIN, |current| current.start);
        if window.start >= newest {
            if is_free(&self.current) {
                self.current = Some(Arc::new(window));
            }
        } else if is_free(&self.last) {
            self.last = Some(Arc::new(window));
        }
    }

    /// Notes that packets were counted between two moments which were not observed: so many in each window as it has of the
    /// time between. Those of a window that is no longer there are left out.
    pub(super) fn miss(&mut self, from: Timestamp, to: Timestamp, packets: u64) {
        let all = to.as_microsecond() - from.as_microsecond();
        for window in self.last.iter_mut().chain(&mut self.current) {
            if all <= 0 {
                Window::miss(window, if window.contains(from) { packets } else { 0 });
                continue;
            }
            // Rounded so that two windows that share it have all of it.
            let until = |end: i64| {
                let part = end.clamp(from.as_microsecond(), to.as_microsecond()) - from.as_microsecond();
                (i128::from(packets) * i128::from(part) / i128::from(all)).try_into().unwrap_or(packets)
            };
            Window::miss(window, until(window.end() * MICRO) - until(window.start * MICRO));
        }
    }

    /// The last one, if it was observed from its begin to its end.
    pub(super) fn last_full(&self) -> Option<&Arc<Window>> {
        self.last.as_ref().filter(|last| last.whole && last.since.as_second() <= last.start)
    }

    /// The last one and the current one, as far as there are.
    pub(super) fn both(&self) -> impl Iterator<Item = &Arc<Window>> {
        self.last.iter().chain(&self.current)
    }
}

#[cfg(test)]
mod tests;
