//! What agents tell of sources, as the rules record it for each day.
//!
//! All of it follows from what was counted: packets by country add up to those whose sources were looked at, and those of
//! known scanners are a part of each port's. In the usual scenario a country's sources fall to a fiftieth for some days.

use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use rand_xoshiro::SplitMix64;

use super::events::PlannedSurge;
use super::noise::{factor, poisson, stream};
use super::openmetrics::Family;
use super::options::{Scenario, Sources};
use super::plan::Plan;
use super::recorded::{Counts, DAY_DELAY};
use super::services::ServiceModel;
use super::truth::{Kind, KnownKind, KnownSeries};
use crate::vocabulary::series::{
    COUNTRY_SOURCES_DAILY, MIRAI_SOURCES_DAILY, NOTICES_1D, SENSOR_DETAILS_1D, SENSOR_ORIGINS_1D,
    SOURCES_DAILY, SOURCES_MISSED_DAILY, SOURCES_OBSERVED_DAILY, VICTIMS_DAILY,
};

/// The country that falls silent.
pub const SHUT_DOWN: &str = "IR";
/// For so many days.
const SHUTDOWN_DAYS: usize = 5;
/// What is left of it.
const LEFT: f64 = 0.02;

const COUNTRIES: [(&str, f64); 14] = [
    ("US", 0.22),
    ("CN", 0.18),
    ("RU", 0.10),
    ("NL", 0.09),
    ("DE", 0.07),
    ("BR", 0.05),
    ("IN", 0.05),
    (SHUT_DOWN, 0.04),
    ("JP", 0.04),
    ("VN", 0.03),
    ("KR", 0.03),
    ("GB", 0.03),
    ("other", 0.05),
    ("unknown", 0.02),
];
const SYSTEMS: [(&str, f64); 5] =
    [("64496", 0.3), ("64497", 0.2), ("64511", 0.1), ("other", 0.38), ("unknown", 0.02)];
const TOOLS: [(&str, f64); 7] = [
    ("zmap", 0.3),
    ("masscan", 0.1),
    ("mirai", 0.05),
    ("zmap_likely", 0.04),
    ("nmap_likely", 0.01),
    ("unicornscan", 0.001),
    ("other", 0.499),
];
/// One has a name that means something to a spreadsheet.
const SCANNERS: [(&str, f64); 4] =
    [("Example Scan", 0.5), ("Census, Inc.", 0.3), ("=Survey()", 0.15), ("other", 0.05)];
/// The part of sources that Mirai has.
const INFECTED: f64 = 0.15;
/// A part of the TCP that is SYNs, of all packets that are a constituency's, and packets for each source.
const SYNS: f64 = 0.9;
const OURS: f64 = 0.01;
const PER_SOURCE: f64 = 25.0;

/// The days on which [`SHUT_DOWN`] is, if it is.
#[must_use]
pub fn shutdown(plan: &Plan) -> Range<usize> {
    if plan.options.scenario == Scenario::Quiet || plan.options.sources == Sources::None {
        return 0..0;
    }
    let first = (plan.days as f64 * 0.9) as usize;
    first..(first + SHUTDOWN_DAYS).min(plan.days)
}

/// Whether a sensor tells of its sources' countries.
#[must_use]
pub const fn tells_countries(plan: &Plan, sensor: usize) -> bool {
    match plan.options.sources {
        Sources::None => false,
        Sources::Some => sensor.is_multiple_of(2),
        Sources::All => true,
    }
}

/// What a sensor tells, of what it counted of each service.
#[must_use]
pub fn known(plan: &Plan, sensor: usize, counts: &[Counts]) -> Vec<KnownSeries> {
    let all_of_it = tells_countries(plan, sensor);
    let tools_too = all_of_it || (plan.options.sources == Sources::Some && sensor % 4 == 1);
    let mut random = stream(plan.options.seed, [7, sensor as u64, 0]);
    let mut told = Told { days: plan.days, series: Vec::new() };
    for day in 0..plan.days {
        if counts.iter().all(|days| days[day].is_none()) {
            continue;
        }
        let count = |service: usize| counts[service][day].unwrap_or(0);
        if tools_too {
            let tcp = (0..counts.len()).filter(|service| plan.services[*service].protocol == "tcp");
            let syns = part(tcp.map(count).sum(), SYNS);
            told.split(KnownKind::Tool, &TOOLS, syns, day, &mut random, |_| 1.0);
        }
        if all_of_it {
            origins(plan, sensor, day, &count, &mut told, &mut random);
        }
    }
    told.series
}

/// What is told where evidence is kept.
fn origins(
    plan: &Plan,
    sensor: usize,
    day: usize,
    count: &impl Fn(usize) -> u64,
    told: &mut Told,
    random: &mut SplitMix64,
) {
    let all: u64 = (0..plan.services.len()).map(count).sum();
    // In a part of the time, one in five has more packets than a budget for evidence.
    let share = if sensor % 5 == 4 && day * 3 > plan.days * 2 { 0.75 } else { 1.0 };
    let observed = part(all, share);
    told.put(KnownKind::Observed, "", day, observed);
    told.put(KnownKind::Missed, "", day, all - observed);
    let shut = shutdown(plan).contains(&day);
    let times = |country: &str| if shut && country == SHUT_DOWN { LEFT } else { 1.0 };
    let by_country = told.split(KnownKind::Country, &COUNTRIES, observed, day, random, times);
    // A loud source is one, however many its packets are.
    let is_loud = |it: &&PlannedSurge| it.kind == Kind::LoudSource && it.first == day && it.seen[sensor];
    let loud: u64 = plan.surges.iter().filter(is_loud).map(|it| count(it.service)).sum();
    let usual = (all - loud) as f64 / all.max(1) as f64;
    let mut sources = 0;
    for ((country, _), packets) in COUNTRIES.iter().zip(by_country) {
        let number = poisson(random, packets as f64 * usual / PER_SOURCE);
        told.put(KnownKind::CountrySources, country, day, number);
        told.put(KnownKind::MiraiSources, country, day, poisson(random, number as f64 * INFECTED));
        sources += number;
    }
    told.put(KnownKind::Sources, "", day, sources);
    told.split(KnownKind::System, &SYSTEMS, observed, day, random, |_| 1.0);
    let mut scanned = 0;
    for (at, service) in plan.services.iter().enumerate() {
        if service.port.parse::<u16>().is_err() {
            continue;
        }
        let looked_at = part(count(at), share);
        let number = poisson(random, looked_at as f64 / (PER_SOURCE - at.min(20) as f64));
        told.put(KnownKind::Sources, &service.name(), day, number);
        let of_scanners = part(looked_at, if at < 10 { 0.5 } else { 0.2 });
        told.put(KnownKind::Scanned, &service.name(), day, of_scanners);
        scanned += of_scanners;
    }
    told.split(KnownKind::Scanner, &SCANNERS, scanned, day, random, |_| 1.0);
    let ours = part(all, OURS);
    told.put(KnownKind::Constituency, "ours", day, ours);
    told.put(KnownKind::Notices, "ours", day, part(ours, 1.0 / PER_SOURCE));
    told.put(KnownKind::Victims, "", day, poisson(random, 3.0));
}

fn part(number: u64, part: f64) -> u64 {
    (number as f64 * part).round() as u64
}

/// What is told so far.
struct Told {
    days: usize,
    series: Vec<KnownSeries>,
}

impl Told {
    fn put(&mut self, what: KnownKind, name: &str, day: usize, number: u64) {
        let place = self.series.iter().position(|it| it.what == what && it.name == name);
        let place = place.unwrap_or_else(|| {
            self.series.push(KnownSeries { what, name: name.to_owned(), days: vec![None; self.days] });
            self.series.len() - 1
        });
        self.series[place].days[day] = Some(number);
    }

    /// Divides a number by weights that vary from day to day; the last has what is left.
    fn split(
        &mut self,
        what: KnownKind,
        weights: &[(&str, f64)],
        number: u64,
        day: usize,
        random: &mut SplitMix64,
        times: impl Fn(&str) -> f64,
    ) -> Vec<u64> {
        let weights: Vec<(&str, f64)> = weights
            .iter()
            .map(|(name, weight)| (*name, weight * factor(random, 0.1) * times(name)))
            .collect();
        let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut left = number;
        let mut parts = Vec::with_capacity(weights.len());
        for (at, (name, weight)) in weights.iter().enumerate() {
            let last = at + 1 == weights.len();
            let packets = if last { left } else { part(number, weight / all).min(left) };
            left -= packets;
            self.put(what, name, day, packets);
            parts.push(packets);
        }
        parts
    }
}

/// Writes what sensors tell.
pub(super) struct Writer {
    origins: Family,
    details: Family,
    notices: Family,
    sources: Family,
    countries: Family,
    mirai: Family,
    observed: Family,
    missed: Family,
    victims: Family,
    /// When the sums of each day are recorded, and what is told of it.
    stamps: [Vec<String>; 2],
}

impl Writer {
    pub(super) fn new(plan: &Plan, folder: &Path) -> Result<Self> {
        let family = |name| Family::new(folder, name, "gauge");
        let day = |day: usize| plan.start + (day as i64 + 1) * 86_400;
        let stamps = |after: i64| (0..plan.days).map(|at| (day(at) + after).to_string()).collect();
        Ok(Self {
            origins: family(SENSOR_ORIGINS_1D)?,
            details: family(SENSOR_DETAILS_1D)?,
            notices: family(NOTICES_1D)?,
            sources: family(SOURCES_DAILY)?,
            countries: family(COUNTRY_SOURCES_DAILY)?,
            mirai: family(MIRAI_SOURCES_DAILY)?,
            observed: family(SOURCES_OBSERVED_DAILY)?,
            missed: family(SOURCES_MISSED_DAILY)?,
            victims: family(VICTIMS_DAILY)?,
            stamps: [stamps(DAY_DELAY), stamps(3 * 3_600)],
        })
    }

    pub(super) fn write(&mut self, plan: &Plan, sensor: usize, known: &[KnownSeries]) -> Result<()> {
        let sensor = &plan.sensors[sensor].name;
        for KnownSeries { what, name, days } in known {
            let service = || plan.services.iter().find(|it| it.name() == *name).map(ServiceModel::labels);
            let (family, recorded, labels) = match what {
                KnownKind::Tool => {
                    (&mut self.details, SENSOR_DETAILS_1D, format!("detail=\"tool\",tool=\"{name}\""))
                }
                KnownKind::Country => (&mut self.origins, SENSOR_ORIGINS_1D, format!("country=\"{name}\"")),
                KnownKind::System => (&mut self.origins, SENSOR_ORIGINS_1D, format!("as=\"{name}\"")),
                KnownKind::Scanner => (&mut self.origins, SENSOR_ORIGINS_1D, format!("scanner=\"{name}\"")),
                KnownKind::Constituency => {
                    (&mut self.origins, SENSOR_ORIGINS_1D, format!("constituency=\"{name}\""))
                }
                KnownKind::Notices => (&mut self.notices, NOTICES_1D, format!("constituency=\"{name}\"")),
                KnownKind::Scanned => (&mut self.origins, SENSOR_ORIGINS_1D, service().unwrap_or_default()),
                KnownKind::Sources => (&mut self.sources, SOURCES_DAILY, service().unwrap_or_default()),
                KnownKind::CountrySources => {
                    (&mut self.countries, COUNTRY_SOURCES_DAILY, format!("country=\"{name}\""))
                }
                KnownKind::MiraiSources => {
                    (&mut self.mirai, MIRAI_SOURCES_DAILY, format!("country=\"{name}\""))
                }
                KnownKind::Observed => (&mut self.observed, SOURCES_OBSERVED_DAILY, String::new()),
                KnownKind::Missed => (&mut self.missed, SOURCES_MISSED_DAILY, String::new()),
                KnownKind::Victims => (&mut self.victims, VICTIMS_DAILY, String::new()),
            };
            let comma = if labels.is_empty() { "" } else { "," };
            // An agent may have several sensors, and tells of notices as one.
            let of = if *what == KnownKind::Notices { "instance" } else { "sensor" };
            family.series(&format!("{recorded}{{{of}=\"{sensor}\"{comma}{labels}}}"));
            let is_sum = [SENSOR_DETAILS_1D, SENSOR_ORIGINS_1D, NOTICES_1D].contains(&recorded);
            for (number, stamp) in days.iter().zip(&self.stamps[usize::from(!is_sum)]) {
                if let Some(number) = number {
                    family.sample(number, stamp)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Family> {
        let Self { origins, details, notices, sources, countries, mirai, observed, missed, victims, .. } =
            self;
        vec![origins, details, notices, sources, countries, mirai, observed, missed, victims]
    }
}
