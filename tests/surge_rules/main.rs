//! The fleet's rules for surges on noise as darknets have it: how many alerts they give for nothing, and what they see.

mod agree;
mod noise;
mod rule;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use rstest::rstest;
use sensor_fleet::calibrate::noise::Noise;
use sensor_harness::needs;
use sensor_harness::prometheus::{promtool, run_promtool};
use sensor_harness::workspace;

use self::rule::{Judged, NEEDED, falls, judge};

/// A value for each day, an hour after its end.
fn days(values: &[f64]) -> String {
    values.iter().flat_map(|value| ["_ ".to_owned(), value.to_string(), " _x22 ".to_owned()]).collect()
}

/// What the real rules make of a history of noise and surges is what the rules in this test make of it, cell by cell.
#[test]
fn the_real_rules_judge_as_these() -> Result<()> {
    needs!(promtool());
    // More than that is more than `promtool` loads for a test.
    let (sensors, services) = (4, 5);
    let mut cells = Vec::new();
    for (at, noise) in noise::all().enumerate() {
        cells.extend(noise::fleet(noise, sensors, services, NEEDED, at as u64));
    }
    // One in five has a surge, of one day or of two, from 2 to 50 times as much.
    for (at, cell) in cells.iter_mut().enumerate().filter(|(at, _)| at % 5 == 0) {
        let times = [2.0, 5.0, 10.0, 50.0][at / 5 % 4];
        let long = if at % 3 == 0 { 1 } else { 2 };
        cell[NEEDED - long..].iter_mut().for_each(|packets| *packets *= times);
    }
    let mut text = format!("rule_files: ['{}']\n", workspace().join("fleet/rules/surge.yml").display());
    text += "evaluation_interval: 6h\ntests:\n  - interval: 1h\n    input_series:\n";
    for sensor in 0..sensors {
        let observed = days(&[1.0; NEEDED]);
        writeln!(
            text,
            "      - {{series: 'sensor:observed:ratio1d{{sensor=\"s{sensor}\",region=\"r\"}}', values: '{observed}'}}"
        )?;
    }
    let labels =
        |at: usize| format!("sensor=\"s{}\",protocol=\"tcp\",port=\"{}\"", at % sensors, 1 + at / sensors);
    for (at, cell) in cells.iter().enumerate() {
        writeln!(
            text,
            "      - {{series: 'sensor:packets:increase1d{{{}}}', values: '{}'}}",
            labels(at),
            days(cell)
        )?;
    }
    let judged = judge(&cells, NEEDED - 1);
    let found = judged.iter().filter(|it| it.surges).count();
    assert!((5..cells.len() / 5).contains(&found), "{found}");
    text += "    promql_expr_test:\n";
    let mut expect = |name: &str, value: &dyn Fn(&Judged) -> Option<f64>| -> Result<()> {
        writeln!(text, "      - expr: {name}\n        eval_time: {NEEDED}d\n        exp_samples:")?;
        let result = if name.starts_with("round") { "" } else { name };
        for (at, it) in judged.iter().enumerate() {
            if let Some(value) = value(it) {
                writeln!(text, "          - {{labels: '{result}{{{}}}', value: {value:?}}}", labels(at))?;
            }
        }
        Ok(())
    };
    expect("sensor:packets:median28d", &|it| Some(it.median))?;
    expect("sensor:surge:packets1d", &|it| it.surges.then_some(it.packets))?;
    expect("round(sensor:packets:threshold28d)", &|it| Some(it.threshold.round()))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("noise.yml");
    std::fs::write(&file, text)?;
    run_promtool(["test".as_ref(), "rules".as_ref(), file.as_os_str()]).map(drop)
}

/// Of 40 sensors with 60 ports each, for thirteen weeks: at most one alert a week that is about nothing.
#[rstest]
#[case(Noise::Gamma)]
#[case(Noise::Autoregressive)]
#[case(Noise::Lognormal53)]
#[case(Noise::Lognormal80)]
#[case(Noise::Lognormal112)]
#[case(Noise::Spreads)]
#[case(Noise::Student)]
fn noise_gives_at_most_one_alert_a_week(#[case] noise: Noise) {
    let Counted { alerts, weeks, .. } = count(noise, 40, 60, 13, 1);
    println!("{noise:?}: {alerts} in {weeks} weeks");
    assert!(alerts <= weeks, "{alerts} in {weeks} weeks");
}

#[derive(Debug, Default)]
struct Counted {
    alerts: usize,
    weeks: usize,
    /// Of cells with a median of 250 to 1,000 a day: how many were tried, and how many would be seen at 3, 5, 10 and 30 times
    /// as much for two days.
    tried: usize,
    seen: [usize; 4],
}

/// Counts the beginnings of surges in a fleet that has none.
fn count(noise: Noise, sensors: usize, services: usize, weeks: usize, seed: u64) -> Counted {
    let cells = noise::fleet(noise, sensors, services, NEEDED + 7 * weeks, seed);
    let mut counted = Counted { weeks, ..Counted::default() };
    let mut before = vec![false; cells.len()];
    for day in NEEDED..NEEDED + 7 * weeks {
        let judged = judge(&cells, day);
        for (at, it) in judged.iter().enumerate() {
            counted.alerts += usize::from(it.surges && !before[at]);
            before[at] = it.surges;
            if day % 13 == 0 && (250.0..1_000.0).contains(&it.median) {
                counted.tried += 1;
                let less = cells[at][day].min(cells[at][day - 1]);
                for (seen, times) in counted.seen.iter_mut().zip([3.0, 5.0, 10.0, 30.0]) {
                    *seen += usize::from(less * times > it.threshold);
                }
            }
        }
    }
    counted
}

/// All packets of each sensor by day.
fn totals(cells: &[Vec<f64>], sensors: usize) -> Vec<Vec<f64>> {
    let of = |sensor: usize| {
        let days = cells[0].len();
        (0..days).map(|day| cells.iter().skip(sensor).step_by(sensors).map(|cell| cell[day]).sum()).collect()
    };
    (0..sensors).map(of).collect()
}

/// Of 40 sensors, for thirteen weeks: alerts of falls that are none, and how many of them would be seen at these parts of
/// what they have, for two days.
fn falls_in(noise: Noise, shares: [f64; 2]) -> (usize, [f64; 2]) {
    let cells = noise::fleet(noise, 40, 60, NEEDED + 7 * 13, 1);
    let sensors = totals(&cells, 40);
    let (mut alerts, mut seen, mut tried) = (0, [0_u32; 2], 0_u32);
    let mut before = [false; 40];
    for day in NEEDED..NEEDED + 7 * 13 {
        for (before, now) in before.iter_mut().zip(falls(&sensors, day)) {
            alerts += usize::from(now && !*before);
            *before = now;
        }
        if day % 13 == 0 {
            tried += 40;
            for (seen, share) in seen.iter_mut().zip(shares) {
                let mut fallen = sensors.clone();
                for packets in fallen.iter_mut().flat_map(|days| &mut days[day - 1..=day]) {
                    *packets *= share;
                }
                *seen += falls(&fallen, day).into_iter().map(u32::from).sum::<u32>();
            }
        }
    }
    (alerts, seen.map(|seen| f64::from(seen) / f64::from(tried)))
}

/// At most one alert a week is about nothing; a sensor at 2 % is always seen, one at 30 % nearly so.
#[rstest]
#[case(Noise::Gamma)]
#[case(Noise::Autoregressive)]
#[case(Noise::Lognormal53)]
#[case(Noise::Lognormal80)]
#[case(Noise::Lognormal112)]
#[case(Noise::Spreads)]
#[case(Noise::Student)]
fn falls_are_seen_and_noise_is_none(#[case] noise: Noise) {
    let (alerts, [third, little]) = falls_in(noise, [0.3, 0.02]);
    println!("{noise:?}: {alerts} in 13 weeks; seen at 30 % {third:.2}, at 2 % {little:.2}");
    assert!(alerts <= 13, "{alerts}");
    assert!(third >= 0.8 && little >= 0.95, "{third}, {little}");
}

/// What `docs/testing.md` has: `cargo test -p sensor-tests --test surge_rules -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes, and prints a table for docs/testing.md"]
fn table() -> Result<()> {
    println!("| noise | 3 sensors | 9 | 40 | 3× | 5× | 10× | 30× |");
    for noise in noise::all() {
        let mut line = format!("| {noise:?} |");
        let mut last = None;
        for (sensors, quarters) in [(3, 20), (9, 8), (40, 4)] {
            let all: Vec<_> = (0..quarters).map(|seed| count(noise, sensors, 60, 13, 100 + seed)).collect();
            let (alerts, weeks) = all.iter().fold((0, 0), |sum, it| (sum.0 + it.alerts, sum.1 + it.weeks));
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            write!(line, " {:.2} |", alerts as f64 / weeks as f64)?;
            last = all.into_iter().next();
        }
        let Counted { tried, seen, .. } = last.context("no quarter")?;
        for seen in seen {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            write!(line, " {:.0} % |", 100.0 * seen as f64 / tried as f64)?;
        }
        println!("{line}");
    }
    Ok(())
}
