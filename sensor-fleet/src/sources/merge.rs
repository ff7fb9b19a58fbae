//! What sensors know of sources, put together: who was seen by which, and how many there were of all.
//!
//! Sources that sensors name are followed one by one, within a bound of pairs of a source and a sensor. All of them, followed or
//! not, are in a sketch of this run's own. Sketches of sensors are merged beside that, as far as they have one key.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use jiff::Timestamp;
use sensor_common::hyperloglog::HyperLogLog;

use super::outcome::{Outcome, Silent, Told};
use super::source::Source;

/// The binary logarithm of a sketch's registers: that of the agents' own.
pub const PRECISION: u8 = 12;
/// A sketch's standard error.
pub const STANDARD_ERROR: f64 = 1.04 / 64.0;
/// Pairs of a source and a sensor that are followed at most: some 300 MB where each source is seen by one sensor.
const MOST_PAIRS: usize = 1_800_000;
/// Different things that lists say of sources, which are told at most.
const MOST_BELONGS: usize = 100_000;

/// What one sensor saw of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub source: Source,
    pub packets: u64,
    /// So many more there may have been before it was followed.
    pub more: u64,
    pub bytes: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What lists say of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Belongs {
    pub country: Option<String>,
    pub system: Option<u32>,
    pub system_name: Option<String>,
    pub scanner: Option<String>,
}

/// What all sensors together saw of a source.
#[derive(Debug)]
pub struct Seen {
    pub packets: u64,
    pub more: u64,
    pub bytes: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// Places of the sensors that saw it, sorted.
    pub sensors: Vec<u32>,
    belongs: Option<u32>,
}

/// A sketch as a sensor hands it on.
#[derive(Debug)]
pub struct Sketch {
    /// Which key it was made with.
    pub key: String,
    pub precision: u8,
    pub registers: Vec<u8>,
}

impl Sketch {
    /// One whose registers are written in hexadecimal, if they are.
    #[must_use]
    pub fn read(key: &str, precision: u8, registers: &str) -> Option<Self> {
        let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
        let byte = |pair: &[u8]| Some(half(*pair.first()?)? << 4 | half(*pair.get(1)?)?);
        let registers = registers.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?;
        Some(Self { key: key.to_owned(), precision, registers })
    }
}

/// Sketches of sensors together.
#[derive(Default)]
pub struct Together {
    key: Option<String>,
    registers: Option<HyperLogLog<PRECISION>>,
    /// Those that are not in it.
    pub left_out: usize,
}

/// All of it.
pub struct Merge {
    pub(super) sources: HashMap<Source, Seen>,
    pairs: usize,
    most_pairs: usize,
    /// Whether a pair is not followed.
    pub(super) is_cut: bool,
    pub(super) rows: HyperLogLog<PRECISION>,
    hash: RandomState,
    pub(super) together: Together,
    /// Why sketches do not go together, by the sensors' places.
    pub(super) lacking: Vec<(u32, String)>,
    pub(super) sensors: Vec<Told>,
    pub(super) silent: Vec<Silent>,
    belongs: Vec<Belongs>,
    places: HashMap<Belongs, u32>,
}

impl Merge {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::within(MOST_PAIRS)
    }

    fn within(most_pairs: usize) -> Self {
        Self {
            sources: HashMap::new(),
            pairs: 0,
            most_pairs,
            is_cut: false,
            rows: HyperLogLog::new(),
            hash: RandomState::new(),
            together: Together::default(),
            lacking: Vec::new(),
            sensors: Vec::new(),
            silent: Vec::new(),
            belongs: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// One more sensor: its place.
    pub fn sensor(&mut self, told: Told) -> u32 {
        self.sensors.push(told);
        u32::try_from(self.sensors.len() - 1).unwrap_or(u32::MAX)
    }

    /// What is known of a sensor by now.
    pub fn told(&mut self, sensor: u32) -> Option<&mut Told> {
        self.sensors.get_mut(sensor as usize)
    }

    /// Somebody who did not answer, or not right.
    pub fn silent(&mut self, silent: Silent) {
        self.silent.push(silent);
    }

    /// Adds what a sensor saw of a source, and what lists say of that. Gives whether it was new to the sensor, which is told
    /// of all that are followed.
    pub fn add(&mut self, sensor: u32, row: &Row, belongs: Option<Belongs>) -> bool {
        self.rows.add(self.hash.hash_one(row.source));
        let is_full = self.pairs >= self.most_pairs;
        let belongs = belongs.and_then(|belongs| self.place(belongs));
        let Some(seen) = self.sources.get_mut(&row.source) else {
            if is_full {
                self.is_cut = true;
                return false;
            }
            self.pairs += 1;
            let &Row { source, packets, more, bytes, first, last } = row;
            let sensors = vec![sensor];
            self.sources.insert(source, Seen { packets, more, bytes, first, last, sensors, belongs });
            return true;
        };
        seen.packets = seen.packets.saturating_add(row.packets);
        seen.more = seen.more.saturating_add(row.more);
        seen.bytes = seen.bytes.saturating_add(row.bytes);
        seen.first = seen.first.min(row.first);
        seen.last = seen.last.max(row.last);
        seen.belongs = seen.belongs.or(belongs);
        match seen.sensors.binary_search(&sensor) {
            Ok(_) => false,
            Err(_) if is_full => {
                self.is_cut = true;
                false
            }
            Err(place) => {
                self.pairs += 1;
                seen.sensors.insert(place, sensor);
                true
            }
        }
    }

    /// Adds a sketch of a sensor's sources, or notes why there is none. Where it does not go with the others, that is said of
    /// the sensor if sketches are needed.
    pub fn sketch(&mut self, sensor: u32, sketch: Result<&Sketch, String>) {
        let Err(wrong) = self.together.add(sketch) else { return };
        if !self.lacking.iter().any(|(of, known)| *of == sensor && *known == wrong) {
            self.lacking.push((sensor, wrong));
        }
    }

    /// What lists say of a source that is followed.
    pub(super) fn belongs(&self, seen: &Seen) -> Option<&Belongs> {
        self.belongs.get(seen.belongs? as usize)
    }

    /// What comes of it, with so many sources.
    #[must_use]
    pub fn outcome(self, limit: usize) -> Outcome {
        Outcome::of(&self, limit)
    }

    fn place(&mut self, belongs: Belongs) -> Option<u32> {
        if belongs == Belongs::default() {
            return None;
        }
        if let Some(&place) = self.places.get(&belongs) {
            return Some(place);
        }
        let place = u32::try_from(self.belongs.len()).ok().filter(|_| self.belongs.len() < MOST_BELONGS)?;
        self.belongs.push(belongs.clone());
        self.places.insert(belongs, place);
        Some(place)
    }
}

impl Together {
    /// # Errors
    /// It does not go with the others: why, and what to do.
    fn add(&mut self, sketch: Result<&Sketch, String>) -> Result<(), String> {
        let added = sketch.and_then(|sketch| self.merge(sketch));
        self.left_out += usize::from(added.is_err());
        added
    }

    fn merge(&mut self, sketch: &Sketch) -> Result<(), String> {
        let Sketch { key, precision, registers } = sketch;
        if *precision != PRECISION || registers.len() != 1 << PRECISION {
            return Err(format!("its sketch is of another size, 2^{precision} registers"));
        }
        let first = self.key.get_or_insert_with(|| key.clone());
        if *first != *key {
            return Err(format!(
                "its sketch has another key, {key} and not {first}: give all sensors the same `sketch_key_file`"
            ));
        }
        self.registers.get_or_insert_with(HyperLogLog::new).merge_registers(registers);
        Ok(())
    }

    /// How many sources there were together, if all sketches are there and have one key.
    #[must_use]
    pub fn estimate(&self) -> Option<f64> {
        self.registers.as_ref().filter(|_| self.left_out == 0).map(HyperLogLog::estimate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_xoshiro::SplitMix64;

    use super::*;

    fn row(source: u32, packets: u64) -> Row {
        let time = |second: i64| Timestamp::from_second(second).unwrap();
        let (first, last) = (time(i64::from(source)), time(i64::from(source) + 9));
        Row { source: Source::V4(source.into()), packets, more: 0, bytes: packets * 60, first, last }
    }

    proptest! {
        #[test]
        fn sources_are_those_of_all_sensors(
            seen in prop::collection::vec((0_u32..4, 0_u32..40, 1_u64..9), 0..200),
            most_pairs in 1_usize..100,
        ) {
            let mut truth = HashMap::<u32, (u64, std::collections::BTreeSet<u32>)>::new();
            let mut merge = Merge::within(most_pairs);
            for &(sensor, source, packets) in &seen {
                merge.add(sensor, &row(source, packets), None);
                let of = truth.entry(source).or_default();
                of.0 += packets;
                of.1.insert(sensor);
            }
            let pairs: usize = truth.values().map(|(_, sensors)| sensors.len()).sum();
            prop_assert_eq!(merge.is_cut, pairs > most_pairs);
            prop_assert!(merge.sources.values().map(|seen| seen.sensors.len()).sum::<usize>() <= most_pairs);
            for (source, (packets, sensors)) in &truth {
                let found = merge.sources.get(&Source::V4((*source).into()));
                if merge.is_cut {
                    prop_assert!(found.is_none_or(|found| found.packets <= *packets));
                    continue;
                }
                let found = found.expect("all are followed");
                prop_assert_eq!(found.packets, *packets);
                prop_assert!(found.sensors.iter().eq(sensors));
            }
            // So few are told by the sketch within a place or two.
            #[expect(clippy::cast_precision_loss, reason = "a few")]
            let many = truth.len() as f64;
            prop_assert!((merge.rows.estimate() - many).abs() < 3.0, "{} of {many}", merge.rows.estimate());
        }
    }

    fn sketch(key: &str, precision: u8, hashes: std::ops::Range<u64>) -> Sketch {
        let mut registers = HyperLogLog::<PRECISION>::new();
        hashes.for_each(|it| registers.add(SplitMix64::seed_from_u64(it).random()));
        let registers = registers.registers().get(..1 << precision).unwrap_or_default().to_vec();
        Sketch { key: key.to_owned(), precision, registers }
    }

    #[test]
    fn sketches_of_one_key_are_merged_and_others_named() {
        let mut together = Together::default();
        assert_eq!(together.add(Ok(&sketch("a", 12, 0..500))), Ok(()));
        assert_eq!(together.add(Ok(&sketch("a", 12, 300..900))), Ok(()));
        let estimate = together.estimate().unwrap();
        assert!((estimate - 900.0).abs() < 6.0 * STANDARD_ERROR * 900.0, "{estimate}");
        for (other, words) in [
            (Ok(sketch("b", 12, 0..9)), "another key, b and not a"),
            (Ok(sketch("a", 11, 0..9)), "another size"),
            (Err("it has none".to_owned()), "it has none"),
        ] {
            let wrong = together.add(other.as_ref().map_err(String::clone)).unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
            assert_eq!(together.estimate(), None);
        }
    }
}
