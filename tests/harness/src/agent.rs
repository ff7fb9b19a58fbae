//! The real agent, run as anyone would run it: a process, a configuration file, and its HTTP pages.

mod config;
mod left;

use std::collections::HashSet;
use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use self::config::ConfigFile;
use crate::built;
use crate::counts::Counts;
use crate::http::{self, Response};
use crate::namespace::Namespace;
use crate::pace::PATIENCE;
use crate::pins::Pins;

/// Where the agent listens unless told otherwise; in each namespace it is another place.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 19_817);

/// How to start an agent.
#[derive(Clone, Debug)]
pub struct Launch {
    binary: Option<PathBuf>,
    namespace: Namespace,
    interfaces: Vec<String>,
    listen: SocketAddr,
    config: Option<String>,
    arguments: Vec<String>,
    pins: Option<PathBuf>,
    wrapper: Vec<String>,
}

impl Launch {
    /// `sensor run` in this namespace.
    #[must_use]
    pub fn new(namespace: &Namespace) -> Self {
        Self {
            binary: None,
            namespace: namespace.clone(),
            interfaces: Vec::new(),
            listen: LISTEN,
            config: None,
            arguments: Vec::new(),
            pins: None,
            wrapper: Vec::new(),
        }
    }

    /// The agent to run: else that of [`built::sensor`].
    #[must_use]
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// Adds `--interface NAME`.
    #[must_use]
    pub fn interface(mut self, name: &str) -> Self {
        self.interfaces.push(name.to_owned());
        self
    }

    /// Where to listen.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// What is in the configuration file; without this there is no file.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Lets the program and its counters outlive the agent, in this folder. Without this, they end with it.
    #[must_use]
    pub fn pins(self, pins: &Pins) -> Self {
        self.pins_at(pins.path())
    }

    /// As [`Launch::pins`], in any folder.
    #[must_use]
    pub fn pins_at(mut self, folder: &Path) -> Self {
        self.pins = Some(folder.to_owned());
        self
    }

    /// Runs the agent by way of another program, as `setpriv --reuid nobody`.
    #[must_use]
    pub fn wrapped(mut self, words: &str) -> Self {
        self.wrapper = words.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// Starts it, and waits until it says that it is ready.
    ///
    /// # Errors
    /// If it ends instead; the error has what it printed.
    pub fn start(self) -> Result<AgentProcess> {
        let mut agent = self.spawn()?;
        agent.wait_until_ready()?;
        Ok(agent)
    }

    /// Starts it and waits for it to end: its exit code, and its standard error.
    ///
    /// # Errors
    /// If it doesn't end, or dies of a signal.
    pub fn fail(self) -> Result<(i32, String)> {
        let mut agent = self.spawn()?;
        let status = agent.wait()?;
        let code = status.code().with_context(|| format!("the agent ended by {status}"))?;
        Ok((code, agent.stderr()))
    }

    /// Starts it.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn spawn(self) -> Result<AgentProcess> {
        let binary = self.binary.map_or_else(built::sensor, Ok)?;
        let mut words = self.wrapper.clone();
        words.push(binary.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("run");
        for interface in &self.interfaces {
            command.args(["--interface", interface]);
        }
        command.arg("--listen").arg(self.listen.to_string());
        let config = self.config.as_deref().map(ConfigFile::new).transpose()?;
        if let Some(file) = &config {
            command.arg("--config").arg(file.path());
        }
        match &self.pins {
            Some(pins) => command.arg("--pins").arg(pins),
            // One that is told where they are is told once.
            None if self.arguments.iter().any(|it| it == "--pins") => command.arg("--detach-on-exit"),
            None => command.arg("--detach-on-exit").args(self.namespace.pins()),
        };
        command.args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C in a terminal is for the one who started it, who then stops the agent.
        command.process_group(0);
        self.namespace.start_in(&mut command, Signal::SIGTERM);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", words[0]))?;
        let stderr = child.stderr.take().map(Captured::new);
        let (namespace, listen, sockets) = (self.namespace, self.listen, HashSet::new());
        Ok(AgentProcess { child, namespace, listen, stderr, config, sockets })
    }
}

/// A copy of the agent that anybody may run: where it was built may be below a folder of root's alone.
#[derive(Debug)]
pub struct PublicCopy {
    folder: TempDir,
}

impl PublicCopy {
    /// Copies the agent of [`built::sensor`].
    ///
    /// # Errors
    /// If there is none, or it can't be copied.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sensor-test-").tempdir()?;
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let copy = Self { folder };
        // By a program of its own: what another thread starts meanwhile would inherit a descriptor of this process
        // that is open for writing, and as long as anybody has one the copy can't be run.
        let copied =
            Command::new("cp").arg(built::sensor()?).arg(copy.path()).status().context("cannot run cp")?;
        ensure!(copied.success(), "cannot copy the agent to {}", copy.path().display());
        Ok(copy)
    }

    /// The program.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("sensor")
    }

    /// The program, about to run as nobody.
    #[must_use]
    pub fn as_nobody(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(self.path());
        command
    }
}

/// A running agent; dropping it kills it.
#[derive(Debug)]
pub struct AgentProcess {
    child: Child,
    namespace: Namespace,
    listen: SocketAddr,
    stderr: Option<Captured>,
    config: Option<ConfigFile>,
    /// Those that it would leave, as far as they are known.
    sockets: HashSet<PathBuf>,
}

impl AgentProcess {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes something else to its configuration file.
    ///
    /// # Errors
    /// If it has none, or it can't be written.
    pub fn rewrite_config(&self, text: &str) -> Result<()> {
        let file = self.config.as_ref().context("the agent was started without a file")?;
        file.write(text)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.ended()?.is_some() {
                let status = self.wait()?;
                bail!("the agent did not start ({status}): {}", self.stderr());
            }
            // Someone else's server may be what answers, so the agent must still be alive afterwards.
            let ready = self.get("/readyz").is_ok_and(|response| response.status == 200);
            if ready && self.ended()?.is_none() {
                self.sockets = left::sockets(self.pid());
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the agent is not ready after {PATIENCE:?}: {}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection to its HTTP server, from inside its namespace.
    ///
    /// # Errors
    /// If nobody answers there.
    pub fn connect(&self) -> Result<TcpStream> {
        http::connect(&self.namespace, self.listen)
    }

    /// Gets one of its pages.
    ///
    /// # Errors
    /// If it doesn't answer.
    pub fn get(&self, path: &str) -> Result<Response> {
        http::get(&self.namespace, self.listen, path)
    }

    /// Its metrics.
    ///
    /// # Errors
    /// If it doesn't answer with a page of metrics.
    pub fn metrics(&self) -> Result<String> {
        self.page("/metrics")
    }

    /// All its counters, from `/api/v1/slots`.
    ///
    /// # Errors
    /// If it doesn't answer in that form.
    pub fn counts(&self) -> Result<Counts> {
        Counts::from_slots_api(&self.page("/api/v1/slots")?)
    }

    fn page(&self, path: &str) -> Result<String> {
        let response = self.get(path)?;
        ensure!(response.status == 200, "{path}: {}", response.head);
        Ok(response.body)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, signal).with_context(|| format!("cannot send {signal} to the agent"))
    }

    /// Sends it a signal, and waits for it to end.
    ///
    /// # Errors
    /// If it doesn't end.
    pub fn stop(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        self.wait()
    }

    /// Waits for it to end.
    ///
    /// # Errors
    /// If it doesn't.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                // What it wrote last may still be in the pipe.
                if let Some(captured) = &mut self.stderr {
                    captured.finish();
                }
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the agent still runs after {PATIENCE:?}: {}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// If the kernel doesn't tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.as_ref().map(Captured::text).unwrap_or_default()
    }

    /// The last line that it has written to standard error: why it ended, if it failed.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.stderr().lines().last().unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.sockets.extend(left::sockets(self.pid()));
        }
        // Both fail only if it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
        left::remove(&self.sockets);
    }
}

/// What comes out of a pipe, read on a thread of its own so that the writer never blocks.
#[derive(Debug)]
struct Captured {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn new(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&text);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = sink.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It only panics if the pipe's reader does, which has nothing more to say then.
            drop(reader.join());
        }
    }
}
