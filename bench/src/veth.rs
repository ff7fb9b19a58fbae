//! Frames that arrive on a veth, and all that the kernel does with them until they are gone.
//!
//! A program on one CPU sends frames as a driver would; all that becomes of them happens in one thread of
//! the kernel on another, whose CPU time is read. So the time of the receiver is exact, and the sender's is
//! not in it. In each round every way to count and drop runs once, in another order.

mod bed;
mod capture;
mod rules;
mod way;

use anyhow::{Context as _, Result};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::SplitMix64;

use crate::effort::Effort;
use crate::figure::{Figure, Section, Unit};
use bed::Bed;
use way::{Programs, Way};

/// Measures all of them; what cannot run here says why.
///
/// # Errors
/// There is one CPU only, the kernel is older than 5.18, or a way fails that needs nothing else.
pub fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let bed = Bed::new().context("cannot measure live frames: leave out the section veth")?;
    let mut figures: Vec<Figure> = Way::ALL.map(figure).into();
    let mut programs = Programs::load()?;
    let mut random = SplitMix64::seed_from_u64(0x7e74);
    let mut order: Vec<usize> = (0..Way::ALL.len()).collect();
    // The first round only warms up: a set of ports, for one, is filled in it.
    for round in 0..=effort.floods {
        order.shuffle(&mut random);
        for &number in &order {
            let (way, figure) = (Way::ALL[number], &mut figures[number]);
            if figure.note.is_some() {
                continue;
            }
            let active = match way.begin(&bed, &programs) {
                Ok(active) => active,
                Err(error) if round == 0 && !way.is_ours() => {
                    figure.note = Some(format!("skipped: {error:#}"));
                    continue;
                }
                Err(error) => return Err(error.context(format!("cannot measure: {}", way.what()))),
            };
            let nanoseconds = way
                .packet(active, &bed, &mut programs, effort.flood, round == 0)
                .with_context(|| format!("this is not what is to be measured: {}", way.what()))?;
            if round > 0 {
                figure.samples.push(nanoseconds);
            }
        }
    }
    Ok(figures)
}

fn figure(way: Way) -> Figure {
    let figure = Figure::new(Section::Veth, format!("veth.{}", way.id()), way.what(), Unit::Nanoseconds);
    if way == Way::Bare { figure } else { figure.against("veth.bare") }
}
