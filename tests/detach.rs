//! `sensor detach` always gets the host back, whoever attached what.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_common::layout::SCHEMA_VERSION;
use sensor_harness::agent::{Launch, PublicCopy};
use sensor_harness::bpf::{XdpAction, objects_of, wait_until_freed};
use sensor_harness::built;
use sensor_harness::cli::{self, Said, sensor};
use sensor_harness::foreign::Foreign;
use sensor_harness::mix;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pins::Pins;
use sensor_harness::wire::{MTU, Wire};

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

/// Whatever fails, and whoever listens: every interface is tried, and all that failed is named.
#[rstest]
#[case::an_interface_is_gone("gone0 sensor0 gone1 sensor1", false, &["gone0", "gone1"])]
#[case::nobody_listens("sensor0 sensor1", true, &[])]
fn every_interface_is_tried(
    #[case] interfaces: &str,
    #[case] full: bool,
    #[case] failures: &[&str],
) -> Result<()> {
    needs_root!();
    let (near, pins) = (Namespace::new()?, Pins::new()?);
    let one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let other = Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU)?;
    let launch = Launch::new(&near).interface("sensor0").interface("sensor1").config(mix::SENSOR).pins(&pins);
    let mut agent = launch.start()?;
    agent.stop(Signal::SIGKILL)?;
    let mut command = Command::new(built::sensor()?);
    command.args(["detach", "--pins"]).arg(pins.path()).arg("--interface").args(interfaces.split(' '));
    if full {
        command.stdout(File::options().write(true).open("/dev/full")?);
    }
    near.start_in(&mut command, Signal::SIGKILL);
    let said = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(i32::from(!failures.is_empty())), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    ensure!(failures.iter().all(|failure| last.contains(failure)), "{stderr}");
    ensure!(!one.near.has_xdp()? && !other.near.has_xdp()?, "something is attached");
    assert_eq!(fs::read_dir(pins.path())?.count(), 0, "pins are left");
    Ok(())
}

/// Pins of what is gone are no reason to fail, and do not stay.
#[test]
fn pins_of_an_interface_that_is_gone_go_too() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let near = wire.near.namespace.clone();
    let mut agent = Launch::new(&near).interface("sensor0").config(mix::SENSOR).pins(&pins).start()?;
    agent.stop(Signal::SIGKILL)?;
    drop(wire);
    let path = pins.path().display().to_string();
    let said = sensor(&near, &["detach", "--interface", "sensor0", "--pins", &path])?;
    assert_eq!(said.code, 1, "{}", said.stdout);
    ensure!(said.stderr.contains("there is no interface sensor0"), "{}", said.stderr);
    assert_eq!(fs::read_dir(pins.path())?.count(), 0, "pins are left");
    Ok(())
}

/// Pins that something else holds fast are named, and the others go.
#[test]
fn every_dead_pin_is_tried() -> Result<()> {
    needs_root!();
    let (near, pins) = (Namespace::new()?, Pins::new()?);
    let names = ["sensor0", "sensor1", "sensor2"];
    let mut wires = Vec::new();
    for name in names {
        wires.push(Wire::between(near.clone(), name, Namespace::new()?, MTU)?);
    }
    let mut launch = Launch::new(&near).config(mix::SENSOR).pins(&pins);
    for name in names {
        launch = launch.interface(name);
    }
    let mut agent = launch.start()?;
    agent.stop(Signal::SIGKILL)?;
    drop(wires);
    let links = || -> Result<Vec<String>> {
        let pinned = fs::read_dir(pins.path().join(format!("v{SCHEMA_VERSION}")))?;
        let mut paths = Vec::new();
        for pin in pinned {
            let path = pin?.path().display().to_string();
            paths.extend(path.contains("/xdp_").then_some(path));
        }
        Ok(paths)
    };
    // In the order in which they are gone through: the first and the last.
    let all = links()?;
    let [first, _, last] = &all[..] else { bail!("not three links: {all:?}") };
    let script = format!(
        "mount --bind {first} {first} && mount --bind {last} {last} && exec {} detach -i sensor0 --pins {}",
        built::sensor()?.display(),
        pins.path().display()
    );
    let mut command = Command::new("unshare");
    let said = cli::run(&near, command.args(["--mount", "sh", "-c", &script]))?;
    let words = said.stderr.lines().last().unwrap_or_default();
    for path in [first, last] {
        ensure!(words.contains(&format!("cannot remove {path}")), "{said:?}");
    }
    assert_eq!((said.code, links()?.len()), (1, 2), "{said:?}");
    Ok(())
}

/// What sensors with other pins have there is not touched, and said with the command that ends it.
#[rstest]
#[case::counters(true, "counters of a sensor that is attached nowhere are left in")]
#[case::program(false, "another sensor's program and counters are pinned in")]
fn pins_elsewhere_are_told_of(#[case] detached: bool, #[case] words: &str) -> Result<()> {
    needs_root!();
    let (near, pins) = (Namespace::new()?, Pins::new()?);
    let one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let _other = Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU)?;
    let mut agent = Launch::new(&near).interface("sensor0").config(mix::SENSOR).pins(&pins).start()?;
    agent.stop(Signal::SIGTERM)?;
    let named = if detached { "sensor0" } else { "sensor1" };
    let said = sensor(&near, &["detach", "--interface", named])?;
    assert_eq!((said.code, one.near.has_xdp()?), (0, !detached), "{said:?}");
    let path = pins.path().display().to_string();
    let command = format!("sensor detach --interface sensor0 --pins {path}");
    let line = said.stdout.lines().find(|line| line.contains(&path));
    ensure!(line.is_some_and(|it| it.starts_with(words) && it.contains(&format!("`{command}`"))), "{said:?}");
    // As it says.
    let arguments: Vec<_> = command.split(' ').skip(1).collect();
    let said = sensor(&near, &arguments)?;
    assert_eq!((said.code, fs::read_dir(pins.path())?.count()), (0, 0), "{said:?}");
    ensure!(!one.near.has_xdp()? && !said.stdout.contains(&format!(" in {path}:")), "{said:?}");
    Ok(())
}

/// Every interface, whatever the pins, and those of other network namespaces. The command sees no pins but these.
#[test]
fn all_means_all() -> Result<()> {
    needs_root!();
    let (wire, other, pins) = (Wire::new()?, Wire::new()?, Pins::new()?);
    let near = &wire.near.namespace;
    for (namespace, folder) in [(near, "a"), (&other.near.namespace, "b")] {
        let launch = Launch::new(namespace).interface("sensor0").config(mix::SENSOR);
        launch.pins_at(&pins.path().join(folder)).start()?.stop(Signal::SIGKILL)?;
    }
    let said = detach_all(&wire, &pins)?;
    assert_eq!((said.code, said.stdout.matches("detached from").count()), (0, 1), "{said:?}");
    ensure!(!wire.near.has_xdp()? && !other.near.has_xdp()?, "something is attached");
    for folder in ["a", "b"] {
        assert_eq!(fs::read_dir(pins.path().join(folder))?.count(), 0, "pins are left");
    }
    let said = detach_all(&wire, &pins)?;
    assert_eq!((said.code, said.stdout.trim()), (0, "no sensor is attached here"), "{said:?}");
    Ok(())
}

/// Detaches from everything where nothing but these pins is seen.
fn detach_all(wire: &Wire, pins: &Pins) -> Result<Said> {
    let script = format!("mount --bind {} /sys/fs/bpf && exec \"$0\" detach --all", pins.path().display());
    let mut command = Command::new("unshare");
    cli::run(&wire.near.namespace, command.args(["--mount", "sh", "-c", &script]).arg(built::sensor()?))
}

/// An agent of another namespace hears nothing of it, and attaches again.
#[test]
fn all_fails_while_an_agent_may_attach_again() -> Result<()> {
    needs_root!();
    let (wire, other, pins) = (Wire::new()?, Wire::new()?, Pins::new()?);
    let launch = Launch::new(&other.near.namespace).interface("sensor0").config(mix::SENSOR);
    let mut agent = launch.pins_at(&pins.path().join("b")).start()?;
    let said = detach_all(&wire, &pins)?;
    assert_eq!(said.code, 1, "{said:?}");
    ensure!(said.stderr.contains("an agent works with what was pinned in"), "{said:?}");
    agent.stop(Signal::SIGKILL)?;
    assert_eq!(detach_all(&wire, &pins)?.code, 0);
    ensure!(!other.near.has_xdp()?, "something is attached");
    Ok(())
}

/// What cannot be known is said as that.
#[rstest]
#[case::detach(&["detach", "--interface", "sensor0"])]
#[case::confirm(&["confirm"])]
#[case::confirm_one(&["confirm", "--interface", "sensor0"])]
#[case::reload(&["reload"])]
fn nobody_but_root_is_told_to_be_root(#[case] arguments: &[&str]) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let _agent = Launch::new(near).interface("sensor0").start()?;
    let binary = PublicCopy::new()?;
    let pins = if arguments[0] == "reload" { near.pins() } else { Vec::new() };
    let said = cli::run(near, binary.as_nobody().args(arguments).args(pins))?;
    assert_eq!(said.code, 1, "{said:?}");
    ensure!(said.stderr.starts_with("sensor: ") && said.stderr.contains("root"), "{said:?}");
    for false_words in ["no sensor's", "it stays", "confirmed before", "reset by peer"] {
        ensure!(!said.stderr.contains(false_words), "{said:?}");
    }
    ensure!(wire.near.has_xdp()?, "nothing is attached any more");
    Ok(())
}

/// While their agent runs, counters stay: the command for them says when it works.
#[test]
fn counters_of_a_running_agent_are_told_of_as_such() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let near = &wire.near.namespace;
    let mut agent = Launch::new(near).interface("sensor0").config(mix::SENSOR).pins(&pins).start()?;
    let path = pins.path().display().to_string();
    let command = format!("sensor detach --interface sensor0 --pins {path}");
    let line = || -> Result<String> {
        let said = sensor(near, &["detach", "--interface", "sensor0"])?;
        Ok(said.stdout.lines().find(|line| line.contains(&path)).unwrap_or_default().to_owned())
    };
    let (running, _) = (line()?, agent.stop(Signal::SIGTERM)?);
    ensure!(running.ends_with(&format!("`{command}` removes them once its agent has stopped")), "{running}");
    let stopped = line()?;
    ensure!(stopped.ends_with(&format!("`{command}` removes them")), "{stopped}");
    Ok(())
}
