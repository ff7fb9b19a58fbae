//! The programs by themselves: `BPF_PROG_TEST_RUN` over one frame, again and again.
//!
//! Where ports and sources are random, a program in front draws them for each packet; the same one is in
//! front of the probes that the figure is compared with, so it cancels out. In each round all cases
//! run once, in another order, each after both probes.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::SplitMix64;
use sensor_harness::bpf::{self, XdpAction};

use crate::clock::CpuClock;
use crate::configuration::{Configuration, Subject};
use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use crate::pinned::pinned;
use crate::programs::{self, Destination, Draw, Drawing};
use crate::sample::{Probes, Sample};
use crate::sensor::{Growth, slots_grown};
use crate::traffic::{self, Traffic};

/// Measures all of them; the other build's too, if there is one.
///
/// # Errors
/// Without root, or when a program gives another verdict than it should, or does not count every packet.
pub fn measure(effort: &Effort, against: Option<&Path>) -> Result<Vec<Figure>> {
    pinned(|| measure_here(effort, against))
}

fn measure_here(effort: &Effort, against: Option<&Path>) -> Result<Vec<Figure>> {
    let mut sensors = Counting::all(against)?;
    let traffics = traffic::all();
    let mut runs = Vec::new();
    for traffic in &traffics {
        runs.extend(Run::all(traffic, &sensors)?);
    }
    for run in &mut runs {
        run.check(&mut sensors)
            .with_context(|| format!("{}: this is not what is to be measured", run.figure.what))?;
    }
    let mut random = SplitMix64::seed_from_u64(0x00be_4c4e);
    let mut order: Vec<usize> = (0..runs.len()).collect();
    // The first round only warms up.
    for round in 0..=effort.rounds {
        order.shuffle(&mut random);
        for &number in &order {
            let sample = runs[number].measure(&mut sensors, effort.packets)?;
            if round > 0 {
                runs[number].figure.samples.push(sample);
            }
        }
    }
    sensors.iter_mut().try_for_each(Counting::balance)?;
    Ok(runs.into_iter().map(|run| run.figure).collect())
}

/// A sensor, what it had counted when it was loaded, and what it must have counted since.
struct Counting {
    configuration: Configuration,
    sensor: Subject,
    start: Growth,
    expected: Growth,
}

impl Counting {
    fn all(against: Option<&Path>) -> Result<Vec<Self>> {
        let other = against.map(|_| Configuration::Other);
        let load = |configuration: Configuration| {
            let mut sensor = configuration.load(against)?;
            let start = sensor.total()?;
            Ok(Self { configuration, sensor, start, expected: Growth::default() })
        };
        Configuration::OWN.into_iter().chain(other).map(load).collect()
    }

    /// Whether every packet of every run was counted, and no other.
    fn balance(&mut self) -> Result<()> {
        let Self { configuration, sensor, start, expected } = self;
        let counted = sensor.total()?.since(*start);
        ensure!(counted == *expected, "{configuration:?}: counted {counted:?} of {expected:?}");
        Ok(())
    }
}

/// A figure in the making.
struct Run<'a> {
    figure: Figure,
    traffic: &'a Traffic,
    /// `None`: a probe, run as if it were to be measured.
    sensor: Option<usize>,
    subject: Program,
    probes: Rc<Pair>,
}

/// The probes of a kind of packets, which all of its figures share.
struct Pair {
    dropping: Program,
    reading: Program,
}

/// A program, behind one that draws if anything is drawn.
struct Program {
    program: OwnedFd,
    /// What it jumps to is in a table of its own.
    _drawing: Option<Drawing>,
}

impl Program {
    fn new(program: BorrowedFd<'_>, draw: Option<Draw>) -> Result<Self> {
        let drawing = draw.map(Drawing::new).transpose()?;
        let program = match &drawing {
            Some(drawing) => drawing.before(program)?,
            None => program,
        };
        Ok(Self { program: program.try_clone_to_owned()?, _drawing: drawing })
    }

    /// Runs it over so many packets, half as many before that fill the caches, and says how many nanoseconds each
    /// took.
    fn time(&self, frame: &[u8], packets: u32, verdict: XdpAction) -> Result<f64> {
        self.run(frame, packets / 2, verdict)?;
        let (time, ()) = CpuClock::of_this_thread().time(|| self.run(frame, packets, verdict))?;
        Ok(time.as_secs_f64() * 1e9 / f64::from(packets))
    }

    fn run(&self, frame: &[u8], packets: u32, verdict: XdpAction) -> Result<()> {
        let got = bpf::test_run(self.program.as_fd(), frame, packets)?;
        ensure!(got == verdict as u32, "the verdict is {got}, not {}", verdict as u32);
        Ok(())
    }
}

impl<'a> Run<'a> {
    /// For a kind of packets both probes, then the sensors that see it.
    fn all(traffic: &'a Traffic, sensors: &[Counting]) -> Result<Vec<Self>> {
        let (dropping, reading) = (programs::only(XdpAction::Drop)?, programs::reading()?);
        let probes = Rc::new(Pair {
            dropping: Program::new(dropping.as_fd(), traffic.draw)?,
            reading: Program::new(reading.as_fd(), traffic.draw)?,
        });
        let run = |id: &str, what: &str, program: BorrowedFd<'_>, sensor| {
            let (id, what) = (format!("path.{}.{id}", traffic.id), format!("{}: {what}", traffic.what));
            anyhow::Ok(Run {
                figure: Figure::new(Section::Path, id, what, Unit::Nanoseconds),
                traffic,
                sensor,
                subject: Program::new(program, traffic.draw)?,
                probes: Rc::clone(&probes),
            })
        };
        let mut runs = vec![
            run("bare", "XDP_DROP alone", dropping.as_fd(), None)?,
            run("reading", "XDP_DROP after reading the ports", reading.as_fd(), None)?,
        ];
        for (number, Counting { configuration, sensor, .. }) in sensors.iter().enumerate() {
            if traffic.sensors.contains(configuration) {
                let (id, what) = configuration.names();
                runs.push(run(id, what, sensor.program(), Some(number))?);
            }
        }
        Ok(runs)
    }

    /// The probes, then the program.
    fn measure(&mut self, sensors: &mut [Counting], packets: u32) -> Result<Sample> {
        let frame = &self.traffic.frame;
        let most = self.sensor.map_or(u32::MAX, |number| sensors[number].configuration.most_packets());
        let packets = packets.min(most);
        let verdict = self.prepare(sensors, u64::from(packets) + u64::from(packets / 2))?;
        let dropping = self.probes.dropping.time(frame, packets, XdpAction::Drop)?;
        let reading = self.probes.reading.time(frame, packets, XdpAction::Drop)?;
        let value = self.subject.time(frame, packets, verdict).with_context(|| self.figure.what.clone())?;
        Ok(Sample { value, probes: Some(Probes { dropping, reading }) })
    }

    /// Has the host send what the packets answer, and says what becomes of so many of them.
    fn prepare(&self, sensors: &mut [Counting], packets: u64) -> Result<XdpAction> {
        let Some(number) = self.sensor else { return Ok(XdpAction::Drop) };
        let Counting { configuration, sensor, expected, .. } = &mut sensors[number];
        // Again and again: what the host uses is forgotten after a while.
        self.traffic.sent.iter().try_for_each(|frame| sensor.sends(frame))?;
        sensor.take_evidence()?;
        let growth = if self.traffic.answers { &mut expected.passed } else { &mut expected.unsolicited };
        *growth += packets;
        let passes = self.traffic.answers || *configuration == Configuration::Observe;
        Ok(if passes { XdpAction::Pass } else { XdpAction::Drop })
    }

    /// Whether the sensor counts each packet, in as many slots as ports are drawn.
    fn check(&mut self, sensors: &mut [Counting]) -> Result<()> {
        const PACKETS: u32 = 4_096;
        let verdict = self.prepare(sensors, PACKETS.into())?;
        let run = || self.subject.run(&self.traffic.frame, PACKETS, verdict);
        let Some(sensor) = self.sensor.map(|number| &mut sensors[number].sensor) else { return run() };
        let (total, before) = (sensor.total()?, sensor.snapshot()?);
        run()?;
        let counted = sensor.total()?.since(total).packets();
        ensure!(counted == u64::from(PACKETS), "of {PACKETS} packets {counted} were counted");
        let (Some(before), Some(after)) = (before, sensor.snapshot()?) else { return Ok(()) };
        let slots = slots_grown(&before, &after);
        let right = match self.traffic.draw.map(Draw::destination) {
            _ if self.traffic.answers => slots == 0,
            // Of so many draws of one port in 65,536, 3,972 differ, give or take 11; of half as many 2,016.
            Some(Destination::Random) => slots > 3_800,
            Some(Destination::Skewed) => (1_900..2_150).contains(&slots),
            Some(Destination::One) | None => slots == 1,
        };
        ensure!(right, "{PACKETS} packets were counted in {slots} slots");
        Ok(())
    }
}
