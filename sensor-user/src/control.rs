//! How `sensor reload` reaches the agent: a Unix socket in the abstract namespace, named after the pins.
//!
//! Such a socket belongs to the network namespace and is gone with the agent, so none is ever left behind or
//! in the way. Only root and the agent's own user are listened to.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// What is asked for.
const RELOAD: &[u8] = b"reload\n";
/// What an answer that is no error starts with.
const DONE: &str = "ok\n";
/// How long a peer may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a reload may take: large rule sets take seconds.
const RELOAD_PATIENCE: Duration = Duration::from_mins(2);

/// The agent's end.
#[derive(Debug)]
pub struct Control(UnixListener);

/// A peer that waits for a reload.
#[derive(Debug)]
pub struct Asked(UnixStream);

impl Control {
    /// Listens for those who name these pins.
    ///
    /// # Errors
    /// Another agent in this network namespace does.
    pub fn bind(pins: &Path) -> Result<Self> {
        let listener = StdListener::bind_addr(&address(pins)?).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => anyhow!(
                "another agent runs here with --pins {}: stop it, or give this one --pins of its own",
                pins.display()
            ),
            _ => anyhow!(error).context("cannot listen for `sensor reload`"),
        })?;
        listener.set_nonblocking(true).context("cannot listen for `sensor reload`")?;
        UnixListener::from_std(listener).map(Self).context("cannot listen for `sensor reload`")
    }

    /// Waits until somebody who may asks for a reload.
    pub async fn asked(&self) -> Asked {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => {
                    if let Some(asked) = may_ask(stream).await {
                        return asked;
                    }
                }
                Err(error) => {
                    tracing::warn!("cannot accept a `sensor reload`: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// Reads the request of a peer that is root or the agent's own user.
async fn may_ask(mut stream: UnixStream) -> Option<Asked> {
    let peer = stream.peer_cred().ok()?.uid();
    // SAFETY: the call has no preconditions and cannot fail.
    let own = unsafe { libc::geteuid() };
    if peer != 0 && peer != own {
        tracing::warn!("user {peer} asked for a reload and was not listened to");
        return None;
    }
    let mut request = [0; RELOAD.len()];
    timeout(PATIENCE, stream.read_exact(&mut request)).await.ok()?.ok()?;
    (request == *RELOAD).then_some(Asked(stream))
}

impl Asked {
    /// Tells the peer how it went. One that does not listen any more misses it.
    pub async fn answer(mut self, result: &Result<String>) {
        let text = match result {
            Ok(said) => format!("{DONE}{said}"),
            Err(error) => format!("{error:#}"),
        };
        drop(timeout(PATIENCE, self.0.write_all(text.as_bytes())).await);
    }
}

/// Has the agent with these pins reload, and gives what it says.
///
/// # Errors
/// No agent answers, or it refuses the configuration: its words.
pub fn reload(pins: &Path) -> Result<String> {
    let mut stream = StdStream::connect_addr(&address(pins)?).with_context(|| {
        format!(
            "no agent runs here with --pins {}: start it with `sensor run`, or name its --pins",
            pins.display()
        )
    })?;
    stream.set_write_timeout(Some(PATIENCE)).context("cannot talk to the agent")?;
    stream.set_read_timeout(Some(RELOAD_PATIENCE)).context("cannot talk to the agent")?;
    stream.write_all(RELOAD).context("cannot ask the agent to reload")?;
    let mut said = String::new();
    stream.read_to_string(&mut said).context("the agent does not answer: see its log")?;
    match said.strip_prefix(DONE) {
        Some(said) => Ok(said.to_owned()),
        None if said.is_empty() => bail!("the agent did not listen: run this as root, or as its own user"),
        None => Err(anyhow!(said)),
    }
}

fn address(pins: &Path) -> Result<SocketAddr> {
    let name = format!("sensor:{}", pins.display());
    SocketAddr::from_abstract_name(name).with_context(|| format!("--pins {} is too long", pins.display()))
}
