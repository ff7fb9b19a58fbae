//! What the agent takes of the host's memory, with every port seen.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;

/// A figure of the agent's memory in MiB: `VmHWM` for the most that was ever resident, files included, `RssAnon` for
/// what is resident now without them, which a build for debugging has far more of.
fn mebibytes(agent: &AgentProcess, figure: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.with_context(|| format!("the kernel does not tell {figure}"))? >> 10)
}

#[rstest]
#[case::default("", "RssAnon", 24)]
#[case::every_series("[export]\nmax_ports = 0\n", "VmHWM", 96)]
fn every_port_seen_and_asked_for(
    #[case] config: &str,
    #[case] figure: &str,
    #[case] bound: u64,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(config).start()?;
    let frames: Vec<Vec<u8>> = (0..=u16::MAX)
        .flat_map(|port| [frame().ipv4().tcp(port).syn().bytes(), frame().ipv4().udp(port).bytes()])
        .collect();
    Sender::new(&wire)?.send(&frames)?;
    for _ in 0..4 {
        ensure!(agent.counts()?.packets() == frames.len() as u64, "packets are missing");
        let page = Page::parse(&agent.metrics()?)?;
        ensure!(page.sum("sensor_packets_total", &[]) == frames.len() as u64, "packets are missing");
    }
    let taken = mebibytes(&agent, figure)?;
    ensure!(taken <= bound, "{figure} is {taken} MiB, more than {bound}");
    Ok(())
}
