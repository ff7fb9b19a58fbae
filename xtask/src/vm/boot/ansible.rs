//! A machine that the playbook sets up, over SSH from this host.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::examples;
use super::host::Host;
use crate::{setup, shell};

const PLAYBOOK: &str = "packaging/examples/ansible/sensors.yml";

/// The example's own, of ten hosts: the playbook is read with it.
const INVENTORY: &str = "packaging/examples/ansible/inventory.yml";

/// Playing it takes no longer, the time to confirm included, on emulated processors.
const PLAYING: Duration = Duration::from_mins(30);

/// From where this host logs in, through QEMU's network.
const ADMIN: &str = "10.0.2.0/24";

/// Comes before the agent in root's `PATH`, and keeps the playbook from confirming.
const STAND_IN: &str = "/usr/local/bin/sensor";

/// Fails instead, as a host does on which something goes wrong after it was attached.
const FAILS: &str = "exit 1";

/// Cuts the connection instead, as a rule does that keeps nobody in: from then on the host is on its own.
const CUTS: &str = "pkill -KILL -f '^sshd: root'; exit 1";

/// A change.
const OTHER: &str = "sensor_region=elsewhere";

/// cloud-init does nothing here.
const OFF: &str = "etc/cloud/cloud-init.disabled";

/// Plays it on a fresh machine, again, with mistakes, and with trouble after it was attached.
///
/// # Errors
/// The step that did not go as it should.
pub fn go(folder: &Path, package: &Path) -> Result<()> {
    setup::for_ansible()?;
    let said = play(Path::new(INVENTORY), &["--syntax-check"])?;
    ensure!(said.well, "{said}");
    let mut journey = examples::start(folder, "ansible", vec![(OFF, Some(Vec::new()))])?;
    let host = &journey.machine.host.clone();
    let inventory = |admin: &str| write(&folder.join("inventory.json"), host, package, admin);

    stand_in(host, FAILS)?;
    let said = play(&inventory(ADMIN)?, &[])?;
    ensure!(!said.well && said.text.contains("rescued=1"), "on a fresh host that fails: {said}");
    host.nothing_is_attached()?;
    host.ask(
        "! systemctl is-active sensor && ! systemctl is-enabled sensor && ! test -e /etc/sensor/sensor.toml",
    )?;
    host.ask(&format!("rm {STAND_IN}"))?;
    journey.say("a fresh host that fails once it is attached is as it was before");

    let said = play(&inventory(ADMIN)?, &[])?;
    ensure!(said.well && said.text.contains("failed=0"), "{said}");
    host.ask("systemctl is-active sensor && systemctl is-enabled sensor")?;
    journey.say("Ansible set it up, and confirmed over a new connection");

    let said = play(&inventory(ADMIN)?, &[])?;
    ensure!(said.well && said.text.contains("changed=0"), "the second time: {said}");
    journey.say("played again, it changes nothing");

    let agent = "systemctl show sensor --property MainPID --value";
    let before = host.ask(agent)?;
    let said = play(&inventory("203.0.113.0/24")?, &[])?;
    ensure!(!said.well && said.text.contains("rescued=0"), "with a rule that keeps nobody in: {said}");
    ensure!(host.ask(agent)? == before, "another agent runs after a mistake");
    is_as_before(host)?;
    journey.say("a mistake is refused, and nothing touched");

    stand_in(host, FAILS)?;
    let said = play(&inventory(ADMIN)?, &["--extra-vars", OTHER])?;
    ensure!(!said.well && said.text.contains("rescued=1"), "on a host that fails: {said}");
    is_as_before(host)?;
    journey.say("a host that fails once a change is attached is as it was before");

    stand_in(host, CUTS)?;
    let said = play(&inventory(ADMIN)?, &["--extra-vars", &format!("{OTHER} sensor_confirm_within=2m")])?;
    ensure!(!said.well && said.text.contains("unreachable=1"), "cut off: {said}");
    host.until("systemctl is-active sensor && ! systemctl is-active sensor-unconfirmed")?;
    is_as_before(host)?;
    host.ask(&format!("rm {STAND_IN}"))?;
    journey.say("a host that cannot be reached any more undoes a change by itself");

    let said = play(&inventory(ADMIN)?, &["--extra-vars", OTHER])?;
    ensure!(said.well, "a change: {said}");
    host.ask("systemctl is-active sensor && grep --quiet elsewhere /etc/sensor/sensor.toml")?;
    journey.say("a change is made");
    examples::counts_for_good(&mut journey)
}

/// Has something else come of `sensor confirm`.
fn stand_in(host: &Host, instead: &str) -> Result<()> {
    let script =
        format!("#!/bin/sh\nif [ \"$1\" = confirm ]; then {instead}; fi\nexec /usr/bin/sensor \"$@\"\n");
    host.ask(&format!("cat > {STAND_IN} <<'END'\n{script}END\nchmod 755 {STAND_IN}")).map(drop)
}

/// That the agent runs, with the configuration of the first play.
fn is_as_before(host: &Host) -> Result<()> {
    host.ask(&format!(
        "systemctl is-active sensor && ip link show admin0 | grep -q xdp && \
         grep --quiet '{ADMIN}' /etc/sensor/sensor.toml && grep --quiet laboratory /etc/sensor/sensor.toml"
    ))
    .map(drop)
}

/// An inventory of one host, with the variables that the example has.
fn write(path: &Path, host: &Host, package: &Path, admin: &str) -> Result<PathBuf> {
    let variables = json!({
        "ansible_host": "127.0.0.1",
        "ansible_port": host.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": host.key,
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        "sensor_deb": package,
        "sensor_name": "boot",
        "sensor_region": "laboratory",
        "sensor_interfaces": ["admin0", "sensor0"],
        "sensor_prefixes": ["10.0.2.15/32", "198.51.100.7/32", "198.51.100.8/32"],
        "sensor_admin": [admin],
        // Emulated, each step takes its time.
        "sensor_confirm_within": "10m",
    });
    let inventory = json!({"sensors": {"hosts": {"boot": variables}}});
    fs::write(path, inventory.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_owned())
}

/// What came of playing it.
struct Played {
    well: bool,
    text: String,
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn play(inventory: &Path, more: &[&str]) -> Result<Played> {
    let mut ansible = Command::new("ansible-playbook");
    ansible.current_dir(shell::workspace()).arg("--inventory").arg(inventory).args(more).arg(PLAYBOOK);
    ansible.envs([("ANSIBLE_NOCOLOR", "1"), ("LC_ALL", "C.UTF-8")]);
    let output = shell::output(&mut ansible, PLAYING)?;
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Ok(Played { well: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() })
}
