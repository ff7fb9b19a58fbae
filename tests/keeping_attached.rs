//! Attachment is a state that the agent keeps: what goes, comes back or is detached by others is attached again, and
//! what a person has detached is not.

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::bpf::{Object, XdpAction, detach_link, objects_of};
use sensor_harness::cli::sensor;
use sensor_harness::foreign::Foreign;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::{MTU, Wire};

/// Looked at each second.
const SENSOR: &str = "drain_interval = \"1s\"\n[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.0/24\"]\n";

fn launch(near: &Namespace) -> Launch {
    Launch::new(near).config(SENSOR)
}

/// The metrics of both directions: 1 if the kernel says that the program is attached.
fn attached(agent: &AgentProcess, interface: &str) -> Result<(u64, u64)> {
    let page = Page::parse(&agent.metrics()?)?;
    let of = |metric| page.sum(metric, &[("interface", interface)]);
    Ok((of("sensor_xdp_attached"), of("sensor_egress_attached")))
}

fn wait_until_attached(agent: &AgentProcess, interface: &str) -> Result<()> {
    until(
        || Ok(attached(agent, interface)? == (1, 1) && agent.get("/readyz")?.status == 200),
        || format!("{interface} is not attached to: {}", agent.stderr()),
    )
}

fn mode(agent: &AgentProcess, interface: &str, mode: &str) -> Result<bool> {
    let page = Page::parse(&agent.metrics()?)?;
    Ok(page.sum("sensor_xdp_attached", &[("interface", interface), ("mode", mode)]) == 1)
}

/// Has three packets counted that come in by this wire.
fn count_three(agent: &AgentProcess, wire: &Wire) -> Result<()> {
    let before = agent.counts()?.packets();
    let syn = frame().ipv4().tcp(23).syn().bytes();
    Sender::new(wire)?.send(&[&syn; 3])?;
    assert_eq!(agent.counts()?.packets() - before, 3, "{}", agent.stderr());
    Ok(())
}

/// How often the log has these words.
fn said(agent: &AgentProcess, words: &str) -> usize {
    agent.stderr().matches(words).count()
}

/// What the agent does not say it is not asked for twice.
fn is_not_ready(agent: &AgentProcess, words: &str) -> Result<()> {
    until(
        || {
            let ready = agent.get("/readyz")?;
            Ok(ready.status == 503 && ready.body.contains(words))
        },
        || format!("/readyz does not say {words:?}: {:?}", agent.get("/readyz")),
    )
}

#[rstest]
#[case::pinned(true)]
#[case::not_pinned(false)]
fn an_interface_that_comes_back_is_attached_to_again(#[case] pinned: bool) -> Result<()> {
    needs_root!();
    let (near, pins) = (Namespace::new()?, Pins::new()?);
    let wire = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let launch = launch(&near).interface("sensor0");
    let agent = if pinned { launch.pins(&pins) } else { launch }.start()?;
    count_three(&agent, &wire)?;
    drop(wire);
    is_not_ready(&agent, "there is no interface sensor0")?;
    assert_eq!(attached(&agent, "sensor0")?, (0, 0));
    let wire = Wire::between(near, "sensor0", Namespace::new()?, MTU)?;
    wait_until_attached(&agent, "sensor0")?;
    count_three(&agent, &wire)?;
    assert_eq!(agent.counts()?.packets(), 6, "counts did not go on");
    assert_eq!(said(&agent, "there is no interface sensor0"), 1, "{}", agent.stderr());
    Ok(())
}

/// What is there is attached to, what is not is said and tried again; a rule changes meanwhile.
#[rstest]
#[case::missing(false, "there is no interface sensor1")]
#[case::down(true, "interface sensor1 is down")]
fn one_of_two_interfaces_is_late(#[case] is_there: bool, #[case] words: &str) -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let other = || Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU);
    let mut late = None;
    if is_there {
        late = Some(other()?);
        near.ip("link set sensor1 down")?;
    }
    let agent = launch(&near).interface("sensor0").interface("sensor1").spawn()?;
    until(|| Ok(agent.get("/readyz").is_ok()), || format!("the agent did not start: {}", agent.stderr()))?;
    is_not_ready(&agent, words)?;
    assert_eq!((attached(&agent, "sensor0")?, attached(&agent, "sensor1")?), ((1, 1), (0, 0)));
    count_three(&agent, &one)?;
    agent.rewrite_config(&format!("{SENSOR}[[allow]]\nfrom = [\"203.0.113.0/24\"]\ntcp = [22]\n"))?;
    let reloaded = sensor(&near, &["reload"])?;
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
    if is_there {
        near.ip("link set sensor1 up")?;
    } else {
        late = Some(other()?);
    }
    wait_until_attached(&agent, "sensor1")?;
    count_three(&agent, &one)?;
    // Kept to the end: without it the interface goes, and the agent says so.
    let late = late.context("it is there by now")?;
    count_three(&agent, &late)?;
    assert_eq!(said(&agent, "attached to sensor0"), 1, "{}", agent.stderr());
    assert_eq!(said(&agent, words), 1, "{}", agent.stderr());
    Ok(())
}

/// A name that an interface is given besides, and that is configured too, changes nothing about it.
#[test]
fn another_name_of_an_interface_that_is_attached_to() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let agent = launch(near).interface("uplink0").interface("sensor0").spawn()?;
    until(|| Ok(agent.get("/readyz").is_ok()), || format!("the agent did not start: {}", agent.stderr()))?;
    is_not_ready(&agent, "there is no interface uplink0")?;
    near.ip("link property add dev sensor0 altname uplink0")?;
    is_not_ready(&agent, "sensor0 and uplink0 are one interface: leave one of the two names out")?;
    assert_eq!(attached(&agent, "sensor0")?, (1, 1), "{}", agent.stderr());
    count_three(&agent, &wire)?;
    assert_eq!(said(&agent, "has detached it"), 0, "{}", agent.stderr());
    near.ip("link property del dev sensor0 altname uplink0")?;
    is_not_ready(&agent, "there is no interface uplink0")
}

/// The links of an agent; before TCX (Linux 6.6) there is one for each XDP program alone.
fn links(agent: &AgentProcess) -> Result<Vec<u32>> {
    let link = |object| if let Object::Link(number) = object { Some(number) } else { None };
    Ok(objects_of(agent.pid())?.into_iter().filter_map(link).collect())
}

/// As by `bpftool link detach`, both programs.
#[test]
fn what_others_detach_is_attached_again() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = launch(&wire.near.namespace).interface("sensor0").start()?;
    for link in links(&agent)? {
        detach_link(link)?;
        until(|| Ok(!links(&agent)?.contains(&link)), || format!("still held: {}", agent.stderr()))?;
        wait_until_attached(&agent, "sensor0")?;
        count_three(&agent, &wire)?;
    }
    Ok(())
}

/// Without the program on the way out, the answers to what the host asks do not come in.
#[test]
fn the_host_gets_answers_again() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    wire.near.address("198.51.100.7/24")?;
    wire.far.address("198.51.100.66/24")?;
    let server = wire.far.namespace.run(|| UdpSocket::bind("198.51.100.66:7"))??;
    server.set_read_timeout(Some(Duration::from_mins(1)))?;
    thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, peer)) = server.recv_from(&mut buffer) {
            drop(server.send_to(&buffer[..length], peer));
        }
    });
    let agent = launch(near).interface("sensor0").start()?;
    let links = links(&agent)?;
    if links.len() == 1 {
        near.run(|| {
            std::process::Command::new("tc").args(["qdisc", "del", "dev", "sensor0", "clsact"]).status()
        })??;
    } else {
        // One of them is that of the egress program.
        for link in links {
            detach_link(link)?;
            until(
                || Ok(!self::links(&agent)?.contains(&link)),
                || format!("still held: {}", agent.stderr()),
            )?;
        }
    }
    wait_until_attached(&agent, "sensor0")?;
    let answered = near.run(|| -> Result<bool> {
        let client = UdpSocket::bind("198.51.100.7:0")?;
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        client.send_to(b"hello", "198.51.100.66:7")?;
        Ok(client.recv(&mut [0; 100]).is_ok())
    })??;
    ensure!(answered, "the answer was dropped: {}", agent.stderr());
    Ok(())
}

#[test]
fn what_a_person_has_detached_stays_detached_until_a_reload() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let agent = launch(near).interface("sensor0").start()?;
    let detached = sensor(near, &["detach", "--interface", "sensor0"])?;
    assert_eq!(detached.code, 0, "{}", detached.stderr);
    is_not_ready(&agent, "`sensor detach`")?;
    // Looked at several times, and whatever happens to the interface.
    near.ip("link set sensor0 mtu 1400")?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        assert_eq!(attached(&agent, "sensor0")?, (0, 0), "{}", agent.stderr());
        ensure!(!wire.near.has_xdp()?, "something is attached");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(said(&agent, "was detached by `sensor detach`"), 1, "{}", agent.stderr());
    let reloaded = sensor(near, &["reload"])?;
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
    wait_until_attached(&agent, "sensor0")?;
    count_three(&agent, &wire)
}

/// What was attached in one mode is attached in the other by a start or a reload, with the same counts.
#[rstest]
#[case::by_a_restart(true)]
#[case::by_a_reload(false)]
fn the_mode_changes_and_counts_go_on(#[case] restart: bool) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let near = &wire.near.namespace;
    let config = |mode: &str| format!("mode = \"{mode}\"\n{SENSOR}");
    let start = |mode: &str| Launch::new(near).config(&config(mode)).interface("sensor0").pins(&pins).start();
    let mut agent = start("generic")?;
    count_three(&agent, &wire)?;
    for (other, counted) in [("native", 6), ("generic", 9)] {
        if restart {
            agent.stop(Signal::SIGKILL)?;
            agent = start(other)?;
        } else {
            agent.rewrite_config(&config(other))?;
            let path = pins.path().display().to_string();
            let reloaded = sensor(near, &["reload", "--pins", &path])?;
            assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
        }
        ensure!(mode(&agent, "sensor0", other)?, "not in {other} mode: {}", agent.stderr());
        ensure!(said(&agent, &format!("runs the program in {other} mode now")) == 1, "{}", agent.stderr());
        count_three(&agent, &wire)?;
        assert_eq!(agent.counts()?.packets(), counted);
    }
    // Where it is pinned, the next one takes over what was attached in the end.
    agent.stop(Signal::SIGKILL)?;
    let agent = start("generic")?;
    assert_eq!(agent.counts()?.packets(), 9);
    Ok(())
}

/// Nothing is lost by asking for a mode that there is not.
#[test]
fn a_mode_that_there_is_not_is_refused() -> Result<()> {
    needs_root!();
    let (near, pins) = (Namespace::new()?, Pins::new()?);
    near.add_interface_without_native_xdp("quiet0")?;
    let start = |mode: &str| launch(&near).interface("quiet0").pins(&pins).argument("--mode").argument(mode);
    let mut agent = start("auto").start()?;
    agent.stop(Signal::SIGKILL)?;
    let (code, refused) = start("native").fail()?;
    assert_eq!(code, 1, "{refused}");
    for words in ["quiet0", "from generic to native mode", "--mode generic"] {
        ensure!(refused.contains(words), "{words:?} is not in: {refused}");
    }
    let agent = start("auto").start()?;
    until(|| Ok(said(&agent, "took over quiet0 in generic mode") == 1), || agent.stderr())
}

/// Renames an interface; Linux before 6.2 does so only while it is down.
fn rename(namespace: &Namespace, from: &str, to: &str) -> Result<()> {
    if namespace.ip(&format!("link set {from} name {to}")).is_err() {
        for change in [format!("{from} down"), format!("{from} name {to}"), format!("{to} up")] {
            namespace.ip(&format!("link set {change}"))?;
        }
    }
    Ok(())
}

/// The program stays on what it is on, and it is said what that is called now.
#[test]
fn an_interface_that_changes_its_name_keeps_the_program() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let agent = launch(near).interface("sensor0").start()?;
    rename(near, "sensor0", "other0")?;
    is_not_ready(&agent, "interface sensor0 is called other0 now")?;
    ensure!(near.ip("link show other0")?.contains("xdp"), "nothing is attached any more");
    rename(near, "other0", "sensor0")?;
    wait_until_attached(&agent, "sensor0")?;
    count_three(&agent, &wire)?;
    Ok(())
}

/// A reload that gives the new name leaves the program where it is, and so does one that is refused.
#[rstest]
#[case::pinned(true)]
#[case::not_pinned(false)]
fn a_new_name_is_configured(#[case] pinned: bool) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let near = &wire.near.namespace;
    let taken = Wire::between(near.clone(), "taken0", Namespace::new()?, MTU)?;
    let _foreign = Foreign::attach(&taken.near, XdpAction::Pass)?;
    let config = |interfaces: &str| format!("interfaces = [{interfaces}]\n{SENSOR}");
    let launch = Launch::new(near).config(&config("\"sensor0\""));
    let agent = if pinned { launch.pins(&pins) } else { launch }.start()?;
    let before = links(&agent)?;
    rename(near, "sensor0", "other0")?;
    let words = "interface sensor0 is called other0 now";
    is_not_ready(&agent, words)?;
    let path = pins.path().display().to_string();
    let arguments: &[&str] = if pinned { &["reload", "--pins", &path] } else { &["reload"] };
    for (interfaces, code) in [("\"other0\", \"taken0\"", 1), ("\"other0\"", 0)] {
        is_not_ready(&agent, words)?;
        agent.rewrite_config(&config(interfaces))?;
        let reloaded = sensor(near, arguments)?;
        assert_eq!(reloaded.code, code, "{reloaded:?}");
        assert_eq!(links(&agent)?, before, "{}", agent.stderr());
    }
    wait_until_attached(&agent, "other0")?;
    assert_eq!(agent.get("/readyz")?.status, 200, "{}", agent.stderr());
    // As the wire is called.
    rename(near, "other0", "sensor0")?;
    count_three(&agent, &wire)
}

/// However long each step takes, what is in between is told as it is, and what keeps being configured counts on.
#[test]
fn names_that_are_exchanged_step_by_step() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let _one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let _other = Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU)?;
    let agent = launch(&near).interface("sensor0").interface("sensor1").start()?;
    rename(&near, "sensor0", "other0")?;
    is_not_ready(&agent, "interface sensor0 is called other0 now")?;
    rename(&near, "sensor1", "sensor0")?;
    is_not_ready(&agent, "there is no interface sensor1")?;
    // Looked at more than once.
    thread::sleep(Duration::from_secs(2));
    assert_eq!(attached(&agent, "sensor0")?, (1, 1), "{}", agent.stderr());
    rename(&near, "other0", "sensor1")?;
    for name in ["sensor0", "sensor1"] {
        wait_until_attached(&agent, name)?;
    }
    for false_words in ["are one interface", "has detached it", "detached from sensor0"] {
        assert_eq!(said(&agent, false_words), 0, "{}", agent.stderr());
    }
    Ok(())
}

/// Each name has the program, whichever interface has the name now.
#[test]
fn two_interfaces_that_exchange_their_names_are_both_attached_to() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let _one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let _other = Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU)?;
    let agent = launch(&near).interface("sensor0").interface("sensor1").start()?;
    for (from, to) in [("sensor0", "other0"), ("sensor1", "sensor0"), ("other0", "sensor1")] {
        rename(&near, from, to)?;
    }
    for name in ["sensor0", "sensor1"] {
        wait_until_attached(&agent, name)?;
    }
    Ok(())
}
