//! Reads the counters: one lookup a page, never one a port.

use anyhow::{Context, Result};
use aya::maps::{MapData, PerCpuArray};
use sensor_common::layout::{Page, SENSOR_PAGES, SIDE_PAGES, first_page};

use crate::counters::{Snapshot, SnapshotBuilder};

/// The kernel's counters of some sensors.
pub struct Counters {
    /// Every map that counts or has counted; a count is the sum over them.
    generations: Vec<PerCpuArray<MapData, Page>>,
    /// The sensors' numbers, in the order of the configuration.
    numbers: Vec<u32>,
    /// A snapshot that nobody needs any more.
    memory: Option<Snapshot>,
}

impl Counters {
    pub(super) const fn new(generations: Vec<PerCpuArray<MapData, Page>>, numbers: Vec<u32>) -> Self {
        Self { generations, numbers, memory: None }
    }

    /// Gives the memory of a snapshot for the next one.
    pub fn reuse(&mut self, snapshot: Snapshot) {
        self.memory = Some(snapshot);
    }

    /// Reads every counter and sums it over the CPUs.
    ///
    /// Each u64 is read whole. Counters go on while they are read, so two of them may differ by what
    /// arrived in between; none is ever less than in an earlier drain.
    ///
    /// # Errors
    /// The kernel does not give a page.
    pub fn drain(&mut self) -> Result<Snapshot> {
        let sensors = u32::try_from(self.numbers.len()).context("too many sensors")?;
        let mut snapshot = match self.memory.take() {
            Some(memory) => SnapshotBuilder::reuse(memory, sensors),
            None => SnapshotBuilder::new(sensors),
        };
        for pages in &self.generations {
            let mut add = |from: u32, to: u32| -> Result<()> {
                let per_cpu = pages
                    .get(&from, 0)
                    .with_context(|| format!("cannot read page {from} of the counters"))?;
                snapshot.add_page(to, per_cpu.iter());
                Ok(())
            };
            for side in 0..SIDE_PAGES {
                add(side, side)?;
            }
            for (place, &number) in (0..).zip(&self.numbers) {
                // An older map may be too small for the sensor.
                if first_page(number) + SENSOR_PAGES <= pages.len() {
                    for page in 0..SENSOR_PAGES {
                        add(first_page(number) + page, first_page(place) + page)?;
                    }
                }
            }
        }
        Ok(snapshot.finish())
    }
}
