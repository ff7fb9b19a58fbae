//! Which sources are asked for, and how many packets of each.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use anyhow::Result;
use sensor_common::heavy::Place;
use sensor_common::layout::side::Tool;
use sensor_common::layout::{Slot, SlotKind};

use super::super::ask::{self, Ask};
use super::super::counted::Part;
use super::super::distinct::{Count, Distinct};
use super::super::doing::Doing;
use super::super::lists::Lists;
use super::super::pair::Pair;
use super::super::seen::Seen;
use super::super::source::Source;
use super::super::window::Window;
use super::rows::merged;
use super::windows::{Chosen, together};
use super::{Belongs, By, Line, Row, To, Total, What};
use crate::counters::names::slot_name;
use crate::obstacle::WrongUse;

/// So many ports of a source are named.
const NAMED: usize = 8;

/// What of a source is asked for.
pub(super) struct Filter<'a> {
    ask: &'a Ask,
    lists: &'a Lists,
    slot: Option<SlotKind>,
    tool: Option<Tool>,
}

/// What of a source was found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub source: Source,
    packets: u64,
    /// There may have been so many before.
    more: u64,
    seen: Seen,
}

impl<'a> Filter<'a> {
    pub(super) fn of(ask: &'a Ask, lists: &'a Lists) -> Result<Self> {
        let wrong = |what: String| Err(WrongUse(what).into());
        let slot = match &ask.slot {
            None => None,
            Some(text) => match slot_of(text) {
                None => return wrong(format!("slot {text:?} is none: write it as in 23/tcp")),
                slot => slot,
            },
        };
        let tool = match &ask.tool {
            None => None,
            Some(text) => match Tool::ALL.iter().find(|tool| tool.label() == text) {
                None => return wrong(format!("there is no tool {text:?}")),
                tool => tool.copied(),
            },
        };
        if (ask.country.is_some() || ask.by == ask::By::Country) && !lists.know_countries() {
            return wrong("no countries are known: name an MMDB file as `countries` in [sources]".to_owned());
        }
        if ask.by == ask::By::As && !lists.know_systems() {
            let words =
                "no autonomous systems are known: name an MMDB file as `autonomous_systems` in [sources]";
            return wrong(words.to_owned());
        }
        if ask.without_known_scanners && !lists.know_scanners() {
            let words = "no scanners are known: name a list of them as `known_scanners` in [sources]";
            return wrong(words.to_owned());
        }
        Ok(Self { ask, lists, slot, tool })
    }

    /// The slot that is asked for.
    pub(super) const fn slot(&self) -> Option<SlotKind> {
        self.slot
    }

    /// The tool that is asked for.
    pub(super) const fn tool(&self) -> Option<Tool> {
        self.tool
    }

    /// Whether it is of all packets.
    pub(super) const fn is_of_all(&self) -> bool {
        let Ask { country, without_known_scanners, .. } = self.ask;
        self.slot.is_none() && self.tool.is_none() && country.is_none() && !*without_known_scanners
    }

    /// Whether memory can tell that: which tool a source used for which port, and what of a port, a tool or a country is in
    /// what rows but sources, only the store has.
    pub(super) fn is_of_memory(&self) -> bool {
        let Ask { by, country, .. } = self.ask;
        match by {
            ask::By::Source => self.slot.is_none() || self.tool.is_none(),
            _ => self.slot.is_none() && self.tool.is_none() && country.is_none(),
        }
    }

    /// Whether a source is of the country that is asked for.
    pub(super) fn is_in_country(&self, source: Source) -> bool {
        self.ask.country.is_none_or(|country| self.lists.country(source.first()) == Some(country))
    }

    /// Whether a source is one of those that are asked for.
    pub(super) fn admits(&self, source: Source) -> bool {
        self.is_in_country(source)
            && !(self.ask.without_known_scanners && self.lists.scanner(source.first()).is_some())
    }

    /// All that are followed, the heaviest first.
    pub(super) fn found(&self, chosen: &Chosen) -> Vec<Found> {
        let mut found: Vec<_> = match self.slot {
            Some(slot) => self.found_by_port(chosen, Slot::from(slot).index()),
            None => self.found_by_source(chosen),
        };
        found.sort_unstable_by_key(|found| (Reverse(found.packets), found.source));
        found
    }

    fn found_by_port(&self, chosen: &Chosen, slot: u32) -> Vec<Found> {
        let pairs = merged(
            chosen,
            |window| &window.pairs,
            |pair| pair.is_to(slot) && self.admits(pair.source()),
            |mine: &mut Seen, theirs| mine.merge(*theirs),
        );
        let found = |(pair, place): (Pair, Place<Seen>)| Found {
            source: pair.source(),
            packets: place.seen,
            more: place.before,
            seen: place.value,
        };
        pairs.into_iter().map(found).collect()
    }

    fn found_by_source(&self, chosen: &Chosen) -> Vec<Found> {
        let places = merged(chosen, |window| &window.sources, |&source| self.admits(source), Doing::merge);
        let found = |(source, place): (Source, Place<Doing>)| Found {
            source,
            packets: self.tool.map_or(place.seen, |tool| place.value.by(tool).into()),
            more: place.before,
            seen: place.value.seen,
        };
        places.into_iter().map(found).filter(|found| found.packets > 0).collect()
    }

    /// Rows of these, with what each did.
    pub(super) fn rows(&self, chosen: &Chosen, found: &[Found]) -> Vec<Line> {
        let sources: HashSet<_> = found.iter().map(|found| found.source).collect();
        let windows = || chosen.iter().map(|(_, window)| window.as_ref());
        let ports = ports(windows(), &sources);
        let did = merged(chosen, |window| &window.sources, |source| sources.contains(source), Doing::merge);
        let row = |found: &Found| {
            let did = did.get(&found.source);
            let ports = ports.get(&found.source).map(Vec::as_slice).unwrap_or_default();
            Line::Source(row(*found, did.map(|place| what(place, ports)), self.lists))
        };
        found.iter().map(row).collect()
    }

    /// Of what is asked for, all together; those that are followed were found.
    pub(super) fn total(&self, chosen: &Chosen, found: &[Found]) -> Total {
        let windows = || chosen.iter().map(|(_, window)| window.as_ref());
        let error = |window: &Window| match self.ask.by {
            ask::By::Source if self.slot.is_some() => window.pairs.error(),
            ask::By::Source => window.sources.error(),
            ask::By::Network => window.networks.error(),
            // Of these everything is counted.
            ask::By::Port | ask::By::Country | ask::By::As => 0,
        };
        let row_error = windows().map(error).sum();
        let missed = windows().any(|window| window.missed > 0);
        let parts: Option<Vec<Numbers<'_>>> = match (self.slot, self.tool, self.ask.country) {
            (None, None, None) => Some(windows().map(Numbers::of_window).collect()),
            (Some(slot), None, None) => {
                Some(windows().filter_map(|window| window.slots.get(&slot)).map(Numbers::of_part).collect())
            }
            (None, None, Some(country)) => {
                let parts = windows().filter_map(|window| window.countries.get(&Some(country)));
                Some(parts.map(Numbers::of_part).collect())
            }
            _ => None,
        };
        let gone = match (self.slot, self.ask.country) {
            (Some(_), _) => windows().any(|window| window.slots.gone() > 0),
            (_, Some(_)) => windows().any(|window| window.countries.gone() > 0),
            _ => false,
        };
        let Some(parts) = parts else {
            // Summed over the sources that are followed.
            return Total {
                packets: found.iter().map(|found| found.packets).sum(),
                from_known_scanners: None,
                // Exactly so many are followed, and there may be more.
                sources: Count { count: found.len() as u64, exact: true },
                at_least: missed || row_error > 0,
                row_error,
            };
        };
        let all: u64 = parts.iter().map(|part| part.packets).sum();
        let known: u64 = parts.iter().map(|part| part.known).sum();
        let sources = sources(
            parts.iter().map(|part| (part.others, part.known_sources)),
            self.ask.without_known_scanners,
        );
        Total {
            packets: if self.ask.without_known_scanners { all - known } else { all },
            from_known_scanners: self.lists.know_scanners().then_some(known),
            sources,
            at_least: missed || gone,
            row_error,
        }
    }
}

/// What is counted of something in a window.
struct Numbers<'a> {
    packets: u64,
    known: u64,
    others: &'a Distinct,
    known_sources: &'a Distinct,
}

impl<'a> Numbers<'a> {
    const fn of_window(window: &'a Window) -> Self {
        let Window { observed, known, others, known_sources, .. } = window;
        Self { packets: *observed, known: *known, others, known_sources }
    }

    const fn of_part(part: &'a Part) -> Self {
        let Part { packets, known, others, known_sources, .. } = part;
        Self { packets: *packets, known: *known, others, known_sources }
    }
}

/// How many sources there are in these pairs of others and of known scanners; without the latter, if so.
pub(super) fn sources<'a>(
    parts: impl Iterator<Item = (&'a Distinct, &'a Distinct)> + Clone,
    without_known_scanners: bool,
) -> Count {
    let others = together(parts.clone().map(|(others, _)| others));
    if without_known_scanners {
        return others.count();
    }
    Distinct::count_both(&others, &together(parts.map(|(_, known)| known)))
}

/// What each of these sources sent to, the most packets first.
pub(super) fn ports<'a>(
    windows: impl Iterator<Item = &'a Window>,
    sources: &HashSet<Source>,
) -> HashMap<Source, Vec<(SlotKind, u64)>> {
    let mut packets = HashMap::<(Source, SlotKind), u64>::new();
    for (pair, place) in windows.flat_map(|window| window.pairs.iter()) {
        if sources.contains(&pair.source())
            && let Some(slot) = pair.slot()
        {
            *packets.entry((pair.source(), slot)).or_default() += place.seen;
        }
    }
    let mut ports = HashMap::<Source, Vec<(SlotKind, u64)>>::new();
    for ((source, slot), packets) in packets {
        ports.entry(source).or_default().push((slot, packets));
    }
    for ports in ports.values_mut() {
        ports.sort_unstable_by_key(|&(slot, packets)| (Reverse(packets), Slot::from(slot).index()));
    }
    ports
}

fn row(found: Found, did: Option<What>, lists: &Lists) -> Row {
    let Found { source, packets, more, seen } = found;
    Row {
        source: source.to_string(),
        packets,
        more,
        first: seen.first(),
        last: seen.last(),
        did,
        belongs: Belongs::of(source, lists),
    }
}

/// What is known of one in a window.
pub(super) fn row_of(source: Source, place: &Place<Doing>, ports: &[(SlotKind, u64)], lists: &Lists) -> Row {
    let found = Found { source, packets: place.seen, more: place.before, seen: place.value.seen };
    row(found, Some(what(place, ports)), lists)
}

fn what(place: &Place<Doing>, ports: &[(SlotKind, u64)]) -> What {
    let doing = &place.value;
    let named = ports.get(..NAMED).unwrap_or(ports);
    let by = |name: &str, packets: u32| By { name: name.to_owned(), packets: packets.into() };
    What {
        bytes: doing.bytes,
        ports: named.iter().map(|&(slot, packets)| To { slot: slot_name(slot), packets }).collect(),
        elsewhere: place.seen.saturating_sub(named.iter().map(|(_, packets)| packets).sum()),
        tools: doing.tools().map(|(tool, packets)| by(tool.label(), packets)).collect(),
        kinds: doing.kinds().map(|(kind, packets)| by(kind.label(), packets)).collect(),
    }
}

/// A slot by its name.
pub(super) fn slot_of(text: &str) -> Option<SlotKind> {
    if let Ok(port) = text.parse::<crate::config::Port>() {
        return Some(port.slot().kind());
    }
    let all = (0..sensor_common::layout::SENSOR_SLOTS).filter_map(Slot::describe);
    all.filter(|slot| !matches!(slot, SlotKind::Tcp(_) | SlotKind::Udp(_)))
        .find(|&slot| slot_name(slot) == text)
}
