//! Reads the counters: one lookup a page, never one a port.
//!
//! All pages go through one piece of memory, which stays in the CPU's cache. aya's own lookup takes new memory
//! for each, copies it once more, and reads from /sys how many CPUs there are: it takes about twice as long.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use aya::maps::{IterableMap, MapData, PerCpuArray};
use aya::util::nr_cpus;
use sensor_common::layout::{Page, SENSOR_PAGES, SIDE_PAGES, first_page};

use crate::config::SensorNumber;
use crate::counters::{Snapshot, SnapshotBuilder};
use crate::kernel::syscall::{bpf, descriptor, split};

/// The kernel's counters of some sensors.
pub struct Counters {
    /// Every map that counts or has counted; a count is the sum over them.
    generations: Vec<PerCpuArray<MapData, Page>>,
    /// The sensors' numbers, in the order of the configuration.
    numbers: Vec<SensorNumber>,
    /// What each CPU that there may ever be has of the page that is read.
    per_cpu: Box<[Page]>,
    /// A snapshot that nobody needs any more.
    memory: Option<Snapshot>,
}

impl Counters {
    /// Those of the sensors with these numbers.
    ///
    /// # Errors
    /// The kernel does not tell how many CPUs there are.
    pub(super) fn new(
        generations: Vec<PerCpuArray<MapData, Page>>,
        numbers: Vec<SensorNumber>,
    ) -> Result<Self> {
        let cpus = nr_cpus().map_err(|(_, error)| error).context("cannot count the CPUs")?;
        Ok(Self { generations, numbers, per_cpu: vec![Page::ZERO; cpus].into(), memory: None })
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
                read(pages.map(), from, &mut self.per_cpu)
                    .with_context(|| format!("cannot read page {from} of the counters"))?;
                snapshot.add_page(to, &self.per_cpu);
                Ok(())
            };
            for side in 0..SIDE_PAGES {
                add(side, side)?;
            }
            for (place, &SensorNumber(number)) in (0..).zip(&self.numbers) {
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

/// Reads what each CPU has of a page. The kernel writes a page for each CPU that there may ever be.
fn read(map: &MapData, page: u32, per_cpu: &mut [Page]) -> io::Result<()> {
    // `enum bpf_cmd`
    const MAP_LOOKUP_ELEM: u32 = 1;
    let key = split((&raw const page) as u64);
    let value = split(per_cpu.as_mut_ptr() as u64);
    // struct { map_fd; __aligned_u64 key; __aligned_u64 value; __u64 flags; }
    let attributes = &mut [descriptor(map.fd().as_fd()), 0, key[0], key[1], value[0], value[1], 0, 0];
    bpf(MAP_LOOKUP_ELEM, attributes).map(drop)
}
