//! Real programs on and around a sensor host, while scans arrive: what the operator needs works, and no
//! scan gets an answer.
//!
//! Each errand is a program with its real counterpart, over IPv4 and IPv6. The same errands are run
//! without an agent, which shows that the world itself works, and with one.

mod errands;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{slice, thread};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::Slot;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::counts::Counts;
use sensor_harness::needs;
use sensor_harness::pins::Pins;
use sensor_harness::sender::two_cpus;
use sensor_harness::world::{self, Family, Flood, NIC, Place, RULE, SENSOR, World};

use errands::{ERRANDS, Errand, QUICK_ERRANDS, Sessions, echo_to_stranger};

/// What is on the host's NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    Absent,
    Observing,
    Dropping,
}

impl Attached {
    /// How to start the agent; without one there is no need to.
    fn launch(self, world: &World, pins: &Pins) -> Option<Launch> {
        let config = format!("{SENSOR}{RULE}");
        let launch = Launch::new(world.at(Place::Host)).interface(NIC).config(&config).pins(pins);
        match self {
            Self::Absent => None,
            Self::Observing => Some(launch.argument("--observe")),
            Self::Dropping => Some(launch),
        }
    }

    fn start(self, world: &World, pins: &Pins) -> Result<Option<AgentProcess>> {
        self.launch(world, pins).map(Launch::start).transpose()
    }
}

#[rstest]
#[case::without_a_sensor(Attached::Absent)]
#[case::observing(Attached::Observing)]
#[case::dropping(Attached::Dropping)]
fn everything_works_while_scans_arrive(#[case] sensor: Attached) -> Result<()> {
    needs!(world::possible());
    let world = World::new()?;
    let pins = Pins::new()?;
    // These are there before the sensor is.
    let mut sessions = Sessions::open(&world)?;
    let agent = sensor.start(&world, &pins)?;
    let flood = Flood::start(&world)?;
    let worked = (|| {
        sessions.still_work("once the sensor is there")?;
        run(ERRANDS, &world)?;
        sessions.still_work("after everything else")
    })();
    explained(worked, agent.as_ref())?;
    let pings = Family::BOTH.map(|family| echo_to_stranger(&world, family));
    let mut truth = flood.stop()?;

    for ((asked, answered), family) in
        pings.into_iter().collect::<Result<Vec<_>>>()?.into_iter().zip(Family::BOTH)
    {
        ensure!(
            answered == if sensor == Attached::Dropping { 0 } else { asked },
            "the host answered {answered} of a stranger's {asked} echo requests"
        );
        truth.merge(&echo_requests(asked, family));
    }
    account_for(&truth, sensor, &world, agent.as_ref())
}

/// What is sent on one CPU and answered on the other is one conversation.
#[rstest]
#[case::without_a_sensor(Attached::Absent)]
#[case::observing(Attached::Observing)]
#[case::dropping(Attached::Dropping)]
fn egress_and_ingress_on_two_cpus(#[case] sensor: Attached) -> Result<()> {
    needs!(world::possible());
    let [one, other] = needs!(two_cpus()?);
    for (host, others) in [(one, other), (other, one)] {
        let world = World::on_cpus(host, others)?;
        let pins = Pins::new()?;
        let agent = sensor.start(&world, &pins)?;
        let flood = Flood::start(&world)?;
        explained(run(QUICK_ERRANDS, &world), agent.as_ref())?;
        account_for(&flood.stop()?, sensor, &world, agent.as_ref())?;
    }
    Ok(())
}

/// How often the agent is killed.
const KILLS: usize = 100;
/// At the latest so long after it was started: when it loads, when it attaches, when it runs.
const LONGEST_LIFE: u32 = 300;

#[rstest]
#[case::observing(Attached::Observing)]
#[case::dropping(Attached::Dropping)]
fn everything_works_while_the_agent_is_killed(#[case] sensor: Attached) -> Result<()> {
    needs!(world::possible());
    let world = World::new()?;
    let pins = Pins::new()?;
    let mut sessions = Sessions::open(&world)?;
    let mut random = SplitMix64::seed_from_u64(9);
    let mut agent = sensor.start(&world, &pins)?.context("the sensor is there")?;
    let flood = Flood::start(&world)?;
    let done = AtomicBool::new(false);
    let errands = thread::scope(|scope| {
        let working = scope.spawn(|| work_until(&done, &world, &mut sessions));
        let killed = (0..KILLS).try_for_each(|_| {
            thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE).into()));
            ensure!(agent.ended()?.is_none(), "the agent ended by itself: {}", agent.last_words());
            agent.stop(Signal::SIGKILL)?;
            agent = sensor.launch(&world, &pins).context("the sensor is there")?.spawn()?;
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        let worked = working.join().expect("no errand panics");
        killed.and(worked)
    })?;
    agent.stop(Signal::SIGKILL)?;
    let agent = sensor.start(&world, &pins)?.context("the sensor is there")?;
    println!("{errands} errands during {KILLS} kills");
    let truth = flood.stop()?;
    account_for(&truth, sensor, &world, Some(&agent))
}

/// Runs one errand after the other, each at least once; gives how many.
fn work_until(done: &AtomicBool, world: &World, sessions: &mut Sessions) -> Result<usize> {
    let mut finished = 0;
    for errand in ERRANDS.iter().cycle() {
        if finished >= ERRANDS.len() && done.load(Ordering::Relaxed) {
            break;
        }
        run(slice::from_ref(errand), world)?;
        sessions.still_work("while the agent is killed")?;
        finished += 1;
    }
    Ok(finished)
}

/// Runs errands over both families.
fn run(errands: &[Errand], world: &World) -> Result<()> {
    for (name, errand) in errands {
        for family in Family::BOTH {
            let start = Instant::now();
            errand(world, family).with_context(|| format!("{name}, {family:?}"))?;
            println!("{name}, {family:?}: {:?}", start.elapsed());
        }
    }
    Ok(())
}

/// Adds to a failure what the agent knows.
fn explained(result: Result<()>, agent: Option<&AgentProcess>) -> Result<()> {
    result.with_context(|| {
        agent.map_or_else(
            || "without a sensor".to_owned(),
            |agent| {
                format!(
                    "the agent passed {:?} and said: {}",
                    agent.counts().map(|it| it.passed),
                    agent.stderr()
                )
            },
        )
    })
}

/// A stranger's echo requests as the sensor counts them.
fn echo_requests(packets: u64, family: Family) -> Counts {
    // Ethernet, IP, ICMP, and ping's 56 bytes.
    let (slot, length) = match family {
        Family::V4 => (Slot::ECHO_REQUEST, 14 + 20 + 8 + 56),
        Family::V6 => (Slot::ECHO_REQUEST_V6, 14 + 40 + 8 + 56),
    };
    let mut counts = Counts::default();
    (0..packets).for_each(|_| counts.add(Verdict::Count { sensor: 0, slot }, length));
    counts
}

/// Every unsolicited packet was counted in its slot, and nothing else was: so no scan was let pass as
/// something else. No answer to a scan has come back from a host whose sensor drops them.
fn account_for(truth: &Counts, sensor: Attached, world: &World, agent: Option<&AgentProcess>) -> Result<()> {
    let answers = world.answers_to_forged_sources()?;
    ensure!((answers == 0) == (sensor == Attached::Dropping), "the host answered {answers} scans");
    let Some(agent) = agent else { return Ok(()) };
    let deadline = Instant::now() + Duration::from_secs(10);
    let counts = loop {
        let counts = agent.counts()?;
        // The last of them may still be on their way.
        if counts.counted() >= truth.counted() || Instant::now() > deadline {
            break counts;
        }
        thread::sleep(Duration::from_millis(20));
    };
    println!("{} scans; counted {}, passed {:?}", truth.counted(), counts.counted(), counts.passed);
    let empty = BTreeMap::new();
    let sent = truth.sensors.first().unwrap_or(&empty);
    let counted = counts.sensors.first().unwrap_or(&empty);
    let slots: BTreeSet<&String> = sent.keys().chain(counted.keys()).collect();
    let wrong = slots.into_iter().filter_map(|slot| {
        let [sent, counted] = [sent, counted].map(|slots| slots.get(slot).copied().unwrap_or_default());
        (counted != sent).then(|| format!("{slot}: {} sent, {} counted", sent.packets, counted.packets))
    });
    let wrong: Vec<String> = wrong.collect();
    ensure!(wrong.is_empty(), "passed {:?}; {}", counts.passed, wrong.join("; "));
    Ok(())
}
