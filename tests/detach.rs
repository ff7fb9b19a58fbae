//! `sensor detach` always gets the host back, whoever attached what.

use std::fs;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::Launch;
use sensor_harness::bpf::{XdpAction, objects_of, wait_until_freed};
use sensor_harness::cli::sensor;
use sensor_harness::foreign::Foreign;
use sensor_harness::mix;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pins::Pins;
use sensor_harness::wire::Wire;

#[rstest]
#[case::killed(Some(Signal::SIGKILL), true)]
#[case::stopped(Some(Signal::SIGTERM), true)]
#[case::running(None, true)]
#[case::running_without_pins(None, false)]
fn nothing_stays(#[case] signal: Option<Signal>, #[case] pinned: bool) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let near = &wire.near.namespace;
    let mut launch = Launch::new(near).interface("sensor0").config(mix::SENSOR);
    if pinned {
        launch = launch.pins(&pins);
    }
    let mut agent = launch.start()?;
    let objects = objects_of(agent.pid())?;
    if let Some(signal) = signal {
        agent.stop(signal)?;
    }
    ensure!(wire.near.has_xdp()?, "nothing is attached");
    let path = pins.path().display().to_string();
    let said = sensor(near, &["detach", "--interface", "sensor0", "--pins", &path])?;
    assert_eq!(said.code, 0, "{}", said.stderr);
    ensure!(said.stdout.contains("detached from sensor0"), "{}", said.stdout);
    ensure!(!wire.near.has_xdp()?, "something is attached");
    if signal.is_none() {
        let ready = agent.get("/readyz")?;
        assert_eq!(ready.status, 503, "{}", ready.body);
        agent.stop(Signal::SIGTERM)?;
        let again = sensor(near, &["detach", "--interface", "sensor0", "--pins", &path])?;
        assert_eq!(
            (again.code, again.stdout.contains("no sensor was attached")),
            (0, true),
            "{}",
            again.stdout
        );
    }
    assert_eq!(fs::read_dir(pins.path())?.count(), 0, "pins are left");
    wait_until_freed(&objects)
}

#[test]
fn another_program_stays() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let _other = Foreign::attach(&wire.near, XdpAction::Pass)?;
    let said = sensor(near, &["detach", "--interface", "sensor0"])?;
    assert_eq!(said.code, 0, "{}", said.stderr);
    ensure!(said.stderr.contains("is no sensor's: it stays"), "{}", said.stderr);
    ensure!(wire.near.has_xdp()?, "it is gone");
    Ok(())
}

#[test]
fn an_interface_that_is_not_there() -> Result<()> {
    needs_root!();
    let said = sensor(&Namespace::new()?, &["detach", "--interface", "nowhere0"])?;
    assert_eq!(said.code, 1);
    ensure!(said.stderr.starts_with("sensor: there is no interface nowhere0"), "{}", said.stderr);
    Ok(())
}
