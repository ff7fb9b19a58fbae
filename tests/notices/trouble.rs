//! What is wrong is told, and costs nothing else: a log without room, names that are not there.

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::Launch;
use sensor_harness::cli::sensor;
use sensor_harness::disk::SmallDisk;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::pace::{until, within_a_day};
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;

use super::{config, launch, mirai, notices};

#[test]
fn a_full_disk_costs_nothing_but_time() -> Result<()> {
    needs_root!();
    let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
    let disk = SmallDisk::new("64k")?;
    let log = disk.path().join("notices.jsonl");
    let notice = format!("[notices]\nlog = \"{}\"\n", log.display());
    let mut agent = launch(&wire, &pins, &config(folder.path(), &notice))?;
    // Fits in bytes that no line fits in.
    until(|| Ok(log.exists()), || agent.stderr())?;
    fs::write(disk.path().join("full"), vec![0; 60 << 10])?;
    let send = |from: u8| Sender::new(&wire)?.send(&[mirai(Ipv4Addr::new(203, 0, 113, from))]);
    within_a_day();
    (1..=20).try_for_each(send)?;
    let failing = || anyhow::Ok(Page::parse(&agent.metrics()?)?.sum("sensor_notice_log_failing", &[]));
    until(|| Ok(failing()? == 1), || agent.stderr())?;
    ensure!(
        agent.stderr().matches("notices wait in the store until the event log can be written").count() == 1
    );
    send(21)?;
    fs::remove_file(disk.path().join("full"))?;
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    until(|| Ok(lines() == 21 && failing()? == 0), || format!("{} lines; {}", lines(), agent.stderr()))?;
    let text = fs::read_to_string(&log)?;
    let whole = text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    ensure!(whole, "{text}");
    agent.stop(Signal::SIGKILL)?;
    let mut agent = launch(&wire, &pins, &config(folder.path(), &notice))?;
    send(22)?;
    until(|| Ok(lines() == 22), || agent.stderr())?;
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

#[test]
fn what_is_asked_wrongly_is_answered_clearly() -> Result<()> {
    needs_root!();
    let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
    let nowhere = format!("[notices]\nlog = \"{}/nowhere/log\"\n", folder.path().display());
    let mut agent = launch(&wire, &pins, &config(folder.path(), &nowhere))?;
    let failing = || Ok(Page::parse(&agent.metrics()?)?.sum("sensor_notice_log_failing", &[]) == 1);
    until(failing, || agent.stderr())?;
    let said = notices(&wire, &pins, &["--constituency", "theirs"])?;
    let words = "there is no constituency \"theirs\": the configuration has ours";
    ensure!(said.code == 2 && said.stderr.contains(words) && said.stdout.is_empty(), "{said:?}");
    let said = notices(&wire, &pins, &["--last", "1h"])?;
    ensure!(said.code == 0 && said.stdout.is_empty(), "{said:?}");
    agent.stop(Signal::SIGTERM)?;
    // It was told before.
    let file = folder.path().join("sensor.toml");
    fs::write(&file, config(folder.path(), &nowhere))?;
    let file = file.display().to_string();
    let said = sensor(&wire.near.namespace, &["check", "--config", &file, "--interface", "sensor0"])?;
    ensure!(
        said.stdout.contains("Note: cannot write the event log")
            && said.stdout.contains("there is no folder"),
        "{said:?}"
    );
    for (config, words) in [
        ("", "this agent keeps no evidence, of which notices are made"),
        ("[evidence]\npath = \"EVIDENCE\"\n", "this agent knows no [[constituency]]"),
    ] {
        let evidence = folder.path().join("other").display().to_string();
        let config = config.replace("EVIDENCE", &evidence);
        let mut agent =
            Launch::new(&wire.near.namespace).interface("sensor0").pins(&pins).config(&config).start()?;
        let said = notices(&wire, &pins, &[])?;
        ensure!(said.code > 0 && said.stderr.contains(words), "{said:?}");
        agent.stop(Signal::SIGTERM)?;
    }
    Ok(())
}
