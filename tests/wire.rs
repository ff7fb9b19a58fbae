//! The harness itself: a wire carries exactly what is sent, and nothing stays behind.

use std::thread;

use anyhow::Result;
use sensor_harness::bpf::XdpAction;
use sensor_harness::foreign::Foreign;
use sensor_harness::frame::frame;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace;
use sensor_harness::sender::{Sender, cpus, pin_to_cpu};
use sensor_harness::wire::Wire;

/// Packets that an interface received, by the kernel's account.
fn received(wire: &Wire) -> Result<u64> {
    let json = wire.near.namespace.ip(&format!("-j -s link show {}", wire.near.name))?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    Ok(json[0]["stats64"]["rx"]["packets"].as_u64().expect("ip gives statistics"))
}

/// Frames from each CPU.
const EACH: usize = 250_000;

#[test]
fn a_flood_from_every_cpu_arrives_whole() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _program = Foreign::attach(&wire.near, XdpAction::Drop)?;
    let each = pace::amount(EACH);
    let frames = vec![frame().ipv4().tcp(23).syn().padded(60).bytes(); each];
    let cpus = cpus()?;
    thread::scope(|scope| {
        let senders: Vec<_> = cpus
            .iter()
            .map(|&cpu| {
                let (wire, frames) = (&wire, &frames);
                scope.spawn(move || {
                    pin_to_cpu(cpu)?;
                    Sender::new(wire)?.send(frames)
                })
            })
            .collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("no sender panics"))
    })?;
    assert_eq!(received(&wire)?, (each * cpus.len()) as u64);
    Ok(())
}

#[test]
fn nothing_comes_that_nobody_sent() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _program = Foreign::attach(&wire.near, XdpAction::Drop)?;
    thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(received(&wire)?, 0);
    Ok(())
}

/// What the kernel says of all interfaces together is longer than what is read at once.
#[test]
fn a_wire_among_many_interfaces() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    for number in 0..70 {
        near.ip(&format!("link add other{number} type veth peer name peer{number}"))?;
    }
    let wire = Wire::between(near, "sensor0", Namespace::new()?, 1500)?;
    Sender::new(&wire)?.send(&[frame().ipv4().tcp(23).syn().padded(60).bytes()])?;
    assert_eq!(received(&wire)?, 1);
    Ok(())
}

#[test]
fn dropping_a_wire_removes_it() -> Result<()> {
    needs_root!();
    let (near, far) = (Namespace::new()?, Namespace::new()?);
    // Where the kernel has tunnels, a new namespace has one of its own.
    let at_first = near.interfaces()?;
    let wire = Wire::between(near.clone(), "sensor0", far.clone(), 1500)?;
    for end in [&near, &far] {
        assert!(end.interfaces()?.contains(&"sensor0".to_owned()));
    }
    drop(wire);
    for end in [&near, &far] {
        assert_eq!(end.interfaces()?, at_first);
    }
    Ok(())
}
