//! Counts by the minute and by the hour, made of samples of the exact counters.
//!
//! What a counter has grown by between two samples is of the minute in which it was sampled before. The counters as they
//! were last written are stored too, so that counts go on from them after a restart, and none is lost or counted twice.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sensor_common::layout::Counter;

use super::event::EventKind;
use super::feed::Sample;
use super::flow::{REST, integer};
use crate::counters::growth;

/// Seconds of a minute and of an hour.
pub(super) const MINUTE: i64 = 60;
/// See [`MINUTE`].
pub(super) const HOUR: i64 = 3_600;
/// Slots of a sensor with a row in a minute, at most: those with most packets.
const MOST_BY_MINUTE: usize = 1_000;
/// Slots of a sensor with a row in an hour, at most: likewise, once the hour is full.
const MOST_BY_HOUR: i64 = 10_000;
/// So many more until then.
const SLACK: i64 = MOST_BY_HOUR / 8;
/// What was not looked at for longer is told as a gap.
const GAP: i64 = 2 * MINUTE;

/// Adds to the row of a slot.
const ADD: &str = "INSERT INTO count VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET packets = packets + excluded.packets, bytes = bytes + excluded.bytes";

/// What a sensor's counters said, and when: slots that have counted something, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub time: i64,
    /// Whose life they are of, as a sample says.
    pub life: String,
    pub slots: Vec<(u32, Counter)>,
}

/// What a sensor has counted between two samples.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Growth {
    pub sensor: String,
    /// When the minute begins that it is counted in, in seconds since 1970; `None` of the very first sample.
    minute: Option<i64>,
    /// Since when nothing was looked at, if that is long.
    pub gap: Option<i64>,
    /// When the counters said it.
    pub time: i64,
    /// Which counters they were.
    life: String,
    /// Slots that have counted more, by how much and what they say now.
    slots: Vec<Grown>,
    /// Whether the counters had begun anew.
    anew: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grown {
    slot: u32,
    by: Counter,
    to: Counter,
}

/// The last samples of all sensors.
#[derive(Debug, Default)]
pub(super) struct Counting {
    known: BTreeMap<String, Known>,
}

impl Counting {
    /// What has grown since the last sample; `find` gives what was written of a sensor that was not sampled yet.
    ///
    /// # Errors
    /// As `find`'s.
    pub(super) fn grow<E>(
        &mut self,
        sample: Sample,
        find: impl Fn(&str) -> Result<Option<Known>, E>,
    ) -> Result<Vec<Growth>, E> {
        for (sensor, _) in &sample.sensors {
            if !self.known.contains_key(sensor)
                && let Some(known) = find(sensor)?
            {
                self.known.insert(sensor.clone(), known);
            }
        }
        let (time, life) = (sample.time.as_second(), sample.life);
        let grow = |(sensor, slots): (String, Vec<(u32, Counter)>)| {
            let now = Known { time, life: life.clone(), slots };
            let growth = Growth::between(&sensor, self.known.get(&sensor), &now);
            self.known.insert(sensor, now);
            growth
        };
        Ok(sample.sensors.into_iter().map(grow).collect())
    }
}

impl Known {
    /// Whether others have begun since, from 0: those of another life, or those of which one says less. A sensor that gets
    /// a number that others had in between is of the same life.
    fn has_ended(&self, now: &Self) -> bool {
        let is_another = !self.life.is_empty() && !now.life.is_empty() && self.life != now.life;
        let mut slots = now.slots.iter().peekable();
        let says_less = |&(slot, before): &(u32, Counter)| {
            while slots.next_if(|(other, _)| *other < slot).is_some() {}
            slots.next_if(|(other, _)| *other == slot).is_none_or(|(_, now)| now.packets < before.packets)
        };
        is_another || self.slots.iter().any(says_less)
    }
}

impl Growth {
    fn between(sensor: &str, before: Option<&Known>, now: &Known) -> Self {
        let time = now.time;
        let this = time.div_euclid(MINUTE) * MINUTE;
        // Of a long gap nobody knows when it was counted.
        let minute = before.map(|known| (known.time.div_euclid(MINUTE) * MINUTE).clamp(this - MINUTE, this));
        let gap = before.map(|known| known.time).filter(|before| time - before > GAP);
        let anew = before.is_some_and(|before| before.has_ended(now));
        let before = before.filter(|_| !anew).map_or(&[][..], |known| &known.slots);
        let slots = grown(before, &now.slots);
        Self { sensor: sensor.to_owned(), minute, gap, time, life: now.life.clone(), slots, anew }
    }
}

/// Slots that say more than before.
fn grown(before: &[(u32, Counter)], now: &[(u32, Counter)]) -> Vec<Grown> {
    let mut before = before.iter().peekable();
    let mut slots = Vec::new();
    for &(slot, to) in now {
        let from = loop {
            match before.peek().map(|(known, counter)| (known.cmp(&slot), *counter)) {
                Some((Ordering::Less, _)) => drop(before.next()),
                Some((Ordering::Equal, counter)) => break counter,
                _ => break Counter::default(),
            }
        };
        let by = growth(from, to);
        if by != Counter::default() {
            slots.push(Grown { slot, by, to });
        }
    }
    slots
}

/// What a sensor's counters said when they were last written.
pub(super) fn known(connection: &Connection, sensor: &str) -> rusqlite::Result<Option<Known>> {
    let query = "SELECT time, life, sensor FROM sampled JOIN sensor ON number = sensor WHERE name = ?1";
    let found: Option<(i64, String, i64)> = connection
        .query_row(query, [sensor], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((time, life, number)) = found else { return Ok(None) };
    let mut query =
        connection.prepare("SELECT slot, packets, bytes FROM counter WHERE sensor = ?1 ORDER BY slot")?;
    let slots = query.query_map([number], |row| {
        let count = |column| row.get(column).map(super::flow::count);
        Ok((row.get(0)?, Counter { packets: count(1)?, bytes: count(2)? }))
    })?;
    Ok(Some(Known { time, life, slots: slots.collect::<rusqlite::Result<_>>()? }))
}

/// Adds to the counts of a sensor, and notes what its counters say.
pub(super) fn write_growth(transaction: &Transaction<'_>, growth: &Growth) -> rusqlite::Result<()> {
    let find = "SELECT number FROM sensor WHERE name = ?1";
    let sensor: i64 = transaction.query_row(find, [&growth.sensor], |row| row.get(0))?;
    if growth.anew {
        transaction.execute("DELETE FROM counter WHERE sensor = ?1", [sensor])?;
    }
    let find = "SELECT count(*) FROM sampled WHERE sensor = ?1";
    let is_known: bool = transaction.query_row(find, [sensor], |row| row.get(0))?;
    // Of a database that somebody has put in place of another, what has not grown is not known.
    if is_known || growth.minute.is_none() || growth.anew {
        let mut set = transaction.prepare("INSERT OR REPLACE INTO counter VALUES (?1, ?2, ?3, ?4)")?;
        for Grown { slot, to, .. } in &growth.slots {
            set.execute(params![sensor, slot, integer(to.packets), integer(to.bytes)])?;
        }
        transaction.execute(
            "INSERT OR REPLACE INTO sampled (sensor, time, life) VALUES (?1, ?2, ?3)",
            params![sensor, growth.time, growth.life],
        )?;
    }
    let Some(minute) = growth.minute else { return Ok(()) };
    if let Some(since) = growth.gap {
        let packets = crate::counters::sum(growth.slots.iter().map(|grown| grown.by)).packets;
        transaction.execute(
            "INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3, x'', ?4, ?5, '{}')",
            params![EventKind::Gap as i64, since * 1_000, sensor, growth.time * 1_000, integer(packets)],
        )?;
    }
    let hour = minute.div_euclid(HOUR) * HOUR;
    let slots: Vec<(i64, Counter)> = growth.slots.iter().map(|grown| (grown.slot.into(), grown.by)).collect();
    add(transaction, HOUR, hour, sensor, &slots)?;
    trim_hour(transaction, hour, sensor)?;
    add(transaction, MINUTE, minute, sensor, &heaviest(slots))
}

/// The slots with most packets, and one that sums up the others.
fn heaviest(mut slots: Vec<(i64, Counter)>) -> Vec<(i64, Counter)> {
    if slots.len() > MOST_BY_MINUTE {
        slots.select_nth_unstable_by(MOST_BY_MINUTE, |(_, a), (_, b)| b.packets.cmp(&a.packets));
        let rest = crate::counters::sum(slots.drain(MOST_BY_MINUTE..).map(|(_, counter)| counter));
        slots.push((REST, rest));
        slots.sort_unstable_by_key(|(slot, _)| *slot);
    }
    slots
}

fn add(
    transaction: &Transaction<'_>,
    step: i64,
    time: i64,
    sensor: i64,
    slots: &[(i64, Counter)],
) -> rusqlite::Result<()> {
    let mut count = transaction.prepare(ADD)?;
    for (slot, Counter { packets, bytes }) in slots {
        count.execute(params![step, time, sensor, slot, integer(*packets), integer(*bytes)])?;
    }
    let Counter { packets, bytes } = crate::counters::sum(slots.iter().map(|(_, counter)| *counter));
    transaction.execute(
        "INSERT INTO total VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET packets = packets + excluded.packets, bytes = bytes + excluded.bytes",
        params![step, time, sensor, integer(packets), integer(bytes)],
    )?;
    Ok(())
}

/// Sums up the lightest slots of an hour of a sensor that are too many.
fn trim_hour(transaction: &Transaction<'_>, hour: i64, sensor: i64) -> rusqlite::Result<()> {
    const LIGHTEST: &str = "FROM count WHERE step = 3600 AND time = ?1 AND sensor = ?2 AND slot >= 0
        ORDER BY packets, slot DESC LIMIT ?3";
    let count = "SELECT count(*) FROM count WHERE step = 3600 AND time = ?1 AND sensor = ?2 AND slot >= 0";
    let rows: i64 = transaction.query_row(count, [hour, sensor], |row| row.get(0))?;
    if rows <= MOST_BY_HOUR + SLACK {
        return Ok(());
    }
    let which = [hour, sensor, rows - MOST_BY_HOUR];
    let sum = format!("SELECT sum(packets), sum(bytes) FROM (SELECT * {LIGHTEST})");
    let (packets, bytes): (i64, i64) =
        transaction.query_row(&sum, which, |row| Ok((row.get(0)?, row.get(1)?)))?;
    transaction.execute(
        &format!(
            "DELETE FROM count WHERE step = 3600 AND time = ?1 AND sensor = ?2 AND slot IN (SELECT slot {LIGHTEST})"
        ),
        which,
    )?;
    transaction.execute(ADD, params![HOUR, hour, sensor, REST, packets, bytes]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::Timestamp;

    use super::*;

    fn counter(packets: u64) -> Counter {
        Counter { packets, bytes: 60 * packets }
    }

    fn sample(time: i64, slots: &[(u32, u64)]) -> Sample {
        let slots = slots.iter().map(|&(slot, packets)| (slot, counter(packets))).collect();
        let sensors = vec![("a".to_owned(), slots)];
        Sample { time: Timestamp::from_second(time).unwrap(), life: String::new(), sensors }
    }

    fn grow(counting: &mut Counting, time: i64, slots: &[(u32, u64)]) -> Growth {
        let nothing = |_: &str| Ok::<_, Infallible>(None);
        counting.grow(sample(time, slots), nothing).unwrap().pop().unwrap()
    }

    fn by(growth: &Growth) -> Vec<(u32, u64)> {
        growth.slots.iter().map(|grown| (grown.slot, grown.by.packets)).collect()
    }

    #[test]
    fn what_has_grown_is_of_the_minute_before() {
        let mut counting = Counting::default();
        let first = grow(&mut counting, 603, &[(23, 5)]);
        assert_eq!((first.minute, first.gap), (None, None), "nobody knows when that was");
        let second = grow(&mut counting, 664, &[(23, 7), (80, 1)]);
        assert_eq!((second.minute, by(&second)), (Some(600), vec![(23, 2), (80, 1)]));
        let third = grow(&mut counting, 719, &[(23, 7), (80, 2)]);
        assert_eq!((third.minute, by(&third)), (Some(660), vec![(80, 1)]));
    }

    #[test]
    fn a_gap_is_told_and_a_clock_that_jumps_breaks_nothing() {
        let mut counting = Counting::default();
        grow(&mut counting, 600, &[(23, 5)]);
        let later = grow(&mut counting, 90_000, &[(23, 6)]);
        assert_eq!((later.minute, later.gap, by(&later)), (Some(89_940), Some(600), vec![(23, 1)]));
        let back = grow(&mut counting, 3_600, &[(23, 9)]);
        assert_eq!((back.minute, back.gap, by(&back)), (Some(3_600), None, vec![(23, 3)]));
    }

    #[test]
    fn counters_that_begin_anew_are_counted_from_zero() {
        let mut counting = Counting::default();
        grow(&mut counting, 600, &[(23, 5), (80, 3)]);
        let anew = grow(&mut counting, 660, &[(22, 9), (23, 4), (80, 3)]);
        assert_eq!((anew.anew, by(&anew)), (true, vec![(22, 9), (23, 4), (80, 3)]), "one says less");
        let anew = grow(&mut counting, 720, &[(22, 9), (80, 9)]);
        assert_eq!((anew.anew, by(&anew)), (true, vec![(22, 9), (80, 9)]), "one is not there");
    }

    #[test]
    fn counters_of_another_life_are_counted_from_zero_though_each_says_more() {
        let mut counting = Counting::default();
        let mut grow = |life: &str, time, packets| {
            let sample = Sample { life: life.to_owned(), ..sample(time, &[(23, packets)]) };
            let nothing = |_: &str| Ok::<_, Infallible>(None);
            let growth = counting.grow(sample, nothing).unwrap().pop().unwrap();
            (growth.anew, by(&growth)[0].1)
        };
        assert_eq!(grow("a", 600, 5), (false, 5));
        assert_eq!(grow("a", 660, 7), (false, 2));
        assert_eq!(grow("b", 720, 9), (true, 9));
        assert_eq!(grow("", 780, 10), (false, 1), "nobody knows");
        assert_eq!(grow("b", 840, 12), (false, 2));
    }

    #[test]
    fn a_minute_has_the_heaviest_and_the_rest() {
        let slots: Vec<(i64, Counter)> =
            (0..1_500_u64).map(|slot| (integer(slot), counter(slot + 1))).collect();
        let kept = heaviest(slots.clone());
        assert_eq!(kept.len(), MOST_BY_MINUTE + 1);
        assert_eq!(kept[0], (REST, counter((1..=500).sum())));
        assert_eq!(kept[1], (500, counter(501)));
        let sum = |slots: &[(i64, Counter)]| crate::counters::sum(slots.iter().map(|(_, counter)| *counter));
        assert_eq!(sum(&kept), sum(&slots));
    }
}
