//! What notices are made by, and who tells them just now: shared by whoever gathers, asks and writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Event, Head, Line, Over};
use super::members::{Constituencies, Prefixes};
use super::template;
use crate::config::{Config, Members, NumberedSensor, SensorNumber};
use crate::obstacle::{WrongUse, in_words};
use crate::store::{About, AskNoticed, Feed, NoticeKey, NoticeRow, Reader};

/// Notices that are read at once.
const AT_ONCE: usize = 500;
/// How long whoever asks waits for what was seen last to be written.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of notices: all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskNotices {
    /// Of addresses that were last seen then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Of addresses that were first seen on their day before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Of this constituency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constituency: Option<String>,
    /// About this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// That are not sent yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// That are not sent yet, and that nobody else tells just now: they are this peer's to send, until it hangs up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub claim: bool,
    /// With the sensor's address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_sensor_address: bool,
}

/// A part of an answer.
#[derive(Debug)]
pub struct Chunk {
    /// What it says.
    pub lines: Vec<Line>,
    /// Behind which notice it goes on; `None` if that was all.
    pub next: Option<NoticeKey>,
}

/// What notices are made by. A copy is the same.
#[derive(Clone, Debug, Default)]
pub struct Book(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    by: Mutex<Arc<By>>,
    /// Those that somebody tells just now. Held while it is read which are not sent: whoever has told some lets go of them
    /// only after they are marked.
    claimed: Mutex<BTreeSet<NoticeKey>>,
    read_first: AtomicBool,
}

/// What they are made by.
#[derive(Clone, Debug, Default)]
pub(super) struct By {
    pub constituencies: Arc<Constituencies>,
    pub sensors: Arc<BTreeMap<SensorNumber, Told>>,
    /// Addresses that are sensors' own, as far as that is configured.
    own: Arc<Prefixes>,
    pub feed: Option<Feed>,
    template: Option<String>,
}

/// A sensor, as others know it.
#[derive(Debug)]
pub(super) struct Told {
    name: String,
    /// Its alias; its name, if it has none.
    pub alias: String,
}

/// The members of a constituency, as they were known at one moment.
#[derive(Debug)]
pub struct MembersNow {
    by: Arc<By>,
    constituency: String,
}

/// Notices that are somebody's to send, until this goes.
#[derive(Debug)]
pub struct Claim {
    book: Book,
    keys: BTreeSet<NoticeKey>,
}

impl Book {
    /// Goes by these settings from now on.
    pub fn configure<'a>(
        &self,
        config: &Config,
        members: impl IntoIterator<Item = &'a Members>,
        sensors: &[NumberedSensor],
        feed: Option<Feed>,
    ) {
        let told = |NumberedSensor { number, sensor }: &NumberedSensor| {
            let name = sensor.name.clone();
            let alias = sensor.alias.clone().unwrap_or_else(|| name.clone());
            (*number, Told { name, alias })
        };
        let mut own = Prefixes::default();
        for (place, of) in sensors.iter().enumerate() {
            for &prefix in &of.sensor.prefixes {
                own.add(prefix, place);
            }
        }
        let by = By {
            constituencies: Arc::new(Constituencies::new(members)),
            sensors: Arc::new(sensors.iter().map(told).collect()),
            own: Arc::new(own),
            feed,
            template: config.notices.as_ref().and_then(|notices| notices.template.clone()),
        };
        *self.0.by.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(by);
    }

    /// Has another store from now on.
    pub fn store_in(&self, feed: Option<Feed>) {
        let mut by = self.0.by.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut by).feed = feed;
    }

    pub(super) fn by(&self) -> Arc<By> {
        Arc::clone(&self.0.by.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The members of a constituency, as they are known now.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn members(&self, constituency: &str) -> Result<MembersNow> {
        let by = self.by();
        by.check_name(Some(constituency))?;
        Ok(MembersNow { by, constituency: constituency.to_owned() })
    }

    /// Nothing is claimed yet.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim { book: self.clone(), keys: BTreeSet::new() }
    }

    /// A part of the notices that are asked for, behind this one: those that are claimed are added to `claim`.
    ///
    /// # Errors
    /// There are none, or none of that constituency, or the store cannot be read; to claim some, if it cannot be written.
    pub fn ask(
        &self,
        ask: &AskNotices,
        after: Option<NoticeKey>,
        claim: Option<&mut Claim>,
    ) -> Result<Chunk> {
        let by = self.by();
        let feed = by.feed(ask.constituency.as_deref())?;
        let mut lines = Vec::new();
        if after.is_none() {
            let written = feed.write_notices(PATIENCE);
            if claim.is_some() {
                self.wait_for_the_log()?;
                written.as_ref().map_err(|error| WrongTime(in_words(error)))?;
            }
            lines.push(Line::Notices(Head {
                template: by.template.clone().unwrap_or_else(|| template::DEFAULT.to_owned()),
                trouble: written.err().map(|error| in_words(&error)),
            }));
        }
        let stored = AskNoticed {
            from: ask.from,
            to: ask.to,
            constituency: ask.constituency.clone(),
            about: ask.about,
            unsent: ask.unsent || claim.is_some(),
        };
        let reader = feed.reader();
        let (rows, next) = self.rows(&reader, &stored, after, claim)?;
        let events = rows.into_iter().map(|row| Event::of(row, &by, ask.with_sensor_address));
        lines.extend(events.map(|event| Line::Notice(Box::new(event))));
        if next.is_none() {
            lines.extend(reader.noticed_over(&stored)?.into_iter().map(|over| {
                let source = crate::sources::Source::V6(0);
                let day = NoticeKey { day: over.day, about: About::Source, source }.date();
                Line::Over(Over { day, constituency: over.constituency, packets: over.packets })
            }));
        }
        Ok(Chunk { lines, next })
    }

    /// Some rows behind this one, and where to go on, if not all are told: those that are claimed are added to `claim`.
    pub(super) fn rows(
        &self,
        reader: &Reader,
        ask: &AskNoticed,
        after: Option<NoticeKey>,
        claim: Option<&mut Claim>,
    ) -> Result<(Vec<NoticeRow>, Option<NoticeKey>)> {
        let mut claimed = self.claimed();
        let mut rows = reader.notices(ask, after, AT_ONCE)?;
        let next = (rows.len() == AT_ONCE).then(|| rows.last().map(|row| row.key)).flatten();
        if let Some(claim) = claim {
            rows.retain(|row| claimed.insert(row.key));
            claim.keys.extend(rows.iter().map(|row| row.key));
        }
        Ok((rows, next))
    }

    /// Whether the event log is to be read before others may claim notices: it may have some that the store does not know of.
    pub(super) fn read_first(&self, is_to_be_read: bool) {
        self.0.read_first.store(is_to_be_read, Ordering::Release);
    }

    fn wait_for_the_log(&self) -> Result<()> {
        let begun = Instant::now();
        while self.0.read_first.load(Ordering::Acquire) {
            if begun.elapsed() >= PATIENCE {
                return Err(anyhow!("the event log is read and written just now: ask again in a moment"));
            }
            thread::sleep(PATIENCE / 100);
        }
        Ok(())
    }

    fn claimed(&self) -> MutexGuard<'_, BTreeSet<NoticeKey>> {
        self.0.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notices cannot be sent now.
#[derive(Debug, thiserror::Error)]
#[error("no notice can be marked as sent, so none is given to be sent: {0}")]
struct WrongTime(String);

impl By {
    /// Where notices are stored.
    fn feed(&self, constituency: Option<&str>) -> Result<&Feed> {
        let feed = self.feed.as_ref().context(
            "this agent stores no notices: add [evidence] to its configuration, then `sensor reload`",
        )?;
        self.check_name(constituency)?;
        Ok(feed)
    }

    /// Whether there are constituencies, and one of this name if it is named.
    fn check_name(&self, constituency: Option<&str>) -> Result<()> {
        let names = self.constituencies.names();
        if names.is_empty() {
            return Err(WrongUse(
                "this agent knows no [[constituency]], which names addresses: add one to its configuration, then \
                 `sensor reload`"
                    .to_owned(),
            )
            .into());
        }
        if let Some(name) = constituency.filter(|name| !names.iter().any(|known| known == name)) {
            let names = names.join(", ");
            return Err(WrongUse(format!(
                "there is no constituency {name:?}: the configuration has {names}"
            ))
            .into());
        }
        Ok(())
    }

    /// What others know a sensor by.
    pub(super) fn told(&self, name: &str) -> String {
        let told = self.sensors.values().find(|told| told.name == name);
        told.map_or_else(|| name.to_owned(), |told| told.alias.clone())
    }

    /// Whether an address is a sensor's own, as far as that is configured.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.own.first(address).is_some()
    }
}

impl MembersNow {
    /// Whether an address is one of them, and of no constituency that stands before it.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.by.constituencies.of(address) == Some(&*self.constituency)
    }
}

impl Claim {
    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Marks all of them as sent, and says how many they are.
    ///
    /// # Errors
    /// That is not stored: see [`Feed::sent`].
    pub fn sent(self) -> Result<usize> {
        let by = self.book.by();
        let feed = by.feed.as_ref().context("this agent has no store any more: none is marked as sent")?;
        feed.sent(self.keys.iter().copied(), Timestamp::now(), 2 * PATIENCE)
            .context("they are marked as sent once it is, unless the agent ends before")?;
        Ok(self.keys.len())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = self.book.claimed();
        for key in &self.keys {
            claimed.remove(key);
        }
    }
}
