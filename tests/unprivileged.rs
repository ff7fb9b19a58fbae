//! The agent as the unit runs it: as a user with three capabilities, two that it gives up, and confined by itself.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use caps::{CapSet, Capability};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::Slot;
use sensor_harness::agent::{AgentProcess, Launch, PublicCopy};
use sensor_harness::cli::{Said, sensor};
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use sensor_harness::{needs_root, workspace};
use sensor_user::config::{Config, Input};
use sensor_user::kernel::{DEFAULT_PINS, Loaded, Options, Pins as Pinned, Shared, Version};
use serde_json::Value;
use tempfile::TempDir;

/// Nobody's number on any host.
const USER: u32 = 64_999;

/// What is kept to the end.
const KEPT: [Capability; 3] = [Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON, Capability::CAP_BPF];

/// The capabilities of the unit, by their numbers and as `setpriv` has them.
fn of_the_unit() -> Result<String> {
    let unit = fs::read_to_string(workspace().join("packaging/sensor.service"))?;
    let line = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key));
    let ambient = line("AmbientCapabilities=").context("the unit has no capabilities")?;
    assert_eq!(line("CapabilityBoundingSet="), Some(ambient), "what it has is all that it may get");
    let names = ambient.split(' ').map(|name| name.trim_start_matches("CAP_").to_lowercase());
    Ok(names.fold(String::new(), |all, name| all + ",+" + &name))
}

/// Lifts this process's limit on locked memory and that of those it starts, as the unit does: maps are charged to it before
/// Linux 5.11. Where a newer kernel refuses that, nothing is lost.
fn lift_memory_limit() -> Result<()> {
    let this = std::process::id().to_string();
    let lifted = Command::new("prlimit").args(["--memlock=unlimited", "--pid", &this]).output()?;
    ensure!(lifted.status.success() || Version::running()? >= Version::CGROUP_ACCOUNTING, "{lifted:?}");
    Ok(())
}

/// A folder that the user may enter, and nobody else but root.
fn folder() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    chown(folder.path(), Some(USER), Some(USER))?;
    Ok(folder)
}

/// A sensor host for the user: an agent that it may run, pins, and folders for what is kept and for sockets.
struct Host {
    wire: Wire,
    pins: Pins,
    agent: PublicCopy,
    store: TempDir,
    sockets: TempDir,
}

impl Host {
    fn new() -> Result<Self> {
        Ok(Self {
            wire: Wire::new()?,
            pins: Pins::new()?,
            agent: PublicCopy::new()?,
            store: folder()?,
            sockets: folder()?,
        })
    }

    /// What the unit does as root before it starts the agent.
    fn prepare(&self) -> Result<()> {
        let script = workspace().join("packaging/prepare-pins");
        // Who is in no list of users is named by a number, and the group is that of the number.
        let script = fs::read_to_string(script)?.replace("$(id -g \"$user\")", &USER.to_string());
        let mut shell = Command::new("sh");
        let done =
            shell.args(["-c", &script, "prepare-pins", &USER.to_string()]).arg(self.pins.path()).output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let unit = fs::read_to_string(workspace().join("packaging/sensor.service"))?;
        let hand_over = unit.lines().filter_map(|line| {
            line.strip_prefix("ExecStartPre=")?.trim_start_matches('-').strip_prefix("+/bin/chown ")
        });
        let mut handed_over = Vec::new();
        for words in hand_over {
            let (options, of_the_host) = words.rsplit_once(' ').context("it names no folder")?;
            let folder = match of_the_host {
                "/var/lib/sensor" => &self.store,
                "/run/sensor" => &self.sockets,
                other => bail!("the unit hands over {other}"),
            };
            // A virtual machine has no list of users.
            let options = options.replace("sensor:sensor", &format!("{USER}:{USER}")).replace("=root", "=0");
            let done = Command::new("chown").args(options.split(' ')).arg(folder.path()).status()?;
            ensure!(done.success(), "{done}");
            handed_over.push(of_the_host);
        }
        assert_eq!(handed_over, ["/var/lib/sensor", "/run/sensor"]);
        Ok(())
    }

    fn config(&self, more: &str) -> String {
        let (store, sockets) = (self.store.path().display(), self.sockets.path().display());
        format!(
            "{more}\n[[sensor]]\nname = \"a\"\n[evidence]\npath = \"{store}/evidence\"\n[store]\npath = \"{store}\"\n\
             [socket]\npath = \"{sockets}/s.sock\"\n"
        )
    }

    fn launch(&self) -> Launch {
        let launch = Launch::new(&self.wire.near.namespace).interface("sensor0");
        launch.config(&self.config("drain_interval = \"1s\"")).pins(&self.pins)
    }

    fn start(&self) -> Result<AgentProcess> {
        self.start_with(&self.config("drain_interval = \"1s\""))
    }

    /// Starts it with another configuration.
    fn start_with(&self, config: &str) -> Result<AgentProcess> {
        lift_memory_limit()?;
        let capabilities = of_the_unit()?;
        let user = format!(
            "setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set -all{capabilities} \
             --inh-caps -all{capabilities} --ambient-caps -all{capabilities}"
        );
        self.launch().config(config).binary(&self.agent.path()).wrapped(&user).start()
    }

    /// Asks the agent, as root.
    fn ask(&self, arguments: &[&str]) -> Result<Said> {
        let socket = self.sockets.path().join("s.sock").display().to_string();
        sensor(&self.wire.near.namespace, &[arguments, &["--socket", &socket]].concat())
    }

    /// What the agent says of how it is confined.
    fn confinement(&self) -> Result<Value> {
        let status = self.ask(&["status", "--json"])?;
        let first: Value = serde_json::from_str(status.stdout.lines().next().context("no status")?)?;
        Ok(first["agent"]["confined"].clone())
    }
}

/// Telnet scans, and what they add up to.
fn send(sender: &Sender<'_>, packets: usize, truth: &mut Counts) -> Result<()> {
    let syn = frame().ipv4().tcp(23).syn().bytes();
    sender.send(&vec![&syn; packets])?;
    for _ in 0..packets {
        truth.add(Verdict::Count { sensor: 0, slot: Slot::tcp(23) }, syn.len());
    }
    Ok(())
}

/// What the kernel says under these headings of each thread of a process.
fn of_threads(process: u32, headings: &[&str]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // One that has ended meanwhile says nothing.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        for heading in headings {
            let line = status.lines().find_map(|line| line.strip_prefix(heading));
            all.push(line.with_context(|| format!("no {heading}"))?.trim().to_owned());
        }
    }
    ensure!(!all.is_empty(), "no thread of the process {process} is to be seen");
    Ok(all)
}

/// All that an agent does in its life, and what a root's agent has pinned is handed over.
#[test]
fn it_does_all_that_roots_does() -> Result<()> {
    needs_root!();
    let host = Host::new()?;
    let sender = Sender::new(&host.wire)?;
    let mut truth = Counts::default();
    let mut agent = host.launch().start()?;
    send(&sender, 10, &mut truth)?;
    agent.stop(Signal::SIGTERM)?;
    host.prepare()?;
    let mut agent = host.start()?;
    ensure!(agent.stderr().contains("took over sensor0"), "{}", agent.stderr());
    send(&sender, 1_000, &mut truth)?;
    assert_eq!(agent.counts()?, truth, "the program counts, and is drained");
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(
        page.sum("sensor_xdp_attached", &[]) + page.sum("sensor_egress_attached", &[]),
        2,
        "both ways"
    );

    agent.rewrite_config(
        &host.config("drain_interval = \"2s\"\n[[allow]]\nfrom = [\"203.0.113.9/32\"]\ntcp = [22]"),
    )?;
    let reloaded = host.ask(&["reload"])?;
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    send(&sender, 100, &mut truth)?;
    assert_eq!(agent.counts()?, truth);

    // Evidence is written, and read again; so is the store.
    let packets = || -> Result<usize> {
        let said = host.ask(&["evidence", "--port", "23/tcp", "--json"])?;
        Ok(said.stdout.lines().filter(|line| line.contains("198.51.100")).count())
    };
    until(|| Ok(packets()? >= 1_100), || format!("{:?}", packets()))?;
    let status = host.ask(&["status"])?;
    assert_eq!(status.code, 0, "{status:?}");

    agent.stop(Signal::SIGKILL)?;
    send(&sender, 50, &mut truth)?;
    let mut agent = host.start()?;
    assert_eq!(agent.counts()?, truth, "killed, and begun anew");
    let name = format!("link set {} down", host.wire.near.name);
    host.wire.near.namespace.ip(&name)?;
    host.wire.near.namespace.ip(&name.replace("down", "up"))?;
    agent.stop(Signal::SIGTERM)?;

    // Root's again, without anything done for it.
    let agent = host.launch().start()?;
    assert_eq!(agent.counts()?, truth);
    Ok(())
}

/// What looking who is logged in takes is nobody's any more once the agent is ready.
#[test]
fn it_keeps_three_capabilities() -> Result<()> {
    needs_root!();
    let host = Host::new()?;
    host.prepare()?;
    let agent = host.start()?;
    let kept = KEPT.into_iter().fold(0, |all, it| all | it.bitmask());
    let all = of_threads(agent.pid(), &["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"])?;
    ensure!(all.iter().all(|it| u64::from_str_radix(it, 16) == Ok(kept)), "{all:?}");
    Ok(())
}

/// It is the kernel that asks for them: with those that are kept it takes the programs, without any one of them it does not.
#[rstest]
#[case::all_three(None)]
#[case::without_bpf(Some(Capability::CAP_BPF))]
#[case::without_perfmon(Some(Capability::CAP_PERFMON))]
#[case::without_net_admin(Some(Capability::CAP_NET_ADMIN))]
fn each_that_is_kept_is_needed(#[case] without: Option<Capability>) -> Result<()> {
    needs_root!();
    lift_memory_limit()?;
    let had = KEPT.into_iter().filter(|it| Some(*it) != without).collect();
    // A thread's capabilities are its own.
    let tried = thread::spawn(move || {
        caps::set(None, CapSet::Effective, &had)?;
        load()
    });
    let loaded = tried.join().map_err(|_| anyhow!("it panicked"))?;
    assert_eq!(loaded.is_ok(), without.is_none(), "{loaded:?}");
    Ok(())
}

/// Has the kernel check the programs and make their maps, as the agent does.
fn load() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let interfaces = vec!["eth0".to_owned()];
    let config = Config::load(Input { file: Some(file.path().to_owned()), interfaces, ..Input::default() })?;
    let mut shared = Shared::open(Pinned::passing(DEFAULT_PINS.as_ref())?)?;
    let sensors = shared.assign(&config.sensors, &[])?;
    let options =
        Options { config: &config, sensors: &sensors, constituencies: &[], guarded: false, tools: true };
    Loaded::new(&options, &mut shared).map(drop)
}

/// Every thread is refused system calls; a reload that names another folder is refused where the kernel has Landlock, and a
/// restart takes it.
#[test]
fn it_keeps_to_what_its_configuration_named() -> Result<()> {
    needs_root!();
    let host = Host::new()?;
    host.prepare()?;
    let mut agent = host.start()?;
    let threads = of_threads(agent.pid(), &["Seccomp:", "NoNewPrivs:"])?;
    ensure!(threads.chunks(2).all(|thread| thread == ["2", "1"]), "{threads:?}");
    let confined = host.confinement()?;
    assert_eq!(confined["seccomp"], true, "{confined}");
    let by_landlock = confined["landlock"].is_number();
    let words =
        if by_landlock { "confined: files by Landlock (ABI " } else { "since the kernel has no Landlock" };
    until(|| Ok(agent.stderr().contains(words)), || agent.stderr())?;

    let other = folder()?;
    let path = other.path().display().to_string();
    let kept = format!("\"{}/evidence\"", host.store.path().display());
    let elsewhere = host.config("drain_interval = \"1s\"").replace(&kept, &format!("\"{path}\""));
    agent.rewrite_config(&elsewhere)?;
    let said = host.ask(&["reload"])?;
    assert_eq!(said.code, i32::from(by_landlock), "{said:?}");
    if by_landlock {
        ensure!(said.stderr.contains(&path) && said.stderr.contains("restart it"), "{said:?}");
    }
    let mut truth = Counts::default();
    let sender = Sender::new(&host.wire)?;
    send(&sender, 10, &mut truth)?;
    assert_eq!(agent.counts()?, truth, "it goes on all the same");
    agent.rewrite_config(&host.config("drain_interval = \"2s\""))?;
    let said = host.ask(&["reload"])?;
    assert_eq!(said.code, 0, "{said:?}");

    agent.stop(Signal::SIGTERM)?;
    let agent = host.start_with(&elsewhere)?;
    until(|| Ok(fs::read_dir(other.path())?.count() > 0), || agent.stderr())
}

/// Files that others replace are read anew, all that is written and listened at is there, and nothing beside.
#[test]
fn it_follows_its_files_while_it_is_confined() -> Result<()> {
    needs_root!();
    let host = Host::new()?;
    host.prepare()?;
    let (lists, notices, outside) = (folder()?, folder()?, folder()?);
    let list = lists.path().join("scanners.csv");
    let (log, socket) = (notices.path().join("notices.jsonl"), host.sockets.path().join("p.sock"));
    fs::write(&list, "192.0.2.0/24,Example Scan\n")?;
    let config = host.config(&format!(
        "drain_interval = \"1s\"\n[sources]\nknown_scanners = \"{}\"\n[page]\npath = \"{}\"\n[notices]\nlog = \"{}\"\n\
         [[constituency]]\nname = \"ours\"\nprefixes = [\"203.0.113.0/24\"]",
        list.display(),
        socket.display(),
        log.display()
    ));
    let agent = host.start_with(&config)?;
    until(|| Ok(log.exists() && socket.exists()), || agent.stderr())?;
    let new = lists.path().join("new.csv");
    fs::write(&new, "203.0.113.0/24,Example Scan\n")?;
    fs::rename(&new, &list)?;
    let times_read = || agent.stderr().matches("scanners.csv is read anew").count();
    until(|| Ok(times_read() > 0), || agent.stderr())?;
    // Somebody cleans up: the socket is made anew.
    fs::remove_file(&socket)?;
    until(|| Ok(UnixStream::connect(&socket).is_ok()), || agent.stderr())?;
    let mut page = UnixStream::connect(&socket)?;
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    page.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let status = host.ask(&["status"])?;
    assert_eq!(status.code, 0, "nothing is refused that it needs: {status:?}");

    let before = times_read();
    // The user may read it, and the agent did not know of its folder.
    let elsewhere = outside.path().join("list");
    fs::write(&elsewhere, "198.51.100.0/24,Example Scan\n")?;
    symlink(&elsewhere, &new)?;
    fs::rename(&new, &list)?;
    let by_landlock = host.confinement()?["landlock"].is_number();
    let is_refused = |line: &str| {
        ["scanners.csv", "(os error 13)", "and restart the agent"].iter().all(|words| line.contains(words))
    };
    until(
        || Ok(if by_landlock { agent.stderr().lines().any(is_refused) } else { times_read() > before }),
        || agent.stderr(),
    )
}
