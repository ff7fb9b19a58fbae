//! `sensor-fleet report` on simulated histories: what it says is what was simulated, to the packet.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use rstest::rstest;
use sensor_fleet::simulation::options::{Options, Resolution, Scenario, midnight};
use sensor_fleet::simulation::truth::{Event, Place, Ranking, Truth};
use sensor_fleet::vocabulary::series::{HOURS, SENSOR_PACKETS_1H};
use sensor_harness::needs;
use sensor_harness::prometheus;
use sensor_harness::report::WrittenReport;
use sensor_tests::served::Served;
use serde_json::Value;

/// Half a year up to the end of 2023.
fn half_a_year(sensors: u32, scenario: Scenario, seed: u64) -> Result<Options> {
    Ok(Options { scenario, seed, ..Options::months(sensors, 6, date(2024, 1, 1))? })
}

fn ranking<'a>(truth: &'a Truth, period: &str) -> Result<&'a Ranking> {
    truth.rankings.iter().find(|it| it.period.name == period).with_context(|| format!("no {period}"))
}

fn expected(places: &[Place], length: usize) -> Vec<(String, u64)> {
    places.iter().take(length).map(|place| (place.service.clone(), place.packets)).collect()
}

fn found(rows: &Value) -> Vec<(String, u64)> {
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    let row = |row: &Value| Some((row["service"].as_str()?.to_owned(), row["packets"].as_u64()?));
    rows.iter().filter_map(row).collect()
}

fn near(found: &Value, expected: Option<f64>) -> bool {
    match (found["per_sensor_day"].as_f64(), expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected,
        (found, expected) => found.is_none() && expected.is_none(),
    }
}

#[test]
fn a_quarter_is_what_was_simulated() -> Result<()> {
    needs!(prometheus::installed());
    let Served { truth, server, namespace } = Served::new(&half_a_year(40, Scenario::Usual, 1)?, false)?;
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4 --home japan")?;
    let (now, before) = (ranking(&truth, "2023Q4")?, ranking(&truth, "2023Q3")?);

    // Sums, exact.
    let packets = |sensor: &str| {
        let sensor = truth.sensor(sensor).context("no such sensor")?;
        anyhow::Ok(truth.packets(sensor, &now.period).iter().sum::<u64>())
    };
    let counted = report.packets()?;
    for (sensor, found) in &counted {
        assert_eq!(*found, packets(sensor)?, "{sensor}");
    }
    let all: u64 = (0..truth.sensors.len()).flat_map(|at| truth.packets(at, &now.period)).sum();
    assert_eq!((report.total(), counted.iter().map(|(_, packets)| packets).sum()), (Some(all), all));

    // Ranks.
    assert_eq!(found(&report.json["top"]), expected(&now.fleet, 5));
    for row in report.rows("top") {
        let first = before.fleet.iter().take(10).position(|place| row["service"] == place.service.as_str());
        assert_eq!(row["previous_rank"].as_u64(), first.map(|at| at as u64 + 1), "{row}");
    }
    for sensor in report.rows("sensors") {
        let at = sensor["name"].as_str().and_then(|name| truth.sensor(name)).context("no such sensor")?;
        assert_eq!(found(&sensor["top"]), expected(&now.sensors[at], 10), "{}", sensor["name"]);
    }

    // Averages over observed days.
    let months: Vec<_> = truth.months.iter().filter(|month| now.period.first <= month.first).collect();
    assert_eq!(report.rows("monthly").len(), months.len());
    for (row, month) in report.rows("monthly").iter().zip(months) {
        let average = |home: bool| truth.per_sensor_day(month, |sensor| (sensor.region == "japan") == home);
        assert!(near(&row["home"], average(true)) && near(&row["overseas"], average(false)), "{row}");
    }

    surges_are_those_of(&truth, &report);
    Ok(())
}

/// Every surge that was simulated in the period is there with its verdict, and no other.
fn surges_are_those_of(truth: &Truth, report: &WrittenReport) {
    let simulated = |event: &Event| Some((event.service.clone()?, event.verdict?.to_string()));
    let simulated: BTreeSet<_> = truth.events.iter().filter_map(simulated).collect();
    let row = |row: &Value| Some((row["service"].as_str()?.to_owned(), row["verdict"].as_str()?.to_owned()));
    let reported: BTreeSet<_> = report.rows("surges").iter().filter_map(row).collect();
    assert_eq!(reported, simulated, "left: reported, right: simulated");
}

/// Noise, drift, outages, births and restarts are no surges and no shifts. The promise is that one report in twenty has
/// one; these have none, and are always the same.
#[rstest]
#[case(1)]
#[case(2)]
#[case(3)]
fn nothing_is_taken_for_a_surge(#[case] seed: u64) -> Result<()> {
    needs!(prometheus::installed());
    let Served { server, namespace, .. } = Served::new(&half_a_year(30, Scenario::Quiet, seed)?, false)?;
    let report = WrittenReport::write(&namespace, &server, "--quarter 2023Q4")?;
    for rows in [&report.json["surges"], &report.json["shifts"], &report.json["sources"]["shifts"]] {
        assert_eq!(*rows, serde_json::json!([]));
    }
    assert!(report.json["method"]["tested"].as_u64() > Some(100_000), "{}", report.json["method"]);
    Ok(())
}

/// Samples of each minute go through the fleet's rules; the days of any zone are exact.
#[test]
fn days_are_exact_through_the_rules() -> Result<()> {
    needs!(prometheus::installed());
    let options =
        Options { resolution: Resolution::Raw, ports: 20, ..Options::days(4, 4, date(2024, 1, 1))? };
    let Served { truth, server, namespace } = Served::new(&options, true)?;
    for (zone, ahead) in [("UTC", 0), ("Asia/Tokyo", 9), ("-03:00", -3)] {
        let period = format!("--from 2023-12-29 --to 2023-12-30 --time-zone={zone}");
        let report = WrittenReport::write(&namespace, &server, &period)?;
        // The history begins with 2023-12-28 in UTC.
        let hours = usize::try_from(24 - ahead)?..usize::try_from(72 - ahead)?;
        let of = |hours: &[Option<u64>]| hours.iter().flatten().sum::<u64>();
        let packets = truth.sensors.iter().map(|sensor| {
            let packets = sensor.hours.iter().map(|service| of(&service[hours.clone()])).sum::<u64>();
            (sensor.name.clone(), packets)
        });
        let expected: BTreeSet<_> = packets.filter(|(_, packets)| *packets > 0).collect();
        let found: BTreeSet<_> = report.packets()?.into_iter().filter(|(_, packets)| *packets > 0).collect();
        assert_eq!(found, expected, "{zone}");
        assert!(!found.is_empty());
    }
    Ok(())
}

/// A server that is down for 52 minutes, over the time in which it would have recorded the hour before, has samples of
/// that hour, and the counters went on counting: the report lacks no packet, and says what was read where.
#[test]
fn an_hour_that_was_not_recorded_is_read_from_the_counters() -> Result<()> {
    needs!(prometheus::installed());
    let options =
        Options { resolution: Resolution::Raw, ports: 20, ..Options::days(4, 4, date(2024, 1, 1))? };
    let noon = midnight(date(2023, 12, 29)) + 12 * 3_600;
    let Served { truth, server, namespace } = Served::with_outage(&options, noon, 52 * 60)?;
    for (zone, days, hours) in [
        ("UTC", "--from 2023-12-29 --to 2023-12-30", 24..72),
        ("+09:00", "--from 2023-12-29 --to 2023-12-30", 15..63),
    ] {
        let report = WrittenReport::write(&namespace, &server, &format!("{days} --time-zone={zone}"))?;
        let of = |hours: &[Option<u64>]| hours.iter().flatten().sum::<u64>();
        let all =
            truth.sensors.iter().flat_map(|sensor| &sensor.hours).map(|service| of(&service[hours.clone()]));
        assert_eq!(report.total(), Some(all.sum()), "{zone}");
        if zone == "UTC" {
            let observed = report.rows("sensors").iter().filter_map(|it| it["observed_days"].as_f64());
            let expected = truth.sensors.iter().flat_map(|sensor| &sensor.observed[1..3]);
            let (observed, expected) = (observed.sum::<f64>(), expected.sum::<f64>());
            assert!((observed - expected).abs() < 0.05, "{observed} days, not {expected}");
        }
        let notes = report.json["notes"].to_string();
        let when = if zone == "UTC" { "11:00 – 12:00" } else { "20:00 – 21:00" };
        let words = format!(
            "Hours that Prometheus did not record, as when it is down over a full hour: 1 (29 Dec 2023, {when}). \
                             They were read from the counters, to the packet."
        );
        assert!(notes.contains(&words), "{notes}");
    }
    Ok(())
}

/// What of a day in progress has been recorded is read from there, hour by hour; the counters have only what came since.
#[test]
fn a_day_in_progress_is_read_from_its_hours() -> Result<()> {
    needs!(prometheus::installed());
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let yesterday = today.yesterday()?;
    let options =
        Options { resolution: Resolution::Hour, ports: 20, ..Options::days(3, 3, today.tomorrow()?)? };
    let Served { server, namespace, .. } = Served::new(&options, false)?;
    // An hour is certain to be recorded once another is over. Should it end meanwhile, both answers are right.
    let last = || Timestamp::now().as_second() / 3_600 * 3_600 - 3_600;
    let recorded = |last: i64| -> Result<Option<u64>> {
        let range = last - midnight(yesterday);
        let query = format!("sum(sum_over_time({SENSOR_PACKETS_1H}[{range}s] {HOURS}))");
        let rows = server.query(&query, Some(seconds(last)))?;
        Ok(rows.first().and_then(|row| row["value"][1].as_str()?.parse().ok()))
    };
    let before = recorded(last())?;
    let report = WrittenReport::write(&namespace, &server, &format!("--from {yesterday} --to {today}"))?;
    let after = recorded(last())?;
    assert!(before > Some(0));
    assert!([before, after].contains(&report.total()), "{:?}, not {before:?}", report.total());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn seconds(time: i64) -> f64 {
    time as f64
}
