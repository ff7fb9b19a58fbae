//! Choices at random that are the same each time for a seed.

use rand::seq::IndexedRandom as _;
use rand_xoshiro::SplitMix64;

/// One of the choices, each as likely.
///
/// # Panics
/// If there are none.
pub fn one_of<'a, T>(random: &mut SplitMix64, choices: &'a [T]) -> &'a T {
    choices.choose(random).expect("there is a choice")
}

/// One of the choices, each as likely as its weight says.
///
/// # Panics
/// If all weights are 0.
pub fn weighted<'a, T>(random: &mut SplitMix64, choices: &'a [(u32, T)]) -> &'a T {
    let chosen = choices.choose_weighted(random, |(weight, _)| *weight);
    &chosen.expect("some weight is above 0").1
}
