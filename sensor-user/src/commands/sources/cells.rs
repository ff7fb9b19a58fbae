//! A line of an answer as cells, each below the name of its column.

use jiff::tz::Offset;
use jiff::{Timestamp, Unit};

use crate::sources::Count;
use crate::sources::answer::{Belongs, By, Line, To, What};

/// Names of columns with what stands in them.
pub(super) type Cells = Vec<(&'static str, String)>;

/// What a row is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    People,
    Programs,
}

/// What the numbers of an answer rest on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis {
    /// The share of what was counted that was observed.
    pub share: f64,
    /// Whether there may be more of all.
    pub at_least: bool,
    /// From when to when the windows are that it rests on.
    pub time: Option<(Timestamp, Timestamp)>,
}

/// The cells of a row; `None` of what is no row. `basis` is that of the answer: where a row has its own, it counts.
pub(super) fn cells(line: &Line, zone: Offset, by: For, basis: Basis) -> Option<Cells> {
    let mut row = row(line, zone, by)?;
    if by == For::Programs && !matches!(line, Line::Count(_)) {
        // What has no time of its own has that of the windows.
        if let (Line::Source(_) | Line::Part(_) | Line::Tuple(_), Some((from, to))) = (line, basis.time) {
            row.extend([("from", time(from, zone)), ("to", time(to, zone))]);
        }
        let Basis { at_least, .. } = basis;
        let of_share = |share: f64| Basis { share, at_least: share < 1.0, ..basis };
        let Basis { share, at_least, .. } = match line {
            Line::Part(row) => Basis { at_least: row.at_least, ..basis },
            Line::Tuple(row) => Basis { at_least: at_least || row.more > 0, ..basis },
            Line::Scan(row) => of_share(row.scan.share),
            Line::Victim(row) => of_share(row.victim.share),
            Line::Did(row) => {
                Basis { share: row.share, at_least: row.share < 1.0 || row.unseen > 0, ..basis }
            }
            _ => basis,
        };
        row.extend([("share", format!("{share:.6}")), ("at least", yes(at_least))]);
    }
    Some(row)
}

fn row(line: &Line, zone: Offset, by: For) -> Option<Cells> {
    let time = |at: Timestamp| time(at, zone);
    Some(match line {
        Line::Source(row) => {
            let mut cells = vec![("source", row.source.clone())];
            packets(&mut cells, row.packets, row.more, by);
            cells.extend([("first", time(row.first)), ("last", time(row.last))]);
            cells.extend(what(row.did.as_ref()));
            cells.extend(belongs(&row.belongs));
            cells
        }
        Line::Part(row) => {
            let packets = number(row.packets, row.at_least, by);
            let mut cells = vec![("of", row.of.clone()), ("packets", packets)];
            cells.push(("from known scanners", row.from_known_scanners.to_string()));
            count(&mut cells, "sources", row.sources, row.at_least, by);
            cells.push(("as name", row.as_name.clone().unwrap_or_default()));
            cells
        }
        Line::Tuple(row) => {
            let option = |value: Option<u16>| value.map(|value| value.to_string()).unwrap_or_default();
            let mut cells = vec![
                ("window", row.window.to_string()),
                ("options", row.options.clone()),
                ("mss", option(row.mss)),
                ("scale", option(row.scale.map(u16::from))),
                ("ttl", row.ttl.to_string()),
            ];
            packets(&mut cells, row.packets, row.more, by);
            cells.push(("from known scanners", row.from_known_scanners.to_string()));
            match row.sources {
                Some(sources) => count(&mut cells, "sources", sources, row.more > 0, by),
                None if by == For::Programs => {
                    cells.extend([("sources", String::new()), ("sources exact", String::new())]);
                }
                None => {}
            }
            cells.extend([("first", time(row.first)), ("last", time(row.last))]);
            cells
        }
        Line::Scan(row) => {
            let scan = &row.scan;
            let mut cells = vec![("sensor", row.sensor.clone()), ("source", scan.source.to_string())];
            cells.extend([("start", time(scan.start)), ("end", time(scan.end))]);
            let at_least = scan.share < 1.0;
            cells.extend([("goes on", yes(scan.ongoing)), ("packets", number(scan.packets, at_least, by))]);
            count(&mut cells, "ports", scan.ports, at_least, by);
            count(&mut cells, "addresses", scan.addresses, at_least, by);
            cells.extend([("first ports", scan.first_ports.join(" ")), ("tools", scan.tools.join(" "))]);
            cells.extend(belongs(&row.belongs));
            cells
        }
        Line::Victim(row) => {
            let victim = &row.victim;
            let mut cells = vec![("sensor", row.sensor.clone()), ("victim", victim.victim.to_string())];
            cells.extend([("start", time(victim.start)), ("end", time(victim.end))]);
            let number = |packets| number(packets, victim.share < 1.0, by);
            cells.extend([("goes on", yes(victim.ongoing)), ("packets", number(victim.packets))]);
            cells.push(("peak per minute", number(victim.peak_per_minute)));
            cells.extend([("ports", victim.ports.join(" ")), ("kinds", victim.kinds.join(" "))]);
            cells.extend(belongs(&row.belongs));
            cells
        }
        Line::Did(did) => {
            let mut cells = vec![("sensor", did.sensor.clone())];
            cells.extend([("from", time(did.from)), ("to", time(did.to))]);
            let seen = did.row.as_ref().map_or(0, |row| row.packets);
            if by == For::People && did.share < 1.0 {
                cells.push(("packets", number(seen, true, by)));
            } else {
                packets(&mut cells, seen, did.unseen, by);
            }
            if by == For::People {
                cells.push(("share", format!("{:.1} %", did.share * 100.0)));
            }
            let ever = |at: fn(&crate::sources::answer::Row) -> Timestamp| {
                did.row.as_ref().map(|row| time(at(row))).unwrap_or_default()
            };
            cells.extend([("first", ever(|row| row.first)), ("last", ever(|row| row.last))]);
            cells.extend(what(did.row.as_ref().and_then(|row| row.did.as_ref())));
            cells
        }
        Line::Count(row) => {
            let mut cells = vec![("sensor", row.sensor.clone()), ("time", time(row.time))];
            packets(&mut cells, row.packets, row.more, by);
            cells.push(("bytes", row.bytes.to_string()));
            cells
        }
        Line::Window(_)
        | Line::Rows(_)
        | Line::Counts(_)
        | Line::Gap(_)
        | Line::Total(_)
        | Line::Sketch(_)
        | Line::NoSketch(_)
        | Line::Definition(_)
        | Line::VictimDefinition(_)
        | Line::Belongs(_) => return None,
    })
}

/// A time with its offset from UTC.
pub(super) fn time(at: Timestamp, zone: Offset) -> String {
    let at = at.round(Unit::Second).unwrap_or(at);
    if zone == Offset::UTC { at.to_string() } else { at.display_with_offset(zone).to_string() }
}

/// Whose something is, in cells.
pub(super) fn belongs(of: &Belongs) -> Cells {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("country", of.country.map(|country| country.to_string()).unwrap_or_default()),
        ("as", of.system.map(|system| system.to_string()).unwrap_or_default()),
        ("as name", text(&of.as_name)),
        ("known scanner", text(&of.scanner)),
    ]
}

/// What a source did, in cells: empty ones if that is not known.
fn what(what: Option<&What>) -> Cells {
    let Some(what) = what else {
        return ["bytes", "ports", "tools", "kinds"].map(|name| (name, String::new())).into();
    };
    let to = |to: &To| format!("{}:{}", to.slot, to.packets);
    let by = |by: &By| format!("{}:{}", by.name, by.packets);
    let mut ports: Vec<_> = what.ports.iter().map(to).collect();
    if what.elsewhere > 0 {
        ports.push(format!("elsewhere:{}", what.elsewhere));
    }
    vec![
        ("bytes", what.bytes.to_string()),
        ("ports", ports.join(", ")),
        ("tools", what.tools.iter().map(by).collect::<Vec<_>>().join(", ")),
        ("kinds", what.kinds.iter().map(by).collect::<Vec<_>>().join(", ")),
    ]
}

fn packets(cells: &mut Cells, packets: u64, more: u64, by: For) {
    match by {
        For::People if more > 0 => cells.push(("packets", format!("{packets} to {}", packets + more))),
        For::People => cells.push(("packets", packets.to_string())),
        For::Programs => cells.extend([("packets", packets.to_string()), ("more", more.to_string())]),
    }
}

fn count(cells: &mut Cells, name: &'static str, count: Count, at_least: bool, by: For) {
    let Count { count, exact } = count;
    let about = if exact || by == For::Programs { "" } else { "about " };
    cells.push((name, format!("{about}{}", number(count, at_least, by))));
    if by == For::Programs {
        let name = match name {
            "ports" => "ports exact",
            "addresses" => "addresses exact",
            _ => "sources exact",
        };
        cells.push((name, yes(exact)));
    }
}

/// A number, of which there may be more.
fn number(number: u64, at_least: bool, by: For) -> String {
    let at_least = if at_least && by == For::People { "at least " } else { "" };
    format!("{at_least}{number}")
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::sources::answer::Did;

    #[rstest]
    #[case::all_of_it(1.0, 0, "0", "100.0 %")]
    #[case::before_it_was_followed(1.0, 7, "0 to 7", "100.0 %")]
    #[case::a_part(0.25, 7, "at least 0", "25.0 %")]
    fn what_one_did_says_what_it_rests_on(
        #[case] share: f64,
        #[case] unseen: u64,
        #[case] packets: &str,
        #[case] shown: &str,
    ) {
        let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let line = Line::Did(Did { sensor: "a".to_owned(), from, to, share, row: None, unseen });
        let basis = Basis { share: 1.0, at_least: false, time: None };
        let cells = cells(&line, Offset::UTC, For::People, basis).unwrap();
        let of = |column| cells.iter().find(|(name, _)| *name == column).map(|(_, text)| text.as_str());
        assert_eq!((of("packets"), of("share")), (Some(packets), Some(shown)));
    }
}
