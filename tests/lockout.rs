//! Nobody is cut off by a typing error: what would leave no way to connect is refused.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::Launch;
use sensor_harness::bpf::XdpAction;
use sensor_harness::cli::sensor;
use sensor_harness::foreign::Foreign;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::wire::{MTU, Wire};

const ADDRESS: &str = "address add 198.51.100.7/24 dev sensor0";

#[test]
fn the_loopback_is_refused() -> Result<()> {
    refused(&[], "lo", &["lo", "loopback", "--observe"])
}

#[test]
fn an_interface_without_ethernet_headers_is_refused() -> Result<()> {
    let commands = ["tuntap add tunnel0 mode tun", "link set tunnel0 up"];
    refused(&commands, "tunnel0", &["tunnel0", "no Ethernet header"])
}

/// A wire whose near end's namespace was given these `ip` commands.
fn wire_after(commands: &[&str]) -> Result<Wire> {
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    near.sysctl("ipv4/nexthop_compat_mode", "0")?;
    for command in commands {
        near.ip(command)?;
    }
    Ok(wire)
}

/// After these `ip` commands the agent refuses the interface in one line with these words.
fn refused(commands: &[&str], interface: &str, words: &[&str]) -> Result<()> {
    needs_root!();
    let wire = wire_after(commands)?;
    let near = &wire.near.namespace;
    let (code, said) = Launch::new(near).interface(interface).fail()?;
    assert_eq!(code, 1, "{said}");
    let last = said.lines().last().unwrap_or_default();
    ensure!(last.starts_with("sensor: "), "{said}");
    for word in words {
        ensure!(last.contains(word), "{word} is not in: {last}");
    }
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

/// Whatever way the default route takes, no rule for anything that listens means that nobody could connect.
#[rstest]
#[case::default_route(&[ADDRESS, "route add default via 198.51.100.66"])]
#[case::in_another_table(&[ADDRESS, "route add default via 198.51.100.66 table 7"])]
#[case::in_two_halves(&[ADDRESS, "route add 128.0.0.0/1 via 198.51.100.66"])]
#[case::several_ways(&[ADDRESS, "route add default nexthop via 198.51.100.66 nexthop via 198.51.100.67"])]
#[case::by_a_next_hop_object(&[
    ADDRESS,
    "nexthop add id 7 via 198.51.100.66 dev sensor0",
    "route add default nhid 7",
])]
#[case::port_of_a_bridge(&[
    "link add bridge0 type bridge",
    "link set bridge0 up",
    "link set sensor0 master bridge0",
    "address add 198.51.100.7/24 dev bridge0",
    "route add default via 198.51.100.66",
])]
fn somebody_must_be_able_to_connect(#[case] commands: &[&str]) -> Result<()> {
    needs_root!();
    let wire = wire_after(commands)?;
    let near = &wire.near.namespace;
    let check = |tables: &str| {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(tables.as_bytes())?;
        sensor(near, &["check", "--interface", "sensor0", "--config", &file.path().display().to_string()])
    };
    let rule = "[[allow]]\nfrom = [\"203.0.113.0/24\"]\ntcp = [22]";
    assert_eq!(check("")?.code, 0, "nothing listens");
    let _ssh = near.run(|| TcpListener::bind("0.0.0.0:22"))??;
    let said = check("")?;
    assert_eq!(said.code, 1, "{said:?}");
    let first = said.stderr.lines().next().unwrap_or_default();
    for word in
        ["sensor0", "default route", "22/tcp", "--confirm-within", "--observe", "--i-have-console-access"]
    {
        ensure!(first.contains(word), "{word} is not in: {first}");
    }
    let printed = "[[allow]]\nfrom = [\"YOUR-ADDRESS/32\"]\ntcp = [22]\n";
    ensure!(said.stderr.contains(printed), "{said:?}");
    assert_eq!(check(rule)?.code, 0, "{rule}");

    let launch = || Launch::new(near).interface("sensor0");
    let (code, run) = launch().fail()?;
    assert_eq!(code, 1, "{run}");
    ensure!(run.contains(first) && run.contains(printed), "{run}");
    ensure!(!wire.near.has_xdp()?, "something is attached");
    for allowed in [
        launch().config(rule),
        launch().argument("--observe"),
        launch().argument("--i-have-console-access"),
        launch().argument("--confirm-within").argument("60s"),
    ] {
        allowed.start()?.stop(Signal::SIGTERM)?;
    }
    Ok(())
}

const SESSION: &str = "[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.0/24\"]\n";
const ELSEWHERE: &str = "[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.0/24\"]\n";
const OBSERVED: &str = "observe = true\n[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.0/24\"]\n";

/// What the attached program has been cutting all along is no reason to refuse a restart; what it has not is one.
#[rstest]
#[case::the_same(SESSION, SESSION, false)]
#[case::it_monitored_something_else(ELSEWHERE, SESSION, true)]
#[case::it_only_observed(OBSERVED, SESSION, true)]
fn a_restart_is_refused_only_for_what_it_cuts_more(
    #[case] before: &str,
    #[case] after: &str,
    #[case] refused: bool,
    #[values(false, true)] default_route: bool,
) -> Result<()> {
    needs_root!();
    let wire = wire_after(&[ADDRESS])?;
    let near = &wire.near.namespace;
    wire.far.address("198.51.100.66/24")?;
    if default_route {
        near.ip("route add default via 198.51.100.66")?;
    }
    let listener = near.run(|| TcpListener::bind("198.51.100.7:22"))??;
    let _there = wire.far.namespace.run(|| TcpStream::connect("198.51.100.7:22"))??;
    let _here = listener.accept()?;
    let pins = Pins::new()?;
    let launch = |config: &str| Launch::new(near).interface("sensor0").config(config).pins(&pins);
    let mut agent = launch(before).argument("--i-have-console-access").start()?;
    agent.stop(Signal::SIGKILL)?;
    if refused {
        let (code, said) = launch(after).fail()?;
        assert_eq!(code, 1, "{said}");
        ensure!(said.contains("cuts off who is connected now"), "{said}");
    } else {
        let mut agent = launch(after).start()?;
        // And a reload of what is in effect.
        let path = pins.path().display().to_string();
        let said = sensor(near, &["reload", "--pins", &path])?;
        assert_eq!(said.code, 0, "{}", said.stderr);
        agent.stop(Signal::SIGTERM)?;
    }
    Ok(())
}

/// What is not attached to since it would cut somebody off is not by a reload that is refused either.
#[test]
fn a_refused_reload_cuts_nobody_off() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let taken = Wire::between(near.clone(), "taken0", Namespace::new()?, MTU)?;
    let _foreign = Foreign::attach(&taken.near, XdpAction::Pass)?;
    let config =
        |interfaces: &str| format!("interfaces = [{interfaces}]\ndrain_interval = \"1s\"\n{SESSION}");
    let agent = Launch::new(near).config(&config("\"sensor0\", \"sensor1\"")).spawn()?;
    until(|| Ok(agent.get("/readyz").is_ok()), || format!("the agent did not start: {}", agent.stderr()))?;
    // It has its session before it is called what is configured.
    let late = Wire::between(near.clone(), "late0", Namespace::new()?, MTU)?;
    late.near.address("198.51.100.7/24")?;
    late.far.address("198.51.100.66/24")?;
    let listener = near.run(|| TcpListener::bind("198.51.100.7:22"))??;
    let _there = late.far.namespace.run(|| TcpStream::connect("198.51.100.7:22"))??;
    let _here = listener.accept()?;
    for change in ["late0 down", "late0 name sensor1", "sensor1 up"] {
        near.ip(&format!("link set {change}"))?;
    }
    let refused = || Ok(agent.get("/readyz")?.body.contains("cuts off who is connected now"));
    until(refused, || format!("it is not refused: {}", agent.stderr()))?;
    let rule = "[[allow]]\nfrom = [\"198.51.100.66/32\"]\ntcp = [22]\n";
    agent.rewrite_config(&(config("\"sensor0\", \"sensor1\", \"taken0\"") + rule))?;
    let said = sensor(near, &["reload"])?;
    ensure!(said.code == 1 && said.stderr.contains("taken0 already has the XDP program"), "{said:?}");
    ensure!(!near.ip("link show sensor1")?.contains("xdp"), "it is cut off: {}", agent.stderr());
    until(refused, || format!("it is not refused: {}", agent.stderr()))?;
    // With the rule alone, it is attached to.
    agent.rewrite_config(&(config("\"sensor0\", \"sensor1\"") + rule))?;
    let said = sensor(near, &["reload"])?;
    assert_eq!(said.code, 0, "{said:?}");
    ensure!(near.ip("link show sensor1")?.contains("xdp"), "it is not attached to: {}", agent.stderr());
    Ok(())
}
