//! Replies: what answers something that the host has sent passes, and nothing else does.
//!
//! A table of what the host sends, what then arrives, and what must become of that; run by the host build
//! of the programs' code, and by the programs through `BPF_PROG_TEST_RUN`.

#[path = "../common/mod.rs"]
mod common;
mod guard;
mod indirect;
mod kernel;
mod table;
mod time;
mod world;

use anyhow::{Context as _, Result};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;
use sensor_common::classify::{Verdict, verdict};
use sensor_common::flow::remember;
use sensor_common::layout::Passed;
use sensor_harness::model::Model;
use sensor_harness::needs;
use sensor_harness::random::one_of;
use sensor_user::kernel::Variant;

use common::Kernel;
use kernel::{forget, send};
use table::table;
use world::{RULES, Rules, Step};

#[test]
fn the_host_build_agrees_with_the_table() {
    for (name, steps) in table() {
        let model = Model::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Sent(frame) => remember(frame.bytes().as_slice(), &model),
                Step::Arrives(frame, expected) => {
                    let found = verdict(frame.bytes().as_slice(), &Rules, &model);
                    assert_eq!(found, expected, "{name}, step {number}");
                }
            }
        }
    }
}

#[rstest]
fn the_loaded_programs_agree_with_the_table(
    #[values(Variant::Linear, Variant::MultiBuffer)] variant: Variant,
) -> Result<()> {
    let mut kernel = needs!(Kernel::with(variant, RULES, false)?);
    for (name, steps) in table() {
        forget(&mut kernel)?;
        for (number, step) in steps.into_iter().enumerate() {
            let here = || format!("{name}, step {number}");
            match step {
                Step::Sent(frame) => send(&mut kernel, &frame.bytes()).with_context(here)?,
                Step::Arrives(frame, expected) => {
                    let found = kernel.run(variant, &frame.bytes(), expected).with_context(here)?;
                    assert_eq!(found.verdict, expected, "{}", here());
                }
            }
        }
    }
    kernel.nothing_else_moved()
}

/// Whatever is sent and arrives, in whatever order, the programs and the host build of their code agree.
#[rstest]
fn the_loaded_programs_agree_with_the_host_build(
    #[values(Variant::Linear, Variant::MultiBuffer)] variant: Variant,
) -> Result<()> {
    let mut kernel = needs!(Kernel::with(variant, RULES, false)?);
    let frames: Vec<(bool, Vec<u8>)> = table()
        .into_iter()
        .flat_map(|(_, steps)| steps)
        .map(|step| match step {
            Step::Sent(frame) => (true, frame.bytes()),
            Step::Arrives(frame, _) => (false, frame.bytes()),
        })
        .collect();
    let mut random = SplitMix64::seed_from_u64(3);
    let mut replies = 0;
    for _ in 0..20 {
        forget(&mut kernel)?;
        let model = Model::default();
        for step in 0..200 {
            let (sent, mut bytes) = one_of(&mut random, &frames).clone();
            if random.random_range(0..4) == 0 {
                let count = u32::try_from(bytes.len())?;
                bytes[random.random_range(0..count) as usize] ^= 1 << random.random_range(0..8);
            }
            if sent {
                send(&mut kernel, &bytes)?;
                remember(bytes.as_slice(), &model);
            } else {
                let expected = verdict(bytes.as_slice(), &Rules, &model);
                let found = kernel.run(variant, &bytes, expected)?;
                assert_eq!(found.verdict, expected, "{step}: {bytes:02x?}");
                replies += u32::from(expected == Verdict::Pass(Passed::Reply));
            }
        }
    }
    assert!(replies > 100, "{replies} replies are too few to tell");
    kernel.nothing_else_moved()
}
