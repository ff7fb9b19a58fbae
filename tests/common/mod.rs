//! What several integration tests need of the agent's own code: the loaded program, without an interface.

use anyhow::{Result, ensure};
use aya::TestRun as _;
use aya::TestRunOptions;
use sensor_common::classify::Verdict;
use sensor_common::layout::{Counter, Passed, Slot};
use sensor_tests::skip::skip;
use sensor_user::cli::Run;
use sensor_user::config::{Config, KernelLog};
use sensor_user::counters::Snapshot;
use sensor_user::kernel::{Counters, Loaded, Options, Pins, Shared, Variant};
use std::io::Write as _;

/// The program in the kernel, run by `BPF_PROG_TEST_RUN`.
pub struct Kernel {
    /// Its programs.
    pub loaded: Loaded,
    counters: Counters,
    before: Snapshot,
}

/// What the program did with one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The only counter that moved, by one packet.
    pub verdict: Verdict,
    /// By how many bytes it moved; what passes is only counted in packets.
    pub bytes: u64,
    /// Whether the packet was dropped.
    pub dropped: bool,
}

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

impl Kernel {
    /// Loads the program with the tables of a configuration file.
    pub fn load(tables: &str, observe: bool) -> Result<Self> {
        let Config { sensors, allow, pins, .. } = config(tables)?;
        let mut shared = Shared::open(Pins::passing(&pins)?)?;
        let numbers = shared.assign(&sensors, &[])?;
        let options = Options {
            sensors: &sensors,
            numbers: &numbers,
            allow: &allow,
            observe,
            guarded: false,
            log: KernelLog::Off,
        };
        let loaded = Loaded::new(&options, &mut shared)?;
        let mut counters = shared.counters(&numbers)?;
        let before = counters.drain()?;
        Ok(Self { loaded, counters, before })
    }

    /// Whether this kernel has the program; if not, the test of this name is skipped, and said to be.
    pub fn has_or_skip(&self, variant: Variant, test: &str) -> bool {
        let has = variant == Variant::Linear || self.loaded.has_multi_buffer();
        if !has {
            skip(test, "the kernel is older than 5.18");
        }
        has
    }

    /// Gives the program one frame of at least 14 bytes.
    ///
    /// # Errors
    /// If not exactly one counter moved, or not by one packet.
    pub fn run(&mut self, variant: Variant, frame: &[u8]) -> Result<Outcome> {
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        let action = self.loaded.xdp(variant)?.test_run(options)?.return_value;
        ensure!(matches!(action, XDP_DROP | XDP_PASS), "the program returned {action}");
        let after = self.counters.drain()?;
        let moved = moved(&self.before, &after);
        self.before = after;
        let [(verdict, counter)] = moved[..] else {
            anyhow::bail!("{} counters moved, not one: {moved:?}", moved.len());
        };
        ensure!(counter.packets == 1, "{verdict:?} moved by {} packets", counter.packets);
        Ok(Outcome { verdict, bytes: counter.bytes, dropped: action == XDP_DROP })
    }
}

/// The configuration with these tables.
pub fn config(tables: &str) -> Result<Config> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(tables.as_bytes())?;
    let flags =
        Run { interfaces: vec!["eth0".to_owned()], config: Some(file.path().to_owned()), ..Run::default() };
    Ok(Config::load(flags)?)
}

/// Every counter that differs, and by how much.
fn moved(before: &Snapshot, after: &Snapshot) -> Vec<(Verdict, Counter)> {
    let passed = Passed::ALL.iter().map(|&reason| {
        let packets = after.passed(reason) - before.passed(reason);
        (Verdict::Pass(reason), Counter { packets, bytes: 0 })
    });
    let counted =
        (0..).zip(before.sensors.iter().zip(&after.sensors)).flat_map(|(sensor, (before, after))| {
            after.iter_nonzero().map(move |(kind, after)| {
                let slot = Slot::from(kind);
                let before = before.get(slot);
                let by =
                    Counter { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
                (Verdict::Count { sensor, slot }, by)
            })
        });
    passed.chain(counted).filter(|(_, by)| *by != Counter::default()).collect()
}
