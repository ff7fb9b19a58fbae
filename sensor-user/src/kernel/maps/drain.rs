//! Reads the counters: a few lookups for each page, never one for each port.

use std::sync::Arc;

use anyhow::{Context, Result};
use sensor_common::layout::{Page, SLOT_PAGES, WORDS_PAGES, first_words};

use super::element::{self, PerCpu};
use super::evidence::Ledger;
use super::generation::Generation;
use super::reader::Reader;
use crate::config::SensorNumber;
use crate::counters::{Snapshot, SnapshotBuilder};

/// The kernel's counters of some sensors.
pub struct Counters {
    /// All maps that count or have counted; a count is the sum over them.
    generations: Vec<Arc<Generation>>,
    /// What was let through.
    passed: PerCpu<Page>,
    /// What became of evidence.
    ledger: Ledger,
    /// The sensors' numbers, in the order of the configuration.
    numbers: Vec<SensorNumber>,
    reader: Reader,
    /// What each CPU that there may ever be has of a page without hot words.
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
        generations: Vec<Arc<Generation>>,
        passed: PerCpu<Page>,
        ledger: Ledger,
        numbers: Vec<SensorNumber>,
    ) -> Result<Self> {
        let cpus = element::cpus()?;
        let (reader, per_cpu) = (Reader::new(cpus), vec![Page::ZERO; cpus].into());
        Ok(Self { generations, passed, ledger, numbers, reader, per_cpu, memory: None })
    }

    /// Gives the memory of a snapshot for the next one.
    pub fn reuse(&mut self, snapshot: Snapshot) {
        self.memory = Some(snapshot);
    }

    /// Reads every counter and sums it over the CPUs.
    ///
    /// Each value is exact at some moment of the drain, by itself. Counters go on while they are read, so two of
    /// them may differ by what arrived in between; none is ever less than in an earlier drain.
    ///
    /// # Errors
    /// The kernel does not give a page.
    pub fn drain(&mut self) -> Result<Snapshot> {
        let sensors = self.numbers.len();
        let mut snapshot = match self.memory.take() {
            Some(memory) => SnapshotBuilder::reuse(memory, sensors),
            None => SnapshotBuilder::new(sensors),
        };
        let Self { generations, passed, ledger, numbers, reader, per_cpu, .. } = self;
        passed.read(0, per_cpu).context("cannot read what was let through")?;
        snapshot.add_passed(&**per_cpu);
        for (place, &number) in numbers.iter().enumerate() {
            snapshot.add_accounts(place, &ledger.accounts(number)?);
        }
        for generation in generations {
            // An older generation may be too small for a sensor.
            let fitting = numbers.iter().enumerate().filter(|(_, number)| number.0 < generation.sensors());
            match &**generation {
                Generation::Hot(hot) => {
                    for (place, &SensorNumber(number)) in fitting {
                        for (element, page) in (first_words(number)..).zip(first_pages()) {
                            reader
                                .add(&mut &**hot, element, snapshot.pages(place, page))
                                .with_context(|| format!("cannot read element {element} of the counters"))?;
                        }
                        hot.read_side(number, per_cpu).context("cannot read a sensor's side counters")?;
                        snapshot.add_side(place, &**per_cpu);
                    }
                }
                Generation::Plain(plain) => {
                    if let Some(page) = plain.passed() {
                        plain.read(page, per_cpu)?;
                        snapshot.add_passed(&**per_cpu);
                    }
                    for (place, &SensorNumber(number)) in fitting {
                        for page in 0..SLOT_PAGES {
                            plain.read(plain.first_page(number) + page, per_cpu)?;
                            snapshot.add_page(place, page, &**per_cpu);
                        }
                    }
                }
            }
        }
        Ok(snapshot.finish())
    }
}

/// The first page of each element of hot words that belongs to slots.
fn first_pages() -> impl Iterator<Item = u32> {
    (0..SLOT_PAGES).step_by(WORDS_PAGES as usize)
}
