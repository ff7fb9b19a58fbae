//! `sensor-fleet simulate`: months of a fleet's history, and what a report must find in it.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::civil::{Date, date};

use crate::output;
use crate::simulation::options::{Options, Resolution, Scenario, Sources};
use crate::simulation::{BLOCK, HISTORY, TRUTH, generate};

/// Arguments of `sensor-fleet simulate`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  sensor-fleet simulate --sensors 1000 --months 6 --output history
  sensor-fleet simulate --sensors 6 --days 8 --resolution raw --output history

The same arguments write the same bytes. Nothing in it is from a real network.")]
pub struct SimulateArgs {
    /// How many sensors, 1 to 20,000; half of them in the region japan
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    sensors: u32,
    /// How many calendar months
    #[arg(long, value_name = "N", default_value_t = 6, conflicts_with = "days")]
    months: u32,
    /// How many days, instead of months
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// The UTC day after the last
    #[arg(long, value_name = "DATE", default_value_t = date(2024, 1, 1))]
    end: Date,
    /// What all chance comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Ports with a series of their own, 16 to 10,000; ICMP, `other` and the like come on top
    #[arg(long, value_name = "N", default_value_t = 60)]
    ports: u32,
    /// What the rules record for each day, for each hour too, or what agents export each minute
    #[arg(long, value_enum, default_value_t = Detail::Day)]
    resolution: Detail,
    /// With surges of every kind, or without any, to count false alarms
    #[arg(long, value_enum, default_value_t = Story::Usual)]
    scenario: Story,
    /// Which sensors' agents tell of sources too, as the rules record it for each day
    #[arg(long, value_enum, default_value_t = Telling::None)]
    sources: Telling,
    /// Where history.om and truth.json go: a folder that is new or empty
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Write into a folder that has files, over those of the same names
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Detail {
    Day,
    Hour,
    Raw,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Story {
    Usual,
    Quiet,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Telling {
    None,
    Some,
    All,
}

/// Runs it.
///
/// # Errors
/// When the arguments are out of bounds, the folder has files, or the disk is full.
pub fn run(simulate: &SimulateArgs) -> Result<()> {
    let options = options(simulate)?;
    options.check()?;
    let folder = &simulate.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    ensure!(
        simulate.force || entries.next().is_none(),
        "{} has files in it: name another folder, or pass --force",
        folder.display()
    );
    let mut progress = Progress::new(options.sensors);
    let started = Instant::now();
    let written = generate(&options, folder, &mut |done| progress.show(done));
    progress.end();
    let written = written.map_err(with_remedy)?;
    let (history, truth) = (folder.join(HISTORY), folder.join(TRUTH));
    output::say(&format!(
        "{}: {} samples of {} series, {:.1} MB, in {:.1} s",
        history.display(),
        written.samples,
        written.series,
        megabytes(written.bytes),
        started.elapsed().as_secs_f64()
    ));
    output::say(&format!("{}: what a report must find in it", truth.display()));
    output::say(&format!("For Prometheus: promtool tsdb create-blocks-from openmetrics {BLOCK} \\"));
    output::say(&format!("  {} DATA, then prometheus --storage.tsdb.path=DATA", history.display()));
    output::say("  --storage.tsdb.retention.time=100y, or it takes the blocks for old and deletes them");
    Ok(())
}

fn options(simulate: &SimulateArgs) -> Result<Options> {
    let span = match simulate.days {
        Some(days) => Options::days(simulate.sensors, days, simulate.end)?,
        None => Options::months(simulate.sensors, simulate.months, simulate.end)?,
    };
    let resolution = match simulate.resolution {
        Detail::Day => Resolution::Day,
        Detail::Hour => Resolution::Hour,
        Detail::Raw => Resolution::Raw,
    };
    let scenario = match simulate.scenario {
        Story::Usual => Scenario::Usual,
        Story::Quiet => Scenario::Quiet,
    };
    let sources = match simulate.sources {
        Telling::None => Sources::None,
        Telling::Some => Sources::Some,
        Telling::All => Sources::All,
    };
    Ok(Options { seed: simulate.seed, ports: simulate.ports, resolution, scenario, sources, ..span })
}

fn with_remedy(error: anyhow::Error) -> anyhow::Error {
    let full = error.chain().filter_map(|it| it.downcast_ref::<io::Error>());
    if full.map(io::Error::kind).any(|kind| kind == ErrorKind::StorageFull) {
        return error.context("the disk is full: free some space, or take fewer sensors, ports or days");
    }
    error
}

#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A line on standard error, once it takes longer than a second: renewed in a terminal, one each ten seconds
/// elsewhere.
struct Progress {
    all: u32,
    shown: Instant,
    every: Duration,
    terminal: bool,
    begun: bool,
}

impl Progress {
    fn new(all: u32) -> Self {
        let terminal = io::stderr().is_terminal();
        let every = Duration::from_secs(if terminal { 1 } else { 10 });
        Self { all, shown: Instant::now(), every, terminal, begun: false }
    }

    fn show(&mut self, done: u32) {
        if self.shown.elapsed() < self.every {
            return;
        }
        self.shown = Instant::now();
        self.begun = true;
        let (start, end) = if self.terminal { ("\r", "") } else { ("", "\n") };
        output::progress(&format!("{start}{done} of {} sensors{end}", self.all));
    }

    fn end(&self) {
        if self.begun && self.terminal {
            output::progress("\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn simulate(arguments: &str, folder: &std::path::Path) -> Result<()> {
        let words = ["simulate"].into_iter().chain(arguments.split_whitespace());
        let words = words.map(str::to_owned).chain(["--output".to_owned(), folder.display().to_string()]);
        run(&Line::try_parse_from(words)?.simulate)
    }

    #[rstest]
    #[case::no_sensor("--sensors 0", "0 sensors: give 1 to 20,000")]
    #[case::few_ports("--ports 3", "3 ports: give 16 to 10,000")]
    #[case::one_day("--days 1", "a span of 1 days: give two days to ten years")]
    #[case::far_back("--months 4000000", "--months reaches too far back")]
    #[case::days_far_back("--days 4000000000", "--days reaches too far back")]
    #[case::too_much("--resolution raw --sensors 1000 --months 6", "take fewer sensors")]
    #[case::raw_sources("--resolution raw --sensors 2 --days 3 --sources all", "leave out --sources")]
    #[case::both("--months 1 --days 3", "cannot be used with")]
    #[case::no_day("--end 2023-02-30", "2023-02-30")]
    fn what_is_out_of_bounds_is_refused(#[case] arguments: &str, #[case] expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", simulate(arguments, folder.path()).unwrap_err());
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_with_files_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = "--sensors 2 --days 3 --ports 16";
        simulate(arguments, folder.path()).unwrap();
        let truth = fs::read(folder.path().join(TRUTH)).unwrap();
        let error = format!("{:#}", simulate(&format!("{arguments} --seed 2"), folder.path()).unwrap_err());
        assert!(error.contains("--force"), "{error}");
        assert_eq!(fs::read(folder.path().join(TRUTH)).unwrap(), truth);
        simulate(&format!("{arguments} --seed 2 --force"), folder.path()).unwrap();
        assert_ne!(fs::read(folder.path().join(TRUTH)).unwrap(), truth);
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = io::Error::from(ErrorKind::StorageFull);
        let error =
            format!("{:#}", with_remedy(anyhow::Error::from(full).context("cannot write history.om")));
        assert!(
            error.starts_with("the disk is full: free some space") && error.contains("history.om"),
            "{error}"
        );
    }
}
