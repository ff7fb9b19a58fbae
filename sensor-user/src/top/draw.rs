//! What stands on the screen, by what is known, what was typed, and its size.

use std::env;

use ratatui::Frame;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier, Style};
use sensor_common::noun::noun;

use super::ask::{Fault, FaultKind};
use super::facts::Facts;
use super::fit::{lines, put, width};
use super::rows::Topic;
use super::state::{Room, State};
use super::table::Table;
use crate::printable::one_line;
use crate::status::{InterfaceStatus, Share};
use crate::view::View;
use crate::view::form::{number, rate, time};

/// A screen has so many columns and lines at least.
pub const LEAST: Size = Size { width: 80, height: 24 };
/// Lines that what is wrong may take.
const LINES_OF_HEALTH: usize = 4;
/// Lines of the screen that are neither health nor rows: title, now, tables, note, head, keys.
const OTHER_LINES: usize = 6;

const KEYS: &str = "q quit  1-4 Tab view  s sort  r reverse  / filter  f freeze  ? help";

const HELP: [(&str, &str); 15] = [
    ("1 2 3 4", "ports, sources, tools, countries; Tab and arrows: the next"),
    ("s", "sort by the next column; behind the last: most packets first"),
    ("r", "the other way round"),
    ("/", "show rows that have a text: Enter keeps it, Esc clears it"),
    ("f", "freeze what is shown, or let it go on"),
    ("Up Down j k", "scroll; also PageUp, PageDown, Home, End"),
    ("? h", "this; any key ends it"),
    ("q Ctrl-C", "quit; Ctrl-Z: stop until `fg`"),
    ("", ""),
    ("packets", "since the counters were made; share: of all of them"),
    ("packets/s", "in the last ten seconds"),
    ("sources", "distinct ones, of this hour and the last; ≥: at least so many"),
    ("day, week", "the last full hour against the same hour before"),
    ("not known …", "about how many packets were not from known scanners"),
    ("sources' table", "this hour and the last, as far as evidence tells"),
];

/// With what it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Colours, which never say anything that words do not.
    Colours,
    /// None.
    Plain,
}

impl Paint {
    /// As `NO_COLOR` says (no-color.org).
    #[must_use]
    pub fn of_environment() -> Self {
        if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            Self::Plain
        } else {
            Self::Colours
        }
    }

    fn of(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }
}

/// What the screen is divided into.
struct Parts {
    health: Vec<String>,
    table: Table,
    widths: Vec<(usize, u16)>,
    /// Lines for rows.
    visible: usize,
}

impl Parts {
    /// `None` where there is no room for it.
    fn of(facts: &Facts, state: &State, size: Size) -> Option<Self> {
        if size.width < LEAST.width || size.height < LEAST.height {
            return None;
        }
        let health = lines(&health(facts), size.width.into(), LINES_OF_HEALTH);
        let table = state.topic.table(facts).with(&state.filter).sorted(state.sort());
        let widths = table.widths(size.width);
        let visible = usize::from(size.height).saturating_sub(OTHER_LINES + health.len());
        Some(Self { health, table, widths, visible })
    }
}

/// What there is room for.
#[must_use]
pub fn room(facts: &Facts, state: &State, size: Size) -> Room {
    Parts::of(facts, state, size).map_or_else(Room::default, |parts| Room {
        columns: parts.widths.iter().map(|(column, _)| *column).collect(),
        rows: parts.table.rows.len(),
        visible: parts.visible,
    })
}

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, facts: &Facts, state: &State, paint: Paint) {
    let area = frame.area();
    let size = area.as_size();
    let Some(parts) = Parts::of(facts, state, size) else {
        let words =
            format!("too small: {} × {}, needs {} × {}", size.width, size.height, LEAST.width, LEAST.height);
        if size.height > 0 {
            put(frame.buffer_mut(), (0, 0), size.width, &words, false, Style::new());
        }
        return;
    };
    let mut screen = Screen { frame, paint, width: size.width, y: 0 };
    screen.title(facts, state);
    screen.health(facts, &parts.health);
    screen.line(&now(&facts.view), Style::new());
    screen.tables(state, &parts.table);
    screen.line(&parts.table.note, dim());
    if state.help {
        screen.help();
    } else {
        screen.table(facts, state, &parts);
    }
    screen.y = size.height - 1;
    screen.keys(state, &parts);
}

struct Screen<'a, 'b> {
    frame: &'a mut Frame<'b>,
    paint: Paint,
    width: u16,
    /// The line that comes next.
    y: u16,
}

impl Screen<'_, '_> {
    fn line(&mut self, text: &str, style: Style) {
        put(self.frame.buffer_mut(), (0, self.y), self.width, text, false, style);
        self.y += 1;
    }

    /// A text at the beginning of a line and another at its end, which has as much room as it needs.
    fn ends(&mut self, (left, of_left): (&str, Style), (right, of_right): (&str, Style)) {
        let cells = u16::try_from(width(right)).unwrap_or(u16::MAX).min(self.width);
        let rest = self.width - cells;
        put(
            self.frame.buffer_mut(),
            (0, self.y),
            rest.saturating_sub(u16::from(cells > 0) * 2),
            left,
            false,
            of_left,
        );
        put(self.frame.buffer_mut(), (rest, self.y), cells, right, false, of_right);
        self.y += 1;
    }

    fn title(&mut self, facts: &Facts, state: &State) {
        let (left, at) = (title(&facts.view), time(facts.view.time));
        let now = format!("{at} UTC");
        let right = match facts.view.snapshot {
            _ if state.frozen => format!("FROZEN at {now}"),
            Some(snapshot) => format!("snapshot {}, {now}", snapshot.0),
            None => now.clone(),
        };
        // Which sensor it is comes before which snapshot.
        let fits = width(&left) + 2 + width(&right) <= self.width.into();
        let right = if fits || state.frozen { right } else { now };
        let style = if state.frozen { bold().add_modifier(Modifier::REVERSED) } else { Style::new() };
        self.ends((&left, bold()), (&right, style));
    }

    fn health(&mut self, facts: &Facts, words: &[String]) {
        let is_well = facts.fault.is_none() && facts.view.trouble.is_none();
        let colour = if is_well { Color::Green } else { Color::Red };
        let style = if is_well { self.paint.of(colour) } else { self.paint.of(colour).patch(bold()) };
        for line in words {
            self.line(line, style);
        }
    }

    /// Which tables there are, and in which order and by what the one is that is shown.
    fn tables(&mut self, state: &State, table: &Table) {
        let mut x = 0;
        for (place, topic) in Topic::ALL.into_iter().enumerate() {
            let is_shown = topic == state.topic;
            let (open, close) = if is_shown { ("[", "]") } else { (" ", " ") };
            let text = format!("{open}{} {}{close}", place + 1, topic.name());
            let style = if is_shown { bold() } else { Style::new() };
            let (end, _) =
                self.frame.buffer_mut().set_stringn(x, self.y, text, usize::from(self.width - x), style);
            x = end + 1;
        }
        let order = state.sort().and_then(|sort| Some((table.columns.get(sort.column)?.name, sort.reversed)));
        let order = order.map(|(name, reversed)| {
            format!("by {name}{}", if reversed { ", the other way round" } else { "" })
        });
        let filter = (!state.filter.is_empty() && !state.typing)
            .then(|| format!("filter: {}", one_line(&state.filter)));
        let said = [filter, order].into_iter().flatten().collect::<Vec<_>>().join("; ");
        let cells = (self.width - x).min(u16::try_from(width(&said)).unwrap_or(u16::MAX));
        put(self.frame.buffer_mut(), (self.width - cells, self.y), cells, &said, false, bold());
        self.y += 1;
    }

    fn help(&mut self) {
        // The last line is that of the keys. Much that is wrong leaves no room for an empty one in front.
        let room = usize::from((self.frame.area().height - 1).saturating_sub(self.y));
        self.y += u16::from(room > HELP.len());
        for (key, does) in HELP.into_iter().take(room) {
            put(self.frame.buffer_mut(), (1, self.y), 15, key, false, bold());
            put(self.frame.buffer_mut(), (17, self.y), self.width - 17, does, false, Style::new());
            self.y += 1;
        }
    }

    fn table(&mut self, facts: &Facts, state: &State, parts: &Parts) {
        let Parts { table, widths, visible, .. } = parts;
        if table.rows.is_empty() {
            self.y += 1;
            let filtered = format!("No row has {:?}: Esc shows all.", state.filter);
            for line in
                lines(if state.filter.is_empty() { &table.nothing } else { &filtered }, self.width.into(), 6)
            {
                self.line(&line, Style::new());
            }
            return;
        }
        let head = Style::new().add_modifier(Modifier::REVERSED);
        let all = ratatui::layout::Rect::new(0, self.y, self.width, 1);
        self.frame.buffer_mut().set_style(all, head);
        let sorted = state.sort().map(|sort| sort.column);
        self.row(
            table,
            widths,
            |at| table.columns[at].name,
            |at| {
                if sorted == Some(at) { head.patch(bold().add_modifier(Modifier::UNDERLINED)) } else { head }
            },
        );
        // What is not of now is not as bright as what is.
        let style = if facts.fault.is_some() { dim() } else { Style::new() };
        for row in table.rows.iter().skip(state.first(table.rows.len(), *visible)).take(*visible) {
            self.row(table, widths, |at| row.get(at).map_or("", |cell| cell.text.as_str()), |_| style);
        }
    }

    fn row<'c>(
        &mut self,
        table: &Table,
        widths: &[(usize, u16)],
        text: impl Fn(usize) -> &'c str,
        style: impl Fn(usize) -> Style,
    ) {
        let mut x = 0;
        for &(at, cells) in widths {
            put(self.frame.buffer_mut(), (x, self.y), cells, text(at), table.columns[at].numbers, style(at));
            x += cells + 1;
        }
        self.y += 1;
    }

    fn keys(&mut self, state: &State, parts: &Parts) {
        if state.typing {
            let text = format!("filter: {}", one_line(&state.filter));
            let x = u16::try_from(width(&text)).unwrap_or(u16::MAX).min(self.width - 1);
            self.frame.set_cursor_position(Position { x, y: self.y });
            self.ends((&text, bold()), ("Enter keeps it, Esc clears it", dim()));
            return;
        }
        let rows = parts.table.rows.len();
        let first = state.first(rows, parts.visible);
        let last = rows.min(first + parts.visible);
        let place = if state.help || rows <= parts.visible {
            String::new()
        } else {
            format!("{}-{last} of {rows}", first + 1)
        };
        self.ends((KEYS, dim()), (&place, Style::new()));
    }
}

const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

const fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// How much comes, to which sensors.
#[must_use]
pub fn title(view: &View) -> String {
    let of = view.sensors.iter().filter(|it| view.sensor.as_ref().is_none_or(|name| *name == it.name));
    let per_second =
        of.clone().map(|it| it.per_second).sum::<Option<f64>>().filter(|_| of.clone().count() > 0);
    let whose = match (&view.sensor, &view.sensors[..]) {
        (Some(name), _) => one_line(name),
        (None, [one]) => one_line(&one.name),
        (None, all) => format!("{} sensors", all.len()),
    };
    let packets = noun(view.packets, "packet", "packets");
    format!("{} packets/s, {} {packets}, {whose}", rate(per_second), number(view.packets))
}

/// Whether all is well, and if not, what to do.
#[must_use]
pub fn health(facts: &Facts) -> String {
    let Facts { view, fault, .. } = facts;
    if let Some(Fault { kind, why }) = fault {
        let what = match kind {
            FaultKind::Silent => "The agent does not answer",
            FaultKind::Said => "The agent answers with an error",
            FaultKind::Lasting => "There is no answer any more",
        };
        return one_line(&format!("{what}, what stands here is of {} UTC: {why}", time(view.time)));
    }
    if let Some(trouble) = &view.trouble {
        return one_line(&format!("Not well: {trouble}"));
    }
    let attached = |interface: &InterfaceStatus| match &interface.mode {
        Some(mode) => format!("{} ({mode})", interface.name),
        None => interface.name.clone(),
    };
    let attached: Vec<_> = view.interfaces.iter().map(attached).collect();
    let observe = if view.agent.observe { ", dropping nothing (--observe)" } else { "" };
    one_line(&format!("All is well: attached to {}{observe}", attached.join(", ")))
}

/// What is let through, and what is kept.
#[must_use]
pub fn now(view: &View) -> String {
    let passed = view.passed.values().copied().fold(0, u64::saturating_add);
    let reasons = view.passed.iter().filter(|(_, packets)| **packets > 0);
    let reasons: Vec<_> = reasons.map(|(reason, packets)| format!("{reason} {}", number(*packets))).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let evidence = match view.evidence.path {
        Some(_) => format!("{} kept as evidence", Share(view.evidence.kept, view.evidence.packets)),
        None => "no evidence is kept".to_owned(),
    };
    one_line(&format!("{evidence}; {} let through{reasons}", number(passed)))
}
