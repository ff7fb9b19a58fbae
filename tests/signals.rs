//! Signals that come at an unfit moment.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::mix;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::wire::Wire;

/// Whether the process has a handler for SIGHUP: the last bit of the mask.
fn is_ready_for_signals(pid: u32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).context("no SigCgt")?;
    Ok(u64::from_str_radix(caught.trim(), 16)? & 1 == 1)
}

/// Sends a signal to each thread, and not to whichever of them has nothing to do.
fn hang_up_on_every_thread(pid: u32) -> Result<()> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Some(thread) = thread?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // SAFETY: the call has no memory to get wrong. A thread may have ended meanwhile.
        unsafe { libc::syscall(libc::SYS_tgkill, pid.cast_signed(), thread, libc::SIGHUP) };
    }
    Ok(())
}

/// The verifier gives up when a signal is pending.
#[test]
fn a_signal_while_the_programs_are_loaded_does_no_harm() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(mix::SENSOR).spawn()?;
    until(|| is_ready_for_signals(agent.pid()), || "it takes no signals".to_owned())?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        hang_up_on_every_thread(agent.pid())?;
        thread::sleep(Duration::from_millis(5));
    }
    until(
        || {
            ensure!(agent.ended()?.is_none(), "it has ended: {}", agent.stderr());
            Ok(agent.get("/readyz").is_ok_and(|ready| ready.status == 200))
        },
        || "it did not start".to_owned(),
    )
}

fn reloads(agent: &AgentProcess) -> usize {
    agent.stderr().matches("reloaded: ").count()
}

#[test]
fn pending_hang_ups_are_one_reload() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(mix::SENSOR).start()?;
    for _ in 0..200 {
        agent.signal(Signal::SIGHUP)?;
    }
    until(|| Ok(reloads(&agent) > 0), || format!("not reloaded: {}", agent.stderr()))?;
    // What is pending is applied after the reload that is under way: once more, and not a hundred times.
    thread::sleep(Duration::from_secs(3));
    ensure!(reloads(&agent) < 20, "{} reloads", reloads(&agent));
    Ok(())
}
