//! Frames that arrive on a veth, and all that the kernel does with them until they are gone.
//!
//! A program on one CPU sends frames as a driver would; all that becomes of them happens in one thread of
//! the kernel on another, whose CPU time is read. So the time of the receiver is exact, and the sender's is
//! not in it. In each round every case runs once, in another order, each after both probes, for which the same packets
//! come in the same way.

mod bed;
mod capture;
mod rules;
mod way;

use std::path::Path;

use anyhow::{Context as _, Result};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::SplitMix64;

use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use crate::programs::Destination;
use crate::sample::{Probes, Sample};
use bed::{Bed, Flood};
use way::{Programs, Way};

/// Measures all of them; what cannot run here says why. The other build's too, if there is one.
///
/// # Errors
/// There is one CPU only, the kernel is older than 5.18, or a way fails that needs nothing else.
pub fn measure(effort: &Effort, against: Option<&Path>) -> Result<Vec<Figure>> {
    let bed = Bed::new().context("cannot measure live frames: leave out the section veth")?;
    let mut cases: Vec<Case> = Case::all(effort, against.is_some());
    let mut programs = Programs::load(against)?;
    let mut random = SplitMix64::seed_from_u64(0x7e74);
    let mut order: Vec<usize> = (0..cases.len()).collect();
    // The first round only warms up: a set of ports, for one, is filled in it.
    for round in 0..=effort.floods {
        order.shuffle(&mut random);
        for &number in &order {
            let case = &mut cases[number];
            if case.figure.note.is_some() {
                continue;
            }
            match case.sample(&bed, &mut programs, round == 0) {
                Ok(sample) if round > 0 => case.figure.samples.push(sample),
                Ok(_) => {}
                Err(Failure::CannotBegin(error)) if round == 0 && !case.way.is_ours() => {
                    case.figure.note = Some(format!("skipped: {error:#}"));
                }
                Err(Failure::CannotBegin(error) | Failure::Wrong(error)) => {
                    return Err(error.context(format!("cannot measure: {}", case.figure.what)));
                }
            }
        }
    }
    Ok(cases.into_iter().map(|case| case.figure).collect())
}

/// A figure in the making.
struct Case {
    figure: Figure,
    way: Way,
    destination: Destination,
    flood: Flood,
}

/// Why there is no sample.
enum Failure {
    /// This machine lacks what the way needs.
    CannotBegin(anyhow::Error),
    /// It did something else than what is to be measured.
    Wrong(anyhow::Error),
}

impl Case {
    fn all(effort: &Effort, other: bool) -> Vec<Self> {
        use Destination::{One, Random, Skewed};

        let flood = Flood::Sustained(effort.flood);
        let burst = Flood::Bursts(effort.bursts);
        let sensors = if other { &[Way::Sensor, Way::Other][..] } else { &[Way::Sensor] };
        let mut cases = vec![Self::new(Way::Bare, Random, flood), Self::new(Way::Reading, Random, flood)];
        for &way in sensors {
            cases.extend([Random, Skewed, One].map(|destination| Self::new(way, destination, flood)));
            cases.push(Self::new(way, Random, burst));
        }
        cases.extend(
            [Way::Untold, Way::Evidence, Way::Generic, Way::Nft, Way::NftPorts, Way::Iptables, Way::Packet]
                .map(|way| Self::new(way, Random, flood)),
        );
        cases
    }

    fn new(way: Way, destination: Destination, flood: Flood) -> Self {
        let (id, what) = match (flood, destination) {
            (Flood::Bursts(_), _) => (".burst", ", burst after idle"),
            (_, Destination::Random) => ("", ""),
            (_, Destination::Skewed) => (".skewed", ", half to ten ports"),
            (_, Destination::One) => (".one_port", ", one port"),
        };
        let (id, what) = (format!("veth.{}{id}", way.id()), format!("{}{what}", way.what()));
        Self { figure: Figure::new(Section::Veth, id, what, Unit::Nanoseconds), way, destination, flood }
    }

    /// The probes, then the way.
    fn sample(&self, bed: &Bed, programs: &mut Programs, thorough: bool) -> Result<Sample, Failure> {
        if thorough {
            self.way.prepare(bed, programs).map_err(Failure::CannotBegin)?;
        }
        let mut measure = |way: Way| {
            let active = way.begin(bed, programs).map_err(Failure::CannotBegin)?;
            way.packet(active, bed, programs, self.flood, self.destination, thorough).map_err(Failure::Wrong)
        };
        let probes = Probes { dropping: measure(Way::Bare)?, reading: measure(Way::Reading)? };
        Ok(Sample { value: measure(self.way)?, probes: Some(probes) })
    }
}
