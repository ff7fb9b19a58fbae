//! Peers that are hostile, many, somebody else, or members of the group.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, PublicCopy};
use sensor_harness::cli::{self, sensor};
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::skip;
use serde_json::json;
use tempfile::TempDir;

use crate::{Scene, about, answer};

const STATUS: &[u8] = b"{\"version\":1,\"ask\":\"status\"}\n";

#[rstest]
#[case::nonsense(b"hello\n", "not a JSON object")]
#[case::no_version(b"{\"ask\":\"status\"}\n", "no version")]
#[case::another_version(b"{\"version\":2,\"ask\":\"status\"}\n", "version 1 of the protocol, not 2")]
#[case::unknown(b"{\"version\":1,\"ask\":\"dance\"}\n", "does not know the question \"dance\"")]
#[case::too_much(b"{\"version\":1,\"ask\":\"status\",\"x\":1}\n", "unknown field `x`")]
#[case::zeros(&[0; 100], "no question came")]
#[case::nothing(b"", "no question came within 10 s")]
#[case::half_a_line(b"{\"version\":1,", "no question came within 10 s")]
#[case::too_long(&" ".repeat(70_000).into_bytes(), "longer than 65536 bytes")]
fn hostile_requests_get_one_line(#[case] request: &[u8], #[case] words: &str) -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let agent = scene.launch().start()?;
    let mut stream = scene.connect()?;
    let said = answer(&mut stream, request)?;
    let [line] = &said[..] else { bail!("not one line: {said:?}") };
    let error = line["error"].as_str().with_context(|| format!("no error: {line}"))?;
    ensure!(error.contains(words) && !error.contains('\n'), "{error}");
    let said = answer(&mut scene.connect()?, STATUS)?;
    assert_eq!(about(&said, "ready")?["ready"], true, "{}", agent.stderr());
    Ok(())
}

/// One question after the other on a connection, good ones behind bad ones.
#[test]
fn a_peer_may_ask_again() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let _agent = scene.launch().start()?;
    let mut stream = scene.connect()?;
    for _ in 0..3 {
        assert_eq!(answer(&mut stream, b"{}\n")?.len(), 1);
        let said = answer(&mut stream, STATUS)?;
        assert_eq!(said.last(), Some(&json!({"end": true})), "{said:?}");
    }
    Ok(())
}

/// Those who never ask, and those who ask and never read, keep nobody else waiting but who comes when there is no
/// room; and there is room again.
#[rstest]
#[case::silent(b"")]
#[case::never_reading(STATUS)]
fn a_crowd_delays_nobody(#[case] said: &[u8]) -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let agent = scene.launch().start()?;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut peer = scene.connect()?;
        // As much as it takes of it.
        peer.set_write_timeout(Some(Duration::from_millis(1)))?;
        while !said.is_empty() && peer.write_all(said).is_ok() {}
        crowd.push(peer);
    }
    let refused = || -> Result<bool> {
        let said = answer(&mut scene.connect()?, STATUS)?;
        Ok(said[0].get("error").is_some_and(|error| error.to_string().contains("peers to answer already")))
    };
    ensure!(refused()?, "there is room for more");
    ensure!(agent.metrics()?.contains("sensor_packets_total"), "no metrics");
    until(|| Ok(!refused()?), || "there is no room again".to_owned())?;
    drop(crowd);
    Ok(())
}

/// What somebody else has put where an agent would listen is not believed.
#[test]
fn a_strangers_socket_is_not_believed() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let folder = TempDir::new()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    let path = folder.path().join("s.sock");
    let listener = as_user(65_534, &[], || UnixListener::bind(&path))?;
    let said = sensor(&near, &["reload", "--socket", &path.display().to_string()])?;
    assert_eq!(said.code, 1, "{said:?}");
    ensure!(said.stderr.contains("user 65534, who is not root, listens on"), "{said:?}");
    drop(listener);
    Ok(())
}

/// An agent that finds a group `sensor` of this number, which the host need not have.
fn agent_with_group(scene: &Scene, group: u32) -> Result<(AgentProcess, TempDir)> {
    let folder = TempDir::new()?;
    let file = folder.path().join("group");
    fs::write(&file, format!("root:x:0:\nsensor:x:{group}:\n"))?;
    let script = folder.path().join("with-group");
    fs::write(&script, format!("#!/bin/sh\nmount --bind {} /etc/group && exec \"$@\"\n", file.display()))?;
    let wrapper = format!("unshare --mount sh {}", script.display());
    Ok((scene.launch().wrapped(&wrapper).start()?, folder))
}

/// Members of the group ask, and change nothing; others do neither.
#[rstest]
#[case::member(&[54_321], true)]
#[case::stranger(&[], false)]
fn the_group_may_ask(#[case] groups: &[u32], #[case] may: bool) -> Result<()> {
    needs_root!();
    if !Path::new("/etc/group").exists() {
        skip!("there is no /etc/group to put another in place of");
    }
    let scene = Scene::new()?;
    let (agent, _folder) = agent_with_group(&scene, 54_321)?;
    let path = scene.pins.socket();
    let file = fs::metadata(&path)?;
    assert_eq!((file.mode() & 0o777, file.uid(), file.gid()), (0o660, 0, 54_321), "{}", agent.stderr());
    let folder = path.parent().context("no folder")?;
    assert_eq!(fs::metadata(folder)?.mode() & 0o022, 0, "others may write to {}", folder.display());
    let binary = PublicCopy::new()?;
    let run = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        let list = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        command.args(["--reuid", "65534", "--regid", "65534"]);
        if list.is_empty() {
            command.arg("--clear-groups");
        } else {
            command.args(["--groups", &list]);
        }
        command.arg(binary.path()).args(words).arg("--pins").arg(scene.pins.path());
        cli::run(scene.near(), &mut command)
    };
    let said = run(&["status"])?;
    assert_eq!(said.code, i32::from(!may), "{said:?}");
    if !may {
        ensure!(said.stderr.contains("run this as root, or as a member of the group sensor"), "{said:?}");
    }
    let said = run(&["reload"])?;
    assert_eq!(said.code, 1, "{said:?}");
    ensure!(said.stderr.contains("run this as root"), "{said:?}");
    ensure!(!agent.stderr().contains("reloaded"), "{}", agent.stderr());
    if may {
        // However many come, root is let in.
        let _crowd: Vec<_> = (0..32)
            .map(|_| as_user(65_534, groups, || UnixStream::connect(&path)))
            .collect::<Result<_, _>>()?;
        let said = scene.sensor(&["reload"])?;
        assert_eq!(said.code, 0, "{said:?}");
    }
    Ok(())
}

/// Runs something on a thread that is another user. The system calls themselves change the thread alone.
fn as_user<T: Send>(user: u32, groups: &[u32], work: impl FnOnce() -> io::Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the list of groups is as long as is said, and outlives the call.
            let set = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
            ensure!(set == 0, "cannot be in these groups");
            // SAFETY: these take numbers alone.
            let set = unsafe { libc::syscall(libc::SYS_setresgid, user, user, user) };
            ensure!(set == 0, "cannot be of that group");
            // SAFETY: as above.
            let set = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
            ensure!(set == 0, "cannot be that user");
            Ok(work()?)
        });
        thread.join().map_err(|_| anyhow!("the thread panicked"))?
    })
}

/// Without the group the socket is root's alone.
#[test]
fn without_the_group_it_is_roots() -> Result<()> {
    needs_root!();
    if fs::read_to_string("/etc/group")?.lines().any(|line| line.starts_with("sensor:")) {
        skip!("this host has the group sensor");
    }
    let scene = Scene::new()?;
    let _agent = scene.launch().start()?;
    assert_eq!(fs::metadata(scene.pins.socket())?.mode() & 0o777, 0o600);
    Ok(())
}
