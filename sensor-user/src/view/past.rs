//! What was counted before now, as the store has it: minutes of the last hour, and hours to compare the last one with.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::NoticeView;
use super::pace::MINUTES;
use super::service::Service;
use crate::store::{AskCounted, NoticeRow, Reader, Step};

/// Notices that are told.
const NOTICES: usize = 20;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// What was counted before now.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Packets of each sensor in each of the last sixty full minutes.
    minutes: BTreeMap<String, Vec<Option<u64>>>,
    /// What is compared.
    hours: Option<Hours>,
    of: BTreeMap<Service, Vec<Option<u64>>>,
    notices: Option<(Vec<NoticeView>, u64)>,
}

/// When the hours begin that are compared: the last full one, the same of the day before, and of the week before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours(pub [Timestamp; 3]);

impl Hours {
    /// As of now.
    #[must_use]
    pub fn before(now: Timestamp) -> Self {
        let last = (now.as_second().div_euclid(HOUR) - 1) * HOUR;
        Self([0, DAY, 7 * DAY].map(|before| Timestamp::from_second(last - before).unwrap_or_default()))
    }
}

impl Past {
    /// What the store has of a sensor, or of all together, of these services.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn of(
        reader: &Reader,
        sensor: Option<&str>,
        services: impl Iterator<Item = Service>,
        now: Timestamp,
    ) -> Result<Self> {
        let hours = Hours::before(now);
        let services: Vec<Service> = services.collect();
        let slots: Vec<_> = services.iter().map(|service| service.slots()).collect();
        let mut of: BTreeMap<Service, Vec<Option<u64>>> = BTreeMap::new();
        for counted in reader.in_hours(sensor, &hours.0, &slots)? {
            for (service, packets) in services.iter().zip(counted) {
                of.entry(*service).or_default().push(packets);
            }
        }
        Ok(Self {
            minutes: minutes(reader, now)?,
            hours: Some(hours),
            of,
            notices: Some(notices(reader, now)?),
        })
    }

    /// Packets of a sensor in each of the last sixty full minutes, the last one last; `None` if the store has none of them.
    #[must_use]
    pub fn minutes(&self, sensor: &str) -> Option<&Vec<Option<u64>>> {
        self.minutes.get(sensor)
    }

    /// Notices of today, those with most packets first, and how many there are; `None` where that is not known.
    #[must_use]
    pub const fn notices(&self) -> Option<&(Vec<NoticeView>, u64)> {
        self.notices.as_ref()
    }

    /// The hours that are compared.
    #[must_use]
    pub const fn hours(&self) -> Option<Hours> {
        self.hours
    }

    /// Packets of a service in each of them.
    #[must_use]
    pub fn in_hours(&self, service: Service) -> Vec<Option<u64>> {
        self.of.get(&service).cloned().unwrap_or_default()
    }
}

fn notices(reader: &Reader, now: Timestamp) -> Result<(Vec<NoticeView>, u64)> {
    let (rows, seen) = reader.heaviest_notices(now.as_second().div_euclid(DAY), NOTICES)?;
    let shown = |NoticeRow { key, noticed, sent }: NoticeRow| NoticeView {
        constituency: noticed.constituency,
        address: noticed.address.to_string(),
        about: key.about.label().to_owned(),
        last: noticed.last,
        packets: noticed.packets,
        sent: sent.is_some(),
    };
    Ok((rows.into_iter().map(shown).collect(), seen))
}

fn minutes(reader: &Reader, now: Timestamp) -> Result<BTreeMap<String, Vec<Option<u64>>>> {
    let to = Timestamp::from_second(now.as_second().div_euclid(MINUTE) * MINUTE)?;
    let from = to.checked_sub(SignedDuration::from_hours(1))?;
    let ask = AskCounted { sensor: None, slots: None, step: Step::Minute, from, to };
    let (_, counted, _) = reader.counts(&ask)?;
    let mut minutes: BTreeMap<String, Vec<Option<u64>>> = BTreeMap::new();
    for minute in counted {
        let of = minutes.entry(minute.sensor).or_insert_with(|| vec![None; MINUTES]);
        let at = (minute.time.as_second() - from.as_second()) / MINUTE;
        if let Some(at) = usize::try_from(at).ok().and_then(|at| of.get_mut(at)) {
            *at = Some(minute.packets);
        }
    }
    Ok(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_full_hour_is_compared_with_the_same_of_a_day_and_of_a_week_before() {
        let hours = Hours::before("2026-05-10T08:59:59Z".parse().unwrap());
        let expected = ["2026-05-10T07:00:00Z", "2026-05-09T07:00:00Z", "2026-05-03T07:00:00Z"];
        assert_eq!(hours.0.map(|time| time.to_string()), expected);
    }
}
