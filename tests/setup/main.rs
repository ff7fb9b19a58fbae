//! `sensor setup`: typed over real SSH through the very NIC that it attaches to, and what it refuses.

mod refused;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::needs;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
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

    /// Where that is written which nobody has confirmed yet.
    fn unconfirmed(&self) -> PathBuf {
        self.folder.path().join("etc/sensor.toml.unconfirmed")
    }

    fn words(&self, flags: &str) -> String {
        let (config, pins) = (self.config(), self.pins.path().display());
        format!("sensor setup --config {} --pins {pins} {flags} 2>&1", config.display())
    }

    /// What the administrator types, all that it says in one stream, and its exit code on a last line.
    fn type_setup(&self, family: Family, flags: &str) -> Result<Conversation> {
        let command = format!("{}; echo ended $?", self.words(flags));
        self.world.ssh(Place::Administrator, Place::Host, family, &command)?.converse()
    }

    /// The same in a terminal, whose end hangs up on it.
    fn type_setup_in_a_terminal(&self, flags: &str) -> Result<Conversation> {
        let host = self.world.address(Place::Host, Family::V4);
        let ssh =
            self.world.program(Place::Administrator, "ssh")?.args("-tt -F").arg(self.world.ssh_config()?);
        ssh.arg(format!("root@{host}")).arg(self.words(flags)).converse()
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
    ensure!(!scene.config().exists(), "a unit would attach what nobody has confirmed");
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
    ensure!(
        after.iter().any(|line| line.starts_with("+ mv ")) && !scene.unconfirmed().exists(),
        "{after:#?}"
    );
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

/// What nobody confirms undoes itself, and is nowhere that a unit would find it; what was there before stays.
#[test]
fn what_nobody_confirms_is_undone() -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let session = scene.type_setup(Family::V4, "--yes --confirm-within 3s")?;
    let lines = hear_until(&session, "ended ")?;
    assert_eq!(lines.last().map(String::as_str), Some("ended 1"), "{lines:#?}");
    ensure!(lines.iter().any(|line| line.contains("nobody ran `sensor confirm` in time")), "{lines:#?}");
    ensure!(!scene.is_attached()? && !scene.config().exists(), "{lines:#?}");
    assert_eq!(undoing(&lines), [format!("rm {}", scene.unconfirmed().display())]);
    let first = fs::read_to_string(scene.unconfirmed())?;

    // One that was confirmed, or written by hand.
    fs::write(scene.config(), &first)?;
    let again = hear_until(&scene.type_setup(Family::V4, "--yes")?, "ended ")?;
    ensure!(
        again.len() == 2 && again[0].contains("is there already") && again[0].contains("--replace"),
        "{again:#?}"
    );

    let flags = format!("--yes --replace --confirm-within 3s --allow {NETWORK} --open 443/tcp 53/udp");
    let replaced = hear_until(&scene.type_setup(Family::V4, &flags)?, "ended ")?;
    let written = fs::read_to_string(scene.unconfirmed())?;
    ensure!(written.contains(NETWORK) && written.contains("tcp = [443]\nudp = [53]\n"), "{written}");
    assert_eq!(fs::read_to_string(scene.config())?, first, "{replaced:#?}");
    let commands = undoing(&replaced);
    assert_eq!(commands.len(), 1, "{replaced:#?}");
    scene.type_command(Family::V4, commands[0])?;
    ensure!(!scene.unconfirmed().exists(), "{replaced:#?}");

    let session = scene.type_setup(Family::V4, &flags.replace("3s", "60s"))?;
    hear_until(&session, "  sensor confirm")?;
    scene.type_command(Family::V4, "sensor confirm")?;
    let confirmed = hear_until(&session, "ended ")?;
    assert_eq!(fs::read_to_string(scene.config())?, written, "{confirmed:#?}");
    for command in undoing(&confirmed) {
        scene.type_command(Family::V4, command)?;
    }
    assert_eq!(fs::read_to_string(scene.config())?, first, "{confirmed:#?}");
    Ok(())
}

/// Whoever waits no longer has all of it undone, at once.
#[rstest]
#[case::by_a_key("INT")]
#[case::by_who_ends_it("TERM")]
fn what_is_interrupted_is_undone(#[case] signal: &str) -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let words = scene.words("--yes --confirm-within 1h");
    let command = format!("sh -c 'echo process $$; exec {words}'; echo ended $?");
    let session = scene.world.ssh(Place::Administrator, Place::Host, Family::V4, &command)?.converse()?;
    let before = hear_until(&session, "  sensor confirm")?;
    let process = before.iter().find_map(|line| line.strip_prefix("process ")).context("no process")?;
    scene.type_command(Family::V4, &format!("kill -{signal} {process}"))?;
    let after = hear_until(&session, "ended ")?;
    assert_eq!(after.last().map(String::as_str), Some("ended 1"), "{after:#?}");
    ensure!(after.iter().any(|line| line.contains("interrupted before it was confirmed")), "{after:#?}");
    ensure!(after.iter().any(|line| line.starts_with("+ sensor detach ")), "{after:#?}");
    ensure!(!scene.is_attached()? && !scene.config().exists(), "{after:#?}");
    assert_eq!(undoing(&after), [format!("rm {}", scene.unconfirmed().display())]);
    // Its agent is gone too.
    let again = hear_until(&scene.type_setup(Family::V4, "--yes --confirm-within 1s")?, "ended ")?;
    ensure!(again.iter().any(|line| line.contains("nobody ran `sensor confirm` in time")), "{again:#?}");
    Ok(())
}

#[test]
fn an_interface_that_goes_is_not_waited_for() -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let host = scene.world.at(Place::Host);
    host.add_interface_without_native_xdp("gone0")?;
    let session = scene.type_setup(Family::V4, "--yes --interface eth0 gone0")?;
    let before = hear_until(&session, "  sensor confirm")?;
    host.ip("link delete gone0")?;
    scene.type_command(Family::V4, "sensor confirm")?;
    let after = hear_until(&session, "ended ")?;
    assert_eq!(after.last().map(String::as_str), Some("ended 0"), "{before:#?} {after:#?}");
    ensure!(scene.is_attached()? && scene.config().exists(), "{after:#?}");
    Ok(())
}

/// Once it has attached, it needs its session no more.
#[rstest]
#[case::cut_off(false)]
#[case::hung_up(true)]
fn it_goes_on_without_its_session(#[case] terminal: bool) -> Result<()> {
    needs!(world::possible());
    let scene = Scene::new()?;
    let session = if terminal {
        scene.type_setup_in_a_terminal("--yes")?
    } else {
        scene.type_setup(Family::V4, "--yes")?
    };
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
        "Interfaces to attach to [eth0]",
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
