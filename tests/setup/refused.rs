//! What it refuses, and what it leaves out: a host without SSH.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{Launch, PublicCopy};
use sensor_harness::built;
use sensor_harness::cli::{self, Said, sensor};
use sensor_harness::needs_root;
use sensor_harness::pins::Pins;
use sensor_harness::wire::Wire;
use tempfile::TempDir;

/// A host without SSH.
struct Alone {
    wire: Wire,
    pins: Pins,
    folder: TempDir,
}

impl Alone {
    /// After these `ip` commands.
    fn after(commands: &[&str]) -> Result<Self> {
        let wire = Wire::new()?;
        for command in commands {
            wire.near.namespace.ip(command)?;
        }
        Ok(Self { wire, pins: Pins::new()?, folder: tempfile::tempdir()? })
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("sensor.toml")
    }

    fn setup(&self, flags: &[&str]) -> Result<Said> {
        let (config, pins) = (self.config(), self.pins.path().display().to_string());
        let usual = ["setup", "--config", text(&config)?, "--pins", &pins];
        sensor(&self.wire.near.namespace, &[&usual[..], flags].concat())
    }

    fn is_as_it_was(&self) -> Result<bool> {
        Ok(fs::read_dir(self.folder.path())?.next().is_none() && !self.wire.near.has_xdp()?)
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is text")
}

const ADDRESS: &str = "address add 198.51.100.7/24 dev sensor0";
const DEFAULT: &str = "route add default via 198.51.100.66";

/// In one line, with nothing written and nothing attached.
#[rstest]
#[case::no_interface(&[], &["--yes"], 2, "pass --interface")]
#[case::no_such_interface(&[], &["--yes", "--interface", "gone0"], 1, "there is no interface gone0")]
#[case::no_address(&[], &["--yes", "--interface", "sensor0"], 1, "pass --monitor")]
#[case::overlapping(
    &[], &["--yes", "--interface", "sensor0", "--monitor", "192.0.2.0/24", "192.0.2.1"], 2, "no configuration"
)]
#[case::twice(&[ADDRESS], &["--yes", "--interface", "sensor0", "sensor0"], 2, "sensor0")]
#[case::loopback(&[], &["--yes", "--interface", "lo", "--monitor", "192.0.2.1"], 1, "the loopback")]
#[case::nobody_could_log_in(&[ADDRESS, DEFAULT], &["--yes"], 1, "pass --allow")]
#[case::nobody_answers(&[ADDRESS, DEFAULT], &[], 1, "nobody answers")]
fn what_does_not_work_is_refused(
    #[case] commands: &[&str],
    #[case] flags: &[&str],
    #[case] code: i32,
    #[case] words: &str,
) -> Result<()> {
    needs_root!();
    let alone = Alone::after(commands)?;
    let _ssh = alone.wire.near.namespace.run(|| TcpListener::bind("0.0.0.0:22"))??;
    let said = alone.setup(flags)?;
    assert_eq!(said.code, code, "{said:?}");
    ensure!(said.stderr.contains(words) && said.stderr.lines().count() == 1, "{said:?}");
    ensure!(alone.is_as_it_was()?, "{said:?}");
    Ok(())
}

/// SSH's server, and what it takes to be let in there.
#[rstest]
#[case::at_another_port(&["0.0.0.0:2222"], &["--allow", "203.0.113.0/24"], "--login-port with those of these ports")]
#[case::open_to_everybody(
    &["0.0.0.0:2222"], &["--allow", "203.0.113.0/24", "--open", "2222/tcp"], "nothing listens at TCP port 22"
)]
#[case::nowhere(&[], &["--allow", "203.0.113.0/24"], "nothing listens at TCP port 22")]
#[case::over_the_other_ip_version(
    &["0.0.0.0:22", "0.0.0.0:443"], &["--allow", "2001:db8:9::/48", "--open", "443/tcp"], "over IPv4 alone"
)]
fn who_is_let_in_finds_a_login(
    #[case] listening: &[&str],
    #[case] flags: &[&str],
    #[case] words: &str,
) -> Result<()> {
    needs_root!();
    let alone = Alone::after(&[ADDRESS, DEFAULT])?;
    let bind = |address: &&str| alone.wire.near.namespace.run(|| TcpListener::bind(address));
    let _listeners: Vec<_> = listening.iter().map(bind).collect::<Result<_>>()?;
    let said = alone.setup(&[&["--yes"], flags].concat())?;
    ensure!(said.code == 1 && said.stderr.contains(words) && said.stderr.lines().count() == 1, "{said:?}");
    ensure!(alone.is_as_it_was()?, "{said:?}");
    Ok(())
}

/// Anybody may set a variable, and one outlives its session.
#[test]
fn a_session_that_is_not_there_lets_nobody_in() -> Result<()> {
    needs_root!();
    let alone = Alone::after(&[ADDRESS, DEFAULT])?;
    let _ssh = alone.wire.near.namespace.run(|| TcpListener::bind("0.0.0.0:22"))??;
    let mut command = Command::new(built::sensor()?);
    command.args(["setup", "--yes", "--pins"]).arg(alone.pins.path());
    command.arg("--config").arg(alone.config()).env("SSH_CONNECTION", "203.0.113.66 50022 198.51.100.7 22");
    let said = cli::run(&alone.wire.near.namespace, &mut command)?;
    ensure!(said.code == 1 && said.stderr.contains("pass --allow"), "{said:?}");
    ensure!(alone.is_as_it_was()?, "{said:?}");
    Ok(())
}

/// What is there, and is not proposed.
#[rstest]
#[case::a_guest(
    &[
        "link add br0 type bridge", "link set br0 up", "link set sensor0 master br0", "address add 198.51.100.7/24 dev br0",
        DEFAULT,
    ],
    "guests are behind them: sensor0.",
    "--interface br0"
)]
#[case::an_address_that_runs_out(
    &[ADDRESS, DEFAULT, "address add 2001:db8:7::9/64 dev sensor0 nodad preferred_lft 0 valid_lft 3600"],
    "from day to day: 2001:db8:7::9/128;",
    "--interface sensor0"
)]
fn what_is_left_out_is_said(
    #[case] commands: &[&str],
    #[case] note: &str,
    #[case] proposed: &str,
) -> Result<()> {
    needs_root!();
    let alone = Alone::after(&[])?;
    alone.wire.near.namespace.enable_ipv6()?;
    for command in commands {
        alone.wire.near.namespace.ip(command)?;
    }
    let _ssh = alone.wire.near.namespace.run(|| TcpListener::bind("0.0.0.0:22"))??;
    let said = alone.setup(&["--yes"])?;
    ensure!(said.code == 1 && said.stderr.contains("pass --allow"), "{said:?}");
    ensure!(said.stdout.contains(note) && said.stdout.contains(proposed), "{said:?}");
    Ok(())
}

/// What systemd says of the unit, and whether that stands in the way: not with pins that are not the unit's.
#[rstest]
#[case::between_two_attempts("activating", true)]
#[case::at_work("active", true)]
#[case::reloading("reloading", true)]
#[case::stopped("inactive", false)]
#[case::failed("failed", false)]
#[case::without_systemd("offline", false)]
fn a_unit_that_may_attach_is_to_be_stopped_first(#[case] state: &str, #[case] refused: bool) -> Result<()> {
    needs_root!();
    let alone = Alone::after(&[ADDRESS])?;
    let systemctl = alone.folder.path().join("systemctl");
    fs::write(&systemctl, format!("#!/bin/sh\necho {state}\n"))?;
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755))?;
    let say = |pins: &[&str]| -> Result<Said> {
        let mut command = Command::new(built::sensor()?);
        command.args(["setup", "--yes", "--interface", "gone0", "--config"]).arg(alone.config()).args(pins);
        cli::run(&alone.wire.near.namespace, command.env("PATH", alone.folder.path()))
    };
    let said = say(&[])?;
    let words = if refused { "`systemctl stop sensor`" } else { "there is no interface gone0" };
    ensure!(said.code == 1 && said.stderr.contains(words) && said.stderr.lines().count() == 1, "{said:?}");
    let said = say(&["--pins", text(alone.pins.path())?])?;
    ensure!(said.code == 1 && said.stderr.contains("there is no interface gone0"), "{said:?}");
    Ok(())
}

#[rstest]
#[case::multicast(&["--monitor", "224.0.0.1"])]
#[case::no_prefix(&["--allow", "me"])]
#[case::no_port(&["--login-port", "0"])]
#[case::no_service(&["--open", "443"])]
#[case::no_name(&["--name", " a"])]
#[case::too_long_a_region(&["--region", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])]
#[case::no_time(&["--confirm-within", "2"])]
fn wrong_use_is_told(#[case] flags: &[&str]) -> Result<()> {
    needs_root!();
    let said = Alone::after(&[ADDRESS, DEFAULT])?.setup(&[&["--yes"], flags].concat())?;
    assert_eq!(said.code, 2, "{said:?}");
    ensure!(said.stderr.contains(flags[0]), "{said:?}");
    Ok(())
}

/// One that is at work is not disturbed.
#[rstest]
#[case::with_its_agent(true, "an agent runs here already")]
#[case::without_its_agent(false, "a sensor is attached to sensor0 already")]
fn a_sensor_that_is_there_stays(#[case] keep: bool, #[case] words: &str) -> Result<()> {
    needs_root!();
    let alone = Alone::after(&[ADDRESS])?;
    let launch = Launch::new(&alone.wire.near.namespace).interface("sensor0").pins(&alone.pins);
    let mut agent = launch.start()?;
    if !keep {
        agent.stop(nix::sys::signal::Signal::SIGTERM)?;
    }
    let said = alone.setup(&["--yes", "--interface", "sensor0"])?;
    ensure!(said.code == 1 && said.stderr.contains(words) && said.stderr.lines().count() == 1, "{said:?}");
    ensure!(!alone.config().exists() && alone.wire.near.has_xdp()?, "{said:?}");
    Ok(())
}

#[test]
fn it_takes_root() -> Result<()> {
    needs_root!();
    let (wire, copy) = (Wire::new()?, PublicCopy::new()?);
    let said = cli::run(&wire.near.namespace, copy.as_nobody().args(["setup", "--yes"]))?;
    ensure!(
        said.code == 1 && said.stderr.contains("run as root") && said.stderr.lines().count() == 1,
        "{said:?}"
    );
    Ok(())
}
