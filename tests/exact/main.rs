//! Two CPUs count while a third party reads, again and again: no value is ever too high, none ever goes backwards,
//! and in the end each is what was counted.
//!
//! `SENSOR_EXACT_PACKETS` says how many packets each pattern gets: 100,000,000 take all of them more than four minutes.

#[expect(dead_code, reason = "of the program in the kernel, only what loads it is needed here")]
#[path = "../common/mod.rs"]
mod common;
mod programs;

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use aya::maps::{IterableMap as _, Map, MapData, PerCpuArray};
use rstest::rstest;
use sensor_common::layout::{COUNTERS, Counter, HOT, PAGE_SLOTS, Page, SEQ, Slot, Words};
use sensor_harness::bpf;
use sensor_harness::frame::frame;
use sensor_harness::pace;
use sensor_harness::sender::{pin_to_cpu, two_cpus};
use sensor_harness::{needs, needs_root, skip};
use sensor_user::kernel::{Counters, DEFAULT_PINS, Loaded, Options, Pins, Shared, Variant};

use programs::{Front, LAST, Maps, Ports};

/// Packets of each pattern.
const PACKETS: usize = 2_000_000;
/// Packets in a call to the kernel.
const CALL: u32 = 8_192;

fn packets() -> Result<usize> {
    match std::env::var("SENSOR_EXACT_PACKETS") {
        Ok(packets) => packets.parse().context("SENSOR_EXACT_PACKETS is no number"),
        Err(_) => Ok(pace::amount(PACKETS)),
    }
}

/// Two programs and a reader need both CPUs: the tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loaded sensor that nothing is attached to.
struct Sensor {
    loaded: Loaded,
    counters: Counters,
    truth: OwnedFd,
    truth_map: PerCpuArray<MapData, Page>,
}

/// The values of all TCP ports.
type Values = Vec<Counter>;

const PORTS: usize = 65_536;

impl Sensor {
    fn load() -> Result<Self> {
        let config = common::config("")?;
        let mut shared = Shared::open(Pins::passing(DEFAULT_PINS.as_ref())?)?;
        let sensors = shared.assign(&config.sensors, &[])?;
        let options =
            Options { config: &config, sensors: &sensors, constituencies: &[], guarded: false, tools: true };
        let loaded = Loaded::new(&options, &mut shared)?;
        let truth = programs::truth()?;
        let data = MapData::from_fd(truth.try_clone()?)?;
        let truth_map = Map::from_map_data(data)?.try_into()?;
        Ok(Self { loaded, counters: shared.counters(&sensors)?, truth, truth_map })
    }

    /// What the agent's own reader says.
    fn values(&mut self) -> Result<Values> {
        let snapshot = self.counters.drain()?;
        let values = (0..=u16::MAX).map(|port| snapshot.sensors[0].get(Slot::tcp(port))).collect();
        self.counters.reuse(snapshot);
        Ok(values)
    }

    /// What was handed to the sensor so far.
    fn truth(&self) -> Result<Values> {
        let mut values = vec![Counter::default(); PORTS];
        for page in 0..32 {
            for cpu in self.truth_map.get(&page, 0)?.iter() {
                add_page(&mut values, page, &cpu.0);
            }
        }
        Ok(values)
    }
}

fn add_page(values: &mut Values, page: u32, counters: &[Counter]) {
    let first = (page * PAGE_SLOTS) as usize;
    for (value, counter) in values[first..].iter_mut().zip(counters) {
        value.packets += counter.packets;
        value.bytes += counter.bytes;
    }
}

/// What was wrong, in how many values.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wrong(BTreeMap<&'static str, usize>);

impl Wrong {
    fn note(&mut self, what: &'static str, is_wrong: bool) {
        if is_wrong {
            *self.0.entry(what).or_default() += 1;
        }
    }
}

/// The longest frame.
const LONGEST: u64 = 65_535;
const CPUS: u64 = 2;

/// Compares values with the truth read before them and after, and with those read before.
fn compare(before: &Values, values: &Values, after: &Values, earlier: &Values, wrong: &mut Wrong) {
    for (((before, value), after), earlier) in before.iter().zip(values).zip(after).zip(earlier) {
        wrong.note("too high", value.packets > after.packets || value.bytes > after.bytes);
        wrong.note("backwards", value.packets < earlier.packets || value.bytes < earlier.bytes);
        // On each CPU a packet may be on its way from the truth to the sensor.
        let is_low = value.packets + CPUS < before.packets || value.bytes + CPUS * LONGEST < before.bytes;
        wrong.note("too low", is_low);
    }
}

/// Has programs run on two CPUs, each over frames of these lengths in turn, and reads meanwhile; until all packets
/// are counted, or `is_enough` of what is wrong.
fn race(
    sensor: &mut Sensor,
    cpus: [usize; 2],
    programs: [BorrowedFd<'_>; 2],
    lengths: &[usize],
    packets: usize,
    mut values: impl FnMut(&mut Sensor) -> Result<Values>,
    is_enough: impl Fn(&Wrong) -> bool,
) -> Result<Wrong> {
    let frames: Vec<_> = lengths.iter().map(|&length| syn(length)).collect();
    let stop = AtomicBool::new(false);
    let calls = packets.div_ceil(2 * CALL as usize);
    thread::scope(|scope| {
        let counting: Vec<_> = cpus
            .into_iter()
            .zip(programs)
            .map(|(cpu, program)| {
                let (frames, stop) = (&frames, &stop);
                scope.spawn(move || {
                    pin_to_cpu(cpu)?;
                    for (_, frame) in (0..calls).zip(frames.iter().cycle()) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let action = bpf::test_run(program, frame, CALL)?;
                        ensure!(action == bpf::XdpAction::Drop as u32, "the program returned {action}");
                    }
                    Ok(())
                })
            })
            .collect();
        let mut wrong = Wrong::default();
        let mut earlier = vec![Counter::default(); PORTS];
        let mut read = || -> Result<()> {
            while !counting.iter().all(thread::ScopedJoinHandle::is_finished) && !is_enough(&wrong) {
                let before = sensor.truth()?;
                let now = values(sensor)?;
                compare(&before, &now, &sensor.truth()?, &earlier, &mut wrong);
                earlier = now;
            }
            Ok(())
        };
        let result = read();
        stop.store(true, Ordering::Relaxed);
        for counting in counting {
            counting.join().expect("no program's thread panics")?;
        }
        result?;
        let (now, truth) = (values(sensor)?, sensor.truth()?);
        for (value, truth) in now.iter().zip(&truth) {
            wrong.note("different in the end", value != truth);
        }
        Ok(wrong)
    })
}

/// A SYN of this many bytes.
fn syn(length: usize) -> Vec<u8> {
    let frame = frame().ipv4().tcp(80).syn();
    let headers = frame.clone().bytes().len();
    frame.payload(vec![0; length.saturating_sub(headers)]).padded(length).bytes()
}

#[rstest]
#[case::one_port(Ports::One(23), Variant::Linear, &[60])]
#[case::skewed_with_huge_frames(Ports::Skewed, Variant::MultiBuffer, &[60, 1_514, 65_535, 60, 700])]
#[case::random(Ports::Random, Variant::Linear, &[60, 61, 62, 74])]
#[case::few_ports_of_any_length(Ports::Few, Variant::MultiBuffer, &[54, 65_535, 9_000, 1_000, 33_333, 60])]
fn two_cpus_count_while_somebody_reads(
    #[case] ports: Ports,
    #[case] variant: Variant,
    #[case] lengths: &[usize],
) -> Result<()> {
    needs_root!();
    let cpus = needs!(two_cpus()?);
    let _turn = alone();
    let mut sensor = Sensor::load()?;
    let several_buffers = variant == Variant::MultiBuffer;
    if several_buffers && !sensor.loaded.has_multi_buffer() {
        skip!("the kernel is older than 5.18");
    }
    let program = sensor.loaded.xdp(variant)?.fd()?.as_fd().try_clone_to_owned()?;
    let front = || Front::new(ports, sensor.truth.as_fd(), program.as_fd(), several_buffers);
    let fronts = [front()?, front()?];
    let programs = [fronts[0].program(), fronts[1].program()];
    let wrong = race(&mut sensor, cpus, programs, lengths, packets()?, Sensor::values, |_| false)?;
    assert_eq!(wrong, Wrong::default());
    Ok(())
}

/// How many packets a control gets to go wrong in: hundreds of times what it takes.
const CONTROL: usize = 400_000_000;

/// The control: a reader that does not look again. Were the test blind, it would find nothing here either.
#[test]
fn a_reader_that_looks_once_is_found_out() -> Result<()> {
    needs_root!();
    let cpus = needs!(two_cpus()?);
    let _turn = alone();
    let mut sensor = Sensor::load()?;
    let counters: PerCpuArray<_, Page> = common::map(&mut sensor.loaded, COUNTERS)?.try_into()?;
    let words: PerCpuArray<_, Words> = common::map(&mut sensor.loaded, HOT)?.try_into()?;
    let looks_once = |_: &mut Sensor| -> Result<Values> {
        let mut values = vec![Counter::default(); PORTS];
        let words = words.get(&0, 0)?;
        for page in 0..4 {
            for (words, counters) in words.iter().zip(counters.get(&page, 0)?.iter()) {
                let first = (page * PAGE_SLOTS) as usize;
                let read: Vec<_> = words.0[first..]
                    .iter()
                    .zip(&counters.0)
                    .map(|(word, &counter)| word.read(counter))
                    .collect();
                add_page(&mut values, page, &read);
            }
        }
        Ok(values)
    };
    let program = sensor.loaded.xdp(Variant::Linear)?.fd()?.as_fd().try_clone_to_owned()?;
    let front = || Front::new(Ports::One(LAST), sensor.truth.as_fd(), program.as_fd(), false);
    let fronts = [front()?, front()?];
    let programs = [fronts[0].program(), fronts[1].program()];
    let wrong = race(&mut sensor, cpus, programs, &[60], CONTROL, looks_once, |wrong| !wrong.0.is_empty())?;
    ensure!(wrong.0.keys().any(|&what| what != "different in the end"), "nothing is wrong: {wrong:?}");
    Ok(())
}

/// The control: a program that raises the count of settings last, and is held up before it does.
#[test]
fn a_program_that_raises_the_settings_last_is_found_out() -> Result<()> {
    needs_root!();
    if pace::is_emulated() {
        skip!("processors that take turns hold no program up while another reads");
    }
    let cpus = needs!(two_cpus()?);
    let _turn = alone();
    let mut sensor = Sensor::load()?;
    let maps = [COUNTERS, HOT, SEQ].map(|name| common::map(&mut sensor.loaded, name));
    let [counters, hot, seq] = maps;
    let (counters, hot, seq): (PerCpuArray<_, Page>, PerCpuArray<_, Words>, PerCpuArray<_, [u64; 4]>) =
        (counters?.try_into()?, hot?.try_into()?, seq?.try_into()?);
    let wrong_order = programs::wrong_order(Maps {
        counters: counters.map().fd().as_fd(),
        hot: hot.map().fd().as_fd(),
        seq: seq.map().fd().as_fd(),
    })?;
    let front = || Front::new(Ports::One(LAST), sensor.truth.as_fd(), wrong_order.as_fd(), false);
    let fronts = [front()?, front()?];
    let programs = [fronts[0].program(), fronts[1].program()];
    let enough = |wrong: &Wrong| !wrong.0.is_empty();
    let wrong = race(&mut sensor, cpus, programs, &[60], CONTROL, Sensor::values, enough)?;
    ensure!(wrong.0.keys().any(|&what| what != "different in the end"), "nothing is wrong: {wrong:?}");
    Ok(())
}
