//! Who is logged in over SSH: what `sshd` puts into the environment of those it has let in.
//!
//! It tells an administrator's session from that of a stranger who is only trying passwords. `sudo` strips it,
//! so the environments of the processes that started this one are read too.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};
use std::{fs, io, process};

use crate::config::Transport;
use crate::kernel::{Sockets, State};

const VARIABLE: &str = "SSH_CONNECTION";

/// The number of the first PID namespace (`PROC_PID_INIT_INO`): only from there all processes are seen.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// The two ends of an SSH session, never IPv4-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// Where the administrator is.
    pub remote: SocketAddr,
    /// Where the administrator is connected to.
    pub local: SocketAddr,
}

/// Who is logged in over SSH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    /// In whose sessions this process was started; more than one if a session was opened from another.
    pub own: HashSet<Login>,
    /// In whose sessions anything on this host was started, as far as can be seen.
    pub all: HashSet<Login>,
    /// Why more may be logged in than can be seen.
    pub hidden: Option<Hidden>,
}

/// Why it cannot be told of everybody who is connected whether they are logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hidden {
    /// Some processes' environments may not be read.
    #[error("not every process's environment may be read: run this as root")]
    Environments,
    /// Some processes are not seen at all.
    #[error("this runs in a PID namespace from which not every process is seen")]
    Processes,
}

/// What was seen while this process could see more.
static AHEAD: Mutex<Option<Logins>> = Mutex::new(None);

impl Logins {
    /// Looks at the processes while this one may, for the next who asks.
    pub fn look_ahead() {
        let seen = Self::look();
        *AHEAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    /// What was looked at ahead, once; else the processes as they are.
    #[must_use]
    pub fn now() -> Self {
        let ahead = AHEAD.lock().unwrap_or_else(PoisonError::into_inner).take();
        ahead.unwrap_or_else(Self::look)
    }

    fn look() -> Self {
        let started_in = std::env::var(VARIABLE).ok().and_then(|value| Login::parse(&value));
        let of_ancestors = ancestors().filter_map(|pid| Login::of_process(&pid).ok()?);
        let own = started_in.into_iter().chain(of_ancestors).collect();
        let everywhere = fs::metadata("/proc/self/ns/pid").is_ok_and(|it| it.ino() == FIRST_PID_NAMESPACE);
        let mut hidden = (!everywhere).then_some(Hidden::Processes);
        let mut all = HashSet::new();
        for pid in processes() {
            match Login::of_process(&pid) {
                Ok(login) => all.extend(login),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    hidden = Some(Hidden::Environments);
                }
                // It has ended meanwhile.
                Err(_) => (),
            }
        }
        Self { own, all, hidden }
    }
}

impl Login {
    /// Reads `CLIENT PORT SERVER PORT`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let mut end = || {
            // Link-local addresses name their interface.
            let address = words.next()?.split('%').next()?;
            let address: IpAddr = address.parse().ok()?;
            Some(SocketAddr::new(address.to_canonical(), words.next()?.parse().ok()?))
        };
        Some(Self { remote: end()?, local: end()? })
    }

    /// Whether its session is among these sockets. A variable outlives its session in a terminal multiplexer, for example,
    /// and anybody on the host can set one.
    #[must_use]
    pub fn is_among(&self, sockets: &Sockets) -> bool {
        let mut established = sockets.0.iter().filter(|socket| socket.state == State::Established);
        established.any(|socket| {
            socket.transport == Transport::Tcp
                && socket.local == self.local
                && socket.remote == Some(self.remote)
        })
    }

    fn of_process(pid: &str) -> io::Result<Option<Self>> {
        let environment = fs::read(format!("/proc/{pid}/environ"))?;
        Ok(environment.split(|&byte| byte == 0).find_map(|variable| {
            let (name, value) = std::str::from_utf8(variable).ok()?.split_once('=')?;
            if name == VARIABLE { Self::parse(value) } else { None }
        }))
    }
}

/// The processes that this one was started by, nearest first.
fn ancestors() -> impl Iterator<Item = String> {
    std::iter::successors(parent(&process::id().to_string()), |pid| parent(pid))
}

fn parent(pid: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    // The first process, and one that was started from another PID namespace, have none.
    (parent != "0").then(|| parent.to_owned())
}

fn processes() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::Stdio;

    use rstest::rstest;

    use super::*;
    use crate::kernel::Socket;

    #[rstest]
    #[case::v4("203.0.113.9 50022 198.51.100.7 22", Some(("203.0.113.9:50022", "198.51.100.7:22")))]
    #[case::v6("2001:db8::9 50022 2001:db8::7 22", Some(("[2001:db8::9]:50022", "[2001:db8::7]:22")))]
    #[case::mapped("::ffff:203.0.113.9 5 ::ffff:198.51.100.7 22", Some(("203.0.113.9:5", "198.51.100.7:22")))]
    #[case::link_local("fe80::9%eth0 5 fe80::7%eth0 22", Some(("[fe80::9]:5", "[fe80::7]:22")))]
    #[case::nothing("", None)]
    #[case::not_from_a_network("UNKNOWN 65535 UNKNOWN 65535", None)]
    #[case::cut_short("203.0.113.9 50022 198.51.100.7", None)]
    fn sshd_names_both_ends(#[case] value: &str, #[case] ends: Option<(&str, &str)>) {
        let login = ends
            .map(|(remote, local)| Login { remote: remote.parse().unwrap(), local: local.parse().unwrap() });
        assert_eq!(Login::parse(value), login);
    }

    #[rstest]
    #[case::there(Transport::Tcp, Some("203.0.113.9:50022"), State::Established, true)]
    #[case::of_somebody_else(Transport::Tcp, Some("203.0.113.10:50022"), State::Established, false)]
    #[case::an_earlier_one(Transport::Tcp, Some("203.0.113.9:50021"), State::Established, false)]
    #[case::over(Transport::Tcp, Some("203.0.113.9:50022"), State::TimeWait, false)]
    #[case::its_listener_alone(Transport::Tcp, None, State::Listen, false)]
    #[case::no_session(Transport::Udp, Some("203.0.113.9:50022"), State::Established, false)]
    fn a_session_has_a_socket(
        #[case] transport: Transport,
        #[case] remote: Option<&str>,
        #[case] state: State,
        #[case] is_there: bool,
    ) {
        let login = Login::parse("203.0.113.9 50022 198.51.100.7 22").unwrap();
        let remote = remote.map(|remote| remote.parse().unwrap());
        let socket = Socket { transport, local: login.local, remote, state, interface: None };
        assert_eq!(login.is_among(&Sockets(vec![socket])), is_there);
    }

    #[test]
    fn the_environment_of_a_process_tells() {
        let mut command = process::Command::new("cat");
        command.env(VARIABLE, "192.0.2.1 5 192.0.2.2 22").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Until it answers, the kernel may still be setting it up.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let login = Login::of_process(&child.id().to_string()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(login, Login::parse("192.0.2.1 5 192.0.2.2 22"));
    }

    #[test]
    fn every_process_has_been_started_by_others() {
        let ancestors: Vec<_> = ancestors().collect();
        assert_eq!(ancestors.first(), Some(&std::os::unix::process::parent_id().to_string()));
    }
}
