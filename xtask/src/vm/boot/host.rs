//! The machine as its administrator has it: by SSH.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::shell;

/// Booting takes no longer, emulated on a busy host.
const BOOTING: Duration = Duration::from_mins(10);

/// A command takes no longer there.
const COMMAND: Duration = Duration::from_mins(5);

/// How often something is looked at again.
const PAUSE: Duration = Duration::from_secs(2);

/// The UDP port that packets are sent to.
pub const PORT: u16 = 9_999;

/// Whom to log in to, and how.
#[derive(Clone)]
pub struct Host {
    /// As whom.
    pub user: &'static str,
    /// The host's port that leads to its SSH.
    pub port: u16,
    /// The key that it takes.
    pub key: PathBuf,
    /// Where what it says on its console is kept.
    pub console: PathBuf,
}

impl Host {
    fn options(&self) -> Vec<String> {
        let options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=10",
        ];
        let mut words = vec!["-i".to_owned(), self.key.display().to_string()];
        words.extend(options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        words
    }

    fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(self.options()).args(["-p", &self.port.to_string(), "-l", self.user, "127.0.0.1", command]);
        ssh
    }

    /// What a command says there, over a connection of its own.
    ///
    /// # Errors
    /// It fails.
    pub fn ask(&self, command: &str) -> Result<String> {
        let output = shell::output(&mut self.ssh(command), COMMAND)?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let complaints = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(output.status.success(), "`{command}` ended with {}: {said} {complaints}", output.status);
        Ok(said)
    }

    /// The same while others ask.
    pub fn meanwhile(&self, command: &'static str) -> JoinHandle<Result<String>> {
        let host = self.clone();
        thread::spawn(move || host.ask(command))
    }

    /// Waits until one can log in, as long as it `runs`.
    ///
    /// # Errors
    /// One cannot, or it does not.
    pub fn wait(&self, mut runs: impl FnMut() -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < BOOTING {
            runs()?;
            if shell::output(&mut self.ssh("true"), COMMAND).is_ok_and(|it| it.status.success()) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        bail!("nobody can log in after {} s: see {}", BOOTING.as_secs(), self.console.display())
    }

    /// Waits until a command succeeds.
    ///
    /// # Errors
    /// It does not.
    pub fn until(&self, command: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let Err(failed) = self.ask(command) else { return Ok(()) };
            if begun.elapsed() > COMMAND {
                let journal = self.ask("journalctl --no-pager -n 40").unwrap_or_default();
                return Err(failed.context(journal));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Begins it anew, and waits until one can log in to the machine that has begun since, as long as it `runs`.
    ///
    /// # Errors
    /// One cannot, or it does not.
    pub fn reboot(&self, mut runs: impl FnMut() -> Result<()>) -> Result<()> {
        const BOOT: &str = "cat /proc/sys/kernel/random/boot_id";
        let before = self.ask(BOOT)?;
        // The connection ends with the machine.
        let _ = self.ask("systemctl reboot");
        let begun = Instant::now();
        while begun.elapsed() < BOOTING {
            runs()?;
            if self.ask(BOOT).is_ok_and(|now| now != before) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        bail!("nobody can log in {} s after the reboot: see {}", BOOTING.as_secs(), self.console.display())
    }

    /// Copies a file there.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        let mut ssh =
            self.ssh(&format!("cat > {to}")).stdin(Stdio::piped()).spawn().context("cannot run ssh")?;
        ssh.stdin.take().context("ssh has no input")?.write_all(&bytes)?;
        let ended = shell::wait(&mut ssh, COMMAND)?;
        ensure!(ended.is_some_and(|status| status.success()), "cannot write {to} there");
        Ok(())
    }

    /// That no interface has a program, and nothing is pinned.
    ///
    /// # Errors
    /// One has.
    pub fn nothing_is_attached(&self) -> Result<()> {
        let links = self.ask("ip link; find /sys/fs/bpf -mindepth 1")?;
        ensure!(!links.contains("xdp") && !links.contains("/sys/fs/bpf/sensor/v"), "{links}");
        Ok(())
    }

    /// Packets to [`PORT`] that the agent has counted, once there are no more coming.
    ///
    /// # Errors
    /// The agent does not say.
    pub fn settled_count(&self) -> Result<u64> {
        let mut before = self.count()?;
        loop {
            thread::sleep(PAUSE);
            let now = self.count()?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
    }

    fn count(&self) -> Result<u64> {
        let slots = self.ask("curl --silent --fail http://127.0.0.1:19817/api/v1/slots")?;
        let slots: Value = serde_json::from_str(&slots)?;
        let all = slots["sensors"][0]["slots"].as_array().context("no slots")?;
        let is_it = |slot: &&Value| slot["protocol"] == "udp" && slot["port"] == PORT;
        Ok(all.iter().find(is_it).and_then(|slot| slot["packets"].as_u64()).unwrap_or(0))
    }
}
