//! From what is known of sensors' sources to what a report says of them.

use std::ops::Range;

use super::by_month::ByMonth;
use super::grouped::Grouped;
use super::keyed::{Keyed, Sum, sum};
use super::{Known, OTHER, UNKNOWN, at, rank, without};
use crate::report::history::{Counts, Observer};
use crate::report::model::{Notices, Scanners, SensorTop, SourcesReport, TOP, TOP_OF_A_SENSOR, Told, WHOLE};
use crate::report::moves::Moved;
use crate::report::period::Plan;
use crate::report::tally::{month, order, per};
use crate::vocabulary::service::Service;

/// The label of Mirai's tool.
const MIRAI: &str = "mirai";

/// What is added up over sensors.
#[derive(Debug)]
pub struct Gatherer<'a> {
    plan: &'a Plan,
    home: Option<&'a str>,
    /// The days of the period, and of the previous one.
    ranges: [Range<usize>; 2],
    moved: Moved,
    /// Sensors so far.
    sensors: usize,
    told: Told,
    /// Packets that numbers of sources rest on, and all.
    rests_on: [Sum; 2],
    sources: Grouped,
    victims: Grouped,
    mirai: Grouped,
    packets: Keyed<Service>,
    services: Keyed<Service>,
    countries: Keyed<String>,
    country_sources: Keyed<String>,
    mirai_sources: ByMonth,
    /// Days of sensors with numbers of sources, and with numbers by country.
    source_days: [f64; 2],
    systems: Keyed<String>,
    tools: Keyed<String>,
    scanners: Keyed<String>,
    /// Packets whose sources were looked at where scanners are told, now and before.
    scanned: [Sum; 2],
    without: Vec<SensorTop>,
    constituencies: Keyed<String>,
}

impl<'a> Gatherer<'a> {
    /// For a plan's periods; `home` is the region that others are compared with, and `moved` has the regions of sensors
    /// that moved.
    #[must_use]
    pub fn new(plan: &'a Plan, home: Option<&'a str>, moved: Moved) -> Self {
        let (now, before) = plan.places();
        Self {
            plan,
            home,
            ranges: [now.clone(), before],
            moved,
            sensors: 0,
            told: Told::default(),
            rests_on: Default::default(),
            sources: Grouped::default(),
            victims: Grouped::default(),
            mirai: Grouped::default(),
            packets: Keyed::default(),
            services: Keyed::default(),
            countries: Keyed::default(),
            country_sources: Keyed::default(),
            mirai_sources: ByMonth::new(&plan.days, &now),
            source_days: [0.0; 2],
            systems: Keyed::default(),
            tools: Keyed::default(),
            scanners: Keyed::default(),
            scanned: Default::default(),
            without: Vec::new(),
            constituencies: Keyed::default(),
        }
    }

    /// Adds a sensor.
    pub fn add(&mut self, observer: &Observer, counts: &Counts, known: &Known) {
        let [now, _] = self.ranges.clone();
        if observer.observed[now.clone()].iter().all(|part| *part <= 0.0) {
            return;
        }
        // A number of distinct sources is of a day: that of a part of one tells nothing of the whole.
        let whole = |day: usize| observer.observed[day] >= WHOLE;
        let all = |_: usize| true;
        self.tell(known, &now);
        let services = counts.services.iter().map(|(service, days)| (service, days));
        self.packets.add(services, &self.ranges, all);
        self.services.add(&known.service_sources, &self.ranges, whole);
        self.countries.add(&known.countries, &self.ranges, all);
        self.country_sources.add(&known.country_sources, &self.ranges, whole);
        self.mirai_sources.add(&known.mirai_sources, whole);
        self.systems.add(&known.systems, &self.ranges, all);
        self.tools.add(&known.tools, &self.ranges, all);
        self.scanners.add(&known.scanners, &self.ranges, all);
        self.constituencies.add(&known.constituencies, &self.ranges, all);
        let looked_at = without::looked_at(known);
        for (sum_of, range) in self.scanned.iter_mut().zip(&self.ranges) {
            sum_of.add(sum(&looked_at, range, |day| known.knows_scanners(day)));
        }
        if let Some(top) = without::top(observer, counts, known, &self.ranges) {
            self.without.push(top);
        }
        for day in now {
            self.add_day(observer, known, day);
        }
        self.sensors += 1;
    }

    fn add_day(&mut self, observer: &Observer, known: &Known, day: usize) {
        let month = month(self.plan.days.dates[day]);
        let region = self.moved.get(&observer.name).map_or(observer.region.as_str(), |of| of.on(day));
        let group = (month.as_str(), self.home == Some(region));
        let part = observer.observed[day];
        if let Some(packets) = known.tools.get(MIRAI).and_then(|days| at(days, day)) {
            self.mirai.add(self.sensors, group, packets, part);
        }
        if part < WHOLE {
            return;
        }
        if let Some(sources) = at(&known.sources, day) {
            self.sources.add(self.sensors, group, sources, 1.0);
            self.source_days[0] += 1.0;
            let looked_at = at(&known.observed, day).unwrap_or(0);
            self.rests_on[0].add(looked_at);
            self.rests_on[1].add(looked_at.saturating_add(at(&known.missed, day).unwrap_or(0)));
        }
        if known.country_sources.values().any(|days| at(days, day).is_some()) {
            self.source_days[1] += 1.0;
        }
        if let Some(victims) = at(&known.victims, day) {
            self.victims.add(self.sensors, group, victims, 1.0);
        }
    }

    /// Counts what it tells of.
    fn tell(&mut self, known: &Known, now: &Range<usize>) {
        let some = |days: &Vec<Option<u64>>| now.clone().any(|day| at(days, day).is_some());
        let told = &mut self.told;
        told.sensors += 1;
        told.sources += usize::from(some(&known.sources));
        told.countries += usize::from(known.countries.values().any(some));
        told.systems += usize::from(known.systems.values().any(some));
        told.tools += usize::from(known.tools.values().any(some));
        told.scanners += usize::from(known.scanners.values().any(some));
        told.constituencies += usize::from(known.constituencies.values().any(some));
    }

    /// What a report says of it, but for what rose and fell; to be published, of three sensors or more.
    #[must_use]
    pub fn finish(mut self, publish: bool) -> SourcesReport {
        let home = self.home;
        self.without
            .sort_by(|a, b| order(home, &a.region, &a.sensor).cmp(&order(home, &b.region, &b.sensor)));
        let has_home = self.home.is_some();
        let named = |name: &str| name != OTHER && name != UNKNOWN;
        let [observed, all] = self.rests_on.map(|sum| sum.of(publish));
        let sources = self.country_sources.sums(publish);
        let mut countries = rank::origins(&self.countries.sums(publish), TOP_OF_A_SENSOR, named);
        for row in &mut countries {
            let of = sources.iter().find(|(name, ..)| *name == row.name);
            row.sources_per_sensor_day = of.and_then(|(_, now, _)| per(*now, self.source_days[1]));
        }
        let scanners = (self.told.scanners > 0).then(|| {
            let sums = self.scanners.sums(publish);
            let [packets, before] = [0, 1].map(|at| {
                let numbers = sums.iter().map(|(_, now, before)| [*now, *before][at]);
                numbers.fold(0, u64::saturating_add)
            });
            let [observed, observed_before] = self.scanned.map(|sum| sum.of(publish));
            Scanners {
                packets,
                observed,
                share: rank::part(packets, observed),
                previous_share: rank::part(before, observed_before),
                top: rank::origins(&sums, TOP_OF_A_SENSOR, named),
                // It would tell what one sensor had beside what all have.
                without: if publish { Vec::new() } else { self.without },
            }
        });
        SourcesReport {
            told: self.told,
            share: rank::part(observed, all),
            monthly: self.sources.months(has_home, publish),
            services: rank::services(
                &self.services.sums(publish),
                &self.packets.sums(publish),
                self.source_days[0],
                TOP,
            ),
            countries,
            systems: rank::origins(&self.systems.sums(publish), TOP_OF_A_SENSOR, named),
            tools: rank::origins(&self.tools.sums(publish), usize::MAX, |_| true),
            mirai: self.mirai.months(has_home, publish),
            mirai_sources: self.mirai_sources.rows(TOP_OF_A_SENSOR, publish, named),
            scanners,
            // Their names are nobody else's business.
            constituencies: if publish {
                Vec::new()
            } else {
                rank::origins(&self.constituencies.sums(publish), usize::MAX, |_| true)
            },
            notices: Notices::default(),
            victims: self.victims.months(has_home, publish),
            shifts: Vec::new(),
        }
    }
}
