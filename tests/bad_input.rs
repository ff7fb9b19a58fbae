//! What can't be done is refused in one line that names the thing and the mend, and nothing stays attached.

use std::net::TcpListener;

use anyhow::{Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{LISTEN, Launch, PublicCopy};
use sensor_harness::bpf::XdpAction;
use sensor_harness::cli::sensor;
use sensor_harness::foreign::Foreign;
use sensor_harness::namespace::Namespace;
use sensor_harness::pins::Pins;
use sensor_harness::wire::Wire;
use sensor_harness::{needs_root, skip};

/// Runs the agent, and checks how it ends: its exit code, one line of error, and what must be in that line.
fn refused(launch: Launch, expected_code: i32, words: &[&str]) -> Result<()> {
    let (code, said) = launch.fail()?;
    // Lines of the log may come before it.
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("sensor: ")).collect();
    ensure!(errors.len() == 1, "not one line of error: {said}");
    ensure!(said.lines().last() == Some(errors[0]), "the error is not what it says last: {said}");
    for word in words {
        ensure!(errors[0].contains(word), "{word:?} is not in: {}", errors[0]);
    }
    ensure!(code == expected_code, "exit code {code}, not {expected_code}: {said}");
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}

#[test]
fn an_unknown_interface() -> Result<()> {
    needs_root!();
    let namespace = Namespace::new()?;
    refused(Launch::new(&namespace).interface("nothere0"), 1, &["nothere0", "ip link"])
}

#[test]
fn an_interface_that_is_down() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    wire.near.namespace.ip("link set sensor0 down")?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0");
    refused(launch, 1, &["sensor0 is down", "ip link set sensor0 up"])?;
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

/// None of two interfaces can be attached to.
#[test]
fn both_interfaces_are_down() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let one = Wire::between(near.clone(), "sensor0", Namespace::new()?, 1500)?;
    let other = Wire::between(near.clone(), "sensor1", Namespace::new()?, 1500)?;
    near.ip("link set sensor0 down")?;
    near.ip("link set sensor1 down")?;
    refused(Launch::new(&near).interface("sensor0").interface("sensor1"), 1, &["sensor0 is down"])?;
    ensure!(!one.near.has_xdp()? && !other.near.has_xdp()?, "something is attached");
    Ok(())
}

#[rstest]
#[case::nobody("--reuid 65534 --regid 65534 --clear-groups", &["CAP_NET_ADMIN", "root"])]
#[case::no_bpf("--bounding-set -bpf,-sys_admin,-perfmon --inh-caps -bpf,-sys_admin,-perfmon", &["CAP_BPF"])]
#[case::no_net_admin("--bounding-set -net_admin --inh-caps -net_admin", &["CAP_NET_ADMIN"])]
fn no_capability(#[case] without: &str, #[case] words: &[&str]) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = PublicCopy::new()?;
    let launch = Launch::new(&wire.near.namespace).binary(&agent.path()).interface("sensor0");
    refused(launch.wrapped(&format!("setpriv {without}")), 1, words)?;
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

#[test]
fn native_mode_where_there_is_none() -> Result<()> {
    needs_root!();
    let namespace = Namespace::new()?;
    namespace.add_interface_without_native_xdp("quiet0")?;
    let launch = Launch::new(&namespace).interface("quiet0").argument("--mode").argument("native");
    refused(launch, 1, &["quiet0", "native", "--mode generic"])
}

#[test]
fn an_mtu_too_large_for_native_mode() -> Result<()> {
    needs_root!();
    // veth takes frames in several buffers only up to a limit.
    let wire = Wire::between(Namespace::new()?, "sensor0", Namespace::new()?, 65_535)?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0").argument("--mode").argument("native");
    match launch.clone().start() {
        Ok(_agent) => {
            skip!("this kernel's veth takes any MTU in native mode");
        }
        Err(_) => {
            refused(launch, 1, &["sensor0", "MTU", "65535", "ip link set sensor0 mtu", "--mode generic"])
        }
    }
}

#[test]
fn another_program_is_attached() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _other = Foreign::attach(&wire.near, XdpAction::Pass)?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0");
    refused(launch, 1, &["sensor0", "already has", "XDP program", "bpftool"])?;
    ensure!(wire.near.has_xdp()?, "the other program is gone");
    Ok(())
}

#[test]
fn the_sensor_is_already_running() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let first = Launch::new(near).interface("sensor0").start()?;
    let elsewhere = "127.0.0.1:19818".parse()?;
    let second = || Launch::new(near).interface("sensor0").listen(elsewhere);
    refused(second(), 1, &["another agent runs here", "--pins"])?;
    let pins = Pins::new()?;
    let path = pins.path().display().to_string();
    let words = ["sensor0", "already has the program of a sensor", "`sensor detach --interface sensor0`"];
    refused(second().argument("--pins").argument(&path), 1, &words)?;
    ensure!(wire.near.has_xdp()?, "the first one was detached");
    first.counts().map(drop)
}

/// An argument or a configuration that is wrong by itself, as against a host where something is in the way.
#[rstest]
#[case::run_with_a_dot("run --interface sensor0 --pins /sys/fs/bpf/sensor.2", "takes no dot")]
#[case::check_with_a_dot("check --interface sensor0 --pins /sys/fs/bpf/sensor.2", "takes no dot")]
#[case::reload_with_a_dot("reload --pins /sys/fs/bpf/sensor.2", "takes no dot")]
#[case::detach_with_a_dot("detach --interface sensor0 --pins /sys/fs/bpf/sensor.2", "takes no dot")]
#[case::run_on_a_disk("run --interface sensor0 --pins /tmp/sensor", "not on a BPF file system")]
#[case::check_on_a_disk("check --interface sensor0 --pins /tmp/sensor", "not on a BPF file system")]
#[case::passing_on_a_disk(
    "run --interface sensor0 --detach-on-exit --pins /tmp/sensor",
    "not on a BPF file system"
)]
#[case::run_with_one_twice("run --interface sensor0 uplink0", "are one interface")]
#[case::check_with_one_twice("check --interface sensor0 uplink0", "are one interface")]
#[case::no_interface("run", "no interface to attach to")]
#[case::no_file("check --config /nowhere.toml", "cannot read the configuration")]
fn wrong_use_is_2(#[case] arguments: &str, #[case] words: &str) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    wire.near.namespace.ip("link property add dev sensor0 altname uplink0")?;
    let arguments: Vec<_> = arguments.split(' ').collect();
    let said = sensor(&wire.near.namespace, &arguments)?;
    let last = said.stderr.lines().last().unwrap_or_default();
    ensure!(said.code == 2 && last.starts_with("sensor: ") && last.contains(words), "{said:?}");
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

#[test]
fn the_port_is_in_use() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _server = wire.near.namespace.run(|| TcpListener::bind(LISTEN))??;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0");
    refused(launch, 1, &["127.0.0.1:19817", "in use", "--listen"])?;
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

#[test]
fn an_address_that_is_not_here() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0").listen("192.0.2.1:19817".parse()?);
    refused(launch, 1, &["192.0.2.1:19817", "--listen"])?;
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

#[rstest]
#[case::unknown_key("intefaces = [\"a\"]", &[":1", "intefaces"])]
#[case::unknown_table("\n\n[exprot]", &[":3", "exprot"])]
#[case::no_toml("[[sensor]\nname", &[":1"])]
#[case::wrong_type("listen = 7", &[":1", "listen"])]
#[case::prefix_too_long("[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.7/33\"]", &[":3", "198.51.100.7/33", "32 bits"])]
#[case::prefix_too_long_v6("[[sensor]]\nname = \"a\"\nprefixes = [\"2001:db8::/129\"]", &[":3", "2001:db8::/129"])]
#[case::host_bits("[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.7/24\"]", &[":3", "198.51.100.7/24"])]
#[case::no_prefix("[[sensor]]\nname = \"a\"\nprefixes = [\"here\"]", &[":3", "here"])]
#[case::same_name("[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.2/32\"]", &[":5", "a"])]
#[case::overlap("[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.0/24\"]\n[[sensor]]\nname = \"b\"\nprefixes = [\"192.0.2.2/32\"]", &[":6", "192.0.2.2/32", "192.0.2.0/24"])]
#[case::everything_beside_another("[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.0/24\"]\n[[sensor]]\nname = \"b\"", &[":5", "no prefixes"])]
#[case::port("[export]\nports = [\"65536/tcp\"]", &[":2", "65536/tcp"])]
#[case::transport("[export]\nports = [\"23/sctp\"]", &[":2", "23/sctp"])]
#[case::interval("drain_interval = \"0s\"", &[":1", "drain_interval"])]
fn a_malformed_configuration(#[case] text: &str, #[case] words: &[&str]) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0").config(text);
    refused(launch, 2, &[&[".toml"], words].concat())?;
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

#[test]
fn no_configuration_file() -> Result<()> {
    needs_root!();
    let namespace = Namespace::new()?;
    let launch = Launch::new(&namespace).argument("--config").argument("/nowhere/sensor.toml");
    refused(launch, 2, &["/nowhere/sensor.toml"])
}

#[test]
fn no_interface() -> Result<()> {
    needs_root!();
    refused(Launch::new(&Namespace::new()?), 2, &["--interface"])
}
