//! An outcome as words and a table, as JSON lines, or as CSV.

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use sensor_common::noun::noun;
use serde::Serialize;
use serde_json::json;

use super::asked::Asked;
use super::outcome::{Basis, Count, Outcome, SourceRow, Told, Total};
use crate::output::{escaped, is_harmful};

/// As a person reads it.
#[must_use]
pub fn text(outcome: &Outcome, asked: &Asked) -> String {
    let Outcome { sensors, silent, total, rows } = outcome;
    let of = match (&asked.slot, &asked.tool) {
        (None, None) => "all packets".to_owned(),
        (Some(slot), None) => format!("packets to {slot}"),
        (None, Some(tool)) => format!("SYNs of {tool}"),
        (Some(slot), Some(tool)) => format!("SYNs of {tool} to {slot}"),
    };
    let mut lines = vec![format!("{of}, from {} to {}:", time(asked.from), time(asked.to))];
    lines.extend(sensors.iter().map(sensor));
    lines.extend(silent.iter().map(|it| format!("missing: {}: {}", it.who, it.cause)));
    lines.extend(sum(total));
    let mut text: String = lines.iter().map(|line| escaped(line) + "\n").collect();
    if !rows.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["source", "packets", "sensors", "first", "last", "country", "AS", "of"]);
        for row in rows {
            table.add_row(cells(row).map(|cell| escaped(&cell)));
        }
        text.extend(["\n", &table.to_string(), "\n"]);
    }
    text
}

fn sensor(told: &Told) -> String {
    let Told { sensor, agent, observed, missed, packets, sources, named, notes, .. } = told;
    let by =
        agent.as_ref().filter(|agent| *agent != sensor).map_or(String::new(), |agent| format!(" ({agent})"));
    let share = super::outcome::part(*observed, (observed + missed).max(1));
    let of = if *missed > 0 { format!(", of {} of what was counted", percent(share)) } else { String::new() };
    let sources = match sources {
        Some(count) if count.exact && count.count == *named => distinct(*count),
        Some(count) => format!("{}, of which it names {named}", distinct(*count)),
        None => format!("at least {named} {}", noun(*named, "source", "sources")),
    };
    let notes: String = notes.iter().flat_map(|note| ["; ", note]).collect();
    let counted = noun(*packets, "packet", "packets");
    format!("{sensor}{by}: {packets} {counted}, {sources}{of}{notes}")
}

fn sum(total: &Total) -> Vec<String> {
    let Total { sensors, silent, packets, sources, basis, error, at_least, at_most, share, named, .. } =
        total;
    let words = if *at_least { "at least " } else { "" };
    let most = at_most.map_or(String::new(), |most| format!(" and at most {most}"));
    let made_of = match basis {
        Basis::Addresses => "by their addresses".to_owned(),
        Basis::Sketches => format!("by the sensors' sketches, with a standard error of {}", percent(*error)),
        Basis::Names => {
            format!("by a sketch of those that are named, with a standard error of {}", percent(*error))
        }
        Basis::Bound => "as not every sensor names all of its own".to_owned(),
    };
    let whose = match sensors {
        1 => "the one sensor".to_owned(),
        many => format!("all {many} sensors"),
    };
    let counted = noun(*packets, "packet", "packets");
    let lead = number(*sources);
    // The number that stands before the word.
    let of = noun(at_most.unwrap_or(sources.count), "source", "sources");
    let mut lines = vec![format!("{whose}: {packets} {counted}, {words}{lead}{most} {of}, {made_of}")];
    if let Some(share) = share.filter(|share| *share < 1.0) {
        lines.push(format!("this rests on {} of what these sensors counted", percent(share)));
    }
    if *silent > 0 {
        lines.push(format!("{silent} did not answer or could not be read: what they saw is in none of this"));
    }
    let of = if total.complete {
        String::new()
    } else {
        format!(", of the {named} {} known by address", noun(*named, "that is", "that are"))
    };
    let by_agent = total.by_one_agent.map_or(String::new(), |many| format!(", {many} by those of one agent"));
    let were = noun(total.by_one_sensor, "was", "were");
    lines.push(format!("{} {were} seen by one sensor only{by_agent}{of}", total.by_one_sensor));
    lines
}

fn cells(row: &SourceRow) -> [String; 8] {
    let more = if row.more > 0 { format!(" (+ up to {})", row.more) } else { String::new() };
    let others = row.sensors.saturating_sub(row.of.len());
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let scanner = row.scanner.as_ref().map_or(String::new(), |scanner| format!(" [{scanner}]"));
    let system = row.system.map_or(String::new(), |system| system.to_string());
    let name = row.system_name.as_ref().map_or(String::new(), |name| format!(" {name}"));
    [
        row.source.to_string() + &scanner,
        row.packets.to_string() + &more,
        row.sensors.to_string(),
        time(row.first),
        time(row.last),
        row.country.clone().unwrap_or_default(),
        system + &name,
        row.of.join(", ") + &others,
    ]
}

fn distinct(sources: Count) -> String {
    format!("{} {}", number(sources), noun(sources.count, "source", "sources"))
}

fn number(count: Count) -> String {
    if count.exact { count.count.to_string() } else { format!("about {}", count.count) }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A JSON object a line, the last `{"end":true}`.
///
/// # Errors
/// None of them: numbers and texts are JSON.
pub fn json(outcome: &Outcome, asked: &Asked) -> serde_json::Result<String> {
    let Outcome { sensors, silent, total, rows } = outcome;
    let mut text = String::new();
    let mut put = |key: &str, value: &dyn erased::Line| -> serde_json::Result<()> {
        let value = value.json()?;
        text += &harmless(&format!("{{\"{key}\":{value}}}\n"));
        Ok(())
    };
    let Asked { from, to, slot, tool } = asked;
    put("asked", &json!({ "from": from, "to": to, "slot": slot, "tool": tool }))?;
    sensors.iter().try_for_each(|told| put("sensor", told))?;
    silent.iter().try_for_each(|silent| put("silent", silent))?;
    put("total", total)?;
    rows.iter().try_for_each(|row| put("source", row))?;
    put("end", &true)?;
    Ok(text)
}

/// What can be written as JSON, whatever its type.
mod erased {
    use super::Serialize;

    pub trait Line {
        fn json(&self) -> serde_json::Result<String>;
    }

    impl<T: Serialize> Line for T {
        fn json(&self) -> serde_json::Result<String> {
            serde_json::to_string(self)
        }
    }
}

/// JSON with every harmful character as its escape.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' => text.push('\n'),
            harmful if is_harmful(harmful) => text.extend(format!("\\u{:04x}", u32::from(harmful)).chars()),
            other => text.push(other),
        }
    }
    text
}

/// The rows, with what they rest on (RFC 4180).
#[must_use]
pub fn csv(outcome: &Outcome) -> String {
    let mut text = "source,packets,more,bytes,sensors,of,first,last,country,as,as_name,known_scanner,\
                    sensors_asked,silent,complete,at_least,share\r\n"
        .to_owned();
    let total = &outcome.total;
    let basis = [
        total.sensors.to_string(),
        total.silent.to_string(),
        yes_or_no(total.complete),
        yes_or_no(total.at_least),
        total.share.map_or(String::new(), |share| format!("{share:.6}")),
    ];
    for row in &outcome.rows {
        let numbers = [row.packets, row.more, row.bytes].map(|number| number.to_string());
        let others = [
            row.sensors.to_string(),
            row.of.join(" "),
            row.first.to_string(),
            row.last.to_string(),
            row.country.clone().unwrap_or_default(),
            row.system.map_or(String::new(), |system| system.to_string()),
            row.system_name.clone().unwrap_or_default(),
            row.scanner.clone().unwrap_or_default(),
        ];
        let fields = [row.source.to_string()].into_iter().chain(numbers).chain(others).chain(basis.clone());
        let fields: Vec<_> = fields.map(|field| quoted(&field)).collect();
        text += &(fields.join(",") + "\r\n");
    }
    text
}

fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// A field. A spreadsheet takes text that begins like a formula for one: it gets an apostrophe in front.
fn quoted(field: &str) -> String {
    let field = escaped(field);
    let field = if field.starts_with(['=', '+', '-', '@']) { format!("'{field}") } else { field };
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::merge::{Belongs, Merge, Row};
    use crate::sources::outcome::Silent;
    use crate::sources::source::Source;

    fn outcome() -> (Outcome, Asked) {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, to) = (time("2026-05-10T08:00:00Z"), time("2026-05-10T09:00:00Z"));
        let mut merge = Merge::new();
        let place = merge.sensor(Told {
            sensor: "=evil\u{1b}[2J\u{9b}".to_owned(),
            agent: Some("host".to_owned()),
            from,
            to,
            observed: 90,
            missed: 10,
            packets: 9,
            sources: Some(Count { count: 300, exact: false }),
            named: 1,
            complete: false,
            at_least: true,
            notes: vec!["a note".to_owned()],
        });
        let source = Source::V4([203, 0, 113, 9].into());
        let belongs =
            Belongs { system: Some(64496), system_name: Some("A, \"B\"".to_owned()), ..Belongs::default() };
        merge.add(
            place,
            &Row { source, packets: 7, more: 2, bytes: 420, first: from, last: to },
            Some(belongs),
        );
        merge.silent(Silent { who: "away".to_owned(), cause: "no answer".to_owned() });
        (merge.outcome(9), Asked { from, to, slot: Some("23/tcp".to_owned()), tool: None })
    }

    #[test]
    fn a_bound_is_called_one_and_shares_are_said() {
        let (outcome, asked) = outcome();
        let text = text(&outcome, &asked);
        for words in [
            "packets to 23/tcp, from 2026-05-10 08:00:00Z to 2026-05-10 09:00:00Z:",
            "(host): 9 packets, about 300 sources, of which it names 1, of 90.0 % of what was counted; a note",
            "missing: away: no answer",
            "at least about 300 sources, as not every sensor names all of its own",
            "this rests on 90.0 % of what these sensors counted",
            "1 did not answer or could not be read",
            "the one sensor: 9 packets, ",
            "1 was seen by one sensor only, 1 by those of one agent, of the 1 that is known by address",
            "7 (+ up to 2)",
        ] {
            assert!(text.contains(words), "{words}\nis not in\n{text}");
        }
    }

    #[test]
    fn no_form_has_what_a_terminal_or_a_spreadsheet_obeys() {
        let (outcome, asked) = outcome();
        let (text, json, csv) = (text(&outcome, &asked), json(&outcome, &asked).unwrap(), csv(&outcome));
        for text in [&text, &json, &csv] {
            assert!(!text.contains(|it| is_harmful(it) && !"\r\n".contains(it)), "{text}");
        }
        let lines: Vec<serde_json::Value> =
            json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[1]["sensor"]["sensor"], "=evil\u{1b}[2J\u{9b}");
        assert_eq!(lines.last().unwrap()["end"], true);
        assert!(csv.contains(",'=evil") && csv.contains(",64496,\"A, \"\"B\"\"\","), "{csv}");
    }
}
