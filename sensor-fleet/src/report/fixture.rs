//! A report made by hand for tests, with everything in it that a report can have.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};

// By its path, since a test of the page takes this file in by its own.
#[path = "fixture/sources.rs"]
mod sources;

use self::sources::{many, one, sources};
use super::history::{Counts, Observer};
use super::language::Language;
use super::model::{
    Alone, Average, Balance, Balanced, Change, Curve, Gap, Level, Medians, Method, Month, Period, Previous,
    Ranked, Report, SensorReport, Shift, ShiftKind, SourcesReport, Surge, SurgeKind, SurgeOnSensor, Totals,
};
use super::period::{Asked, Plan};
use super::spread::Spread;
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

/// A service as it is shown.
pub fn service(shown: &str) -> Service {
    let (port, protocol) = shown.split_once('/').unwrap_or(("", shown));
    Service::from_labels(&protocol.to_lowercase(), port).expect("a service")
}

fn ranked(rank: usize, shown: &str, packets: u64, total: f64, previous_rank: Option<usize>) -> Ranked {
    let exact = f64::from(u32::try_from(packets).expect("a small number"));
    let previous = if previous_rank.is_some() { Previous::Ranked } else { Previous::OutsideTop10 };
    Ranked { rank, service: service(shown), packets, share: exact / total, previous_rank, previous }
}

/// A curve with a worm in the middle and two days that nobody observed.
fn curve(at: u32, shown: &str) -> Curve {
    let days = (0..92_u32).map(|day| {
        let noise = f64::from((day * 7919 + at * 104_729) % 97);
        let base = 1900.0 / f64::from(at + 1) + noise;
        let worm = if at == 2 && (40..52).contains(&day) { 600.0 } else { 0.0 };
        (!(70..72).contains(&day)).then_some(base + worm)
    });
    Curve { service: service(shown), days: days.collect() }
}

fn average(packets: u64, sensor_days: f64) -> Average {
    let exact = f64::from(u32::try_from(packets).expect("a small number"));
    Average { packets, sensor_days, per_sensor_day: exact / sensor_days }
}

const SERVICES: [&str; 12] = [
    "23/TCP",
    "22/TCP",
    "6379/TCP",
    "8080/TCP",
    "80/TCP",
    "ICMP",
    "443/TCP",
    "3389/TCP",
    "445/TCP",
    "37215/TCP",
    "53/UDP",
    "4719/TCP",
];

fn sensor(at: usize, name: &str, region: &str) -> SensorReport {
    let top = (0..10).map(|rank| {
        let packets = 90_123 / (u64::try_from(rank).expect("small") + 1);
        ranked(rank + 1, SERVICES[(rank + at) % SERVICES.len()], packets, 400_000.0, Some(rank + 1))
    });
    SensorReport {
        name: name.to_owned(),
        region: region.to_owned(),
        moves: Vec::new(),
        packets: 412_345 + u64::try_from(at).expect("small"),
        observed_days: 92.0,
        coverage: 1.0,
        gaps: Vec::new(),
        top: top.collect(),
    }
}

fn surge(shown: &str, from: Date, to: Date, verdict: SurgeVerdict, sensors: &[(&str, &str, u64)]) -> Surge {
    let sensors = sensors.iter().map(|(sensor, region, packets)| SurgeOnSensor {
        sensor: (*sensor).to_owned(),
        region: (*region).to_owned(),
        packets: *packets,
        baseline: 12.5,
        p: 3.2e-9,
        around: (0..40).map(|day| Some(if day < 20 { 12 } else { *packets })).collect(),
    });
    Surge {
        service: service(shown),
        kind: SurgeKind::Surge,
        from,
        to,
        continues: false,
        level: Level::Sensor,
        peak: from,
        verdict,
        judged: 6,
        sensors: sensors.collect(),
        origin: None,
        lead: 20,
        cost: 0.001,
    }
}

/// The names of its sensors, those of the home region first.
pub const SENSORS: [(&str, &str); 6] = [
    ("tokyo-dc3", "japan"),
    ("osaka-edge", "japan"),
    ("sapporo-lab", "japan"),
    ("frankfurt-a7", "overseas"),
    ("santiago-b2", "overseas"),
    ("<b>=1|2,\"x\"", "overseas"),
];

/// A region that fell silent, and stayed so.
fn fallen() -> Shift {
    Shift {
        kind: ShiftKind::Fall,
        service: None,
        place: "overseas".to_owned(),
        level: Level::Region,
        from: date(2023, 12, 1),
        to: date(2023, 12, 31),
        continues: true,
        now: 1_234.0,
        before: 56_789.0,
        verdict: None,
        sensors: SENSORS.iter().skip(3).map(|(name, _)| (*name).to_owned()).collect(),
        cost: 0.001,
    }
}

/// The fifth service of the ranking is first by mean share, and one sensor has most of the fourth.
fn balance() -> Balance {
    let row = |(shown, mean_share_rank): (&str, usize), median| Balanced {
        service: service(shown),
        sensors: 6,
        mean_share: 0.1 + 0.01 / median,
        mean_share_rank,
        median_per_day: median,
        alone: (shown == "8080/TCP").then(|| Alone { sensor: "osaka-edge".to_owned(), share: 0.75 }),
    };
    let top = [("23/TCP", 2), ("22/TCP", 3), ("37215/TCP", 12), ("8080/TCP", 4), ("ICMP", 1)];
    let month = |month: &str| Medians {
        month: month.to_owned(),
        home: Some(3_500.0),
        overseas: Some(3_000.0),
        all: Some(3_250.0),
    };
    Balance {
        median_per_day: 3_210.5,
        alone: None,
        top: top
            .into_iter()
            .zip([1_200.0, 512.5, 300.0, 120.0, 99.0])
            .map(|(of, median)| row(of, median))
            .collect(),
        months: ["2023-10", "2023-11", "2023-12"].map(month).into(),
    }
}

/// What each sensor of a report had, all on the last day of each period: the services of its top, and what rose, fell and is
/// new.
pub fn spread(report: &Report) -> Spread {
    let zone = jiff::tz::TimeZone::get("Asia/Tokyo").expect("a zone");
    let quarter = "2023Q4".parse().expect("a quarter");
    let plan = Plan::new(Asked::Quarter(quarter), &zone, 28, jiff::Timestamp::MAX).expect("a plan");
    let (days, first) = (plan.days.dates.len(), plan.days.position(report.period.from).expect("a day"));
    let mut spread = Spread::new(&plan, true);
    for sensor in &report.sensors {
        let parts = (0..days).map(|_| sensor.coverage).collect();
        let observer = Observer { name: sensor.name.clone(), region: sensor.region.clone(), observed: parts };
        let changes = report.rose.iter().chain(&report.fell).chain(&report.new);
        let there = report.observing().max(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let of = |average: f64, days: f64| (average * days / there as f64).round() as u64;
        let totals = report.totals;
        let changes = changes.map(|it| {
            (it.service.clone(), of(it.before, totals.previous_sensor_days), of(it.now, totals.sensor_days))
        });
        let top = sensor.top.iter().map(|row| (row.service.clone(), row.packets, row.packets));
        let mut services = BTreeMap::new();
        for (service, before, now) in changes.chain(top).filter(|_| sensor.observed()) {
            let mut counts = vec![Some(0); days];
            (counts[first - 1], counts[days - 1]) = (Some(before), Some(now));
            services.insert(service, counts);
        }
        let services: Vec<(Service, Vec<Option<u64>>)> = services.into_iter().collect();
        let all = (0..days).map(|day| services.iter().filter_map(|(_, counts)| counts[day]).sum()).collect();
        spread.add(&observer, &Counts { services, all, unranked: vec![0; days] });
    }
    spread
}

fn quarter(name: &str, from: Date, to: Date) -> Period {
    Period { name: name.to_owned(), from, to, zone: "Asia/Tokyo".to_owned() }
}

/// Sensors with so many packets each.
fn names(range: std::ops::Range<usize>, packets: u64) -> Vec<(&'static str, &'static str, u64)> {
    SENSORS[range].iter().map(|(name, region)| (*name, *region, packets)).collect()
}

fn surges() -> Vec<Surge> {
    vec![
        Surge {
            origin: Some(many()),
            ..surge(
                "37215/TCP",
                date(2023, 11, 10),
                date(2023, 11, 21),
                SurgeVerdict::Global,
                &names(0..6, 1_234),
            )
        },
        surge(
            "31337/TCP",
            date(2023, 11, 5),
            date(2023, 11, 5),
            SurgeVerdict::SensorOnly,
            &names(0..1, 4_321),
        ),
        surge("5060/UDP", date(2023, 10, 30), date(2023, 11, 1), SurgeVerdict::RegionOnly, &names(0..3, 333)),
        surge("4719/TCP", date(2023, 10, 9), date(2023, 10, 9), SurgeVerdict::NewPort, &names(2..4, 77)),
    ]
}

fn surges_of_one() -> Vec<Surge> {
    vec![Surge {
        origin: Some(one()),
        ..surge(
            "2323/TCP",
            date(2023, 12, 20),
            date(2023, 12, 21),
            SurgeVerdict::RegionOnly,
            &names(0..3, 555),
        )
    }]
}

/// A quarter of six sensors: one was out for some days, one has a name that means something to HTML, Markdown, CSV
/// and spreadsheets, all the packets at one are few.
pub fn report() -> Report {
    let mut sensors: Vec<_> =
        SENSORS.iter().enumerate().map(|(at, (name, region))| sensor(at, name, region)).collect();
    sensors[1].gaps = vec![Gap { from: date(2023, 11, 3), to: date(2023, 11, 19) }];
    sensors[1].observed_days = 75.25;
    sensors[1].coverage = 75.25 / 92.0;
    sensors[4].packets = 17;
    sensors[4].top = vec![ranked(1, "23/TCP", 13, 17.0, Some(1)), ranked(2, "ICMP", 4, 17.0, None)];
    let change = |shown, now, before| Change { service: service(shown), now, before };
    let months = [("2023-10", 186.0), ("2023-11", 163.25), ("2023-12", 186.0)];
    Report {
        language: Language::English,
        period: quarter("2023Q4", date(2023, 10, 1), date(2023, 12, 31)),
        previous: quarter("2023Q3", date(2023, 7, 1), date(2023, 9, 30)),
        home: Some("japan".to_owned()),
        totals: Totals {
            packets: 2_061_749,
            unranked: 251_234,
            previous_packets: 1_861_749,
            sensor_days: 535.25,
            previous_sensor_days: 552.0,
        },
        top: vec![
            ranked(1, "23/TCP", 712_345, 2_061_749.0, Some(1)),
            ranked(2, "22/TCP", 312_345, 2_061_749.0, Some(3)),
            ranked(3, "37215/TCP", 212_345, 2_061_749.0, None),
            ranked(4, "8080/TCP", 112_345, 2_061_749.0, Some(2)),
            ranked(5, "ICMP", 92_345, 2_061_749.0, Some(6)),
        ],
        balance: balance(),
        curves: ["23/TCP", "22/TCP", "37215/TCP", "8080/TCP", "ICMP"]
            .iter()
            .zip(0..)
            .map(|(s, at)| curve(at, s))
            .collect(),
        sensors,
        monthly: months
            .iter()
            .zip(0..)
            .map(|((month, days), at)| Month {
                month: (*month).to_owned(),
                home: Some(average(380_000 + 9_000 * at, days / 2.0)),
                overseas: Some(average(310_000 - 7_000 * at, days / 2.0)),
                all: Some(average(690_000 + 2_000 * at, *days)),
                regions: BTreeMap::from([
                    ("japan".to_owned(), average(380_000 + 9_000 * at, days / 2.0)),
                    ("overseas".to_owned(), average(310_000 - 7_000 * at, days / 2.0)),
                ]),
            })
            .collect(),
        rose: vec![change("37215/TCP", 396.7, 12.3), change("22/TCP", 583.6, 402.9)],
        fell: vec![change("445/TCP", 101.2, 190.4), change("1433/TCP", 0.002, 31.7)],
        new: vec![change("4719/TCP", 3.4, 0.0), change("31337/TCP", 0.004, 0.0)],
        shifts: vec![fallen()],
        sources: sources(),
        surges: surges(),
        surges_of_one: surges_of_one(),
        method: Method {
            false_discovery_rate: 0.05,
            tested: 55_200,
            baseline_days: 28,
            floor: 50,
            ratio: 3.0,
        },
        notes: vec!["1 of 6 sensors observed less than nine tenths of the period.".to_owned()],
        publication: None,
    }
}

/// A report on a fleet of so many sensors, each with a gap, and ten times as many surges.
pub fn fleet(sensors: usize) -> Report {
    let mut report = report();
    report.sensors = (0..sensors)
        .map(|at| {
            let region = if at < sensors / 3 { "japan" } else { "overseas" };
            let mut sensor = sensor(at, &format!("{region}-{at:04}"), region);
            sensor.gaps = vec![Gap { from: date(2023, 11, 3), to: date(2023, 11, 4) }];
            sensor
        })
        .collect();
    let one = report.surges[0].clone();
    report.surges = vec![one; sensors * 10];
    report
}

/// A report on a fleet that saw nothing.
pub fn nothing() -> Report {
    let mut report = report();
    report.home = None;
    report.totals = Totals::default();
    report.method = Method::default();
    report.balance = Balance::default();
    report.top.clear();
    report.curves.clear();
    report.sensors.clear();
    report.monthly.clear();
    report.rose.clear();
    report.fell.clear();
    report.new.clear();
    report.surges.clear();
    report.surges_of_one.clear();
    report.shifts.clear();
    report.sources = SourcesReport::default();
    report.notes.clear();
    report
}
