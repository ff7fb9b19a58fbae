//! Reads the counters: one lookup a page, never one a port.

use anyhow::{Context, Result};
use aya::maps::{Map, MapData, PerCpuArray};
use sensor_common::layout::{Page, SENSOR_PAGES, SIDE_PAGES};

use crate::counters::{Snapshot, SnapshotBuilder};

/// The kernel's counters.
pub struct Counters {
    pages: PerCpuArray<MapData, Page>,
}

impl Counters {
    pub(super) fn new(map: Map) -> Result<Self> {
        let pages = PerCpuArray::try_from(map).context("the counters map is not an array of pages")?;
        Ok(Self { pages })
    }

    /// Reads every counter and sums it over the CPUs.
    ///
    /// Each u64 is read whole. Counters go on while they are read, so two of them may differ by what
    /// arrived in between; none is ever less than in an earlier drain.
    ///
    /// # Errors
    /// The kernel does not give a page.
    pub fn drain(&self) -> Result<Snapshot> {
        let pages = self.pages.len();
        let mut snapshot = SnapshotBuilder::new((pages - SIDE_PAGES) / SENSOR_PAGES);
        for index in 0..pages {
            let per_cpu = self
                .pages
                .get(&index, 0)
                .with_context(|| format!("cannot read page {index} of the counters"))?;
            snapshot.add_page(index, per_cpu.iter());
        }
        Ok(snapshot.finish())
    }
}
