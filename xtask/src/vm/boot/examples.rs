//! `cargo xtask vm --boot --with …`: the examples of `packaging/examples` set up machines, as they set up a fleet's hosts.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::disk::{self, More};
use super::machine::Machine;
use super::{Counted, Journey, ansible, cloud_init};
use crate::{package, setup, shell};

/// What these machines have beside others.
const PACKAGES: &[&str] = &["python3-apt", "cloud-init", "sudo"];

/// An example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// The playbook, which sets a machine up, changes nothing the second time, and undoes a mistake
    Ansible,
    /// The user-data, by which a machine sets itself up at its first boot
    CloudInit,
}

/// Has each of them set up a machine of its own.
///
/// # Errors
/// The first step that does not go as it should; or this is not root.
pub fn run(examples: &[Example]) -> Result<()> {
    ensure!(shell::is_root(), "machines get disks of files that are root's: run it as root");
    setup::for_booting()?;
    let folder = shell::workspace().join("target/vm/examples");
    let [package, _] = package::two_versions(&folder.join("packages"))?;
    for example in examples {
        match example {
            Example::Ansible => ansible::go(&folder, &package)?,
            Example::CloudInit => cloud_init::go(&folder, &package)?,
        }
    }
    Ok(())
}

/// Makes a disk in a folder, and starts a machine from it.
///
/// # Errors
/// The disk cannot be made, or the machine does not start.
pub(super) fn start(folder: &Path, name: &str, files: Vec<disk::Written>) -> Result<Journey> {
    let disk = disk::make(folder, &More { packages: PACKAGES, files })?;
    let own = folder.join(name);
    fs::create_dir_all(&own).with_context(|| format!("cannot create {}", own.display()))?;
    let mut journey = Journey { begun: Instant::now(), machine: Machine::start(&disk, &own)? };
    journey.machine.wait()?;
    journey.say(&format!("{name}: it is up, by {}", journey.machine.accelerator.name()));
    Ok(journey)
}

/// That a machine that was set up counts exactly, and does so again after a reboot, unasked.
///
/// # Errors
/// It does not.
pub(super) fn counts_for_good(journey: &mut Journey) -> Result<()> {
    let host = &journey.machine.host.clone();
    let mut cable = journey.machine.cable("sensor0")?;
    Counted(0).grow(host, &mut cable).context("set up")?;
    let configured = "sha256sum /etc/sensor/sensor.toml";
    let before = host.ask(configured)?;
    journey.machine.reboot()?;
    let state = host.ask("systemctl is-active sensor; ip link show admin0 | grep -o xdp | head -n 1")?;
    ensure!(state == "active\nxdp", "at the first login after the reboot: {state}");
    ensure!(host.ask(configured)? == before, "it was configured anew");
    Counted(0).grow(host, &mut cable).context("rebooted")?;
    journey.say("it counts, and does so again after a reboot");
    Ok(())
}
