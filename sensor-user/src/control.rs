//! How `sensor reload` and `sensor detach` reach the agent: a Unix socket in the abstract namespace, named after the
//! pins.
//!
//! Such a socket belongs to the network namespace and is gone with the agent, so none is ever left behind or
//! in the way. Only root and the agent's own user are listened to.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, fs};

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::kernel::check_names;
use crate::obstacle::{WrongUse, in_words};
use crate::repeated::Repeated;

/// The longest request, in bytes.
const LONGEST: u64 = 64;
/// What the sockets' names start with.
const NAME: &str = "sensor:";
/// What an answer that is no error starts with.
const DONE: &str = "ok\n";
/// What an answer starts with where it was the configuration that is wrong.
const WRONG_USE: &str = "wrong use\n";
/// How long a peer may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a reload may take: large rule sets take seconds.
const RELOAD_PATIENCE: Duration = Duration::from_mins(2);

/// The agent's end.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    /// Failures to accept a request.
    failing: Mutex<Repeated>,
}

/// What a peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// To apply the configuration as it is written now.
    Reload,
    /// To detach from the interface of this number, and to leave it detached.
    Detach(u32),
}

impl Request {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None if line == "reload" => Some(Self::Reload),
            Some(("detach", interface)) => interface.parse().ok().map(Self::Detach),
            _ => None,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reload => f.write_str("reload"),
            Self::Detach(interface) => write!(f, "detach {interface}"),
        }
    }
}

/// A peer that waits for an answer.
#[derive(Debug)]
pub struct Asked {
    /// What it asks for.
    pub request: Request,
    stream: UnixStream,
}

impl Control {
    /// Listens for those who name these pins.
    ///
    /// # Errors
    /// Another agent in this network namespace does.
    pub fn bind(pins: &Path) -> Result<Self> {
        let listener = listen(pins)?;
        listener.set_nonblocking(true).context("cannot listen for `sensor reload`")?;
        let listener = UnixListener::from_std(listener).context("cannot listen for `sensor reload`")?;
        Ok(Self { listener, failing: Mutex::default() })
    }

    fn failing(&self) -> MutexGuard<'_, Repeated> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody who may asks for something.
    pub async fn asked(&self) -> Asked {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Some(times) = self.failing().worked() {
                        tracing::info!("requests can be accepted again: {times} attempts had failed");
                    }
                    if let Some(asked) = may_ask(stream).await {
                        return asked;
                    }
                }
                Err(error) => {
                    let error = anyhow!(error).context("cannot accept a request");
                    let told = self.failing().failed(&error);
                    if let Some(reason) = told {
                        tracing::warn!("{reason}");
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// Whether an agent could listen for those who name these pins.
///
/// # Errors
/// As [`Control::bind`].
pub fn check(pins: &Path) -> Result<()> {
    listen(pins).map(drop)
}

/// Whether an agent of this network namespace runs with these pins.
#[must_use]
pub fn is_running(pins: &Path) -> bool {
    let in_use = |error: io::Error| error.kind() == ErrorKind::AddrInUse;
    address(pins).is_ok_and(|address| StdListener::bind_addr(&address).is_err_and(in_use))
}

fn listen(pins: &Path) -> Result<StdListener> {
    StdListener::bind_addr(&address(pins)?).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "another agent runs here with --pins {}: stop it, or give this one --pins of its own",
            pins.display()
        ),
        _ => anyhow!(error).context("cannot listen for `sensor reload`"),
    })
}

/// Reads the request of a peer that is root or the agent's own user.
async fn may_ask(mut stream: UnixStream) -> Option<Asked> {
    let peer = stream.peer_cred().ok()?.uid();
    // SAFETY: the call has no preconditions and cannot fail.
    let own = unsafe { libc::geteuid() };
    if peer != 0 && peer != own {
        tracing::warn!("user {peer} asked for something and was not listened to");
        return None;
    }
    let mut line = String::new();
    let mut reader = BufReader::new((&mut stream).take(LONGEST));
    timeout(PATIENCE, reader.read_line(&mut line)).await.ok()?.ok()?;
    let request = Request::parse(line.strip_suffix('\n')?)?;
    Some(Asked { request, stream })
}

impl Asked {
    /// Tells the peer how it went. One that does not listen any more misses it.
    pub async fn answer(mut self, result: &Result<String>) {
        let text = match result {
            Ok(said) => format!("{DONE}{said}"),
            Err(error) if WrongUse::is_behind(error) => format!("{WRONG_USE}{error:#}"),
            Err(error) => in_words(error),
        };
        drop(timeout(PATIENCE, self.stream.write_all(text.as_bytes())).await);
    }
}

/// Has the agent with these pins reload, and gives what it says.
///
/// # Errors
/// No agent answers, or it refuses the configuration: its words.
pub fn reload(pins: &Path) -> Result<String> {
    check_names(pins)?;
    let stream = StdStream::connect_addr(&address(pins)?).with_context(|| {
        format!(
            "no agent runs here with --pins {}: start it with `sensor run`, or name its --pins",
            pins.display()
        )
    })?;
    ask(stream, Request::Reload, RELOAD_PATIENCE)
}

/// Has every agent of this network namespace, whatever its pins, detach from the interface of this number and leave
/// it so. Gives what went wrong with those that are there.
#[must_use]
pub fn detach(interface: u32) -> Vec<anyhow::Error> {
    // Each line ends with the socket's name, where an abstract one has an @ for its zero.
    let sockets = fs::read_to_string("/proc/thread-self/net/unix").unwrap_or_default();
    let names: BTreeSet<_> = sockets
        .lines()
        .filter_map(|line| line.split_once(" @").map(|(_, name)| name))
        .filter(|name| name.starts_with(NAME))
        .collect();
    let asked = names.into_iter().filter_map(|name| {
        let stream = StdStream::connect_addr(&SocketAddr::from_abstract_name(name).ok()?).ok()?;
        ask(stream, Request::Detach(interface), PATIENCE).err()
    });
    asked.collect()
}

/// Asks an agent, and gives what it says.
fn ask(mut stream: StdStream, request: Request, patience: Duration) -> Result<String> {
    stream.set_write_timeout(Some(PATIENCE)).context("cannot talk to the agent")?;
    stream.set_read_timeout(Some(patience)).context("cannot talk to the agent")?;
    let not_listening = "the agent did not listen: run this as root, or as its own user";
    let mut said = String::new();
    let talked = stream.write_all(format!("{request}\n").as_bytes());
    match talked.and_then(|()| stream.read_to_string(&mut said)) {
        Ok(_) => {}
        // It hangs up on those whom it does not listen to, and may have done so before it was asked.
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            bail!("{not_listening}")
        }
        Err(error) => return Err(anyhow!(error).context("the agent does not answer: see its log")),
    }
    if let Some(said) = said.strip_prefix(WRONG_USE) {
        return Err(anyhow!(WrongUse(said.to_owned())));
    }
    match said.strip_prefix(DONE) {
        Some(said) => Ok(said.to_owned()),
        None if said.is_empty() => bail!("{not_listening}"),
        None => Err(anyhow!(said)),
    }
}

fn address(pins: &Path) -> Result<SocketAddr> {
    let name = format!("{NAME}{}", pins.display());
    SocketAddr::from_abstract_name(name).map_err(|_| {
        anyhow!(WrongUse(format!("--pins {} is too long: name a shorter directory", pins.display())))
    })
}
