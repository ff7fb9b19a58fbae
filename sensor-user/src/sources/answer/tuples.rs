//! Tuples: what SYNs have in common, all of them or those to one port, over the windows that are asked for.

use std::cmp::Reverse;
use std::collections::HashMap;

use anyhow::Result;
use sensor_common::heavy::Place;
use sensor_common::layout::SlotKind;

use super::super::ask::{self, Ask, MAX_LIMIT};
use super::super::distinct::{Count, Distinct};
use super::super::register::Register;
use super::super::tuple::Tuple;
use super::super::window::{Sent, Shown};
use super::filter::Filter;
use super::rows::merged;
use super::windows::{Chosen, lines};
use super::{Line, Rows, TupleRow};
use crate::obstacle::WrongUse;

impl Register {
    /// Which tuples most SYNs have, or most sources.
    ///
    /// # Errors
    /// There is no such sensor, or no list of known scanners that are to be left out; or what is asked for is not known of tuples.
    pub fn tuples(&self, ask: &Ask) -> Result<Vec<Line>> {
        let lists = self.lists();
        let filter = Filter::of(ask, &lists)?;
        let wrong = |words: &str| Err(WrongUse(words.to_owned()).into());
        if ask.tool.is_some() || ask.country.is_some() || ask.by != ask::By::Source {
            return wrong(
                "tuples are known of all packets and by port: ask for them without a tool or a country",
            );
        }
        if ask.slot.is_some() && ask.order_by_sources {
            return wrong(
                "how many sources sent a tuple to one port is not known: ask for it in the order of packets",
            );
        }
        if filter.slot().is_some_and(|slot| !matches!(slot, SlotKind::Tcp(_))) {
            return wrong("tuples are of SYNs, which are sent to TCP ports: ask as in 23/tcp");
        }
        let chosen = self.memory().chosen(ask)?;
        let without = ask.without_known_scanners;
        let mut rows: Vec<TupleRow> = match filter.slot() {
            None => to_all(&chosen)
                .into_iter()
                .map(|(tuple, place)| {
                    let Shown { sent, others, known_sources, .. } = &place.value;
                    let all = || Distinct::count_both(others, known_sources);
                    let sources = if without { others.count() } else { all() };
                    row(tuple, (place.seen, place.before), *sent, Some(sources), without)
                })
                .collect(),
            Some(slot) => to_port(&chosen, slot)
                .into_iter()
                .map(|(tuple, place)| row(tuple, (place.seen, place.before), place.value, None, without))
                .collect(),
        };
        rows.retain(|row| row.packets > 0);
        rows.sort_by_cached_key(|row| {
            let sources = row.sources.map_or(0, |sources| sources.count);
            let (by_packets, by_sources) = (Reverse(row.packets), Reverse(sources));
            let order =
                if ask.order_by_sources { (by_sources, by_packets) } else { (by_packets, by_sources) };
            (order, row.window, row.options.clone(), row.mss, row.scale, row.ttl)
        });
        rows.truncate(ask.limit.min(MAX_LIMIT) as usize);
        Ok(lines(&chosen)
            .chain([Line::Rows(Rows::of(ask))])
            .chain(rows.into_iter().map(Line::Tuple))
            .collect())
    }
}

fn to_all(chosen: &Chosen) -> HashMap<Tuple, Place<Shown>> {
    merged(chosen, |window| &window.tuples, |_| true, Shown::merge)
}

/// Of a tuple that went to the port among the few that most of its SYNs went to, in some window.
fn to_port(chosen: &Chosen, slot: SlotKind) -> HashMap<Tuple, Place<Sent>> {
    let mut places = HashMap::<Tuple, Place<Sent>>::new();
    for (_, window) in chosen {
        for (tuple, of) in window.tuples.iter() {
            let Some(there) = of.value.ports.get(&slot) else { continue };
            places
                .entry(*tuple)
                .and_modify(|mine| {
                    mine.seen += there.seen;
                    mine.value.merge(there.value);
                })
                .or_insert(Place { seen: there.seen, before: 0, value: there.value });
        }
    }
    // What may have come before the tuple was followed, or before the port was among its few.
    for (tuple, mine) in &mut places {
        let before = chosen.iter().map(|(_, window)| match window.tuples.get(tuple) {
            None => window.tuples.error(),
            Some(of) => {
                let ports = &of.value.ports;
                of.before + ports.get(&slot).map_or(ports.error(), |there| there.before)
            }
        });
        mine.before = before.sum();
    }
    places
}

fn row(
    tuple: Tuple,
    (seen, before): (u64, u64),
    sent: Sent,
    sources: Option<Count>,
    without_known_scanners: bool,
) -> TupleRow {
    TupleRow {
        window: tuple.window,
        options: tuple.options.to_string(),
        mss: tuple.mss,
        scale: tuple.scale,
        ttl: tuple.ttl,
        packets: seen - if without_known_scanners { sent.known } else { 0 },
        more: before,
        from_known_scanners: sent.known,
        sources,
        first: sent.seen.first(),
        last: sent.seen.last(),
    }
}
