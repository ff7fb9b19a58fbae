//! What commands print as a table and as CSV is what they say with `--json`: no number is another one.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::{fs, mem};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use rstest::rstest;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::mmdb::{country, mmdb, system};
use sensor_harness::needs_root;
use sensor_harness::pace::{is_emulated, until};
use serde_json::{Value, json};

use super::{Scene, numbers, syn};

const COMMANDS: [&[&str]; 14] = [
    &["sources"],
    &["sources", "--port", "23/tcp"],
    &["sources", "--by", "network"],
    &["sources", "--by", "port"],
    &["sources", "--by", "country"],
    &["sources", "--by", "as"],
    &["source", "203.0.113.5"],
    &["source", "192.0.2.1"],
    &["scans"],
    &["victims"],
    &["tuples"],
    &["tuples", "--port", "23/tcp"],
    &["counts"],
    &["counts", "--port", "23/tcp"],
];

/// A budget that takes all that is sent here.
const ALL: u32 = 1_000_000;
/// What a line is about that is a row.
const ROWS: [&str; 7] = ["source", "part", "tuple", "scan", "victim", "did", "count"];
/// First columns: of what is a head in CSV.
const FIRST: [&str; 4] = ["source", "of", "window", "sensor"];

/// A row that was printed: what stands below the name of each column, in which spaces are `_`.
type Printed = Vec<(String, String)>;

#[rstest]
#[case::all_of_it(ALL)]
#[case::a_share_of_it(10_000)]
fn each_form_has_the_same_numbers(#[case] budget: u32) -> Result<()> {
    needs_root!();
    let mut written = Ok(());
    let scene = Scene::new(|folder| {
        written = write_lists(folder);
        let file = |name: &str| folder.join(name).display().to_string();
        format!(
            "budget = {budget}\n[sources]\nvictim_time = \"2s\"\n\
             countries = {:?}\nautonomous_systems = {:?}\nknown_scanners = {:?}\n",
            file("countries"),
            file("systems"),
            file("scanners")
        )
    })?;
    written?;
    // What comes at once is more than a small budget pays for, and no more than there is time to look at with a large one.
    let sent = send(&scene, if budget == ALL { 500 } else { 20_000 })?;
    let sum = |key| -> Result<u64> {
        Ok(numbers(&scene.lines(&["sources", "--limit", "1"], "window")?, key).iter().sum())
    };
    let unknown =
        || anyhow::Ok(Page::parse(&scene.agent.metrics()?)?.sum("sensor_sources_missed_records_total", &[]));
    until(
        || Ok(sum("observed")? + sum("missed")? + unknown()? >= sent),
        || format!("{:?} and {:?} of {sent}", sum("observed"), sum("missed")),
    )?;
    ensure!((sum("missed")? == 0) == (budget == ALL) || is_emulated(), "{:?} are missed", sum("missed"));
    // The store writes at each full minute.
    let counted = || anyhow::Ok(numbers(&scene.lines(&["counts"], "count")?, "packets").iter().sum::<u64>());
    until(|| Ok(counted().is_ok_and(|packets| packets == sent)), || format!("{:?} of {sent}", counted()))?;

    for command in COMMANDS {
        let (rows, text) = both(&scene, command, &[])?;
        is_the_same(&rows, &table(&text, &rows), false).with_context(|| format!("{command:?}: {text}"))?;
        let (rows, text) = both(&scene, command, &["--csv"])?;
        is_the_same(&rows, &csv(&text), true).with_context(|| format!("{command:?}: {text}"))?;
    }
    Ok(())
}

/// Countries, autonomous systems and known scanners.
fn write_lists(folder: &Path) -> Result<()> {
    let systems = [("203.0.113.0/24", system(64_496, "Example, Inc.")), ("192.0.0.0/24", system(64_497, ""))];
    fs::write(folder.join("countries"), mmdb("Countries", &[("203.0.113.0/24", country("JP"))]))?;
    fs::write(folder.join("systems"), mmdb("Systems", &systems))?;
    fs::write(folder.join("scanners"), "prefix,organisation\n203.0.113.9,\"Example, Scan\"\n")?;
    Ok(())
}

/// An attack on one, a scan by one, few packets of others, and so many of one at once; how many all of them are.
fn send(scene: &Scene, at_once: usize) -> Result<u64> {
    let source = |last| Ipv4Addr::new(203, 0, 113, last);
    let victim = Ipv4Addr::new(192, 0, 2, 1);
    let answer = frame().ipv4().from(victim).tcp(40_000).source_port(443).syn_ack().bytes();
    // Of more ports than are named of one.
    let scan: Vec<_> = (0..12).map(|port| syn(source(5), 7, 8_000 + port)).collect();
    let mut sent = scan.len();
    scene.send(&scan)?;
    for _ in 0..8 {
        let answers = vec![answer.clone(); 10];
        sent += answers.len();
        scene.send(&answers)?;
        thread::sleep(Duration::from_millis(350));
    }
    let mut many = vec![syn(source(1), 7, 23); 3];
    many.extend(vec![syn(source(9), 7, 23); 5]);
    many.extend(vec![frame().ipv4().from(source(2)).udp(53).payload([7; 30]).bytes(); 2]);
    many.push(frame().ipv6().from(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 1, 0, 0, 0, 1)).tcp(443).syn().bytes());
    // More than are counted exactly.
    many.extend((0..300_u16).map(|number| {
        let [high, low] = number.to_be_bytes();
        syn(Ipv4Addr::new(192, 0, high, low), 7, 37_215)
    }));
    many.extend(vec![syn(source(10), 7, 23); at_once]);
    sent += many.len();
    scene.send(&many)?;
    Ok(sent as u64)
}

/// The rows of an answer, and how a form prints it: nothing has changed between the two.
fn both(scene: &Scene, command: &[&str], form: &[&str]) -> Result<(Vec<(String, Value)>, String)> {
    let mut rows = told(scene, command)?;
    for _ in 0..5 {
        let said = scene.ask(&[command, form].concat())?;
        ensure!(said.code == 0, "{said:?}");
        let after = told(scene, command)?;
        if after == rows {
            return Ok((rows, said.stdout));
        }
        // A minute or an hour has begun meanwhile.
        rows = after;
    }
    bail!("{command:?} says something else each time")
}

/// The rows of an answer as `--json` has them, each with its kind. What rests on windows has their time and share beside.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn told(scene: &Scene, command: &[&str]) -> Result<Vec<(String, Value)>> {
    let said = scene.ask(&[command, &["--json"]].concat())?;
    ensure!(said.code == 0, "{said:?}");
    let lines: Vec<Value> = said.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let windows: Vec<_> = lines.iter().filter_map(|line| line.get("window")).cloned().collect();
    let [observed, missed] = ["observed", "missed"].map(|key| numbers(&windows, key).iter().sum::<u64>());
    let share = if missed == 0 { 1.0 } else { observed as f64 / (observed + missed) as f64 };
    let of_total = lines.iter().any(|line| line["total"]["at_least"] == true);
    let times = |key: &'static str| windows.iter().filter_map(move |window| time(&window[key]));
    let (from, to) = (times("from").min(), times("to").max());
    let is_below_1 = |share: &Value| share.as_f64().is_some_and(|share| share < 1.0);
    let is_some = |number: &Value| number.as_u64().is_some_and(|number| number > 0);
    let mut rows = Vec::new();
    for line in &lines {
        let of = ROWS.iter().find_map(|&kind| Some((kind, line.get(kind)?.clone())));
        let Some((kind, mut row)) = of else { continue };
        if ["source", "part", "tuple"].contains(&kind) {
            row["from"] = json!(from.map(|from| from.to_string()));
            row["to"] = json!(to.map(|to| to.to_string()));
            row["share"] = json!(share);
        }
        let at_least = match kind {
            "source" => missed > 0 || of_total,
            "part" => row["at_least"] == true,
            "tuple" => missed > 0 || is_some(&row["more"]),
            _ => is_below_1(&row["share"]) || is_some(&row["unseen"]),
        };
        row["at_least"] = at_least.into();
        rows.push((kind.to_owned(), row));
    }
    ensure!(!rows.is_empty(), "{command:?} has no row: {lines:?}");
    Ok(rows)
}

/// What stands in tables below words: one of each kind of rows, whose columns begin where their names do.
fn table(text: &str, rows: &[(String, Value)]) -> Vec<Printed> {
    let mut kinds: Vec<_> = rows.iter().map(|(kind, _)| kind).collect();
    kinds.dedup();
    let blocks: Vec<_> = text.split("\n\n").collect();
    let tables = &blocks[blocks.len().saturating_sub(kinds.len())..];
    let mut printed = Vec::new();
    for table in tables {
        let mut lines = table.lines();
        let columns = columns(lines.next().unwrap_or_default());
        printed.extend(lines.map(|line| {
            let ends = columns.iter().skip(1).map(|(begin, _)| *begin).chain([usize::MAX]);
            let cell = |((begin, name), end): (&(usize, String), usize)| {
                let cell = line.get(*begin..end.min(line.len())).unwrap_or_default();
                (name.clone(), cell.trim().to_owned())
            };
            columns.iter().zip(ends).map(cell).collect::<Printed>()
        }));
    }
    printed
}

/// Names of columns, and where they begin: two spaces or more are between them.
fn columns(head: &str) -> Vec<(usize, String)> {
    let mut at = 0;
    let mut columns = Vec::new();
    for piece in head.split("  ") {
        let begin = at + piece.len() - piece.trim_start().len();
        at += piece.len() + 2;
        if !piece.trim().is_empty() {
            columns.push((begin, piece.trim().replace(' ', "_")));
        }
    }
    columns
}

/// What stands in CSV, in which another head begins where the columns change.
fn csv(text: &str) -> Vec<Printed> {
    let mut head = Vec::new();
    let mut printed = Vec::new();
    for line in text.lines() {
        let fields = fields(line);
        if FIRST.contains(&fields[0].as_str()) {
            head = fields;
        } else {
            printed.push(head.iter().cloned().zip(fields).collect());
        }
    }
    printed
}

/// The fields of a line (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut is_quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

/// Compares what was printed with what was told, row by row and cell by cell.
fn is_the_same(rows: &[(String, Value)], printed: &[Printed], is_csv: bool) -> Result<()> {
    ensure!(rows.len() == printed.len(), "{} rows are told, {} printed", rows.len(), printed.len());
    for ((kind, row), printed) in rows.iter().zip(printed) {
        ensure!(printed.iter().any(|(column, _)| column == "packets"), "no packets: {printed:?}");
        for (column, cell) in printed {
            ensure!(is_told(kind, row, column, cell, is_csv), "{column} is {cell:?}: {row}");
        }
    }
    Ok(())
}

/// Whether a cell has what the answer says.
fn is_told(kind: &str, row: &Value, column: &str, cell: &str, is_csv: bool) -> bool {
    let yes = |is: Option<bool>| is.map_or("", |is| if is { "yes" } else { "no" });
    let key = match (kind, column) {
        ("did", "more") => "unseen",
        (_, "known_scanner") => "scanner",
        (_, "goes_on") => "ongoing",
        (_, column) => column,
    };
    let more = row[if kind == "did" { "unseen" } else { "more" }].as_u64().unwrap_or_default();
    match column {
        "first" | "last" | "start" | "end" | "time" | "from" | "to" => is_time(cell, &row[key]),
        "share" => is_share(cell, &row[key]),
        "packets" => {
            // Of what is not followed none are told.
            let packets = row[key].as_u64().unwrap_or_default();
            if let Some((least, most)) = cell.split_once(" to ") {
                (number(least), number(most)) == (Some(packets), Some(packets + more)) && more > 0
            } else {
                let has_more = is_csv || more == 0 || cell.starts_with("at least ");
                number(cell) == Some(packets) && has_more
            }
        }
        _ => match (column.strip_suffix("_exact"), &row[key]) {
            (Some(of), _) => cell == yes(row[of]["exact"].as_bool()),
            (None, Value::Null) => cell.is_empty(),
            (None, Value::Bool(is)) => cell == yes(Some(*is)),
            (None, Value::Number(told)) => number(cell) == told.as_u64(),
            (None, Value::String(told)) => cell == told,
            (None, Value::Array(told)) => cell == list(told, row, column),
            (None, count) => {
                let is_about = count["exact"] == false && !is_csv;
                number(cell) == count["count"].as_u64() && cell.starts_with("about ") == is_about
            }
        },
    }
}

/// A number, whatever words are in front of it.
fn number(cell: &str) -> Option<u64> {
    cell.rsplit(' ').next()?.parse().ok()
}

fn time(told: &Value) -> Option<Timestamp> {
    told.as_str()?.parse().ok()
}

/// Whether a time is that one, to the second.
fn is_time(cell: &str, told: &Value) -> bool {
    match (cell.parse::<Timestamp>(), time(told)) {
        (Ok(shown), Some(told)) => shown.as_millisecond().abs_diff(told.as_millisecond()) <= 500,
        (_, told) => cell.is_empty() && told.is_none(),
    }
}

/// Whether a share is that one, to as many digits as are shown.
fn is_share(cell: &str, told: &Value) -> bool {
    let is_near = |text: &str, whole: f64, most: f64| {
        let share = text.parse::<f64>().ok().zip(told.as_f64());
        share.is_some_and(|(shown, told)| (shown / whole - told).abs() < most)
    };
    match cell.strip_suffix(" %") {
        Some(percent) => is_near(percent, 100.0, 0.000_6),
        None => is_near(cell, 1.0, 0.000_001),
    }
}

/// Names, or what they have packets of, and how many went elsewhere.
fn list(told: &[Value], row: &Value, column: &str) -> String {
    let mut is_of_packets = false;
    let mut texts: Vec<String> = Vec::new();
    for item in told {
        if let Some(name) = item.as_str() {
            texts.push(name.to_owned());
            continue;
        }
        is_of_packets = true;
        let name = item["slot"].as_str().or(item["name"].as_str()).unwrap_or_default();
        texts.push(format!("{name}:{}", item["packets"]));
    }
    if let Some(packets @ 1..) = row["elsewhere"].as_u64().filter(|_| column == "ports") {
        texts.push(format!("elsewhere:{packets}"));
    }
    texts.join(if is_of_packets { ", " } else { " " })
}
