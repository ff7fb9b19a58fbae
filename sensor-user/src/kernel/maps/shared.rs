//! The maps that outlive a program: every load works with the same ones.
//!
//! The counters cannot grow. When sensors are added beyond what fits, a larger map is made beside the old
//! one, new programs count there, and a sensor's count is the sum over all of them: nothing is ever copied, so
//! no moment of a crash can lose or double a packet.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use aya::EbpfLoader;
use aya::maps::{Array, Map, MapData, MapInfo, MapType, PerCpuArray, PerCpuValues};
use aya::util::nr_cpus;
use sensor_common::flow::{self, Flow, FlowKey, Fragment, FragmentKey, Uses};
use sensor_common::layout::{self, Name, Page, SeriesKey, SeriesRecord};
use sensor_common::policy;

use super::drain::Counters;
use super::guard::Guard;
use super::numbers::{Assigned, Numbers};
use super::pins::Pins;
use super::seed::Memory;
use super::series::{self, KernelSeries};
use crate::config::{NumberedSensor, Sensor, SensorNumber};
use crate::counters::store::forget;

/// What a map must be like, to be taken for one of ours.
struct Layout {
    name: &'static str,
    kind: MapType,
    key: usize,
    value: usize,
    /// `None` for the counters, which are as large as they were made.
    entries: Option<u32>,
}

/// The shared maps beside the counters.
const LAYOUTS: [Layout; 7] = [
    Layout::flows(flow::FLOWS_TCP),
    Layout::flows(flow::FLOWS),
    Layout {
        name: flow::USES,
        kind: MapType::Array,
        key: size_of::<u32>(),
        value: size_of::<Uses>(),
        entries: Some(1),
    },
    Layout {
        name: flow::FRAGMENTS,
        kind: MapType::LruHash,
        key: size_of::<FragmentKey>(),
        value: size_of::<Fragment>(),
        entries: Some(flow::MAX_FRAGMENTS),
    },
    Layout {
        name: layout::SERIES,
        kind: MapType::Hash,
        key: size_of::<SeriesKey>(),
        value: size_of::<SeriesRecord>(),
        entries: Some(layout::MAX_SERIES_RECORDS),
    },
    Layout {
        name: layout::NAMES,
        kind: MapType::Array,
        key: size_of::<u32>(),
        value: size_of::<Name>(),
        entries: Some(layout::MAX_SENSORS),
    },
    Layout {
        name: policy::GUARD,
        kind: MapType::Array,
        key: size_of::<u32>(),
        value: size_of::<u64>(),
        entries: Some(1),
    },
];

const COUNTERS: Layout = Layout {
    name: layout::COUNTERS,
    kind: MapType::PerCpuArray,
    key: size_of::<u32>(),
    value: size_of::<Page>(),
    entries: None,
};

/// The shared maps, held open and, while programs are loaded, pinned.
pub struct Shared {
    pins: Pins,
    numbers: Numbers,
    /// Every shared map by the name it is pinned under.
    held: Vec<(String, MapData)>,
    /// How many sensors fit into each map of counters, oldest first.
    generations: Vec<u32>,
}

impl Shared {
    /// Opens the maps that are pinned; those that are not are made by the first load.
    ///
    /// # Errors
    /// A pinned map is not laid out as this build expects.
    pub fn open(pins: Pins) -> Result<Self> {
        pins.with_directory(|| {
            create(&pins, layout::NAMES, |path| {
                Ok(Array::<_, Name>::create(layout::MAX_SENSORS, 0)?.pin(path)?)
            })?;
            create(&pins, layout::SERIES, |path| Ok(series::create()?.pin(path)?))?;
            let mut held = Vec::new();
            for layout in &LAYOUTS {
                if let Some(map) = open(&pins, layout.name, layout)? {
                    held.push((layout.name.to_owned(), map));
                }
            }
            let mut generations = Vec::new();
            while let Some(map) = open(&pins, &counters_name(generations.len()), &COUNTERS)? {
                let pages = map.info().context("cannot ask the kernel about the counters")?.max_entries();
                held.push((counters_name(generations.len()), map));
                generations.push((pages - layout::SIDE_PAGES) / layout::SENSOR_PAGES);
            }
            let numbers = Numbers::new(MapData::from_pin(pins.map(layout::NAMES))?)?;
            Ok((held, generations, numbers))
        })
        .map(|(held, generations, numbers)| Self { pins, numbers, held, generations })
    }

    /// Where all of this is pinned.
    #[must_use]
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Numbers the sensors and makes sure that there will be counters for each. `running` are those that
    /// programs count for now.
    ///
    /// # Errors
    /// Every number is in use, or the kernel does not read or write a map.
    pub fn assign(&mut self, sensors: &[Sensor], running: &[NumberedSensor]) -> Result<Vec<NumberedSensor>> {
        let Assigned { sensors, taken_over } = self.numbers.assign(sensors, running)?;
        for number in taken_over {
            self.wipe(number)?;
        }
        self.numbers.record(&sensors)?;
        let needed = sensors.iter().map(|sensor| sensor.number.0 + 1).max().unwrap_or(1);
        if self.generations.last().is_none_or(|&capacity| capacity < needed) {
            let capacity = if self.generations.is_empty() { needed } else { needed.next_power_of_two() };
            self.generations.push(capacity.min(layout::MAX_SENSORS));
        }
        Ok(sensors)
    }

    /// Loads programs with the shared maps, making those that are not there yet.
    ///
    /// # Errors
    /// What `load` says, or a map that cannot be pinned.
    pub(in crate::kernel) fn load<T>(
        &mut self,
        loader: &mut EbpfLoader<'_>,
        load: impl FnOnce(&mut EbpfLoader<'_>) -> Result<T>,
    ) -> Result<T> {
        let newest = counters_name(self.generations.len() - 1);
        let capacity = *self.generations.last().expect("there is a generation for the sensors");
        let held = &mut self.held;
        let pins = &self.pins;
        let result = pins.with_directory(|| {
            for (name, map) in &*held {
                let path = pins.map(name);
                if !path.exists() {
                    map.pin(&path).with_context(|| format!("cannot pin {}", path.display()))?;
                }
            }
            loader.map_max_entries(layout::COUNTERS, layout::pages(capacity));
            loader.map_pin_path(layout::COUNTERS, pins.map(&newest));
            for Layout { name, .. } in &LAYOUTS {
                loader.map_pin_path(name, pins.map(name));
            }
            let programs = load(loader)?;
            for name in LAYOUTS.iter().map(|layout| layout.name).chain([newest.as_str()]) {
                if !held.iter().any(|(known, _)| known == name) {
                    held.push((name.to_owned(), MapData::from_pin(pins.map(name))?));
                }
            }
            Ok(programs)
        });
        if result.is_err() && !held.iter().any(|(name, _)| *name == newest) {
            self.generations.pop();
            // It would be taken for a map of the size that is asked for next time.
            drop(fs::remove_file(self.pins.map(&newest)));
        }
        result
    }

    /// The counters of these sensors, in this order.
    ///
    /// # Errors
    /// The kernel does not hand out the maps.
    pub fn counters(&self, sensors: &[NumberedSensor]) -> Result<Counters> {
        Counters::new(self.generations()?, sensors.iter().map(|sensor| sensor.number).collect())
    }

    /// The moment by which the attachment must be confirmed.
    ///
    /// # Errors
    /// Before the first load, or if the kernel does not hand out the map.
    pub fn guard(&self) -> Result<Guard> {
        Guard::new(self.handle(policy::GUARD)?)
    }

    /// The tables of what the host itself began.
    ///
    /// # Errors
    /// Before the first load, or if the kernel does not hand out the maps.
    pub(in crate::kernel) fn memory(&self) -> Result<Memory> {
        Memory::new(self.handle(flow::FLOWS_TCP)?, self.handle(flow::FLOWS)?, self.held(flow::USES)?)
    }

    /// The records of the exported series.
    ///
    /// # Errors
    /// The kernel does not hand out the map.
    pub fn series(&self) -> Result<KernelSeries> {
        KernelSeries::new(self.handle(layout::SERIES)?)
    }

    /// Forgets what a sensor counted that is not configured any more.
    fn wipe(&self, number: SensorNumber) -> Result<()> {
        forget(&mut self.series()?, number)?;
        let cpus = nr_cpus().map_err(|(_, error)| error).context("cannot count the CPUs")?;
        for mut pages in self.generations()? {
            let first = layout::first_page(number.0);
            for index in first..(first + layout::SENSOR_PAGES).min(pages.len()) {
                let values = PerCpuValues::try_from(vec![Page::ZERO; cpus])?;
                pages.set(index, values, 0).context("cannot wipe out a removed sensor's counters")?;
            }
        }
        Ok(())
    }

    fn generations(&self) -> Result<Vec<PerCpuArray<MapData, Page>>> {
        (0..self.generations.len())
            .map(|generation| {
                PerCpuArray::try_from(self.handle(&counters_name(generation))?)
                    .context("the counters map is not an array of pages")
            })
            .collect()
    }

    fn held(&self, name: &str) -> Result<&MapData> {
        let found = self.held.iter().find(|(known, _)| known == name);
        found.map(|(_, map)| map).with_context(|| format!("there is no map {name} yet"))
    }

    /// Another handle of a shared map.
    fn handle(&self, name: &str) -> Result<Map> {
        let descriptor =
            self.held(name)?.fd().as_fd().try_clone_to_owned().context("no descriptor is left")?;
        Ok(Map::from_map_data(MapData::from_fd(descriptor)?)?)
    }
}

/// What the counters are pinned as: one map for each time that more sensors came than fitted.
fn counters_name(generation: usize) -> String {
    format!("{}_{generation}", layout::COUNTERS)
}

/// Makes and pins a map that no program uses, unless it is there.
fn create(pins: &Pins, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = pins.map(name);
    if path.exists() {
        return Ok(());
    }
    make(&path).with_context(|| format!("cannot make the map {}", path.display()))
}

/// A pinned map, if there is one.
fn open(pins: &Pins, name: &str, layout: &Layout) -> Result<Option<MapData>> {
    let path = pins.map(name);
    if !path.exists() {
        return Ok(None);
    }
    let map = MapData::from_pin(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let info = map.info().with_context(|| format!("cannot ask the kernel about {}", path.display()))?;
    if !layout.fits(&info)? {
        bail!(
            "{} is not laid out as this build of the sensor expects: another build made it; go back to that \
             build, or remove all of it with `sensor detach`, which ends its counts",
            path.display()
        );
    }
    Ok(Some(map))
}

impl Layout {
    /// A table of flows.
    const fn flows(name: &'static str) -> Self {
        Self {
            name,
            kind: MapType::LruHash,
            key: size_of::<FlowKey>(),
            value: size_of::<Flow>(),
            entries: Some(flow::MAX_FLOWS),
        }
    }

    fn fits(&self, info: &MapInfo) -> Result<bool> {
        let sensors = info.max_entries().saturating_sub(layout::SIDE_PAGES) / layout::SENSOR_PAGES;
        let expected = self.entries.unwrap_or(layout::pages(sensors.max(1)));
        Ok(info.max_entries() == expected
            && info.map_type()? == self.kind
            && info.key_size() as usize == self.key
            && info.value_size() as usize == self.value)
    }
}
