//! Files and TCP ports, by Landlock: what is not granted is refused, whoever may open it.
//!
//! The rights are those of ABI 6 (Linux 6.12); a kernel that knows fewer sees to those that it knows.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, RestrictSelf, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::needs::{Granted, Right};

/// What is refused unless it is granted.
const RIGHTS: ABI = ABI::V6;

/// What the kernel has of Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// The version of its ABI.
    Version(u32),
    /// It is built in, and was not switched on when the kernel started.
    Off,
    /// It is not built in.
    Missing,
}

/// Asks the kernel.
#[must_use]
pub fn landlock() -> Landlock {
    // Without a flag nothing is restricted.
    let asked = RestrictSelf::default().no_new_privs(false).apply();
    asked.map_or(Landlock::Missing, |asked| asked.landlock.into())
}

impl From<LandlockStatus> for Landlock {
    fn from(status: LandlockStatus) -> Self {
        match status {
            LandlockStatus::NotEnabled => Self::Off,
            LandlockStatus::NotImplemented => Self::Missing,
            LandlockStatus::Available { effective_abi, kernel_abi } => {
                let version = kernel_abi.unwrap_or(effective_abi as i32);
                u32::try_from(version).map_or(Self::Missing, Self::Version)
            }
        }
    }
}

/// Restricts this thread, and those that it starts, to what was granted, to listening at one TCP port, and to the processes that
/// it consists of: the version of the ABI by which it is so, `None` without Landlock.
///
/// # Errors
/// The kernel refuses, and nothing is restricted.
pub(super) fn restrict(granted: &Granted, port: u16) -> Result<Option<u32>, RulesetError> {
    let read = AccessFs::ReadDir | AccessFs::ReadFile;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::from_all(RIGHTS))?
        .scope(scope(std::env::var_os("NOTIFY_SOCKET").as_deref()))?
        .create()?
        .add_rules(path_beneath_rules(granted.with(Right::Read), read))?
        .add_rules(path_beneath_rules(granted.with(Right::Write), read | written()))?
        .add_rule(NetPort::new(port, AccessNet::BindTcp))?
        .restrict_self()?;
    Ok(match (status.ruleset, Landlock::from(status.landlock)) {
        (RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced, Landlock::Version(version)) => {
            Some(version)
        }
        _ => None,
    })
}

/// What is done in a folder that is written to: no device, no pipe and no link is made there, and nothing started.
fn written() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// Signals, and abstract sockets unless the service manager listens at one, as it does in some containers.
fn scope(manager: Option<&OsStr>) -> BitFlags<Scope> {
    let is_abstract = manager.is_some_and(|socket| socket.as_bytes().starts_with(b"@"));
    if is_abstract { Scope::Signal.into() } else { Scope::from_all(RIGHTS) }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;
    use std::{process, thread};

    use rstest::rstest;
    use sensor_harness::skip;

    use super::super::needs::Need;
    use super::*;

    #[rstest]
    #[case::nobody(None, true)]
    #[case::systemd(Some("/run/systemd/notify"), true)]
    #[case::abstract_one(Some("@manager"), false)]
    fn who_manages_the_service_is_told(#[case] socket: Option<&str>, #[case] refused: bool) {
        assert_eq!(scope(socket.map(OsStr::new)).contains(Scope::AbstractUnixSocket), refused);
    }

    /// Listens, unless somebody else has taken the port meanwhile: whether one may, the kernel looks at first.
    fn listen(address: SocketAddr) -> io::Result<()> {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            listening => listening.map(drop),
        }
    }

    /// One thread is confined, and tries.
    #[test]
    fn only_what_is_granted_can_be_used() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        for name in ["read", "kept", "out"] {
            fs::create_dir(at(name))?;
            fs::write(at(name).join("file"), "")?;
        }
        fs::create_dir(at("kept/below"))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let other = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let granted = Granted::of(vec![Need::file(&at("read/file")), Need::folder(&at("kept"))]);
        let attempts: Vec<(&str, u32, bool, io::Result<()>)> = thread::scope(|scope| {
            let tried = scope.spawn(|| {
                let Some(version) = restrict(&granted, free.port()).unwrap() else { return Vec::new() };
                let open = |name: &str| File::open(at(name)).map(drop);
                let write = |name: &str| fs::write(at(name), "x");
                let tried = vec![
                    ("read a list", 1, true, open("read/file")),
                    ("look into its folder", 1, true, fs::read_dir(at("read")).map(drop)),
                    ("read /proc", 1, true, File::open("/proc/self/status").map(drop)),
                    ("read a file that is granted alone", 1, true, File::open("/dev/urandom").map(drop)),
                    ("write a list", 1, false, write("read/file")),
                    ("make a list", 1, false, write("read/new")),
                    ("write what is kept", 1, true, write("kept/file")),
                    ("make a file", 1, true, write("kept/new")),
                    ("make a folder", 1, true, fs::create_dir(at("kept/folder"))),
                    ("move a file", 1, true, fs::rename(at("kept/new"), at("kept/newer"))),
                    (
                        "move it to another folder",
                        2,
                        true,
                        fs::rename(at("kept/newer"), at("kept/below/new")),
                    ),
                    ("listen", 1, true, UnixListener::bind(at("kept/s.sock")).map(drop)),
                    ("remove a file", 1, true, fs::remove_file(at("kept/s.sock"))),
                    ("remove a folder", 1, true, fs::remove_dir(at("kept/folder"))),
                    ("read elsewhere", 1, false, open("out/file")),
                    ("look elsewhere", 1, false, fs::read_dir(at("out")).map(drop)),
                    ("write elsewhere", 1, false, write("out/file")),
                    ("make a file elsewhere", 1, false, write("out/new")),
                    ("listen elsewhere", 1, false, UnixListener::bind(at("out/s.sock")).map(drop)),
                    ("read another program", 1, false, File::open("/usr/bin/env").map(drop)),
                    ("start a program", 1, false, process::Command::new("/usr/bin/env").status().map(drop)),
                    ("listen at its port", 1, true, listen(free)),
                    ("listen at another port", 4, false, listen(other)),
                    ("connect", 4, false, TcpStream::connect(listener.local_addr().unwrap()).map(drop)),
                ];
                tried.into_iter().filter(|(_, since, ..)| *since <= version).collect()
            });
            tried.join().unwrap()
        });
        if attempts.is_empty() {
            skip!("this kernel has no Landlock");
        }
        for (what, _, may, tried) in attempts {
            assert_eq!(tried.is_ok(), may, "{what}: {tried:?}");
            if let Err(error) = tried {
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{what}");
            }
        }
        // Other threads are as they were.
        assert!(File::open(at("out/file")).is_ok());
        Ok(())
    }
}
