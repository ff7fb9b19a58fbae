//! The agent itself, attached to a wire of its own: what a scrape takes, and how much memory all of it has.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::mem;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::net::if_::if_nametoindex;
use sensor_common::layout;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::bpf;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::wire::Wire;

use crate::arrived::arrived;
use crate::clock::CpuClock;
use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use crate::machine::Machine;
use crate::programs::{Destination, Draw, Source};
use crate::sensor::sensors;
use crate::statistics::{from_u64, from_usize};

/// An agent's configuration, and what has arrived.
#[derive(Clone, Copy)]
struct Case {
    sensors: u8,
    /// Whether every TCP port has counted, or one.
    every_port: bool,
    /// Whether every port that has counted has a series.
    every_series: bool,
}

/// Measures agents with so many sensors.
///
/// # Errors
/// Without root, if an agent does not start, or does not count every packet.
pub fn measure(effort: &Effort, machine: &Machine, binary: &Path) -> Result<Vec<Figure>> {
    let mut cases = Vec::new();
    for &sensors in effort.sensors {
        cases.extend([false, true].map(|every_port| Case { sensors, every_port, every_series: false }));
    }
    if effort.every_port {
        cases.push(Case { sensors: 1, every_port: true, every_series: true });
    }
    let mut figures = Vec::new();
    for case in cases {
        figures.extend(case.measure(effort, machine, binary).with_context(|| case.name())?);
    }
    Ok(figures)
}

impl Case {
    fn id(self) -> String {
        let ports = if self.every_port { "all" } else { "few" };
        let series = if self.every_series { "every" } else { "default" };
        format!("agent.{}.{ports}.{series}", self.sensors)
    }

    fn name(self) -> String {
        let plural = if self.sensors == 1 { "" } else { "s" };
        let ports = if self.every_port { "every TCP port has counted" } else { "one port has counted" };
        let series = if self.every_series { ", a series for each" } else { "" };
        format!("{} sensor{plural}, {ports}{series}", self.sensors)
    }

    fn measure(self, effort: &Effort, machine: &Machine, binary: &Path) -> Result<Vec<Figure>> {
        let wire = Wire::new()?;
        let export = if self.every_series { "[export]\nmax_ports = 0\n" } else { "" };
        let agent = Launch::new(&wire.near.namespace)
            .binary(binary)
            .interface(&wire.near.name)
            .config(&(export.to_owned() + &sensors(self.sensors)))
            .argument("--mode")
            .argument("native")
            .start()?;
        let sent = self.send(&wire)?;
        // The first pages open the series that are new.
        for _ in 0..2 {
            agent.metrics()?;
        }
        let page = agent.metrics()?;
        let counted = Page::parse(&page)?.sum("sensor_packets_total", &[]);
        ensure!(counted == sent, "the agent's page has {counted} of {sent} packets");

        let (mut walls, mut times) = (Vec::new(), Vec::new());
        let clock = CpuClock::of_process(agent.pid())?;
        let mut answer = Vec::new();
        scrape(&agent, &mut answer)?;
        for _ in 0..effort.readings {
            let before = clock.now()?;
            let start = Instant::now();
            scrape(&agent, &mut answer)?;
            walls.push(start.elapsed().as_secs_f64() * 1e3);
            // A running thread's clock is only read at the kernel's next tick: let it fall asleep.
            thread::sleep(Duration::from_millis(12));
            times.push((clock.now()?.saturating_sub(before)).as_secs_f64() * 1e3);
        }
        let maps = Maps::of(&agent)?;
        let pairs = from_usize(usize::from(self.sensors) * machine.possible_cpus());
        let figure = |id: &str, what: &str, unit| {
            Figure::new(
                Section::Agent,
                format!("{}.{id}", self.id()),
                format!("{}: {what}", self.name()),
                unit,
            )
        };
        let against = |figure: Figure, id: &str| {
            let first = Self { sensors: effort.sensors[0], every_port: false, every_series: false };
            figure.against(format!("{}.{id}", first.id()))
        };
        let mut figures = vec![
            against(
                figure("scrape", "a scrape, from connecting to its last byte", Unit::Milliseconds),
                "scrape",
            )
            .with(walls),
            against(figure("cpu", "a scrape, the agent's CPU time", Unit::Milliseconds), "cpu").with(times),
            against(figure("page", "its page", Unit::Mebibytes), "page").with([mebibytes(page.len() as u64)]),
            against(figure("resident", "the agent's resident memory", Unit::Mebibytes), "resident")
                .with([mebibytes(resident(&agent)?)]),
        ];
        if !self.every_port {
            figures.extend([
                against(figure("maps", "the kernel's maps", Unit::Mebibytes), "maps")
                    .with([mebibytes(maps.all)]),
                figure("counters_each", "counters for each sensor and CPU", Unit::Mebibytes)
                    .with([mebibytes(maps.counters) / pairs]),
            ]);
        }
        Ok(figures)
    }

    /// Sends what is to be counted; says how many packets of it have arrived.
    fn send(self, wire: &Wire) -> Result<u64> {
        const PACKETS: u32 = 1 << 16;
        let draw = Draw::ipv4().any_of(self.sensors);
        let draw = if self.every_port { draw } else { draw.to(Destination::One) };
        // Of so many draws for each port, one port in 150 is left out.
        let calls = if self.every_port { 5 * u32::from(self.sensors) } else { 1 };
        let frame = frame().ipv4().tcp(80).syn().padded(60).bytes();
        wire.far.namespace.run(|| {
            let interface = if_nametoindex(wire.far.name.as_str())?;
            let source = Source::new(draw, interface)?;
            (0..calls).try_for_each(|_| bpf::send_live(source.program(), &frame, PACKETS))
        })??;
        // The receiver may still be at work.
        let mut now = arrived(&wire.near)?;
        loop {
            thread::sleep(Duration::from_millis(20));
            let before = mem::replace(&mut now, arrived(&wire.near)?);
            if now == before {
                return Ok(now);
            }
        }
    }
}

/// Gets the metrics into memory that is used again: what is measured is the agent, not the client.
fn scrape(agent: &AgentProcess, answer: &mut Vec<u8>) -> Result<()> {
    let mut connection = agent.connect()?;
    let host = connection.peer_addr()?;
    write!(connection, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    answer.clear();
    connection.read_to_end(answer).context("the page breaks off")?;
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "the agent has no page: {}", answer.escape_ascii());
    Ok(())
}

/// Bytes that the kernel has for the maps of a process.
struct Maps {
    all: u64,
    counters: u64,
}

impl Maps {
    /// As the kernel accounts for them (`memlock` in a descriptor's `fdinfo`).
    fn of(agent: &AgentProcess) -> Result<Self> {
        let mut maps = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{}/fdinfo", agent.pid()))? {
            // A descriptor may be closed meanwhile.
            let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
            let number = |key: &str| -> Option<u64> {
                text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')?.trim().parse().ok())
            };
            // A map may have several descriptors.
            if let (Some(map), Some(memory)) = (number("map_id"), number("memlock")) {
                // Of this size are pages of counters and elements of hot words, and nothing else.
                let counts = number("value_size") == Some(size_of::<layout::Page>() as u64);
                maps.insert(map, (memory, counts));
            }
        }
        ensure!(maps.values().any(|(_, counts)| *counts), "the agent has no map of counters");
        Ok(Self {
            all: maps.values().map(|(memory, _)| memory).sum(),
            counters: maps.values().filter(|(_, counts)| *counts).map(|(memory, _)| memory).sum(),
        })
    }
}

fn resident(agent: &AgentProcess) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.context("the kernel does not tell the agent's resident memory")? * 1024)
}

fn mebibytes(bytes: u64) -> f64 {
    from_u64(bytes) / f64::from(1 << 20)
}
