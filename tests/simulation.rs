//! The simulated histories: what is in the text is what the truth says, and the real Prometheus takes it.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "all numbers here are whole and far below 2^52"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs;

use anyhow::{Context as _, Result};
use jiff::civil::date;
use rstest::rstest;
use sensor_fleet::simulation::options::{Options, Resolution, Scenario, midnight};
use sensor_fleet::simulation::truth::{Kind, Truth};
use sensor_fleet::simulation::{HISTORY, TRUTH, generate};
use sensor_fleet::vocabulary::series::{
    DAILY, DAYS, HOURLY, HOURS, OBSERVED_1D, REGION_PACKETS_1D, Rollup, SENSOR_PACKETS_1D, SENSOR_PACKETS_1H,
};
use sensor_fleet::vocabulary::verdict::SurgeVerdict;
use sensor_harness::needs;
use sensor_harness::prometheus;
use sensor_tests::served::Served;
use serde_json::Value;
use tempfile::TempDir;

fn options(sensors: u32, days: u32, resolution: Resolution) -> Options {
    let options = Options::days(sensors, days, date(2024, 1, 1)).expect("these days exist");
    Options { ports: 20, resolution, ..options }
}

/// A history's text, and the truth about it.
struct Generated {
    text: String,
    truth: Truth,
}

fn generated(options: &Options) -> Result<Generated> {
    let folder = TempDir::new()?;
    let mut done = 0;
    let written = generate(options, folder.path(), &mut |sensors| done = sensors)?;
    assert_eq!(done, options.sensors, "progress goes to the end");
    assert_eq!(fs::read_dir(folder.path())?.count(), 2, "nothing else is left");
    let text = fs::read_to_string(folder.path().join(HISTORY))?;
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!((written.samples, written.bytes), (samples as u64, text.len() as u64));
    assert_eq!(written.series, samples_of(&text).len() as u64);
    Ok(Generated { text, truth: Truth::read(&folder.path().join(TRUTH))? })
}

/// Time in seconds, and value.
type Samples = Vec<(f64, f64)>;

/// The samples by series, parsed anew. Panics on what is no OpenMetrics text, or not in the order of time.
fn samples_of(text: &str) -> BTreeMap<String, Samples> {
    let mut all: BTreeMap<String, Samples> = BTreeMap::new();
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    for line in body.lines().filter(|line| !line.starts_with("# TYPE ")) {
        let (series, rest) = line.split_once("} ").unwrap_or_else(|| panic!("{line}"));
        let (value, time) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        let sample = (time.parse().expect("a time"), value.parse().expect("a value"));
        let samples = all.entry(series.to_owned()).or_default();
        assert!(samples.last().is_none_or(|last| last.0 < sample.0), "{line}");
        samples.push(sample);
    }
    all
}

fn label<'a>(series: &'a str, name: &str) -> &'a str {
    let start = [format!("{{{name}=\""), format!(",{name}=\"")]
        .iter()
        .find_map(|it| Some(series.find(it)? + it.len()));
    start.and_then(|start| series[start..].split('"').next()).unwrap_or("")
}

/// A family's values by the labels asked for and the number of the day or hour (in lengths of `seconds`) they speak
/// of.
fn counted(
    text: &str,
    family: &str,
    labels: &[&str],
    first: i64,
    seconds: i64,
) -> HashMap<(String, i64), f64> {
    let mut sums = HashMap::new();
    for (series, samples) in samples_of(text) {
        if series.split('{').next() == Some(family) {
            let key = labels.iter().map(|name| label(&series, name)).collect::<Vec<_>>().join("|");
            for (time, value) in samples {
                let of = (time as i64 - first) / seconds - 1;
                *sums.entry((key.clone(), of)).or_default() += value;
            }
        }
    }
    sums
}

#[rstest]
#[case::days(options(9, 60, Resolution::Day))]
#[case::hours(options(4, 10, Resolution::Hour))]
#[case::raw(options(3, 2, Resolution::Raw))]
#[case::quiet(Options { scenario: Scenario::Quiet, ..options(9, 60, Resolution::Day) })]
fn the_same_options_give_the_same_bytes(#[case] options: Options) -> Result<()> {
    let (one, two) = (generated(&options)?, generated(&options)?);
    assert!(one.text == two.text && one.truth == two.truth);
    let other = generated(&Options { seed: 2, ..options })?;
    assert!(one.text != other.text);
    Ok(())
}

#[rstest]
#[case::days(options(9, 92, Resolution::Day))]
#[case::hours(options(5, 40, Resolution::Hour))]
#[case::quiet(Options { scenario: Scenario::Quiet, ..options(12, 92, Resolution::Day) })]
fn the_truth_is_the_sum_of_the_samples(#[case] options: Options) -> Result<()> {
    let Generated { text, truth } = generated(&options)?;
    let first = midnight(options.first);
    let of_sensor = ["sensor", "protocol", "port"];
    let by_sensor = counted(&text, SENSOR_PACKETS_1D, &of_sensor, first, 86_400);
    for (at, sensor) in truth.sensors.iter().enumerate() {
        for (service, packets) in truth.services.iter().zip(truth.packets(at, &truth.span())) {
            let key = format!("{}|{}|{}", sensor.name, service.protocol, service.port);
            let sum: f64 = (0..92).filter_map(|day| by_sensor.get(&(key.clone(), day))).sum();
            assert_eq!(sum, packets as f64, "{key}");
        }
    }
    let by_region = counted(&text, REGION_PACKETS_1D, &["region", "protocol", "port"], first, 86_400);
    let mut all = 0;
    for region in &truth.regions {
        for (service, days) in truth.services.iter().zip(&region.days) {
            let key = format!("{}|{}|{}", region.name, service.protocol, service.port);
            for (day, packets) in (0..).zip(days) {
                let found = by_region.get(&(key.clone(), day)).copied().unwrap_or(0.0);
                assert_eq!(found, *packets as f64, "{key} on day {day}");
                all += packets;
            }
        }
    }
    assert_eq!(by_sensor.values().sum::<f64>(), all as f64, "nothing else is counted");
    let observed = counted(&text, OBSERVED_1D, &["sensor"], first, 86_400);
    for sensor in &truth.sensors {
        for (day, share) in (0..).zip(&sensor.observed) {
            let found = observed.get(&(sensor.name.clone(), day)).copied();
            let error = (found.unwrap_or(0.0) - share).abs();
            assert!(error < 1e-12, "{} on day {day}: {found:?}, not {share}", sensor.name);
            assert_eq!(found.is_none(), *share == 0.0, "absent means never");
        }
    }
    Ok(())
}

#[test]
fn days_are_sums_of_hours() -> Result<()> {
    let options = options(5, 40, Resolution::Hour);
    let Generated { text, truth } = generated(&options)?;
    let first = midnight(options.first);
    for (family, labels) in [
        ((|rollup| rollup.sensor_packets) as fn(Rollup) -> &'static str, ["sensor", "protocol", "port"]),
        (|rollup| rollup.region_packets, ["region", "protocol", "port"]),
    ] {
        let days = counted(&text, family(DAILY), &labels, first, 86_400);
        let mut sums: HashMap<_, f64> = HashMap::new();
        for ((key, hour), count) in counted(&text, family(HOURLY), &labels, first, 3_600) {
            *sums.entry((key, hour.div_euclid(24))).or_default() += count;
        }
        assert!(!days.is_empty());
        assert_eq!(days, sums);
    }
    let hours = counted(&text, HOURLY.observed, &["sensor"], first, 3_600);
    for sensor in &truth.sensors {
        for (day, share) in (0..).zip(&sensor.observed) {
            let hours = (0..24).filter_map(|hour| hours.get(&(sensor.name.clone(), day * 24 + hour)));
            assert!((hours.sum::<f64>() / 24.0 - share).abs() < 1e-9, "{} on day {day}", sensor.name);
        }
    }
    Ok(())
}

#[test]
fn raw_samples_show_exactly_what_was_counted() -> Result<()> {
    let options = options(6, 12, Resolution::Raw);
    let Generated { text, truth } = generated(&options)?;
    let mut shown: HashMap<(String, usize), u64> = HashMap::new();
    let mut resets = 0;
    for (series, samples) in samples_of(&text) {
        if !series.starts_with("sensor_packets_total{") {
            continue;
        }
        let key = [label(&series, "sensor"), label(&series, "protocol"), label(&series, "port")].join("|");
        for (last, next) in samples.iter().zip(&samples[1..]) {
            let reset = next.1 < last.1;
            resets += u32::from(reset);
            let (hour, more) = (
                ((next.0 - midnight(options.first) as f64) / 3_600.0) as usize,
                if reset { next.1 } else { next.1 - last.1 } as u64,
            );
            *shown.entry((key.clone(), hour)).or_default() += more;
        }
    }
    assert!(resets > 0, "some host reboots");
    let mut all = 0;
    for sensor in &truth.sensors {
        for (service, hours) in truth.services.iter().zip(&sensor.hours) {
            let key = format!("{}|{}|{}", sensor.name, service.protocol, service.port);
            for (hour, packets) in hours.iter().enumerate() {
                let found = shown.get(&(key.clone(), hour)).copied().unwrap_or(0);
                assert_eq!(found, packets.unwrap_or(0), "{key} in hour {hour}");
                all += found;
            }
        }
    }
    assert_eq!(all, shown.values().sum::<u64>(), "nothing else is shown");
    let totals = (0..truth.sensors.len()).flat_map(|at| truth.packets(at, &truth.span()));
    assert_eq!(all, totals.sum::<u64>());
    let ups = samples_of(&text).into_iter().filter(|(series, _)| series.starts_with("up{"));
    assert!(ups.flat_map(|it| it.1).any(|sample| sample.1 == 0.0), "some scrape fails");
    let kinds: Vec<_> = truth.events.iter().map(|event| event.kind).collect();
    for kind in [Kind::Move, Kind::Reboot, Kind::Outage, Kind::Birth, Kind::End, Kind::Restart] {
        assert!(kinds.contains(&kind), "no {kind:?}");
    }
    Ok(())
}

#[test]
fn the_truth_knows_what_surges() -> Result<()> {
    let options = Options { scenario: Scenario::Usual, ..options(40, 184, Resolution::Day) };
    let Generated { truth, .. } = generated(&options)?;
    let surges: Vec<_> = truth.events.iter().filter_map(|it| Some((it.kind, it.verdict?, it))).collect();
    let expected = [
        (Kind::Worm, SurgeVerdict::Global),
        (Kind::Region, SurgeVerdict::RegionOnly),
        (Kind::Alone, SurgeVerdict::SensorOnly),
        (Kind::Some, SurgeVerdict::Mixed),
        (Kind::NewPort, SurgeVerdict::NewPort),
        (Kind::LoudSource, SurgeVerdict::SensorOnly),
    ];
    assert_eq!(surges.iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(), expected);
    for (kind, _, event) in &surges {
        let service =
            event.service.as_deref().and_then(|it| truth.service(it)).context("a surge has a service")?;
        let day =
            |date: jiff::civil::Date| usize::try_from((midnight(date) - midnight(options.first)) / 86_400);
        let first = day(event.first)?;
        for region in &truth.regions {
            let seen = event.region.as_ref().is_none_or(|it| *it == region.name);
            let (before, since) = (&region.days[service][first - 28..first], region.days[service][first]);
            let mean = before.iter().sum::<u64>() as f64 / 28.0;
            match kind {
                Kind::Worm => assert!(
                    since as f64 > 5.0 * mean,
                    "{} in {}",
                    event.service.as_deref().unwrap_or(""),
                    region.name
                ),
                Kind::Region => assert_eq!(seen, since as f64 > 3.0 * mean, "{}", region.name),
                Kind::NewPort => assert!(mean == 0.0 && since > 0),
                _ => {}
            }
        }
    }
    let quarters: Vec<_> = truth.quarters.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(quarters, ["2023Q3", "2023Q4"]);
    let top = &truth.rankings[1].fleet;
    assert!(top.len() == 10 && top.is_sorted_by(|a, b| a.packets > b.packets));
    assert!(top.iter().any(|it| it.service == "ICMP"));

    let quiet = generated(&Options { scenario: Scenario::Quiet, ..options })?;
    assert!(quiet.truth.events.iter().all(|it| it.verdict.is_none()));
    assert!(quiet.truth.events.iter().any(|it| it.kind == Kind::Outage));
    Ok(())
}

fn value(row: &Value) -> f64 {
    row["value"][1].as_str().and_then(|it| it.parse().ok()).unwrap_or(f64::NAN)
}

#[test]
fn a_real_prometheus_finds_the_days_that_the_truth_has() -> Result<()> {
    needs!(prometheus::installed());
    let served = Served::new(&options(9, 92, Resolution::Day), false)?;
    agrees(&served, 92)
}

#[test]
fn the_rules_make_the_truth_of_raw_samples() -> Result<()> {
    needs!(prometheus::installed());
    let served = Served::new(&options(6, 8, Resolution::Raw), true)?;
    agrees(&served, 8)?;
    // The hours too, each one.
    for hour in 1..=8 * 24 {
        let time = midnight(served.truth.arguments.first) + hour * 3_600;
        let query = format!("last_over_time({SENSOR_PACKETS_1H}[1h] {HOURS})");
        let found = served.server.query(&query, Some(time as f64))?;
        let found: HashMap<String, f64> = found.iter().map(|row| (key(&row["metric"]), value(row))).collect();
        for sensor in &served.truth.sensors {
            for (service, hours) in served.truth.services.iter().zip(&sensor.hours) {
                let key = format!("{}|{}|{}", sensor.name, service.protocol, service.port);
                let expected = hours[usize::try_from(hour - 1)?].map(|packets| packets as f64);
                assert_eq!(found.get(&key).copied(), expected, "{key} in hour {hour}");
            }
        }
    }
    Ok(())
}

fn key(metric: &Value) -> String {
    ["sensor", "protocol", "port"].map(|name| metric[name].as_str().unwrap_or("")).join("|")
}

/// The server's days add up to the truth, for each sensor and service, and so does what was observed.
fn agrees(served: &Served, days: i64) -> Result<()> {
    let truth = &served.truth;
    let end = midnight(truth.arguments.end) as f64;
    let query = format!("sum_over_time({SENSOR_PACKETS_1D}[{days}d] {DAYS})");
    let found = served.server.query(&query, Some(end))?;
    let mut found: HashMap<String, f64> = found.iter().map(|row| (key(&row["metric"]), value(row))).collect();
    for (at, sensor) in truth.sensors.iter().enumerate() {
        for (service, packets) in truth.services.iter().zip(truth.packets(at, &truth.span())) {
            let key = format!("{}|{}|{}", sensor.name, service.protocol, service.port);
            assert_eq!(found.remove(&key).unwrap_or(0.0), packets as f64, "{key}");
        }
    }
    assert!(found.is_empty(), "{found:?}");
    let query = format!("sum by (region) (sum_over_time({REGION_PACKETS_1D}[{days}d] {DAYS}))");
    let found = served.server.query(&query, Some(end))?;
    assert_eq!(found.len(), truth.regions.len());
    for region in &truth.regions {
        let row = found.iter().find(|row| row["metric"]["region"] == region.name.as_str());
        let sum: u64 = region.days.iter().flatten().sum();
        assert_eq!(row.map(value), Some(sum as f64), "{}", region.name);
    }
    for day in 1..=days {
        let time = midnight(truth.arguments.first) + day * 86_400;
        let query = format!("last_over_time({OBSERVED_1D}[1d] {DAYS})");
        let found = served.server.query(&query, Some(time as f64))?;
        for sensor in &truth.sensors {
            let row = found.iter().find(|row| row["metric"]["sensor"] == sensor.name.as_str());
            let share = sensor.observed[usize::try_from(day - 1)?];
            let found = row.map_or(0.0, value);
            assert!((found - share).abs() < 1e-9, "{} on day {day}: {found}, not {share}", sensor.name);
            assert!(row.is_none_or(|row| row["metric"]["region"] == sensor.region.as_str()));
        }
    }
    Ok(())
}
