//! Of agents that run, by their sockets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
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
/// A budget of evidence that is never spent.
const BUDGET: u32 = 1_000_000;
/// Packets that are sent at once: fewer than evidence has room for, however fast they are sent.
const AT_ONCE: usize = 2_000;

/// A host with an agent.
struct Host {
    wire: Wire,
    socket: PathBuf,
    _agent: AgentProcess,
}

/// The host that a sensor is on.
fn host_of(sensor: usize) -> usize {
    let mut on = HOSTS.iter().enumerate().flat_map(|(host, sensors)| sensors.iter().map(move |_| host));
    on.nth(sensor).unwrap_or(HOSTS.len())
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
        "{sensors}[evidence]\npath = {:?}\nbudget = {BUDGET}\n[socket]\npath = {:?}\n",
        folder.display().to_string(),
        socket.display().to_string()
    )
}

impl Host {
    /// One with these sensors, and more in its configuration.
    fn start(sensors: &[&str], first: usize, folder: &Path, more: &str) -> Result<Self> {
        let wire = Wire::new()?;
        let (evidence, socket) =
            (folder.join(format!("evidence-{first}")), folder.join(format!("{first}.sock")));
        let config = config(sensors, first, &evidence, &socket) + more;
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
        let socket = self.socket.display().to_string();
        let observed = || -> Result<u64> {
            let said = sensor(&self.wire.near.namespace, &["sources", "--json", "--socket", &socket])?;
            let lines = said.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
            Ok(lines.iter().filter_map(|line| line["window"]["observed"].as_u64()).sum())
        };
        let mut sent = 0;
        for frames in frames.chunks(AT_ONCE) {
            Sender::new(&self.wire)?.send(frames)?;
            sent += frames.len() as u64;
            until(|| Ok(observed()? == sent), || format!("{:?} of {sent}", observed()))?;
        }
        Ok(())
    }
}

/// A table that names a key for sketches, in a file of its own.
fn key(folder: &Path, digit: &str) -> Result<String> {
    let path = folder.join(format!("{digit}.key"));
    fs::write(&path, digit.repeat(32) + &"f".repeat(32))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(format!("[sources]\nsketch_key_file = {:?}\n", path.display().to_string()))
}

/// Agents of which each has more sources than it names, and one whose key is another.
#[test]
fn sources_that_nobody_names_are_told_by_sketches_of_one_key() -> Result<()> {
    needs_root!();
    let folder = tempfile::tempdir()?;
    let (ours, another) = (key(folder.path(), "1")?, key(folder.path(), "2")?);
    let to_one = |sensor, sources: std::ops::Range<u32>| {
        let sent = move |source| Sent { sensor, source: 0xcb00_0000 + source, port: PORTS[0], packets: 1 };
        sources.map(sent).collect::<Vec<_>>()
    };
    let mut lines = Vec::new();
    let mut hosts = Vec::new();
    for (at, (key, sources)) in
        [(&ours, 0..11_000), (&ours, 8_000..19_000), (&another, 0..9)].into_iter().enumerate()
    {
        let host = Host::start(&[HOSTS[at][0]], at, folder.path(), key)?;
        let sent =
            [to_one(at, sources), vec![Sent { port: PORTS[1], ..to_one(at, 20_000..20_001)[0] }]].concat();
        host.send(&sent.iter().collect::<Vec<_>>())?;
        lines.push(format!("host-{at} local {}\n", host.socket.display()));
        hosts.push(host);
    }
    let here = &hosts[0].wire.near.namespace;
    let list = folder.path().join("agents.txt");
    let ask = |agents: usize, port: Option<&str>| {
        fs::write(&list, lines[..agents].concat())?;
        let list = list.display().to_string();
        let port: Vec<&str> = port.iter().flat_map(|port| ["--port", *port]).collect();
        Answer::to(here, &[&["--agents", &list, "--last", "1h"], &port[..]].concat())
    };
    for (port, packets, truth) in [(None, 22_002, 19_001.0), (Some("23/tcp"), 22_000, 19_000.0)] {
        // What was before an agent was started its store tells, which is written once a minute.
        let all = || Ok(ask(2, port)?.total()?["packets"] == packets);
        until(all, || format!("{port:?}: {:?}, not {packets}", ask(2, port).map(|it| it.total().cloned())))?;
        let answer = ask(2, port)?;
        let total = answer.total()?;
        ensure!(total["basis"] == "sketches" && total["complete"] == false, "{port:?}: {total}");
        let error = total["error"].as_f64().context("no error")?;
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let off = answer.count()? as f64 / truth - 1.0;
        ensure!(off.abs() < 4.0 * error && error < 0.017, "{port:?}: off by {off}: {total}");

        let all = || Ok(ask(3, port)?.total()?["packets"] == packets + if port.is_some() { 9 } else { 10 });
        until(all, || format!("{port:?}: {:?}", ask(3, port).map(|it| it.total().cloned())))?;
        let answer = ask(3, port)?;
        let total = answer.total()?;
        ensure!(total["basis"] == "bound" && total["at_least"] == true, "{port:?}: {total}");
        ensure!(answer.count()? < 19_000, "no more than are named: {total}");
        let notes: String = answer.lines("sensor").iter().map(|it| it["notes"].to_string()).collect();
        ensure!(notes.contains("another key") && notes.contains("`sketch_key_file`"), "{notes}");
    }
    Ok(())
}

#[test]
fn what_agents_say_is_merged_and_who_says_nothing_is_named() -> Result<()> {
    needs_root!();
    let folder = tempfile::tempdir()?;
    let sensors = HOSTS.iter().map(|sensors| sensors.len()).sum();
    let sent = truth(3, sensors, SOURCES);
    let mut hosts = Vec::new();
    let mut first = 0;
    for sensors in HOSTS {
        let host = Host::start(sensors, first, folder.path(), "")?;
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
        // A host with two sensors is one agent.
        let by_one_agent = known.by_one(host_of);
        ensure!(by_one_agent > known.by_one_sensor(), "no source was seen by two sensors of one host alone");
        ensure!(answer.total()?["by_one_agent"] == by_one_agent, "{by_one_agent}: {answer:?}");
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
