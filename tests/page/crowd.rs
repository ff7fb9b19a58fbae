//! Many who look, in a flood: each is told what is new, nothing is lost, and scrapers are served.

use std::io::Read as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sensor_harness::agent::Launch;
use sensor_harness::frame::frame;
use sensor_harness::http::connect;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::sender::Sender;

use super::Scene;

/// Who look.
const LISTENERS: usize = 50;
/// For how long the flood goes on, and how fast it is, where the machine gives that.
const FLOOD: Duration = Duration::from_secs(10);
const A_SECOND: u64 = 200_000;
/// What each update begins with.
const EVENT: &[u8] = b"event: parts\n";
/// Memory that the agent may take more than before, in bytes: what docs/sources.md and docs/evidence.md state of an hour's
/// windows and of what waits, and as much again for what is shown.
const GROWTH: u64 = 160 << 20;

#[test]
fn a_flood_is_told_to_everybody_who_looks() -> Result<()> {
    needs_root!();
    let scene = Scene::new("")?;
    let near = &scene.wire.near.namespace;
    let resident = || -> Result<u64> {
        Ok(Page::parse(&scene.agent.metrics()?)?.sum("process_resident_memory_bytes", &[]))
    };
    let before = resident()?;
    let ended = Arc::new(AtomicBool::new(false));
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let mut stream = connect(near, sensor_harness::agent::LISTEN)?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let (ended, updates) = (Arc::clone(&ended), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&updates);
        let reader = thread::spawn(move || {
            let (mut part, mut rest) = (vec![0; 1 << 16], Vec::new());
            while !ended.load(Ordering::Relaxed) {
                match stream.read(&mut part) {
                    Ok(0) => return false,
                    Ok(length) => rest.extend_from_slice(&part[..length]),
                    Err(_) => continue,
                }
                while let Some(at) = rest.windows(EVENT.len()).position(|bytes| bytes == EVENT) {
                    counted.fetch_add(1, Ordering::Relaxed);
                    rest.drain(..at + EVENT.len());
                }
                let keep = rest.len().saturating_sub(EVENT.len());
                rest.drain(..keep);
            }
            true
        });
        listeners.push((reader, updates));
    }
    let least =
        || listeners.iter().map(|(_, updates)| updates.load(Ordering::Relaxed)).min().unwrap_or_default();
    until(|| Ok(least() > 0), || "not everybody is told".to_owned())?;

    // SYNs to every port in turns, from forged sources.
    let frames: Vec<Vec<u8>> = (0..8_192_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let from = [198, 18, high, low];
            frame().ipv4().from(from).to([198, 51, 100, 7]).tcp(number.wrapping_mul(7)).syn().bytes()
        })
        .collect();
    let sender = Sender::new(&scene.wire)?;
    let told = least();
    let (begun, mut sent, mut largest) = (Instant::now(), 0_u64, before);
    while begun.elapsed() < FLOOD {
        let due = u64::try_from(begun.elapsed().as_millis())? * A_SECOND / 1_000;
        if sent > due {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        sender.send(&frames)?;
        sent += frames.len() as u64;
        if sent.is_multiple_of(64 * frames.len() as u64) {
            largest = largest.max(resident()?);
        }
    }
    let seconds = begun.elapsed().as_secs();
    let told = least() - told;
    println!(
        "{sent} packets in {seconds} s; each of {LISTENERS} was told {told} times; {before} bytes, then {largest}"
    );
    // A second each; a machine that is busy with other things gives fewer.
    ensure!(told >= seconds / 2, "one was told {told} times in {seconds} s");
    let most = listeners.iter().map(|(_, updates)| updates.load(Ordering::Relaxed)).max().unwrap_or_default();
    ensure!(most - least() <= 2, "one was told {most} times, another {} times", least());
    let growth = largest.saturating_sub(before);
    ensure!(growth <= GROWTH, "{before} grew by {growth} bytes");
    until(
        || Ok(scene.agent.counts()?.packets() == sent),
        || format!("{:?} of {sent}", scene.agent.counts()),
    )?;

    // Beyond the bound somebody else is told so, and Prometheus is served.
    let mut others = Vec::new();
    let refused = loop {
        let mut stream = connect(near, sensor_harness::agent::LISTEN)?;
        write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut head = [0; 256];
        let length = stream.read(&mut head)?;
        let head = String::from_utf8_lossy(&head[..length]).into_owned();
        if !head.starts_with("HTTP/1.1 200 ") {
            break head;
        }
        others.push(stream);
        ensure!(others.len() < 100, "there is no bound");
    };
    ensure!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    ensure!(scene.agent.metrics()?.contains("sensor_packets_total"), "no scrape");
    ended.store(true, Ordering::Relaxed);
    for (reader, _) in listeners {
        ensure!(reader.join().ok().context("a reader has failed")?, "one was hung up on");
    }
    Ok(())
}

/// An agent that keeps nothing has a page, too.
#[test]
fn an_agent_without_evidence_or_store_has_a_page() -> Result<()> {
    needs_root!();
    let wire = sensor_harness::wire::Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    Sender::new(&wire)?.send(&[frame().ipv4().tcp(23).syn().bytes()])?;
    // The counters may have been read just before.
    let row = "data-service=\"23/TCP\"";
    until(|| Ok(super::page(&agent, "/")?.contains(row)), || "no packet is shown".to_owned())?;
    let page = super::page(&agent, "/")?;
    for said in ["Nothing is known of sources", "None is kept", "All is well"] {
        ensure!(page.contains(said), "not {said:?}: {page}");
    }
    ensure!(super::page(&agent, "/port/23/tcp")?.contains("Nothing is stored of it yet"));
    Ok(())
}
