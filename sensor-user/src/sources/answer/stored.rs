//! Answers about a time that memory does not reach back to: what the [store] has of it, hour by hour.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::super::account::Account;
use super::super::ask::{self, Ask, AskSource, MAX_LIMIT};
use super::super::distinct::Count;
use super::super::lists::Lists;
use super::super::pair::Pair;
use super::super::sketch::SketchKey;
use super::super::source::Source;
use super::filter::Filter;
use super::rows::{name_systems, top_parts};
use super::sketched::{self, Sketching};
use super::{Belongs, By, Did, Line, PartRow, Row, Rows, To, Total, What, WindowLine};
use crate::counters::names::slot_name;
use crate::store::{self, FlowRow, Heaviest, Kept, Reader, SourceRow};

/// Sources of ports that are told apart at most: 48 MiB, as twice as many come before they are summed up.
const MOST: usize = 1 << 20;
/// So many ports of a source are named.
const NAMED: usize = 8;

/// What the store is asked: full hours, and those that the time begins and ends in.
fn of(from: Timestamp, to: Option<Timestamp>, sensor: Option<&str>) -> store::Ask {
    let to = to.unwrap_or_else(Timestamp::now);
    store::Ask { sensor: sensor.map(str::to_owned), ..store::Ask::of(from, to) }
}

/// What the store is asked for packets that pass a filter.
pub(super) fn of_filter(from: Timestamp, ask: &Ask, filter: &Filter<'_>) -> store::Ask {
    store::Ask { slot: filter.slot(), tool: filter.tool(), ..of(from, ask.to, ask.sensor.as_deref()) }
}

/// Who sent most of what is asked for, or what most was sent to, from then on; with a sketch by this key, if one is wanted.
pub(super) fn sources(
    reader: &Reader,
    from: Timestamp,
    (ask, filter): (&Ask, &Filter<'_>),
    lists: &Lists,
    key: Option<&SketchKey>,
) -> Result<Vec<Line>> {
    let stored = of_filter(from, ask, filter);
    let most = ask.limit.min(MAX_LIMIT) as usize;
    let mut all = All::default();
    let mut rows = Vec::new();
    let is_known = |source: Source| lists.scanner(source.first()).is_some();
    let without = ask.without_known_scanners;
    let kept = match ask.by {
        ask::By::Source => {
            let mut heaviest = Heaviest::new(most);
            let mut sketching = Sketching::begin(key);
            let kept = reader.each_source(&stored, |row| {
                if filter.admits(row.source) {
                    all.add(row.packets);
                    if let Ok(sketching) = &mut sketching {
                        sketching.add(row.source);
                    }
                    heaviest.push(row);
                }
            })?;
            if sketched::is_wanted(ask) {
                let made = sketching.and_then(|made| made.with_rest(&kept, filter, (reader, &stored)));
                rows.push(sketched::line(made));
            }
            rows.extend(heaviest.rows().into_iter().map(|row| of_source(&row, lists)));
            kept
        }
        ask::By::Network => {
            let mut networks = Networks::new(most);
            let kept = reader.each_source(&stored, |row| {
                if filter.admits(row.source) {
                    all.add(row.packets);
                    networks.add(row);
                }
            })?;
            rows.extend(networks.rows().iter().map(|row| of_network(row, lists)));
            kept
        }
        ask::By::Country => {
            let name = |country: &Option<_>| country.map_or("unknown".to_owned(), |it| format!("{it}"));
            let mut parts = Parts::new(without);
            let kept = reader.each_source(&stored, |row| {
                if filter.admits(row.source) {
                    all.add(row.packets);
                }
                if filter.is_in_country(row.source) {
                    parts.add(lists.country(row.source.first()), row.packets, is_known(row.source));
                }
            })?;
            rows.extend(parts.rows(name, &kept, ask, most));
            kept
        }
        ask::By::As => {
            let name = |system: &Option<u32>| system.map_or("unknown".to_owned(), |it| it.to_string());
            let mut parts = Parts::new(without);
            let mut one_of = HashMap::new();
            let kept = reader.each_source(&stored, |row| {
                if filter.admits(row.source) {
                    all.add(row.packets);
                }
                if filter.is_in_country(row.source) {
                    let system = lists.system_number(row.source.first());
                    one_of.entry(system).or_insert(row.source);
                    parts.add(system, row.packets, is_known(row.source));
                }
            })?;
            rows.extend(parts.rows(name, &kept, ask, most));
            name_systems(&mut rows, one_of.into_values(), lists);
            kept
        }
        ask::By::Port => {
            let mut pairs = Pairs::default();
            let kept = reader
                .each_pair(&stored, |slot, source, packets| pairs.add(Pair::new(source, slot), packets))?;
            let mut parts = Parts::new(without);
            let mut before = None;
            for (pair, packets) in pairs.all()? {
                let Some(slot) = pair.slot() else { continue };
                let source = pair.source();
                if filter.is_in_country(source) {
                    parts.add(slot, packets, is_known(source));
                }
                if filter.admits(source) {
                    all.packets += packets;
                    all.sources += u64::from(before.replace(source) != Some(source));
                }
            }
            rows.extend(parts.rows(|slot| slot_name(*slot), &kept, ask, most));
            kept
        }
    };
    let mut answer: Vec<Line> = windows(&kept).collect();
    answer.extend([Line::Rows(Rows::of(ask)), Line::Total(all.total(&kept))]);
    answer.extend(rows);
    Ok(answer)
}

/// What a source did in the time that is asked for, by sensor.
pub(super) fn source(reader: &Reader, from: Timestamp, ask: &AskSource, lists: &Lists) -> Result<Vec<Line>> {
    let stored = store::Ask { most: usize::MAX, ..of(from, ask.to, None) };
    let (rows, kept) = reader.everything_of(ask.source.prefix(), &stored)?;
    let mut by_sensor: BTreeMap<&str, Vec<&FlowRow>> = BTreeMap::new();
    for row in &rows {
        by_sensor.entry(&row.sensor).or_default().push(row);
    }
    let did = |kept: &Kept| {
        let rows = by_sensor.get(kept.sensor.as_str()).map(Vec::as_slice).unwrap_or_default();
        Line::Did(Did {
            sensor: kept.sensor.clone(),
            from: kept.from,
            to: kept.to,
            share: account(kept).share(),
            row: together(ask.source, rows, lists),
            unseen: kept.rest,
        })
    };
    Ok(kept.iter().map(did).collect())
}

/// Rows of a source as one; `None` of nothing.
fn together(source: Source, rows: &[&FlowRow], lists: &Lists) -> Option<Row> {
    let (mut ports, mut tools) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        *ports.entry(slot_name(row.slot)).or_default() += row.packets;
        if let Some(tool) = row.tool {
            *tools.entry(tool.label()).or_default() += row.packets;
        }
    }
    let packets = rows.iter().map(|row| row.packets).sum();
    let mut ports: Vec<To> = ports.into_iter().map(|(slot, packets)| To { slot, packets }).collect();
    ports.sort_by_key(|to| std::cmp::Reverse(to.packets));
    let elsewhere = ports.iter().skip(NAMED).map(|to| to.packets).sum();
    ports.truncate(NAMED);
    let by = |(name, packets): (&str, u64)| By { name: name.to_owned(), packets };
    Some(Row {
        source: source.to_string(),
        packets,
        more: 0,
        first: rows.iter().map(|row| row.first).min()?,
        last: rows.iter().map(|row| row.last).max()?,
        did: Some(What {
            bytes: rows.iter().map(|row| row.bytes).sum(),
            ports,
            elsewhere,
            tools: tools.into_iter().map(by).collect(),
            kinds: Vec::new(),
        }),
        belongs: Belongs::of(source, lists),
    })
}

/// A line for each sensor.
fn windows(kept: &[Kept]) -> impl Iterator<Item = Line> {
    kept.iter().map(|kept| {
        let account = account(kept);
        Line::Window(WindowLine {
            sensor: kept.sensor.clone(),
            from: kept.from,
            to: kept.to,
            observed: account.observed,
            missed: account.missed,
            share: account.share(),
            sources: None,
            summed_up: kept.rest,
        })
    })
}

fn account(kept: &Kept) -> Account {
    Account { observed: kept.observed, missed: kept.missed }
}

/// Whether there may be more than is told.
fn at_least(kept: &[Kept]) -> bool {
    kept.iter().any(|kept| kept.missed > 0 || kept.rest > 0)
}

/// # Errors
/// There were too many to tell apart.
fn few(found: usize) -> Result<()> {
    if found >= MOST {
        bail!("there are too many in that time to tell apart: ask for less of it, or for one sensor");
    }
    Ok(())
}

/// Everything that is asked for.
#[derive(Default)]
struct All {
    packets: u64,
    sources: u64,
}

impl All {
    fn add(&mut self, packets: u64) {
        self.packets += packets;
        self.sources += 1;
    }

    fn total(&self, kept: &[Kept]) -> Total {
        Total {
            packets: self.packets,
            from_known_scanners: None,
            sources: Count { count: self.sources, exact: true },
            at_least: at_least(kept),
            row_error: kept.iter().map(|kept| kept.rest).sum(),
        }
    }
}

/// The networks that sent most, of sources that come in the order of their addresses: those of one come one after the other.
struct Networks {
    heaviest: Heaviest,
    /// The network that the last source of IPv4 was of, and that of IPv6.
    last: [Option<SourceRow>; 2],
}

impl Networks {
    const fn new(most: usize) -> Self {
        Self { heaviest: Heaviest::new(most), last: [None, None] }
    }

    fn add(&mut self, row: SourceRow) {
        let [v4, v6] = &mut self.last;
        let last = if matches!(row.source, Source::V4(_)) { v4 } else { v6 };
        match last {
            Some(network) if network.source.network() == row.source.network() => {
                network.packets += row.packets;
                network.first = network.first.min(row.first);
                network.last = network.last.max(row.last);
            }
            _ => {
                if let Some(network) = last.replace(row) {
                    self.heaviest.push(network);
                }
            }
        }
    }

    /// A source of each, with what all of it sent; the heaviest first.
    fn rows(mut self) -> Vec<SourceRow> {
        self.last.into_iter().flatten().for_each(|network| self.heaviest.push(network));
        self.heaviest.rows()
    }
}

/// Packets of sources to slots, which come hour by hour.
#[derive(Default)]
struct Pairs {
    pairs: Vec<(Pair, u64)>,
    too_many: bool,
}

impl Pairs {
    fn add(&mut self, pair: Pair, packets: u64) {
        if self.pairs.len() >= 2 * MOST {
            self.sum_up();
            self.too_many |= self.pairs.len() > MOST;
        }
        if !self.too_many {
            self.pairs.push((pair, packets));
        }
    }

    /// Each once, in their order.
    fn sum_up(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup_by(|(pair, packets), (first, sum)| {
            let is_same = pair == first;
            *sum += if is_same { *packets } else { 0 };
            is_same
        });
    }

    /// # Errors
    /// There were too many.
    fn all(mut self) -> Result<Vec<(Pair, u64)>> {
        self.sum_up();
        few(if self.too_many { MOST } else { self.pairs.len() })?;
        Ok(self.pairs)
    }
}

/// Packets and sources by something.
struct Parts<K> {
    /// Packets, sources, and those of known scanners.
    parts: HashMap<K, [u64; 4]>,
    without_known_scanners: bool,
}

impl<K: Copy + Eq + Hash> Parts<K> {
    fn new(without_known_scanners: bool) -> Self {
        Self { parts: HashMap::new(), without_known_scanners }
    }

    /// A source's packets: all of those to one part.
    fn add(&mut self, of: K, packets: u64, is_known: bool) {
        let part = self.parts.entry(of).or_default();
        part[0] += packets;
        part[1] += 1;
        if is_known {
            part[2] += packets;
            part[3] += 1;
        }
    }

    fn rows(self, name: impl Fn(&K) -> String, kept: &[Kept], ask: &Ask, most: usize) -> Vec<Line> {
        let without = u64::from(self.without_known_scanners);
        let row = |(of, [packets, sources, known, known_sources]): (K, [u64; 4])| PartRow {
            of: name(&of),
            as_name: None,
            packets: packets - without * known,
            from_known_scanners: known,
            sources: Count { count: sources - without * known_sources, exact: true },
            at_least: at_least(kept),
        };
        top_parts(self.parts.into_iter().map(row).filter(|row| row.packets > 0).collect(), ask, most)
    }
}

fn of_source(row: &SourceRow, lists: &Lists) -> Line {
    Line::Source(Row {
        source: row.source.to_string(),
        packets: row.packets,
        more: 0,
        first: row.first,
        last: row.last,
        did: None,
        belongs: Belongs::of(row.source, lists),
    })
}

/// A network that this source is in, with what all of it sent.
fn of_network(row: &SourceRow, lists: &Lists) -> Line {
    let network = row.source.network();
    Line::Source(Row {
        source: network.to_string(),
        packets: row.packets,
        more: 0,
        first: row.first,
        last: row.last,
        did: None,
        // As in answers from memory.
        belongs: Belongs { scanner: None, ..Belongs::of(Source::of(network.address()), lists) },
    })
}
