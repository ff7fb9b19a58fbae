//! The socket's file: one agent's at a time, replaced where a dead one has left it, never where it is somebody else's.
//!
//! A lock beside it, as in `PATH.lock`, says whose it is, and is released by the kernel however an agent ends. The file of
//! the lock stays: were it removed, two agents could hold locks on two files of that name.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, lchown,
};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use tokio::net::{UnixListener, UnixSocket};

use super::door::{Purpose, QUESTIONS};
use super::group::{self, GROUP};
use super::path::{MAX_PATH, default_path};
use crate::lock::{self, Lock};
use crate::obstacle::Obstacle;
use crate::writable;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no socket.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another agent has it.
    Taken(Error),
    /// The path cannot be used: the agent goes on without.
    Unusable(Error),
}

/// The socket of this agent, as long as it listens; its file goes with it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    pub listener: UnixListener,
    socket: Identity,
    /// Released when this is dropped, after the socket's file has gone.
    lock: Lock,
}

/// Which file it is: its device and its number.
type Identity = (u64, u64);

impl Place {
    /// Listens at a path, for members of the group `sensor` where there is one, else for root or this user alone.
    pub(super) fn take(path: &Path, pins: &Path, purpose: Purpose) -> Result<Self, Refusal> {
        let table = purpose.table;
        let unusable = |error: io::Error| Refusal::Unusable(cannot_listen(path, &error, table).into());
        make_folder(path).map_err(unusable)?;
        let Some(lock) = locked(path, purpose).map_err(unusable)? else {
            return Err(Refusal::Taken(taken(path, pins, table)));
        };
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(Refusal::Unusable(something_else(path, table).into()));
            }
            // An agent whose lock's file was removed.
            Ok(_) if is_answered(path) => return Err(Refusal::Taken(taken(path, pins, table))),
            Ok(_) => fs::remove_file(path).map_err(unusable)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let listener = listen(path).map_err(unusable)?;
        let socket = identity(path).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), listener, socket, lock })
    }

    /// Whether both files are still those of this agent: somebody may have cleaned up.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|there| there == self.socket) && self.lock.is_there()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_there() {
            // What stays is replaced by the next agent.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Whether an agent could listen at this path. Makes nothing.
///
/// # Errors
/// This user may not know. Inside: another agent does.
pub fn check(path: &Path, pins: &Path) -> io::Result<Result<()>> {
    let held = match File::open(lock_path(path, QUESTIONS)) {
        Ok(file) => lock::is_taken(&file),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            if !is_listening(path) {
                return Err(error);
            }
            true
        }
        Err(_) => false,
    };
    Ok(if held { Err(taken(path, pins, QUESTIONS.table)) } else { Ok(()) })
}

/// What keeps this user from making a socket at this path, as far as it can be told without; the agent goes on
/// without one.
#[must_use]
pub fn obstacle(path: &Path, purpose: Purpose) -> Option<Obstacle> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
        return Some(something_else(path, purpose.table));
    }
    writable::refused(path.parent()?).map(|error| cannot_listen(path, &error, purpose.table))
}

/// Whether an agent of this network namespace listens at this path.
#[must_use]
pub fn is_listening(path: &Path) -> bool {
    listening().iter().any(|other| other == path)
}

/// Where somebody of this network namespace listens, as they have called it.
pub(super) fn listening() -> Vec<PathBuf> {
    /// `__SO_ACCEPTCON`, as the kernel prints flags.
    const LISTENS: &str = "00010000";
    let sockets = fs::read("/proc/thread-self/net/unix").unwrap_or_default();
    let sockets = String::from_utf8_lossy(&sockets);
    // Num RefCount Protocol Flags Type St Inode Path, where the last may have blanks.
    let paths = sockets.lines().filter_map(|line| {
        let at = line.find(" /")?;
        let (fields, path) = line.split_at(at);
        (fields.split_whitespace().nth(3) == Some(LISTENS)).then(|| PathBuf::from(&path[1..]))
    });
    paths.collect()
}

/// Connects, or gives up: where too many wait to be let in, connecting waits without end.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let (connected, waiting) = mpsc::channel();
    let path = path.to_owned();
    thread::Builder::new().spawn(move || connected.send(UnixStream::connect(path)))?;
    waiting.recv_timeout(CONNECT_PATIENCE).unwrap_or_else(|_| {
        Err(io::Error::new(ErrorKind::TimedOut, "nobody lets this in: see the agent's log"))
    })
}

/// Whether somebody listens there, or keeps others waiting.
fn is_answered(path: &Path) -> bool {
    connect(path).map_or_else(|error| error.kind() == ErrorKind::TimedOut, |_| true)
}

/// The lock's file.
pub(super) fn lock_path(path: &Path, purpose: Purpose) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(purpose.lock);
    name.into()
}

/// Makes the folder that the socket is to be in, for everybody to enter.
fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.exists()) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    // Whatever the mask.
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// The lock; `None` if somebody has it.
fn locked(path: &Path, purpose: Purpose) -> io::Result<Option<Lock>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let path = lock_path(path, purpose);
    let file = options.open(&path)?;
    Lock::by(path, file)
}

/// Listens once the file is whose it should be: before, nobody can connect.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if path.as_os_str().len() > MAX_PATH {
        return Err(io::Error::other(format!("its path is longer than {MAX_PATH} bytes")));
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let listening = permit(path).and_then(|()| socket.listen(BACKLOG));
    if listening.is_err() {
        drop(fs::remove_file(path));
    }
    listening
}

/// Has the group's members connect, if there is the group; else nobody else.
fn permit(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let given = group::number().and_then(|group| match group {
        Some(group) => lchown(path, None, Some(group)).map(|()| true),
        None => Ok(false),
    });
    match given {
        Ok(true) => fs::set_permissions(path, Permissions::from_mode(0o660)),
        Ok(false) => Ok(()),
        Err(error) => {
            tracing::warn!(
                "cannot give {} to the group {GROUP}: {error}; root alone is answered there until {}",
                path.display(),
                until(&error)
            );
            Ok(())
        }
    }
}

/// What has to be so before the group can be given a socket. What refuses a file has another number than what refuses an owner.
fn until(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "the agent's user belongs to the group, or it has CAP_CHOWN",
        Some(libc::EACCES) => "the agent may read /etc/group and is restarted",
        _ => "that works and the agent is restarted",
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

fn cannot_listen(path: &Path, error: &io::Error, table: &str) -> Obstacle {
    Obstacle::new(
        format!("cannot listen on {}: {error}", path.display()),
        format!("name a place that the agent may write to with `path` in {table}"),
    )
}

fn something_else(path: &Path, table: &str) -> Obstacle {
    Obstacle::new(
        format!("cannot listen on {}: there is something else than a socket", path.display()),
        format!("move it, or name another place with `path` in {table}"),
    )
}

fn taken(path: &Path, pins: &Path, table: &str) -> Error {
    if !is_listening(path) {
        return anyhow!(
            "another agent works with {}, and begins just now or runs in another network namespace: stop it, or give \
             one --pins of its own",
            path.display()
        );
    }
    if default_path(pins) == path {
        return anyhow!(
            "another agent runs here with --pins {}: stop it, or give this one --pins of its own",
            pins.display()
        );
    }
    anyhow!(
        "another agent listens on {}: stop it, or give this one a `path` of its own in {table}",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINS: &str = "/sys/fs/bpf/sensor-2";

    fn file(path: &Path) -> Result<Place, Refusal> {
        Place::take(path, Path::new(PINS), QUESTIONS)
    }

    #[tokio::test]
    async fn one_agent_has_a_path_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("s.sock");
        let first = file(&path).unwrap();
        assert!(is_listening(&path) && first.is_there());
        assert!(matches!(file(&path), Err(Refusal::Taken(_))));
        assert!(check(&path, Path::new(PINS)).unwrap().is_err());
        fs::remove_file(lock_path(&path, QUESTIONS)).unwrap();
        assert!(!first.is_there());
        assert!(matches!(file(&path), Err(Refusal::Taken(_))), "without the lock's file too");
        UnixStream::connect(&path).unwrap();
        drop(first);
        assert!(file(&path).unwrap().is_there(), "what a dead agent has left is replaced");
        assert!(!path.exists() && check(&path, Path::new(PINS)).unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(file(&path), Err(Refusal::Unusable(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        let below = folder.path().join("below").join("s");
        assert!(obstacle(&path, QUESTIONS).is_some() && obstacle(&below, QUESTIONS).is_none());
        let long = folder.path().join("s".repeat(MAX_PATH));
        assert!(matches!(file(&long), Err(Refusal::Unusable(_))));
    }
}
