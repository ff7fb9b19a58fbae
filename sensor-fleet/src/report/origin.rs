//! By whom a surge was made, as the agents' files by the hour tell: Prometheus knows how many packets came, and not from
//! whom.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::path::Path;

use anyhow::Result;
use sensor_common::heavy::{Heavy, forgotten};

use super::model::{Heaviest, Maker, Surge, SurgeOrigin, enough};
use super::period::{Days, HOUR};
use crate::sources::hourly::{self, Flow, Hour};
use crate::sources::source::{Network, Source};
use crate::vocabulary::service::Service;

/// Bytes for the sources of a surge, and for its networks: some thousands of each, so that what is told of the heaviest
/// is too low by a thousandth at most.
const MEMORY: usize = 256 << 10;
/// Bytes for those of each of its sensors at least: too low by a fiftieth at most, and only of who was not there from the
/// start.
const LEAST_MEMORY: usize = 16 << 10;

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
    let mut search = Search::new(surges, days);
    let concerned = search.concerned();
    // A file's name is not always its sensor's: only what is another sensor's for certain is left unread.
    let others: HashSet<String> =
        sensors.filter(|name| !concerned.contains(*name)).map(str::to_owned).collect();
    let mut untold = Untold::default();
    let mut seen = HashSet::new();
    for file in hourly::find(folder)? {
        let begin = file.hour.as_second();
        let services = search.services(begin);
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
                    search.add(&hour.sensor, begin, &hour.rows);
                }
            }
            Ok(hour) => untold.add(&file.path, &format!("it is of the hour {}", hour.begin)),
            Err(error) => untold.add(&file.path, &format!("{error:#}")),
        }
    }
    search.tell(surges);
    Ok(untold)
}

/// Who made some surges, as flows are shown to it hour by hour.
pub struct Search(Vec<Look>);

impl Search {
    /// For who made these.
    #[must_use]
    pub fn new(surges: &[Surge], days: &Days) -> Self {
        Self(surges.iter().map(|surge| Look::at(surge, days)).collect())
    }

    /// The sensors that saw any.
    fn concerned(&self) -> BTreeSet<String> {
        self.0.iter().flat_map(|look| &look.sensors).cloned().collect()
    }

    /// The services of those that lasted in the hour that begins then.
    fn services(&self, begin: i64) -> HashSet<Service> {
        self.0.iter().filter(|look| look.lasts(begin)).map(|look| look.service.clone()).collect()
    }

    /// Takes in the flows of a sensor's hour, each hour once: packets by service and source.
    pub fn add(&mut self, sensor: &str, begin: i64, rows: &[(Service, Source, u64)]) {
        for look in &mut self.0 {
            look.add(sensor, begin, rows);
        }
    }

    /// Says it of the same surges.
    pub fn tell(self, surges: &mut [Surge]) {
        for (surge, look) in surges.iter_mut().zip(self.0) {
            surge.origin = look.origin();
        }
    }
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
    /// All of them together.
    all: Sent,
    /// Each of them.
    on: Vec<Sent>,
}

/// What was sent to sensors.
struct Sent {
    hours: usize,
    packets: u64,
    sources: Heavy<Source, ()>,
    networks: Heavy<Network, ()>,
}

impl Sent {
    fn within(memory: usize) -> Self {
        Self { hours: 0, packets: 0, sources: Heavy::within(memory, 0), networks: Heavy::within(memory, 0) }
    }

    fn add(&mut self, source: Source, packets: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.sources.add_all(source, packets, || (), forgotten);
        self.networks.add_all(source.network(), packets, || (), forgotten);
    }
}

impl Look {
    fn at(surge: &Surge, days: &Days) -> Self {
        let span = |day| days.position(day).map(|day| days.span(day));
        let (from, to) =
            span(surge.from).zip(span(surge.to)).map_or((0, 0), |(first, last)| (first.0, last.1));
        let sensors: Vec<String> = surge.sensors.iter().map(|on| on.sensor.clone()).collect();
        let each = (MEMORY / sensors.len().max(1)).max(LEAST_MEMORY);
        Self {
            service: surge.service.clone(),
            from,
            to,
            all: Sent::within(MEMORY),
            on: sensors.iter().map(|_| Sent::within(each)).collect(),
            sensors,
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
        let sums = [&mut self.all, &mut self.on[place]];
        for sent in sums {
            sent.hours += 1;
            for (_, source, packets) in rows.iter().filter(|(service, ..)| *service == self.service) {
                sent.add(*source, *packets);
            }
        }
    }

    fn origin(self) -> Option<SurgeOrigin> {
        let hours = usize::try_from((self.to - self.from) / HOUR).unwrap_or_default();
        let told: Vec<&Sent> = self.on.iter().filter(|sent| enough(sent.hours, hours)).collect();
        // Half of all sensors, those of which no file tells among them, are not most of them.
        let least = self.on.len() / 2 + 1;
        let source = maker(told.iter().map(|sent| (&sent.sources, sent.packets)), least, of_source);
        let one = source.or_else(|| {
            maker(told.iter().map(|sent| (&sent.networks, sent.packets)), least, Network::length)
        });
        let Sent { packets, sources, networks, hours: of_files } = self.all;
        let named = |name: String, length, share| Heaviest { name, length, share };
        let (source, source_share) = heaviest(&sources, packets)?;
        let (network, network_share) = heaviest(&networks, packets)?;
        Some(SurgeOrigin {
            packets,
            hours: of_files,
            of_hours: hours * self.on.len(),
            one,
            source: Some(named(source.to_string(), of_source(source), source_share)),
            network: Some(named(network.to_string(), network.length(), network_share)),
        })
    }
}

/// What follows the address of a source where it is told what it is.
const fn of_source(source: Source) -> &'static str {
    match source {
        Source::V4(_) => "",
        Source::V6(_) => "/64",
    }
}

/// Who sent the most of so many packets, and which part; the first in order of those that sent as much.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn heaviest<K: Copy + Ord + Hash>(of: &Heavy<K, ()>, packets: u64) -> Option<(K, f64)> {
    let (key, place) = of.iter().max_by(|(a, at), (b, other)| at.seen.cmp(&other.seen).then(b.cmp(a)))?;
    Some((*key, place.seen as f64 / packets as f64))
}

/// Who sent most of the packets of each of so many sensors as `least`, or more: nobody else can have as many.
fn maker<'a, K: Copy + Ord + Hash + ToString + 'a>(
    sensors: impl Iterator<Item = (&'a Heavy<K, ()>, u64)>,
    least: usize,
    length: impl Fn(K) -> &'static str,
) -> Option<Maker> {
    let mut shares = BTreeMap::<K, Vec<f64>>::new();
    for (key, share) in sensors.filter_map(|(of, packets)| heaviest(of, packets)) {
        if share >= SurgeOrigin::MOST {
            shares.entry(key).or_default().push(share);
        }
    }
    let (key, mut of) = shares.into_iter().find(|(_, of)| of.len() >= least)?;
    of.sort_by(|a, b| b.total_cmp(a));
    Some(Maker { name: key.to_string(), length: length(key), share: *of.get(least - 1)?, sensors: of.len() })
}

#[cfg(test)]
pub(super) mod tests;
