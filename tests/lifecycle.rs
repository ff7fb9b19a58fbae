//! Start, run, stop: whatever way the agent ends, the host is as it was.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::Slot;
use sensor_harness::agent::{AgentProcess, LISTEN, Launch};
use sensor_harness::bpf::{Object, objects_of, wait_until_freed};
use sensor_harness::cli::sensor;
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::http::connect;
use sensor_harness::metrics::Page;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace::{self, PATIENCE, until};
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::table::TWO_SENSORS;
use sensor_harness::wire::{MTU, Wire};

#[rstest]
#[case::interrupted(Signal::SIGINT, Some(0))]
#[case::terminated(Signal::SIGTERM, Some(0))]
#[case::killed(Signal::SIGKILL, None)]
fn nothing_stays_attached(#[case] signal: Signal, #[case] code: Option<i32>) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(TWO_SENSORS).start()?;
    ensure!(wire.near.has_xdp()?, "nothing is attached");
    let objects = objects_of(agent.pid())?;
    let held = |kind: fn(&Object) -> bool| objects.iter().any(kind);
    ensure!(
        held(|it| matches!(it, Object::Program(_)))
            && held(|it| matches!(it, Object::Map(_)))
            && held(|it| matches!(it, Object::Link(_))),
        "the agent holds only {objects:?}"
    );
    let status = agent.stop(signal)?;
    assert_eq!(status.code(), code, "{}", agent.stderr());
    // Before TCX (Linux 6.6) no link is there for the egress program: a filter stays, and only watches.
    let links = objects.iter().filter(|it| matches!(it, Object::Link(_))).count();
    if signal == Signal::SIGKILL && links == 1 {
        let said = sensor(&wire.near.namespace, &["detach", "--interface", "sensor0"])?;
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    wait_until_freed(&objects)?;
    ensure!(!wire.near.has_xdp()?, "something is still attached");
    Ok(())
}

/// Neither a connection that says nothing nor one that never ceases to ask keeps the agent from stopping.
/// What the agent says of what it leaves is so: nothing after a detach or a lost interface, an end where the pins are
/// on a mount of its own.
#[rstest]
#[case::left_at_work("", "the program goes on counting and dropping on sensor0", true)]
#[case::detached("detach", "nothing is attached any more", false)]
#[case::interface_gone("gone", "nothing is attached any more", false)]
#[case::renamed("renamed", "goes on counting and dropping on other0", true)]
fn the_last_words_are_true(#[case] before: &str, #[case] words: &str, #[case] stays: bool) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let near = wire.near.namespace.clone();
    let mut agent = Launch::new(&near).interface("sensor0").pins(&pins).start()?;
    match before {
        "detach" => {
            let path = pins.path().display().to_string();
            let said = sensor(&near, &["detach", "--interface", "sensor0", "--pins", &path])?;
            assert_eq!(said.code, 0, "{said:?}");
        }
        "gone" => near.ip("link delete sensor0").map(drop)?,
        "renamed" => {
            near.ip("link set sensor0 down")?;
            near.ip("link set sensor0 name other0")?;
            near.ip("link set other0 up")?;
        }
        _ => {}
    }
    agent.stop(Signal::SIGTERM)?;
    ensure!(agent.last_words().contains(words), "{}", agent.stderr());
    ensure!(agent.stderr().contains("goes on counting") == stays, "{}", agent.stderr());
    // What is to be typed takes the pins along.
    let command = format!("--pins {}`", pins.path().display());
    ensure!(agent.last_words().contains(&command) == stays, "{}", agent.stderr());
    if before == "renamed" {
        near.ip("link delete other0")?;
    }
    Ok(())
}

/// It drops nothing, and does not say that it does.
#[test]
fn an_observing_agent_says_that_it_counts() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let launch = Launch::new(&wire.near.namespace).interface("sensor0").pins(&pins).argument("--observe");
    let mut agent = launch.start()?;
    agent.stop(Signal::SIGTERM)?;
    ensure!(agent.last_words().contains("the program goes on counting on sensor0"), "{}", agent.stderr());
    Ok(())
}

/// As under systemd's `PrivateMounts`: the pins are on a mount that only the agent sees.
#[test]
fn a_private_mount_ends_with_the_agent() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let script = format!("mount -t bpf bpf {} && exec \"$@\"\n", folder.path().display());
    let elsewhere = tempfile::tempdir()?;
    let wrapper = elsewhere.path().join("wrapper");
    fs::write(&wrapper, script)?;
    let launch =
        Launch::new(&wire.near.namespace).interface("sensor0").pins_at(&folder.path().join("sensor"));
    let mut agent = launch.wrapped(&format!("unshare --mount sh {}", wrapper.display())).start()?;
    ensure!(wire.near.has_xdp()?, "nothing is attached");
    agent.stop(Signal::SIGTERM)?;
    let words = "on a mount that is this process's own, so the program on sensor0 and its counts end with it";
    ensure!(agent.last_words().contains(words), "{}", agent.stderr());
    until(|| Ok(!wire.near.has_xdp()?), || "the program is still attached".to_owned())
}

#[test]
fn a_connection_does_not_delay_the_end() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let mut agent = Launch::new(near).interface("sensor0").start()?;
    let _idle = connect(near, LISTEN)?;
    let mut asking = connect(near, LISTEN)?;
    let mut answers = asking.try_clone()?;
    ask(&mut asking)?;
    ensure!(answers.read(&mut [0; 100])? > 0, "no answer");
    let asking = thread::spawn(move || while ask(&mut asking).is_ok() {});
    // Answers that nobody takes would end the asking.
    let taking = thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
    ensure!(agent.stop(Signal::SIGTERM)?.success(), "{}", agent.stderr());
    asking.join().expect("asking does not panic");
    // Cut off in the middle of asking, it may be told by a reset.
    drop(taking.join().expect("taking does not panic"));
    ensure!(!wire.near.has_xdp()?, "something is still attached");
    Ok(())
}

/// Asks for a page, and soon it will ask again.
fn ask(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    thread::sleep(Duration::from_millis(5));
    Ok(())
}

#[test]
fn two_interfaces_are_counted_together() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let other = Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU)?;
    let mut agent = Launch::new(&near).interface("sensor0").interface("sensor1").start()?;
    let syn = frame().ipv4().tcp(23).syn().bytes();
    Sender::new(&one)?.send(&[&syn; 3])?;
    Sender::new(&other)?.send(&[&syn; 4])?;
    let mut truth = Counts::default();
    for _ in 0..7 {
        truth.add(Verdict::Count { sensor: 0, slot: Slot::tcp(23) }, syn.len());
    }
    assert_eq!(agent.counts()?, truth);
    let page = Page::parse(&agent.metrics()?)?;
    for name in ["sensor0", "sensor1"] {
        assert_eq!(page.sum("sensor_xdp_attached", &[("interface", name)]), 1, "{name}");
    }
    agent.stop(Signal::SIGTERM)?;
    ensure!(!one.near.has_xdp()? && !other.near.has_xdp()?, "something is still attached");
    Ok(())
}

/// A wire with addresses, and a server behind the sensor's end that echoes datagrams.
fn world() -> Result<Wire> {
    let wire = Wire::new()?;
    wire.near.address("198.51.100.7/24")?;
    wire.far.address("198.51.100.66/24")?;
    let server = wire.near.namespace.run(|| UdpSocket::bind("198.51.100.7:7"))??;
    server.set_read_timeout(Some(PATIENCE))?;
    thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, peer)) = server.recv_from(&mut buffer) {
            // Whoever asked may be gone.
            drop(server.send_to(&buffer[..length], peer));
        }
    });
    Ok(wire)
}

/// Whether a datagram comes back within this time.
fn echo(wire: &Wire, patience: Duration) -> Result<bool> {
    let client = wire.far.namespace.run(|| UdpSocket::bind("198.51.100.66:0"))??;
    client.set_read_timeout(Some(patience))?;
    client.send_to(b"hello", "198.51.100.7:7")?;
    Ok(client.recv(&mut [0; 100]).is_ok())
}

fn counted(agent: &AgentProcess, slot: &str) -> Result<u64> {
    let counts = agent.counts()?;
    Ok(counts.sensors[0].get(slot).map_or(0, |counter| counter.packets))
}

#[test]
fn observing_counts_and_lets_pass() -> Result<()> {
    needs_root!();
    let wire = world()?;
    ensure!(echo(&wire, PATIENCE)?, "no echo even before");
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").argument("--observe").start()?;
    ensure!(echo(&wire, PATIENCE)?, "the sensor swallowed a packet that it only observes");
    assert_eq!(counted(&agent, "udp/7")?, 1);
    Ok(())
}

#[test]
fn without_observing_it_drops() -> Result<()> {
    needs_root!();
    let wire = world()?;
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    // Link control passes, or the datagram wouldn't even be sent.
    ensure!(!echo(&wire, pace::time(Duration::from_secs(1)))?, "a packet that was counted came through");
    assert_eq!(counted(&agent, "udp/7")?, 1);
    agent.stop(Signal::SIGTERM)?;
    ensure!(echo(&wire, PATIENCE)?, "no echo after the agent's end");
    Ok(())
}

/// Neighbour discovery finds the way both ways while everything else is dropped.
#[test]
fn link_control_passes() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    for (end, address) in [(&wire.near, "2001:db8:7::7/64"), (&wire.far, "2001:db8:7::66/64")] {
        end.namespace.enable_ipv6()?;
        end.namespace.sysctl(&format!("ipv6/conf/{}/disable_ipv6", end.name), "0")?;
        end.address(address)?;
    }
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    let client = wire.far.namespace.run(|| UdpSocket::bind("[2001:db8:7::66]:0"))??;
    client.send_to(b"hello", "[2001:db8:7::7]:9")?;
    until(|| Ok(counted(&agent, "udp/9")? > 0), || "the neighbour was not found".to_owned())?;
    ensure!(agent.counts()?.passed.contains_key("link"), "no neighbour discovery was seen");
    Ok(())
}

/// Falling back is allowed, but never silent.
#[test]
fn generic_mode_is_said() -> Result<()> {
    needs_root!();
    let namespace = Namespace::new()?;
    namespace.add_interface_without_native_xdp("quiet0")?;
    let agent = Launch::new(&namespace).interface("quiet0").start()?;
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(page.sum("sensor_xdp_attached", &[("interface", "quiet0"), ("mode", "generic")]), 1);
    let warns =
        |log: String| log.lines().any(|line| line.contains("quiet0") && line.contains("generic mode"));
    until(|| Ok(warns(agent.stderr())), || format!("it does not say so: {}", agent.stderr()))
}

/// What the programs log reaches the agent's log without asking twice, and only when it is asked for.
#[rstest]
#[case::asked(&["--kernel-log", "debug"], true)]
#[case::not_asked(&["--log", "debug"], false)]
fn the_reason_for_malformed_is_logged(#[case] arguments: &[&str], #[case] logged: bool) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0");
    let mut agent = arguments.iter().fold(launch, |launch, argument| launch.argument(argument)).start()?;
    let broken = frame().ipv4().header_words(4).tcp(23).syn().bytes();
    Sender::new(&wire)?.send(&[broken])?;
    let slot = "malformed/ipv4_header_length";
    until(|| Ok(counted(&agent, slot)? > 0), || "the packet was not counted".to_owned())?;
    let said = |agent: &AgentProcess| agent.stderr().contains("ipv4_header_length");
    until(|| Ok(said(&agent) || !logged), || format!("the reason is not logged: {}", agent.stderr()))?;
    // What it has to say it has said by its end.
    agent.stop(Signal::SIGTERM)?;
    assert_eq!(said(&agent), logged, "{}", agent.stderr());
    Ok(())
}
