//! A real program, run in a place of the world.
//!
//! It may see files of the test where the system's own would be, `/etc/resolv.conf` for one: it then has a
//! mount namespace of its own. None outlives the test, however that ends.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, ffi::CString};

use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;

use crate::namespace::Namespace;
use crate::sender::pin_to_cpu;
use crate::workspace;

/// How long any of them may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long one may take to answer a line.
const ANSWERING: Duration = Duration::from_secs(10);

/// Programs that the world needs.
const NEEDED: [&str; 10] =
    ["ssh", "scp", "sshd", "ssh-keygen", "curl", "dig", "dnsmasq", "ping", "getent", "unshare"];

/// Programs that the world needs and this machine lacks.
pub(super) fn missing() -> Vec<&'static str> {
    NEEDED.into_iter().filter(|name| find(name).is_err()).collect()
}

/// Where a program is: in `PATH` or the system's folders. `sshd` may be what `SSHD` names, or what
/// `cargo xtask setup` unpacked.
pub(super) fn find(name: &str) -> Result<PathBuf> {
    let named = env::var_os("SSHD").filter(|_| name == "sshd").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let unpacked = workspace().join("target/tools/openssh-server/usr/sbin");
    let mut candidates = named.into_iter().chain(folders.chain([unpacked]).map(|folder| folder.join(name)));
    candidates.find(|path| path.is_file()).with_context(|| format!("no {name}: run `cargo xtask setup`"))
}

/// A program that is about to run.
#[derive(Debug)]
pub struct Program {
    command: Command,
    namespace: Namespace,
    mounts: Vec<(CString, CString)>,
    cpu: Option<usize>,
}

impl Program {
    pub(super) fn new(namespace: &Namespace, name: &str) -> Result<Self> {
        let mut command = Command::new(find(name)?);
        command.env("LC_ALL", "C");
        Ok(Self { command, namespace: namespace.clone(), mounts: Vec::new(), cpu: None })
    }

    /// Adds blank-separated arguments.
    #[must_use]
    pub fn args(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    /// Adds an argument as it is.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Keeps it on one CPU.
    pub(super) fn cpu(mut self, cpu: usize) -> Self {
        self.cpu = Some(cpu);
        self
    }

    /// Has it see `file` in the place of `instead_of`, which must be there.
    ///
    /// # Panics
    /// If a path contains a zero byte.
    #[must_use]
    pub fn sees(mut self, file: &Path, instead_of: &str) -> Self {
        let file = CString::new(file.as_os_str().as_bytes()).expect("a path without zero bytes");
        self.mounts.push((file, CString::new(instead_of).expect("a path without zero bytes")));
        self
    }

    /// Starts it, its standard input and output piped.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn spawn(self) -> Result<Running> {
        let Self { mut command, namespace, mounts, cpu } = self;
        let words = words(&command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(move || prepare(&namespace, &mounts, cpu)) };
        let mut child = command.spawn().with_context(|| format!("cannot run `{words}`"))?;
        let stderr = child.stderr.take().map(read_all);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Ok(Running { child, words, stdin, stdout, stderr })
    }

    /// Starts it, to talk with it line by line.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn converse(self) -> Result<Conversation> {
        let mut running = self.spawn()?;
        let stdin = running.stdin.take().context("standard input is piped")?;
        let stdout = running.stdout.take().context("standard output is piped")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            // It ends with the program, or when nobody wants its lines any more.
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Conversation { running, stdin, lines })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// If it can't be started, or takes longer than 60 s.
    pub fn run(self) -> Result<Finished> {
        let mut running = self.spawn()?;
        running.stdin = None;
        running.finish()
    }

    /// Runs it to its end and gives what it wrote to standard output.
    ///
    /// # Errors
    /// If it fails, with what it said, or as [`Program::run`].
    pub fn output(self) -> Result<String> {
        let finished = self.run()?;
        ensure!(
            finished.success,
            "`{}` failed: {} {}",
            finished.words,
            finished.stdout.trim(),
            finished.stderr.trim()
        );
        Ok(finished.stdout)
    }
}

/// What a program that has ended did.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Whether it ended with 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    words: String,
}

/// A program that runs; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    words: String,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Fails if it has ended.
    pub(super) fn still_runs(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            bail!("`{}` ended: {}", self.words, joined(self.stderr.take()).trim());
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Finished> {
        let stdout = self.stdout.take().map(read_all);
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "`{}` still runs after {PATIENCE:?}", self.words);
            thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (joined(stdout), joined(self.stderr.take()));
        Ok(Finished { success: status.success(), stdout, stderr, words: self.words.clone() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program that answers lines with lines; dropping it kills it.
#[derive(Debug)]
pub struct Conversation {
    running: Running,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Conversation {
    /// Writes a line and gives the next one that comes back.
    ///
    /// # Errors
    /// If none comes within 10 s.
    pub fn exchange(&mut self, line: &str) -> Result<String> {
        self.say(line)?;
        self.hear(ANSWERING).with_context(|| format!("`{}` is silent for {ANSWERING:?}", self.running.words))
    }

    /// Writes a line.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.stdin, "{line}").with_context(|| format!("cannot write to `{}`", self.running.words))
    }

    /// The next line that it writes, if one comes in time.
    #[must_use]
    pub fn hear(&self, patience: Duration) -> Option<String> {
        self.lines.recv_timeout(patience).ok()
    }
}

/// Moves the new process to its place.
fn prepare(namespace: &Namespace, mounts: &[(CString, CString)], cpu: Option<usize>) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET)?;
    if let Some(cpu) = cpu {
        pin_to_cpu(cpu).map_err(|_| io::Error::last_os_error())?;
    }
    if !mounts.is_empty() {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let nothing = None::<&std::ffi::CStr>;
        mount(nothing, c"/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    }
    for (file, target) in mounts {
        let nothing = None::<&std::ffi::CStr>;
        mount(Some(file.as_c_str()), target.as_c_str(), nothing, MsFlags::MS_BIND, nothing)?;
    }
    Ok(())
}

fn words(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words: Vec<_> =
        std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Reads a pipe to its end beside the program, which would otherwise block on a full one.
fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before a failure is still worth showing.
        drop(pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn joined(reader: Option<JoinHandle<String>>) -> String {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}
