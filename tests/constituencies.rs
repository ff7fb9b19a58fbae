//! Constituencies: what comes from their addresses is counted exactly, whoever else sends how much, and kept as evidence.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::sensor;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::mmdb::{country, mmdb, system};
use sensor_harness::needs_root;
use sensor_harness::pace::{until, within_a_day};
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use sensor_user::evidence::read;
use serde_json::Value;

/// SYNs from these addresses, so many of each.
fn syns(from: &[&str], each: usize) -> Vec<Vec<u8>> {
    let syn = |from: &&str| {
        let from: IpAddr = from.parse().expect("it is an address");
        let frame = if from.is_ipv4() { frame().ipv4() } else { frame().ipv6() };
        frame.from(from).tcp(23).syn().bytes()
    };
    from.iter().map(syn).cycle().take(each * from.len()).collect()
}

/// Packets by constituency, as the metrics page says; the slots say the same.
fn counted(agent: &AgentProcess) -> Result<BTreeMap<String, u64>> {
    let page = Page::parse(&agent.metrics()?)?;
    let samples = page.samples().iter().filter(|it| it.name == "sensor_constituency_packets_total");
    let mut counted = BTreeMap::new();
    for sample in samples {
        let name = sample.labels.get("constituency").context("it has no constituency")?;
        counted
            .insert(name.clone(), page.sum("sensor_constituency_packets_total", &[("constituency", name)]));
    }
    Ok(counted)
}

/// What the slots say of them.
fn told(agent: &AgentProcess) -> Result<BTreeMap<String, u64>> {
    let slots: Value = serde_json::from_str(&agent.get("/api/v1/slots")?.body)?;
    Ok(serde_json::from_value(slots["sensors"][0]["constituencies"].clone())?)
}

/// Waits until the metrics and the slots say exactly so.
fn expect(agent: &AgentProcess, expected: &[(&str, u64)]) -> Result<()> {
    let expected: BTreeMap<_, _> =
        expected.iter().map(|&(name, packets)| (name.to_owned(), packets)).collect();
    let both = || Ok(counted(agent)? == expected && told(agent)? == expected);
    until(both, || format!("{:?}, {:?}, not {expected:?}", counted(agent), told(agent)))
}

fn total(agent: &AgentProcess) -> Result<u64> {
    Ok(Page::parse(&agent.metrics()?)?.sum("sensor_packets_total", &[]))
}

/// Waits until the metric says whether members are those that files tell: it does so without evidence, too.
fn is_current(agent: &AgentProcess, expected: u64) -> Result<()> {
    let told = || -> Result<u64> {
        Ok(Page::parse(&agent.metrics()?)?.sum("sensor_list_current", &[("list", "constituencies")]))
    };
    until(|| Ok(told()? == expected), || format!("{:?}, not {expected}", told()))
}

const TWO: &str = "[[constituency]]\nname = \"customer\"\nprefixes = [\"203.0.113.64/26\"]\n\
    [[constituency]]\nname = \"ours\"\nprefixes = [\"203.0.113.0/24\", \"2001:db8:a::/48\"]\n";

#[test]
fn packets_are_counted_by_the_first_constituency_that_has_their_source() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(TWO).start()?;
    let sender = Sender::new(&wire)?;
    let outside = ["203.0.112.255", "203.0.114.0", "192.0.2.1", "2001:db8:b::1"];
    sender.send(&syns(&outside, 5))?;
    sender.send(&syns(&["203.0.113.64", "203.0.113.127"], 3))?;
    sender.send(&syns(&["203.0.113.63", "203.0.113.128", "2001:db8:a::1", "2001:db8:a:ffff::"], 2))?;
    // Behind tags, and where what follows the addresses is broken.
    let ours: IpAddr = "203.0.113.1".parse()?;
    sender.send(&[
        frame().vlan(5).ipv4().from(ours).udp(53).bytes(),
        frame().service_vlan(6).vlan(7).ipv4().from(ours).icmp(8, 0).bytes(),
        frame().ipv4().from(ours).tcp(80).syn().cut(40).bytes(),
    ])?;
    expect(&agent, &[("customer", 6), ("ours", 11)])?;
    ensure!(total(&agent)? == 20 + 6 + 8 + 3, "{}", total(&agent)?);
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

#[test]
fn counts_stay_with_names() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let launch = |config: &str| {
        Launch::new(&wire.near.namespace).interface("sensor0").pins(&pins).config(config).start()
    };
    let mut agent = launch(TWO)?;
    let sender = Sender::new(&wire)?;
    sender.send(&syns(&["203.0.113.64", "203.0.113.1"], 4))?;
    expect(&agent, &[("customer", 4), ("ours", 4)])?;
    agent.stop(Signal::SIGKILL)?;
    // Nobody is there, and counting goes on.
    sender.send(&syns(&["203.0.113.64"], 3))?;
    let another = format!("[[constituency]]\nname = \"new\"\nprefixes = [\"192.0.2.0/24\"]\n{TWO}");
    let mut agent = launch(&another)?;
    expect(&agent, &[("new", 0), ("customer", 7), ("ours", 4)])?;
    sender.send(&syns(&["192.0.2.1", "203.0.113.1"], 2))?;
    expect(&agent, &[("new", 2), ("customer", 7), ("ours", 6)])?;
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

/// What comes from an address of ours within a flood that takes the common budget has a budget of its own, and is found.
#[rstest]
#[case::ipv4("203.0.113.5", "192.0.2.1")]
#[case::ipv6("2001:db8:a::5", "2001:db8:b::1")]
#[case::ipv6_in_a_flood_of_ipv4("2001:db8:a:7::5", "192.0.2.1")]
fn a_flood_from_elsewhere_takes_no_evidence_of_a_constituency(
    #[case] ours: &str,
    #[case] elsewhere: &str,
) -> Result<()> {
    needs_root!();
    let (wire, folder) = (Wire::new()?, tempfile::tempdir()?);
    let config = format!(
        "drain_interval = \"1s\"\n[[sensor]]\nname = \"a\"\n{TWO}[evidence]\npath = \"{}\"\nbudget = 400\n",
        folder.path().display()
    );
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    let sender = Sender::new(&wire)?;
    let news = 40;
    within_a_day();
    for _ in 0..news / 4 {
        sender.send(&syns(&[elsewhere], 1_000))?;
        sender.send(&syns(&[ours], 4))?;
    }
    expect(&agent, &[("customer", 0), ("ours", news)])?;
    let page = Page::parse(&agent.metrics()?)?;
    let sum = |name| page.sum(name, &[]);
    let skipped = sum("sensor_evidence_skipped_packets_total");
    ensure!(sum("sensor_evidence_packets_total") + skipped == sum("sensor_packets_total"), "{page:?}");
    ensure!(skipped > 0, "the flood fitted into the budget");
    let found = || asked(&wire, &["evidence", "--constituency", "ours", "--json"], "packet");
    let are_ours = |packets: &[Value]| packets.iter().all(|packet| packet["source"] == ours);
    let all = || Ok(found()?.len() as u64 == news);
    until(all, || format!("{:?}, not {news}", found()))?;
    ensure!(are_ours(&found()?), "{:?}", found());
    let customers = asked(&wire, &["evidence", "--constituency", "customer", "--json"], "packet")?;
    ensure!(customers.is_empty(), "{customers:?}");
    let noticed = || asked(&wire, &["notices", "--format", "json"], "notice");
    let all = || Ok(matches!(&noticed()?[..], [notice] if notice["packets"] == news));
    until(all, || format!("{:?}, not {news}", noticed()))?;
    let notices = noticed()?;
    let notice = &notices[0];
    ensure!(notice["address"] == ours && notice["constituency"] == "ours", "{notice}");
    ensure!(notice["packet"]["slot"] == "23/tcp", "{notice}");
    agent.stop(Signal::SIGTERM)?;
    let kept = from(folder.path(), ours.parse()?)?;
    ensure!(kept == news, "{kept} of {news} are kept");
    Ok(())
}

/// The lines of one kind that a command prints.
fn asked(wire: &Wire, arguments: &[&str], kind: &str) -> Result<Vec<Value>> {
    let said = sensor(&wire.near.namespace, arguments)?;
    ensure!(said.code == 0, "{said:?}");
    let lines = said.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter_map(|line| line.get(kind).cloned()).collect())
}

/// Packets from an address among the evidence.
fn from(folder: &Path, source: IpAddr) -> Result<u64> {
    // Behind Ethernet's header, where each header of IP has it.
    let (place, octets) = match source {
        IpAddr::V4(source) => (26..30, source.octets().to_vec()),
        IpAddr::V6(source) => (22..38, source.octets().to_vec()),
    };
    let mut packets = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pcapng") {
            read(File::open(&path)?, |packet| {
                packets += u64::from(packet.bytes.get(place.clone()) == Some(&octets[..]));
                true
            })?;
        }
    }
    Ok(packets)
}

#[test]
fn an_autonomous_systems_prefixes_are_its_constituencys() -> Result<()> {
    needs_root!();
    let (wire, folder) = (Wire::new()?, tempfile::tempdir()?);
    let path = folder.path().join("systems.mmdb");
    let records = [("203.0.113.0/24", system(64_496, "Ours")), ("192.0.2.0/24", system(64_497, "Theirs"))];
    fs::write(&path, mmdb("Systems", &records))?;
    let config = format!(
        "[sources]\nautonomous_systems = \"{}\"\n[[constituency]]\nname = \"ours\"\nas = [64496]\nprefixes = \
         [\"2001:db8:a::/48\"]\n",
        path.display()
    );
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    Sender::new(&wire)?.send(&syns(&["203.0.113.1", "192.0.2.1", "2001:db8:a::1"], 3))?;
    expect(&agent, &[("ours", 6)])?;
    // Not to be read: what is known stays, and a reload says why.
    fs::remove_file(&path)?;
    let said = sensor(&wire.near.namespace, &["reload"])?;
    ensure!(said.code == 1 && said.stderr.contains("systems.mmdb"), "{said:?}");
    Sender::new(&wire)?.send(&syns(&["203.0.113.1"], 1))?;
    expect(&agent, &[("ours", 7)])?;
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

#[test]
fn countries_are_looked_up_anew_when_their_file_changes() -> Result<()> {
    needs_root!();
    let (wire, folder) = (Wire::new()?, tempfile::tempdir()?);
    let path = folder.path().join("countries.mmdb");
    let write = |prefix: &str| -> Result<()> {
        let bytes = mmdb("Countries", &[(prefix, country("JP")), ("198.18.0.0/15", country("US"))]);
        let fresh = path.with_extension("new");
        fs::write(&fresh, bytes)?;
        Ok(fs::rename(fresh, &path)?)
    };
    write("203.0.113.0/24")?;
    let config = format!(
        "drain_interval = \"1s\"\n[sources]\ncountries = \"{}\"\n[[constituency]]\nname = \"jp\"\ncountries = [\"JP\"]\n",
        path.display()
    );
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    let sender = Sender::new(&wire)?;
    let sources = ["203.0.113.1", "192.0.2.1", "198.18.0.1"];
    sender.send(&syns(&sources, 3))?;
    expect(&agent, &[("jp", 3)])?;
    write("192.0.2.0/24")?;
    let renewed = || Ok(agent.stderr().contains("whose addresses are whose is read anew"));
    until(renewed, || agent.stderr())?;
    is_current(&agent, 1)?;
    sender.send(&syns(&["192.0.2.1"], 5))?;
    sender.send(&syns(&["203.0.113.1"], 7))?;
    expect(&agent, &[("jp", 8)])?;
    // What is no such file changes nothing.
    fs::write(&path, "none")?;
    let refused = || Ok(agent.stderr().contains("constituencies stay as they were"));
    until(refused, || agent.stderr())?;
    sender.send(&syns(&["192.0.2.1"], 1))?;
    expect(&agent, &[("jp", 9)])?;
    is_current(&agent, 0)?;
    ensure!(total(&agent)? == 9 + 5 + 7 + 1, "{}", total(&agent)?);
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

#[test]
fn a_bad_file_at_the_start_hides_only_what_it_tells() -> Result<()> {
    needs_root!();
    let (wire, folder) = (Wire::new()?, tempfile::tempdir()?);
    let [countries, systems] = ["countries.mmdb", "systems.mmdb"].map(|name| folder.path().join(name));
    fs::write(&countries, mmdb("Countries", &[("203.0.113.0/24", country("JP"))]))?;
    fs::write(&systems, "none")?;
    let config = format!(
        "drain_interval = \"1s\"\n[sources]\ncountries = \"{}\"\nautonomous_systems = \"{}\"\n[[constituency]]\nname \
         = \"ours\"\ncountries = [\"JP\"]\nas = [64496]\nprefixes = [\"2001:db8:a::/48\"]\n",
        countries.display(),
        systems.display()
    );
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    let sender = Sender::new(&wire)?;
    let sources = ["203.0.113.1", "192.0.2.1", "2001:db8:a::1"];
    sender.send(&syns(&sources, 3))?;
    expect(&agent, &[("ours", 6)])?;
    ensure!(agent.stderr().contains("systems.mmdb: put a good file there"), "{}", agent.stderr());
    is_current(&agent, 0)?;
    let fresh = folder.path().join("new");
    fs::write(&fresh, mmdb("Systems", &[("192.0.2.0/24", system(64_496, "Ours"))]))?;
    fs::rename(fresh, &systems)?;
    let renewed = || Ok(agent.stderr().contains("whose addresses are whose is read anew"));
    until(renewed, || agent.stderr())?;
    is_current(&agent, 1)?;
    sender.send(&syns(&sources, 5))?;
    expect(&agent, &[("ours", 6 + 15)])?;
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}
