//! Interfaces that stand on others: beside a program on a bridge, VLAN or macvlan the kernel takes none on the port or
//! parent below it. The sensor moves from the one to the other, and says what is so where both are configured.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::bpf::XdpAction;
use sensor_harness::cli::{Said, sensor};
use sensor_harness::foreign::Foreign;
use sensor_harness::frame::frame;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::skip::Missing;
use sensor_harness::wire::{Interface, Wire};
use sensor_harness::{needs, needs_root, skip};
use sensor_user::kernel::Version;

const MACVLAN: &[&str] = &["link add on0 link sensor0 type macvlan", "link set on0 up"];
const VLAN: &[&str] = &["link add on0 link sensor0 type vlan id 7", "link set on0 up"];
const BRIDGE: &[&str] = &["link add on0 type bridge", "link set on0 up", "link set sensor0 master on0"];

fn config(interfaces: &str) -> String {
    format!(
        "interfaces = [{interfaces}]\ndrain_interval = \"1s\"\n[[sensor]]\nname = \"a\"\n\
         prefixes = [\"198.51.100.0/24\"]\n"
    )
}

/// A wire with something that stands on its sensor's end.
struct Stack {
    wire: Wire,
    pins: Pins,
}

impl Stack {
    /// Inside: not every kernel has every kind of interface.
    fn new(commands: &[&str]) -> Result<Result<Self, Missing>> {
        let wire = Wire::new()?;
        for command in commands {
            if let Err(error) = wire.near.namespace.ip(command) {
                return Ok(Err(Missing::new(format!("the kernel has no such interface: {error:#}"))));
            }
        }
        Ok(Ok(Self { wire, pins: Pins::new()? }))
    }

    fn launch(&self, interfaces: &str) -> Launch {
        Launch::new(&self.wire.near.namespace).config(&config(interfaces)).pins(&self.pins)
    }

    fn ask(&self, arguments: &[&str]) -> Result<Said> {
        let pins = self.pins.path().display().to_string();
        sensor(&self.wire.near.namespace, &[arguments, &["--pins", &pins]].concat())
    }

    fn check(&self, interfaces: &str) -> Result<Said> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), config(interfaces))?;
        self.ask(&["check", "--config", &file.path().display().to_string()])
    }

    /// Which of the two has a program, the lower one first.
    fn attached(&self) -> Result<[bool; 2]> {
        let has = |name: &str| {
            Ok::<_, anyhow::Error>(self.wire.near.namespace.ip(&format!("link show {name}"))?.contains("xdp"))
        };
        Ok([has("sensor0")?, has("on0")?])
    }

    /// Has three packets counted that come in by the lower one.
    fn count_three(&self, agent: &AgentProcess) -> Result<()> {
        let before = agent.counts()?.packets();
        let syn = frame().ipv4().tcp(23).syn().bytes();
        Sender::new(&self.wire)?.send(&[&syn; 3])?;
        assert_eq!(agent.counts()?.packets() - before, 3, "{}", agent.stderr());
        Ok(())
    }
}

/// To the upper one and back, with the same counts.
#[rstest]
fn the_sensor_moves_below(
    #[values(MACVLAN, VLAN, BRIDGE)] commands: &[&str],
    #[values("reload", "restart", "killed")] by: &str,
) -> Result<()> {
    needs_root!();
    let stack = needs!(Stack::new(commands)?);
    let mut agent = stack.launch("\"sensor0\"").start()?;
    stack.count_three(&agent)?;
    for (interface, attached) in [("on0", [false, true]), ("sensor0", [true, false])] {
        let interfaces = format!("\"{interface}\"");
        let said = stack.check(&interfaces)?;
        assert_eq!(said.code, 0, "{said:?}");
        if by == "reload" {
            agent.rewrite_config(&config(&interfaces))?;
            let said = stack.ask(&["reload"])?;
            assert_eq!(said.code, 0, "{said:?}");
        } else {
            agent.stop(if by == "killed" { Signal::SIGKILL } else { Signal::SIGTERM })?;
            let said = stack.check(&interfaces)?;
            assert_eq!(said.code, 0, "{said:?}");
            agent = stack.launch(&interfaces).start()?;
        }
        assert_eq!(stack.attached()?, attached, "{}", agent.stderr());
        assert_eq!(agent.get("/readyz")?.status, 200, "{}", agent.stderr());
    }
    stack.count_three(&agent)?;
    assert_eq!(agent.counts()?.packets(), 6, "the counts did not go on");
    if Version::running()? >= Version::NONE_BELOW_XDP {
        let words = "detached from on0, which is not configured any more, to attach to sensor0 below";
        ensure!(agent.stderr().contains(words), "{}", agent.stderr());
    }
    // What is left is found, and goes.
    agent.stop(Signal::SIGTERM)?;
    let said = stack.ask(&["detach", "--interface", "sensor0"])?;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(std::fs::read_dir(stack.pins.path())?.count(), 0, "pins are left");
    Ok(())
}

/// What made way has its program again where the reload is refused after all; it makes none for what can be known.
#[rstest]
#[case::pinned(true)]
#[case::not_pinned(false)]
fn a_refused_reload_moves_nothing(#[case] pinned: bool) -> Result<()> {
    needs_root!();
    let stack = needs!(Stack::new(MACVLAN)?);
    let near = &stack.wire.near.namespace;
    for command in [
        "link add down0 type veth peer name down1",
        "link add low0 type veth peer name low1",
        "link set low0 up",
        "link set low1 up",
        "link add stay0 link low0 type macvlan",
        "link set stay0 up",
    ] {
        near.ip(command)?;
    }
    let launch = Launch::new(near).config(&config("\"on0\", \"stay0\""));
    let agent = if pinned { launch.pins(&stack.pins) } else { launch }.start()?;
    let made_way = "detached from on0, which is not configured any more, to attach to sensor0 below";
    let native = format!("mode = \"native\"\n{}", config("\"sensor0\", \"stay0\""));
    for (refused, words, moved) in [
        (&*config("\"sensor0\", \"down0\""), "down0 is down", false),
        (&*native, "cannot change stay0 from generic to native mode", true),
    ] {
        agent.rewrite_config(refused)?;
        let said = if pinned { stack.ask(&["reload"]) } else { sensor(near, &["reload"]) }?;
        ensure!(said.code == 1 && said.stderr.contains(words), "{said:?}");
        let moved = moved && Version::running()? >= Version::NONE_BELOW_XDP;
        assert_eq!(agent.stderr().contains(made_way), moved, "{}", agent.stderr());
        assert_eq!(stack.attached()?, [false, true], "{}", agent.stderr());
        assert_eq!(agent.get("/readyz")?.status, 200, "{}", agent.stderr());
    }
    agent.rewrite_config(&config("\"sensor0\", \"stay0\""))?;
    let said = if pinned { stack.ask(&["reload"]) } else { sensor(near, &["reload"]) }?;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(stack.attached()?, [true, false], "{}", agent.stderr());
    stack.count_three(&agent)
}

/// What made way has its program again where a start fails after all, in a mode that it can have.
#[rstest]
fn a_start_that_fails_moves_nothing(#[values("auto", "native")] mode: &str) -> Result<()> {
    needs_root!();
    if Version::running()? < Version::NONE_BELOW_XDP {
        skip!("this kernel takes a program below another");
    }
    let stack = needs!(Stack::new(MACVLAN)?);
    let (near, far) = (&stack.wire.near.namespace, &stack.wire.far.namespace);
    // Where nobody can look, a program that keeps the kernel from taking one on sensor0.
    near.ip("link add hidden0 link sensor0 type macvlan")?;
    near.ip(&format!("link set hidden0 netns {}", far.path().display()))?;
    far.ip("link set hidden0 up")?;
    let hidden = Interface { namespace: far.clone(), name: "hidden0".to_owned() };
    let _foreign = Foreign::attach_generic(&hidden, XdpAction::Pass)?;
    stack.launch("\"on0\"").start()?.stop(Signal::SIGTERM)?;
    let (code, refused) = stack.launch("\"sensor0\"").argument("--mode").argument(mode).fail()?;
    ensure!(code == 1 && refused.contains("cannot attach to sensor0"), "{refused}");
    assert_eq!(stack.attached()?, [false, true], "{refused}");
    // As pinned as it was.
    let agent = stack.launch("\"on0\"").start()?;
    ensure!(agent.stderr().contains("took over on0"), "{}", agent.stderr());
    Ok(())
}

/// A program on the upper one would keep that on the lower one from coming back.
#[rstest]
#[case::by_a_reload(false)]
#[case::by_a_restart(true)]
fn another_mode_is_refused_below(#[case] restart: bool) -> Result<()> {
    needs_root!();
    if Version::running()? < Version::NONE_BELOW_XDP {
        skip!("this kernel takes a program below another");
    }
    let stack = needs!(Stack::new(MACVLAN)?);
    let generic = |interfaces: &str| format!("mode = \"generic\"\n{}", config(interfaces));
    let both = "\"sensor0\", \"on0\"";
    let words =
        "cannot change sensor0 from native to generic mode beside the program on on0, which stands on it";
    let mut agent = stack.launch(both).start()?;
    if restart {
        agent.stop(Signal::SIGTERM)?;
        let agent = stack.launch(both).config(&generic(both)).spawn()?;
        until(
            || Ok(agent.get("/readyz").is_ok_and(|ready| ready.body.contains(words))),
            || format!("it does not say {words:?}: {}", agent.stderr()),
        )?;
        assert_eq!(stack.attached()?, [true, true], "{}", agent.stderr());
        return Ok(());
    }
    agent.rewrite_config(&generic(both))?;
    let said = stack.ask(&["reload"])?;
    ensure!(said.code == 1 && said.stderr.contains(words), "{said:?}");
    assert_eq!(stack.attached()?, [true, true], "{}", agent.stderr());
    assert_eq!(agent.get("/readyz")?.status, 200, "{}", agent.stderr());
    // As it says.
    for config in [config("\"sensor0\""), generic("\"sensor0\""), generic(both)] {
        agent.rewrite_config(&config)?;
        let said = stack.ask(&["reload"])?;
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(stack.attached()?, [true, true], "{}", agent.stderr());
    stack.count_three(&agent)
}

/// Whichever of those above is looked at first.
#[test]
fn doctor_names_the_program_above_that_is_not_the_sensors() -> Result<()> {
    needs_root!();
    if Version::running()? < Version::NONE_BELOW_XDP {
        skip!("this kernel takes a program below another");
    }
    let stack = needs!(Stack::new(MACVLAN)?);
    let near = &stack.wire.near.namespace;
    for command in ["link add on1 link sensor0 type macvlan", "link set on1 up"] {
        near.ip(command)?;
    }
    let _agent = stack.launch("\"on0\"").start()?;
    let doctor = || sensor(near, &["doctor", "--interface", "sensor0"]);
    let said = doctor()?;
    ensure!(said.stdout.contains("one on on0, which stands on it: the sensor's"), "{said:?}");
    let other = Interface { namespace: near.clone(), name: "on1".to_owned() };
    let _foreign = Foreign::attach_generic(&other, XdpAction::Pass)?;
    let said = doctor()?;
    ensure!(said.code == 1 && said.stdout.contains("attached to on1"), "{said:?}");
    Ok(())
}

/// Settings of a NIC are not what a bridge or macvlan lacks.
#[rstest]
fn generic_mode_is_explained(#[values(MACVLAN, VLAN, BRIDGE)] commands: &[&str]) -> Result<()> {
    needs_root!();
    let stack = needs!(Stack::new(commands)?);
    let lower = if commands == BRIDGE { "attach to its port" } else { "attach to its parent" };
    let (code, refused) = stack.launch("\"on0\"").argument("--mode").argument("native").fail()?;
    ensure!(code == 1 && refused.contains(lower) && !refused.contains("ethtool"), "{refused}");
    let mut agent = stack.launch("\"on0\"").start()?;
    agent.stop(Signal::SIGTERM)?;
    let log = agent.stderr();
    ensure!(log.contains("generic mode") && log.contains(lower) && !log.contains("ethtool"), "{log}");
    Ok(())
}

/// Both can have the program, in whichever order they are named: that is said, once, with what it costs.
#[rstest]
fn both_are_attached_to(
    #[values(MACVLAN, BRIDGE)] commands: &[&str],
    #[values("\"sensor0\", \"on0\"", "\"on0\", \"sensor0\"")] both: &str,
    #[values(false, true)] observe: bool,
) -> Result<()> {
    needs_root!();
    let stack = needs!(Stack::new(commands)?);
    let words = "on0 stands on sensor0, and both are configured";
    let said = stack.check(both)?;
    ensure!(said.code == 0 && said.stdout.contains(&format!("Note: {words}")), "{said:?}");
    let launch = stack.launch(both);
    let mut agent = if observe { launch.argument("--observe") } else { launch }.start()?;
    assert_eq!(stack.attached()?, [true, true], "{}", agent.stderr());
    agent.stop(Signal::SIGTERM)?;
    assert_eq!(agent.stderr().matches("both are configured").count(), 1, "{}", agent.stderr());
    ensure!(agent.stderr().contains(words), "{}", agent.stderr());
    Ok(())
}

/// Both are configured: one is left out, and what is said of it is true, begins with its name, and is said once.
#[rstest]
#[case::macvlan(MACVLAN)]
#[case::bridge(BRIDGE)]
fn both_are_configured(#[case] commands: &[&str]) -> Result<()> {
    needs_root!();
    if Version::running()? < Version::NONE_BELOW_XDP {
        skip!("this kernel takes both programs");
    }
    let stack = needs!(Stack::new(commands)?);
    let mut earlier = stack.launch("\"on0\"").start()?;
    let both = "\"on0\", \"sensor0\"";
    let words = "interface sensor0 and on0, which stands on it, are both configured";
    let said = stack.check(both)?;
    let line = said.stdout.lines().find(|line| line.starts_with("Left out"));
    ensure!(line.is_some_and(|line| line.contains(&format!(": {words}"))), "{said:?}");
    earlier.stop(Signal::SIGTERM)?;
    let agent = stack.launch(both).spawn()?;
    until(
        || Ok(agent.get("/readyz").is_ok_and(|ready| ready.body.contains(words))),
        || format!("it does not say {words:?}: {}", agent.stderr()),
    )?;
    thread::sleep(Duration::from_secs(3));
    assert_eq!(agent.stderr().matches("both configured").count(), 1, "{}", agent.stderr());
    for false_words in ["bpftool", "other --pins"] {
        ensure!(!agent.stderr().contains(false_words), "{}", agent.stderr());
    }
    // As it says: without the upper one, the lower one is attached to.
    agent.rewrite_config(&config("\"sensor0\""))?;
    let said = stack.ask(&["reload"])?;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(stack.attached()?, [true, false], "{}", agent.stderr());
    stack.count_three(&agent)
}
