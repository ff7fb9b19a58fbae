//! Rankings: networks, ports, countries, autonomous systems, over the windows that are asked for.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use anyhow::Result;
use jiff::Timestamp;
use sensor_common::heavy::{Heavy, Place};

use super::super::ask::{self, Ask, MAX_LIMIT};
use super::super::counted::{Counted, Part};
use super::super::lists::Lists;
use super::super::register::Register;
use super::super::sketch::SketchKey;
use super::super::source::Source;
use super::super::window::{Sent, Span, Window};
use super::filter::{Filter, Found, sources};
use super::sketched::{self, Sketching};
use super::stored;
use super::windows::{Chosen, lines};
use super::{Belongs, Line, PartRow, Row, Rows};
use crate::config::Prefix;
use crate::counters::names::slot_name;
use crate::obstacle::WrongUse;

impl Register {
    /// Who sent most of what is asked for, or what most was sent to.
    ///
    /// # Errors
    /// What is asked for cannot be told, or there is no such sensor.
    pub fn sources(&self, ask: &Ask) -> Result<Vec<Line>> {
        let lists = self.lists();
        let filter = Filter::of(ask, &lists)?;
        let memory = self.memory();
        let chosen = memory.chosen(ask)?;
        let key = memory.sketch_key().cloned();
        let of_memory = filter.is_of_memory();
        let from = match ask.from {
            Some(from) if of_memory && memory.holds(from, ask)? => None,
            from => from,
        };
        drop(memory);
        let from = if of_memory { from } else { from.or_else(|| Some(last_hour())) };
        match (from, self.reader()) {
            (Some(from), Some(reader)) => {
                return stored::sources(&reader, from, (ask, &filter), &lists, key.as_ref());
            }
            (_, None) if !of_memory => {
                let words = "a port and a tool together, or either or a country by something else than source, only a store \
                    can tell: add [store] to the configuration";
                return Err(WrongUse(words.to_owned()).into());
            }
            _ => {}
        }
        let mut answer: Vec<_> = lines(&chosen).collect();
        let mut found = filter.found(&chosen);
        let total = filter.total(&chosen, &found);
        let windows = (&chosen, found.as_slice(), total.row_error);
        let sketch = sketched::is_wanted(ask).then(|| self.sketch(ask, &filter, windows, key.as_ref()));
        answer.extend([Line::Rows(Rows::of(ask)), Line::Total(total)]);
        answer.extend(sketch);
        let most = ask.limit.min(MAX_LIMIT) as usize;
        found.truncate(most);
        let parts = |answer: &mut Vec<Line>, parts| answer.extend(top_parts(parts, ask, most));
        let without = ask.without_known_scanners;
        match ask.by {
            ask::By::Source => answer.extend(filter.rows(&chosen, &found)),
            ask::By::Network => answer.extend(networks(&chosen, &lists, without, most)),
            ask::By::Port => {
                parts(&mut answer, by(&chosen, |window| &window.slots, |slot| slot_name(*slot), without));
            }
            ask::By::Country => {
                let name = |country: &Option<_>| country.map_or("unknown".to_owned(), |it| format!("{it}"));
                parts(&mut answer, by(&chosen, |window| &window.countries, name, without));
            }
            ask::By::As => {
                let name = |system: &Option<u32>| system.map_or("unknown".to_owned(), |it| it.to_string());
                parts(&mut answer, by(&chosen, |window| &window.systems, name, without));
                let followed = chosen.iter().flat_map(|(_, window)| window.sources.iter());
                name_systems(&mut answer, followed.map(|(source, _)| *source), &lists);
            }
        }
        Ok(answer)
    }

    /// A sketch of all that was found in windows, and of those that are not followed there.
    fn sketch(
        &self,
        ask: &Ask,
        filter: &Filter<'_>,
        windows: (&Chosen, &[Found], u64),
        key: Option<&SketchKey>,
    ) -> Line {
        let reader = self.reader();
        let stored = stored::of_filter(ask.from.unwrap_or_else(last_hour), ask, filter);
        let store = reader.as_ref().map(|reader| (reader, &stored));
        sketched::line(Sketching::begin(key).and_then(|made| made.with_windows(windows, filter, store)))
    }
}

/// When the last full hour began: without a time, that is what is asked for, and this hour.
fn last_hour() -> Timestamp {
    let this = Span::Hour.start(Timestamp::now());
    Timestamp::from_second(this - Span::Hour.seconds()).unwrap_or_default()
}

/// The places of those that are wanted, in all windows together. A key that has none in a window may have come as often there as is that window's
/// error.
pub(super) fn merged<K: Copy + Eq + Hash, V: Clone>(
    chosen: &Chosen,
    table: impl Fn(&Window) -> &Heavy<K, V>,
    is_wanted: impl Fn(&K) -> bool,
    merge: impl Fn(&mut V, &V),
) -> HashMap<K, Place<V>> {
    let errors: u64 = chosen.iter().map(|(_, window)| table(window).error()).sum();
    let mut places = HashMap::<K, Place<V>>::new();
    for (_, window) in chosen {
        let error = table(window).error();
        for (key, place) in table(window).iter().filter(|(key, _)| is_wanted(key)) {
            if let Some(mine) = places.get_mut(key) {
                mine.seen += place.seen;
                mine.before = mine.before - error + place.before;
                merge(&mut mine.value, &place.value);
            } else {
                let before = errors - error + place.before;
                places.insert(*key, Place { seen: place.seen, before, value: place.value.clone() });
            }
        }
    }
    places
}

fn networks(chosen: &Chosen, lists: &Lists, without_known_scanners: bool, most: usize) -> Vec<Line> {
    let places =
        merged(chosen, |window| &window.networks, |_| true, |mine: &mut Sent, theirs| mine.merge(*theirs));
    let mut ranked: Vec<(Prefix, u64, Place<Sent>)> = places
        .into_iter()
        .map(|(network, place)| {
            let known = if without_known_scanners { place.value.known } else { 0 };
            (network, place.seen - known, place)
        })
        .filter(|(_, packets, _)| *packets > 0)
        .collect();
    ranked.sort_unstable_by_key(|(network, packets, _)| (Reverse(*packets), *network));
    ranked.truncate(most);
    let row = |(network, packets, place): (Prefix, u64, Place<Sent>)| {
        Line::Source(Row {
            source: network.to_string(),
            packets,
            more: place.before,
            first: place.value.seen.first(),
            last: place.value.seen.last(),
            did: None,
            // Of its first address, as what is announced to others has one country and one operator. A known scanner may have
            // a few addresses of it.
            belongs: Belongs { scanner: None, ..Belongs::of(Source::of(network.address()), lists) },
        })
    };
    ranked.into_iter().map(row).collect()
}

/// Everything that is counted by something, in all windows together; without known scanners, if so.
fn by<K: Copy + Eq + Hash>(
    chosen: &Chosen,
    table: impl Fn(&Window) -> &Counted<K>,
    name: impl Fn(&K) -> String,
    without_known_scanners: bool,
) -> Vec<PartRow> {
    let mut parts = HashMap::<K, Vec<(&Part, bool)>>::new();
    let mut some_gone = false;
    for (_, window) in chosen {
        some_gone |= table(window).gone() > 0;
        for (of, part) in table(window).iter() {
            parts.entry(*of).or_default().push((part, window.missed > 0));
        }
    }
    let windows = chosen.len();
    let row = |(of, parts): (K, Vec<(&Part, bool)>)| {
        let sets = parts.iter().map(|(part, _)| (&part.others, &part.known_sources));
        let packets: u64 = parts.iter().map(|(part, _)| part.packets).sum();
        let known: u64 = parts.iter().map(|(part, _)| part.known).sum();
        PartRow {
            of: name(&of),
            as_name: None,
            packets: if without_known_scanners { packets - known } else { packets },
            from_known_scanners: known,
            sources: sources(sets, without_known_scanners),
            at_least: parts.iter().any(|(part, missed)| part.partial || *missed)
                || some_gone && parts.len() < windows,
        }
    };
    parts.into_iter().map(row).filter(|row| row.packets > 0).collect()
}

pub(super) fn top_parts(mut rows: Vec<PartRow>, ask: &Ask, most: usize) -> Vec<Line> {
    rows.sort_by(|a, b| {
        let (packets, sources) = (b.packets.cmp(&a.packets), b.sources.count.cmp(&a.sources.count));
        let order = if ask.order_by_sources { sources.then(packets) } else { packets.then(sources) };
        order.then_with(|| a.of.cmp(&b.of))
    });
    rows.truncate(most);
    rows.into_iter().map(Line::Part).collect()
}

/// Adds the names of autonomous systems, which lists know by their addresses: as far as any of these sources is theirs.
pub(super) fn name_systems(answer: &mut [Line], sources: impl Iterator<Item = Source>, lists: &Lists) {
    let mut nameless = HashMap::new();
    for line in answer {
        if let Line::Part(PartRow { of, as_name, .. }) = line
            && let Ok(number) = of.parse::<u32>()
        {
            nameless.insert(number, as_name);
        }
    }
    for source in sources {
        if nameless.is_empty() {
            return;
        }
        if let Some(number) = lists.system_number(source.first())
            && let Some(name) = nameless.remove(&number)
        {
            *name = Belongs::of(source, lists).as_name;
        }
    }
}
