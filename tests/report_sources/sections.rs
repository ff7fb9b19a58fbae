//! A report's sections on sources, row by row.

use std::ops::Range;

use anyhow::{Context as _, Result};
use jiff::Span;
use jiff::civil::date;
use sensor_fleet::simulation::truth::{KnownKind, Sensor, Truth};
use serde_json::Value;

use crate::expected::{
    Sums, before, days, float, is_named, ordered, quarter, rank, sensor_days, services, share, sums, whole,
    without_scanners,
};

pub fn near(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() <= 1e-9 * expected.abs())
}

/// The first rows by packets: names, packets, shares, and ranks and shares before.
pub fn origins_are(
    rows: &Value,
    both: &[Sums<'_>; 2],
    has_rank: fn(&str) -> bool,
    most: usize,
) -> Result<()> {
    let rows = rows.as_array().context("no rows")?;
    let [now, then] = both;
    let (expected, order_then) = (ordered(now, has_rank), ordered(then, has_rank));
    assert!(!expected.is_empty());
    assert_eq!(rows.len(), expected.len().min(most));
    let [all, all_then]: [u64; 2] = [now.values().sum(), then.values().sum()];
    for (row, (name, packets)) in rows.iter().zip(expected) {
        assert_eq!((row["name"].as_str(), row["packets"].as_u64()), (Some(name), Some(packets)));
        assert!(near(&row["share"], share(packets, all)), "{row}");
        let was = then.get(name).copied().unwrap_or(0);
        assert!(near(&row["previous_share"], share(was, all_then)), "{row}");
        assert_eq!(row["previous_rank"].as_u64(), rank(&order_then, name), "{row}");
    }
    Ok(())
}

/// Countries have their sources of whole days.
pub fn country_sources_are(rows: &Value, truth: &Truth) -> Result<()> {
    let now = quarter(truth);
    let sources = sums(truth, KnownKind::CountrySources, |sensor: &Sensor| whole(sensor, &now));
    let days = sensor_days(truth, KnownKind::CountrySources, &now);
    for row in rows.as_array().context("no countries")? {
        let number = sources[row["name"].as_str().context("no name")?];
        assert!(near(&row["sources_per_sensor_day"], share(number, days)), "{row}");
    }
    Ok(())
}

/// Averages by month and group are those of what each sensor tells of a month: a sum, and how many days it is of.
pub fn monthly_is(
    rows: &Value,
    truth: &Truth,
    told: impl Fn(&Sensor, &Range<usize>) -> (u64, f64),
) -> Result<()> {
    let rows = rows.as_array().context("no months")?;
    assert_eq!(rows.len(), 3);
    for (row, month) in rows.iter().zip([10, 11, 12]) {
        assert_eq!(row["month"], format!("2023-{month}"));
        let from = date(2023, month, 1);
        let month = days(truth, from, from.checked_add(Span::new().months(1))?);
        for (group, keep) in [("home", Some(true)), ("overseas", Some(false)), ("all", None)] {
            let there = |sensor: &&Sensor| keep.is_none_or(|home| (sensor.region == "japan") == home);
            let each = truth.sensors.iter().filter(there).map(|sensor| told(sensor, &month));
            let (sum, days) = each.fold((0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
            let found = &row[group];
            if days > 0.0 {
                assert_eq!(found["sum"].as_u64(), Some(sum), "{group}: {row}");
                assert!(near(&found["sensor_days"], days), "{group}: {row}");
                assert!(near(&found["per_sensor_day"], float(sum) / days), "{group}: {row}");
            } else {
                assert!(found.is_null(), "{group}: {row}");
            }
        }
    }
    Ok(())
}

/// Countries by their sources with Mirai's mark, over whole days of sensors that tell.
pub fn mirai_is(rows: &Value, truth: &Truth) -> Result<()> {
    let rows = rows.as_array().context("no rows")?;
    let of = |range: &Range<usize>| {
        let range = range.clone();
        sums(truth, KnownKind::MiraiSources, move |sensor: &Sensor| whole(sensor, &range))
    };
    let expected = ordered(&of(&quarter(truth)), is_named);
    let found: Vec<_> = rows.iter().map(|row| (row["country"].as_str(), row["sum"].as_u64())).collect();
    let expected: Vec<_> = expected.iter().take(10).map(|(name, sum)| (Some(*name), Some(*sum))).collect();
    assert_eq!(found, expected);
    for (at, month) in [10, 11, 12].into_iter().enumerate() {
        let from = date(2023, month, 1);
        let month = days(truth, from, from.checked_add(Span::new().months(1))?);
        let days = sensor_days(truth, KnownKind::MiraiSources, &month);
        let sums = of(&month);
        for row in rows {
            let sum = sums[row["country"].as_str().context("no country")?];
            assert!(near(&row["months"][at][1], share(sum, days)), "{row}");
        }
    }
    Ok(())
}

/// The first services by sources, over whole days, with their ranks by packets.
pub fn services_are(rows: &Value, truth: &Truth) -> Result<()> {
    let rows = rows.as_array().context("no services")?;
    let whole_days = |days: Range<usize>| move |sensor: &Sensor| whole(sensor, &days);
    let now = sums(truth, KnownKind::Sources, whole_days(quarter(truth)));
    let then = ordered(&sums(truth, KnownKind::Sources, whole_days(before(truth))), is_named);
    let days = sensor_days(truth, KnownKind::Sources, &quarter(truth));
    let period = truth.quarters.iter().find(|it| it.name == "2023Q4").context("no quarter")?;
    let mut packets = vec![0; truth.services.len()];
    for at in 0..truth.sensors.len() {
        packets.iter_mut().zip(truth.packets(at, period)).for_each(|(sum, count)| *sum += count);
    }
    let by_packets = services(truth, &packets);
    assert_eq!(rows.len(), 5);
    for (row, (service, number)) in rows.iter().zip(ordered(&now, is_named)) {
        assert_eq!(row["service"].as_str(), Some(service));
        assert!(near(&row["per_sensor_day"], share(number, days)), "{row}");
        assert_eq!(row["previous_rank"].as_u64(), rank(&then, service), "{row}");
        let place = by_packets.iter().position(|(of, _)| *of == service).map(|at| at as u64 + 1);
        assert!(place.is_some() && row["packets_rank"].as_u64() == place, "{row}, not {place:?}");
    }
    Ok(())
}

/// The first ten services without known scanners of each sensor that tells of them; home first, then by region.
pub fn without_scanners_is(rows: &Value, truth: &Truth) -> Result<()> {
    let rows = rows.as_array().context("no tops")?;
    let period = |name: &str| truth.quarters.iter().find(|it| it.name == name).context("no quarter");
    let (now, then) = (period("2023Q4")?, period("2023Q3")?);
    let top = |at: usize| {
        let less = |period| without_scanners(truth, at, period).map(|numbers| services(truth, &numbers));
        Some((&truth.sensors[at], less(now)?, less(then).unwrap_or_default()))
    };
    let mut expected: Vec<_> = (0..truth.sensors.len()).filter_map(top).collect();
    expected.sort_by_key(|(sensor, ..)| (sensor.region != "japan", &sensor.region, &sensor.name));
    let names: Vec<_> = rows.iter().map(|row| (row["sensor"].as_str(), row["region"].as_str())).collect();
    let expected_names: Vec<_> =
        expected.iter().map(|(it, ..)| (Some(it.name.as_str()), Some(it.region.as_str()))).collect();
    assert_eq!(names, expected_names);
    for (row, (_, now, then)) in rows.iter().zip(expected) {
        let top = row["top"].as_array().context("no top")?;
        let found: Vec<_> =
            top.iter().map(|place| (place["service"].as_str(), place["packets"].as_u64())).collect();
        let first: Vec<_> =
            now.iter().take(10).map(|(service, packets)| (Some(*service), Some(*packets))).collect();
        assert_eq!(found, first, "{row}");
        let all: u64 = now.iter().map(|(_, packets)| packets).sum();
        for (place, (service, packets)) in top.iter().zip(&now) {
            assert!(near(&place["share"], share(*packets, all)), "{place}");
            assert_eq!(place["previous_rank"].as_u64(), rank(&then, service), "{place}");
        }
    }
    Ok(())
}
