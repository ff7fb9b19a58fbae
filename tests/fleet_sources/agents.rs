//! Of agents that run, by their sockets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::sensor;
use sensor_harness::frame::frame;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use serde_json::Value;

use super::{Answer, Known, PORTS, Sent, asked, truth};

/// Sensors of each host.
const HOSTS: [&[&str]; 3] = [&["japan-1"], &["japan-2", "japan-3"], &["overseas-1"]];
const SOURCES: u32 = 600;

/// A host with an agent.
struct Host {
    wire: Wire,
    socket: PathBuf,
    _agent: AgentProcess,
}

/// The address of a sensor.
fn address(sensor: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, u8::try_from(sensor).unwrap_or(u8::MAX))
}

/// Configuration of a host whose sensors begin with this number.
pub(super) fn config(sensors: &[&str], first: usize, folder: &Path, socket: &Path) -> String {
    let sensor = |(at, name): (usize, &&str)| {
        format!("[[sensor]]\nname = \"{name}\"\nregion = \"r\"\nprefixes = [\"{}/32\"]\n", address(at))
    };
    let sensors: String = (first..).zip(sensors).map(sensor).collect();
    format!(
        "{sensors}[evidence]\npath = {:?}\n[socket]\npath = {:?}\n",
        folder.display().to_string(),
        socket.display().to_string()
    )
}

impl Host {
    fn start(number: usize, first: usize, folder: &Path) -> Result<Self> {
        let wire = Wire::new()?;
        let (evidence, socket) =
            (folder.join(format!("evidence-{number}")), folder.join(format!("{number}.sock")));
        let config = config(HOSTS[number], first, &evidence, &socket);
        let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
        Ok(Self { wire, socket, _agent: agent })
    }

    /// Sends it what was sent to its sensors, and waits until all of it was looked at.
    fn send(&self, sent: &[&Sent]) -> Result<()> {
        let mut frames = Vec::new();
        for sent in sent {
            let frame =
                frame().ipv4().from(Ipv4Addr::from(sent.source)).to(address(sent.sensor)).tcp(sent.port);
            let bytes = frame.syn().bytes();
            frames.extend((0..sent.packets).map(|_| bytes.clone()));
        }
        Sender::new(&self.wire)?.send(&frames)?;
        let socket = self.socket.display().to_string();
        let observed = || -> Result<u64> {
            let said = sensor(&self.wire.near.namespace, &["sources", "--json", "--socket", &socket])?;
            let lines = said.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
            Ok(lines.iter().filter_map(|line| line["window"]["observed"].as_u64()).sum())
        };
        until(|| Ok(observed()? == frames.len() as u64), || format!("{:?} of {}", observed(), frames.len()))
    }
}

#[test]
fn what_agents_say_is_merged_and_who_says_nothing_is_named() -> Result<()> {
    needs_root!();
    let folder = tempfile::tempdir()?;
    let sensors = HOSTS.iter().map(|sensors| sensors.len()).sum();
    let sent = truth(3, sensors, SOURCES);
    let mut hosts = Vec::new();
    let mut first = 0;
    for (number, sensors) in HOSTS.iter().enumerate() {
        let host = Host::start(number, first, folder.path())?;
        let of: Vec<_> =
            sent.iter().filter(|sent| (first..first + sensors.len()).contains(&sent.sensor)).collect();
        host.send(&of)?;
        first += sensors.len();
        hosts.push(host);
    }
    let here = &hosts[0].wire.near.namespace;
    let line = |(at, host): (usize, &Host)| format!("host-{at} local {}\n", host.socket.display());
    let lines: String = hosts.iter().enumerate().map(line).collect();
    let list = folder.path().join("agents.txt");
    fs::write(&list, &lines)?;
    let list = list.display().to_string();
    for port in [None, Some(PORTS[0])] {
        let slot = port.map(|port| format!("{port}/tcp"));
        let port_is: Vec<&str> = slot.iter().flat_map(|slot| ["--port", slot.as_str()]).collect();
        let known = Known::of(&sent, port);
        let ask = || Answer::to(here, &[&["--agents", &list, "--last", "1h"], &port_is[..]].concat());
        // What was before an agent was started its store tells, which is written once a minute.
        let all = || Ok(ask()?.total()?["packets"] == known.packets);
        until(all, || format!("{:?}, not {}", ask(), known.packets))?;
        let answer = ask()?;
        // A number of more than 256 is an estimate to an agent; it names all sources all the same. It does not know
        // the hours whole.
        answer.is_exactly(&known, true).with_context(|| format!("{port:?}: {answer:?}"))?;
        ensure!(answer.total()?["sensors"] == sensors, "{answer:?}");
    }

    // One that takes a connection and says nothing, one that says half of something, and one that is not there.
    let (mute, half) = (folder.path().join("mute.sock"), folder.path().join("half.sock"));
    let _mute = UnixListener::bind(&mute)?;
    let listener = UnixListener::bind(&half)?;
    thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            // A question that nobody has read would reset the connection.
            let asked = peer.read(&mut [0; 4096]).and_then(|_| peer.write_all(b"{\"window\":"));
            drop(asked);
        }
    });
    let away = folder.path().join("away.sock");
    let strange = [("mute", &mute), ("half", &half), ("away", &away)];
    let line = |(name, path): (&str, &PathBuf)| format!("{name} local {}\n", path.display());
    let strange: String = strange.map(line).concat();
    fs::write(folder.path().join("agents.txt"), lines + &strange)?;
    let answer = Answer::to(here, &["--agents", &list, "--last", "1h", "--timeout", "3s", "--at-once", "2"])?;
    let causes: Vec<_> =
        answer.lines("silent").iter().map(|it| (it["who"].clone(), it["cause"].to_string())).collect();
    let words = [("away", "cannot ask"), ("half", "cut short"), ("mute", "no answer within 3s")];
    for ((who, cause), (name, words)) in causes.iter().zip(words) {
        ensure!(who == name && cause.contains(words), "{causes:?}");
    }
    ensure!(causes.len() == 3 && answer.total()?["at_least"] == true, "{answer:?}");
    ensure!(answer.total()?["packets"] == Known::of(&sent, None).packets, "the others are all there");

    fs::write(folder.path().join("agents.txt"), strange)?;
    let nobody = asked(here, &["--agents", &list, "--timeout", "1s"])?;
    ensure!(nobody.code == 1 && nobody.stderr.contains("nobody could tell"), "{nobody:?}");
    Ok(())
}
