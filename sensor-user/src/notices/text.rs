//! Notices as mails: one for each constituency, with its addresses as tables.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::Offset;
use jiff::{Timestamp, Unit};

use super::event::{Event, Over};
use super::template::{TemplateError, fill};
use crate::store::About;

/// Between two mails: the first line of a mail is its own.
const BETWEEN: &str = "\n";
/// Ports that are named in a row.
const PORTS: usize = 4;
/// Hexadecimal digits of a packet in a line: 32 bytes.
const DIGITS: usize = 64;

/// A mail for each constituency that some of the events are of.
///
/// # Errors
/// What is wrong with the template.
pub fn mails(template: &str, events: &[Event], over: &[Over], zone: Offset) -> Result<String, TemplateError> {
    let mut of = BTreeMap::<&str, Vec<&Event>>::new();
    for event in events {
        of.entry(&event.constituency).or_default().push(event);
    }
    let mails = of.into_iter().map(|(constituency, events)| {
        let over =
            over.iter().filter(|over| over.constituency == constituency).map(|over| over.packets).sum();
        mail(template, constituency, &events, over, zone)
    });
    Ok(mails.collect::<Result<Vec<_>, _>>()?.join(BETWEEN))
}

fn mail(
    template: &str,
    constituency: &str,
    events: &[&Event],
    over: u64,
    zone: Offset,
) -> Result<String, TemplateError> {
    let about = |about| events.iter().copied().filter(move |event| event.about == about);
    let sensors: BTreeSet<_> = events.iter().flat_map(|event| &event.sensors).map(String::as_str).collect();
    fill(template, |name| match name {
        "constituency" => constituency.to_owned(),
        "from" => events.iter().map(|event| event.first).min().map(|it| time(it, zone)).unwrap_or_default(),
        "to" => events.iter().map(|event| event.last).max().map(|it| time(it, zone)).unwrap_or_default(),
        "time_zone" if zone == Offset::UTC => "in UTC".to_owned(),
        "time_zone" => format!("{zone} from UTC"),
        "sensors" => sensors.iter().copied().collect::<Vec<_>>().join(", "),
        "number_of_sources" => about(About::Source).count().to_string(),
        "number_of_victims" => about(About::Victim).count().to_string(),
        "sources" => sources(about(About::Source), over, zone),
        "packet" => packets(about(About::Source), zone),
        "victims" => victims(about(About::Victim), zone),
        // The template has no others.
        _ => String::new(),
    })
}

fn sources<'a>(events: impl Iterator<Item = &'a Event>, over: u64, zone: Offset) -> String {
    let cells = |event: &Event| {
        let named = event.slots.iter().take(PORTS).map(|to| to.slot.clone());
        let more = event.slots.len() > PORTS || event.elsewhere > 0;
        let to: Vec<_> = named.chain(more.then(|| "more".to_owned())).collect();
        let tool = if event.is_backscatter() { Some("backscatter") } else { event.tool() };
        row(event, zone, [to.join(" "), tool.unwrap_or("-").to_owned()])
    };
    let text = table("packets", &["to", "tool"], events.map(cells));
    if over == 0 {
        return text;
    }
    format!("{text}\n\n{over} more packets came from addresses of which there was no room for notices.")
}

/// The first packet of each, as others may see it: whose it is, when it was seen, its frame's length, and its bytes;
/// "none" without any.
fn packets<'a>(events: impl Iterator<Item = &'a Event>, zone: Offset) -> String {
    let text = |event: &Event| {
        let Some(packet) = &event.packet else { return format!("{}\n-", event.address) };
        let digits: Vec<char> = packet.bytes.chars().collect();
        let lines: Vec<String> = digits.chunks(DIGITS).map(|line| line.iter().collect()).collect();
        let bytes = if lines.is_empty() { "-".to_owned() } else { lines.join("\n") };
        let (address, seen, length) = (event.address, time(packet.time, zone), packet.length);
        format!("{address}, {seen}, {length} bytes\n{bytes}")
    };
    let texts: Vec<String> = events.map(text).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join("\n") }
}

fn victims<'a>(events: impl Iterator<Item = &'a Event>, zone: Offset) -> String {
    let cells = |event: &Event| {
        let ports: BTreeSet<_> = event.attacks.iter().flat_map(|attack| &attack.ports).cloned().collect();
        row(event, zone, [ports.into_iter().collect::<Vec<_>>().join(" ")])
    };
    table("answers", &["ports"], events.map(cells))
}

/// The cells of an event: those that all have, and further ones.
fn row<const MORE: usize>(event: &Event, zone: Offset, more: [String; MORE]) -> Vec<String> {
    let cells = [
        event.day.to_string(),
        event.address.to_string(),
        system(event),
        country(event),
        time(event.first, zone),
        time(event.last, zone),
        event.packets.to_string(),
    ];
    cells.into_iter().chain(more).collect()
}

fn system(event: &Event) -> String {
    event.belongs.system.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn country(event: &Event) -> String {
    event.belongs.country.map_or_else(|| "-".to_owned(), |country| country.to_string())
}

/// A time to the second, so far from UTC (RFC 3339).
pub(super) fn time(time: Timestamp, zone: Offset) -> String {
    let rounded = time.round(Unit::Second).unwrap_or(time);
    if zone == Offset::UTC { rounded.to_string() } else { rounded.display_with_offset(zone).to_string() }
}

/// Columns two spaces apart, of [`row`]s whose packets are called so and which have `more` columns; "none" without rows.
fn table(packets: &str, more: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head = ["day (UTC)", "address", "AS", "country", "first", "last", packets];
    let head = head.iter().chain(more).map(|&heading| heading.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    if rows.len() == 1 {
        return "none".to_owned();
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
