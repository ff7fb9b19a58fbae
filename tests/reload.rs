//! A changed configuration is applied whole or not at all, and no count is lost by it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::{Passed, Slot};
use sensor_common::noun::noun;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::{Said, sensor};
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::{MTU, Wire};

/// Sensors by name, each with a prefix of documentation addresses of its own.
fn config(sensors: &[&str]) -> String {
    let table = |name: &&str| {
        let network = 1 + name.bytes().fold(0_u32, |sum, byte| sum + u32::from(byte)) % 250;
        format!("[[sensor]]\nname = \"{name}\"\nprefixes = [\"198.18.{network}.0/24\"]\n")
    };
    sensors.iter().map(table).collect()
}

/// A scan of one sensor of [`config`].
fn scan(name: &str) -> Vec<u8> {
    let network = 1 + name.bytes().fold(0_u8, |sum, byte| ((u32::from(sum) + u32::from(byte)) % 250) as u8);
    frame().ipv4().to([198, 18, network, 1]).tcp(23).syn().bytes()
}

fn reload(agent: &AgentProcess, near: &Namespace, config: &str) -> Result<Said> {
    agent.rewrite_config(config)?;
    sensor(near, &["reload"])
}

/// Each step is a set of sensors to reload with, or a restart; after each, three scans of every sensor.
#[rstest]
#[case::one_more(&["a"], &["a b"])]
#[case::one_less(&["a", "b"], &["a"])]
#[case::gone_and_back(&["a", "b"], &["a", "a b"])]
#[case::another_order(&["a", "b", "c"], &["c a b"])]
#[case::more_and_more(&["a"], &["a b", "a b c", "e a b c d", "f a e"])]
#[case::all_others(&["a", "b"], &["c d e", "a b"])]
fn sensors_that_stay_keep_their_counts(#[case] first: &[&str], #[case] steps: &[&str]) -> Result<()> {
    needs_root!();
    for restart in [false, true] {
        let (wire, pins) = (Wire::new()?, Pins::new()?);
        let near = &wire.near.namespace;
        let launch = |sensors: &[&str]| {
            Launch::new(near).interface("sensor0").pins(&pins).config(&config(sensors)).start()
        };
        let sender = Sender::new(&wire)?;
        let mut agent = launch(first)?;
        let mut truth = BTreeMap::new();
        let mut sensors = first.to_vec();
        check(&agent, &sender, &sensors, &mut truth)?;
        for step in steps {
            sensors = step.split(' ').collect();
            if restart {
                agent.stop(Signal::SIGKILL)?;
                agent = launch(&sensors)?;
            } else {
                agent.rewrite_config(&config(&sensors))?;
                let path = pins.path().display().to_string();
                let said = sensor(near, &["reload", "--pins", &path])?;
                assert_eq!(said.code, 0, "{}", said.stderr);
                let many = noun(sensors.len() as u64, "sensor,", "sensors,");
                let words = format!("reloaded: {} {many}", sensors.len());
                ensure!(said.stdout.contains(&words), "{}", said.stdout);
            }
            check(&agent, &sender, &sensors, &mut truth)?;
        }
    }
    Ok(())
}

/// Sends three scans to each sensor, and finds as many more than before, on both pages.
fn check<'a>(
    agent: &AgentProcess,
    sender: &Sender<'_>,
    sensors: &[&'a str],
    truth: &mut BTreeMap<&'a str, u64>,
) -> Result<()> {
    for &name in sensors {
        sender.send(&[scan(name), scan(name), scan(name)])?;
        *truth.entry(name).or_default() += 3;
    }
    let counts = agent.counts()?;
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(counts.sensors.len(), sensors.len());
    for (&name, slots) in sensors.iter().zip(&counts.sensors) {
        assert_eq!(slots["tcp/23"].packets, truth[name], "{name} of {sensors:?}");
        let series = [("sensor", name), ("protocol", "tcp")];
        assert_eq!(page.sum("sensor_packets_total", &series), truth[name], "{name} of {sensors:?}");
    }
    Ok(())
}

#[rstest]
#[case::not_toml(2, "[[sensor", "unclosed array table")]
#[case::two_mistakes(2, "lisen = 1\n", "unknown key")]
#[case::bad_rule(2, "[[allow]]\nfrom = [\"10.0.0.0/33\"]\ntcp = [22]\n", "33")]
#[case::no_such_interface(1, "interfaces = [\"sensor0\", \"nowhere0\"]\n", "nowhere0")]
#[case::an_interface_that_is_down(1, "interfaces = [\"sensor0\", \"down0\"]\n", "down0 is down")]
fn a_bad_file_is_refused_whole(#[case] code: i32, #[case] bad: &str, #[case] words: &str) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    near.ip("link add down0 type veth peer name down1")?;
    let good = format!("interfaces = [\"sensor0\"]\n{}", config(&["a"]));
    let agent = Launch::new(near).config(&good).start()?;
    let sender = Sender::new(&wire)?;
    let mut truth = BTreeMap::new();
    check(&agent, &sender, &["a"], &mut truth)?;
    let said = reload(&agent, near, &format!("{bad}{}", config(&["b"])))?;
    assert_eq!(said.code, code, "{}", said.stdout);
    for words in ["sensor: not reloaded, the old configuration stays", words] {
        ensure!(said.stderr.contains(words), "{words:?} is not in: {}", said.stderr);
    }
    check(&agent, &sender, &["a"], &mut truth)?;
    let said = reload(&agent, near, &good)?;
    assert_eq!(said.code, 0, "{}", said.stderr);
    check(&agent, &sender, &["a"], &mut truth)
}

#[test]
fn rules_change_without_a_gap() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let without = config(&["a"]);
    let with = format!("{without}[[allow]]\nfrom = [\"0.0.0.0/0\"]\ntcp = [23]\n");
    let agent = Launch::new(near).interface("sensor0").config(&without).start()?;
    let sender = Sender::new(&wire)?;
    let mut truth = Counts { sensors: vec![BTreeMap::new()], ..Counts::default() };
    for (config, verdict) in [
        (&with, Verdict::Pass(Passed::Management)),
        (&without, Verdict::Count { sensor: 0, slot: Slot::tcp(23) }),
        (&with, Verdict::Pass(Passed::Management)),
    ] {
        let said = reload(&agent, near, config)?;
        assert_eq!(said.code, 0, "{}", said.stderr);
        sender.send(&[scan("a")])?;
        truth.add(verdict, scan("a").len());
        assert_eq!(agent.counts()?, truth);
    }
    Ok(())
}

#[test]
fn interfaces_come_and_go() -> Result<()> {
    needs_root!();
    let near = Namespace::new()?;
    let one = Wire::between(near.clone(), "sensor0", Namespace::new()?, MTU)?;
    let other = Wire::between(near.clone(), "sensor1", Namespace::new()?, MTU)?;
    let sensors = config(&["a"]);
    let on = |interfaces: &str| format!("interfaces = [{interfaces}]\n{sensors}");
    let agent = Launch::new(&near).config(&on("\"sensor0\"")).start()?;
    for (interfaces, attached) in [
        ("\"sensor0\", \"sensor1\"", [true, true]),
        ("\"sensor1\"", [false, true]),
        ("\"sensor0\"", [true, false]),
    ] {
        let said = reload(&agent, &near, &on(interfaces))?;
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!([one.near.has_xdp()?, other.near.has_xdp()?], attached, "{interfaces}");
        let before = agent.counts()?.packets();
        Sender::new(&one)?.send(&[scan("a")])?;
        Sender::new(&other)?.send(&[scan("a")])?;
        let counted = attached.iter().filter(|attached| **attached).count() as u64;
        assert_eq!(agent.counts()?.packets() - before, counted, "{interfaces}");
        let page = Page::parse(&agent.metrics()?)?;
        assert_eq!(page.sum("sensor_xdp_attached", &[]), counted, "{interfaces}");
    }
    Ok(())
}

/// As `systemctl reload` does it.
#[test]
fn a_hang_up_reloads() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config(&["a"])).start()?;
    agent.rewrite_config(&config(&["a", "b"]))?;
    agent.signal(Signal::SIGHUP)?;
    until(|| Ok(agent.counts()?.sensors.len() == 2), || format!("not reloaded: {}", agent.stderr()))?;
    agent.rewrite_config("nonsense")?;
    agent.signal(Signal::SIGHUP)?;
    let said = || agent.stderr().contains("not reloaded, the old configuration stays");
    until(|| Ok(said()), || format!("it said nothing: {}", agent.stderr()))?;
    assert_eq!(agent.counts()?.sensors.len(), 2);
    Ok(())
}

/// Who takes a while to ask is heard, whatever the agent has to see to meanwhile.
#[test]
fn a_slow_request_is_heard_among_changes_of_interfaces() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let pins = Pins::new()?;
    let launch = Launch::new(near).interface("sensor0").config(&config(&["a"])).pins(&pins);
    let agent = launch.start()?;
    for _ in 0..5 {
        let mut stream = UnixStream::connect(pins.socket())?;
        // The agent has let the peer in, and looks at this meanwhile.
        near.ip("link add passing0 type veth peer name passing1")?;
        thread::sleep(Duration::from_millis(150));
        let mut said = String::new();
        stream.write_all(b"{\"version\":1,\"ask\":\"reload\"}\n").with_context(|| agent.stderr())?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_string(&mut said).with_context(|| agent.stderr())?;
        assert!(said.ends_with("{\"end\":true}\n"), "{said:?}: {}", agent.stderr());
        near.ip("link del passing0")?;
    }
    Ok(())
}

#[test]
fn without_an_agent_there_is_nothing_to_reload() -> Result<()> {
    needs_root!();
    let said = sensor(&Namespace::new()?, &["reload"])?;
    assert_eq!(said.code, 1);
    ensure!(said.stderr.starts_with("sensor: no agent runs here with --pins"), "{}", said.stderr);
    Ok(())
}
