//! Where what is to be stored comes in. Nobody who feeds the store waits for a disk.

use std::collections::BTreeMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use sensor_common::layout::{Counter, Slot};

use super::bounded::Bounded;
use super::event::{Event, EventKey};
use super::gather::Gathered;
use super::notice::{NoticeKey, Noticed};
use super::notices;
use super::read::Reader;
use super::stats::{Refused, Stats};
use super::window::{Window, WindowKey};
use crate::config::{NumberedSensor, SensorNumber};
use crate::counters::Slots;
use crate::sources::{Observation, Position};
use crate::status::StoreStatus;

/// Bytes of windows with their sketches that wait, at most.
const MOST_WINDOWS: usize = 16 << 20;
/// Bytes of events that wait, at most.
const MOST_EVENTS: usize = 16 << 20;
/// Names of sensors that are known, at most: several configurations' worth.
const MOST_NAMES: usize = 1024;
/// Samples that wait, at most.
const MOST_SAMPLES: usize = 2;
/// A minute.
const MINUTE: i64 = 60;

/// Where what is to be stored comes in. A copy leads to the same place.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something has come that is to be written at once.
    come: Condvar,
    /// The minute of the last sample of the counters.
    sampled: AtomicI64,
    stats: Arc<Stats>,
    database: PathBuf,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Waiting {
    names: Vec<String>,
    /// Which counters there are.
    life: String,
    /// Their places, by the sensors' numbers.
    sensors: BTreeMap<SensorNumber, u32>,
    gathered: Gathered,
    reached: Positions,
    windows: Bounded<WindowKey, Window, MOST_WINDOWS>,
    events: Bounded<EventKey, Event, MOST_EVENTS>,
    /// Oldest first: the one that others are compared with, and the newest.
    samples: Vec<Sample>,
    notices: notices::Waiting,
    /// How often somebody has asked for notices to be written at once, and up to which of these it was done.
    asked: u64,
    done: u64,
    stop: bool,
}

/// What is written at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Sensors' names: flows have their places in it.
    pub names: Vec<String>,
    /// Which counters there were.
    pub life: String,
    pub gathered: Gathered,
    /// How far records had come with that.
    pub reached: Positions,
    pub windows: Vec<Window>,
    pub events: Vec<Event>,
    pub notices: notices::Waiting,
    /// Who asks for what there is now has it once this is written: see [`Feed::write_notices`].
    pub asked: u64,
}

/// The last record of a sensor, by its place among the names, and of a CPU: its number, and how many packets had been skipped.
pub(super) type Positions = BTreeMap<(u32, u16), (u64, u64)>;

/// All counters of all sensors at one moment.
#[derive(Debug)]
pub(super) struct Sample {
    pub time: Timestamp,
    /// Which counters they are: see [`Feed::sensors`].
    pub life: String,
    /// Sensors by name, with the slots that have counted something, ascending.
    pub sensors: Vec<(String, Vec<(u32, Counter)>)>,
}

/// Why whoever waited for something to write waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Sample,
    Notices,
    Time,
    Stop,
}

impl Feed {
    /// A feed of a database at this path.
    pub(super) fn new(database: &Path, stats: Arc<Stats>) -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::default(),
            come: Condvar::new(),
            sampled: AtomicI64::new(i64::MIN),
            stats,
            database: database.to_owned(),
        }))
    }

    /// Takes what was observed.
    pub fn observe(&self, observations: &[Observation]) {
        let Waiting { sensors, gathered, .. } = &mut *self.lock();
        for observation in observations {
            // A sensor that has just gone has no name to be stored under.
            if let Some(&sensor) = sensors.get(&observation.sensor) {
                gathered.add(sensor, observation);
            }
        }
    }

    /// Notes how far records have come, of which all is known that they tell.
    pub fn reached(&self, positions: &[Position]) {
        let Waiting { sensors, reached, .. } = &mut *self.lock();
        for &Position { sensor, cpu, number, skipped, .. } in positions {
            if let Some(&place) = sensors.get(&sensor) {
                reached.insert((place, cpu), (number, skipped));
            }
        }
    }

    /// Notes that sensors are observed now, though they may see nothing: their hours have files all the same.
    pub fn attend(&self, now: Timestamp) {
        let Waiting { sensors, gathered, .. } = &mut *self.lock();
        for &sensor in sensors.values() {
            gathered.attend(sensor, now);
        }
    }

    /// Notes that it cannot be said whether all that was from one moment to the other was watched: hours that they are in were
    /// watched with a break.
    pub fn doubt(&self, before: Timestamp, now: Timestamp) {
        let Waiting { sensors, gathered, .. } = &mut *self.lock();
        for &sensor in sensors.values() {
            gathered.doubt(sensor, before);
            gathered.doubt(sensor, now);
        }
    }

    /// The sensors that observations are of from now on, and the name of their counters' life, which no others have or had:
    /// those begin from 0. `None` if that is not known.
    pub fn sensors(&self, sensors: &[NumberedSensor], life: Option<&str>) {
        let waiting = &mut *self.lock();
        waiting.sensors.clear();
        life.unwrap_or_default().clone_into(&mut waiting.life);
        for NumberedSensor { number, sensor } in sensors {
            if let Some(place) = waiting.place(&sensor.name) {
                waiting.sensors.insert(*number, place);
            }
        }
    }

    /// Stores a window, in place of what was stored of it before. One that there is no memory for waits for the next time.
    pub fn window(&self, window: Window) {
        let weight = window.weight();
        self.lock().windows.put(window.key(), window, weight);
    }

    /// Stores an event, in place of what was stored of it before. Where 16 MiB of them wait already, it is left out.
    pub fn event(&self, event: Event) {
        let weight = event.weight();
        self.lock().events.put(event.key(), event, weight);
    }

    /// Stores what was seen of addresses of constituencies beside what was stored of them before, and how many packets were of
    /// addresses that there was no room for. Where 16 MiB wait already, those of new ones are counted.
    pub fn notices(
        &self,
        noticed: impl IntoIterator<Item = (NoticeKey, Noticed)>,
        over: impl IntoIterator<Item = ((i64, String), u64)>,
    ) {
        let waiting = &mut self.lock().notices;
        for (key, noticed) in noticed {
            waiting.add(key, noticed);
        }
        for ((day, constituency), packets) in over {
            waiting.add_over(day, constituency, packets);
        }
    }

    /// Whether something was seen that is to be told, and is not stored.
    #[must_use]
    pub fn has_notices(&self) -> bool {
        self.lock().notices.has_noticed()
    }

    /// Has notices written that wait, and waits for it.
    ///
    /// # Errors
    /// They are not written within that time: they still wait.
    pub fn write_notices(&self, patience: Duration) -> Result<()> {
        self.write_at_once(self.lock(), patience)
    }

    /// Marks notices as sent, and waits until that is stored.
    ///
    /// # Errors
    /// It is not stored within that time: it is later, unless the agent ends before.
    pub fn sent(
        &self,
        keys: impl IntoIterator<Item = NoticeKey>,
        now: Timestamp,
        patience: Duration,
    ) -> Result<()> {
        let mut waiting = self.lock();
        for key in keys {
            waiting.notices.sent(key, now);
        }
        self.write_at_once(waiting, patience)
    }

    fn write_at_once(&self, mut waiting: MutexGuard<'_, Waiting>, patience: Duration) -> Result<()> {
        waiting.asked += 1;
        let asked = waiting.asked;
        self.0.come.notify_all();
        let is_not_done = |waiting: &mut Waiting| waiting.done < asked && !waiting.stop;
        let waited = self.0.come.wait_timeout_while(waiting, patience, is_not_done);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.done >= asked {
            return Ok(());
        }
        drop(waiting);
        let why = self.0.stats.trouble().unwrap_or_else(|| "its disk is slow, or it ends".to_owned());
        Err(anyhow!("the store is not written: {why}"))
    }

    /// Whether the counters are to be sampled now: once in each minute.
    #[must_use]
    pub fn wants_counts(&self, now: Timestamp) -> bool {
        self.0.sampled.load(Ordering::Relaxed) != now.as_second().div_euclid(MINUTE)
    }

    /// Takes a sample of the counters: of sensors by name. Of those that are not written yet, the oldest and this one
    /// stay.
    pub fn counts<'a>(&self, now: Timestamp, sensors: impl Iterator<Item = (&'a str, &'a Slots)>) {
        self.0.sampled.store(now.as_second().div_euclid(MINUTE), Ordering::Relaxed);
        let counted = |slots: &Slots| {
            let counted = slots.iter_nonzero().map(|(kind, counter)| (Slot::from(kind).index(), counter));
            counted.collect()
        };
        let sensors = sensors.map(|(name, slots)| (name.to_owned(), counted(slots))).collect();
        let mut waiting = self.lock();
        waiting.samples.truncate(MOST_SAMPLES - 1);
        let sample = Sample { time: now, life: waiting.life.clone(), sensors };
        waiting.samples.push(sample);
        drop(waiting);
        self.0.come.notify_all();
    }

    /// What the store says of itself.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.0.stats)
    }

    /// Where it is and how it goes, for `sensor status`.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        let stats = &self.0.stats;
        let refused = Refused::ALL.map(|reason| (reason.label().to_owned(), stats.refused(reason)));
        StoreStatus {
            path: self.0.database.parent().map(|folder| folder.display().to_string()),
            bytes: stats.bytes(),
            rows: stats.rows(),
            refused: refused.into(),
            trouble: stats.trouble(),
        }
    }

    /// Waits so long at most until the database was opened, or could not be; says whether it was.
    #[must_use]
    pub fn is_open_within(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        while self.0.stats.written() == 0 && !self.0.stats.fails() && begun.elapsed() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        self.0.stats.written() > 0 && !self.0.stats.fails()
    }

    /// What reads the store.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&self.0.database)
    }

    /// Has whoever writes write what there is, and end.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.0.come.notify_all();
    }

    /// Whether whoever writes is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stop
    }

    /// Waits for a sample, for so long at most.
    pub(super) fn wait(&self, patience: Duration) -> Woken {
        self.wait_while(patience, |it| !it.stop && it.samples.is_empty() && it.asked == it.done)
    }

    /// Waits for so long, unless it is to end.
    pub(super) fn wait_for_the_end(&self, patience: Duration) -> Woken {
        self.wait_while(patience, |waiting| !waiting.stop)
    }

    fn wait_while(&self, patience: Duration, is_idle: impl Fn(&Waiting) -> bool) -> Woken {
        let is_idle = |waiting: &mut Waiting| is_idle(waiting);
        let waiting = self.lock();
        let waited = self.0.come.wait_timeout_while(waiting, patience, is_idle);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.stop {
            Woken::Stop
        } else if !waiting.samples.is_empty() {
            Woken::Sample
        } else if waiting.asked > waiting.done {
            Woken::Notices
        } else {
            Woken::Time
        }
    }

    /// The samples that were not taken yet.
    pub(super) fn take_samples(&self) -> Vec<Sample> {
        mem::take(&mut self.lock().samples)
    }

    /// What has come so far.
    pub(super) fn take(&self) -> Batch {
        let mut waiting = self.lock();
        let gathered = mem::take(&mut waiting.gathered);
        let batch = Batch {
            names: waiting.names.clone(),
            life: waiting.life.clone(),
            reached: mem::take(&mut waiting.reached),
            windows: mem::take(&mut waiting.windows).into_values(),
            events: mem::take(&mut waiting.events).into_values(),
            notices: mem::take(&mut waiting.notices),
            asked: waiting.asked,
            gathered,
        };
        drop(waiting);
        self.0.stats.refuse(Refused::Memory, batch.gathered.refused);
        batch
    }

    /// What has come of notices so far.
    pub(super) fn take_notices(&self) -> Batch {
        let mut waiting = self.lock();
        let notices = mem::take(&mut waiting.notices);
        Batch { notices, asked: waiting.asked, ..Batch::default() }
    }

    /// Notes that what was there at so many askings is written.
    pub(super) fn wrote(&self, asked: u64) {
        let mut waiting = self.lock();
        waiting.done = asked.max(waiting.done);
        drop(waiting);
        self.0.come.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// A name's place among all names.
    fn place(&mut self, name: &str) -> Option<u32> {
        let known = self.names.iter().position(|known| known == name);
        let place = known.or_else(|| {
            (self.names.len() < MOST_NAMES).then(|| {
                self.names.push(name.to_owned());
                self.names.len() - 1
            })
        });
        place.and_then(|place| u32::try_from(place).ok())
    }
}
