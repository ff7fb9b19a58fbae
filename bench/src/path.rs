//! The programs by themselves: `BPF_PROG_TEST_RUN` over one frame, again and again.
//!
//! Where ports and sources are random, a program in front draws them for each packet; the same one is in
//! front of the bare `XDP_DROP` that the figure is compared with, so it cancels out. In each round all cases
//! run once, in another order.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::SplitMix64;
use sensor_harness::bpf::{self, XdpAction};
use sensor_harness::sender::{cpus, pin_to_cpu};
use sensor_user::counters::Snapshot;

use crate::clock::CpuClock;
use crate::configuration::Configuration;
use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use crate::programs::{self, Drawing};
use crate::sensor::{Growth, Sensor, slots_grown};
use crate::traffic::{self, Traffic};

/// A figure in the making.
struct Run {
    figure: Figure,
    traffic: usize,
    /// `None`: the program that only drops.
    sensor: Option<usize>,
}

/// Measures all of them.
///
/// # Errors
/// Without root, or when a program gives another verdict than it should, or does not count every packet.
pub fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    // On one CPU, whose caches have what they have on a busy sensor; a thread of its own, so that nothing else
    // stays there.
    let measuring = || {
        pin_to_cpu(*cpus()?.last().context("there is no CPU")?)?;
        measure_here(effort)
    };
    thread::scope(|scope| scope.spawn(measuring).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

fn measure_here(effort: &Effort) -> Result<Vec<Figure>> {
    let mut parts = Parts::load()?;
    let mut runs = parts.runs();
    for run in &runs {
        parts
            .check(run)
            .with_context(|| format!("{}: this is not what is to be measured", run.figure.what))?;
    }
    let mut random = SplitMix64::seed_from_u64(0x00be_4c4e);
    let mut order: Vec<usize> = (0..runs.len()).collect();
    // The first round only warms up.
    for round in 0..=effort.rounds {
        order.shuffle(&mut random);
        for &number in &order {
            let run = &mut runs[number];
            let program = parts.program(run)?;
            // So that the caches have what this program needs.
            parts.run(program.as_fd(), run, effort.packets / 2)?;
            let time = parts.run(program.as_fd(), run, effort.packets)?;
            if round > 0 {
                run.figure.samples.push(time.as_secs_f64() * 1e9 / f64::from(effort.packets));
            }
        }
    }
    parts.balance()?;
    Ok(runs.into_iter().map(|run| run.figure).collect())
}

/// What runs are made of.
struct Parts {
    bare: OwnedFd,
    sensors: Vec<Loaded>,
    traffics: Vec<Traffic>,
    /// What draws for each kind of packets.
    drawings: Vec<Option<Drawing>>,
}

/// A sensor, what it had counted when it was loaded, and what it must have counted since.
struct Loaded {
    configuration: Configuration,
    sensor: Sensor,
    start: Snapshot,
    expected: Growth,
}

impl Parts {
    fn load() -> Result<Self> {
        let sensors = Configuration::ALL.into_iter().map(|configuration| {
            let mut sensor = configuration.load()?;
            let start = sensor.counters.drain()?;
            anyhow::Ok(Loaded { configuration, sensor, start, expected: Growth::default() })
        });
        let sensors = sensors.collect::<Result<_>>()?;
        let traffics = traffic::all();
        let drawings = traffics.iter().map(|traffic| traffic.draw.map(Drawing::new).transpose());
        Ok(Self {
            bare: programs::only(XdpAction::Drop)?,
            sensors,
            drawings: drawings.collect::<Result<_>>()?,
            traffics,
        })
    }

    /// For each kind of packets the bare program, then the sensors.
    fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for (number, traffic) in self.traffics.iter().enumerate() {
            let figure = |id: &str, what: &str| {
                let (id, what) = (format!("path.{}.{id}", traffic.id), format!("{}: {what}", traffic.what));
                Figure::new(Section::Path, id, what, Unit::Nanoseconds)
            };
            let bare = figure("bare", "XDP_DROP alone");
            let baseline = bare.id.clone();
            runs.push(Run { figure: bare, traffic: number, sensor: None });
            let loaded = self.sensors.iter().enumerate();
            let seeing = loaded.filter(|(_, loaded)| traffic.sensors.contains(&loaded.configuration));
            runs.extend(seeing.map(|(sensor, loaded)| {
                let (id, what) = loaded.configuration.names();
                Run { figure: figure(id, what).against(&baseline), traffic: number, sensor: Some(sensor) }
            }));
        }
        runs
    }

    /// The program to run: what draws is told what comes after it.
    fn program(&mut self, run: &Run) -> Result<OwnedFd> {
        let target = match run.sensor {
            Some(number) => {
                let sensor = &mut self.sensors[number].sensor;
                // Again and again: what the host uses is forgotten after a while.
                self.traffics[run.traffic].sent.iter().try_for_each(|frame| sensor.sends(frame))?;
                sensor.program()
            }
            None => self.bare.as_fd(),
        };
        let program = match &self.drawings[run.traffic] {
            Some(drawing) => drawing.before(target)?,
            None => target,
        };
        Ok(program.try_clone_to_owned()?)
    }

    /// Runs it over so many packets, and says how long that took.
    fn run(&mut self, program: BorrowedFd<'_>, run: &Run, packets: u32) -> Result<Duration> {
        let traffic = &self.traffics[run.traffic];
        let (time, verdict) =
            CpuClock::of_this_thread().time(|| bpf::test_run(program, &traffic.frame, packets))?;
        let mut passes = false;
        if let Some(Loaded { configuration, expected, .. }) =
            run.sensor.map(|number| &mut self.sensors[number])
        {
            passes = traffic.answers || *configuration == Configuration::Observe;
            let growth = if traffic.answers { &mut expected.passed } else { &mut expected.unsolicited };
            *growth += u64::from(packets);
        }
        let right = if passes { XdpAction::Pass } else { XdpAction::Drop } as u32;
        ensure!(verdict == right, "{}: the verdict is {verdict}, not {right}", run.figure.what);
        Ok(time)
    }

    /// Whether the sensor counts each packet, and each draw is another port.
    fn check(&mut self, run: &Run) -> Result<()> {
        const PACKETS: u32 = 4_096;
        let program = self.program(run)?;
        let Some(number) = run.sensor else { return self.run(program.as_fd(), run, PACKETS).map(drop) };
        let before = self.sensors[number].sensor.counters.drain()?;
        self.run(program.as_fd(), run, PACKETS)?;
        let after = self.sensors[number].sensor.counters.drain()?;
        let counted = Growth::between(&before, &after).packets();
        ensure!(counted == u64::from(PACKETS), "of {PACKETS} packets {counted} were counted");
        let slots = slots_grown(&before, &after);
        let traffic = &self.traffics[run.traffic];
        // Of so many draws of one port in 65,536, 3,972 differ, give or take 11.
        let right = match traffic.draw {
            _ if traffic.answers => slots == 0,
            Some(draw) if draw.draws_destination() => slots > 3_800,
            _ => slots == 1,
        };
        ensure!(right, "{PACKETS} packets were counted in {slots} slots");
        Ok(())
    }

    /// Whether every packet of every run was counted, and no other.
    fn balance(&mut self) -> Result<()> {
        for Loaded { configuration, sensor, start, expected } in &mut self.sensors {
            let counted = Growth::between(start, &sensor.counters.drain()?);
            ensure!(counted == *expected, "{configuration:?}: counted {counted:?} of {expected:?}");
        }
        Ok(())
    }
}
