//! What fails again and again is logged when it begins and when it ends, and not each time.

#[path = "alerts/trouble.rs"]
mod trouble;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::pace::until;
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root};

use crate::trouble::Library;

/// Lines of the log about a failure.
fn failures(agent: &AgentProcess) -> Vec<String> {
    let lines = agent.stderr();
    lines.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
}

/// Asks for so many pages, a second apart, and gives what was told by then.
fn rounds(agent: &AgentProcess, times: u32) -> Result<Vec<String>> {
    for _ in 0..times {
        let page = agent.get("/metrics")?;
        ensure!(page.status == 200 && agent.get("/readyz")?.status == 503, "{}", page.body);
        thread::sleep(Duration::from_secs(1));
    }
    Ok(failures(agent))
}

/// The kernel refuses to read maps for a while.
#[test]
fn drains_that_fail_are_logged_once() -> Result<()> {
    needs_root!();
    let library = needs!(Library::new()?);
    let wire = Wire::new()?;
    let preloaded = library.preloaded("failing")?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0").wrapped(&preloaded);
    let agent = launch.argument("--drain-interval").argument("1s").start()?;
    library.begin("failing", "maps")?;
    // A drain that it begins in the middle of fails for another reason.
    let told = rounds(&agent, 3)?;
    let of_drains = told.iter().filter(|line| line.contains("until the counters can be read"));
    assert!((1..=2).contains(&of_drains.count()), "{told:#?}");
    // Looking after what is attached reads a map too.
    assert!(told.len() <= 3, "{told:#?}");
    assert_eq!(rounds(&agent, 3)?, told, "told again");
    let folder = preloaded.split("TROUBLES=").nth(1).context("it names the folder")?;
    std::fs::remove_file(PathBuf::from(folder).join("maps"))?;
    let over = || agent.stderr().lines().find_map(|line| times(line, "the counters can be read again"));
    until(|| Ok(over().is_some()), || format!("it does not say so: {}", agent.stderr()))?;
    ensure!(over() >= Some(10), "{}", agent.stderr());
    until(|| Ok(agent.get("/readyz")?.status == 200), || agent.stderr())?;
    assert_eq!(failures(&agent), told);
    Ok(())
}

/// How often something had failed, in the line that tells of its end.
fn times(line: &str, words: &str) -> Option<u64> {
    line.split_once(&format!("{words}: "))?.1.split(' ').next()?.parse().ok()
}
