//! What a service manager hears of the agent (`sd_notify(3)`): a socket stands in for systemd.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::needs_root;
use sensor_harness::pace::PATIENCE;
use sensor_harness::wire::Wire;
use tempfile::TempDir;

/// The socket that the agent is told of.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = UnixDatagram::bind(folder.path().join("notify"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, folder })
    }

    /// How the agent is started by it; `more` are variables.
    fn words(&self, more: &str) -> String {
        format!("env NOTIFY_SOCKET={}/notify {more}", self.folder.path().display())
    }

    /// The next message, its lines sorted; those that only say that the agent lives are left out.
    fn hears(&self) -> Result<Vec<String>> {
        loop {
            let mut message = [0; 4_096];
            let length = self.socket.recv(&mut message).context("the agent said nothing")?;
            let text = String::from_utf8(message[..length].to_vec())?;
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            if lines != ["WATCHDOG=1"] {
                return Ok(lines);
            }
        }
    }
}

fn start(wire: &Wire, manager: &Manager, more: &str) -> Result<AgentProcess> {
    let interfaces = "interfaces = [\"sensor0\", \"late0\"]\ndrain_interval = \"1s\"";
    Launch::new(&wire.near.namespace).config(interfaces).wrapped(&manager.words(more)).spawn()
}

#[test]
fn it_hears_of_each_change() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let manager = Manager::new()?;
    let mut agent = start(&wire, &manager, "")?;

    let begun = manager.hears()?;
    ensure!(begun[0] == "READY=1", "{begun:?}: {}", agent.stderr());
    ensure!(begun[1].starts_with("STATUS=counting and dropping on sensor0 (native); "), "{begun:?}");
    ensure!(begun[1].contains("late0") && begun.len() == 2, "what is missing is named: {begun:?}");

    near.ip("link add late0 type veth peer name beyond0")?;
    near.ip("link set late0 up")?;
    near.ip("link set beyond0 up")?;
    let whole = "STATUS=counting and dropping on sensor0 (native), late0 (native)";
    // It may be seen before it is up.
    while manager.hears()? != [whole] {}

    agent.signal(Signal::SIGHUP)?;
    let reloading = manager.hears()?;
    let microseconds = reloading[0].strip_prefix("MONOTONIC_USEC=").context("no time")?.parse::<u64>()?;
    ensure!(microseconds > 0 && reloading[1..] == ["RELOADING=1"], "{reloading:?}");
    assert_eq!(manager.hears()?, ["READY=1", whole]);

    agent.rewrite_config("interfaces = 7")?;
    agent.signal(Signal::SIGHUP)?;
    ensure!(manager.hears()?.contains(&"RELOADING=1".to_owned()));
    assert_eq!(manager.hears()?, ["READY=1", whole], "one that is refused is over too");

    agent.stop(Signal::SIGTERM)?;
    assert_eq!(manager.hears()?, ["STOPPING=1"]);
    Ok(())
}

/// A manager that asks hears that the agent lives, again and again; one that no longer listens holds up nothing.
#[test]
fn it_hears_that_the_agent_lives() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let manager = Manager::new()?;
    let mut agent = start(&wire, &manager, "WATCHDOG_USEC=2000")?;
    manager.hears()?;
    let mut message = [0; 64];
    for _ in 0..5 {
        let length = manager.socket.recv(&mut message).context("the agent said nothing")?;
        assert_eq!(&message[..length], b"WATCHDOG=1\n");
    }
    // More messages than fit into the socket.
    std::thread::sleep(Duration::from_secs(2));
    ensure!(agent.get("/readyz").is_ok(), "{}", agent.stderr());
    let status = agent.stop(Signal::SIGTERM)?;
    ensure!(status.success(), "{status}: {}", agent.stderr());
    Ok(())
}
