//! What several integration tests need of the agent's own code: the loaded program, without an interface.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::{Map, MapData, PerCpuArray};
use aya::{TestRun as _, TestRunOptions};
use sensor_common::classify::Verdict;
use sensor_common::fingerprint::{Clock, of_frame};
use sensor_common::layout::side::Side;
use sensor_common::layout::{
    COUNTERS, Counter, HOT, PAGE_SLOTS, PASSED, Page, Passed, SENSOR_PAGES, SIDE_PAGE, SLOT_PAGES, Slot,
    WORDS_PAGES, Words, first_page,
};
use sensor_harness::skip::{self, Missing};
use sensor_user::config::{Config, Input, NumberedSensor};
use sensor_user::kernel::{DEFAULT_PINS, Loaded, Options, Pins, Shared, Variant};

/// The program in the kernel, run by `BPF_PROG_TEST_RUN`.
pub struct Kernel {
    /// Its programs.
    pub loaded: Loaded,
    pages: PerCpuArray<MapData, Page>,
    words: PerCpuArray<MapData, Words>,
    passed: PerCpuArray<MapData, Page>,
    /// The sensors, in the order of the configuration.
    sensors: Vec<NumberedSensor>,
    /// Pages as they were when last looked at, `None` that of what passes; zeros at first.
    seen: HashMap<Option<u32>, Vec<Counter>>,
}

/// The host's own clock.
struct WallClock;

impl Clock for WallClock {
    fn unix_seconds(&self) -> u32 {
        let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        u32::try_from(since).expect("it is before 2106")
    }
}

/// What the program did with one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The only counter that moved, by one packet.
    pub verdict: Verdict,
    /// By how many bytes it moved; what passes is only counted in packets.
    pub bytes: u64,
    /// Whether the packet was dropped.
    pub dropped: bool,
}

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

impl Kernel {
    /// Loads the program with the tables of a configuration file.
    pub fn load(tables: &str, observe: bool) -> Result<Self> {
        let config = Config { observe, ..config(tables)? };
        let mut shared = Shared::open(Pins::passing(DEFAULT_PINS.as_ref())?)?;
        let sensors = shared.assign(&config.sensors, &[])?;
        let options =
            Options { config: &config, sensors: &sensors, constituencies: &[], guarded: false, tools: true };
        let mut loaded = Loaded::new(&options, &mut shared)?;
        let pages = map(&mut loaded, COUNTERS)?.try_into()?;
        let words = map(&mut loaded, HOT)?.try_into()?;
        let passed = map(&mut loaded, PASSED)?.try_into()?;
        Ok(Self { loaded, pages, words, passed, sensors, seen: HashMap::new() })
    }

    /// Loads it for a test that needs this program of it.
    ///
    /// # Errors
    /// If it can't be loaded; inside, without root, or if the kernel lacks this program.
    pub fn with(variant: Variant, tables: &str, observe: bool) -> Result<Result<Self, Missing>> {
        if let Err(missing) = skip::root() {
            return Ok(Err(missing));
        }
        let kernel = Self::load(tables, observe)?;
        if variant == Variant::MultiBuffer && !kernel.loaded.has_multi_buffer() {
            return Ok(Err(Missing::new("the kernel is older than 5.18")));
        }
        Ok(Ok(kernel))
    }

    /// Gives the program one frame of at least 14 bytes, and looks where it is expected to be counted, and at
    /// what passes. [`Kernel::nothing_else_moved`] looks at everything else, in the end.
    ///
    /// # Errors
    /// If not exactly one counter moved there, or not by one packet.
    pub fn run(&mut self, variant: Variant, frame: &[u8], expected: Verdict) -> Result<Outcome> {
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        let action = self.loaded.xdp(variant)?.test_run(options)?.return_value;
        ensure!(matches!(action, XDP_DROP | XDP_PASS), "the program returned {action}");
        let mut moved = self.moved(None)?;
        if let Verdict::Count { sensor, slot } = expected {
            let number = self.sensors.get(sensor as usize).context("no such sensor")?.number.0;
            moved.extend(self.moved(Some(first_page(number) + slot.page()))?);
            let side = self.differences(Some(first_page(number) + SIDE_PAGE))?;
            // Of what nothing is told, there is none.
            let told = Some(of_frame(frame, &WallClock)).filter(|&side| side != Side::NONE);
            let expected: Vec<_> =
                told.into_iter().map(|side| (side.offset(), Counter { packets: 1, bytes: 0 })).collect();
            ensure!(side == expected, "side counters: {side:?}, not {expected:?}");
        }
        let [(verdict, counter)] = moved[..] else {
            bail!("{} counters moved where {expected:?} is counted, not one: {moved:?}", moved.len());
        };
        ensure!(counter.packets == 1, "{verdict:?} moved by {} packets", counter.packets);
        let bytes = if matches!(verdict, Verdict::Pass(_)) { 0 } else { counter.bytes };
        Ok(Outcome { verdict, bytes, dropped: action == XDP_DROP })
    }

    /// Looks at every counter of every sensor.
    ///
    /// # Errors
    /// If one is not as [`Kernel::run`] has left it.
    pub fn nothing_else_moved(mut self) -> Result<()> {
        for page in (0..self.pages.len()).map(Some).chain([None]) {
            let moved = self.moved(page)?;
            ensure!(moved.is_empty(), "something else was counted too: {moved:?}");
        }
        Ok(())
    }

    /// Every counter of a page that differs from what was seen, and by how much.
    fn moved(&mut self, page: Option<u32>) -> Result<Vec<(Verdict, Counter)>> {
        let moved = self.differences(page)?;
        moved.into_iter().map(|(place, by)| Ok((self.meaning(page, place)?, by))).collect()
    }

    /// Likewise, by their places in the page.
    fn differences(&mut self, page: Option<u32>) -> Result<Vec<(u32, Counter)>> {
        let now = self.page(page)?;
        let before = self.seen.remove(&page).unwrap_or_else(|| vec![Counter::default(); now.len()]);
        let mut moved = Vec::new();
        for (place, (before, now)) in (0..).zip(before.iter().zip(&now)) {
            if before != now {
                let by = Counter { packets: now.packets - before.packets, bytes: now.bytes - before.bytes };
                moved.push((place, by));
            }
        }
        self.seen.insert(page, now);
        Ok(moved)
    }

    /// What all CPUs have of a page, nothing being counted meanwhile.
    fn page(&self, page: Option<u32>) -> Result<Vec<Counter>> {
        let mut sums = vec![Counter::default(); PAGE_SLOTS as usize];
        let counters = match page {
            Some(page) => self.pages.get(&page, 0)?,
            None => self.passed.get(&0, 0)?,
        };
        let words = match page {
            Some(page) if page % SENSOR_PAGES < SLOT_PAGES => Some(self.words.get(&(page / WORDS_PAGES), 0)?),
            _ => None,
        };
        let first = page.map_or(0, |page| (page % WORDS_PAGES * PAGE_SLOTS) as usize);
        for (cpu, page) in counters.iter().enumerate() {
            let words = words.as_ref().map(|words| &words[cpu].0[first..]);
            for (place, (sum, counter)) in sums.iter_mut().zip(&page.0).enumerate() {
                let counter = words.map_or(*counter, |words| words[place].read(*counter));
                sum.packets += counter.packets;
                sum.bytes += counter.bytes;
            }
        }
        Ok(sums)
    }

    /// What the counter at a place of a page counts.
    fn meaning(&self, page: Option<u32>, place: u32) -> Result<Verdict> {
        let Some(page) = page else {
            let reason = Passed::ALL.get(place as usize).context("an unused side counter moved")?;
            return Ok(Verdict::Pass(*reason));
        };
        let (number, page) = (page / SENSOR_PAGES, page % SENSOR_PAGES);
        let sensor =
            self.sensors.iter().position(|known| known.number.0 == number).context("no such sensor")?;
        let kind = Slot::describe(page * PAGE_SLOTS + place).context("an unused counter moved")?;
        Ok(Verdict::Count { sensor: u32::try_from(sensor)?, slot: kind.into() })
    }
}

/// A map of the programs, with a descriptor of its own.
///
/// # Errors
/// If none is called so.
pub fn map(loaded: &mut Loaded, name: &str) -> Result<Map> {
    let info = match loaded.map(name)? {
        Map::Array(map) | Map::LruHashMap(map) | Map::PerCpuArray(map) => map.info()?,
        _ => bail!("{name} is a map of an unexpected kind"),
    };
    Ok(Map::from_map_data(MapData::from_id(info.id())?)?)
}

/// The configuration with these tables.
pub fn config(tables: &str) -> Result<Config> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(tables.as_bytes())?;
    let interfaces = vec!["eth0".to_owned()];
    let input = Input { file: Some(file.path().to_owned()), interfaces, ..Input::default() };
    Ok(Config::load(input)?)
}
