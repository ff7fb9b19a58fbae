//! `sensor check` says what `sensor run` does: the same conditions, in the same words, and nothing is attached.

use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::{LISTEN, Launch, PublicCopy};
use sensor_harness::bpf::XdpAction;
use sensor_harness::cli::{self, Said, sensor};
use sensor_harness::foreign::Foreign;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::wire::{Interface, Wire};
use sensor_harness::{needs_root, skip};
use sensor_user::kernel::{Version, XdpFeatures, is_ours};
use tempfile::NamedTempFile;

/// An interface whose driver has no XDP.
const PLAIN: &str = "plain0";

/// The command that ends a sensor with other pins, wherever they are.
const OTHER_PINS: &str = "`sensor detach --interface sensor0 --pins /sys/fs/bpf/sensor-test-";

/// A host with two interfaces, and pins of its own.
struct World {
    wire: Wire,
    pins: Pins,
    /// Where commands are told that the pins are.
    told: PathBuf,
}

/// What is kept as long as a condition is to stand.
type Kept = Vec<Box<dyn Any>>;

impl World {
    fn new() -> Result<Self> {
        let (wire, pins) = (Wire::new()?, Pins::new()?);
        wire.near.namespace.add_interface_without_native_xdp(PLAIN)?;
        let told = pins.path().to_owned();
        Ok(Self { wire, pins, told })
    }

    fn check(&self, interface: &str, config: &str) -> Result<Said> {
        let mut file = NamedTempFile::new()?;
        file.write_all(config.as_bytes())?;
        let arguments = ["check", "--interface", interface, "--config", text(file.path())?];
        sensor(&self.wire.near.namespace, &[&arguments[..], &["--pins", text(&self.told)?]].concat())
    }

    /// What is pinned below the pins' folder.
    fn pinned(&self) -> Result<BTreeSet<PathBuf>> {
        below(self.pins.path())
    }

    /// A bridge that `sensor0` becomes a port of.
    fn bridge(&self) -> Result<Interface> {
        let namespace = self.wire.near.namespace.clone();
        namespace.ip("link add br0 type bridge")?;
        namespace.ip("link set br0 up")?;
        namespace.ip("link set sensor0 master br0")?;
        Ok(Interface { namespace, name: "br0".to_owned() })
    }

    fn run(&self, interface: &str, config: &str) -> Launch {
        let launch = Launch::new(&self.wire.near.namespace).interface(interface).config(config);
        launch.pins_at(&self.told)
    }

    /// An agent that has ended and left its program at work.
    fn left_behind(&self, pins: &Pins) -> Result<()> {
        let agent = Launch::new(&self.wire.near.namespace).interface("sensor0").pins(pins);
        agent.start()?.stop(Signal::SIGTERM).map(drop)
    }
}

/// A file that the agent would go on without is told of, and no more.
#[test]
fn a_bad_key_and_a_bad_list_are_noted() -> Result<()> {
    needs_root!();
    let (world, folder) = (World::new()?, tempfile::tempdir()?);
    let file = |name: &str| folder.path().join(name);
    fs::write(file("key"), "0123")?;
    fs::set_permissions(file("key"), fs::Permissions::from_mode(0o600))?;
    fs::write(file("countries"), "none")?;
    let sources = |key: &str, name: &str| {
        format!("[evidence]\npath = {:?}\n[sources]\n{key} = {:?}\n", file("evidence"), file(name))
    };
    for (key, name, words) in [
        ("sketch_key_file", "key", "is no key of 64 hexadecimal digits"),
        ("sketch_key_file", "absent", "no key in"),
        ("countries", "countries", "no MMDB file"),
    ] {
        let said = world.check("sensor0", &sources(key, name))?;
        let is_noted = |line: &str| line.starts_with("Note: ") && line.contains(key) && line.contains(words);
        ensure!(said.code == 0 && said.stdout.lines().any(is_noted), "{words}: {said:?}");
        ensure!(!said.stderr.contains(words), "it is told once: {said:?}");
    }
    Ok(())
}

/// All that is below a folder.
fn below(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all.extend(below(&entry.path())?);
        }
        all.insert(entry.path());
    }
    Ok(all)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not text")
}

#[expect(clippy::unnecessary_wraps, reason = "one of the set-ups of a table, which may fail")]
fn nothing(_: &mut World) -> Result<Kept> {
    Ok(Kept::new())
}

fn down(world: &mut World) -> Result<Kept> {
    world.wire.near.namespace.ip("link set sensor0 down")?;
    Ok(Kept::new())
}

fn another_program(world: &mut World) -> Result<Kept> {
    Ok(vec![Box::new(Foreign::attach(&world.wire.near, XdpAction::Pass)?)])
}

fn port_in_use(world: &mut World) -> Result<Kept> {
    Ok(vec![Box::new(world.wire.near.namespace.run(|| TcpListener::bind(LISTEN))??)])
}

fn left_by_an_earlier_agent(world: &mut World) -> Result<Kept> {
    world.left_behind(&world.pins)?;
    Ok(Kept::new())
}

fn left_with_other_pins(world: &mut World) -> Result<Kept> {
    let pins = Pins::new()?;
    world.left_behind(&pins)?;
    Ok(vec![Box::new(pins)])
}

fn agent_elsewhere(world: &mut World) -> Result<Kept> {
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").pins(&world.pins).start()?;
    Ok(vec![Box::new(agent), Box::new(wire)])
}

fn left_elsewhere(world: &mut World) -> Result<Kept> {
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").pins(&world.pins);
    agent.start()?.stop(Signal::SIGTERM)?;
    Ok(vec![Box::new(wire)])
}

fn program_on_the_bridge(world: &mut World) -> Result<Kept> {
    let bridge = world.bridge()?;
    Ok(vec![Box::new(Foreign::attach_generic(&bridge, XdpAction::Pass)?)])
}

#[expect(clippy::unnecessary_wraps, reason = "one of the set-ups of a table, which may fail")]
fn pins_with_a_dot(world: &mut World) -> Result<Kept> {
    world.told = world.pins.path().join("sensor.d");
    Ok(Kept::new())
}

#[expect(clippy::unnecessary_wraps, reason = "one of the set-ups of a table, which may fail")]
fn pins_with_a_long_name(world: &mut World) -> Result<Kept> {
    world.told = world.pins.path().join("s".repeat(200));
    Ok(Kept::new())
}

#[expect(clippy::unnecessary_wraps, reason = "one of the set-ups of a table, which may fail")]
fn pins_with_too_long_a_name(world: &mut World) -> Result<Kept> {
    world.told = world.pins.path().join("s".repeat(256));
    Ok(Kept::new())
}

fn pins_on_a_disk(world: &mut World) -> Result<Kept> {
    let folder = tempfile::tempdir()?;
    world.told = folder.path().join("pins");
    Ok(vec![Box::new(folder)])
}

#[rstest]
#[case::nothing_in_the_way("sensor0", "", nothing, None)]
#[case::mode_native("sensor0", "mode = \"native\"", nothing, None)]
#[case::no_native_xdp_and_none_asked_for(PLAIN, "", nothing, None)]
#[case::taken_over("sensor0", "", left_by_an_earlier_agent, None)]
#[case::interface_down("sensor0", "", down, Some("sensor0 is down"))]
#[case::another_program("sensor0", "", another_program, Some("already has the XDP program"))]
#[case::port_in_use("sensor0", "", port_in_use, Some("address in use"))]
#[case::sensor_with_other_pins("sensor0", "", left_with_other_pins, Some(OTHER_PINS))]
#[case::agent_elsewhere("sensor0", "", agent_elsewhere, Some("another agent works with"))]
#[case::left_elsewhere("sensor0", "", left_elsewhere, Some("another network namespace"))]
#[case::pins_with_a_dot("sensor0", "", pins_with_a_dot, Some("takes no dot in a name, as in"))]
#[case::pins_with_a_long_name("sensor0", "", pins_with_a_long_name, None)]
#[case::pins_with_too_long_a_name("sensor0", "", pins_with_too_long_a_name, Some("is too long"))]
#[case::pins_on_a_disk("sensor0", "", pins_on_a_disk, Some("not on a BPF file system"))]
fn check_ends_as_run_does(
    #[case] interface: &str,
    #[case] config: &str,
    #[case] arrange: fn(&mut World) -> Result<Kept>,
    #[case] refusal: Option<&str>,
) -> Result<()> {
    needs_root!();
    let mut world = World::new()?;
    let _kept = arrange(&mut world)?;
    let attached = world.wire.near.has_xdp()?;
    let before = world.pinned()?;
    let said = world.check(interface, config)?;
    ensure!(world.wire.near.has_xdp()? == attached, "checking has changed what is attached");
    match refusal {
        None => {
            assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
            ensure!(said.stdout.ends_with("`sensor run` would go ahead.\n"), "{said:?}");
            world.run(interface, config).start().map(drop)
        }
        Some(words) => {
            ensure!(said.stderr.contains(words), "{said:?}");
            ensure!(said.stdout.ends_with("`sensor run` would refuse.\n"), "{said:?}");
            let (code, log) = world.run(interface, config).fail()?;
            assert_eq!(world.pinned()?, before, "a failed start has changed what is pinned: {log}");
            // Both end with the same line.
            assert_eq!((said.code, said.stderr.lines().last()), (code, log.lines().last()), "{log}");
            Ok(())
        }
    }
}

/// The kernel minds since 5.15.
#[test]
fn a_port_whose_bridge_has_a_program() -> Result<()> {
    needs_root!();
    if Version::running()? < Version::NONE_BELOW_XDP {
        skip!("this kernel takes a program on the port too");
    }
    let mut world = World::new()?;
    let _kept = program_on_the_bridge(&mut world)?;
    let said = world.check("sensor0", "")?;
    let (code, log) = world.run("sensor0", "").fail()?;
    assert_eq!((said.code, said.stderr.lines().last()), (code, log.lines().last()), "{log}");
    let words = "interface sensor0 can have no program beside that of br0, which stands on it: br0 already has the XDP program";
    ensure!(log.contains(words), "{log}");
    let doctor = sensor(&world.wire.near.namespace, &["doctor", "--interface", "sensor0"])?;
    ensure!(doctor.stdout.contains("none here, but one on br0, which stands on it"), "{doctor:?}");
    ensure!(doctor.stderr.contains("xdp_program"), "{doctor:?}");
    Ok(())
}

#[test]
fn an_interface_that_is_named_twice() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    world.wire.near.namespace.ip("link property add dev sensor0 altname uplink0")?;
    let words = "sensor0 and uplink0 are one interface: leave one of the two names out";
    let pins = text(&world.told)?;
    let arguments = ["check", "--interface", "sensor0", "uplink0", "--pins", pins];
    let said = sensor(&world.wire.near.namespace, &arguments)?;
    ensure!(said.code == 2 && said.stderr.contains(words), "{said:?}");
    let (code, log) = world.run("sensor0", "").interface("uplink0").fail()?;
    ensure!(code == 2 && log.contains(words), "{log}");
    // One of the names is enough, whichever.
    let agent = world.run("uplink0", "").start()?;
    let said = world.check("sensor0", "")?;
    ensure!(said.code == 0 && agent.get("/readyz")?.status == 200, "{said:?}");
    Ok(())
}

/// Wherever on its way a start fails: here for want of descriptors, at each place where it needs one.
#[rstest]
#[case::nothing_before(false)]
#[case::program_of_an_earlier_agent(true)]
fn a_start_that_fails_leaves_the_pins_as_they_were(#[case] earlier: bool) -> Result<()> {
    needs_root!();
    let mut world = World::new()?;
    if earlier {
        world.left_behind(&world.pins)?;
    }
    let before = world.pinned()?;
    if !earlier {
        // The folders that it makes go too.
        world.told = world.pins.path().join("not/there/yet");
    }
    let mut late_failures = 0;
    for descriptors in 10.. {
        let limited = format!("prlimit --nofile={descriptors}:{descriptors}");
        let mut agent = world.run("sensor0", "").wrapped(&limited).spawn()?;
        let mut serves = false;
        until(
            || {
                serves = agent.stderr().contains("serving http");
                Ok(serves || agent.ended()?.is_some())
            },
            || "the agent neither starts nor ends".to_owned(),
        )?;
        if serves {
            break;
        }
        agent.wait()?;
        let log = agent.stderr();
        late_failures += usize::from(["the map", "pin", "program"].iter().any(|word| log.contains(word)));
        // Whatever it was that needed one more.
        ensure!(agent.last_words().ends_with("`LimitNOFILE=` in the unit, or `ulimit -n`"), "{log}");
        assert_eq!(world.pinned()?, before, "with {descriptors} descriptors: {log}");
        ensure!(world.wire.near.has_xdp()? == earlier, "with {descriptors} descriptors: {log}");
    }
    ensure!(late_failures > 0, "no start failed late enough to have pinned something");
    Ok(())
}

/// Linux tells since 6.3 whether a driver has native XDP.
#[test]
fn native_mode_where_there_is_none() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let features =
        world.wire.near.namespace.run(|| -> Result<_> { Ok(XdpFeatures::of(if_nametoindex(PLAIN)?)?) })??;
    let config = "mode = \"native\"";
    let said = world.check(PLAIN, config)?;
    if features.is_none() {
        ensure!(said.stdout.contains("whether the driver of plain0 takes the program"), "{said:?}");
        assert_eq!(said.code, 0, "{said:?}");
        return Ok(());
    }
    let (code, log) = world.run(PLAIN, config).fail()?;
    assert_eq!((said.code, said.stderr.lines().last()), (code, log.lines().last()), "{log}");
    ensure!(said.stderr.contains("--mode generic"), "{said:?}");
    Ok(())
}

#[test]
fn what_only_attaching_shows_is_named() -> Result<()> {
    needs_root!();
    let said = World::new()?.check("sensor0", "")?;
    for words in ["without attaching it is not known whether", "`sensor doctor --interface sensor0`"] {
        ensure!(said.stdout.contains(words), "not {words:?}: {said:?}");
    }
    Ok(())
}

/// The agent's port, pins and program are in nobody's way then.
#[test]
fn beside_a_running_agent_it_speaks_of_a_reload() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let agent = world.run("sensor0", "").start()?;
    let said = world.check("sensor0", "")?;
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    ensure!(said.stdout.ends_with("An agent runs here, and `sensor reload` would go ahead.\n"), "{said:?}");
    agent.counts().map(drop)
}

#[test]
fn what_is_in_the_way_of_this_user_alone_is_said() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let agent = PublicCopy::new()?;
    let mut command = agent.as_nobody();
    command.args(["check", "--interface", "sensor0", "--pins"]).arg(&world.told);
    let said = cli::run(&world.wire.near.namespace, &mut command)?;
    ensure!(said.stdout.contains("it would end for this user: attaching to a NIC needs CAP_"), "{said:?}");
    ensure!(said.stdout.ends_with("`sensor run` would go ahead.\n"), "{said:?}");
    Ok(())
}

/// Whoever loads and unloads programs meanwhile: whose a program is, root can always tell.
#[test]
fn programs_that_come_and_go_hide_no_other() -> Result<()> {
    needs_root!();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(Foreign::load(XdpAction::Pass)?);
            }
            anyhow::Ok(())
        });
        // No program has this number, so all are gone through.
        let known = (0..100_000).try_for_each(|_| is_ours(u32::MAX).map(drop));
        stop.store(true, Ordering::Relaxed);
        others.join().expect("it does not panic")?;
        known
    })
}
