//! Real scanners at work: each SYN that a capture on their side holds is counted under the tool's name, and none under
//! another.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
use nix::unistd::Pid;
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::metrics::Page;
use sensor_harness::pace::until;
use sensor_harness::skip::{Missing, program};
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root, skip, workspace};

/// The sensor's addresses, to which the scanner's host has a route through the sensor's.
const MONITORED: &str = "198.18.0.0/24";
const CONFIG: &str = "[[sensor]]\nname = \"a\"\nprefixes = [\"198.18.0.0/24\"]\n";
/// The capture's file.
const SENT: &str = "sent.pcap";
/// SYNs to them, as tcpdump is asked for.
const SYNS: &str = "dst net 198.18.0.0/24 and tcp[tcpflags] & (tcp-syn|tcp-ack|tcp-rst|tcp-fin) == tcp-syn";

/// A sensor, and a host that scans it.
struct Scene {
    wire: Wire,
    agent: AgentProcess,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Result<Self> {
        let wire = Wire::new()?;
        wire.near.address("192.0.2.1/24")?;
        wire.far.address("192.0.2.2/24")?;
        wire.far.namespace.ip(&format!("route add {MONITORED} via 192.0.2.1"))?;
        // A veth's queue for native mode is shorter than what a scanner sends at once.
        let agent = Launch::new(&wire.near.namespace)
            .interface("sensor0")
            .argument("--mode")
            .argument("generic")
            .config(CONFIG)
            .start()?;
        Ok(Self { wire, agent, folder: tempfile::tempdir()? })
    }

    /// What the sensor's metrics say of each tool.
    fn tools(&self) -> Result<BTreeMap<String, u64>> {
        let page = Page::parse(&self.agent.metrics()?)?;
        let samples = page.samples().iter().filter(|sample| sample.name == "sensor_tool_packets_total");
        samples
            .map(|sample| {
                let tool = sample.labels.get("tool").context("a sample has no tool")?;
                let packets = sensor_harness::metrics::whole(sample.value).context("no count")?;
                Ok((tool.clone(), packets))
            })
            .collect()
    }

    /// Lets something scan; gives how many SYNs were sent to the sensor, as a capture on the sender's side has them.
    fn scanned(&self, scan: impl FnOnce(&Wire) -> Result<()>) -> Result<u64> {
        let capture = Capture::start(&self.wire, self.folder.path().join(SENT))?;
        scan(&self.wire)?;
        capture.end()?;
        self.sent("")
    }

    /// How many of them there were for which a filter of tcpdump's holds.
    fn sent(&self, filter: &str) -> Result<u64> {
        let mut read = Command::new("tcpdump");
        read.args(["-n", "--count", "-r"]).arg(self.folder.path().join(SENT)).arg(filter);
        let said = String::from_utf8_lossy(&read.output()?.stdout).into_owned();
        let count = said.split_whitespace().next().context("tcpdump counts nothing")?;
        count.parse().with_context(|| format!("tcpdump says {said:?}"))
    }

    /// All SYNs that were sent are counted under one name.
    fn check(&self, tool: &str, sent: u64) -> Result<()> {
        self.check_all(&[(tool, sent)])
    }

    /// All SYNs that were sent are counted under these names, and no other.
    fn check_all(&self, tools: &[(&str, u64)]) -> Result<()> {
        let expected: BTreeMap<_, _> = tools.iter().filter(|(_, sent)| *sent > 0).copied().collect();
        let sent = expected.values().sum();
        let all = || Ok::<_, anyhow::Error>(self.tools()?.values().sum::<u64>());
        until(|| Ok(all()? >= sent), || format!("{:?} of {sent} SYNs are counted", self.tools()))?;
        let counted = self.tools()?;
        let counted = counted.iter().filter(|(_, packets)| **packets > 0);
        let counted: BTreeMap<_, _> = counted.map(|(tool, packets)| (&**tool, *packets)).collect();
        ensure!(counted == expected, "{counted:?}, not {expected:?}");
        let page = Page::parse(&self.agent.metrics()?)?;
        let syns = page.sum("sensor_tcp_packets_total", &[("kind", "syn")]);
        assert_eq!(syns, sent, "SYNs by their flags");
        assert_eq!(page.sum("sensor_packets_total", &[("protocol", "tcp")]), syns, "TCP by port");
        Ok(())
    }
}

/// tcpdump at the scanner's side.
struct Capture(Child);

impl Capture {
    fn start(wire: &Wire, file: PathBuf) -> Result<Self> {
        let mut command = Command::new("tcpdump");
        // What waits in a buffer when it is told to end is lost.
        command.args(["--immediate-mode", "-n", "-s", "96", "-B", "65536", "-Z", "root"]);
        command.args(["-i", &wire.far.name, "-w"]);
        command.arg(file).arg(SYNS).stderr(Stdio::piped()).stdout(Stdio::null());
        wire.far.namespace.start_in(&mut command, Signal::SIGKILL);
        let mut tcpdump = command.spawn().context("cannot start tcpdump")?;
        let stderr = tcpdump.stderr.as_mut().context("no standard error")?;
        let listening = BufReader::new(stderr).lines().map_while(Result::ok);
        ensure!(listening.take(5).any(|line| line.contains("listening on")), "tcpdump does not listen");
        Ok(Self(tcpdump))
    }

    /// Has it write all that it has seen.
    fn end(mut self) -> Result<()> {
        thread::sleep(Duration::from_secs(1));
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGINT)?;
        self.0.wait()?;
        Ok(())
    }
}

/// A scanner with its arguments; `MAC` stands for the address of the sensor's host on the wire.
fn scan(wire: &Wire, scanner: &str, arguments: &str) -> Result<()> {
    let link = wire.near.namespace.ip("-br link show sensor0")?;
    let mac = link.split_whitespace().find(|word| word.matches(':').count() == 5).context("no address")?;
    let arguments: Vec<String> = arguments.split_whitespace().map(|word| word.replace("MAC", mac)).collect();
    let mut command = Command::new(scanner);
    command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    wire.far.namespace.start_in(&mut command, Signal::SIGKILL);
    let mut running = command.spawn().with_context(|| format!("cannot start {scanner}"))?;
    // masscan ends when the next packet comes in, whatever it is.
    while running.try_wait()?.is_none() {
        wire.near.namespace.command("ping", "-c 1 -W 1 192.0.2.2")?;
    }
    let output = running.wait_with_output()?;
    ensure!(output.status.success(), "{scanner}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn installed(scanner: &str) -> Result<(), Missing> {
    program(scanner)?;
    program("tcpdump")
}

#[rstest]
#[case::nmap(
    "nmap",
    "-sS -Pn -n -p 1-1500 --max-retries 1 --min-rate 2000 --max-rate 3000 --host-timeout 20s 198.18.0.0/30",
    "nmap_likely"
)]
#[case::masscan(
    "masscan",
    "198.18.0.0/24 -p1-60 --rate 3000 --wait 0 --interface sensor0 --source-ip 192.0.2.2 --router-mac MAC",
    "masscan"
)]
#[case::zmap(
    "zmap",
    "-p 23 -r 2000 -c 0 -b /dev/null -i sensor0 -S 192.0.2.2 -G MAC -P 4 -o /dev/null 198.18.0.0/24",
    "zmap"
)]
fn a_scanner_is_counted_under_its_name(
    #[case] scanner: &str,
    #[case] arguments: &str,
    #[case] tool: &str,
) -> Result<()> {
    needs_root!();
    needs!(installed(scanner));
    let scene = Scene::new()?;
    let sent = scene.scanned(|wire| scan(wire, scanner, arguments))?;
    ensure!(sent >= 1_000, "{scanner} sent {sent} SYNs only");
    scene.check(tool, sent)
}

/// `ZMap` from 4.1 on has no mark in its identifications, which are random; those that by chance are what earlier versions
/// had are counted as that.
#[rstest]
#[case::usual("windows", "zmap_likely")]
#[case::linux("linux", "zmap")]
#[case::bsd("bsd", "zmap")]
#[case::smallest("smallest-probes", "other")]
fn zmap_4_is_counted_as_what_its_packets_are(#[case] probes: &str, #[case] tool: &str) -> Result<()> {
    needs_root!();
    needs!(program("tcpdump"));
    let zmap = workspace().join("target/tools/zmap-4/zmap");
    if !zmap.is_file() {
        skip!(
            "zmap 4 is not here: `cargo xtask setup` brings it from Debian's sid, where that can be reached"
        );
    }
    let scene = Scene::new()?;
    let arguments = format!(
        "--probe-args={probes} -q -p 23 -r 2000 -c 0 -b /dev/null -i sensor0 -S 192.0.2.2 -G MAC -P 4 -o /dev/null \
         198.18.0.0/24"
    );
    let sent = scene.scanned(|wire| scan(wire, &zmap.display().to_string(), &arguments))?;
    ensure!(sent >= 1_000, "zmap sent {sent} SYNs only");
    let marked = if tool == "zmap" { sent } else { scene.sent("ip[4:2] = 54321")? };
    scene.check_all(&[(tool, sent - marked), ("zmap", marked)])
}

/// Attempts to connect by the operating system: no rule that holds by chance holds for what sets DF, so not one in 100,000
/// is expected to be told as a tool's.
#[test]
fn ordinary_attempts_to_connect_are_nobodys() -> Result<()> {
    needs_root!();
    needs!(installed("tcpdump"));
    let scene = Scene::new()?;
    let attempts = if sensor_harness::pace::is_emulated() { 5_000 } else { 100_000 };
    let sent = scene.scanned(|wire| wire.far.namespace.run(|| attempt(attempts))?)?;
    // Before the first neighbour is known, some wait for it in vain.
    ensure!(sent >= u64::from(attempts) * 9 / 10, "{sent} SYNs of {attempts} attempts");
    scene.check("other", sent)
}

fn attempt(attempts: u32) -> Result<()> {
    for attempt in 0..attempts {
        let [.., third, last] = attempt.to_be_bytes();
        let to = SocketAddrV4::new(Ipv4Addr::new(198, 18, 0, last), 1 + u16::from(third));
        let socket = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        match connect(socket.as_raw_fd(), &SockaddrIn::from(to)) {
            Ok(()) | Err(nix::errno::Errno::EINPROGRESS) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot connect to {to}")),
        }
        // The queue on the way holds a thousand.
        if attempt % 128 == 127 {
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}
