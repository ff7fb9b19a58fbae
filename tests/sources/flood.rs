//! A flood from forged sources: its memory is bounded, its numbers are the truth, and it hides nobody.
//!
//! With `SENSOR_TESTS_FULL` in the environment it has five million packets in a minute, whether the agent comes along or not: for
//! an agent as it is shipped, on a machine that does nothing else.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use sensor_common::layout::SlotKind;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::pace::{amount, is_emulated, until};
use sensor_tests::observed::{packet, sensor};
use sensor_user::config::Store;
use sensor_user::store::{Keeper, Schedule};

use super::{Scene, numbers, syn, texts};

/// A budget that takes all of it: the largest that there is.
const ALL: u32 = 1_000_000;
/// Packets that are sent before it is looked whether the agent has come along.
const CHUNK: usize = 5_000;
/// One of so many is of a heavy source.
const LIGHT: usize = 50;
const MEBIBYTE: u64 = 1 << 20;
/// Has sent one packet, in a quiet hour before the flood: none of those that the flood is from.
const QUIET: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 200);

/// In how long all of a full flood is sent.
const MINUTE: Duration = Duration::from_mins(1);

/// Its settings: how much memory it may have, how large the flood is, and how long that takes if nobody is waited for.
fn size() -> (u64, usize, Option<Duration>) {
    match std::env::var_os("SENSOR_TESTS_FULL") {
        Some(_) => (64, 5_000_000, Some(MINUTE)),
        None => (16, amount(200_000), None),
    }
}

/// Has a store hold one packet, of two hours ago: not of those that a start takes into memory.
fn plant(folder: &Path) -> Result<()> {
    let settings = Store { path: folder.to_owned(), ..Store::default() };
    let keeper = Keeper::start(&settings, Schedule::default(), Arc::default())?;
    let feed = keeper.feed();
    feed.sensors(&[sensor("a")], None);
    let time = Timestamp::now() - SignedDuration::from_hours(2);
    feed.observe(&[packet(time, QUIET, SlotKind::Tcp(23))]);
    ensure!(keeper.stop(Duration::from_mins(1)).is_ok(), "the store does not end");
    Ok(())
}

/// A flood as it is made: ten heavy sources to one port, and forged ones to any.
struct Flood {
    random: u64,
    sent: usize,
    sources: HashSet<Ipv4Addr>,
}

impl Flood {
    fn new() -> Self {
        Self { random: 1, sent: 0, sources: HashSet::new() }
    }

    /// So many more.
    fn frames(&mut self, packets: usize) -> Vec<Vec<u8>> {
        (0..packets).map(|_| self.frame()).collect()
    }

    fn frame(&mut self) -> Vec<u8> {
        let number = self.sent;
        self.sent += 1;
        if number.is_multiple_of(LIGHT) {
            let heavy = Ipv4Addr::new(203, 0, 113, 1 + u8::try_from(number / LIGHT % 10).unwrap_or(0));
            self.sources.insert(heavy);
            return syn(heavy, 7, 23);
        }
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [a, b, c, d, high, low, ..] = self.random.rotate_left(24).to_be_bytes();
        // None of them is one of the heavy, or the quiet one.
        let light = Ipv4Addr::new(a & 0x7f | 1, b, c, d);
        self.sources.insert(light);
        syn(light, 7, u16::from_be_bytes([high, low]))
    }
}

/// Seconds of CPU time that an agent has taken.
fn cpu(page: &Page) -> f64 {
    page.find("process_cpu_seconds_total", &[]).map(|sample| sample.value).sum()
}

#[rstest]
#[case::all_of_it(ALL)]
#[case::a_share_of_it(5_000)]
fn a_flood_of_forged_sources_is_told_in_bounded_memory(#[case] budget: u32) -> Result<()> {
    needs_root!();
    let (memory, packets, takes) = size();
    let mut planted = Ok(());
    let scene = Scene::new(|folder| {
        let store = folder.join("store");
        planted = plant(&store);
        format!(
            "budget = {budget}\nmax_size = \"64MiB\"\n[sources]\nmemory = \"{memory}MiB\"\n\
             [store]\npath = \"{}\"\n",
            store.display()
        )
    })?;
    planted?;
    let page = || Page::parse(&scene.agent.metrics()?);
    let resident = || -> Result<u64> { Ok(page()?.sum("process_resident_memory_bytes", &[])) };
    let (before, spent) = (resident()?, cpu(&page()?));
    let (mut flood, mut largest) = (Flood::new(), 0);
    let (started, mut took) = (Instant::now(), Duration::ZERO);
    while flood.sent < packets {
        scene.send(&flood.frames(CHUNK.min(packets - flood.sent)))?;
        let sent = flood.sent;
        took = started.elapsed();
        if let Some(takes) = takes.filter(|_| sent < packets) {
            if sent.is_multiple_of(20 * CHUNK) {
                largest = largest.max(resident()?);
            }
            let share = u32::try_from(sent / CHUNK)?;
            let due = takes * share / u32::try_from(packets / CHUNK)?;
            thread::sleep(due.saturating_sub(started.elapsed()));
            continue;
        }
        // What there is no time to look at would be missed: here it is the budget that decides.
        let taken = |page: &Page| page.sum("sensor_evidence_packets_total", &[]);
        let observed = || -> Result<u64> {
            let windows = scene.lines(&["sources", "--limit", "1"], "window")?;
            Ok(numbers(&windows, "observed").iter().sum())
        };
        until(
            || {
                let page = page()?;
                Ok(observed()? + page.sum("sensor_sources_missed_records_total", &[]) >= taken(&page))
            },
            || format!("{:?} of {sent}", observed()),
        )?;
        largest = largest.max(resident()?);
    }
    let spent = cpu(&page()?) - spent;

    // What docs/sources.md and docs/evidence.md state: the tables, what waits for either of two threads, two answers.
    let bound = memory * MEBIBYTE * 5 / 3 + 16 * MEBIBYTE;
    let growth = largest.saturating_sub(before);
    assert!(growth <= bound, "{before} grew by {growth} bytes, more than {bound}");
    let told = is_told(&scene, budget, packets, flood.sources.len() as u64)?;
    println!(
        "{packets} packets in {took:.1?}: {told}, {spent:.1} s of CPU, resident {} MiB, {} MiB before, \
         bound {} MiB more",
        largest / MEBIBYTE,
        before / MEBIBYTE,
        bound / MEBIBYTE,
    );
    Ok(())
}

/// Whether all is told of a flood of so many packets, and of what was before it; what is told, in words.
fn is_told(scene: &Scene, budget: u32, packets: usize, truth: u64) -> Result<String> {
    let page = Page::parse(&scene.agent.metrics()?)?;
    let windows = scene.lines(&["sources"], "window")?;
    let sum = |key| numbers(&windows, key).iter().sum::<u64>();
    let unknown = page.sum("sensor_sources_missed_records_total", &[]);
    let all = sum("observed") + sum("missed");
    assert!(all <= packets as u64 && packets as u64 <= all + unknown, "{windows:?} of {packets}");
    let totals = scene.lines(&["sources"], "total")?;
    let sources = totals[0]["sources"]["count"].as_u64().context("no number of sources")?;
    let is_all = sum("missed") == 0;
    let skipped = page.sum("sensor_evidence_skipped_packets_total", &[]);
    assert_eq!(totals[0]["at_least"], !is_all);
    assert_eq!(skipped == 0, budget == ALL, "{windows:?}");
    // An agent that takes turns with all else on an emulated processor may miss some all the same.
    assert!(is_all || budget != ALL || is_emulated(), "not all was observed: {windows:?}");
    if is_all {
        assert!(windows.iter().all(|window| window["share"] == 1.0), "{windows:?}");
        assert_eq!(sum("observed"), packets as u64, "{windows:?}");
    }
    // Three standard errors.
    assert!(sources <= truth + truth / 20, "{sources} of {truth}");
    assert!(!is_all || sources + truth / 20 >= truth, "{sources} of {truth}");

    let rows = scene.lines(&["sources", "--limit", "10"], "source")?;
    let mut top = texts(&rows, "source");
    top.sort_unstable();
    let mut heavy: Vec<_> = (1..=10).map(|last| format!("203.0.113.{last}")).collect();
    heavy.sort_unstable();
    assert_eq!(top, heavy);
    let of_each = (packets / LIGHT / 10) as u64;
    let telnet = scene.lines(&["sources", "--port", "23/tcp", "--limit", "10"], "source")?;
    for row in rows.iter().chain(&telnet) {
        let [seen, more] = ["packets", "more"].map(|key| row[key].as_u64().unwrap_or_default());
        assert!(seen <= of_each + 1, "{row} of {of_each}");
        assert!(!is_all || seen + more + 1 >= of_each, "{row} of {of_each}");
    }
    // Whoever sent one packet in a quiet hour is found, whatever has come since.
    let did = scene.lines(&["source", &QUIET.to_string(), "--last", "3h"], "did")?;
    assert_eq!(numbers(&did, "packets"), [1], "{did:?}");
    Ok(format!("{} of them observed, {sources} sources of {truth}", sum("observed")))
}
