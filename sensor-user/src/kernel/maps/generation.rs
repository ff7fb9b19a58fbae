//! Maps of counters that were made together.
//!
//! Counters cannot grow. When sensors are added beyond what fits, a larger generation is made beside the old one,
//! new programs count there, and a sensor's count is the sum over all of them: nothing is ever copied, so no moment
//! of a crash can lose or double a packet.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use aya::maps::PerCpuArray;
use aya::{EbpfLoader, Pod};
use sensor_common::layout::{
    self, COUNTERS, HOT, Page, SENSOR_PAGES, SEQ, SIDE_PAGE, Settings, Words, first_page, first_words,
};

use super::element::{PerCpu, cpus};
use super::pinned::{Entries, Layout, Pinned};
use super::pins::Pins;
use super::reader::Source;
use super::schema1;

/// Counters of as many sensors as came when they were made.
pub(super) enum Generation {
    /// With hot words.
    Hot(Box<HotCounters>),
    /// Without: nothing is added to them any more, or only until the programs are replaced.
    Plain(PlainCounters),
}

/// Counters with hot words.
pub(super) struct HotCounters {
    number: usize,
    pages: PerCpu<Page>,
    words: PerCpu<Words>,
    settings: PerCpu<Settings>,
    sensors: u32,
}

/// Counters without hot words.
pub(super) struct PlainCounters {
    pages: PerCpu<Page>,
    sensors: u32,
    /// Where they are.
    place: Place,
}

/// Where a sensor's counters are in a map of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where this build has them, but without their hot words.
    Here,
    /// Where schema 1 had them.
    Schema1,
}

impl Generation {
    /// All that are pinned, oldest first.
    ///
    /// # Errors
    /// One is not laid out as this build expects.
    pub(super) fn open_all(pins: &Pins) -> Result<Vec<Self>> {
        let mut generations = Vec::new();
        for number in 0.. {
            let Some(pages) = Pinned::open(pins, schema1::adopted_name(number), &schema1::COUNTERS_LAYOUT)?
            else {
                break;
            };
            let sensors = (pages.entries()? - schema1::SIDE_PAGES) / schema1::SENSOR_PAGES;
            let pages = PerCpu::new(pages);
            generations.push(Self::Plain(PlainCounters { pages, sensors, place: Place::Schema1 }));
        }
        for number in 0.. {
            let entries = Entries::Sensors { before: 0, each: SENSOR_PAGES };
            let Some(pages) = Pinned::open(pins, name(COUNTERS, number), &Layout::per_cpu::<Page>(entries))?
            else {
                break;
            };
            let sensors = pages.entries()? / SENSOR_PAGES;
            let entries = Entries::Exactly(layout::words(sensors));
            let words = Pinned::open(pins, name(HOT, number), &Layout::per_cpu::<Words>(entries))?;
            let settings = Pinned::open(pins, name(SEQ, number), &Layout::per_cpu::<Settings>(entries))?;
            let pages = PerCpu::new(pages);
            generations.push(match (words, settings) {
                (Some(words), Some(settings)) => {
                    let (words, settings) = (PerCpu::new(words), PerCpu::new(settings));
                    Self::Hot(Box::new(HotCounters { number, pages, words, settings, sensors }))
                }
                _ => Self::Plain(PlainCounters { pages, sensors, place: Place::Here }),
            });
        }
        Ok(generations)
    }

    /// Whether its pins are named after its number in this schema.
    pub(super) fn is_of_this_schema(&self) -> bool {
        !matches!(self, Self::Plain(PlainCounters { place: Place::Schema1, .. }))
    }

    /// How many sensors fit.
    pub(super) const fn sensors(&self) -> u32 {
        match self {
            Self::Hot(hot) => hot.sensors,
            Self::Plain(plain) => plain.sensors,
        }
    }

    /// Pins its maps, unless they are.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn pin(&self, pins: &Pins) -> Result<()> {
        match self {
            Self::Hot(hot) => hot.pin(pins),
            Self::Plain(plain) => plain.pages.pinned().pin(pins),
        }
    }

    /// Forgets what a sensor counted for which no program counts any more.
    ///
    /// # Errors
    /// The kernel does not write the maps.
    pub(super) fn wipe(&self, sensor: u32) -> Result<()> {
        if sensor >= self.sensors() {
            return Ok(());
        }
        match self {
            Self::Hot(hot) => {
                let first = first_words(sensor);
                clear(&hot.words, first..first + layout::SENSOR_WORDS, Words::ZERO)?;
                clear(&hot.settings, first..first + layout::SENSOR_WORDS, Settings::default())?;
                let first = first_page(sensor);
                clear(&hot.pages, first..first + SENSOR_PAGES, Page::ZERO)
            }
            Self::Plain(plain) => {
                let first = plain.first_page(sensor);
                clear(&plain.pages, first..first + layout::SLOT_PAGES, Page::ZERO)
            }
        }
    }
}

impl HotCounters {
    /// Makes and pins them. Who finds counters finds their hot words too: those are pinned first.
    ///
    /// # Errors
    /// The kernel has no memory for them.
    pub(super) fn make(pins: &Pins, number: usize, sensors: u32) -> Result<Self> {
        // What is there was made by an agent that got no further.
        Self::unpin(pins, number);
        let words = make::<Words>(pins, name(HOT, number), layout::words(sensors))?;
        let settings = make::<Settings>(pins, name(SEQ, number), layout::words(sensors))?;
        let pages = make::<Page>(pins, name(COUNTERS, number), layout::pages(sensors))?;
        Ok(Self { number, pages, words, settings, sensors })
    }

    /// Removes the pins of a generation that no program counts in.
    pub(super) fn unpin(pins: &Pins, number: usize) {
        for map in [COUNTERS, SEQ, HOT] {
            // Where one is not there, that is what was asked for.
            drop(fs::remove_file(pins.map(&name(map, number))));
        }
    }

    /// How many sensors fit.
    pub(super) const fn sensors(&self) -> u32 {
        self.sensors
    }

    /// Its number among those that this schema has made.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// Has programs count here.
    pub(super) fn load_into(&self, pins: &Pins, loader: &mut EbpfLoader<'_>) {
        let words = layout::words(self.sensors);
        for (map, entries) in [(COUNTERS, layout::pages(self.sensors)), (HOT, words), (SEQ, words)] {
            loader.map_max_entries(map, entries);
            loader.map_pin_path(map, pins.map(&name(map, self.number)));
        }
    }

    /// Reads what each CPU has of a sensor's side counters.
    ///
    /// # Errors
    /// The kernel does not give them.
    pub(super) fn read_side(&self, sensor: u32, per_cpu: &mut [Page]) -> io::Result<()> {
        self.pages.read(first_page(sensor) + SIDE_PAGE, per_cpu)
    }

    fn pin(&self, pins: &Pins) -> Result<()> {
        [self.words.pinned(), self.settings.pinned(), self.pages.pinned()]
            .iter()
            .try_for_each(|pinned| pinned.pin(pins))
    }
}

impl Source for &HotCounters {
    fn settings(&mut self, element: u32, per_cpu: &mut [Settings]) -> io::Result<()> {
        self.settings.read(element, per_cpu)
    }

    fn words(&mut self, element: u32, per_cpu: &mut [Words]) -> io::Result<()> {
        self.words.read(element, per_cpu)
    }

    fn page(&mut self, page: u32, per_cpu: &mut [Page]) -> io::Result<()> {
        self.pages.read(page, per_cpu)
    }
}

impl PlainCounters {
    /// The page of what was let through, if it is among these counters.
    pub(super) fn passed(&self) -> Option<u32> {
        (self.place == Place::Schema1).then_some(schema1::PASSED_PAGE)
    }

    /// First page of a sensor.
    pub(super) const fn first_page(&self, sensor: u32) -> u32 {
        match self.place {
            Place::Here => first_page(sensor),
            Place::Schema1 => schema1::first_page(sensor),
        }
    }

    /// Reads what each CPU has of a page.
    ///
    /// # Errors
    /// The kernel does not give it.
    pub(super) fn read(&self, page: u32, per_cpu: &mut [Page]) -> Result<()> {
        let pages = &self.pages;
        pages
            .read(page, per_cpu)
            .with_context(|| format!("cannot read page {page} of {}", pages.pinned().name))
    }
}

/// What a generation's map is pinned as.
fn name(map: &str, number: usize) -> String {
    format!("{map}_{number}")
}

fn make<T: Pod>(pins: &Pins, name: String, entries: u32) -> Result<PerCpu<T>> {
    let create = |path: &Path| Ok(PerCpuArray::<_, T>::create(entries, 0)?.pin(path)?);
    Ok(PerCpu::new(Pinned::make(pins, name, create)?))
}

/// Sets elements to what they were at first, on every CPU.
///
/// # Errors
/// The kernel does not write the map.
pub(super) fn clear<T: Pod>(map: &PerCpu<T>, elements: std::ops::Range<u32>, zero: T) -> Result<()> {
    let per_cpu = vec![zero; cpus()?];
    for element in elements {
        map.write(element, &per_cpu).context("cannot wipe out a removed sensor's counters")?;
    }
    Ok(())
}
