//! The maps that outlive a program: every load works with the same ones.

use std::fs;
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData, MapType, PerCpuArray};
use aya::{EbpfLoader, Pod};
use sensor_common::evidence::{self, Account};
use sensor_common::flow::{self, Flow, FlowKey, Fragment, FragmentKey, Uses};
use sensor_common::layout::{self, Name, Page, SeriesKey, SeriesRecord};
use sensor_common::policy;

use super::constituencies::Constituencies;
use super::drain::Counters;
use super::element::PerCpu;
use super::evidence::{Ledger, Ring};
use super::generation::{Generation, HotCounters, clear};
use super::guard::Guard;
use super::numbers::{Assigned, Numbers};
use super::pinned::{Entries, Layout, Pinned};
use super::pins::Pins;
use super::schema1;
use super::seed::Memory;
use super::series::{self, KernelSeries};
use crate::config::{Members, NumberedConstituency, NumberedSensor, Sensor, SensorNumber};
use crate::counters::store::forget;

/// The shared maps beside the counters.
const LAYOUTS: [(&str, Layout); 11] = [
    (flow::FLOWS_TCP, FLOWS),
    (flow::FLOWS, FLOWS),
    (flow::USES, array::<Uses>(1)),
    (flow::FRAGMENTS, hash::<FragmentKey, Fragment>(MapType::LruHash, flow::MAX_FRAGMENTS)),
    (layout::SERIES, hash::<SeriesKey, SeriesRecord>(MapType::Hash, layout::MAX_SERIES_RECORDS)),
    (layout::NAMES, array::<Name>(layout::MAX_SENSORS)),
    (layout::CONSTITUENCY_NAMES, array::<Name>(policy::MAX_CONSTITUENCIES)),
    (layout::PASSED, Layout::per_cpu::<Page>(Entries::Exactly(1))),
    (policy::GUARD, array::<u64>(1)),
    (evidence::NUMBERS, Layout::per_cpu::<u64>(Entries::Exactly(layout::MAX_SENSORS))),
    (evidence::ACCOUNTS, Layout::per_cpu::<Account>(Entries::Exactly(layout::MAX_SENSORS))),
];

const FLOWS: Layout = hash::<FlowKey, Flow>(MapType::LruHash, flow::MAX_FLOWS);

/// The ring buffer of evidence, which is there only while some is kept.
const RING: Layout =
    Layout { kind: MapType::RingBuf, key: 0, value: 0, entries: Entries::Exactly(evidence::RING_BYTES) };

const fn array<V>(entries: u32) -> Layout {
    hash::<u32, V>(MapType::Array, entries)
}

const fn hash<K, V>(kind: MapType, entries: u32) -> Layout {
    Layout { kind, key: size_of::<K>(), value: size_of::<V>(), entries: Entries::Exactly(entries) }
}

/// The kernel takes no ring buffer that is smaller than a page; aya rounds up to its size.
const SMALLEST_RING: u32 = 4096;

/// The shared maps, held open and, while programs are loaded, pinned.
pub struct Shared {
    pins: Pins,
    numbers: Numbers,
    constituencies: Constituencies,
    held: Vec<Pinned>,
    /// All counters there are, oldest first.
    generations: Vec<Arc<Generation>>,
    /// For how many sensors counters are to be made before programs are loaded.
    wanted: Option<u32>,
}

impl Shared {
    /// Opens the maps that are pinned; those that are not are made by the first load.
    ///
    /// # Errors
    /// A pinned map is not laid out as this build expects.
    pub fn open(mut pins: Pins) -> Result<Self> {
        schema1::adopt(&mut pins, LAYOUTS.iter().map(|(name, _)| *name))?;
        let (held, generations, numbers, constituencies) = pins.with_directory(|| {
            for (name, most) in [
                (layout::NAMES, layout::MAX_SENSORS),
                (layout::CONSTITUENCY_NAMES, policy::MAX_CONSTITUENCIES),
            ] {
                if !pins.map(name).exists() {
                    Pinned::make(&pins, name, |path| Ok(Array::<_, Name>::create(most, 0)?.pin(path)?))?;
                }
            }
            if !pins.map(layout::SERIES).exists() {
                Pinned::make(&pins, layout::SERIES, |path| Ok(series::create()?.pin(path)?))?;
            }
            if !pins.map(evidence::ACCOUNTS).exists() {
                Pinned::make(&pins, evidence::ACCOUNTS, |path| {
                    Ok(PerCpuArray::<_, Account>::create(layout::MAX_SENSORS, 0)?.pin(path)?)
                })?;
            }
            let mut held = Vec::new();
            for (name, layout) in LAYOUTS.iter().chain(&[(evidence::EVIDENCE, RING)]) {
                held.extend(Pinned::open(&pins, *name, layout)?);
            }
            let generations = Generation::open_all(&pins)?.into_iter().map(Arc::new).collect();
            let numbers = Numbers::new(MapData::from_pin(pins.map(layout::NAMES))?)?;
            let constituencies =
                Constituencies::new(MapData::from_pin(pins.map(layout::CONSTITUENCY_NAMES))?)?;
            Ok((held, generations, numbers, constituencies))
        })?;
        Ok(Self { pins, numbers, constituencies, held, generations, wanted: None })
    }

    /// Where all of this is pinned.
    #[must_use]
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Keeps what is pinned from now on, when this goes too.
    pub fn settle(&mut self) {
        self.pins.settle();
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
        self.wanted = match self.newest() {
            Some(newest) if newest.sensors() >= needed => None,
            Some(_) => Some(needed.next_power_of_two().min(layout::MAX_SENSORS)),
            None => Some(needed),
        };
        Ok(sensors)
    }

    /// Numbers the constituencies.
    ///
    /// # Errors
    /// Every number has been given, or the kernel does not read or write the map.
    pub fn number(&mut self, constituencies: Vec<Members>) -> Result<Vec<NumberedConstituency>> {
        let names: Vec<_> = constituencies.iter().map(|it| it.name.as_str()).collect();
        let numbers = self.constituencies.assign(&names)?;
        let numbered = |(number, members)| NumberedConstituency { number, members };
        Ok(numbers.into_iter().zip(constituencies).map(numbered).collect())
    }

    /// The counters in which programs count that are loaded now.
    fn newest(&self) -> Option<&HotCounters> {
        match &**self.generations.last()? {
            Generation::Hot(hot) => Some(hot),
            Generation::Plain(_) => None,
        }
    }

    /// Loads programs with the shared maps, making those that are not there yet; the ring buffer only where evidence
    /// is kept.
    ///
    /// # Errors
    /// What `load` says, or a map that cannot be made or pinned.
    pub(in crate::kernel) fn load<T>(
        &mut self,
        keeps_evidence: bool,
        loader: &mut EbpfLoader<'_>,
        load: impl FnOnce(&mut EbpfLoader<'_>) -> Result<T>,
    ) -> Result<T> {
        let Self { pins, held, generations, wanted, .. } = self;
        pins.with_directory(|| {
            held.iter().try_for_each(|pinned| pinned.pin(pins))?;
            generations.iter().try_for_each(|generation| generation.pin(pins))?;
            let made = match *wanted {
                Some(sensors) => {
                    let number = generations.iter().filter(|it| it.is_of_this_schema()).count();
                    Some(HotCounters::make(pins, number, sensors)?)
                }
                None => None,
            };
            let counters = match (&made, generations.last().map(|newest| &**newest)) {
                (Some(made), _) => made,
                (None, Some(Generation::Hot(newest))) => newest,
                _ => anyhow::bail!("there are no counters for the sensors"),
            };
            counters.load_into(pins, loader);
            for (name, _) in &LAYOUTS {
                loader.map_pin_path(name, pins.map(name));
            }
            if keeps_evidence {
                loader.map_pin_path(evidence::EVIDENCE, pins.map(evidence::EVIDENCE));
            } else {
                loader.map_max_entries(evidence::EVIDENCE, SMALLEST_RING);
            }
            let programs = match load(loader) {
                Ok(programs) => programs,
                Err(error) => {
                    // It would be taken for one of the size that is asked for next time.
                    made.inspect(|made| HotCounters::unpin(pins, made.number()));
                    return Err(error);
                }
            };
            if let Some(made) = made {
                generations.push(Arc::new(Generation::Hot(Box::new(made))));
                *wanted = None;
            }
            let ring = keeps_evidence.then_some((evidence::EVIDENCE, RING));
            for (name, layout) in LAYOUTS.iter().chain(&ring) {
                if !held.iter().any(|known| known.name == *name) {
                    held.extend(Pinned::open(pins, *name, layout)?);
                }
            }
            Ok(programs)
        })
    }

    /// The counters of these sensors, in this order.
    ///
    /// # Errors
    /// The kernel does not hand out the maps.
    pub fn counters(&self, sensors: &[NumberedSensor]) -> Result<Counters> {
        let passed = self.per_cpu(layout::PASSED)?;
        let numbers = sensors.iter().map(|sensor| sensor.number).collect();
        Counters::new(self.generations.clone(), passed, self.ledger()?, numbers)
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

    /// What is handed over as evidence; `None` if nothing was since this was made anew.
    ///
    /// # Errors
    /// The kernel does not hand out the maps.
    pub fn ring(&self) -> Result<Option<Ring>> {
        if !self.held.iter().any(|known| known.name == evidence::EVIDENCE) {
            return Ok(None);
        }
        Ring::new(self.handle(evidence::EVIDENCE)?).map(Some)
    }

    /// What became of it.
    ///
    /// # Errors
    /// Before the first load, or if the kernel does not hand out the maps.
    pub fn ledger(&self) -> Result<Ledger> {
        Ledger::new(self.per_cpu(evidence::NUMBERS)?, self.per_cpu(evidence::ACCOUNTS)?)
    }

    /// Does without the ring buffer, once no program hands anything over and nobody reads it any more.
    pub fn drop_ring(&mut self) {
        self.held.retain(|known| known.name != evidence::EVIDENCE);
        // Where it is not there, that is what was asked for.
        drop(fs::remove_file(self.pins.map(evidence::EVIDENCE)));
    }

    /// Forgets what a sensor counted that is not configured any more.
    fn wipe(&self, number: SensorNumber) -> Result<()> {
        forget(&mut self.series()?, number)?;
        if self.held(evidence::NUMBERS).is_ok() {
            clear::<u64>(&self.per_cpu(evidence::NUMBERS)?, number.0..number.0 + 1, 0)?;
        }
        clear(&self.per_cpu(evidence::ACCOUNTS)?, number.0..number.0 + 1, Account::default())?;
        self.generations.iter().try_for_each(|generation| generation.wipe(number.0))
    }

    fn held(&self, name: &str) -> Result<&MapData> {
        let found = self.held.iter().find(|known| known.name == name);
        found.map(|known| &known.map).with_context(|| format!("there is no map {name} yet"))
    }

    /// Another handle of a shared map of which each CPU has elements of its own.
    fn per_cpu<T: Pod>(&self, name: &str) -> Result<PerCpu<T>> {
        Ok(PerCpu::new(Pinned { name: name.to_owned(), map: self.another(name)? }))
    }

    /// Another handle of a shared map.
    fn handle(&self, name: &str) -> Result<Map> {
        Ok(Map::from_map_data(self.another(name)?)?)
    }

    fn another(&self, name: &str) -> Result<MapData> {
        let descriptor =
            self.held(name)?.fd().as_fd().try_clone_to_owned().context("no descriptor is left")?;
        Ok(MapData::from_fd(descriptor)?)
    }
}
