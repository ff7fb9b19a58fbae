//! A sensor that moves to another region counts for the one that it was in, as `region:packets` has it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use jiff::civil::date;
use sensor_fleet::simulation::BLOCK;
use sensor_fleet::simulation::options::midnight;
use sensor_fleet::vocabulary::series::{DAILY, HOURLY, Rollup};
use sensor_harness::namespace::Namespace;
use sensor_harness::needs;
use sensor_harness::prometheus::{self, Prometheus, run_promtool};
use sensor_harness::report::WrittenReport;

/// October and November.
const DAYS: i64 = 61;
/// The sensor `mover` is in Japan until 10:00 on 15 November.
const MOVE: i64 = 45 * 24 + 10;

/// Where a sensor is in an hour.
fn region(sensor: &str, hour: i64) -> &'static str {
    if sensor == "mover" && hour < MOVE { "japan" } else { "europe" }
}

/// Its packets in it.
const fn packets(hour: i64) -> i64 {
    100 + hour % 7
}

/// What the rules record of periods of so many hours.
fn recorded(rollup: Rollup, delay: i64) -> Result<String> {
    let hours = rollup.seconds / 3_600;
    let start = midnight(date(2023, 10, 1));
    let mut text = String::new();
    let stamp = |period: i64| start + (period + 1) * rollup.seconds + delay;
    let sensors = ["mover", "stayer"];
    let regions = ["japan", "europe"];
    let of = |sensor: &str, place: &str, period: i64| -> Vec<i64> {
        (period * hours..(period + 1) * hours).filter(|hour| region(sensor, *hour) == place).collect()
    };
    writeln!(text, "# TYPE {} gauge", rollup.sensor_packets)?;
    for sensor in sensors {
        for period in 0..DAYS * 24 / hours {
            let sum: i64 = (period * hours..(period + 1) * hours).map(packets).sum();
            let labels = format!("{{sensor=\"{sensor}\",protocol=\"tcp\",port=\"23\"}}");
            writeln!(text, "{}{labels} {sum} {}", rollup.sensor_packets, stamp(period))?;
        }
    }
    writeln!(text, "# TYPE {} gauge", rollup.region_packets)?;
    for place in regions {
        for period in 0..DAYS * 24 / hours {
            let there = sensors.iter().flat_map(|sensor| of(sensor, place, period));
            let there: Vec<i64> = there.map(packets).collect();
            if !there.is_empty() {
                let labels = format!("{{region=\"{place}\",protocol=\"tcp\",port=\"23\"}}");
                let sum: i64 = there.iter().sum();
                writeln!(text, "{}{labels} {sum} {}", rollup.region_packets, stamp(period))?;
            }
        }
    }
    writeln!(text, "# TYPE {} gauge", rollup.observed)?;
    for (sensor, place) in sensors.iter().flat_map(|sensor| regions.map(|place| (sensor, place))) {
        for period in 0..DAYS * 24 / hours {
            let there = of(sensor, place, period).len();
            if there > 0 {
                let labels = format!("{{sensor=\"{sensor}\",region=\"{place}\"}}");
                #[expect(clippy::cast_precision_loss, reason = "hours of a day")]
                let part = there as f64 / hours as f64;
                writeln!(text, "{}{labels} {part} {}", rollup.observed, stamp(period))?;
            }
        }
    }
    Ok(text)
}

#[test]
fn each_day_of_a_sensor_that_moved_counts_where_it_was() -> Result<()> {
    needs!(prometheus::installed());
    let folder = tempfile::tempdir()?;
    let history = folder.path().join("history.om");
    std::fs::write(&history, recorded(DAILY, 77 * 60)? + &recorded(HOURLY, 17 * 60)? + "# EOF\n")?;
    let [create, from, what] = ["tsdb", "create-blocks-from", "openmetrics"].map(OsString::from);
    run_promtool([create, from, what, BLOCK.into(), history.into(), folder.path().join("data").into()])?;
    let namespace = Namespace::new()?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 9090));
    let server = Prometheus::with_folder(&namespace, listen, "scrape_configs: []\n", &[], folder)?;
    // In Japan it is 19:00: most of that day it was still there.
    for (zone, first_day, shown) in
        [("UTC", "2023-11-15", "15 Nov 2023"), ("+09:00", "2023-11-16", "16 Nov 2023")]
    {
        let days = format!("--from 2023-10-02 --to 2023-11-29 --home japan --time-zone={zone}");
        let report = WrittenReport::write(&namespace, &server, &days)?;
        let ahead = if zone == "UTC" { 0 } else { 9 };
        let months = [24..31 * 24, 31 * 24..60 * 24].map(|month| month.start - ahead..month.end - ahead);
        for (month, row) in months.into_iter().zip(report.rows("monthly")) {
            let expected = |place: &str| -> i64 {
                let hours = month.clone().flat_map(|hour| ["mover", "stayer"].map(|sensor| (sensor, hour)));
                hours.filter(|(sensor, hour)| region(sensor, *hour) == place).map(|it| packets(it.1)).sum()
            };
            for place in ["japan", "europe"] {
                let found = row["regions"][place]["packets"].as_i64();
                assert_eq!(found, Some(expected(place)), "{place}, {zone}: {row}");
            }
            assert_eq!(row["home"]["packets"], row["regions"]["japan"]["packets"]);
        }
        let mover = report.rows("sensors").iter().find(|it| it["name"] == "mover").context("no mover")?;
        let expected = serde_json::json!([{ "day": first_day, "from": "japan", "to": "europe" }]);
        assert_eq!((&mover["region"], &mover["moves"]), (&"europe".into(), &expected), "{zone}");
        assert!(report.file("report.md")?.contains(&format!("Europe (Japan before {shown})")));
        assert!(report.json["notes"].to_string().contains("moved to another region within the period: 1."));
    }
    // What Prometheus itself has of the regions.
    let query = "sum by (region) (sum_over_time(region:packets:increase1h[58d] offset -59m59s999ms))";
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let end = midnight(date(2023, 11, 30)) as f64;
    let report = WrittenReport::write(&namespace, &server, "--from 2023-10-03 --to 2023-11-29")?;
    for row in server.query(query, Some(end))? {
        let place = row["metric"]["region"].as_str().context("a region")?;
        let months = report.rows("monthly").iter();
        let sum: i64 = months.filter_map(|month| month["regions"][place]["packets"].as_i64()).sum();
        assert_eq!(row["value"][1].as_str().and_then(|it| it.parse().ok()), Some(sum), "{place}");
    }
    Ok(())
}
