//! What is known of a sensor's sources, by day: how many there were, from where their packets came, and what made them.
//!
//! All of it may be missing: agents tell of sources only where evidence is kept, of countries, autonomous systems and known
//! scanners only where they have a list, and those of before tell nothing. What is missing is nothing, and not zero.

mod by_month;
mod capped;
mod gather;
mod grouped;
mod keyed;
mod rank;
mod without;

use std::collections::BTreeMap;

pub use self::capped::Caps;
pub use self::gather::Gatherer;
use super::client::Series;
use crate::vocabulary::series::{
    COUNTRY_SOURCES_DAILY, MIRAI_SOURCES_DAILY, SOURCES_DAILY, SOURCES_MISSED_DAILY, SOURCES_OBSERVED_DAILY,
    VICTIMS_DAILY,
};
use crate::vocabulary::service::Service;

/// The labels of what has no series of its own, or is of no known kind.
pub const OTHER: &str = "other";
/// The label of sources that a list says nothing of.
pub const UNKNOWN: &str = "unknown";

/// Numbers by day; nothing for days on which there was no series.
pub type Days = Vec<Option<u64>>;

/// What is known of a sensor's sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// SYNs by what made them.
    pub tools: BTreeMap<String, Days>,
    /// Packets whose sources were looked at, by country.
    pub countries: BTreeMap<String, Days>,
    /// Likewise by the number of an autonomous system.
    pub systems: BTreeMap<String, Days>,
    /// Those of known scanners, by organisation.
    pub scanners: BTreeMap<String, Days>,
    /// The same by service.
    pub scanned: BTreeMap<Service, Days>,
    /// Packets by constituency.
    pub constituencies: BTreeMap<String, Days>,
    /// Distinct sources of UTC days.
    pub sources: Days,
    /// The same by service.
    pub service_sources: BTreeMap<Service, Days>,
    /// The same by country.
    pub country_sources: BTreeMap<String, Days>,
    /// The same of SYNs with Mirai's mark.
    pub mirai_sources: BTreeMap<String, Days>,
    /// Packets that these rest on, and packets that they don't.
    pub observed: Days,
    /// See [`Known::observed`].
    pub missed: Days,
    /// Distinct addresses under denial of service of UTC days.
    pub victims: Days,
}

impl Known {
    /// Takes in SYNs that a tool made.
    pub(super) fn tool(&mut self, series: &Series, days: &[Option<u64>]) {
        keep(&mut self.tools, series.label("tool"), days);
    }

    /// Takes in packets by where they came from.
    pub(super) fn origin(&mut self, series: &Series, days: &[Option<u64>]) {
        keep(&mut self.countries, series.label("country"), days);
        keep(&mut self.systems, series.label("as"), days);
        keep(&mut self.scanners, series.label("scanner"), days);
        keep(&mut self.constituencies, series.label("constituency"), days);
        if let Some(service) = service(series) {
            add(self.scanned.entry(service).or_default(), days);
        }
    }

    /// Takes in what is said of UTC days. What has another name is no such thing.
    pub(super) fn window(&mut self, series: &Series, days: &[Option<u64>]) {
        match series.label("__name__") {
            SOURCES_DAILY if series.label("protocol").is_empty() => add(&mut self.sources, days),
            SOURCES_DAILY => {
                if let Some(service) = service(series) {
                    add(self.service_sources.entry(service).or_default(), days);
                }
            }
            COUNTRY_SOURCES_DAILY => keep(&mut self.country_sources, series.label("country"), days),
            MIRAI_SOURCES_DAILY => keep(&mut self.mirai_sources, series.label("country"), days),
            SOURCES_OBSERVED_DAILY => add(&mut self.observed, days),
            SOURCES_MISSED_DAILY => add(&mut self.missed, days),
            VICTIMS_DAILY => add(&mut self.victims, days),
            _ => (),
        }
    }

    /// The part, 0 to 1, of the packets of a day whose sources were looked at; nothing if that is not known.
    pub(super) fn share(&self, day: usize) -> Option<f64> {
        let (observed, missed) = (at(&self.observed, day)?, at(&self.missed, day).unwrap_or(0));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let part = observed as f64 / observed.saturating_add(missed) as f64;
        // Without a packet nothing was missed.
        Some(if part.is_nan() { 1.0 } else { part })
    }
}

/// A number of a day.
pub(super) fn at(days: &[Option<u64>], day: usize) -> Option<u64> {
    days.get(day).copied().flatten()
}

fn service(series: &Series) -> Option<Service> {
    let (protocol, port) = (series.label("protocol"), series.label("port"));
    (!protocol.is_empty()).then(|| Service::from_labels(protocol, port)).flatten()
}

fn keep(all: &mut BTreeMap<String, Days>, label: &str, days: &[Option<u64>]) {
    if !label.is_empty() {
        add(all.entry(label.to_owned()).or_default(), days);
    }
}

/// A series may come in parts.
fn add(sums: &mut Days, days: &[Option<u64>]) {
    sums.resize(sums.len().max(days.len()), None);
    for (sum, value) in sums.iter_mut().zip(days) {
        if let Some(value) = value {
            *sum = Some(sum.unwrap_or(0).saturating_add(*value));
        }
    }
}
