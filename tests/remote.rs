//! Administered over the very NIC that the sensor is on, by real SSH: nobody locks himself out.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::Launch;
use sensor_harness::built;
use sensor_harness::needs;
use sensor_harness::pins::Pins;
use sensor_harness::world::{self, Family, Finished, NIC, Place, RULE, SENSOR, World};
use tempfile::NamedTempFile;

/// Without a rule for who types it, `sensor run` refuses and says which rule to add; with that rule it runs,
/// and the session goes on.
#[rstest]
#[case::v4(Family::V4)]
#[case::v6(Family::V6)]
fn it_refuses_and_prints_the_rule(#[case] family: Family) -> Result<()> {
    needs!(world::possible());
    let (world, pins) = (World::new()?, Pins::new()?);
    let mut session = world.ssh(Place::Administrator, Place::Host, family, "cat")?.converse()?;
    assert_eq!(session.exchange("before")?, "before");

    let mut file = NamedTempFile::with_suffix(".toml")?;
    file.write_all(SENSOR.as_bytes())?;
    let (config, pinned) = (file.path().display(), pins.path().display());
    let run = format!("run --interface {NIC} --config {config} --pins {pinned}");
    let refused = typed(&world, family, &run)?;
    ensure!(!refused.success, "it runs: {}", refused.stderr);
    ensure!(!world.wire().near.has_xdp()?, "something is attached");
    let rule = refused.stderr.find("[[allow]]").map(|at| &refused.stderr[at..]);
    let rule = rule.with_context(|| format!("it printed no rule: {}", refused.stderr))?;
    let administrator = world.address(Place::Administrator, family).to_string();
    ensure!(rule.contains(&administrator) && rule.contains("22"), "not the administrator's rule: {rule}");

    let config = format!("{SENSOR}\n{rule}");
    let _agent = Launch::new(world.at(Place::Host)).interface(NIC).config(&config).pins(&pins).start()?;
    assert_eq!(session.exchange("afterwards")?, "afterwards");
    log_in(&world, family)
}

/// Nobody could come in, and so nobody could confirm: the host is back within 6 s, though nothing is left of
/// the agent but what the kernel holds.
#[rstest]
#[case::v4(Family::V4)]
#[case::v6(Family::V6)]
fn unconfirmed_it_undoes_itself_though_killed(#[case] family: Family) -> Result<()> {
    needs!(world::possible());
    let (world, pins) = (World::new()?, Pins::new()?);
    let mut session = world.ssh(Place::Administrator, Place::Host, family, "cat")?.converse()?;
    assert_eq!(session.exchange("before")?, "before");
    let launch = Launch::new(world.at(Place::Host)).interface(NIC).config(SENSOR).pins(&pins);
    let mut agent = launch.argument("--confirm-within").argument("5s").start()?;
    let attached = Instant::now();
    agent.stop(Signal::SIGKILL)?;
    session.say("meanwhile")?;
    ensure!(session.hear(Duration::from_secs(2)).is_none(), "the session was never cut off");
    thread::sleep(Duration::from_secs(6).saturating_sub(attached.elapsed()));
    log_in(&world, family)?;
    // What was typed meanwhile is sent again, and arrives.
    assert_eq!(session.hear(Duration::from_secs(30)).as_deref(), Some("meanwhile"));
    Ok(())
}

/// Over a connection that a rule allows, what was attached is confirmed, and stays.
#[rstest]
#[case::v4(Family::V4)]
#[case::v6(Family::V6)]
fn confirmed_it_stays(#[case] family: Family) -> Result<()> {
    needs!(world::possible());
    let (world, pins) = (World::new()?, Pins::new()?);
    let config = format!("{SENSOR}{RULE}");
    let launch = Launch::new(world.at(Place::Host)).interface(NIC).config(&config).pins(&pins);
    // Time enough for an SSH handshake on a slow machine.
    let agent = launch.argument("--confirm-within").argument("10s").start()?;
    let confirmed = typed(&world, family, &format!("confirm --interface {NIC}"))?;
    ensure!(confirmed.success, "{}", confirmed.stderr);
    thread::sleep(Duration::from_millis(10_200));
    ensure!(world.wire().near.has_xdp()?, "it is gone: {}", agent.stderr());
    log_in(&world, family)?;
    let from_a_stranger = world.program(Place::Scanner, "ping")?.args("-n -q -c 1 -W 1");
    let host = world.address(Place::Host, family).to_string();
    ensure!(!from_a_stranger.arg(&host).run()?.success, "a stranger's echo request was answered");
    Ok(())
}

/// Has the administrator run the agent's command over SSH.
fn typed(world: &World, family: Family, arguments: &str) -> Result<Finished> {
    let command = format!("{} {arguments}", built::sensor()?.display());
    world.ssh(Place::Administrator, Place::Host, family, &command)?.run()
}

/// A new session of the administrator.
fn log_in(world: &World, family: Family) -> Result<()> {
    let said = world.ssh(Place::Administrator, Place::Host, family, "echo hello")?.output()?;
    ensure!(said == "hello\n", "the host said {said:?}");
    Ok(())
}
