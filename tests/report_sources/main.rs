//! `sensor-fleet report` on what agents tell of sources: its sections are what was simulated, to the packet.

mod expected;
mod sections;
mod shifts;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Span;
use jiff::civil::{Date, date};
use rstest::rstest;
use sensor_fleet::simulation::options::{Options, Scenario, Sources};
use sensor_fleet::simulation::truth::{Kind, KnownKind};
use sensor_harness::needs;
use sensor_harness::prometheus;
use sensor_harness::report::WrittenReport;
use sensor_tests::served::Served;
use serde_json::{Value, json};

use expected::{all_of, before, distinct, is_named, looked_at, quarter, share, sums, syns_of_mirai};
use sections::{
    country_sources_are, mirai_is, monthly_is, near, origins_are, services_are, without_scanners_is,
};
use shifts::shifts_are;

/// Half a year of six sensors up to the end of 2023, three of them in Japan.
fn half_a_year(sources: Sources, scenario: Scenario) -> Result<Options> {
    Ok(Options { sources, scenario, ports: 20, ..Options::months(6, 6, date(2024, 1, 1))? })
}

#[rstest]
#[case::all_sensors_tell(Sources::All, 6, 6)]
#[case::every_second_tells(Sources::Some, 3, 5)]
fn sections_are_what_was_simulated(
    #[case] sources: Sources,
    #[case] telling: u64,
    #[case] tools: u64,
) -> Result<()> {
    needs!(prometheus::installed());
    let options = half_a_year(sources, Scenario::Usual)?;
    let Served { truth, server, namespace } = Served::new(&options, false)?;
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan")?;
    let (now, then) = (quarter(&truth), before(&truth));
    let found = &report.json["sources"];
    let told = json!({
        "sensors": 6,
        "sources": telling,
        "countries": telling,
        "systems": telling,
        "tools": tools,
        "scanners": telling,
        "constituencies": telling,
    });
    assert_eq!(found["told"], told);
    assert!(near(&found["share"], looked_at(&truth)), "{}", found["share"]);

    let both = |what| [&now, &then].map(|days| sums(&truth, what, all_of(days)));
    origins_are(&found["countries"], &both(KnownKind::Country), is_named, 10)?;
    country_sources_are(&found["countries"], &truth)?;
    origins_are(&found["systems"], &both(KnownKind::System), is_named, 10)?;
    let scanners = &found["scanners"];
    origins_are(&scanners["top"], &both(KnownKind::Scanner), is_named, 10)?;
    let [known, known_then] = both(KnownKind::Scanner).map(|sums| sums.values().sum::<u64>());
    let [observed, observed_then] = both(KnownKind::Observed).map(|sums| sums.values().sum::<u64>());
    assert_eq!((scanners["packets"].as_u64(), scanners["observed"].as_u64()), (Some(known), Some(observed)));
    assert!(near(&scanners["share"], share(known, observed)), "{}", scanners["share"]);
    let share_then = &scanners["previous_share"];
    assert!(near(share_then, share(known_then, observed_then)), "{share_then}");
    origins_are(&found["tools"], &both(KnownKind::Tool), |_| true, usize::MAX)?;
    origins_are(&found["constituencies"], &both(KnownKind::Constituency), |_| true, usize::MAX)?;
    let [noticed, _] = both(KnownKind::Notices).map(|sums| sums.values().sum::<u64>());
    assert_eq!(found["notices"]["constituencies"]["ours"].as_u64(), Some(noticed));
    let days = now.clone().filter(|day| truth.sensors.iter().any(|sensor| sensor.observed[*day] > 0.0));
    assert_eq!(found["notices"]["days"].as_u64(), Some(days.count() as u64));

    monthly_is(&found["monthly"], &truth, distinct(KnownKind::Sources))?;
    monthly_is(&found["victims"], &truth, distinct(KnownKind::Victims))?;
    monthly_is(&found["mirai"], &truth, syns_of_mirai)?;
    mirai_is(&found["mirai_sources"], &truth)?;
    services_are(&found["services"], &truth)?;
    without_scanners_is(&scanners["without"], &truth)?;
    let fell = shifts_are(&found["shifts"], &truth)?;

    let said = report.file("report.md")?;
    assert_eq!(said.contains("some tell nothing of it"), telling < 6, "{said}");
    assert!(said.contains("AS64496"), "{said}");
    assert_eq!(said.contains("Iran fell"), fell, "{said}");
    // What begins like a formula is none in a spreadsheet.
    assert!(report.file("origins.csv")?.contains("scanner,3,'=Survey(),"));
    let japanese = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan --language ja")?;
    assert_eq!(japanese.file("report.md")?.contains("イランの減少"), fell);
    assert_eq!(japanese.json["sources"], *found);
    Ok(())
}

/// Where nothing surges, and no country falls silent, no number moves, whatever befalls sensors.
#[test]
fn nothing_is_taken_for_a_surge_or_a_shift() -> Result<()> {
    needs!(prometheus::installed());
    let options = half_a_year(Sources::All, Scenario::Quiet)?;
    let Served { truth, server, namespace } = Served::new(&options, false)?;
    assert!(truth.events.iter().all(|event| event.verdict.is_none() && event.kind != Kind::Shutdown));
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan")?;
    let found = &report.json;
    assert_eq!(found["sources"]["told"]["countries"], 6);
    for rows in [&found["surges"], &found["shifts"], &found["sources"]["shifts"]] {
        assert_eq!(*rows, json!([]));
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
fn write_flows(folder: &Path, sensor: &str, day: Date, hour: usize, port: u16) -> Result<()> {
    let begin = format!("{day}T{hour:02}:00:00Z");
    let line = |source: &str, packets: u64| {
        format!(
            r#"{{"hour":"{begin}","sensor":"{sensor}","source":"{source}","slot":"{port}/tcp","protocol":"tcp","port":{port},"tool":null,"packets":{packets},"bytes":60,"first":"{begin}","last":"{begin}","summary":null}}"#
        )
    };
    let last = format!(
        r#"{{"hour":"{begin}","sensor":"{sensor}","source":null,"slot":"summary","protocol":null,"port":null,"tool":null,"packets":null,"bytes":null,"first":null,"last":null,"summary":{{"observed":100,"missed":0,"sources":3,"exact":true}}}}"#
    );
    let lines = [line("203.0.113.9", 48), line("203.0.113.77", 45), line("192.0.2.200", 7), last];
    let name = format!("flows-{sensor}-{}T{hour:02}Z.jsonl.gz", day.strftime("%Y%m%d"));
    let mut file = GzEncoder::new(File::create(folder.join(name))?, Compression::fast());
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.finish()?;
    Ok(())
}

/// Prometheus has no addresses; with the agents' files a surge is said to be one network's. What is published is the same as without.
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
    let date = |surge: &Value, of: &str| surge[of].as_str().and_then(|day| day.parse::<Date>().ok());
    let days = |surge: &Value| date(surge, "from").zip(date(surge, "to")).map(|(from, to)| from.until(to));
    // The shortest, since it takes a file for each of its hours.
    let shortest = surges
        .iter()
        .filter(wide)
        .min_by_key(|surge| days(surge).and_then(Result::ok).map_or(i32::MAX, |span| span.get_days()));
    let surge = shortest.context("no surge of a TCP port on three sensors")?;
    assert!(surge["origin"].is_null() && !plain.file("report.md")?.contains("Sent by"));

    let flows = tempfile::tempdir()?;
    let (service, day) = (surge["service"].as_str().unwrap_or(""), surge["from"].as_str().unwrap_or(""));
    let port: u16 = service.trim_end_matches("/TCP").parse()?;
    let (from, to) = date(surge, "from").zip(date(surge, "to")).context("no days")?;
    for on in surge["sensors"].as_array().context("no sensors")? {
        let sensor = on["sensor"].as_str().context("no name")?;
        for date in from.series(Span::new().days(1)).take_while(|date| *date <= to) {
            (0..24).try_for_each(|hour| write_flows(flows.path(), sensor, date, hour, port))?;
        }
    }
    let with_files = format!("{asked} --files {}", flows.path().display());
    let told = WrittenReport::write(&namespace, &server, &with_files)?;
    let in_list = |report: &WrittenReport, list: &str| {
        let is_it = |made: &&Value| made["service"] == service && made["from"] == day;
        report.json[list].as_array().and_then(|list| list.iter().find(is_it)).cloned()
    };
    assert_eq!(in_list(&told, "surges"), None, "it is none that the Internet shows");
    let made = in_list(&told, "surges_of_one").context("gone")?;
    let origin = &made["origin"];
    assert_eq!(origin["one"]["name"], "203.0.113.0/24");
    assert_eq!(origin["network"]["name"], "203.0.113.0/24");
    assert!(near(&origin["network"]["share"], 0.93) && near(&origin["source"]["share"], 0.48), "{origin}");
    let said = told.file("report.md")?;
    assert!(said.contains("93 % from one /24 (203.0.113.0/24)"), "{said}");
    assert!(said.contains("1 more that one source or one network made is listed apart"), "{said}");

    let published = WrittenReport::write(&namespace, &server, &format!("{with_files} --publish"))?;
    let without_files = WrittenReport::write(&namespace, &server, &format!("{asked} --publish"))?;
    for file in ["report.md", "report.html", "report.json", "surges.csv", "surges-of-one.csv"] {
        assert_eq!(published.file(file)?, without_files.file(file)?, "{file}");
    }
    Ok(())
}
