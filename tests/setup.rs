//! `sensor setup`: typed over real SSH through the very NIC that it attaches to, and what it refuses.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{Launch, PublicCopy};
use sensor_harness::cli::{self, Said, sensor};
use sensor_harness::needs;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::wire::Wire;
use sensor_harness::world::{self, Conversation, Family, Place, World};
use tempfile::TempDir;

/// How long a step may take on a slow machine.
const STEP: Duration = Duration::from_mins(1);

/// The administrator's network, as the world has it.
const NETWORK: &str = "203.0.113.0/24";

/// A host that is to become a sensor, administered from elsewhere.
struct Scene {
    world: World,
    pins: Pins,
    folder: TempDir,
}

impl Scene {
    fn new() -> Result<Self> {
        Ok(Self { world: World::new()?, pins: Pins::new()?, folder: tempfile::tempdir()? })
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("etc/sensor.toml")
    }

    /// What the administrator types, all that it says in one stream, and its exit code on a last line.
    fn type_setup(&self, family: Family, flags: &str) -> Result<Conversation> {
        let (config, pins) = (self.config(), self.pins.path().display());
        let config = config.display();
        let command = format!("sensor setup --config {config} --pins {pins} {flags} 2>&1; echo ended $?");
        self.world.ssh(Place::Administrator, Place::Host, family, &command)?.converse()
    }

    /// What the administrator types in a session of its own.
    fn type_command(&self, family: Family, command: &str) -> Result<String> {
        self.world.ssh(Place::Administrator, Place::Host, family, command)?.output()
    }

    fn is_attached(&self) -> Result<bool> {
        self.world.wire().near.has_xdp()
    }
}

/// The lines up to one that begins with these words.
fn hear_until(session: &Conversation, words: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let line = session.hear(STEP).with_context(|| format!("no line {words:?} after {lines:#?}"))?;
        lines.push(line);
        if lines.last().is_some_and(|line| line.starts_with(words)) {
            return Ok(lines);
        }
    }
}

/// The commands that undo what was done, as it says at its end.
fn undoing(lines: &[String]) -> Vec<&str> {
    let rest = lines.iter().skip_while(|line| !line.contains("is undone by"));
    rest.skip(1).filter_map(|line| line.strip_prefix("  ")).collect()
}

/// What is proposed keeps its administrator in, and nobody else; all of it is undone by what it prints.
#[rstest]
#[case::v4(Family::V4, "203.0.113.10/32")]
#[case::v6(Family::V6, "2001:db8:a::/64")]
fn it_writes_attaches_and_waits(#[case] family: Family, #[case] administrator: &str) -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let session = scene.type_setup(family, "--yes --name 'a \"b\"' --region japan")?;
    let before = hear_until(&session, "  sensor confirm")?;
    ensure!(scene.is_attached()?, "{before:#?}");
    scene.type_command(family, "sensor confirm")?;
    let after = hear_until(&session, "ended ")?;
    assert_eq!(after.last().map(String::as_str), Some("ended 0"), "{before:#?} {after:#?}");

    let written = fs::read_to_string(scene.config())?;
    for line in [
        "interfaces = [\"eth0\"]",
        "prefixes = [\"198.51.100.7/32\", \"2001:db8:7::7/128\"]",
        &format!("from = [\"{administrator}\"]"),
        "tcp = [22]",
        "region = \"japan\"",
    ] {
        ensure!(written.lines().any(|it| it == line), "{line} is not in: {written}");
    }
    // What it does, it says.
    ensure!(before.join("\n").contains(&written), "{before:#?} has not: {written}");
    for command in ["+ sensor doctor", "+ install -D", "+ sensor run --config"] {
        ensure!(before.iter().any(|line| line.starts_with(command)), "{command} is not in: {before:#?}");
    }
    // The agent has ended, and the program goes on.
    ensure!(scene.is_attached()?, "{after:#?}");
    scene.type_command(family, "true")?;
    let host = scene.world.address(Place::Host, family).to_string();
    let ping = scene.world.program(Place::Scanner, "ping")?.args("-n -q -c 1 -W 1").arg(&host).run()?;
    ensure!(!ping.success, "a stranger's echo request was answered");

    let commands = undoing(&after);
    assert_eq!(commands.len(), 2, "{after:#?}");
    for command in commands {
        scene.type_command(family, command)?;
    }
    ensure!(!scene.is_attached()? && !scene.config().exists(), "{after:#?}");
    Ok(())
}

/// What nobody confirms undoes itself; what was written stays, and is replaced only if that is asked for.
#[test]
fn what_nobody_confirms_is_undone() -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let session = scene.type_setup(Family::V4, "--yes --confirm-within 3s")?;
    let lines = hear_until(&session, "ended ")?;
    assert_eq!(lines.last().map(String::as_str), Some("ended 1"), "{lines:#?}");
    ensure!(lines.iter().any(|line| line.contains("nobody ran `sensor confirm` in time")), "{lines:#?}");
    ensure!(!scene.is_attached()?, "{lines:#?}");
    assert_eq!(undoing(&lines), [format!("rm {}", scene.config().display())]);
    let first = fs::read_to_string(scene.config())?;

    let again = hear_until(&scene.type_setup(Family::V4, "--yes")?, "ended ")?;
    ensure!(
        again.len() == 2 && again[0].contains("is there already") && again[0].contains("--replace"),
        "{again:#?}"
    );
    assert_eq!(fs::read_to_string(scene.config())?, first);

    let flags = format!("--yes --replace --confirm-within 3s --allow {NETWORK} --open 443/tcp 53/udp");
    let replaced = hear_until(&scene.type_setup(Family::V4, &flags)?, "ended ")?;
    let written = fs::read_to_string(scene.config())?;
    ensure!(written.contains(NETWORK) && written.contains("tcp = [443]\nudp = [53]\n"), "{written}");
    let commands = undoing(&replaced);
    assert_eq!(commands.len(), 1, "{replaced:#?}");
    scene.type_command(Family::V4, commands[0])?;
    assert_eq!(fs::read_to_string(scene.config())?, first);
    Ok(())
}

/// Once it has attached, it needs its session no more.
#[test]
fn it_goes_on_without_its_session() -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let session = scene.type_setup(Family::V4, "--yes")?;
    hear_until(&session, "  sensor confirm")?;
    drop(session);
    scene.type_command(Family::V4, "sensor confirm")?;
    // It ends the agent once it has seen that.
    let said = || hear_until(&scene.type_setup(Family::V4, "--yes --replace")?, "ended ");
    let has_ended = || Ok(said()?.iter().any(|line| line.contains("a sensor is attached to eth0 already")));
    until(has_ended, || format!("{:?}", said()))?;
    ensure!(scene.is_attached()?, "it is gone");
    Ok(())
}

/// Asked, answered, and asked again where an answer is none.
#[test]
fn it_asks() -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let mut session = scene.type_setup(Family::V4, "")?;
    for answer in ["", "198.51.100.7", "198.51.100.1/24", NETWORK, "ssh", "22", "", "maybe", "yes"] {
        session.say(answer)?;
    }
    let before = hear_until(&session, "  sensor confirm")?;
    for words in [
        "Interfaces to watch [eth0]",
        "[203.0.113.10/32]",
        "has bits set beyond its length",
        "ssh invalid digit",
        "is neither yes nor no",
    ] {
        ensure!(before.iter().any(|line| line.contains(words)), "{words} is not in: {before:#?}");
    }
    scene.type_command(Family::V4, "sensor confirm")?;
    let after = hear_until(&session, "ended ")?;
    assert_eq!(after.last().map(String::as_str), Some("ended 0"), "{after:#?}");
    let written = fs::read_to_string(scene.config())?;
    for line in ["prefixes = [\"198.51.100.7/32\"]", &format!("from = [\"{NETWORK}\"]")] {
        ensure!(written.lines().any(|it| it == line), "{line} is not in: {written}");
    }
    Ok(())
}

#[rstest]
#[case::said_no(&["", "", "", "", "", "no"], "nothing was changed")]
#[case::said_nothing(&["", "", "", "", "", ""], "nothing was changed")]
fn it_does_nothing_without_a_yes(#[case] answers: &[&str], #[case] words: &str) -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let mut session = scene.type_setup(Family::V4, "")?;
    for answer in answers {
        session.say(answer)?;
    }
    let lines = hear_until(&session, "ended ")?;
    ensure!(lines.iter().any(|line| line.contains(words)), "{lines:#?}");
    assert_eq!(lines.last().map(String::as_str), Some("ended 1"), "{lines:#?}");
    ensure!(!scene.config().exists() && !scene.is_attached()?, "{lines:#?}");
    Ok(())
}

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
    ensure!(!alone.config().exists() && !alone.wire.near.has_xdp()?, "{said:?}");
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
