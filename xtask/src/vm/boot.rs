//! `cargo xtask vm --boot`: a whole Debian with systemd, on which the package is installed, attached, rebooted, upgraded and
//! removed, over real SSH through the NIC that the sensor is on.
//!
//! Everything that would lock its administrator out shows: nothing else leads into the machine.

mod ansible;
mod cloud_init;
mod disk;
mod examples;
mod host;
mod machine;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::package;
use crate::{setup, shell};
use disk::More;
pub use examples::{Example, run as with};
use host::Host;
use machine::{Cable, Machine};

/// Packets of each step that are compared with what the agent says.
const PACKETS: u64 = 2_000;

/// How long after the machine is up the late NIC is plugged in.
const LATE: Duration = Duration::from_secs(30);

/// What `sensor setup` is told: the address that one logs in to is watched too.
const SETUP: &str = "sensor setup --yes --interface admin0 sensor0 --monitor 10.0.2.15 198.51.100.7 198.51.100.8 \
                     --name boot --confirm-within 5m";

/// What is changed of the configuration that it writes: a NIC that is not there yet.
const LATER: &str = "sed -i 's/^interfaces = .*/interfaces = [\"admin0\", \"sensor0\", \"late0\"]/; \
                     1i drain_interval = \"1s\"' /etc/sensor/sensor.toml";

/// Goes through all of it, step by step, and says what each took.
///
/// # Errors
/// The step that did not go as it should; or this is not root.
pub fn run() -> Result<()> {
    ensure!(
        shell::is_root(),
        "`cargo xtask vm --boot` makes a disk of files that are root's: run it as root"
    );
    setup::for_booting()?;
    let folder = shell::workspace().join("target/vm/boot");
    let [older, newer] = package::two_versions(&folder.join("packages"))?;
    let disk = disk::make(&folder, &More::default())?;
    let mut journey = Journey { begun: Instant::now(), machine: Machine::start(&disk, &folder)? };
    journey.go(&older, &newer)
}

/// The way of one machine.
struct Journey {
    begun: Instant,
    machine: Machine,
}

impl Journey {
    fn go(&mut self, older: &Path, newer: &Path) -> Result<()> {
        self.machine.wait()?;
        let host = &self.machine.host.clone();
        self.say(&format!(
            "it is up: Linux {}, by {}",
            host.ask("uname -r")?,
            self.machine.accelerator.name()
        ));
        let mut cable = self.machine.cable("sensor0")?;
        let mut counts = Counted(0);

        host.copy(older, "/root/older.deb")?;
        host.copy(newer, "/root/newer.deb")?;
        let said = host.ask("apt-get install --yes /root/older.deb 2>&1")?;
        ensure!(said.contains("Nothing is attached yet"), "{said}");
        host.nothing_is_attached().context("installed")?;
        self.say("installed: nothing is attached");

        let setting_up = host.meanwhile(SETUP);
        host.until("ip link show sensor0 | grep -q xdp && ip link show admin0 | grep -q xdp")?;
        let said = host.ask("sensor confirm")?;
        ensure!(said.contains("confirmed"), "{said}");
        let said = setting_up.join().map_err(|_| anyhow!("the session has a bug"))??;
        ensure!(said.contains("+ systemctl enable --now sensor"), "{said}");
        println!("{said}");
        self.say("`sensor setup` attached, was confirmed over a new connection, and had systemd run it");
        let who = host.ask("ps -o user= -C sensor")?;
        ensure!(who == "sensor", "it runs as {who}");
        host.until("journalctl --unit sensor --output cat | grep 'confined: files by Landlock'")?;
        self.say(&host.ask("journalctl --unit sensor --output cat | grep -o 'confined: .*' | tail -n 1")?);
        counts.grow(host, &mut cable).context("set up")?;

        host.ask(LATER)?;
        // A reload takes no NIC that is not there.
        host.ask("systemctl restart sensor && systemctl reload sensor")?;
        let status = host.ask("systemctl show sensor --property StatusText --value")?;
        ensure!(status.contains("late0"), "what is missing is not named: {status}");
        counts.grow(host, &mut cable).context("restarted and reloaded")?;
        self.say(&format!("restarted, with a NIC that is not there yet, and reloaded: {status}"));

        self.machine.reboot()?;
        let mut counts = Counted(0);
        let state = host.ask("systemctl is-active sensor; ip link show admin0 | grep -o xdp | head -n 1")?;
        ensure!(state == "active\nxdp", "at the first login after the reboot: {state}");
        let entered = |unit: &str| -> Result<u64> {
            let ask = format!("systemctl show {unit} --property ActiveEnterTimestampMonotonic --value");
            Ok(host.ask(&ask)?.parse()?)
        };
        let (sensor, ssh) = (entered("sensor")?, entered("ssh")?);
        ensure!(sensor < ssh, "attached {} ms after SSH was there", (sensor - ssh) / 1_000);
        counts.grow(host, &mut cable).context("rebooted")?;
        self.say(&format!(
            "rebooted: attached {} ms before SSH was there, and counts",
            (ssh - sensor) / 1_000
        ));

        thread::sleep(LATE);
        let mut late = self.machine.plug_in("late0")?;
        host.until("ip link show late0 | grep -q xdp")?;
        counts.grow(host, &mut late).context("on the late NIC")?;
        self.say("a NIC that came late is attached, and counts");

        let flood = cable.flood()?;
        host.ask("apt-get install --yes /root/newer.deb 2>&1")?;
        let sent = flood.end()?;
        counts.add(host, sent).context("while it was upgraded")?;
        let version = host.ask("sensor status | head -n 1; dpkg-query --show sensor")?;
        self.say(&format!("upgraded under {sent} packets: difference 0; {}", version.replace('\n', "; ")));

        let said = host.ask("apt-get remove --yes sensor 2>&1")?;
        host.nothing_is_attached().with_context(|| format!("removed: {said}"))?;
        host.ask("apt-get purge --yes sensor 2>&1")?;
        host.ask("! test -e /var/lib/sensor && ! test -e /etc/sensor && ! test -e /sys/fs/bpf/sensor")?;
        self.say("removed and purged: nothing is left");
        Ok(())
    }

    fn say(&self, what: &str) {
        println!("boot: {:4} s: {what}", self.begun.elapsed().as_secs());
    }
}

/// How many packets the agent must have counted.
struct Counted(u64);

impl Counted {
    /// Sends some more, which must be counted.
    fn grow(&mut self, host: &Host, cable: &mut Cable) -> Result<()> {
        cable.send(PACKETS)?;
        self.add(host, PACKETS)
    }

    /// So many more must be counted, and no other number.
    fn add(&mut self, host: &Host, sent: u64) -> Result<()> {
        self.0 += sent;
        let counted = host.settled_count()?;
        ensure!(counted == self.0, "{} packets were sent, and {counted} counted", self.0);
        Ok(())
    }
}
