//! By whom a surge was made, as the agents' files by the hour tell: Prometheus knows how many packets came, and not from
//! whom.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;
use std::path::Path;

use anyhow::Result;
use sensor_common::heavy::{Heavy, forgotten};

use super::model::{Heaviest, Surge, SurgeOrigin};
use super::period::{Days, HOUR};
use super::spread::SENSORS;
use crate::sources::hourly::{self, Flow, Hour};
use crate::sources::source::{Network, Source};
use crate::vocabulary::service::Service;

/// Bytes for the sources of a surge, and for its networks: some thousands of each, so that what is told of the heaviest
/// is too low by a thousandth at most.
const MEMORY: usize = 256 << 10;

/// Which files told nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// The first that could not be read, and why.
    pub broken: Option<(String, String)>,
    /// How many could not be read.
    pub files: usize,
}

/// Says of each surge who made it, by the files of a folder. `sensors` are the names of all sensors of the report.
///
/// # Errors
/// The folder cannot be read.
pub fn tell<'a>(
    folder: &Path,
    days: &Days,
    sensors: impl Iterator<Item = &'a str>,
    surges: &mut [Surge],
) -> Result<Untold> {
    let mut looks: Vec<Look> = surges.iter().map(|surge| Look::at(surge, days)).collect();
    let concerned: BTreeSet<&str> = looks.iter().flat_map(|look| &look.sensors).map(String::as_str).collect();
    // A file's name is not always its sensor's: only what is another sensor's for certain is left unread.
    let others: HashSet<String> =
        sensors.filter(|name| !concerned.contains(name)).map(str::to_owned).collect();
    let mut untold = Untold::default();
    let mut seen = HashSet::new();
    for file in hourly::find(folder)? {
        let begin = file.hour.as_second();
        let services: HashSet<Service> =
            looks.iter().filter(|look| look.lasts(begin)).map(|look| look.service.clone()).collect();
        if services.is_empty() || others.contains(&file.name) {
            continue;
        }
        let keep = |flow: Flow| {
            let service = service(&flow)?;
            services.contains(&service).then_some((service, flow.source, flow.packets))
        };
        match Hour::read(&file.path, keep) {
            Ok(hour) if hour.begin == file.hour => {
                if seen.insert((hour.sensor.clone(), begin)) {
                    for look in &mut looks {
                        look.add(&hour.sensor, begin, &hour.rows);
                    }
                }
            }
            Ok(hour) => untold.add(&file.path, &format!("it is of the hour {}", hour.begin)),
            Err(error) => untold.add(&file.path, &format!("{error:#}")),
        }
    }
    for (surge, look) in surges.iter_mut().zip(looks) {
        surge.origin = look.origin();
    }
    Ok(untold)
}

impl Untold {
    fn add(&mut self, path: &Path, cause: &str) {
        self.files += 1;
        self.broken.get_or_insert_with(|| (path.display().to_string(), cause.to_owned()));
    }
}

/// The row of a ranking that a flow belongs to; nothing for fragments, which have no port.
fn service(flow: &Flow) -> Option<Service> {
    if flow.slot.ends_with("fragment") {
        return None;
    }
    let port = flow.port.map_or_else(String::new, |port| port.to_string());
    Service::from_labels(flow.protocol.as_deref()?, &port)
}

/// What is looked for, and found, of a surge.
struct Look {
    service: Service,
    /// When it lasted, in Unix seconds.
    from: i64,
    to: i64,
    sensors: Vec<String>,
    hours: usize,
    packets: u64,
    sources: Heavy<Source, SeenBy>,
    networks: Heavy<Network, SeenBy>,
}

/// Places of sensors, as many as matter.
#[derive(Default)]
struct SeenBy(Vec<usize>);

impl SeenBy {
    fn add(&mut self, sensor: usize) {
        if self.0.len() < SENSORS && !self.0.contains(&sensor) {
            self.0.push(sensor);
        }
    }
}

impl Look {
    fn at(surge: &Surge, days: &Days) -> Self {
        let span = |day| days.position(day).map(|day| days.span(day));
        let (from, to) =
            span(surge.from).zip(span(surge.to)).map_or((0, 0), |(first, last)| (first.0, last.1));
        let elsewhere = SENSORS * size_of::<usize>();
        Self {
            service: surge.service.clone(),
            from,
            to,
            sensors: surge.sensors.iter().map(|on| on.sensor.clone()).collect(),
            hours: 0,
            packets: 0,
            sources: Heavy::within(MEMORY, elsewhere),
            networks: Heavy::within(MEMORY, elsewhere),
        }
    }

    /// Whether it lasted in the hour that begins then.
    const fn lasts(&self, begin: i64) -> bool {
        self.from <= begin && begin < self.to
    }

    fn add(&mut self, sensor: &str, begin: i64, rows: &[(Service, Source, u64)]) {
        let Some(place) = self.sensors.iter().position(|name| name == sensor) else { return };
        if !self.lasts(begin) {
            return;
        }
        self.hours += 1;
        for (_, source, packets) in rows.iter().filter(|(service, ..)| *service == self.service) {
            self.packets = self.packets.saturating_add(*packets);
            self.sources.add_all(*source, *packets, SeenBy::default, forgotten).add(place);
            self.networks.add_all(source.network(), *packets, SeenBy::default, forgotten).add(place);
        }
    }

    fn origin(self) -> Option<SurgeOrigin> {
        let hours = usize::try_from((self.to - self.from) / HOUR).unwrap_or_default();
        Some(SurgeOrigin {
            packets: self.packets,
            hours: self.hours,
            of_hours: hours * self.sensors.len(),
            source: heaviest(&self.sources, self.packets, |source| match source {
                Source::V4(_) => "",
                Source::V6(_) => "/64",
            })?,
            network: heaviest(&self.networks, self.packets, Network::length)?,
        })
    }
}

/// Who sent the most of so many packets; the first in order of those that sent as much.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn heaviest<K: Copy + Ord + Hash + ToString>(
    of: &Heavy<K, SeenBy>,
    packets: u64,
    length: impl Fn(K) -> &'static str,
) -> Option<Heaviest> {
    let (key, place) = of.iter().max_by(|(a, at), (b, other)| at.seen.cmp(&other.seen).then(b.cmp(a)))?;
    Some(Heaviest {
        name: key.to_string(),
        length: length(*key),
        share: place.seen as f64 / packets as f64,
        sensors: place.value.0.len(),
    })
}

#[cfg(test)]
mod tests;
