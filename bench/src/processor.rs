//! The processor by itself, which a virtual machine shares with neighbours that it does not see.
//!
//! From one day to another all of a packet's, a drain's and a scrape's costs move together where a neighbour takes a
//! part of the clock, of a core or of its cache. These figures have nothing of the sensor in them: where they differ
//! between two runs, the runs' nanoseconds cannot be compared. Where they agree, that says nothing of calls, returns and
//! branches, which they have none of.

use std::array;
use std::hint::black_box;

use anyhow::Result;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::SplitMix64;

use crate::clock::CpuClock;
use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use crate::pinned::pinned;
use crate::sample::Sample;

/// Measures them, in turns.
///
/// # Errors
/// The kernel does not tell the CPUs or the time.
pub fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    pinned(|| measure_here(effort))
}

fn measure_here(effort: &Effort) -> Result<Vec<Figure>> {
    let mut cases = cases();
    let mut random = SplitMix64::seed_from_u64(2);
    let mut order: Vec<usize> = (0..cases.len()).collect();
    for _ in 0..effort.rounds {
        order.shuffle(&mut random);
        for &number in &order {
            let Case { figure, step } = &mut cases[number];
            // What the one before left in the caches is gone then.
            black_box(step(effort.packets));
            let (time, _) = CpuClock::of_this_thread().time(|| Ok(black_box(step(effort.packets))))?;
            let value = time.as_secs_f64() * 1e9 / f64::from(effort.packets);
            figure.samples.push(Sample { value, probes: None });
        }
    }
    Ok(cases.into_iter().map(|case| case.figure).collect())
}

/// A figure in the making.
struct Case {
    figure: Figure,
    /// So many steps of what it is about.
    step: Box<dyn Fn(u32) -> u64>,
}

impl Case {
    fn new(id: &str, what: &str, step: impl Fn(u32) -> u64 + 'static) -> Self {
        let id = format!("processor.{id}");
        Self { figure: Figure::new(Section::Processor, id, what, Unit::Nanoseconds), step: Box::new(step) }
    }
}

/// What each part of the processor decides the cost of.
fn cases() -> Vec<Case> {
    // A cache or the memory, and the page tables of what is larger than a TLB's pages.
    let load = |kib: usize, what: &str| {
        let ring = Ring::new(kib);
        Case::new(&format!("load.{kib}"), what, move |steps| ring.walk(steps))
    };
    vec![
        // The clock: these two take four cycles of most processors.
        Case::new("chain", "an OR and a multiplication that wait for those before", chain),
        // The core's units, which two threads of it share.
        Case::new("wide", "a rotation and a sum, one of eight that wait for none of the others", wide),
        load(16, "a load from 16 KiB, whose address is in the one before"),
        load(256, "… from 256 KiB"),
        load(1_024, "… from 1 MiB"),
        load(16_384, "… from 16 MiB"),
    ]
}

/// So many, one after the other.
fn chain(steps: u32) -> u64 {
    (0..steps).fold(black_box(3), |product: u64, _| product.wrapping_mul(product | 1))
}

/// So many, eight at a time.
fn wide(steps: u32) -> u64 {
    let mut sums: [u64; 8] = black_box(array::from_fn(|number| number as u64));
    for _ in 0..steps / 8 {
        for sum in &mut sums {
            *sum = sum.rotate_left(7).wrapping_add(*sum);
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

/// Lines of cache, each of which says which one comes next, all of them on one way round.
struct Ring(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(u32);

impl Ring {
    /// Of so many KiB, in an order that no prefetcher guesses.
    fn new(kib: usize) -> Self {
        let mut order: Vec<u32> = (0..).take(kib * 1_024 / size_of::<Line>()).collect();
        order.shuffle(&mut SplitMix64::seed_from_u64(1));
        let mut lines = vec![Line(0); order.len()];
        for (place, &line) in order.iter().enumerate() {
            lines[line as usize] = Line(order[(place + 1) % order.len()]);
        }
        Self(lines)
    }

    /// So many loads, each from where the one before says.
    fn walk(&self, steps: u32) -> u64 {
        (0..steps).fold(0, |line: u32, _| self.0[line as usize].0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_comes_back_after_every_line_and_not_before() {
        for kib in [1, 16] {
            let ring = Ring::new(kib);
            let lines = u32::try_from(ring.0.len()).expect("a few");
            assert_eq!(lines as usize * 64, kib * 1_024);
            for steps in 1..lines {
                assert_ne!(ring.walk(steps), 0, "after {steps} of {lines}");
            }
            assert_eq!(ring.walk(lines), 0);
        }
    }
}
