//! The agent as it is shipped: one file, which needs no other.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::{built, needs, needs_root};

/// Bytes that it may have: SQLite is about a tenth of it, what is told of sources nearly as much, notices half of
/// that; then come the page and its map, what draws on a terminal, and what confines it.
const SIZE: u64 = 14_600_000;

#[test]
fn it_loads_no_library() -> Result<()> {
    let agent = needs!(built::released()?);
    let ldd = Command::new("ldd").arg(&agent).env("LC_ALL", "C").output().context("cannot run ldd")?;
    let said = [ldd.stdout, ldd.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
    Ok(())
}

#[test]
fn it_is_small_and_what_a_debugger_reads_is_beside_it() -> Result<()> {
    let agent = needs!(built::released()?);
    let size = |path: &Path| fs::metadata(path).map(|file| file.len());
    let size_of_agent = size(&agent)?;
    ensure!(size_of_agent <= SIZE, "{size_of_agent} bytes");
    let debug = agent.with_extension("debug");
    ensure!(size(&debug)? > size_of_agent, "{} holds less than the agent", debug.display());
    // The link by which debuggers find it.
    let name = debug.file_name().context("no file")?.as_encoded_bytes();
    let content = fs::read(&agent)?;
    ensure!(content.windows(name.len()).any(|window| window == name), "the agent names no sensor.debug");
    Ok(())
}

#[rstest]
#[case::version(&["--version"], "sensor ")]
#[case::help(&["--help"], "Usage: sensor")]
#[case::doctor(&["doctor", "--interface", "lo"], "cannot read /proc/")]
#[case::check(&["check", "--interface", "lo", "--config", "/sensor.toml"], "/sensor.toml:1")]
fn it_runs_where_nothing_else_is(#[case] arguments: &[&str], #[case] said: &str) -> Result<()> {
    needs_root!();
    let agent = needs!(built::released()?);
    let root = tempfile::tempdir()?;
    fs::copy(&agent, root.path().join("sensor"))?;
    fs::write(root.path().join("sensor.toml"), "nonsense = 1\n")?;
    let output = Command::new("chroot").arg(root.path()).arg("/sensor").args(arguments).output()?;
    let out = [output.stdout, output.stderr].concat();
    let out = String::from_utf8_lossy(&out);
    ensure!(matches!(output.status.code(), Some(0..=2)), "{}: {out}", output.status);
    ensure!(out.contains(said), "not {said:?}: {out}");
    Ok(())
}
