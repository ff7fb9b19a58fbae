//! Nobody is cut off by a typing error: interfaces that the host itself depends on are refused.

use anyhow::{Result, ensure};
use rstest::rstest;
use sensor_tests::agent::Launch;
use sensor_tests::skip::root_or_skip;
use sensor_tests::wire::Wire;

const ADDRESS: &str = "address add 198.51.100.7/24 dev sensor0";

#[rstest]
#[case::default_route(&[ADDRESS, "route add default via 198.51.100.66"])]
#[case::in_another_table(&[ADDRESS, "route add default via 198.51.100.66 table 7"])]
#[case::in_two_halves(&[ADDRESS, "route add 128.0.0.0/1 via 198.51.100.66"])]
#[case::several_ways(&[ADDRESS, "route add default nexthop via 198.51.100.66 nexthop via 198.51.100.67"])]
#[case::port_of_a_bridge(&[
    "link add bridge0 type bridge",
    "link set bridge0 up",
    "link set sensor0 master bridge0",
    "address add 198.51.100.7/24 dev bridge0",
    "route add default via 198.51.100.66",
])]
fn what_carries_the_default_route(#[case] commands: &[&str]) -> Result<()> {
    refused(commands, "sensor0", &["sensor0", "default route", "--observe", "--i-have-console-access"])
}

/// The kernel then names the object in the route, and not the interface.
#[test]
fn a_default_route_by_a_next_hop_object() -> Result<()> {
    let commands = [ADDRESS, "nexthop add id 7 via 198.51.100.66 dev sensor0", "route add default nhid 7"];
    refused(&commands, "sensor0", &["sensor0", "default route"])
}

#[test]
fn the_loopback() -> Result<()> {
    refused(&[], "lo", &["lo", "loopback", "--observe"])
}

#[test]
fn an_interface_without_ethernet_headers() -> Result<()> {
    let commands = ["tuntap add tunnel0 mode tun", "link set tunnel0 up"];
    refused(&commands, "tunnel0", &["tunnel0", "no Ethernet header"])
}

/// After these `ip` commands the agent refuses the interface in one line with these words.
fn refused(commands: &[&str], interface: &str, words: &[&str]) -> Result<()> {
    if !root_or_skip("lockout") {
        return Ok(());
    }
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    near.sysctl("ipv4/nexthop_compat_mode", "0")?;
    for command in commands {
        near.ip(command)?;
    }
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
