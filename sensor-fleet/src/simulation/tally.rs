//! Sums up what is written, and says the truth about it.

use std::cmp::Reverse;
use std::ops::Range;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use super::events::PlannedSurge;
use super::fleet::{DAY, REGIONS};
use super::known;
use super::options::midnight;
use super::plan::Plan;
use super::presence::RESTART;
use super::recorded::Counts;
use super::services::ServiceModel;
use super::truth::{Event, Kind, KnownSeries, Period, Place, Ranking, Region, Sensor, ServiceColumn, Truth};
use crate::vocabulary::verdict::SurgeVerdict;

/// How many places a ranking has.
const PLACES: usize = 10;

/// The sums so far.
#[derive(Debug)]
pub struct Tally {
    months: Vec<Period>,
    /// The month of each day.
    month: Vec<usize>,
    /// By region, service and day.
    regions: Vec<Vec<Vec<u64>>>,
    /// By sensor, month and service.
    sensors: Vec<Vec<Vec<u64>>>,
    /// By sensor, service and hour.
    hours: Vec<Vec<Counts>>,
    /// By sensor.
    known: Vec<Vec<KnownSeries>>,
}

impl Tally {
    /// All sums at 0.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let (months, month) = months(plan);
        Self {
            regions: vec![vec![vec![0; plan.days]; plan.services.len()]; REGIONS.len()],
            sensors: vec![vec![vec![0; plan.services.len()]; months.len()]; plan.sensors.len()],
            hours: vec![Vec::new(); plan.sensors.len()],
            known: vec![Vec::new(); plan.sensors.len()],
            months,
            month,
        }
    }

    /// Adds a sensor's counts of a service.
    pub fn add(&mut self, plan: &Plan, sensor: usize, service: usize, days: &[Option<u64>]) {
        let region = &mut self.regions[plan.sensors[sensor].region][service];
        for (day, count) in days.iter().enumerate().filter_map(|(day, count)| Some((day, (*count)?))) {
            region[day] += count;
            self.sensors[sensor][self.month[day]][service] += count;
        }
    }

    /// Keeps a sensor's counts of a service by hour; services come in order.
    pub fn keep_hours(&mut self, sensor: usize, hours: Counts) {
        self.hours[sensor].push(hours);
    }

    /// Keeps what a sensor tells of sources.
    pub fn keep_known(&mut self, sensor: usize, known: Vec<KnownSeries>) {
        self.known[sensor] = known;
    }

    /// What a report must find.
    #[must_use]
    pub fn truth(self, plan: &Plan) -> Truth {
        let service = |it: &ServiceModel| ServiceColumn {
            name: it.name(),
            protocol: it.protocol.to_owned(),
            port: it.port.clone(),
            ranked: it.is_ranked(),
        };
        let named = REGIONS.iter().zip(self.regions).enumerate();
        let regions = named
            .filter(|(at, _)| plan.sensors.iter().any(|it| it.region == *at))
            .map(|(_, (name, days))| Region { name: (*name).to_owned(), days })
            .collect();
        let counted = self.sensors.into_iter().zip(self.hours).zip(self.known);
        let counted = plan.sensors.iter().zip(counted);
        let mut truth = Truth {
            arguments: plan.options.clone(),
            services: plan.services.iter().map(service).collect(),
            quarters: quarters(&self.months),
            months: self.months,
            sensors: counted
                .map(|(it, ((packets, hours), known))| Sensor { hours, known, ..sensor(plan, it, packets) })
                .collect(),
            regions,
            rankings: Vec::new(),
            events: events(plan),
        };
        truth.rankings = truth.quarters.iter().chain([&truth.span()]).map(|it| ranking(&truth, it)).collect();
        truth
    }
}

fn sensor(plan: &Plan, it: &super::fleet::Sensor, packets: Vec<Vec<u64>>) -> Sensor {
    let minutes = |day: usize| day * DAY..(day + 1) * DAY;
    let share = |day| it.presence.observed(&minutes(day)) as f64 / DAY as f64;
    let observed: Vec<f64> = (0..plan.days).map(share).collect();
    Sensor {
        name: it.name.clone(),
        region: REGIONS[it.region].to_owned(),
        addresses: it.addresses,
        first: date(plan, observed.iter().position(|share| *share > 0.0).unwrap_or(0)),
        end: date(plan, observed.iter().rposition(|share| *share > 0.0).map_or(0, |last| last + 1)),
        observed,
        packets,
        hours: Vec::new(),
        known: Vec::new(),
    }
}

/// The day of this number.
fn date(plan: &Plan, day: usize) -> Date {
    // Days of a span that `Options::check` let through are within the calendar.
    plan.options.first.saturating_add((day as i64).days())
}

fn months(plan: &Plan) -> (Vec<Period>, Vec<usize>) {
    let mut months: Vec<Period> = Vec::new();
    let month_of = |day: usize| {
        let first = date(plan, day);
        let name = format!("{:04}-{:02}", first.year(), first.month());
        let end = date(plan, day + 1);
        match months.last_mut() {
            Some(month) if month.name == name => month.end = end,
            _ => months.push(Period { name, first, end }),
        }
        months.len() - 1
    };
    let month = (0..plan.days).map(month_of).collect();
    (months, month)
}

fn quarters(months: &[Period]) -> Vec<Period> {
    let is_whole = |month: &Period| month.first.day() == 1 && month.end.day() == 1;
    let whole = months.windows(3).filter(|it| it.iter().all(is_whole) && it[0].first.month() % 3 == 1);
    let name = |first: Date| format!("{:04}Q{}", first.year(), (first.month() + 2) / 3);
    whole.map(|it| Period { name: name(it[0].first), first: it[0].first, end: it[2].end }).collect()
}

fn ranking(truth: &Truth, period: &Period) -> Ranking {
    let packets: Vec<Vec<u64>> = (0..truth.sensors.len()).map(|at| truth.packets(at, period)).collect();
    let all = |service: usize| packets.iter().map(|it| it[service]).sum();
    let fleet: Vec<u64> = (0..truth.services.len()).map(all).collect();
    Ranking {
        period: period.clone(),
        fleet: first_ten(&truth.services, &fleet),
        sensors: packets.iter().map(|it| first_ten(&truth.services, it)).collect(),
    }
}

fn first_ten(services: &[ServiceColumn], packets: &[u64]) -> Vec<Place> {
    let ranked = services.iter().zip(packets).filter(|(it, packets)| it.ranked && **packets > 0);
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|(it, packets)| (Reverse(**packets), &it.protocol, it.port.parse::<u16>().ok()));
    let place = |(it, packets): (&ServiceColumn, &u64)| Place { service: it.name.clone(), packets: *packets };
    ranked.into_iter().take(PLACES).map(place).collect()
}

fn events(plan: &Plan) -> Vec<Event> {
    let mut events: Vec<Event> = plan.surges.iter().map(|it| surge(plan, it)).collect();
    let shut = known::shutdown(plan);
    if !shut.is_empty() {
        let tell = plan.sensors.iter().enumerate().filter(|(at, _)| known::tells_countries(plan, *at));
        let minutes = shut.start * DAY..shut.end * DAY;
        events.push(event(plan, Kind::Shutdown, &minutes, tell.map(|(_, it)| it.name.clone()).collect()));
    }
    let span = plan.days * DAY;
    for sensor in &plan.sensors {
        let presence = &sensor.presence;
        let mut push = |kind, minutes: &Range<usize>| {
            events.push(event(plan, kind, minutes, vec![sensor.name.clone()]));
        };
        for down in &presence.down {
            push(if down.is_reboot() { Kind::Reboot } else { Kind::Outage }, &down.minutes);
        }
        presence.restarts.iter().for_each(|at| push(Kind::Restart, &(*at..at + RESTART)));
        presence.moved.iter().for_each(|at| push(Kind::Move, &(*at..at + 1)));
        if presence.live.start > 0 {
            push(Kind::Birth, &(presence.live.start..presence.live.start + 1));
        }
        if presence.live.end < span {
            push(Kind::End, &(presence.live.end..presence.live.end + 1));
        }
    }
    events.sort_by_key(|it| it.from);
    events
}

fn surge(plan: &Plan, it: &PlannedSurge) -> Event {
    let minutes = it.first * DAY..(it.first + it.factors.len()) * DAY;
    let seen = plan.sensors.iter().zip(&it.seen);
    let seen = seen.filter(|(sensor, seen)| **seen && sensor.presence.observed(&minutes) > 0);
    let sensors = seen.map(|(sensor, _)| sensor.name.clone()).collect();
    let verdict = match it.kind {
        Kind::Worm => Some(SurgeVerdict::Global),
        Kind::Region => Some(SurgeVerdict::RegionOnly),
        Kind::Alone | Kind::LoudSource => Some(SurgeVerdict::SensorOnly),
        Kind::Some => Some(SurgeVerdict::Mixed),
        Kind::NewPort => Some(SurgeVerdict::NewPort),
        Kind::Outage
        | Kind::Reboot
        | Kind::Restart
        | Kind::Birth
        | Kind::End
        | Kind::Move
        | Kind::Shutdown => None,
    };
    Event {
        verdict,
        service: Some(plan.services[it.service].name()),
        region: it.region.map(|region| REGIONS[region].to_owned()),
        factors: it.factors.clone(),
        added: it.added,
        ..event(plan, it.kind, &minutes, sensors)
    }
}

fn event(plan: &Plan, kind: Kind, minutes: &Range<usize>, sensors: Vec<String>) -> Event {
    // As for days.
    let time = |minute: usize| {
        Timestamp::from_second(midnight(plan.options.first) + (minute * 60) as i64).unwrap_or_default()
    };
    Event {
        kind,
        verdict: None,
        service: None,
        from: time(minutes.start),
        until: time(minutes.end),
        first: date(plan, minutes.start / DAY),
        end: date(plan, minutes.end.div_ceil(DAY)),
        sensors,
        region: None,
        factors: Vec::new(),
        added: 0.0,
    }
}
