//! Windows as they were before a restart, made of what the store has: so the current hour goes on.
//!
//! Of each source the store has what it sent to which port with which tool. Tuples and kinds of TCP segments of the time before
//! are not there. A time that was not watched, or whose packets are only known as a sum, is said.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::distinct::Secret;
use super::lists::Lists;
use super::memory::Memory;
use super::sketch::SketchKey;
use super::source::Source;
use super::window::{About, Span, Window};
use crate::config::SensorNumber;
use crate::obstacle::in_words;
use crate::store::{Ask, EventKind, Flowed, HourRow, Reader};

/// A time that nobody watched for longer is a break. The store is written once a minute, and told the time each second.
const BREAK: SignedDuration = SignedDuration::from_mins(2);
/// An hour that was watched so soon after its begin was watched from its begin on.
const SOON: SignedDuration = SignedDuration::from_secs(3);

impl Memory {
    /// Takes from the store what it has of the current and the last window of each span, hours before days, as long as there
    /// is time. What is there already stays.
    pub(super) fn restore(&mut self, reader: &Reader, lists: &Lists, now: Timestamp, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut failed = None;
        for span in Span::ALL {
            for number in self.sensors.keys().copied().collect::<Vec<_>>() {
                let left = deadline.saturating_duration_since(Instant::now());
                let reader = reader.clone().within(left);
                if let Err(error) = self.restore_one(number, span, &reader, lists, now) {
                    self.without_sketch(number, span, now);
                    failed.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failed {
            let error = in_words(&error);
            tracing::warn!(
                "{error}: not all that was known of this hour and day before the start is known now"
            );
        }
    }

    /// Notes that nothing of it could be taken from the store.
    pub(super) fn not_restored(&mut self, now: Timestamp) {
        for span in Span::ALL {
            for number in self.sensors.keys().copied().collect::<Vec<_>>() {
                self.without_sketch(number, span, now);
            }
        }
    }

    /// The window of now has no sketch: it would lack who was seen before the start, and take the place of one that has them.
    fn without_sketch(&mut self, number: SensorNumber, span: Span, now: Timestamp) {
        if let Some(of_sensor) = self.sensors.get_mut(&number) {
            of_sensor.windows_mut(span).at(now).sketch = None;
        }
    }

    fn restore_one(
        &mut self,
        number: SensorNumber,
        span: Span,
        reader: &Reader,
        lists: &Lists,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let (secret, key) = (self.secret().clone(), self.sketch_key().cloned());
        let Some(of_sensor) = self.sensors.get_mut(&number) else { return Ok(()) };
        let name = of_sensor.name.clone();
        let windows = of_sensor.windows_mut(span);
        let start = span.start(now);
        // Watched from now on, if the store has nothing of it: else it would be taken for the one behind the last, and whole.
        windows.at(now);
        // The current one first: it is what grows.
        for start in [start, start - span.seconds()] {
            if let Some(window) =
                restored(windows.empty(start), &name, reader, &about(&secret, key.as_ref(), lists), now)?
            {
                windows.put(window);
            }
        }
        Ok(())
    }
}

/// What is known of a source, whoever asks.
fn about<'a>(
    secret: &'a Secret,
    key: Option<&'a SketchKey>,
    lists: &'a Lists,
) -> impl Fn(Source) -> About + 'a {
    move |source| {
        let address = source.first();
        About {
            key: secret.key(source),
            country: lists.country(address),
            system: lists.system_number(address),
            known: lists.scanner(address).is_some(),
            sketched: key.map(|key| key.hash(source)),
        }
    }
}

/// A window with what the store has of it; `None` of nothing.
fn restored(
    mut window: Window,
    sensor: &str,
    reader: &Reader,
    about: &impl Fn(Source) -> About,
    now: Timestamp,
) -> anyhow::Result<Option<Window>> {
    let at = |second| Timestamp::from_second(second).unwrap_or_default();
    let (begin, end) = (at(window.start), at(window.end()));
    let hours = reader
        .hours(sensor, &Ask::of(begin, end), |flow: Flowed| window.restore(&flow, &about(flow.source)))?;
    let Some(first) = hours.first() else { return Ok(None) };
    let of_sensor = Ask { sensor: Some(sensor.to_owned()), most: usize::MAX, ..Ask::of(begin, end) };
    for victim in
        reader.events(EventKind::Victim, None, &of_sensor)?.into_iter().filter_map(|event| event.source)
    {
        window.victims.add(about(victim).key);
    }
    if let Some(sketch) = &mut window.sketch {
        // It has sources too that have no row of their own.
        let length = u32::try_from(window.span.seconds()).unwrap_or_default();
        for stored in reader.windows(sensor, None, length, (begin, end))? {
            sketch.merge_stored(&stored.sketch);
        }
    }
    window.since = if first.since.duration_since(begin) <= SOON { begin } else { first.since };
    window.whole = is_whole(&hours, end.min(now));
    // Sources of what is only a sum are not known.
    window.observed = hours.iter().map(|hour| hour.observed - hour.rest.min(hour.observed)).sum();
    window.missed = hours.iter().map(|hour| hour.missed + hour.rest).sum();
    Ok(Some(window))
}

/// Whether hours were watched without a break, from when the first was to this moment.
fn is_whole(hours: &[HourRow], to: Timestamp) -> bool {
    let follows = |before: Timestamp, after: Timestamp| after.duration_since(before) <= BREAK;
    !hours.iter().any(|hour| hour.broken)
        && hours.windows(2).all(|hours| follows(hours[0].until, hours[1].since))
        && hours.last().is_some_and(|last| follows(last.until, to))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn hour(since: i64, until: i64) -> HourRow {
        let at = |second| Timestamp::from_second(second).unwrap();
        HourRow {
            hour: at(0),
            since: at(since),
            until: at(until),
            broken: false,
            observed: 0,
            missed: 0,
            rest: 0,
        }
    }

    #[rstest]
    #[case::one(&[(10, 3_599)], 3_600, true)]
    #[case::restart(&[(0, 3_000)], 3_060, true)]
    #[case::away(&[(0, 3_000)], 3_500, false)]
    #[case::two(&[(0, 3_599), (3_601, 7_199)], 7_200, true)]
    #[case::an_hour_is_missing(&[(0, 3_599), (7_201, 10_799)], 10_800, false)]
    #[case::late(&[(0, 3_599), (4_000, 7_199)], 7_200, false)]
    fn a_break_is_known(#[case] hours: &[(i64, i64)], #[case] to: i64, #[case] whole: bool) {
        let hours: Vec<_> = hours.iter().map(|&(since, until)| hour(since, until)).collect();
        let to = Timestamp::from_second(to).unwrap();
        assert_eq!(is_whole(&hours, to), whole);
        // Whatever its ends say.
        let broken: Vec<_> = hours.into_iter().map(|hour| HourRow { broken: true, ..hour }).collect();
        assert!(!is_whole(&broken, to));
    }
}
