//! A build with another schema leaves its program counting: the next takes over, and no packet is lost or counted
//! twice, wherever it was cut off before.

mod older;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::{NAMES, Slot};
use sensor_harness::agent::Launch;
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::mix;
use sensor_harness::needs_root;
use sensor_harness::pace;
use sensor_harness::pins::Pins;
use sensor_harness::sender::{Sender, cpus, pin_to_cpu};
use sensor_harness::wire::Wire;

/// The one of [`mix::SENSOR`].
const SENSOR: &str = "demo";

fn launch(wire: &Wire, pins: &Pins) -> Launch {
    Launch::new(&wire.near.namespace).interface("sensor0").config(mix::SENSOR).pins(pins)
}

/// SYNs to ports of all pages, and what they add up to.
fn send(wire: &Wire, rounds: u64, truth: &mut Counts) -> Result<()> {
    let sender = Sender::new(wire)?;
    let ports: Vec<u16> = (0..64).map(|page| page * 1_024 + 23).collect();
    let frames: Vec<_> =
        ports.iter().map(|&port| frame().ipv4().tcp(port).syn().padded(60).bytes()).collect();
    let mut sent = Counts::default();
    for (port, frame) in ports.iter().zip(&frames) {
        sent.add(Verdict::Count { sensor: 0, slot: Slot::tcp(*port) }, frame.len());
    }
    (0..rounds).try_for_each(|_| sender.send(&frames))?;
    truth.merge(&sent.times(rounds));
    Ok(())
}

/// How far an agent that was killed had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CutOff {
    /// It had not begun.
    Before,
    /// It had made its directory.
    Directory,
    /// It had pinned the names.
    Names,
    /// It had pinned all of the older build's maps.
    Maps,
    /// It had replaced the program.
    Replaced,
    /// It had pinned the link.
    LinkPinned,
    /// It had removed some of the older build's pins.
    HalfRemoved,
}

impl CutOff {
    /// Does what had been done. What comes after the programs were replaced is undone after a start.
    fn simulate(self, wire: &Wire, pins: &Pins) -> Result<()> {
        let (theirs, ours) = (older::directory(pins), pins.path().join("v2"));
        let link = older::link(&wire.near)?;
        if self >= Self::Replaced {
            launch(wire, pins).start()?.stop(Signal::SIGKILL)?;
            ensure!(!theirs.exists(), "the older build's pins are still there");
            fs::create_dir(&theirs)?;
            let again = |from: &str, to: &str| older::pin_again(&ours.join(from), &theirs.join(to));
            again(older::COUNTERS.1, older::COUNTERS.0)?;
            if self < Self::HalfRemoved {
                older::SHARED.iter().try_for_each(|name| again(name, name))?;
                again(&link, &link)?;
            }
            if self == Self::Replaced {
                fs::remove_file(ours.join(&link))?;
            }
        } else if self >= Self::Directory {
            fs::create_dir(&ours)?;
            let again = |from: &str, to: &str| older::pin_again(&theirs.join(from), &ours.join(to));
            if self >= Self::Names {
                again(NAMES, NAMES)?;
            }
            if self == Self::Maps {
                older::SHARED.iter().filter(|&&name| name != NAMES).try_for_each(|name| again(name, name))?;
                again(older::COUNTERS.0, older::COUNTERS.1)?;
            }
        }
        Ok(())
    }
}

impl PartialOrd for CutOff {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

#[rstest]
fn counting_goes_on_wherever_a_take_over_was_cut_off(
    #[values(
        CutOff::Before,
        CutOff::Directory,
        CutOff::Names,
        CutOff::Maps,
        CutOff::Replaced,
        CutOff::LinkPinned,
        CutOff::HalfRemoved
    )]
    cut_off: CutOff,
) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let mut truth = Counts::default();
    older::leave(&wire, &pins, SENSOR)?;
    send(&wire, 11, &mut truth)?;
    cut_off.simulate(&wire, &pins)?;
    send(&wire, 600, &mut truth)?;
    let mut agent = launch(&wire, &pins).start()?;
    assert_eq!(agent.counts()?, truth);
    ensure!(agent.stderr().contains("took over sensor0"), "{}", agent.stderr());
    send(&wire, 700, &mut truth)?;
    assert_eq!(agent.counts()?, truth);
    ensure!(!older::directory(&pins).exists(), "the older build's pins are still there");
    // And once more, now that all is as if it had never been otherwise.
    agent.stop(Signal::SIGKILL)?;
    ensure!(wire.near.has_xdp()?, "the program is gone");
    send(&wire, 5, &mut truth)?;
    assert_eq!(launch(&wire, &pins).start()?.counts()?, truth);
    Ok(())
}

/// How often a take-over is begun anew.
const TAKE_OVERS: usize = 6;
/// How often each of them is cut off.
const CUTS: u32 = 4;

/// While packets come from two CPUs, agents are started and killed.
#[test]
fn a_take_over_under_a_flood_may_be_cut_off_at_any_moment() -> Result<()> {
    needs_root!();
    let mut random = SplitMix64::seed_from_u64(14);
    for _ in 0..pace::amount(TAKE_OVERS) {
        let (wire, pins) = (Wire::new()?, Pins::new()?);
        older::leave(&wire, &pins, SENSOR)?;
        let is_over = AtomicBool::new(false);
        let (agent, truth) = thread::scope(|scope| {
            let floods: Vec<_> = (0..2)
                .map(|number| {
                    let (wire, is_over) = (&wire, &is_over);
                    scope.spawn(move || flood(wire, number, is_over))
                })
                .collect();
            let mut troubled = || {
                for _ in 0..CUTS {
                    let starting = launch(&wire, &pins).spawn()?;
                    thread::sleep(Duration::from_micros(random.random_range(0..120_000)));
                    drop(starting);
                }
                launch(&wire, &pins).start()
            };
            let agent = troubled();
            is_over.store(true, Ordering::Relaxed);
            let mut truth = Counts::default();
            for flood in floods {
                truth.merge(&flood.join().expect("no flood panics")?);
            }
            anyhow::Ok((agent?, truth))
        })?;
        assert_eq!(agent.counts()?, truth);
        ensure!(!older::directory(&pins).exists(), "the older build's pins are still there");
    }
    Ok(())
}

/// Sends until it is over.
fn flood(wire: &Wire, number: usize, is_over: &AtomicBool) -> Result<Counts> {
    let cpus = cpus()?;
    pin_to_cpu(cpus[number % cpus.len()])?;
    let mut truth = Counts::default();
    while !is_over.load(Ordering::Relaxed) {
        send(wire, 20, &mut truth)?;
    }
    Ok(truth)
}

/// An older build that was started beside this one gave up, since this one is attached. It left pins.
#[test]
fn what_an_older_build_left_in_vain_is_left_alone() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let mut truth = Counts::default();
    launch(&wire, &pins).start()?.stop(Signal::SIGTERM)?;
    let other = Wire::new()?;
    older::leave(&other, &pins, "another")?;
    fs::remove_file(older::directory(&pins).join(older::link(&other.near)?))?;
    send(&wire, 3, &mut truth)?;
    let agent = launch(&wire, &pins).start()?;
    assert_eq!(agent.counts()?, truth);
    ensure!(older::directory(&pins).exists());
    Ok(())
}

/// What a newer build counts, this one cannot read: it says so, and changes nothing.
#[test]
fn a_newer_builds_counters_are_refused() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    launch(&wire, &pins).start()?.stop(Signal::SIGTERM)?;
    fs::rename(pins.path().join("v2"), pins.path().join("v3"))?;
    let (code, said) = launch(&wire, &pins).fail()?;
    assert_eq!(code, 1, "{said}");
    let last = said.lines().last().unwrap_or_default();
    for words in ["v3", "is a newer build's", "start the newer build", "sensor detach"] {
        ensure!(last.contains(words), "{words:?} is not in: {last}");
    }
    ensure!(wire.near.has_xdp()?, "the program is gone");
    Ok(())
}
