//! Attaches with a way back: an agent with `--confirm-within`, which undoes itself unless somebody confirms it.
//!
//! The agent goes on if this process ends, as it does if its session is cut off by mistake: then nobody confirms,
//! and the program lets everything pass.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::interrupt;
use crate::kernel::{AttachOptions, Confirmation, DEFAULT_PINS, Interface, guard_of, is_ours};
use crate::output::Log;
use crate::typed::word;

/// How often it is looked what has become of it.
const GLANCE: Duration = Duration::from_millis(100);

/// How long attaching takes at most, on a slow host.
const ATTACHING: Duration = Duration::from_mins(1);

/// How long an agent that is told to end takes at most.
const ENDING: Duration = Duration::from_secs(30);

/// The agent that waits for a confirmation.
pub(super) struct Attaching {
    child: Child,
    /// What it has logged last, passed on as it comes.
    last: Arc<Mutex<String>>,
    relay: Option<JoinHandle<()>>,
    interfaces: Vec<String>,
}

/// The agent's arguments.
fn arguments(config: &Path, options: &AttachOptions) -> Vec<String> {
    let mut arguments = vec!["run".to_owned(), "--config".to_owned(), config.display().to_string()];
    if let Some(within) = options.confirm_within {
        arguments.extend(["--confirm-within".to_owned(), format!("{}s", within.as_secs())]);
    }
    if options.pins != Path::new(DEFAULT_PINS) {
        arguments.extend(["--pins".to_owned(), options.pins.display().to_string()]);
    }
    arguments
}

/// The command that starts the agent, as it is to be typed.
pub(super) fn command(config: &Path, options: &AttachOptions) -> String {
    let arguments = arguments(config, options);
    let words = arguments.iter().map(|argument| word(argument));
    words.fold("sensor".to_owned(), |line, word| format!("{line} {word}"))
}

impl Attaching {
    /// Starts the agent.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(config: &Path, options: &AttachOptions, interfaces: &[String]) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find the program itself: mount /proc")?;
        let mut agent = Command::new(&program);
        agent.args(arguments(config, options)).stdin(Stdio::null()).stdout(Stdio::null());
        // Ctrl-C comes to this process alone, which ends it.
        agent.stderr(Stdio::piped()).process_group(0);
        let mut child = agent.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let last = Arc::default();
        let relay = child.stderr.take().map(|log| relay(log, Arc::clone(&last)));
        Ok(Self { child, last, relay, interfaces: interfaces.to_vec() })
    }

    /// Waits until it is attached to every interface; the interfaces.
    ///
    /// # Errors
    /// The agent ends instead, or is not attached to all of them in time; or this is interrupted.
    pub fn attached(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                return self.has_ended(status);
            }
            if self.confirmations().is_ok_and(|all| all.len() == self.interfaces.len()) {
                return Ok(());
            }
            if begun.elapsed() > ATTACHING {
                bail!(
                    "not attached to all of {} after {} s: its log says why",
                    self.interfaces.join(", "),
                    ATTACHING.as_secs()
                );
            }
            thread::sleep(GLANCE);
        }
    }

    /// Waits until all that is there of it is confirmed: an interface that has gone since is not waited for.
    ///
    /// # Errors
    /// The agent ends instead, as it does when nobody confirms within this time, or does neither; or this is interrupted.
    pub fn confirmed(&mut self, within: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            interrupt::check()?;
            let given = |all: Vec<_>| !all.is_empty() && all.iter().all(|it| *it == Confirmation::Given);
            if self.confirmations().is_ok_and(given) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return self.has_ended(status);
            }
            if begun.elapsed() > within + ENDING {
                bail!(
                    "{} is not confirmed, and the agent does not end, {} s after the time for it: its log says why",
                    self.interfaces.join(" and "),
                    ENDING.as_secs()
                );
            }
            thread::sleep(GLANCE);
        }
    }

    /// How the confirmation of each interface that is there stands.
    ///
    /// # Errors
    /// One of them has no program that awaits any, as while the programs are exchanged, which is done by confirming.
    fn confirmations(&self) -> Result<Vec<Confirmation>> {
        let mut all = Vec::new();
        for name in &self.interfaces {
            let Some(interface) = Interface::find(name)? else { continue };
            let program = interface.xdp.map(|xdp| xdp.program);
            let guard = match program {
                Some(program) if is_ours(program)? => guard_of(program)?,
                _ => None,
            };
            all.push(guard.with_context(|| format!("no sensor is attached to {name}"))?.confirmation()?);
        }
        Ok(all)
    }

    /// The number of the agent's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends the agent, if it has not ended. What it has attached goes on.
    ///
    /// # Errors
    /// It does not end.
    pub fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let process = libc::pid_t::try_from(self.child.id()).context("the agent has no process")?;
        // SAFETY: the call takes numbers alone; the process is this one's child and not waited for yet.
        unsafe { libc::kill(process, libc::SIGTERM) };
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > ENDING {
                bail!(
                    "the agent, process {process}, does not end: `kill -KILL {process}` ends it, and the program goes on"
                );
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn has_ended<T>(&mut self, status: ExitStatus) -> Result<T> {
        // Its last words may still be in the pipe.
        if let Some(relay) = self.relay.take() {
            drop(relay.join());
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match last.strip_prefix("sensor: ") {
            Some(cause) => bail!("{cause}"),
            None => bail!("the agent ended ({status}): its log says why"),
        }
    }
}

/// Passes on what the agent logs, and keeps the last line that is an error to end with.
fn relay(log: impl Read + Send + 'static, last: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.starts_with("sensor: ") {
                // It is told by whoever waits for the agent.
                last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&line);
            } else {
                // Never fails: what is not written is counted.
                drop(Log.write_all(format!("{line}\n").as_bytes()));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_as_it_would_be_typed() {
        let options =
            AttachOptions { confirm_within: Some(Duration::from_mins(2)), ..AttachOptions::default() };
        let typed = command(Path::new("/etc/sensor/sensor.toml"), &options);
        assert_eq!(typed, "sensor run --config /etc/sensor/sensor.toml --confirm-within 120s");
        let options = AttachOptions { confirm_within: None, pins: "/sys/fs/bpf/s 2".into(), ..options };
        assert_eq!(command(Path::new("/f"), &options), "sensor run --config /f --pins '/sys/fs/bpf/s 2'");
    }
}
