//! The guard: a program that nobody confirms in time undoes itself.

use anyhow::{Context as _, Result};
use aya::programs::Xdp;
use aya::{EbpfLoader, TestRun as _, TestRunOptions};
use rstest::rstest;
use sensor_common::layout::{self, Passed};
use sensor_common::policy::{GUARD, GUARDED};
use sensor_harness::frame::frame;
use sensor_harness::needs_root;

use crate::common::Kernel;
use crate::world::RULES;

/// A program that is guarded stops by itself once the deadline has passed, and not when it was confirmed.
#[rstest]
#[case::no_deadline(0, false)]
#[case::expired(1, true)]
#[case::pending(u64::MAX, false)]
fn the_guard_undoes_what_nobody_confirms(#[case] deadline: u64, #[case] undone: bool) -> Result<()> {
    needs_root!();
    let mut names = vec!["sensor"];
    if Kernel::load(RULES, false)?.loaded.has_multi_buffer() {
        names.push("sensor_frags");
    }
    for (guarded, undone) in [(1, undone), (0_u32, false)] {
        let mut ebpf =
            EbpfLoader::new().override_global(GUARDED, &guarded, true).load(sensor_user::kernel::OBJECT)?;
        let map = ebpf.map_mut(GUARD).context("no guard")?;
        aya::maps::Array::<_, u64>::try_from(map)?.set(0, deadline, 0)?;
        for name in &names {
            let program: &mut Xdp = ebpf.program_mut(name).context("no program")?.try_into()?;
            program.load()?;
            let syn = frame().ipv4().tcp(23).syn().bytes();
            let options = TestRunOptions { data_in: Some(&syn), ..TestRunOptions::new() };
            let action = program.test_run(options)?.return_value;
            assert_eq!(action == XDP_PASS, undone, "{name}, guarded {guarded}");
        }
        let counters = aya::maps::PerCpuArray::<_, layout::Page>::try_from(
            ebpf.map_mut(layout::PASSED).context("no counters")?,
        )?;
        let passed: u64 =
            counters.get(&0, 0)?.iter().map(|page| page.0[Passed::Unconfirmed as usize].packets).sum();
        assert_eq!(passed > 0, undone, "counted {passed}");
    }
    Ok(())
}

const XDP_PASS: u32 = 2;
