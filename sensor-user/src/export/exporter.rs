//! From drains to the documents that are served.
//!
//! Holds the last snapshot, the selection of each sensor, and who has been served what. A page says only
//! what the last drain saw; serving it is what lets new series open.

use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus::{
    Histogram, HistogramOpts, TextEncoder,
    core::{Collector, Desc},
    process_collector::ProcessCollector,
    proto::MetricFamily,
};

use super::{
    AttachStatus, FAMILIES, HttpStats, Scraper,
    families::DRAIN_DURATION,
    metrics::{self, View},
    slots,
};
use crate::{
    config::{Export, Sensor},
    counters::{Selection, Snapshot, select::Scrapers},
};

/// Upper bounds of the drain histogram, in seconds: a drain of one sensor takes about half a millisecond.
const DRAIN_BUCKETS: [f64; 9] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1.0];

/// Everything behind the metrics page and the slots API.
pub struct Exporter {
    sensors: Vec<Exported>,
    snapshot: Option<Snapshot>,
    scrapers: Scrapers,
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
    pub(super) selection: Selection,
}

impl Exporter {
    /// An exporter for these sensors, in the order of the counters map.
    ///
    /// # Panics
    /// If a metric of [`FAMILIES`] has a name that Prometheus doesn't allow.
    #[must_use]
    pub fn new(sensors: &[Sensor], export: &Export) -> Self {
        let options =
            HistogramOpts::new(DRAIN_DURATION.name, DRAIN_DURATION.help).buckets(DRAIN_BUCKETS.into());
        let describe = |family: &&super::families::Family| {
            let labels = family.labels.iter().map(ToString::to_string).collect();
            Desc::new(family.name.into(), family.help.into(), labels, [].into())
                .expect("names are valid and helps not empty")
        };
        Self {
            sensors: sensors
                .iter()
                .map(|sensor| Exported {
                    name: sensor.name.clone(),
                    region: sensor.region.clone(),
                    selection: Selection::new(export),
                })
                .collect(),
            snapshot: None,
            scrapers: Scrapers::default(),
            attached: Vec::new(),
            drain_duration: Histogram::with_opts(options).expect("the name is valid, the bounds ascend"),
            drain_failures: 0,
            http: HttpStats::default(),
            process: ProcessCollector::for_self(),
            descriptions: FAMILIES.iter().map(describe).collect(),
        }
    }

    /// Takes in a drain: when it was started and how long it took. To be called in the order of the drains.
    pub fn observe(&mut self, now: Instant, snapshot: Snapshot, took: Duration) {
        self.drain_duration.observe(took.as_secs_f64());
        let drain = self.scrapers.drain();
        for (number, (sensor, slots)) in self.sensors.iter_mut().zip(&snapshot.sensors).enumerate() {
            let previous = self.snapshot.as_ref().map(|snapshot| &snapshot.sensors[number]);
            sensor.selection.advance(now, drain, previous, slots);
        }
        self.snapshot = Some(snapshot);
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
        self.scrapers.served(now, scraper);
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
