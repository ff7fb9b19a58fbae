//! The agent's own few metrics, and those of its process.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use sensor_common::layout::SCHEMA_VERSION;

use super::families::{
    ATTACHED, BUILD_INFO, DRAIN_DURATION, DRAIN_FAILURES, EGRESS_ATTACHED, Family, LOST_LINES,
    NOTICE_LOG_FAILING, NOTICES, NOTICES_LOGGED, NOTICES_OVER, STORE_BYTES, STORE_FAILING, STORE_REFUSED,
    STORE_ROWS, TIME,
};
use super::{AttachStatus, HttpStats};
use crate::kernel::AttachedMode;
use crate::notices::LogStats;
use crate::output;
use crate::store::{About, Refused, Stats};

/// Upper bounds of the drain histogram, in seconds: a drain of one sensor takes about half a millisecond.
const DRAIN_BUCKETS: [f64; 9] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1.0];

const VALID: &str = "the list's names are valid, and bounds of a histogram ascend";

/// What the agent says of itself.
pub(super) struct Own {
    attached: IntGaugeVec,
    egress_attached: IntGaugeVec,
    drain_duration: Histogram,
    drain_failures: IntCounter,
    http: HttpStats,
    lost_lines: IntCounter,
    store: StoreFamilies,
    notices: NoticeFamilies,
    time: IntGauge,
    build_info: IntGaugeVec,
    process: ProcessCollector,
}

impl Own {
    pub(super) fn new() -> Self {
        let labelled = |family: &Family| IntGaugeVec::new(family.options(), family.labels).expect(VALID);
        let buckets =
            HistogramOpts { common_opts: DRAIN_DURATION.options(), buckets: DRAIN_BUCKETS.to_vec() };
        let build_info = labelled(&BUILD_INFO);
        build_info.with_label_values(&[&SCHEMA_VERSION.to_string(), env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            attached: labelled(&ATTACHED),
            egress_attached: labelled(&EGRESS_ATTACHED),
            drain_duration: Histogram::with_opts(buckets).expect(VALID),
            drain_failures: IntCounter::with_opts(DRAIN_FAILURES.options()).expect(VALID),
            http: HttpStats::default(),
            lost_lines: IntCounter::with_opts(LOST_LINES.options()).expect(VALID),
            store: StoreFamilies::new(),
            notices: NoticeFamilies::new(),
            time: IntGauge::with_opts(TIME.options()).expect(VALID),
            build_info,
            process: ProcessCollector::for_self(),
        }
    }

    pub(super) fn drained(&self, took: Duration) {
        self.drain_duration.observe(took.as_secs_f64());
    }

    pub(super) fn drain_failed(&self) {
        self.drain_failures.inc();
    }

    pub(super) fn http_stats(&self) -> HttpStats {
        self.http.clone()
    }

    pub(super) fn store_stats(&self) -> Arc<Stats> {
        Arc::clone(&self.store.stats)
    }

    pub(super) fn notice_log_stats(&self) -> Arc<LogStats> {
        Arc::clone(&self.notices.log)
    }

    /// From now on there are these constituencies: their notices begin from 0.
    pub(super) fn tell_constituencies<'a>(&self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            for about in About::ALL {
                drop(self.notices.begun.with_label_values(&[about.label(), name]));
            }
        }
    }

    /// The families in the order of the list, and those of the process.
    pub(super) fn families(&self, attached: &[AttachStatus]) -> Vec<MetricFamily> {
        self.set_attached(attached);
        self.time.set(unix_time());
        self.lost_lines.inc_by(output::lost_lines().saturating_sub(self.lost_lines.get()));
        self.store.look();
        self.notices.look(&self.store.stats);
        let families: [&dyn Collector; 17] = [
            &self.attached,
            &self.egress_attached,
            &self.drain_duration,
            &self.drain_failures,
            self.http.collector(),
            &self.lost_lines,
            &self.store.bytes,
            &self.store.rows,
            &self.store.refused,
            &self.store.failing,
            &self.notices.begun,
            &self.notices.over,
            &self.notices.logged,
            &self.notices.failing,
            &self.time,
            &self.build_info,
            &self.process,
        ];
        // The library cannot write a family without samples.
        let families = families.into_iter().flat_map(Collector::collect);
        families.filter(|family| !family.get_metric().is_empty()).collect()
    }

    /// Both modes of each interface, so that neither a detached program nor a change of mode ends a series.
    fn set_attached(&self, attached: &[AttachStatus]) {
        self.attached.reset();
        self.egress_attached.reset();
        for AttachStatus { interface, mode, egress } in attached {
            self.egress_attached.with_label_values(&[interface]).set(i64::from(*egress));
            for of in AttachedMode::ALL {
                let gauge = self.attached.with_label_values(&[interface, &of.to_string()]);
                gauge.set(i64::from(*mode == Some(of)));
            }
        }
    }
}

/// What the store says of itself, which it does on a thread of its own.
struct StoreFamilies {
    stats: Arc<Stats>,
    bytes: IntGauge,
    rows: IntGauge,
    refused: IntCounterVec,
    failing: IntGauge,
}

impl StoreFamilies {
    fn new() -> Self {
        let gauge = |family: &Family| IntGauge::with_opts(family.options()).expect(VALID);
        Self {
            stats: Arc::default(),
            bytes: gauge(&STORE_BYTES),
            rows: gauge(&STORE_ROWS),
            refused: IntCounterVec::new(STORE_REFUSED.options(), STORE_REFUSED.labels).expect(VALID),
            failing: gauge(&STORE_FAILING),
        }
    }

    fn look(&self) {
        let value = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.bytes.set(value(self.stats.bytes()));
        self.rows.set(value(self.stats.rows()));
        self.failing.set(i64::from(self.stats.fails()));
        for reason in Refused::ALL {
            let counter = self.refused.with_label_values(&[reason.label()]);
            counter.inc_by(self.stats.refused(reason).saturating_sub(counter.get()));
        }
    }
}

/// What is said of notices: by the store that they are in, and by who writes the event log.
struct NoticeFamilies {
    log: Arc<LogStats>,
    begun: IntCounterVec,
    over: IntCounter,
    logged: IntCounter,
    failing: IntGauge,
}

impl NoticeFamilies {
    fn new() -> Self {
        let counter = |family: &Family| IntCounter::with_opts(family.options()).expect(VALID);
        Self {
            log: Arc::default(),
            begun: IntCounterVec::new(NOTICES.options(), NOTICES.labels).expect(VALID),
            over: counter(&NOTICES_OVER),
            logged: counter(&NOTICES_LOGGED),
            failing: IntGauge::with_opts(NOTICE_LOG_FAILING.options()).expect(VALID),
        }
    }

    fn look(&self, store: &Stats) {
        let reach = |counter: &IntCounter, count: u64| counter.inc_by(count.saturating_sub(counter.get()));
        for ((constituency, about), notices) in store.notices() {
            reach(&self.begun.with_label_values(&[about.label(), &*constituency]), notices);
        }
        reach(&self.over, store.notices_over());
        reach(&self.logged, self.log.written());
        self.failing.set(i64::from(self.log.trouble().is_some()));
    }
}

/// The host's clock: what Prometheus compares with its own. A clock that is before 1970 reads 0.
fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
