//! The fleet's dashboards: every query of every panel is run against a real Prometheus with months in it, as Grafana
//! would run it, and must have an answer; the sums are those of the history.

mod board;
mod grafana;
mod history;
mod numbers;
mod promql;
mod structure;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::namespace::Namespace;
use sensor_harness::needs;
use sensor_harness::prometheus::{self, Prometheus};
use serde_json::Value;

use board::{Board, boards, list, text};
use grafana::Open;
use history::{DAY, END, HOUR};

/// 2023-10-01, in Unix seconds.
const OCTOBER: u64 = 1_696_118_400;
/// The last second of 2023.
const NEW_YEAR: u64 = 1_704_067_199;

/// What Grafana is told in a dashboard's address, and the range.
type Way = (&'static str, Option<(u64, u64)>, &'static [(&'static str, &'static str)]);

/// Ways to open the dashboards that differ in what the queries become.
const WAYS: [(&str, Way); 13] = [
    ("fleet-overview.json", ("as it is", None, &[])),
    ("fleet-overview.json", ("a quarter", Some((OCTOBER, NEW_YEAR)), &[])),
    ("fleet-overview.json", ("one region", None, &[("region", "overseas"), ("home", "overseas")])),
    ("port.json", ("as it is", None, &[])),
    ("port.json", ("a protocol without ports", None, &[("service", "icmp")])),
    (
        "port.json",
        (
            "one sensor, with a dot in its name",
            None,
            &[("sensors", "overseas-3.example"), ("service", "53/udp")],
        ),
    ),
    ("port.json", ("a quarter", Some((OCTOBER, NEW_YEAR)), &[("service", "48101/tcp")])),
    ("sensor.json", ("as it is", None, &[])),
    ("sensor.json", ("a day", Some((END - DAY, END)), &[("sensor", "overseas-1")])),
    ("sources.json", ("as it is", None, &[])),
    ("sources.json", ("one sensor", Some((END - DAY, END)), &[("sensors", "japan-2")])),
    ("agents.json", ("as it is", None, &[])),
    ("agents.json", ("one agent", None, &[("instance", "host-4:19817")])),
];

/// A server with the history.
fn server() -> Result<(Prometheus, Namespace)> {
    let namespace = Namespace::new()?;
    let folder = tempfile::tempdir()?;
    history::write(folder.path())?;
    let listen = "127.0.0.1:9090".parse()?;
    let server = Prometheus::with_folder(&namespace, listen, "global: {}\n", &[], folder)?;
    Ok((server, namespace))
}

/// The range that a dashboard shows at first, such as `now-7d`.
fn first_range(board: &Board) -> Result<(u64, u64)> {
    let from = text(&board.json["time"], "from");
    let length = from.strip_prefix("now-").with_context(|| format!("{}: {from}", board.file))?;
    let (count, unit) = length.split_at(length.len() - 1);
    let unit = if unit == "d" { DAY } else { HOUR };
    Ok((END - count.parse::<u64>()? * unit, END))
}

#[test]
fn every_panel_has_an_answer() -> Result<()> {
    needs!(prometheus::installed());
    let (server, namespace) = server()?;
    let boards = boards()?;
    let mut asked = 0;
    let mut wrong = Vec::new();
    for (file, (way, range, address)) in WAYS {
        let board = boards.iter().find(|board| board.file == file).context(file)?;
        let range = range.map_or_else(|| first_range(board), Ok)?;
        let mut open = Open::new((&server, &namespace), board, range, address)?;
        for panel in board.panels() {
            // A repeated panel is there once for each value.
            let repeat = text(panel, "repeat").to_owned();
            let values = open.values.get(&repeat).cloned().unwrap_or_else(|| vec![String::new()]);
            let all = open.patterns.get(&repeat).cloned();
            for value in values {
                if !repeat.is_empty() {
                    open.patterns.insert(repeat.clone(), value);
                }
                let mut all_series = Vec::new();
                for target in list(panel, "targets") {
                    asked += 1;
                    let place = format!("{file}, {way}: {}, {}", text(panel, "title"), text(target, "refId"));
                    let checked = open.ask(target).and_then(|series| {
                        check(panel, target, &series)?;
                        all_series.extend(series);
                        Ok(())
                    });
                    if let Err(error) = checked {
                        wrong.push(format!("{place}: {error:#}\n    {}", text(target, "expr")));
                    }
                }
                if text(panel, "type") == "table"
                    && let Err(error) = columns(panel, &all_series)
                {
                    wrong.push(format!("{file}, {way}: {}: {error:#}", text(panel, "title")));
                }
            }
            if let Some(all) = all {
                open.patterns.insert(repeat, all);
            }
        }
    }
    ensure!(wrong.is_empty(), "{} of {asked} queries:\n{}", wrong.len(), wrong.join("\n"));
    println!("{asked} queries answered");
    let known: BTreeSet<_> = WAYS.iter().map(|(file, _)| *file).collect();
    assert_eq!(boards.iter().map(|board| board.file.as_str()).collect::<BTreeSet<_>>(), known);
    Ok(())
}

/// That there are series with numbers, and that they have the labels by which the panel calls and links them.
fn check(panel: &Value, target: &Value, series: &[Value]) -> Result<()> {
    ensure!(!series.is_empty(), "no data");
    let number =
        |sample: &Value| sample[1].as_str().is_some_and(|it| it.parse::<f64>().is_ok_and(f64::is_finite));
    let numbers = series.iter().any(|series| {
        if target["instant"] == true {
            number(&series["value"])
        } else {
            list(series, "values").iter().any(number)
        }
    });
    ensure!(numbers, "no numbers");
    // A range's panel is not one lonely point, unless it is the one that has a point a month.
    let points = series.iter().map(|series| list(series, "values").len()).max().unwrap_or_default();
    ensure!(target["instant"] == true || points > 1, "{points} points");
    let legend = text(target, "legendFormat").replace("{{", "\0").replace("}}", "\0");
    let links = panel["fieldConfig"]["defaults"]["links"]
        .to_string()
        .replace("${__field.labels.", "\0")
        .replace('}', "\0");
    for label in legend.split('\0').skip(1).step_by(2).chain(links.split('\0').skip(1).step_by(2)) {
        // What follows a variable of another kind.
        if label.is_empty() || !label.chars().all(|it| it.is_ascii_alphabetic()) {
            continue;
        }
        ensure!(series.iter().all(|it| it["metric"][label].is_string()), "a series has no label {label}");
    }
    Ok(())
}

/// That a table's transformations name columns that are there.
fn columns(panel: &Value, series: &[Value]) -> Result<()> {
    let labels = series.iter().filter_map(|it| it["metric"].as_object()).flat_map(|it| it.keys());
    let mut columns: BTreeSet<String> = labels.filter(|it| *it != "__name__").cloned().collect();
    columns.insert("Time".to_owned());
    match list(panel, "targets") {
        [_] => drop(columns.insert("Value".to_owned())),
        several => columns.extend(several.iter().map(|it| format!("Value #{}", text(it, "refId")))),
    }
    let mut moved = columns;
    for transformation in list(panel, "transformations") {
        let options = &transformation["options"];
        let keys =
            |name: &str| options[name].as_object().map(|it| it.keys().cloned().collect()).unwrap_or_default();
        let have = |columns: &BTreeSet<String>, named: Vec<String>| {
            let missing: Vec<_> = named.into_iter().filter(|it| !columns.contains(it)).collect();
            ensure!(missing.is_empty(), "{} names {missing:?}, of {columns:?}", text(transformation, "id"));
            Ok(())
        };
        match text(transformation, "id") {
            "merge" => {}
            "sortBy" => {
                have(&moved, list(options, "sort").iter().map(|it| text(it, "field").to_owned()).collect())?;
            }
            "groupBy" => {
                have(&moved, keys("fields"))?;
                moved = keys("fields").into_iter().collect();
                if moved.remove("service") {
                    moved.insert("service (allValues)".to_owned());
                }
            }
            "extractFields" => {
                have(&moved, vec![text(options, "source").to_owned()])?;
                moved.extend((0..10).map(|at| at.to_string()));
            }
            "organize" => {
                for part in ["excludeByName", "indexByName", "renameByName"] {
                    have(&moved, keys(part))?;
                }
                let hidden: Vec<String> = keys("excludeByName");
                let named = |it: &String| options["renameByName"][it].as_str().unwrap_or(it).to_owned();
                moved = moved.iter().filter(|it| !hidden.contains(it)).map(named).collect();
            }
            other => anyhow::bail!("this test doesn't know {other}"),
        }
    }
    Ok(())
}
