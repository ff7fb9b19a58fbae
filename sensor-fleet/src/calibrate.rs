//! `sensor-fleet calibrate`: how often surges are found where there are none, and how often where there are some.
//!
//! Quarters of made-up fleets are judged in memory, as a report judges them. Their noise (`noise.rs`) knows nothing of
//! what the judgement takes noise for. Some are quiet; in the others surges and falls are planted (`case.rs`),
//! and what is found is compared with what was planted (`outcome.rs`).

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up numbers, and counts of days, stay far below 2^52"
)]

mod case;
mod fleet;
mod kept;
pub mod noise;
mod outcome;
mod sources;
mod table;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};

use self::case::Case;
use self::fleet::Fleet;
use self::kept::Kept;
use self::noise::Noise;
use self::outcome::{Found, judge};
use crate::output;
use crate::report::surge::Settings;

/// Arguments of `sensor-fleet calibrate`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  sensor-fleet calibrate --quarters 60
  sensor-fleet calibrate --noise student --sensors 9 --quarters 400
  sensor-fleet calibrate --keep quarters.jsonl --threads 1

Prints Markdown tables. The same arguments print the same, the time aside.")]
pub struct CalibrateArgs {
    /// Quiet quarters for each noise and fleet
    #[arg(long, value_name = "N", default_value_t = 400)]
    quarters: u32,
    /// Quarters with each planted case, for each noise
    #[arg(long, value_name = "N", default_value_t = 100)]
    planted: u32,
    /// Noises to try; all if none is named
    #[arg(long, value_enum, value_name = "NOISE")]
    noise: Vec<Noise>,
    /// Sensors of the quiet fleets
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [2, 9, 40])]
    sensors: Vec<usize>,
    /// Services on each sensor, 40 to 1,000
    #[arg(long, value_name = "N", default_value_t = 120)]
    services: usize,
    /// The largest part of the events that may be false
    #[arg(long, value_name = "RATE", default_value_t = Settings::default().false_discovery_rate)]
    false_discovery_rate: f64,
    /// Name every event that was found and not planted
    #[arg(long)]
    name_false: bool,
    /// Keep what came of each quarter in this file; those that are in it aren't judged again
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Quarters that are judged at a time [default: one on each processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// What all chance comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// One quarter to be judged.
#[derive(Clone, Copy, Debug)]
struct Task {
    noise: Noise,
    sensors: usize,
    /// What is planted; nothing in a quiet one.
    cases: &'static [Case],
    seed: [u64; 3],
}

/// What came of it.
#[derive(Clone, Debug)]
struct Done {
    task: Task,
    found: Found,
}

/// Runs it.
///
/// # Errors
/// When the arguments are out of bounds.
pub fn run(arguments: &CalibrateArgs) -> Result<()> {
    ensure!((40..=1_000).contains(&arguments.services), "{} services: give 40 to 1,000", arguments.services);
    ensure!(
        arguments.sensors.iter().all(|sensors| (2..=1_000).contains(sensors)),
        "--sensors: give 2 to 1,000"
    );
    let rate = arguments.false_discovery_rate;
    ensure!((0.0..=1.0).contains(&rate), "--false-discovery-rate {rate}: give 0 to 1");
    let settings = Settings { false_discovery_rate: rate, ..Settings::default() };
    let started = Instant::now();
    let (kept, before) = Kept::open(arguments.keep.as_deref(), &kinds(arguments))?;
    let (known, tasks): (Vec<Task>, Vec<Task>) =
        tasks(arguments).into_iter().partition(|task| before.contains_key(&task.seed));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Result<Done>>> = Mutex::new(Vec::with_capacity(tasks.len()));
    let threads = arguments.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fleet =
                        Fleet::new(task.noise, task.sensors, arguments.services, arguments.seed, task.seed);
                    let found = judge(settings, fleet, task.cases);
                    let kept = kept.keep(task.seed, &found);
                    if let Ok(mut done) = done.lock() {
                        done.push(kept.map(|()| Done { task: *task, found }));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default().into_iter().collect::<Result<Vec<Done>>>()?;
    let judged = done.len();
    done.extend(known.into_iter().map(|task| Done { task, found: before[&task.seed].clone() }));
    done.sort_by_key(|done| done.task.seed);
    for line in table::lines(&done) {
        output::say(&line);
    }
    if arguments.name_false {
        for line in table::wrong(&done) {
            output::say(&line);
        }
    }
    output::complain(&format!("{judged} quarters in {:.0} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// What all quarters have in common, and what tells their kinds apart: all arguments but how many there are of each.
fn kinds(arguments: &CalibrateArgs) -> String {
    let CalibrateArgs { noise, sensors, services, false_discovery_rate: rate, seed, .. } = arguments;
    format!("{services} services, rate {rate}, seed {seed}, sensors {sensors:?}, noises {noise:?}")
}

/// All quarters, so ordered that of each kind there are as many if the work is stopped.
fn tasks(arguments: &CalibrateArgs) -> Vec<Task> {
    let noises: Vec<Noise> =
        if arguments.noise.is_empty() { Noise::ALL.to_vec() } else { arguments.noise.clone() };
    let mut tasks = Vec::new();
    let mut kind = 0;
    for noise in noises {
        for &sensors in &arguments.sensors {
            kind += 1;
            let quarter = |at| Task { noise, sensors, cases: &[], seed: [noise as u64, kind, at] };
            tasks.extend((0..u64::from(arguments.quarters)).map(quarter));
        }
        for (sensors, cases) in case::QUARTERS {
            kind += 1;
            let quarter = |at| Task { noise, sensors: *sensors, cases, seed: [noise as u64, kind, at] };
            tasks.extend((0..u64::from(arguments.planted)).map(quarter));
        }
    }
    tasks.sort_by_key(|task| task.seed[2]);
    tasks
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        calibrate: CalibrateArgs,
    }

    #[rstest]
    #[case::few_services("--services 3", "3 services: give 40 to 1,000")]
    #[case::one_sensor("--sensors 1,9", "--sensors: give 2 to 1,000")]
    #[case::no_rate("--false-discovery-rate 7", "--false-discovery-rate 7: give 0 to 1")]
    fn what_is_out_of_bounds_is_refused(#[case] arguments: &str, #[case] expected: &str) {
        let line =
            Line::try_parse_from(["calibrate"].into_iter().chain(arguments.split_whitespace())).unwrap();
        assert_eq!(run(&line.calibrate).unwrap_err().to_string(), expected);
    }
}
