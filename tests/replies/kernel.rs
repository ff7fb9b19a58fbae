//! The egress program and its maps.

use anyhow::{Result, ensure};
use aya::maps::{Array, HashMap};
use aya::{TestRun as _, TestRunOptions};
use sensor_common::flow::{self, Flow, FlowKey, Fragment, FragmentKey, USES_LENGTH, Uses};

use crate::common::{Kernel, map};

/// What the egress program returns: on to the next filter.
const TC_ACT_UNSPEC: u32 = u32::MAX;

/// The stamps of a host that has never sent anything.
static NOTHING: Uses = Uses([0; USES_LENGTH]);

/// Empties what the programs remember of what the host has sent.
///
/// # Errors
/// If a map is not there.
pub fn forget(kernel: &mut Kernel) -> Result<()> {
    for name in [flow::FLOWS_TCP, flow::FLOWS] {
        let mut table = HashMap::<_, FlowKey, Flow>::try_from(map(&mut kernel.loaded, name)?)?;
        let keys = table.keys().collect::<Result<Vec<_>, _>>()?;
        keys.iter().try_for_each(|key| table.remove(key))?;
    }
    let mut table = HashMap::<_, FragmentKey, Fragment>::try_from(map(&mut kernel.loaded, flow::FRAGMENTS)?)?;
    let keys = table.keys().collect::<Result<Vec<_>, _>>()?;
    keys.iter().try_for_each(|key| table.remove(key))?;
    let mut uses = Array::<_, Uses>::try_from(map(&mut kernel.loaded, flow::USES)?)?;
    uses.set(0, NOTHING, 0)?;
    Ok(())
}

/// Gives the egress program a frame that the host sends, of at least 14 bytes.
///
/// # Errors
/// If the program does anything but look on.
pub fn send(kernel: &mut Kernel, frame: &[u8]) -> Result<()> {
    let mut sent = vec![0; frame.len()];
    let options = TestRunOptions { data_in: Some(frame), data_out: Some(&mut sent), ..TestRunOptions::new() };
    let action = kernel.loaded.egress()?.test_run(options)?.return_value;
    ensure!(action == TC_ACT_UNSPEC, "the egress program returned {action}");
    ensure!(sent == frame, "the egress program changed the frame");
    Ok(())
}
