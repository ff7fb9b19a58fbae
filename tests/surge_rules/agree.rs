//! The report and the rules on one history.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use jiff::ToSpan as _;
use jiff::civil::date;
use sensor_fleet::calibrate::noise::Noise;
use sensor_fleet::simulation::BLOCK;
use sensor_fleet::simulation::options::midnight;
use sensor_fleet::vocabulary::series::DAILY;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs;
use sensor_harness::prometheus::{self, Prometheus, run_promtool};
use sensor_harness::report::WrittenReport;
use sensor_harness::workspace;

use super::noise;

/// Eight weeks, the last two of them reported on, the last six days with surges.
const DAYS: usize = 56;
const REPORTED: usize = 14;
const SURGING: usize = 6;
/// Three in each region.
const SENSORS: [(&str, &str); 6] =
    [("a", "japan"), ("b", "japan"), ("c", "japan"), ("x", "europe"), ("y", "europe"), ("z", "europe")];
const SERVICES: usize = 10;
/// What is planted: who sees it, and what that makes it.
const PLANTED: [(&[usize], &str); 3] =
    [(&[1], "sensor-only"), (&[3, 4], "region-only"), (&[0, 1, 2, 3, 4, 5], "global")];

/// Noise, and surges of the three services that have most.
fn history() -> (Vec<Vec<f64>>, BTreeSet<(usize, &'static str)>) {
    let mut cells = noise::fleet(Noise::Gamma, SENSORS.len(), SERVICES, DAYS, 3);
    let least = |service: usize| {
        let cells = cells[service * SENSORS.len()..][..SENSORS.len()].iter();
        cells.map(|days| days.iter().sum::<f64>()).fold(f64::INFINITY, f64::min)
    };
    let mut services: Vec<usize> = (0..SERVICES).collect();
    services.sort_by(|a, b| least(*b).total_cmp(&least(*a)));
    let mut planted = BTreeSet::new();
    for (service, (sensors, verdict)) in services.into_iter().zip(PLANTED) {
        for sensor in sensors {
            let days = &mut cells[service * SENSORS.len() + sensor];
            days[DAYS - SURGING..].iter_mut().for_each(|packets| *packets *= 20.0);
        }
        planted.insert((service, verdict));
    }
    (cells, planted)
}

fn labels(at: usize) -> String {
    format!(
        "sensor=\"{}\",protocol=\"tcp\",port=\"{}\"",
        SENSORS[at % SENSORS.len()].0,
        port(at / SENSORS.len())
    )
}

const fn port(service: usize) -> usize {
    1_000 + service
}

/// The history as a Prometheus has recorded it, in days that begin with this one.
fn recorded(cells: &[Vec<f64>], start: i64) -> Result<String> {
    let mut text = String::new();
    let stamp = |day: usize| -> Result<i64> { Ok(start + (i64::try_from(day)? + 1) * DAILY.seconds + 4_620) };
    writeln!(text, "# TYPE {} gauge", DAILY.sensor_packets)?;
    for (at, days) in cells.iter().enumerate() {
        for (day, packets) in days.iter().enumerate() {
            writeln!(text, "{}{{{}}} {packets} {}", DAILY.sensor_packets, labels(at), stamp(day)?)?;
        }
    }
    writeln!(text, "# TYPE {} gauge", DAILY.observed)?;
    for (sensor, region) in SENSORS {
        for day in 0..DAYS {
            let labels = format!("sensor=\"{sensor}\",region=\"{region}\"");
            writeln!(text, "{}{{{labels}}} 1 {}", DAILY.observed, stamp(day)?)?;
        }
    }
    Ok(text + "# EOF\n")
}

/// Verdicts of strong surges are the same, of the same services and on as many sensors, and there are no others.
#[test]
fn the_report_and_the_rules_agree() -> Result<()> {
    needs!(prometheus::installed());
    let (cells, planted) = history();
    let (first, last) = (date(2023, 10, 1), date(2023, 11, 25));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.om");
    std::fs::write(&path, recorded(&cells, midnight(first))?)?;
    let [create, from, what] = ["tsdb", "create-blocks-from", "openmetrics"].map(OsString::from);
    run_promtool([create, from, what, BLOCK.into(), path.into(), folder.path().join("data").into()])?;
    let namespace = Namespace::new()?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 9090));
    let server = Prometheus::with_folder(&namespace, listen, "scrape_configs: []\n", &[], folder)?;
    let from = last.checked_sub((i64::try_from(REPORTED)? - 1).days())?;
    let report = WrittenReport::write(&namespace, &server, &format!("--from {from} --to {last}"))?;
    let mut found = BTreeSet::new();
    let mut verdicts = String::new();
    for surge in report.rows("surges") {
        let (service, verdict) = (surge["service"].as_str(), surge["verdict"].as_str());
        let (service, verdict) = service.zip(verdict).context("a surge without a service or verdict")?;
        let number = service.split('/').next().context("a port")?;
        let sensors = surge["sensors"].as_array().map_or(0, Vec::len);
        writeln!(
            verdicts,
            "          - {{labels: 'service:surge:verdict{{protocol=\"tcp\",port=\"{number}\",verdict=\"{verdict}\"}}', value: {sensors}}}"
        )?;
        found.insert((number.parse::<usize>()? - port(0), verdict.to_owned()));
    }
    let planted: BTreeSet<_> = planted.into_iter().map(|(at, verdict)| (at, verdict.to_owned())).collect();
    assert_eq!(found, planted, "the report's, and what was planted");

    let mut text = format!("rule_files: ['{}']\n", workspace().join("fleet/rules/surge.yml").display());
    text += "evaluation_interval: 6h\ntests:\n  - interval: 1h\n    input_series:\n";
    for (sensor, region) in SENSORS {
        let observed = super::days(&[1.0; DAYS]);
        let series = format!("sensor:observed:ratio1d{{sensor=\"{sensor}\",region=\"{region}\"}}");
        writeln!(text, "      - {{series: '{series}', values: '{observed}'}}")?;
    }
    for (at, days) in cells.iter().enumerate() {
        let series = format!("sensor:packets:increase1d{{{}}}", labels(at));
        writeln!(text, "      - {{series: '{series}', values: '{}'}}", super::days(days))?;
    }
    // On the third day of the surges: a later one has the first of them in its baseline.
    let day = DAYS - SURGING + 3;
    write!(
        text,
        "    promql_expr_test:\n      - expr: service:surge:verdict\n        eval_time: {day}d\n        exp_samples:\n{verdicts}"
    )?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("agree.yml");
    std::fs::write(&file, text)?;
    run_promtool(["test".as_ref(), "rules".as_ref(), file.as_os_str()]).map(drop)
}
