//! From drains to the documents that are served.
//!
//! Holds the last snapshot, the selection of each sensor, and who has been served what. A page says only
//! what the last drain saw; serving it is what lets new series open.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, TextEncoder};
use sensor_common::layout::Counter;

use super::families::DRAIN_DURATION;
use super::metrics::{self, View};
use super::{AttachStatus, FAMILIES, HttpStats, Scraper, slots};
use crate::config::{Export, Sensor};
use crate::counters::select::Scrapers;
use crate::counters::store::{Records, Restored};
use crate::counters::{Selection, SeriesStore, Slots, Snapshot};

/// Upper bounds of the drain histogram, in seconds: a drain of one sensor takes about half a millisecond.
const DRAIN_BUCKETS: [f64; 9] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1.0];

/// Everything behind the metrics page and the slots API.
pub struct Exporter {
    sensors: Vec<Exported>,
    store: Box<dyn SeriesStore>,
    /// Whether the last write to the store failed, and was logged.
    store_failed: bool,
    /// Of these sensors; `None` before their first drain.
    snapshot: Option<Snapshot>,
    /// `None` before the first drain.
    scrapers: Option<Scrapers>,
    attached: Vec<AttachStatus>,
    drain_duration: Histogram,
    drain_failures: u64,
    http: HttpStats,
    process: ProcessCollector,
    descriptions: Vec<Desc>,
}

/// A sensor's labels and its selection.
pub(super) struct Exported {
    pub(super) name: String,
    pub(super) region: String,
    number: u32,
    pub(super) selection: Selection,
    /// What the last drain before a reload saw.
    baseline: Option<Slots>,
}

impl Exporter {
    /// An exporter for these sensors, which the kernel knows by these numbers. Their series go on from what the
    /// store holds; what it holds of other numbers waits for those to come back.
    ///
    /// A number is one sensor's for good: to give it to another, first [`forget`](crate::counters::store::forget)
    /// its records, then set its counters to zero.
    ///
    /// # Errors
    /// The store can't be read.
    ///
    /// # Panics
    /// If there isn't a number for each sensor, or a metric of [`FAMILIES`] has a name that Prometheus doesn't
    /// allow.
    pub fn new(
        sensors: &[Sensor],
        numbers: &[u32],
        export: &Export,
        store: Box<dyn SeriesStore>,
    ) -> anyhow::Result<Self> {
        assert_eq!(sensors.len(), numbers.len(), "each sensor has a number");
        let mut recorded = Restored::load(&*store)?;
        let options =
            HistogramOpts::new(DRAIN_DURATION.name, DRAIN_DURATION.help).buckets(DRAIN_BUCKETS.into());
        let describe = |family: &&super::families::Family| {
            let labels = family.labels.iter().map(ToString::to_string).collect();
            Desc::new(family.name.into(), family.help.into(), labels, [].into())
                .expect("names are valid and helps not empty")
        };
        let restore = |(sensor, &number)| {
            let restored = recorded.remove(&number).unwrap_or_default();
            Exported::new(sensor, number, Selection::new(export, restored))
        };
        Ok(Self {
            sensors: sensors.iter().zip(numbers).map(restore).collect(),
            store,
            store_failed: false,
            snapshot: None,
            scrapers: None,
            attached: Vec::new(),
            drain_duration: Histogram::with_opts(options).expect("the name is valid, the bounds ascend"),
            drain_failures: 0,
            http: HttpStats::default(),
            process: ProcessCollector::for_self(),
            descriptions: FAMILIES.iter().map(describe).collect(),
        })
    }

    /// From now on, exports these sensors. Those that were there before, by name and number, go on; those
    /// that were not go on from what the store holds of them. There is nothing to be served until the next
    /// drain.
    ///
    /// # Errors
    /// The store can't be read; nothing has changed then.
    ///
    /// # Panics
    /// If there isn't a number for each sensor.
    pub fn reconfigure(
        &mut self,
        sensors: &[Sensor],
        numbers: &[u32],
        export: &Export,
    ) -> anyhow::Result<()> {
        assert_eq!(sensors.len(), numbers.len(), "each sensor has a number");
        let mut recorded = Restored::load(&*self.store)?;
        let mut drained = self.snapshot.take().map(|snapshot| snapshot.sensors.into_iter());
        let mut before: BTreeMap<u32, Exported> = BTreeMap::new();
        for mut exported in self.sensors.drain(..) {
            if let Some(slots) = drained.as_mut().and_then(Iterator::next) {
                exported.baseline = Some(slots);
            }
            before.insert(exported.number, exported);
        }
        let keep = |(sensor, &number): (&Sensor, &u32)| match before.remove(&number) {
            Some(mut kept) if kept.name == sensor.name => {
                kept.region.clone_from(&sensor.region);
                kept.selection.reconfigure(export);
                kept
            }
            _ => {
                let restored = recorded.remove(&number).unwrap_or_default();
                Exported::new(sensor, number, Selection::new(export, restored))
            }
        };
        self.sensors = sensors.iter().zip(numbers).map(keep).collect();
        Ok(())
    }

    /// Takes in a drain of the sensors, in their order: when it was started and how long it took. To be
    /// called in the order of the drains. Gives back the snapshot before, for its memory to be used again.
    pub fn observe(&mut self, now: Instant, snapshot: Snapshot, took: Duration) -> Option<Snapshot> {
        self.drain_duration.observe(took.as_secs_f64());
        let drain = self
            .scrapers
            .get_or_insert_with(|| {
                let fresh = snapshot.sensors.iter().all(|slots| slots.total() == Counter::default());
                if fresh { Scrapers::default() } else { Scrapers::after_restart(now) }
            })
            .drain();
        let mut failure = None;
        for (place, (sensor, slots)) in self.sensors.iter_mut().zip(&snapshot.sensors).enumerate() {
            let baseline = sensor.baseline.take();
            let previous = self.snapshot.as_ref().and_then(|snapshot| snapshot.sensors.get(place));
            let mut records = Records::new(&mut *self.store, sensor.number);
            sensor.selection.advance(now, drain, previous.or(baseline.as_ref()), slots, &mut records);
            failure = failure.or(records.failure());
        }
        self.note_store(failure.as_ref());
        self.snapshot.replace(snapshot)
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

    /// Notes that a drain failed.
    pub fn drain_failed(&mut self) {
        self.drain_failures += 1;
    }

    /// The metrics page as of the last drain, in Prometheus' text format, for this scraper to be served.
    ///
    /// # Errors
    /// Before the first drain there is nothing to say.
    pub fn page(
        &mut self,
        now: Instant,
        attached: &[AttachStatus],
        scraper: Scraper,
    ) -> anyhow::Result<String> {
        self.attached = attached.to_vec();
        let families = self.collect();
        anyhow::ensure!(self.snapshot.is_some(), "the counters have not been read yet");
        let page = TextEncoder.encode_to_string(&families).context("cannot write the metrics page")?;
        if let Some(scrapers) = &mut self.scrapers {
            scrapers.served(now, scraper);
        }
        Ok(page)
    }

    /// Every slot that counted something, as JSON, as of the last drain.
    ///
    /// # Errors
    /// Before the first drain there is nothing to say.
    pub fn slots(&self) -> anyhow::Result<Vec<u8>> {
        let snapshot = self.snapshot.as_ref().context("the counters have not been read yet")?;
        slots::report(self.sensors.iter().map(|sensor| sensor.name.as_str()), snapshot)
            .context("cannot write the slots")
    }

    /// The HTTP server's counters, for the server to count in.
    #[must_use]
    pub fn http_stats(&self) -> HttpStats {
        self.http.clone()
    }
}

impl Exported {
    fn new(sensor: &Sensor, number: u32, selection: Selection) -> Self {
        let (name, region) = (sensor.name.clone(), sensor.region.clone());
        Self { name, region, number, selection, baseline: None }
    }
}

impl Collector for Exporter {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().chain(self.process.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let view = View {
            sensors: &self.sensors,
            snapshot,
            attached: &self.attached,
            drain_duration: &self.drain_duration,
            drain_failures: self.drain_failures,
            http: &self.http,
        };
        let mut families = metrics::families(&view);
        families.extend(self.process.collect());
        families
    }
}
