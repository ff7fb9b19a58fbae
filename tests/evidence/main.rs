//! Evidence: every counted packet is handed over or skipped, every record written or lost, and files are read by other
//! people's programs.

mod asked;
mod disk;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::pace::{amount, until};
use sensor_harness::pins::Pins;
use sensor_harness::sender::{Sender, cpus, pin_to_cpu};
use sensor_harness::skip::program;
use sensor_harness::wire::Wire;
use sensor_user::evidence::read;

/// A sensor that monitors everything and keeps evidence in a folder.
fn config(folder: &Path, more: &str) -> String {
    format!("[[sensor]]\nname = \"a\"\n[evidence]\npath = \"{}\"\n{more}", folder.display())
}

/// Mirai's SYNs, plain UDP, IPv6 and a broken frame, in turn.
fn frames(count: usize) -> Vec<Vec<u8>> {
    let kinds = [
        frame().ipv4().tcp(23).syn().sequence(u32::from(sensor_harness::frame::SENSOR_V4)).padded(60).bytes(),
        frame().ipv4().udp(53).payload([7; 300]).bytes(),
        frame().ipv6().tcp(443).syn().bytes(),
        frame().vlan(7).ipv4().icmp(8, 0).bytes(),
        frame().ipv4().tcp(80).syn().cut(40).bytes(),
    ];
    kinds.iter().cycle().take(count).cloned().collect()
}

/// What the agent says of evidence.
#[derive(Debug, PartialEq)]
struct Account {
    counted: u64,
    handed_over: u64,
    skipped: u64,
    lost: BTreeMap<String, u64>,
}

impl Account {
    fn of(agent: &AgentProcess) -> Result<Self> {
        let page = Page::parse(&agent.metrics()?)?;
        let lost = ["disk", "stalled", "ended"].map(|reason| {
            (reason.to_owned(), page.sum("sensor_evidence_lost_packets_total", &[("reason", reason)]))
        });
        let account = Self {
            counted: page.sum("sensor_packets_total", &[]),
            handed_over: page.sum("sensor_evidence_packets_total", &[]),
            skipped: page.sum("sensor_evidence_skipped_packets_total", &[]),
            lost: lost.into(),
        };
        ensure!(account.handed_over + account.skipped == account.counted, "{account:?}");
        Ok(account)
    }

    fn lost(&self) -> u64 {
        self.lost.values().sum()
    }
}

/// Waits until all that was sent is counted, and gives the account.
fn counted(agent: &AgentProcess, sent: usize) -> Result<Account> {
    let sent = sent as u64;
    until(|| Ok(Account::of(agent)?.counted == sent), || format!("{:?} of {sent}", Account::of(agent)))?;
    Account::of(agent)
}

/// An agent on the wire, about to keep evidence in a folder.
fn launch(wire: &Wire, folder: &Path, more: &str) -> Launch {
    Launch::new(&wire.near.namespace).interface("sensor0").config(&config(folder, more))
}

/// Has this test send from one CPU: what a CPU has skipped or lost is told by the next record of the same CPU.
fn on_one_cpu() -> Result<()> {
    pin_to_cpu(*cpus()?.first().context("no CPU")?)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pcapng"));
    files.sort();
    Ok(files)
}

/// Packets in the files, and what these say was skipped or lost between them.
fn kept(folder: &Path) -> Result<(u64, u64)> {
    let (mut packets, mut dropped) = (0, 0);
    for path in files(folder)? {
        read(File::open(&path)?, |packet| {
            packets += 1;
            dropped += packet.dropped;
            true
        })
        .with_context(|| path.display().to_string())?;
    }
    Ok((packets, dropped))
}

/// Others' programs that read the files.
const READERS: [&str; 3] = ["tshark", "tcpdump", "capinfos"];

/// Packets in the files as those of [`READERS`] count them that are here; they must find nothing wrong.
fn as_others_count(folder: &Path) -> Result<BTreeMap<&'static str, u64>> {
    let mut counts = BTreeMap::new();
    for reader in READERS.into_iter().filter(|reader| program(reader).is_ok()) {
        let arguments: &[&str] = match reader {
            "tshark" => &["-n", "-T", "fields", "-e", "frame.number", "-r"],
            "tcpdump" => &["-n", "--count", "-r"],
            _ => &["-M", "-c"],
        };
        let mut packets = 0;
        for path in files(folder)? {
            let output = Command::new(reader).args(arguments).arg(&path).output()?;
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let complains = errors.lines().any(|line| {
                let is_usual = line.starts_with("reading from file") || line.contains("Running as user");
                !line.is_empty() && !is_usual
            });
            ensure!(output.status.success() && !complains, "{reader} {}: {errors}", path.display());
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            packets += match reader {
                "tshark" => said.lines().count() as u64,
                "tcpdump" => said.split(' ').next().context("it says nothing")?.parse()?,
                _ => said.split_whitespace().last().context("it says nothing")?.parse()?,
            };
        }
        counts.insert(reader, packets);
    }
    Ok(counts)
}

/// All of them count so many.
fn check_others_count(folder: &Path, packets: u64) -> Result<()> {
    let counts = as_others_count(folder)?;
    ensure!(counts.values().all(|count| *count == packets), "{counts:?}, not {packets}");
    Ok(())
}

/// Two interfaces, one of which has jumbo frames; and VLAN tags.
#[test]
fn what_fits_the_budget_is_written_whole() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let jumbo = Wire::between(wire.near.namespace.clone(), "sensor1", wire.far.namespace.clone(), 9000)?;
    let folder = tempfile::tempdir()?;
    let mut agent =
        launch(&wire, folder.path(), "budget = 1000000\nsnap_length = 256").interface("sensor1").start()?;
    let count = amount(4_000);
    let large = vec![frame().ipv4().udp(5060).payload(vec![1; 8_900]).bytes(); 100];
    Sender::new(&wire)?.send(&frames(count))?;
    Sender::new(&jumbo)?.send(&large)?;
    Sender::new(&jumbo)?.send(&vec![frame().vlan(9).ipv4().tcp(8080).syn().padded(64).bytes(); 100])?;
    let account = counted(&agent, count + 200)?;
    let sent = account.counted;
    assert_eq!((account.handed_over, account.lost()), (sent, 0), "{account:?}");
    agent.stop(Signal::SIGTERM)?;
    assert_eq!(kept(folder.path())?, (sent, 0));
    check_others_count(folder.path(), sent)?;
    let mut seen = BTreeMap::<_, u64>::new();
    for path in files(folder.path())? {
        read(File::open(path)?, |packet| {
            let tool = packet.tool.unwrap_or_default().into_owned();
            let key = (packet.interface.into_owned(), packet.slot.into_owned(), tool, packet.length);
            assert_eq!(packet.bytes.len(), packet.length.min(256) as usize, "{key:?}");
            if packet.length > 1_514 {
                assert_eq!(packet.bytes[..], large[0][..256], "{key:?}");
            }
            *seen.entry(key).or_default() += 1;
            true
        })?;
    }
    let each = count as u64 / 5;
    let expected = [
        ("sensor0", "23/tcp", "mirai", 60, each),
        ("sensor0", "443/tcp", "other", 74, each),
        ("sensor0", "53/udp", "", 342, each),
        ("sensor0", "icmp 8/0", "", 46, each),
        ("sensor0", "malformed ipv4_total_length", "", 40, each),
        ("sensor1", "5060/udp", "", 8_942, 100),
        ("sensor1", "8080/tcp", "other", 64, 100),
    ];
    let seen: Vec<_> = seen.into_iter().map(|((a, b, c, d), packets)| (a, b, c, d, packets)).collect();
    let expected: Vec<_> =
        expected.map(|(a, b, c, d, e)| (a.to_owned(), b.to_owned(), c.to_owned(), d, e)).into();
    assert_eq!(seen, expected);
    Ok(())
}

#[test]
fn a_spent_budget_thins_evidence_and_not_counts() -> Result<()> {
    needs_root!();
    on_one_cpu()?;
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let mut agent = launch(&wire, folder.path(), "budget = 200").start()?;
    let count = amount(100_000);
    Sender::new(&wire)?.send(&frames(count))?;
    counted(&agent, count)?;
    // What is handed over now says how much was skipped before.
    thread::sleep(Duration::from_secs(1));
    Sender::new(&wire)?.send(&frames(5))?;
    let account = counted(&agent, count + 5)?;
    assert!((5..count as u64 / 2).contains(&account.handed_over), "{account:?}");
    assert_eq!(account.lost(), 0);
    agent.stop(Signal::SIGTERM)?;
    let (packets, dropped) = kept(folder.path())?;
    assert_eq!(packets, account.handed_over);
    assert_eq!(packets + dropped, account.counted, "kept, and said to be missing between: {account:?}");
    Ok(())
}

#[test]
fn what_a_kill_loses_is_counted_and_files_read_whole() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let pins = Pins::new()?;
    let launch = launch(&wire, folder.path(), "budget = 1000000").pins(&pins);
    let rounds = 5;
    let count = amount(40_000);
    for round in 0..rounds {
        let mut agent = launch.clone().start()?;
        let frames = frames(count);
        thread::scope(|scope| {
            let sending = scope.spawn(|| Sender::new(&wire)?.send(&frames));
            thread::sleep(Duration::from_millis(60 + 45 * round));
            agent.stop(Signal::SIGKILL)?;
            sending.join().expect("no panic")
        })?;
    }
    let mut agent = launch.start()?;
    // What the last one lost is known once all that it left was taken.
    thread::sleep(Duration::from_secs(3));
    let account = counted(&agent, 5 * count)?;
    let (packets, _) = kept(folder.path())?;
    assert_eq!(packets + account.lost(), account.handed_over, "{packets} written, {account:?}");
    assert_eq!(account.lost["disk"], 0, "{account:?}");
    agent.stop(Signal::SIGTERM)?;
    check_others_count(folder.path(), packets)?;
    Ok(())
}

#[test]
fn evidence_is_bounded_and_the_oldest_goes_first() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let mut agent = launch(&wire, folder.path(), "budget = 1000000\nmax_size = \"1MiB\"").start()?;
    let sender = Sender::new(&wire)?;
    for _ in 0..20 {
        sender.send(&frames(1_000))?;
        thread::sleep(Duration::from_millis(300));
    }
    counted(&agent, 20_000)?;
    agent.stop(Signal::SIGTERM)?;
    let size: u64 =
        files(folder.path())?.iter().map(|path| fs::metadata(path).map_or(0, |it| it.len())).sum();
    assert!(size > 512 << 10 && size <= (1 << 20) + (512 << 10), "{size} bytes");
    let first = files(folder.path())?.first().context("no file")?.clone();
    assert!(!first.to_string_lossy().contains("evidence-00000001"), "{}", first.display());
    Ok(())
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() -> Result<()> {
    needs_root!();
    let cases = [(false, "", true), (true, "", false), (true, "observe = true", true)];
    for (observe, more, is_kept) in cases {
        let wire = Wire::new()?;
        let folder = tempfile::tempdir()?;
        let mut launch = launch(&wire, folder.path(), more);
        if observe {
            launch = launch.argument("--observe");
        }
        let mut agent = launch.start()?;
        Sender::new(&wire)?.send(&frames(10))?;
        let page = || Page::parse(&agent.metrics()?);
        until(|| Ok(page()?.sum("sensor_packets_total", &[]) == 10), || format!("{:?}", agent.metrics()))?;
        let handed_over = page()?.sum("sensor_evidence_packets_total", &[]);
        assert_eq!(handed_over, if is_kept { 10 } else { 0 }, "observe {observe}, {more:?}");
        agent.stop(Signal::SIGTERM)?;
        assert_eq!(kept(folder.path())?.0, handed_over, "observe {observe}, {more:?}");
    }
    Ok(())
}

#[test]
fn a_reload_begins_and_ends_it_and_every_record_is_accounted_for() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let (on, off) = (config(folder.path(), "budget = 1000000"), "[[sensor]]\nname = \"a\"\n");
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(off).start()?;
    let sender = Sender::new(&wire)?;
    let page = |agent: &AgentProcess| Page::parse(&agent.metrics()?);
    let reload = |agent: &AgentProcess, text: &str, times: usize| -> Result<()> {
        agent.rewrite_config(&format!("interfaces = [\"sensor0\"]\n{text}"))?;
        agent.signal(Signal::SIGHUP)?;
        until(|| Ok(agent.stderr().matches("reloaded:").count() == times), || agent.stderr())
    };
    sender.send(&frames(100))?;
    reload(&agent, &on, 1)?;
    sender.send(&frames(200))?;
    reload(&agent, off, 2)?;
    sender.send(&frames(400))?;
    reload(&agent, &on, 3)?;
    sender.send(&frames(800))?;
    until(
        || Ok(page(&agent)?.sum("sensor_packets_total", &[]) == 1_500),
        || format!("{:?}", agent.metrics()),
    )?;
    assert_eq!(page(&agent)?.sum("sensor_evidence_packets_total", &[]), 1_000);
    assert_eq!(page(&agent)?.sum("sensor_evidence_lost_packets_total", &[]), 0);
    agent.stop(Signal::SIGTERM)?;
    assert_eq!(kept(folder.path())?, (1_000, 0));
    Ok(())
}

/// Numbers of records begin anew with the counters: what is in the folder says nothing of the new ones.
#[test]
fn another_life_of_the_counters_begins_anew() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let launch = launch(&wire, folder.path(), "");
    for count in [500, 300] {
        let mut agent = launch.clone().start()?;
        Sender::new(&wire)?.send(&frames(count))?;
        assert_eq!(counted(&agent, count)?.lost(), 0);
        agent.stop(Signal::SIGTERM)?;
    }
    assert_eq!(kept(folder.path())?, (800, 0));
    Ok(())
}

/// Counters that are made anew for more sensors begin to count what is skipped from 0.
#[test]
fn what_is_skipped_is_said_over_a_reload_with_more_sensors() -> Result<()> {
    needs_root!();
    on_one_cpu()?;
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let (one, other) = ("198.51.100.0/24", "203.0.113.0/24");
    let sensor =
        |name: &str, prefix: &str| format!("[[sensor]]\nname = \"{name}\"\nprefixes = [\"{prefix}\"]\n");
    let evidence = format!("[evidence]\npath = \"{}\"\nbudget = 100\n", folder.path().display());
    let one = sensor("a", one);
    let two = format!("{one}{}{evidence}", sensor("b", other));
    let one = one + &evidence;
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&one).start()?;
    let syn = frame().ipv4().tcp(23).syn().padded(60).bytes();
    let sender = Sender::new(&wire)?;
    let mut sent = 0;
    let mut flood = |agent: &AgentProcess, count: usize| -> Result<()> {
        sender.send(&vec![syn.clone(); count])?;
        // The budget is there again, and what is handed over says what was skipped before.
        thread::sleep(Duration::from_millis(500));
        sender.send(std::slice::from_ref(&syn))?;
        sent += count + 1;
        counted(agent, sent).map(drop)
    };
    flood(&agent, 20_000)?;
    agent.rewrite_config(&format!("interfaces = [\"sensor0\"]\n{two}"))?;
    agent.signal(Signal::SIGHUP)?;
    until(|| Ok(agent.stderr().contains("reloaded:")), || agent.stderr())?;
    flood(&agent, 5_000)?;
    agent.stop(Signal::SIGTERM)?;
    let (packets, dropped) = kept(folder.path())?;
    assert_eq!(packets + dropped, 25_002, "{packets} kept");
    Ok(())
}
