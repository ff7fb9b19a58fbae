//! A flood from forged sources: its memory is bounded, its numbers are the truth, and it hides nobody.
//!
//! With `SENSOR_TESTS_FULL` in the environment it has five million packets.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context as _, Result};
use rstest::rstest;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::pace::{amount, until};

use super::{Scene, numbers, syn, texts};

/// A budget that takes all of it: the largest that there is.
const ALL: u32 = 1_000_000;
/// Packets that are sent before it is looked whether the agent has come along.
const CHUNK: usize = 5_000;
/// One of so many is of a heavy source.
const LIGHT: usize = 50;
const MEBIBYTE: u64 = 1 << 20;

/// Its settings: how much memory it may have, and how large the flood is.
fn size() -> (u64, usize) {
    if std::env::var_os("SENSOR_TESTS_FULL").is_some() { (64, 5_000_000) } else { (16, amount(200_000)) }
}

#[rstest]
#[case::all_of_it(ALL)]
#[case::a_share_of_it(5_000)]
fn a_flood_of_forged_sources_is_told_in_bounded_memory(#[case] budget: u32) -> Result<()> {
    needs_root!();
    let (memory, packets) = size();
    let scene = Scene::new(|_| {
        format!("budget = {budget}\nmax_size = \"64MiB\"\n[sources]\nmemory = \"{memory}MiB\"\n")
    })?;
    let page = || Page::parse(&scene.agent.metrics()?);
    let resident = || -> Result<u64> { Ok(page()?.sum("process_resident_memory_bytes", &[])) };
    let before = resident()?;
    let (mut random, mut sent, mut largest, mut truth) = (1_u64, 0_usize, 0, HashSet::new());
    let started = Instant::now();
    while sent < packets {
        let frames: Vec<_> = (0..CHUNK.min(packets - sent))
            .map(|number| {
                if number % LIGHT == 0 {
                    let heavy = Ipv4Addr::new(
                        203,
                        0,
                        113,
                        1 + u8::try_from((sent + number) / LIGHT % 10).unwrap_or(0),
                    );
                    truth.insert(heavy);
                    return syn(heavy, 7, 23);
                }
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let [a, b, c, d, high, low, ..] = random.rotate_left(24).to_be_bytes();
                // None of them is one of the heavy.
                let light = Ipv4Addr::new(a & 0x7f | 1, b, c, d);
                truth.insert(light);
                syn(light, 7, u16::from_be_bytes([high, low]))
            })
            .collect();
        scene.send(&frames)?;
        sent += frames.len();
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
    let took = started.elapsed();

    // What docs/sources.md and docs/evidence.md state: the tables, what waits for either of two threads, two answers.
    let bound = memory * MEBIBYTE * 5 / 3 + 16 * MEBIBYTE;
    let growth = largest.saturating_sub(before);
    assert!(growth <= bound, "{before} grew by {growth} bytes, more than {bound}");

    let windows = scene.lines(&["sources"], "window")?;
    let sum = |key| numbers(&windows, key).iter().sum::<u64>();
    let unknown = page()?.sum("sensor_sources_missed_records_total", &[]);
    let all = sum("observed") + sum("missed");
    assert!(all <= sent as u64 && sent as u64 <= all + unknown, "{windows:?} of {sent}");
    let totals = scene.lines(&["sources"], "total")?;
    let sources = totals[0]["sources"]["count"].as_u64().context("no number of sources")?;
    let is_all = sum("missed") == 0;
    let skipped = page()?.sum("sensor_evidence_skipped_packets_total", &[]);
    assert_eq!(totals[0]["at_least"], !is_all);
    // An agent that gets no processor may miss some all the same.
    assert_eq!(skipped == 0, budget == ALL, "{windows:?}");
    let truth = truth.len() as u64;
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
    println!(
        "{sent} packets in {took:.1?}: {} of them observed, {sources} sources of {truth}, resident {} MiB, {} MiB before, bound {} MiB more",
        sum("observed"),
        largest / MEBIBYTE,
        before / MEBIBYTE,
        bound / MEBIBYTE,
    );
    Ok(())
}
