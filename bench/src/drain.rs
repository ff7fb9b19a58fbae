//! Drains by the agent's own code: how long it takes to read every counter of every sensor, while nothing
//! arrives and while all other CPUs count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use sensor_harness::bpf;
use sensor_harness::frame::frame;
use sensor_harness::sender::{cpus, pin_to_cpu};
use sensor_user::counters::Snapshot;

use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use crate::machine::Machine;
use crate::programs::{Draw, Drawing};
use crate::sensor::{Growth, Sensor, Work, sensors, slots_grown};
use crate::statistics::from_usize;

/// Measures them for each number of sensors.
///
/// # Errors
/// Without root, or when not every packet is found in the counters.
pub fn measure(effort: &Effort, machine: &Machine) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for &count in effort.sensors {
        let mut drains = Drains::new(count)?;
        let few = drains.take(effort.readings)?;
        drains.touch_every_port()?;
        let all = drains.take(effort.readings)?;
        let loaded = drains.take_under_load(effort.readings)?;
        // One sensor is enough: with 16 it would take half a minute.
        let set = if count == 1 { drains.set_every_page()?.take(effort.readings)? } else { Vec::new() };
        let name = if count == 1 { "1 sensor".to_owned() } else { format!("{count} sensors") };
        let figure = |id: &str, what: &str, samples: &[f64]| {
            let (id, what) = (format!("drain.{count}.{id}"), format!("{name}, {what}"));
            Figure::new(Section::Drain, id, what, Unit::Milliseconds).with(samples.iter().copied())
        };
        let pairs = f64::from(count) * from_usize(machine.possible_cpus());
        let [each, quiet, set] =
            [&loaded, &all, &set].map(|times| times.iter().map(|time| time / pairs).collect::<Vec<_>>());
        let first = format!("drain.{}.few", effort.sensors[0]);
        figures.extend([
            figure("few", "one port has counted", &few).against(&first),
            figure("all", "every TCP port has counted", &all).against(&first),
            figure("loaded", "every TCP port has counted, under load", &loaded).against(&first),
            figure("each", "under load, for each sensor and CPU", &each),
            figure("quiet", "every TCP port has counted, for each sensor and CPU", &quiet),
        ]);
        if count == 1 {
            let what = "all pages have counters that were set, for each sensor and CPU";
            figures.push(figure("set", what, &set));
        }
    }
    Ok(figures)
}

/// Sensors whose counters are drained.
struct Drains {
    sensor: Sensor,
    count: u8,
    start: Snapshot,
    /// Packets that were counted since.
    packets: u64,
    frame: Vec<u8>,
    /// The CPU that drains, and those that count.
    reader: usize,
    counting: Vec<usize>,
}

/// Packets in one call to the kernel.
const PACKETS: u32 = 1 << 16;

impl Drains {
    fn new(count: u8) -> Result<Self> {
        let mut sensor = Sensor::load(&sensors(count), Work::default())?;
        let start = sensor.counters.drain()?;
        let frame = frame().ipv4().tcp(80).syn().padded(60).bytes();
        bpf::test_run(sensor.program(), &frame, PACKETS)?;
        let cpus = cpus()?;
        let (&reader, others) = cpus.split_first().context("there is no CPU")?;
        let counting = if others.is_empty() { vec![reader] } else { others.to_vec() };
        Ok(Self { sensor, count, start, packets: PACKETS.into(), frame, reader, counting })
    }

    /// So many drains, in milliseconds.
    fn take(&mut self, readings: usize) -> Result<Vec<f64>> {
        let counters = &mut self.sensor.counters;
        let reader = self.reader;
        let take = move || {
            pin_to_cpu(reader)?;
            let mut times = Vec::new();
            // The first one gets its memory.
            for reading in 0..=readings {
                let start = Instant::now();
                let snapshot = counters.drain()?;
                if reading > 0 {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
                counters.reuse(snapshot);
            }
            Ok(times)
        };
        thread::scope(|scope| joined(scope.spawn(take)))
    }

    /// Likewise, while all other CPUs count.
    fn take_under_load(&mut self, readings: usize) -> Result<Vec<f64>> {
        let stop = AtomicBool::new(false);
        let program = self.sensor.program().try_clone_to_owned()?;
        let (frame, count) = (self.frame.clone(), self.count);
        let counting = self.counting.clone();
        let (times, packets) = thread::scope(|scope| {
            let load = |cpu| {
                let (stop, program, frame) = (&stop, &program, &frame);
                scope.spawn(move || {
                    pin_to_cpu(cpu)?;
                    let drawing = Drawing::new(Draw::ipv4().any_of(count))?;
                    let mut packets = 0;
                    while !stop.load(Ordering::Relaxed) {
                        packets += run(&drawing, program, frame)?;
                    }
                    Ok(packets)
                })
            };
            let loads: Vec<_> = counting.into_iter().map(load).collect();
            let times = self.take(readings);
            stop.store(true, Ordering::Relaxed);
            let packets = loads.into_iter().map(joined).sum::<Result<u64>>();
            anyhow::Ok((times?, packets?))
        })?;
        self.packets += packets;
        self.balance()?;
        Ok(times)
    }

    /// Has every CPU count at nearly every port of every sensor.
    fn touch_every_port(&mut self) -> Result<()> {
        // Of so many draws for each port, one port in 150 is left out.
        let now = self.count_everywhere(5)?;
        let touched = slots_grown(&self.start, &now);
        let ports = usize::from(self.count) << 16;
        ensure!(touched > ports / 100 * 98, "{touched} of {ports} ports have counted");
        Ok(())
    }

    /// Has every CPU set some counter of each page: that takes 512 packets to one of its 2,048 ports.
    fn set_every_page(&mut self) -> Result<&mut Self> {
        self.count_everywhere(520)?;
        Ok(self)
    }

    /// Has every CPU count so many packets for each port of every sensor, to random ones.
    fn count_everywhere(&mut self, packets: u32) -> Result<Snapshot> {
        let drawing = Drawing::new(Draw::ipv4().any_of(self.count))?;
        let program = self.sensor.program().try_clone_to_owned()?;
        let frame = &self.frame;
        for cpu in cpus()? {
            let count = || {
                pin_to_cpu(cpu)?;
                let calls = packets * u32::from(self.count);
                (0..calls).map(|_| run(&drawing, &program, frame)).sum::<Result<u64>>()
            };
            self.packets += thread::scope(|scope| joined(scope.spawn(count)))?;
        }
        self.balance()
    }

    /// Whether every packet was counted.
    fn balance(&mut self) -> Result<Snapshot> {
        let now = self.sensor.counters.drain()?;
        let counted = Growth::between(&self.start, &now);
        ensure!(
            counted == Growth { unsolicited: self.packets, passed: 0 },
            "counted {counted:?} of {} packets",
            self.packets
        );
        Ok(now)
    }
}

fn run(drawing: &Drawing, program: &impl std::os::fd::AsFd, frame: &[u8]) -> Result<u64> {
    bpf::test_run(drawing.before(program.as_fd())?, frame, PACKETS)?;
    Ok(PACKETS.into())
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread of the benchmark panicked"))?
}
