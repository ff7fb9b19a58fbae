//! What the panels say, against the history that they say it of.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use sensor_common::layout::side::Tool;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs;
use sensor_harness::prometheus::{self, Prometheus};
use serde_json::Value;

use crate::board::{boards, list, text};
use crate::grafana::Open;
use crate::history::{self, COUNTRIES, DAY, END, FIRST, HOUR, MISSED, SENSORS, SERVICES};
use crate::{NEW_YEAR, OCTOBER, first_range, server};

/// Values by labels.
type ByLabels = BTreeMap<Vec<String>, f64>;

/// The values of an instant query by the labels named.
fn by(series: &[Value], labels: &[&str]) -> ByLabels {
    let key = |it: &Value| labels.iter().map(|label| text(&it["metric"], label).to_owned()).collect();
    let value = |it: &Value| it["value"][1].as_str().and_then(|it| it.parse().ok()).unwrap_or(f64::NAN);
    series.iter().map(|it| (key(it), value(it))).collect()
}

/// What a panel's query answers over the last quarter of 2023.
fn quarter(
    server: &(Prometheus, Namespace),
    (file, title, target): (&str, &str, usize),
    address: &[(&str, &str)],
) -> Result<Vec<Value>> {
    let boards = boards()?;
    let board = boards.iter().find(|board| board.file == file).context("no such file")?;
    let open = Open::new((&server.0, &server.1), board, (OCTOBER, NEW_YEAR), address)?;
    open.ask(&board.panel(title)?["targets"][target])
}

#[test]
fn the_numbers_are_those_of_the_history() -> Result<()> {
    needs!(prometheus::installed());
    let server = server()?;
    let (from, to) = (OCTOBER, NEW_YEAR + 1);
    assert!(FIRST < from - (to - from), "the quarter before it is there too");
    let of = |sensors: &[usize], services: &[usize], from: u64, to: u64| {
        let each = sensors.iter().flat_map(|sensor| services.iter().map(move |service| (*sensor, *service)));
        float(each.map(|(sensor, service)| history::sum(sensor, service, from, to)).sum())
    };
    let sensors: Vec<_> = (0..SENSORS.len()).collect();
    let services: Vec<_> = (0..SERVICES.len()).collect();
    let days = |sensors: &[usize], from, to| {
        sensors.iter().map(|it| history::share(*it, from, to - from)).sum::<f64>() * float((to - from) / DAY)
    };

    // A quarter to its last second: not a packet of the days before and after.
    let total = quarter(&server, ("fleet-overview.json", "Packets in the range", 0), &[])?;
    assert_eq!(by(&total, &[]), only(of(&sensors, &services, from, to)));
    let average = quarter(&server, ("fleet-overview.json", "Packets per sensor and day", 0), &[])?;
    close(by(&average, &[])[&vec![]], of(&sensors, &services, from, to) / days(&sensors, from, to))?;
    // One sensor has hours of its last two months; the range is all of them.
    let (from_hours, to_hours) = (END - 7 * DAY, END);
    let board = boards()?;
    let board = board.iter().find(|it| it.file == "sensor.json").context("no sensor.json")?;
    let open = Open::new((&server.0, &server.1), board, (from_hours, to_hours), &[("sensor", "japan-2")])?;
    let hours = open.ask(&board.panel("Packets in the range")?["targets"][0])?;
    let full = |time: u64| time / HOUR * HOUR;
    assert_eq!(by(&hours, &[]), only(of(&[1], &services, full(from_hours + HOUR - 1), full(to_hours))));

    // The monthly comparison: each month by itself.
    for (target, region) in [(0, "japan"), (1, "overseas")] {
        let months = quarter(
            &server,
            ("fleet-overview.json", "Packets per sensor and day, by month", target),
            &[("home", "japan")],
        )?;
        let points = list(&months[0], "values");
        assert_eq!(points.len(), 3, "{points:?}");
        let sensors: Vec<_> = history::of(region).collect();
        for (point, days_in_month) in points.iter().zip([31, 30, 31]) {
            let start = point[0].as_u64().context("not a time")?;
            let end = start + days_in_month * DAY;
            let value: f64 = point[1].as_str().context("not a value")?.parse()?;
            close(value, of(&sensors, &services, start, end) / days(&sensors, start, end))?;
        }
        assert!(points.iter().any(|point| point[0].as_u64().is_some_and(|it| it < MISSED)));
    }

    // Table 1: ten services for each sensor, and the ten that lead.
    let table = quarter(&server, ("fleet-overview.json", "Top 10 of each sensor", 0), &[])?;
    let table = by(&table, &["region", "sensor", "service"]);
    assert_eq!(table.len(), 10 * SENSORS.len());
    for (sensor, (name, region)) in SENSORS.iter().enumerate() {
        let ranked = SERVICES.iter().enumerate().filter(|(_, (protocol, port, _))| {
            *protocol != "malformed" && !["other", "fragment"].contains(port)
        });
        let mut ranked: Vec<_> = ranked
            .map(|(service, (protocol, port, _))| {
                let service = history::sum(sensor, service, from, to);
                (service, if port.is_empty() { (*protocol).to_owned() } else { format!("{port}/{protocol}") })
            })
            .collect();
        ranked.sort_by_key(|(packets, _)| std::cmp::Reverse(*packets));
        for (packets, service) in &ranked[..10] {
            let key = vec![(*region).to_owned(), (*name).to_owned(), service.clone()];
            assert_eq!(table.get(&key), Some(&float(*packets)), "{key:?}");
        }
    }

    // Tools: the share of each in the SYNs of a sensor, and of a region.
    let made = |sensors: &[usize], place: usize| {
        let days = (from..to).step_by(usize::try_from(DAY).unwrap_or_default());
        let each = days.flat_map(|day| sensors.iter().map(move |it| history::detail(*it, place, day)));
        float(each.sum())
    };
    let share = |sensors: &[usize], place: usize| {
        made(sensors, place) / Tool::ALL.iter().enumerate().map(|(at, _)| made(sensors, at)).sum::<f64>()
    };
    for (place, _) in Tool::ALL.iter().enumerate() {
        let found =
            by(&quarter(&server, ("fleet-overview.json", "Tools, by sensor", place), &[])?, &["sensor"]);
        assert_eq!(found.len(), SENSORS.len());
        for (sensor, (name, _)) in SENSORS.iter().enumerate() {
            close(found[&vec![(*name).to_owned()]], share(&[sensor], place))?;
        }
        let found =
            by(&quarter(&server, ("fleet-overview.json", "Tools, by region", place), &[])?, &["region"]);
        for region in ["japan", "overseas"] {
            let sensors: Vec<_> = history::of(region).collect();
            close(found[&vec![region.to_owned()]], share(&sensors, place))?;
        }
    }

    // The period before, at the range's beginning.
    let before = quarter(&server, ("fleet-overview.json", "Top 10 services of the fleet", 2), &[])?;
    let before = by(&before, &["service"]);
    assert_eq!(before.len(), 10);
    let telnet = of(&sensors, &[0], from - (to - from), from);
    assert_eq!(before.get(&vec!["23/tcp".to_owned()]), Some(&telnet));
    Ok(())
}

#[test]
fn a_sensor_that_is_gone_and_a_port_that_surges_are_seen() -> Result<()> {
    needs!(prometheus::installed());
    let server = server()?;
    let boards = boards()?;
    let ask = |file: &str, title: &str, target: usize, address: &[(&str, &str)]| {
        let board = boards.iter().find(|board| board.file == file).context("no such file")?;
        let open = Open::new((&server.0, &server.1), board, first_range(board)?, address)?;
        open.ask(&board.panel(title)?["targets"][target])
    };
    let one = |series: &[Value]| by(series, &[]).values().copied().collect::<Vec<_>>();
    assert_eq!(one(&ask("fleet-overview.json", "Sensors that observe", 0, &[])?), [5.0]);
    assert_eq!(one(&ask("fleet-overview.json", "Sensors that observe", 1, &[])?), [6.0]);
    assert_eq!(one(&ask("fleet-overview.json", "Sensors that don't", 0, &[])?), [1.0]);
    let states = by(&ask("fleet-overview.json", "$region", 0, &[])?, &["region", "sensor"]);
    for (sensor, (name, region)) in SENSORS.iter().enumerate() {
        let state = if sensor == 5 { 0.0 } else { 2.0 };
        assert_eq!(states.get(&vec![(*region).to_owned(), (*name).to_owned()]), Some(&state), "{name}");
    }
    // One verdict, the newest; and none on what doesn't surge.
    let verdicts = by(&ask("fleet-overview.json", "Surges now", 0, &[])?, &["service", "verdict"]);
    assert_eq!(verdicts, BTreeMap::from([(vec!["37215/tcp".to_owned(), "global".to_owned()], 6.0)]));
    for (service, verdict) in [("37215/tcp", ("global", 6.0)), ("icmp", ("no surge", 0.0))] {
        let found = by(&ask("port.json", "Surge verdict", 0, &[("service", service)])?, &["verdict"]);
        assert_eq!(found, BTreeMap::from([(vec![verdict.0.to_owned()], verdict.1)]), "{service}");
    }
    // Everywhere twenty times as much of one port; as usual of another.
    for (service, share) in [("37215/tcp", 1.0), ("23/tcp", 0.0)] {
        let address = [("service", service)];
        let above = ask("port.json", "Share of sensors above baseline", 0, &address)?;
        assert_eq!(one(&above), [share], "{service}");
        let times = one(&ask("port.json", "All sensors, times baseline", 0, &address)?)[0];
        assert!(if share > 0.0 { times > 15.0 } else { (0.7..1.5).contains(&times) }, "{service}: {times}");
    }
    Ok(())
}

/// Sources of a sensor that was always there, over a day; and what reaches all of them.
#[test]
fn what_is_said_of_sources_is_that_of_the_history() -> Result<()> {
    needs!(prometheus::installed());
    let server = server()?;
    let boards = boards()?;
    let board = boards.iter().find(|board| board.file == "sources.json").context("no such file")?;
    let (from, to) = first_range(board)?;
    let all = Open::new((&server.0, &server.1), board, (from, to), &[])?;
    let one = Open::new((&server.0, &server.1), board, (from, to), &[("sensors", "japan-2")])?;
    let ask = |open: &Open<'_>, title: &str, target: usize| open.ask(&board.panel(title)?["targets"][target]);

    // Countries: packets, their part of all, and the sources of a day.
    let countries = |open: &Open<'_>, target| anyhow::Ok(by(&ask(open, "Countries", target)?, &["country"]));
    let known: u32 = COUNTRIES.iter().map(|(_, a_second)| *a_second).sum();
    let expected = |times: f64| -> ByLabels {
        let named = COUNTRIES.iter().filter(|(name, _)| *name != "unknown");
        named.map(|(name, a_second)| (vec![(*name).to_owned()], f64::from(*a_second) * times)).collect()
    };
    for (target, times) in [(0, float(to - from)), (1, 1.0 / f64::from(known)), (2, 100.0)] {
        let (found, expected) = (countries(&one, target)?, expected(times));
        assert!(found.keys().eq(expected.keys()), "{found:?} and not {expected:?}");
        found.values().zip(expected.values()).try_for_each(|(found, it)| close(*found, *it))?;
    }
    let packets = countries(&one, 0)?;
    assert_eq!(by(&ask(&one, "Packets by country", 0)?, &["country"]), packets);
    // The last host is silent for two hours.
    for (country, together) in countries(&all, 0)? {
        let sensors = together / packets[&country];
        ensure!((5.8..6.0).contains(&sensors), "{country:?} on {sensors} sensors");
    }

    // What every point of a curve is, and how near.
    let is = |title: &str, label: (&str, &str), expected: &dyn Fn(u64) -> f64, near: f64| -> Result<()> {
        let series = ask(&one, title, 0)?;
        let curve = series.iter().find(|it| text(&it["metric"], label.0) == label.1).context("no curve")?;
        let points = list(curve, "values");
        ensure!(points.len() > 1, "{title}: {points:?}");
        for point in points {
            let expected = expected(point[0].as_u64().context("not a time")?);
            let found: f64 = point[1].as_str().context("not a value")?.parse()?;
            ensure!((found - expected).abs() <= near * expected, "{title}: {point} and not {expected}");
        }
        Ok(())
    };
    is("SYNs by tool", ("tool", "masscan"), &|_| 1.0 / 90.0, 1e-6)?;
    is("SYNs by tool", ("tool", "other"), &|_| 1.0 / 40.0, 1e-6)?;
    // Six an hour, give or take one.
    is("Packets from constituencies", ("constituency", "ours"), &|_| 6.0, 1.0 / 6.0)?;
    is("Distinct sources, by sensor", ("sensor", "japan-2"), &|at| float(900 + at / HOUR % 24), 0.0)?;
    is("Share that was looked at", ("sensor", "japan-2"), &|_| 0.9, 1e-12)?;

    // What reaches the sensors.
    let labelled = |labels: &[&str], value: f64| -> (Vec<String>, f64) {
        (labels.iter().map(|it| (*it).to_owned()).collect(), value)
    };
    let hour = END / HOUR * HOUR;
    let last = |sensor: usize| if sensor == 1 { hour - DAY } else { hour };
    let names = || SENSORS.iter().enumerate().map(|(sensor, (name, _))| (sensor, *name));
    let ago: ByLabels =
        names().map(|(sensor, name)| labelled(&[name, "Example Scan"], float(END - last(sensor)))).collect();
    let found = ask(&all, "When known scanners were there last", 0)?;
    assert_eq!(by(&found, &["sensor", "scanner"]), ago);
    let peers: ByLabels =
        names().map(|(sensor, name)| labelled(&[name], float(10 + sensor as u64) / 10.0)).collect();
    let found = ask(&all, "Packets per address, in medians of the fleet", 0)?;
    assert_eq!(by(&found, &["sensor"]), peers);
    let gone = |target, labels: &[&str]| anyhow::Ok(by(&ask(&all, "What no longer comes", target)?, labels));
    assert_eq!(
        gone(0, &["sensor", "scanner"])?,
        ByLabels::from([labelled(&["japan-2", "Example Scan"], 1.0)])
    );
    let port = ByLabels::from([labelled(&["japan-2", "tcp", "445"], 1.0)]);
    assert_eq!(gone(1, &["sensor", "protocol", "port"])?, port);
    Ok(())
}

/// One value without labels.
fn only(value: f64) -> ByLabels {
    BTreeMap::from([(vec![], value)])
}

fn close(found: f64, expected: f64) -> Result<()> {
    ensure!((found / expected - 1.0).abs() < 1e-12, "{found} and not {expected}");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}
