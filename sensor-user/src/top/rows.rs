//! What stands in each table.

use std::cmp::Reverse;

use jiff::Timestamp;
use sensor_common::noun::noun;

use super::facts::Facts;
use super::table::{Cell, Column, Table, Value};
use crate::printable::one_line;
use crate::sources::Count;
use crate::sources::answer::{PartRow, Row};
use crate::view::form::{UNKNOWN, at_least, change, distinct, number, rate, share, time};
use crate::view::{ServiceView, Who};

/// What a table is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Topic {
    /// What packets were sent to.
    #[default]
    Ports,
    /// Who sent them.
    Sources,
    /// What made them.
    Tools,
    /// Where they came from.
    Countries,
}

static PORTS: [Column; 10] = [
    Column::numbers("#", 3),
    Column::words("port", 11, 11),
    Column::words("name", 13, 24),
    Column::numbers("packets", 13),
    Column::numbers("share", 7),
    Column::numbers("packets/s", 9),
    Column::numbers("sources", 9),
    Column::numbers("day", 7),
    Column::numbers("week", 7).from(88),
    Column::numbers("not known scanners", 18).from(110),
];

static SOURCES: [Column; 9] = [
    Column::numbers("#", 3),
    Column::words("source", 23, 23),
    Column::words("country", 7, 7),
    Column::words("network", 14, 40),
    Column::words("tools", 11, 30),
    Column::numbers("packets", 13),
    Column::words("last", 8, 8).from(90),
    Column::words("known scanner", 13, 24).from(110),
    Column::words("ports", 20, 80).from(130),
];

static TOOLS: [Column; 5] = [
    Column::numbers("#", 3),
    Column::words("tool", 20, 30),
    Column::numbers("SYNs", 13),
    Column::numbers("share", 7),
    Column::numbers("SYNs/s", 9),
];

static COUNTRIES: [Column; 6] = [
    Column::numbers("#", 3),
    Column::words("country", 10, 30),
    Column::numbers("packets", 13),
    Column::numbers("share", 7),
    Column::numbers("sources", 11),
    Column::numbers("from known scanners", 19),
];

impl Topic {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 4] = [Self::Ports, Self::Sources, Self::Tools, Self::Countries];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Sources => "sources",
            Self::Tools => "tools",
            Self::Countries => "countries",
        }
    }

    /// Its table, in the agent's own order: most packets first.
    #[must_use]
    pub fn table(self, facts: &Facts) -> Table {
        match self {
            Self::Ports => ports(facts),
            Self::Sources => from_whom(facts),
            Self::Tools => tools(facts),
            Self::Countries => countries(facts),
        }
    }
}

fn ports(facts: &Facts) -> Table {
    let view = &facts.view;
    let row = |(place, row): (usize, &ServiceView)| {
        let hour = |at: usize| row.hours.get(at).copied().flatten();
        vec![
            rank(place),
            words(&row.service),
            words(row.name.as_deref().unwrap_or_default()),
            count(row.packets),
            of_whole(row.packets, view.packets),
            a_second(facts.to(row)),
            row.from.map_or_else(unknown, |from| Cell {
                text: at_least(from.sources, from.at_least),
                value: bounded(from.sources, from.at_least),
            }),
            changed(hour(0), hour(1)),
            changed(hour(0), hour(2)),
            row.without_known_scanners().map_or_else(unknown, count),
        ]
    };
    let past = match view.hours.first() {
        Some(hour) => format!("day, week: the hour from {} UTC against the same before", clock(*hour)),
        None => "without a store there is no day before to compare with".to_owned(),
    };
    let known = view.who.as_ref().and_then(|who| who.from);
    let seen = known.map(|from| format!("sources: since {}", clock(from)));
    Table {
        columns: &PORTS,
        rows: view.services.iter().enumerate().map(row).collect(),
        note: [Some(past), seen].into_iter().flatten().collect::<Vec<_>>().join("; "),
        nothing: "Nothing was counted yet.".to_owned(),
    }
}

fn from_whom(facts: &Facts) -> Table {
    let who = facts.view.who.as_ref();
    let row = |(place, row): (usize, &Row)| {
        let belongs = &row.belongs;
        let did = row.did.as_ref();
        let network = belongs.system.map(|number| {
            format!("AS{number} {}", belongs.as_name.as_deref().unwrap_or_default()).trim_end().to_owned()
        });
        let listed = |names: Vec<&str>| words(&names.join(", "));
        vec![
            rank(place),
            words(&row.source),
            words(&belongs.country.map(|country| country.to_string()).unwrap_or_default()),
            words(&network.unwrap_or_default()),
            listed(
                did.map(|did| did.tools.iter().map(|tool| tool.name.as_str()).collect()).unwrap_or_default(),
            ),
            Cell { text: at_least(row.packets, row.more > 0), value: bounded(row.packets, row.more > 0) },
            words(&time(row.last)),
            words(belongs.scanner.as_deref().unwrap_or_default()),
            listed(
                did.map(|did| did.ports.iter().map(|port| port.slot.as_str()).collect()).unwrap_or_default(),
            ),
        ]
    };
    Table {
        columns: &SOURCES,
        rows: who.map(|who| who.heaviest.iter().enumerate().map(row).collect()).unwrap_or_default(),
        note: who.map(observed).unwrap_or_default(),
        nothing: nobody(facts),
    }
}

fn tools(facts: &Facts) -> Table {
    let view = &facts.view;
    let all = view.tools.iter().map(|tool| tool.packets).fold(0, u64::saturating_add);
    // Every tool is told, in an order of their own.
    let mut tools: Vec<_> = view.tools.iter().collect();
    tools.sort_by_key(|tool| Reverse(tool.packets));
    let rows = tools.into_iter().enumerate().map(|(place, tool)| {
        vec![
            rank(place),
            words(&tool.name),
            count(tool.packets),
            of_whole(tool.packets, all),
            a_second(facts.by(tool)),
        ]
    });
    Table {
        columns: &TOOLS,
        rows: rows.collect(),
        note: format!("SYNs by what made them, {} since the counters were made", number(all)),
        nothing: "Nothing was counted yet.".to_owned(),
    }
}

fn countries(facts: &Facts) -> Table {
    let who = facts.view.who.as_ref();
    let observed_in_all = who.map_or(0, |who| who.observed);
    let row = |(place, row): (usize, &PartRow)| {
        let Count { count: many, exact: _ } = row.sources;
        vec![
            rank(place),
            words(&row.of),
            Cell { text: at_least(row.packets, row.at_least), value: bounded(row.packets, row.at_least) },
            of_whole(row.packets, observed_in_all),
            Cell { text: distinct(row.sources, row.at_least), value: bounded(many, row.at_least) },
            count(row.from_known_scanners),
        ]
    };
    let why = who.and_then(|who| who.no_countries.as_deref()).map(one_line);
    Table {
        columns: &COUNTRIES,
        rows: who.map(|who| who.countries.iter().enumerate().map(row).collect()).unwrap_or_default(),
        note: who.map(observed).unwrap_or_default(),
        nothing: why.unwrap_or_else(|| nobody(facts)),
    }
}

/// What is said of sources rests on this.
fn observed(who: &Who) -> String {
    let Who { from: Some(from), observed, missed, .. } = who else { return String::new() };
    let rests = if *missed == 0 {
        "all that was counted".to_owned()
    } else {
        format!(
            "{} of what was counted: at least so many",
            share(*observed, observed.saturating_add(*missed))
        )
    };
    let packets = noun(*observed, "packet", "packets");
    format!("since {} UTC: {} {packets}, {rests}", clock(*from), number(*observed))
}

/// The hour and the minute.
fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M").to_string()
}

fn nobody(facts: &Facts) -> String {
    let words = if facts.view.who.is_some() {
        "Nobody has sent anything in this hour and the last."
    } else {
        "Without evidence nobody is known: add [evidence] to the configuration."
    };
    words.to_owned()
}

fn rank(place: usize) -> Cell {
    let place = u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1);
    Cell { text: place.to_string(), value: Value::Place(place) }
}

fn words(text: &str) -> Cell {
    let words: Vec<_> = text.split_whitespace().collect();
    Cell::words(one_line(&words.join(" ")))
}

fn count(packets: u64) -> Cell {
    Cell { text: number(packets), value: Value::Count(packets) }
}

fn of_whole(part: u64, whole: u64) -> Cell {
    let value = if whole == 0 { Value::Unknown } else { Value::Share(part, whole) };
    Cell { text: share(part, whole), value }
}

fn a_second(of: Option<f64>) -> Cell {
    Cell { text: rate(of), value: of.map_or(Value::Unknown, Value::Real) }
}

fn changed(now: Option<u64>, before: Option<u64>) -> Cell {
    #[expect(clippy::cast_precision_loss, reason = "a change")]
    let value = match (now, before) {
        (Some(0), Some(0)) => Value::Real(0.0),
        (Some(now), Some(before)) => Value::Real(100.0 * (now as f64 - before as f64) / before as f64),
        _ => Value::Unknown,
    };
    Cell { text: change(now, before), value }
}

const fn bounded(count: u64, at_least: bool) -> Value {
    if at_least { Value::AtLeast(count) } else { Value::Count(count) }
}

fn unknown() -> Cell {
    Cell { text: UNKNOWN.to_owned(), value: Value::Unknown }
}
