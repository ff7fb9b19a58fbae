//! `sensor-fleet report` on what agents tell of sources: its sections are what was simulated, to the packet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Span;
use jiff::civil::{Date, date};
use rstest::rstest;
use sensor_fleet::simulation::options::{Options, Scenario, Sources};
use sensor_fleet::simulation::truth::{KnownKind, Sensor, Truth};
use sensor_harness::needs;
use sensor_harness::prometheus;
use sensor_harness::report::WrittenReport;
use sensor_tests::served::Served;
use serde_json::Value;

/// Half a year of six sensors up to the end of 2023, three of them in Japan.
fn half_a_year(sources: Sources, scenario: Scenario) -> Result<Options> {
    Ok(Options { sources, scenario, ports: 20, ..Options::months(6, 6, date(2024, 1, 1))? })
}

/// The days of a period among those of the history.
fn days(truth: &Truth, from: Date, end: Date) -> Range<usize> {
    let place = |day: Date| {
        let first = truth.arguments.first;
        first.series(Span::new().days(1)).take_while(|it| *it < day).count()
    };
    place(from)..place(end)
}

fn quarter(truth: &Truth) -> Range<usize> {
    days(truth, date(2023, 10, 1), date(2024, 1, 1))
}

fn before(truth: &Truth) -> Range<usize> {
    days(truth, date(2023, 7, 1), date(2023, 10, 1))
}

/// A sensor's days that it observed whole.
fn whole(sensor: &Sensor, days: &Range<usize>) -> Vec<usize> {
    days.clone().filter(|day| sensor.observed[*day] >= 0.9).collect()
}

/// Sums by name over sensors, of some days of each.
fn sums(truth: &Truth, what: KnownKind, days: impl Fn(&Sensor) -> Vec<usize>) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for sensor in &truth.sensors {
        let days = days(sensor);
        for series in sensor.known.iter().filter(|series| series.what == what) {
            let sum: u64 = days.iter().filter_map(|day| series.days[*day]).sum();
            *sums.entry(series.name.as_str()).or_default() += sum;
        }
    }
    sums
}

/// Names by number, the most first, without those that have no rank.
fn ranked<'a>(sums: &BTreeMap<&'a str, u64>) -> Vec<(&'a str, u64)> {
    let named = sums.iter().filter(|(name, sum)| !["other", "unknown", ""].contains(name) && **sum > 0);
    let mut ranked: Vec<(&str, u64)> = named.map(|(name, sum)| (*name, *sum)).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    ranked
}

fn near(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() <= 1e-9 * expected.abs())
}

fn all_of(days: &Range<usize>) -> impl Fn(&Sensor) -> Vec<usize> {
    let days = days.clone();
    move |_| days.clone().collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(of: u64, all: u64) -> f64 {
    of as f64 / all as f64
}

/// Rows by packets: names, packets, shares and ranks before.
fn origins_are(rows: &Value, now: &BTreeMap<&str, u64>, then: &BTreeMap<&str, u64>) -> Result<()> {
    let rows = rows.as_array().context("no rows")?;
    let expected = ranked(now);
    let then_ranked = ranked(then);
    assert_eq!(rows.len(), expected.len().min(10));
    let all: u64 = now.values().sum();
    for (row, (name, packets)) in rows.iter().zip(expected) {
        assert_eq!((row["name"].as_str(), row["packets"].as_u64()), (Some(name), Some(packets)));
        assert!(near(&row["share"], share(packets, all)), "{row}");
        let rank = then_ranked.iter().take(10).position(|(then, _)| *then == name).map(|at| at as u64 + 1);
        assert_eq!(row["previous_rank"].as_u64(), rank, "{row}");
    }
    Ok(())
}

/// Averages by month and group are those of the series, over whole days of sensors that tell.
fn monthly_is(rows: &Value, truth: &Truth, what: KnownKind) -> Result<()> {
    let rows = rows.as_array().context("no months")?;
    assert_eq!(rows.len(), 3);
    for (row, month) in rows.iter().zip([10, 11, 12]) {
        let from = date(2023, month, 1);
        let month = days(truth, from, from.checked_add(Span::new().months(1))?);
        for (group, keep) in [("home", Some(true)), ("overseas", Some(false)), ("all", None)] {
            let (mut sum, mut number) = (0, 0);
            let there = |sensor: &&Sensor| keep.is_none_or(|home| (sensor.region == "japan") == home);
            for sensor in truth.sensors.iter().filter(there) {
                let series = sensor.known.iter().find(|it| it.what == what && it.name.is_empty());
                for count in
                    series.iter().flat_map(|it| whole(sensor, &month).into_iter().map(|day| it.days[day]))
                {
                    sum += count.unwrap_or(0);
                    number += u64::from(count.is_some());
                }
            }
            match number {
                0 => assert!(row[group].is_null(), "{row}"),
                _ => assert!(near(&row[group]["per_sensor_day"], share(sum, number)), "{group}: {row}"),
            }
        }
    }
    Ok(())
}

#[rstest]
#[case::all_sensors_tell(Sources::All, 6)]
#[case::every_second_tells(Sources::Some, 3)]
fn sections_are_what_was_simulated(#[case] sources: Sources, #[case] telling: u64) -> Result<()> {
    needs!(prometheus::installed());
    let options = half_a_year(sources, Scenario::Usual)?;
    let Served { truth, server, namespace } = Served::new(&options, false)?;
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan")?;
    let (now, then) = (quarter(&truth), before(&truth));
    let found = &report.json["sources"];
    assert_eq!(found["told"]["sources"].as_u64(), Some(telling));

    let of = |what, days: &Range<usize>| sums(&truth, what, all_of(days));
    origins_are(&found["countries"], &of(KnownKind::Country, &now), &of(KnownKind::Country, &then))?;
    origins_are(&found["systems"], &of(KnownKind::System, &now), &of(KnownKind::System, &then))?;
    let scanners = &found["scanners"];
    origins_are(&scanners["top"], &of(KnownKind::Scanner, &now), &of(KnownKind::Scanner, &then))?;
    let known: u64 = of(KnownKind::Scanner, &now).values().sum();
    let looked_at: u64 = of(KnownKind::Observed, &now).values().sum();
    assert_eq!((scanners["packets"].as_u64(), scanners["observed"].as_u64()), (Some(known), Some(looked_at)));
    let tools = of(KnownKind::Tool, &now);
    let all: u64 = tools.values().sum();
    let rows = found["tools"].as_array().context("no tools")?;
    assert_eq!(rows.len(), tools.values().filter(|packets| **packets > 0).count());
    for row in rows {
        let packets = tools[row["name"].as_str().context("no name")?];
        assert_eq!(row["packets"].as_u64(), Some(packets));
        assert!(near(&row["share"], share(packets, all)), "{row}");
    }
    let ours: u64 = of(KnownKind::Constituency, &now).values().sum();
    assert_eq!(found["constituencies"][0]["packets"].as_u64(), Some(ours));
    let noticed: u64 = of(KnownKind::Notices, &now).values().sum();
    assert_eq!(found["notices"]["constituencies"]["ours"].as_u64(), Some(noticed));
    let days = quarter(&truth).filter(|day| truth.sensors.iter().any(|sensor| sensor.observed[*day] > 0.0));
    assert_eq!(found["notices"]["days"].as_u64(), Some(days.count() as u64));

    monthly_is(&found["monthly"], &truth, KnownKind::Sources)?;
    monthly_is(&found["victims"], &truth, KnownKind::Victims)?;
    mirai_is(&found["mirai_sources"], &truth)?;
    services_are(&found["services"], &truth)?;
    without_scanners_is(&scanners["without"], &truth, &now)?;

    let said = report.file("report.md")?;
    assert_eq!(said.contains("some tell nothing of it"), telling < 6, "{said}");
    assert!(said.contains("Iran") && said.contains("AS64496"), "{said}");
    // What begins like a formula is none in a spreadsheet.
    assert!(report.file("origins.csv")?.contains("scanner,3,'=Survey(),"));
    let japanese = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan --language ja")?;
    assert!(japanese.file("report.md")?.contains("イラン"));
    assert_eq!(japanese.json["sources"], *found);
    Ok(())
}

/// Countries by their sources with Mirai's mark, over whole days of sensors that tell.
fn mirai_is(rows: &Value, truth: &Truth) -> Result<()> {
    let rows = rows.as_array().context("no rows")?;
    let of = |range: &Range<usize>| {
        let range = range.clone();
        sums(truth, KnownKind::MiraiSources, move |sensor: &Sensor| whole(sensor, &range))
    };
    let expected = ranked(&of(&quarter(truth)));
    let found: Vec<_> = rows.iter().map(|row| (row["country"].as_str(), row["sum"].as_u64())).collect();
    let expected: Vec<_> = expected.iter().take(10).map(|(name, sum)| (Some(*name), Some(*sum))).collect();
    assert_eq!(found, expected);
    for (at, month) in [10, 11, 12].into_iter().enumerate() {
        let from = date(2023, month, 1);
        let month = days(truth, from, from.checked_add(Span::new().months(1))?);
        let telling = truth.sensors.iter().filter(|sensor| !sensor.known.is_empty());
        let told = telling.filter(|sensor| sensor.known.iter().any(|it| it.what == KnownKind::MiraiSources));
        let sensor_days: u64 = told.map(|sensor| whole(sensor, &month).len() as u64).sum();
        let sums = of(&month);
        for row in rows {
            let sum = sums[row["country"].as_str().context("no country")?];
            assert!(near(&row["months"][at][1], share(sum, sensor_days)), "{row}");
        }
    }
    Ok(())
}

/// The first services by sources, over whole days.
fn services_are(rows: &Value, truth: &Truth) -> Result<()> {
    let rows = rows.as_array().context("no services")?;
    let whole_days = |days: Range<usize>| move |sensor: &Sensor| whole(sensor, &days);
    let now = sums(truth, KnownKind::Sources, whole_days(quarter(truth)));
    let then = ranked(&sums(truth, KnownKind::Sources, whole_days(before(truth))));
    let days: u64 = truth
        .sensors
        .iter()
        .filter_map(|sensor| {
            let series =
                sensor.known.iter().find(|it| it.what == KnownKind::Sources && it.name.is_empty())?;
            Some(whole(sensor, &quarter(truth)).iter().filter(|day| series.days[**day].is_some()).count()
                as u64)
        })
        .sum();
    let packets = &truth.rankings.iter().find(|it| it.period.name == "2023Q4").context("no quarter")?.fleet;
    assert_eq!(rows.len(), 5);
    for (row, (service, number)) in rows.iter().zip(ranked(&now)) {
        assert_eq!(row["service"].as_str(), Some(service));
        assert!(near(&row["per_sensor_day"], share(number, days)), "{row}");
        let rank = then.iter().take(10).position(|(then, _)| *then == service).map(|at| at as u64 + 1);
        assert_eq!(row["previous_rank"].as_u64(), rank, "{row}");
        let place = packets.iter().position(|place| place.service == service).map(|at| at as u64 + 1);
        assert!(place.is_none() || row["packets_rank"].as_u64() == place, "{row}");
    }
    Ok(())
}

/// Packets of the quarter less those of known scanners, scaled to all that were counted.
fn without_scanners_is(rows: &Value, truth: &Truth, now: &Range<usize>) -> Result<()> {
    let rows = rows.as_array().context("no tops")?;
    let telling: Vec<usize> =
        (0..truth.sensors.len()).filter(|at| !truth.sensors[*at].known.is_empty()).collect();
    let period = &truth.rankings.iter().find(|it| it.period.name == "2023Q4").context("no quarter")?.period;
    assert!(!rows.is_empty());
    // Home first, then by region.
    let regions: Vec<_> = rows.iter().map(|row| row["region"].as_str().unwrap_or_default()).collect();
    assert!(regions.is_sorted_by_key(|region| (*region != "japan", *region)), "{regions:?}");
    for row in rows {
        let name = row["sensor"].as_str().context("no name")?;
        let at = truth.sensor(name).context("no such sensor")?;
        assert!(telling.contains(&at));
        let sensor = &truth.sensors[at];
        let sum = |what: KnownKind, name: &str| -> u64 {
            let series = sensor.known.iter().find(|it| it.what == what && it.name == name);
            series.map_or(0, |it| now.clone().filter_map(|day| it.days[day]).sum())
        };
        let (observed, missed) = (sum(KnownKind::Observed, ""), sum(KnownKind::Missed, ""));
        let counted = truth.packets(at, period);
        for place in row["top"].as_array().context("no top")? {
            let service = place["service"].as_str().context("no service")?;
            let packets = counted[truth.service(service).context("no such service")?];
            let scanned = share(sum(KnownKind::Scanned, service), observed) * share(observed + missed, 1);
            assert!(
                (place["packets"].as_f64().unwrap_or(-1.0) - (share(packets, 1) - scanned)).abs() < 1.0,
                "{place}"
            );
        }
    }
    Ok(())
}

/// Agents of before, and rules of before, tell nothing: the report is what it was, and says what is missing.
#[test]
fn a_fleet_that_tells_nothing_has_a_report() -> Result<()> {
    needs!(prometheus::installed());
    let options = half_a_year(Sources::None, Scenario::Usual)?;
    let Served { server, namespace, .. } = Served::new(&options, false)?;
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan")?;
    let found = &report.json["sources"];
    assert_eq!((found["told"]["sources"].as_u64(), found["share"].as_f64()), (Some(0), None));
    assert!(report.file("report.md")?.contains("No sensor tells anything of its sources"));
    assert_eq!(report.file("origins.csv")?.lines().count(), 1);
    Ok(())
}

/// What leaves the house has no constituency, no sensor's own top, and numbers that three sensors have.
#[test]
fn what_is_published_has_three_sensors() -> Result<()> {
    needs!(prometheus::installed());
    let options = half_a_year(Sources::All, Scenario::Usual)?;
    let Served { truth, server, namespace } = Served::new(&options, false)?;
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan --publish")?;
    let found = &report.json["sources"];
    assert_eq!(found["constituencies"].as_array().map(Vec::len), Some(0));
    assert_eq!(found["notices"]["constituencies"].as_object().map(serde_json::Map::len), Some(0));
    assert_eq!(found["scanners"]["without"].as_array().map(Vec::len), Some(0));
    let rows = found["countries"].as_array().context("no countries")?;
    assert_eq!(rows.len(), 10);
    let now = quarter(&truth);
    for row in rows {
        let name = row["name"].as_str().context("no name")?;
        let mut of_sensors: Vec<u64> = truth
            .sensors
            .iter()
            .flat_map(|sensor| {
                sensor.known.iter().filter(|it| it.what == KnownKind::Country && it.name == name)
            })
            .map(|series| now.clone().filter_map(|day| series.days[day]).sum())
            .collect();
        of_sensors.sort_unstable_by(|a, b| b.cmp(a));
        let third = of_sensors[2];
        let backed: u64 = of_sensors.iter().map(|packets| (*packets).min(third)).sum();
        let packets = row["packets"].as_u64().context("no packets")?;
        // Three digits are left.
        assert!(packets.abs_diff(backed) * 200 <= backed, "{name}: {packets}, not {backed}");
    }
    Ok(())
}

/// An agent's file of an hour of a day: what two sources of one /24, and a third elsewhere, sent to a port.
fn write_flows(folder: &Path, sensor: &str, day: &str, port: u16) -> Result<()> {
    let begin = format!("{day}T08:00:00Z");
    let line = |source: &str, packets: u64| {
        format!(
            r#"{{"hour":"{begin}","sensor":"{sensor}","source":"{source}","slot":"{port}/tcp","protocol":"tcp","port":{port},"tool":null,"packets":{packets},"bytes":60,"first":"{begin}","last":"{begin}","summary":null}}"#
        )
    };
    let last = format!(
        r#"{{"hour":"{begin}","sensor":"{sensor}","source":null,"slot":"summary","protocol":null,"port":null,"tool":null,"packets":null,"bytes":null,"first":null,"last":null,"summary":{{"observed":100,"missed":0,"sources":3,"exact":true}}}}"#
    );
    let lines = [line("203.0.113.9", 48), line("203.0.113.77", 45), line("192.0.2.200", 7), last];
    let name = format!("flows-{sensor}-{}T08Z.jsonl.gz", day.replace('-', ""));
    let mut file = GzEncoder::new(File::create(folder.join(name))?, Compression::fast());
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.finish()?;
    Ok(())
}

/// Prometheus has no addresses; with the agents' files a surge is said to be one network's, and published without its name.
#[test]
fn a_surge_that_one_network_makes_is_said_to_be_that() -> Result<()> {
    needs!(prometheus::installed());
    let Served { server, namespace, .. } = Served::new(&half_a_year(Sources::All, Scenario::Usual)?, false)?;
    let asked = "--quarter 2023Q4 --home japan";
    let plain = WrittenReport::write(&namespace, &server, asked)?;
    let surges = plain.json["surges"].as_array().context("no surges")?;
    let wide = |surge: &&Value| {
        let sensors = surge["sensors"].as_array().map_or(0, Vec::len);
        sensors >= 3 && surge["service"].as_str().is_some_and(|service| service.ends_with("/TCP"))
    };
    let surge = surges.iter().find(wide).context("no surge of a TCP port on three sensors")?;
    assert!(surge["origin"].is_null() && !plain.file("report.md")?.contains("Sent by"));

    let flows = tempfile::tempdir()?;
    let (service, day) = (surge["service"].as_str().unwrap_or(""), surge["from"].as_str().unwrap_or(""));
    let port: u16 = service.trim_end_matches("/TCP").parse()?;
    for on in surge["sensors"].as_array().context("no sensors")? {
        write_flows(flows.path(), on["sensor"].as_str().context("no name")?, day, port)?;
    }
    let asked = format!("{asked} --files {}", flows.path().display());
    let told = WrittenReport::write(&namespace, &server, &asked)?;
    let made = told.json["surges"].as_array().context("no surges")?;
    let origin = &made
        .iter()
        .find(|made| made["service"] == service && made["from"] == day)
        .context("gone")?["origin"];
    assert_eq!(origin["network"]["name"], "203.0.113.0/24");
    assert!(near(&origin["network"]["share"], 0.93) && near(&origin["source"]["share"], 0.48), "{origin}");
    let said = told.file("report.md")?;
    assert!(said.contains("93 % from one /24 (203.0.113.0/24)"), "{said}");
    assert!(said.contains("Of these 1 was made mostly by one source or one network"), "{said}");

    let public = WrittenReport::write(&namespace, &server, &format!("{asked} --publish"))?;
    let said = public.file("report.md")?;
    assert!(said.contains("93 % from one /24"), "{said}");
    for file in ["report.md", "report.html", "report.json", "surges.csv"] {
        assert!(!public.file(file)?.contains("203.0.113."), "{file} has an address");
    }
    Ok(())
}
