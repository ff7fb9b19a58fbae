//! The other end: commands that ask an agent.

use std::fs;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::mem::size_of;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use super::door::QUESTIONS;
use super::path::{FOLDER, default_path, is_of_page};
use super::place::{connect, listening, lock_path};
use super::question::{Detach, Question};
use crate::obstacle::WrongUse;

/// How long a question may take to be written, and an agent to say something.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a reload may take: large rule sets take seconds.
const RELOAD_PATIENCE: Duration = Duration::from_mins(2);

/// The longest line of an answer, in bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// The longest packet, in bytes: larger ones no interface has.
const LONGEST_PACKET: u64 = 1 << 20;

/// A connection to an agent, which is root's or this user's own.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// What the agent says in place of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub String);

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A line.
    Object(Value),
    /// The bytes behind a line that says how many they are.
    Packet(Vec<u8>),
}

impl Client {
    /// Connects to the agent with these pins, or to the one that listens at `socket`.
    ///
    /// # Errors
    /// There is none, or this user may not ask it, or somebody else listens there.
    pub fn connect(pins: &Path, socket: Option<&Path>) -> Result<Self> {
        let none = match socket {
            Some(path) => format!("no agent listens on {}: start it with `sensor run`", path.display()),
            None => format!(
                "no agent runs here with --pins {}: start it with `sensor run`, or name its --pins, or its --socket",
                pins.display()
            ),
        };
        let path = socket.map_or_else(|| default_path(pins), Path::to_owned);
        Self::at(&path).map_err(|error| match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => error.context(none),
            _ => error,
        })
    }

    /// Connects to whoever listens there.
    fn at(path: &Path) -> Result<Self> {
        let stream = connect(path).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => anyhow!(error).context(format!(
                "may not ask the agent at {}: run this as root, or as a member of the group sensor",
                path.display()
            )),
            _ => anyhow!(error).context(format!("cannot connect to {}", path.display())),
        })?;
        let listener =
            owner(&stream).with_context(|| format!("cannot tell who listens on {}", path.display()))?;
        // SAFETY: the call has no preconditions and cannot fail.
        let own = unsafe { libc::geteuid() };
        // An agent may run as a user of its own, and root or members of the group ask it.
        let is_trusted = listener == 0 || listener == own || folder_is_of(path, listener);
        if !is_trusted {
            bail!(
                "user {listener}, who is not root, listens on {}: it is not believed; stop that, or name another \
                 `path` in [socket]",
                path.display()
            );
        }
        stream.set_write_timeout(Some(PATIENCE)).context("cannot talk to the agent")?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks. The agent may then take this long for each piece of the answer.
    ///
    /// # Errors
    /// It has gone, or takes nothing.
    pub fn ask(&mut self, question: &Question, patience: Duration) -> Result<()> {
        let line = question.line().context("cannot write the question")?;
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(patience)).context("cannot talk to the agent")?;
        match stream.write_all(line.as_bytes()) {
            // It may have said why it hangs up.
            Err(error) if is_gone(&error) => Ok(()),
            written => written.context("the agent takes no question: see its log"),
        }
    }

    /// The next piece of the answer; `None` behind the last.
    ///
    /// # Errors
    /// The agent's own words, or that it says nothing more.
    pub fn next_line(&mut self) -> Result<Option<Line>> {
        let ended = "the agent ended before it had answered: see its log";
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read {
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => bail!(ended),
            Err(error) if is_gone(&error) => bail!(ended),
            Err(error) => return Err(anyhow!(error).context("the agent does not answer: see its log")),
        }
        let object: Value =
            serde_json::from_slice(&line).context("the agent answers something else than JSON")?;
        if let Some(error) = object.get("error").and_then(Value::as_str) {
            let is_wrong_use = object.get("wrong_use") == Some(&Value::Bool(true));
            return Err(if is_wrong_use {
                anyhow!(WrongUse(error.to_owned()))
            } else {
                anyhow!(Said(error.to_owned()))
            });
        }
        if object.get("end") == Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let Some(length) = object.get("packet_bytes").and_then(Value::as_u64) else {
            return Ok(Some(Line::Object(object)));
        };
        if length > LONGEST_PACKET {
            bail!("the agent answers with a packet of {length} bytes, longer than any is");
        }
        let mut packet = Vec::new();
        let read = (&mut self.stream).take(length).read_to_end(&mut packet);
        if read.is_err() || packet.len() as u64 != length {
            bail!(ended);
        }
        Ok(Some(Line::Packet(packet)))
    }

    /// Asks, and gives what the agent says that it has done.
    fn have(&mut self, question: &Question, patience: Duration) -> Result<String> {
        self.ask(question, patience)?;
        let mut words = String::new();
        while let Some(line) = self.next_line()? {
            if let Line::Object(object) = line
                && let Some(said) = object.get("said").and_then(Value::as_str)
            {
                said.clone_into(&mut words);
            }
        }
        Ok(words)
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// The user that listens at the other end.
fn owner(stream: &UnixStream) -> io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = u32::try_from(size_of::<libc::ucred>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and the call writes no more than `size` bytes to the struct, which outlives it.
    let failed = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(peer.uid) }
}

/// Whether a path's folder is this user's, and nobody else may make files in it: then what is there is theirs to say,
/// and whoever configured it has named that folder. A folder of root's never is.
fn folder_is_of(path: &Path, user: u32) -> bool {
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
    folder.is_some_and(|folder| folder.uid() == user && folder.mode() & 0o022 == 0)
}

/// Has the agent with these pins, or at this socket, reload, and gives what it says.
///
/// # Errors
/// No agent answers, or it refuses the configuration: its words.
pub fn reload(pins: &Path, socket: Option<&Path>) -> Result<String> {
    Client::connect(pins, socket)?.have(&Question::Reload, RELOAD_PATIENCE)
}

/// Has every agent of this network namespace, whatever its pins and its socket, detach from the interface of this
/// number and leave it so. Gives what went wrong with those that are there. All are asked at once: one that hangs
/// keeps nobody from getting the host back.
#[must_use]
pub fn detach(interface: u32) -> Vec<anyhow::Error> {
    let question = Question::Detach(Detach { interface });
    let (answered, mut waiting) = (mpsc::channel(), Vec::new());
    for path in listening().into_iter().filter(|path| is_agents(path)) {
        waiting.push(path.clone());
        let (question, answered) = (question.clone(), answered.0.clone());
        thread::spawn(move || {
            let done = Client::at(&path).and_then(|mut client| client.have(&question, PATIENCE));
            answered.send((path, done))
        });
    }
    let deadline = Instant::now() + 2 * PATIENCE;
    let mut failures = Vec::new();
    while !waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((path, done)) = answered.1.recv_timeout(left) else { break };
        waiting.retain(|other| *other != path);
        failures.extend(done.err());
    }
    let silent = waiting.iter().map(|path| anyhow!("the agent at {} does not answer", path.display()));
    failures.extend(silent);
    failures
}

/// Whether an agent listens there, by what its files are called.
fn is_agents(path: &Path) -> bool {
    path.parent() == Some(Path::new(FOLDER)) && !is_of_page(path) || lock_path(path, QUESTIONS).exists()
}
