//! From drains to the documents that are served.
//!
//! Holds the last snapshot, the selection of each sensor, and who has been served what. A page says only
//! what the last drain saw; serving it is what lets new series open.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use jiff::Timestamp;
use prometheus::{Encoder, TextEncoder};
use sensor_common::layout::side::Side;
use sensor_common::layout::{Counter, Passed};

use super::buffer::Buffer;
use super::exported::{Exported, ipv4_addresses};
use super::own::Own;
use super::{AttachStatus, HttpStats, Scraper, metrics, slots, sources};
use crate::config::{Export, NumberedConstituency, NumberedSensor, SensorNumber};
use crate::counters::details::{self, Details};
use crate::counters::select::{Drain, Scrapers};
use crate::counters::store::{Records, Restored};
use crate::counters::{SeriesStore, Slots, Snapshot, SnapshotNumber};
use crate::notices::LogStats;
use crate::sources::Register;
use crate::status::{EvidenceStatus, SensorStatus};
use crate::store::Stats;

/// A constituency's name, and the side counter of what comes from it.
pub(super) type Labelled = (String, Side);

/// Everything behind the metrics page and the slots API.
pub struct Exporter {
    sensors: Vec<Exported>,
    store: Box<dyn SeriesStore>,
    /// Whether the last write to the store failed, and was logged.
    store_failed: bool,
    /// Of these sensors; `None` before their first drain.
    snapshot: Option<Snapshot>,
    /// Of the last drain: documents with the same number are made of the same counts.
    number: SnapshotNumber,
    /// `None` before the first drain.
    scrapers: Option<Scrapers>,
    /// The last drain.
    drain: Drain,
    own: Own,
    page: Buffer,
    /// What is known of sources, if they are looked at.
    sources: Option<Register>,
    constituencies: Vec<Labelled>,
    /// Whether their members are those that files tell now; `None` where none tells any.
    constituencies_are_current: Option<bool>,
}

impl Exporter {
    /// An exporter for these sensors. Their series go on from what the store holds; what it holds of other
    /// numbers waits for those to come back.
    ///
    /// A number is one sensor's for good: to give it to another, first [`forget`](crate::counters::store::forget)
    /// its records, then set its counters to zero.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn new(sensors: &[NumberedSensor], export: &Export, store: Box<dyn SeriesStore>) -> Result<Self> {
        let mut exporter = Self {
            sensors: Vec::new(),
            store,
            store_failed: false,
            snapshot: None,
            number: SnapshotNumber::default(),
            scrapers: None,
            drain: Drain::default(),
            own: Own::new(),
            page: Buffer::default(),
            sources: None,
            constituencies: Vec::new(),
            constituencies_are_current: None,
        };
        exporter.reconfigure(sensors, export)?;
        Ok(exporter)
    }

    /// From now on, exports these sensors. Those that were there before, by name and number, go on; those
    /// that were not go on from what the store holds of them. There is nothing to be served until the next
    /// drain.
    ///
    /// # Errors
    /// The store can't be read; nothing has changed then.
    pub fn reconfigure(&mut self, sensors: &[NumberedSensor], export: &Export) -> Result<()> {
        let mut recorded = Restored::load(&*self.store)?;
        let mut drained = self.snapshot.take().map(|snapshot| snapshot.sensors.into_iter());
        let mut before: BTreeMap<SensorNumber, Exported> = BTreeMap::new();
        for mut exported in self.sensors.drain(..) {
            if let Some(slots) = drained.as_mut().and_then(Iterator::next) {
                exported.baseline = Some(slots);
            }
            before.insert(exported.number, exported);
        }
        let keep = |numbered: &NumberedSensor| match before.remove(&numbered.number) {
            Some(mut kept) if kept.name == numbered.sensor.name => {
                kept.region.clone_from(&numbered.sensor.region);
                kept.ipv4_addresses = ipv4_addresses(&numbered.sensor);
                kept.selection.reconfigure(export);
                kept
            }
            _ => Exported::new(numbered, export, recorded.remove(&numbered.number).unwrap_or_default()),
        };
        self.sensors = sensors.iter().map(keep).collect();
        Ok(())
    }

    /// From now on, exports whether the members of constituencies are those that files tell; nothing where none does.
    pub const fn constituencies_are_current(&mut self, are: Option<bool>) {
        self.constituencies_are_current = are;
    }

    /// From now on, exports what comes from these constituencies.
    pub fn tell_constituencies(&mut self, constituencies: &[NumberedConstituency]) {
        let labelled = |it: &NumberedConstituency| (it.members.name.clone(), Side::constituency(it.number));
        self.constituencies = constituencies.iter().map(labelled).collect();
        self.own.tell_constituencies(constituencies.iter().map(|it| it.members.name.as_str()));
    }

    /// Takes in a drain of the sensors, in their order: when it was started and how long it took. To be
    /// called in the order of the drains. Gives back the snapshot before, for its memory to be used again.
    pub fn observe(&mut self, now: Instant, snapshot: Snapshot, took: Duration) -> Option<Snapshot> {
        self.own.drained(took);
        let drain = self
            .scrapers
            .get_or_insert_with(|| {
                let fresh = snapshot.sensors.iter().all(|slots| slots.total() == Counter::default());
                if fresh { Scrapers::default() } else { Scrapers::after_restart(now) }
            })
            .drain();
        self.drain = drain;
        let mut failure = None;
        for (place, (sensor, slots)) in self.sensors.iter_mut().zip(&snapshot.sensors).enumerate() {
            let baseline = sensor.baseline.take();
            let previous = self.snapshot.as_ref().and_then(|snapshot| snapshot.sensors.get(place));
            let mut records = Records::new(&mut *self.store, sensor.number);
            sensor.selection.advance(now, drain, previous.or(baseline.as_ref()), slots, &mut records);
            failure = failure.or(records.failure());
        }
        self.note_store(failure.as_ref());
        let before = self.snapshot.replace(snapshot);
        self.number.next(Timestamp::now());
        self.tell_skipped();
        before
    }

    /// Tells what looks at sources how many packets there are by now that it is not shown.
    fn tell_skipped(&self) {
        if let (Some(register), Some(snapshot)) = (&self.sources, &self.snapshot) {
            let skipped = |slots| details::skipped(slots).into_iter().map(|(_, packets)| packets).sum();
            let sensors = self.sensors.iter().zip(&snapshot.sensors);
            register
                .counted(Timestamp::now(), sensors.map(|(sensor, slots)| (sensor.number, skipped(slots))));
        }
    }

    /// Logs the first of a row of failures, and its end.
    fn note_store(&mut self, failure: Option<&anyhow::Error>) {
        match failure {
            Some(error) if !self.store_failed => tracing::error!(
                "{error:#}: ports keep or lack series of their own as they are now; no count is lost"
            ),
            None if self.store_failed => tracing::info!("the records of the series can be written again"),
            _ => {}
        }
        self.store_failed = failure.is_some();
    }

    /// Exports what is known of sources from now on, or nothing of them.
    pub fn tell_of(&mut self, sources: Option<Register>) {
        self.sources = sources;
        self.tell_skipped();
    }

    /// What is known of sources, if it is exported.
    #[must_use]
    pub fn told_of(&self) -> Option<Register> {
        self.sources.clone()
    }

    /// Notes that a drain failed.
    pub fn drain_failed(&mut self) {
        self.own.drain_failed();
    }

    /// The metrics page as of the last drain, in Prometheus' text format, for this scraper to be served.
    ///
    /// # Errors
    /// Before the first drain there is nothing to say.
    pub fn page(&mut self, now: Instant, attached: &[AttachStatus], scraper: Scraper) -> Result<Bytes> {
        let snapshot = self.snapshot.as_ref().context("the counters have not been read yet")?;
        let page = self.page.start();
        metrics::write(page, &self.sensors, &self.constituencies, snapshot);
        let constituencies = self.constituencies_are_current;
        match &self.sources {
            Some(register) => {
                sources::write(page, (&self.sensors, snapshot), self.drain, register, constituencies);
            }
            None => sources::lists(page, iter::empty(), constituencies),
        }
        let own = self.own.families(attached);
        TextEncoder.encode(&own, page).context("cannot write the metrics page")?;
        if let Some(scrapers) = &mut self.scrapers {
            scrapers.served(now, scraper);
        }
        Ok(self.page.page())
    }

    /// The page of a drain that failed: what the agent says of itself, how many drains failed among it, and no
    /// counter, since an older value would pass for the present one. It opens no series.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn page_without_counters(&mut self, attached: &[AttachStatus]) -> Result<Bytes> {
        let page = self.page.start();
        TextEncoder.encode(&self.own.families(attached), page).context("cannot write the metrics page")?;
        Ok(self.page.page())
    }

    /// Every slot that counted something, as JSON, as of the last drain.
    ///
    /// # Errors
    /// Before the first drain there is nothing to say.
    pub fn slots(&self) -> Result<Bytes> {
        let snapshot = self.snapshot.as_ref().context("the counters have not been read yet")?;
        // Asked for by people and now and then: no memory is kept for the next.
        let mut text = Vec::new();
        slots::write(&mut text, self.names(), &self.constituencies, snapshot, self.number)
            .context("cannot write the slots")?;
        Ok(text.into())
    }

    /// What each sensor has counted, as of the last drain; nothing before the first.
    pub fn sensors(&self) -> impl Iterator<Item = SensorStatus> {
        let drained = self.snapshot.iter().flat_map(|snapshot| &snapshot.sensors);
        self.sensors.iter().zip(drained).map(|(sensor, slots)| {
            let Counter { packets, bytes } = slots.total();
            SensorStatus { name: sensor.name.clone(), region: sensor.region.clone(), packets, bytes }
        })
    }

    /// What each sensor, by name, has counted in each slot, as of the last drain; nothing before the first.
    pub fn counted(&self) -> impl Iterator<Item = (&str, &Slots)> {
        let drained = self.snapshot.iter().flat_map(|snapshot| &snapshot.sensors);
        self.names().zip(drained)
    }

    /// The names of the sensors that are exported, whether they were drained yet or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sensors.iter().map(|sensor| sensor.name.as_str())
    }

    /// The number of the last snapshot; `None` before the first.
    #[must_use]
    pub fn snapshot_number(&self) -> Option<SnapshotNumber> {
        self.snapshot.as_ref().map(|_| self.number)
    }

    /// Constituencies, each with the side counter of what comes from it.
    pub fn constituencies(&self) -> impl Iterator<Item = (&str, Side)> {
        self.constituencies.iter().map(|(name, counter)| (name.as_str(), *counter))
    }

    /// What the store says of itself, for the store to say it in.
    #[must_use]
    pub fn store_stats(&self) -> Arc<Stats> {
        self.own.store_stats()
    }

    /// What the event log of notices says of itself, for it to say it in.
    #[must_use]
    pub fn notice_log_stats(&self) -> Arc<LogStats> {
        self.own.notice_log_stats()
    }

    /// What is kept as evidence, of all sensors together, as of the last drain; where that is, others know.
    #[must_use]
    pub fn evidence(&self) -> EvidenceStatus {
        let mut evidence = EvidenceStatus { share: 1.0, ..EvidenceStatus::default() };
        let mut handed_over = 0;
        let add = |sums: &mut BTreeMap<String, u64>, details: Details| -> u64 {
            details
                .into_iter()
                .map(|(reason, packets)| {
                    *sums.entry(reason.to_owned()).or_default() += packets;
                    packets
                })
                .sum()
        };
        for slots in self.snapshot.iter().flat_map(|snapshot| &snapshot.sensors) {
            let of_sensor = slots.side(Side::HANDED_OVER);
            handed_over += of_sensor;
            evidence.packets += of_sensor + add(&mut evidence.skipped, details::skipped(slots));
            add(&mut evidence.lost, details::lost(slots));
        }
        evidence.kept = handed_over.saturating_sub(evidence.lost.values().sum());
        if evidence.packets > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let share = evidence.kept as f64 / evidence.packets as f64;
            evidence.share = share;
        }
        evidence
    }

    /// Packets that were let through, by reason, as of the last drain; nothing before the first.
    #[must_use]
    pub fn passed(&self) -> BTreeMap<String, u64> {
        let passed = |snapshot: &Snapshot| {
            Passed::ALL.iter().map(|&reason| (reason.label().to_owned(), snapshot.passed(reason))).collect()
        };
        self.snapshot.as_ref().map(passed).unwrap_or_default()
    }

    /// The HTTP server's counters, for the server to count in.
    #[must_use]
    pub fn http_stats(&self) -> HttpStats {
        self.own.http_stats()
    }
}
