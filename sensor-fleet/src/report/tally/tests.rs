//! Two home sensors and one overseas, over two months and the one before.

use jiff::tz::TimeZone;
use rstest::rstest;

use super::super::period::Asked;
use super::*;

/// 2023-10-30 to 2023-11-02, compared with the four days before; two days of baseline.
fn plan() -> Plan {
    let day = |text: &str| text.parse().unwrap();
    let asked = Asked::Days { from: day("2023-10-30"), to: day("2023-11-02") };
    Plan::new(asked, &TimeZone::UTC, 2, "2024-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

fn service(text: &str) -> Service {
    let (port, protocol) = text.split_once('/').unwrap_or(("", text));
    Service::from_labels(&protocol.to_lowercase(), port).unwrap()
}

/// A sensor that observed these parts of the eight days, with each service's packets a day before and now.
fn sensor(name: &str, region: &str, observed: [f64; 8], services: &[(&str, u64, u64)]) -> (Observer, Counts) {
    let mut counts = Counts { all: vec![0; 8], unranked: vec![0; 8], ..Counts::default() };
    for &(text, before, now) in services {
        let days: Vec<Option<u64>> = (0..8).map(|day| Some(if day < 4 { before } else { now })).collect();
        for (all, day) in counts.all.iter_mut().zip(&days) {
            *all += day.unwrap_or(0);
        }
        counts.services.push((service(text), days));
    }
    (Observer { name: name.to_owned(), region: region.to_owned(), observed: observed.to_vec() }, counts)
}

fn tallied(sensors: &[(Observer, Counts)], home: Option<&str>) -> Report {
    tallied_with_coverage(sensors, home).0
}

fn tallied_with_coverage(sensors: &[(Observer, Counts)], home: Option<&str>) -> (Report, PreviousCoverage) {
    let plan = plan();
    let mut tally = Tally::new(&plan, home, i64::MAX / 2);
    for (observer, counts) in sensors {
        tally.add(observer, counts);
    }
    tally.finish()
}

fn fleet() -> [(Observer, Counts); 3] {
    [
        sensor("z", "overseas", [1.0; 8], &[("23/TCP", 5, 30), ("ICMP", 9, 9)]),
        sensor("b", "japan", [1.0; 8], &[("23/TCP", 7, 10), ("22/TCP", 40, 10), ("53/UDP", 0, 10)]),
        sensor("a", "japan", [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 1.0], &[("80/TCP", 1, 1)]),
    ]
}

fn shown(ranking: &[Ranked]) -> Vec<(usize, String, u64, Option<usize>)> {
    ranking.iter().map(|row| (row.rank, row.service.to_string(), row.packets, row.previous_rank)).collect()
}

#[test]
fn ranks_are_by_packets_and_ties_by_protocol_and_port() {
    let tallied = tallied(&fleet(), Some("japan"));
    let row = |rank, service: &str, packets, previous| (rank, service.to_owned(), packets, previous);
    assert_eq!(
        shown(&tallied.top),
        [
            row(1, "23/TCP", 160, Some(2)),
            row(2, "22/TCP", 40, Some(1)),
            row(3, "53/UDP", 40, None),
            row(4, "ICMP", 36, Some(3)),
            row(5, "80/TCP", 4, Some(4)),
        ]
    );
    assert_eq!(tallied.totals.packets, 280);
    assert!((tallied.top[0].share - 160.0 / 280.0).abs() < 1e-12);
}

#[test]
fn sensors_of_the_home_region_come_first() {
    let order = |home| -> Vec<String> {
        tallied(&fleet(), home).sensors.into_iter().map(|sensor| sensor.name).collect()
    };
    assert_eq!(order(Some("overseas")), ["z", "a", "b"]);
    assert_eq!(order(None), ["a", "b", "z"]);
}

#[test]
fn days_that_were_not_observed_lower_no_average() {
    let tallied = tallied(&fleet(), Some("japan"));
    let [october, november] = &tallied.monthly[..] else { panic!("{:?}", tallied.monthly) };
    assert_eq!((october.month.as_str(), november.month.as_str()), ("2023-10", "2023-11"));
    let home = october.home.unwrap();
    // Sensor b for two days, a for one and a half.
    assert_eq!(home.packets, 62);
    assert!((home.sensor_days - 3.5).abs() < 1e-12 && (home.per_sensor_day - 62.0 / 3.5).abs() < 1e-12);
    let overseas = november.overseas.unwrap();
    assert!((overseas.per_sensor_day - 39.0).abs() < 1e-12);
    assert_eq!(october.regions.len(), 2);
    // On the last day of October three sensors, one of them for half of it.
    let telnet = &tallied.curves[0].days;
    assert!((telnet[1].unwrap() - 40.0 / 2.5).abs() < 1e-12, "{telnet:?}");
}

#[rstest]
#[case::whole([1.0; 8], 1.0, &[])]
#[case::nearly_whole([1.0, 1.0, 1.0, 1.0, 0.95, 0.9, 0.99, 1.0], 0.96, &[])]
#[case::outage([1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 1.0], 0.625, &[("2023-10-31", "2023-11-01")])]
#[case::born([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0], 0.375, &[("2023-10-30", "2023-11-01")])]
#[case::twice([1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0], 0.5, &[("2023-10-30", "2023-10-30"), ("2023-11-01", "2023-11-01")])]
fn coverage_says_what_is_missing(
    #[case] observed: [f64; 8],
    #[case] coverage: f64,
    #[case] gaps: &[(&str, &str)],
) {
    let tallied = tallied(&[sensor("a", "", observed, &[("23/TCP", 1, 1)])], None);
    let sensor = &tallied.sensors[0];
    assert!((sensor.coverage - coverage).abs() < 1e-12, "{}", sensor.coverage);
    let found: Vec<_> = sensor.gaps.iter().map(|gap| (gap.from.to_string(), gap.to.to_string())).collect();
    let expected: Vec<_> = gaps.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn changes_are_per_sensor_and_day() {
    let tallied = tallied(&fleet(), None);
    let names = |changes: &[Change]| changes.iter().map(|it| it.service.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&tallied.rose), ["23/TCP", "ICMP", "80/TCP"]);
    assert_eq!(names(&tallied.fell), ["22/TCP"]);
    assert_eq!(names(&tallied.new), ["53/UDP"]);
    let telnet = &tallied.rose[0];
    assert!((telnet.before - 48.0 / 12.0).abs() < 1e-12 && (telnet.now - 160.0 / 10.5).abs() < 1e-12);
}

#[rstest]
#[case::all(300, 300)]
#[case::of_a_fleet_that_exports_every_port(1_200, CHANGES)]
fn changes_are_kept_beyond_what_a_page_shows(#[case] there: usize, #[case] kept: usize) {
    let names: Vec<_> = (1..=there).map(|port| format!("{port}/TCP")).collect();
    let fleet = |before, now| {
        let services: Vec<_> = names.iter().map(|name| (name.as_str(), before, now)).collect();
        tallied(&[sensor("a", "", [1.0; 8], &services)], None)
    };
    assert_eq!(fleet(1, 2).rose.len(), kept);
    assert_eq!(fleet(2, 1).fell.len(), kept);
    assert_eq!(fleet(0, 1).new.len(), kept);
}

#[test]
fn nothing_changed_since_nothing() {
    let first = sensor("a", "", [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], &[("23/TCP", 0, 1)]);
    let tallied = tallied(&[first], None);
    assert!(tallied.new.is_empty() && tallied.rose.is_empty() && tallied.fell.is_empty());
}

#[test]
fn a_sensor_that_fell_silent_before_the_period_is_missed() {
    let silent = sensor("a", "", [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], &[("23/TCP", 1, 0)]);
    let tallied = tallied(&[silent], None);
    let [sensor] = &tallied.sensors[..] else { panic!("{:?}", tallied.sensors) };
    assert!(!sensor.observed() && sensor.coverage == 0.0 && sensor.top.is_empty());
    assert_eq!(sensor.gaps.len(), 1);
    assert_eq!((tallied.totals.packets, tallied.totals.previous_packets), (0, 4));
}

#[test]
fn a_sensor_that_was_only_there_for_a_baseline_is_gone() {
    let asked = Asked::Days { from: "2023-11-02".parse().unwrap(), to: "2023-11-02".parse().unwrap() };
    let now = "2024-01-01T00:00:00Z".parse().unwrap();
    let plan = Plan::new(asked, &TimeZone::UTC, 7, now).unwrap();
    let mut tally = Tally::new(&plan, None, i64::MAX / 2);
    let (observer, counts) = sensor("a", "", [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0], &[("23/TCP", 0, 0)]);
    tally.add(&observer, &counts);
    assert!(tally.finish().0.sensors.is_empty());
}

#[rstest]
#[case::whole([1.0; 8], Some(1.0))]
#[case::in_part([0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0], Some(0.5625))]
#[case::outage([0.5, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0], Some(0.8125))]
fn the_previous_period_has_a_coverage(#[case] observed: [f64; 8], #[case] coverage: Option<f64>) {
    let born = sensor("c", "", [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], &[]);
    let sensors = [sensor("a", "", observed, &[]), sensor("b", "", [1.0; 8], &[]), born.clone()];
    assert_eq!(tallied_with_coverage(&sensors, None).1, coverage);
    assert_eq!(tallied_with_coverage(&[born], None).1, None);
}
