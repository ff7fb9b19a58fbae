//! systemd, which runs the agent from then on.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cli::DEFAULT_CONFIG;
use crate::kernel::DEFAULT_PINS;

/// The command that has systemd run the agent, now and at each boot.
pub(super) const ENABLE: &str = "systemctl enable --now sensor";

/// The command that ends that.
pub(super) const DISABLE: &str = "systemctl disable --now sensor";

/// The unit.
const UNIT: &str = "sensor.service";

/// What systemd calls a unit whose program may attach at any moment (`systemctl is-active`).
const AT_WORK: [&str; 4] = ["active", "activating", "deactivating", "reloading"];

/// Whether systemd runs this host, and has a unit for the agent with this configuration and these pins.
pub(super) fn is_for(config: &Path, pins: &Path) -> bool {
    let is_usual = config == Path::new(DEFAULT_CONFIG) && pins == Path::new(DEFAULT_PINS);
    is_usual && Path::new("/run/systemd/system").is_dir() && has_unit()
}

fn has_unit() -> bool {
    asking(&["cat", UNIT]).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// That systemd runs no agent, and is not about to, as it is between two attempts. Nothing is known of it where there is
/// no systemd.
///
/// # Errors
/// It does, or is.
pub(super) fn is_at_rest() -> Result<()> {
    let said = asking(&["is-active", UNIT]).output().map(|output| output.stdout).unwrap_or_default();
    let state = String::from_utf8_lossy(&said);
    let state = state.trim();
    if AT_WORK.contains(&state) {
        bail!("systemd runs an agent, or is about to ({UNIT} is {state}): `systemctl stop sensor` ends that");
    }
    Ok(())
}

fn asking(words: &[&str]) -> Command {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(words).stdin(Stdio::null()).stderr(Stdio::null());
    systemctl
}

/// Has systemd run it. It is up when this returns: the unit says so itself.
///
/// # Errors
/// It does not start.
pub(super) fn enable() -> Result<()> {
    let mut words = ENABLE.split(' ');
    let mut systemctl = Command::new(words.next().unwrap_or_default());
    let output = systemctl.args(words).stdin(Stdio::null()).output().context("cannot run systemctl")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it says nothing");
    bail!(
        "`{ENABLE}` failed: {last}: `journalctl -u sensor -n 20` says why; what is attached goes on counting"
    )
}
