//! A fleet's history, as OpenMetrics: recorded hours and days of six months, and what was scraped in the last 30 hours.
//!
//! Small, and a function of its arguments: any sum over it can be computed anew. Six sensors in two regions, each on a
//! host of its own; the last host goes silent two hours before the end, and before that was missing for a day.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use sensor_common::layout::side::{Backscatter, TcpKind, Tool};
use sensor_common::layout::{Malformed, Passed};
use sensor_fleet::vocabulary::series::{
    DAILY, EVIDENCE_SHARE, HOURLY, PEERS_1D, PORT_MISSED, SCANNER_MISSED, SCANNER_REACHED_1H,
    SENSOR_DETAILS_1D, SURGE_JUDGED, SURGE_MEDIAN, SURGE_PACKETS, SURGE_VERDICT,
};
use sensor_fleet::vocabulary::verdict::SurgeVerdict;
use sensor_harness::prometheus::run_promtool;

/// An hour in seconds.
pub const HOUR: u64 = 3600;
/// A day in seconds.
pub const DAY: u64 = 24 * HOUR;
/// The end: 2024-01-01 03:30:00 UTC, in Unix seconds.
pub const END: u64 = 1_704_079_800;
/// The first day that is recorded.
pub const FIRST: u64 = END / DAY * DAY - 200 * DAY;
/// When the last host went silent.
pub const SILENT: u64 = END - 2 * HOUR;
/// The midnight that began the day that the last host missed.
pub const MISSED: u64 = END / DAY * DAY - 40 * DAY;
/// Raw samples begin here.
const SCRAPED: u64 = (END - 30 * HOUR) / HOUR * HOUR;
/// Days from here on are recorded by the hour too.
const BY_THE_HOUR: u64 = END / DAY * DAY - 62 * DAY;
/// From the end of an hour or day to when it is recorded, and a little more.
const LATE: u64 = 10 * 60 + 7;
/// Between two scrapes.
const SCRAPE: usize = 120;

/// The sensors with their regions.
pub const SENSORS: [(&str, &str); 6] = [
    ("japan-1", "japan"),
    ("japan-2", "japan"),
    ("japan-3", "japan"),
    ("overseas-1", "overseas"),
    ("overseas-2", "overseas"),
    ("overseas-3.example", "overseas"),
];

/// Protocol, port, and about how many packets an hour.
pub const SERVICES: [(&str, &str, u64); 18] = [
    ("tcp", "23", 61),
    ("tcp", "22", 47),
    ("tcp", "6379", 40),
    ("tcp", "8080", 33),
    ("tcp", "80", 29),
    ("icmp", "", 23),
    ("tcp", "443", 19),
    ("tcp", "3389", 17),
    ("tcp", "445", 13),
    ("tcp", "37215", 11),
    ("udp", "53", 7),
    ("tcp", "48101", 5),
    ("icmpv6", "", 3),
    ("gre", "", 2),
    ("tcp", "other", 90),
    ("udp", "other", 31),
    ("udp", "fragment", 2),
    ("malformed", "", 1),
];

/// The place in [`SERVICES`] of the port that surges.
pub const SURGING: usize = 9;
/// The surge: twenty times as much on every sensor, from the beginning of the last whole day on.
pub const SURGE: u64 = END / DAY * DAY - DAY;

/// Whether the sensor was there in the hour that begins then.
pub fn observed(sensor: usize, hour: u64) -> bool {
    sensor != 5 || (hour < SILENT / HOUR * HOUR && !(MISSED..MISSED + DAY).contains(&hour))
}

/// What the sensor counted of the service in the hour that begins then.
pub fn packets(sensor: usize, service: usize, hour: u64) -> u64 {
    if !observed(sensor, hour) {
        return 0;
    }
    let (_, _, usual) = SERVICES[service];
    // Sensors differ in how much they get, and a little in what.
    let usual = usual * (10 + sensor as u64) / 8 + (service as u64 * 7 + sensor as u64 * 5) % 4;
    let noise =
        (hour / HOUR).wrapping_mul(2_654_435_761).wrapping_add(service as u64 * 97 + sensor as u64 * 31);
    let usual = usual + (noise >> 7) % (usual / 2 + 1);
    if service == SURGING && hour >= SURGE { usual * 20 } else { usual }
}

/// The sum over the hours in `[from, to)`, which are full hours.
pub fn sum(sensor: usize, service: usize, from: u64, to: u64) -> u64 {
    (from / HOUR..to / HOUR).map(|hour| packets(sensor, service, hour * HOUR)).sum()
}

/// Writes it as the blocks of a Prometheus, in its folder `data`.
///
/// # Errors
/// If `promtool` fails.
pub fn write(folder: &Path) -> Result<()> {
    let mut text = String::new();
    recorded(&mut text)?;
    details(&mut text)?;
    scraped(&mut text)?;
    surges(&mut text)?;
    sources(&mut text)?;
    coverage(&mut text)?;
    text.push_str("# EOF\n");
    let file = folder.join("history.txt");
    std::fs::write(&file, text)?;
    let (file, data) = (file.display().to_string(), folder.join("data").display().to_string());
    let create =
        ["tsdb", "create-blocks-from", "--quiet", "--max-block-duration=8784h", "openmetrics", &file, &data];
    run_promtool(create)?;
    Ok(())
}

/// The recorded series.
fn recorded(text: &mut String) -> Result<()> {
    let days = || (FIRST / DAY..END / DAY).map(|day| (day * DAY, DAY));
    let hours = || (BY_THE_HOUR / HOUR..END / HOUR).map(|hour| (hour * HOUR, HOUR));
    let mut regions: Vec<&str> = SENSORS.iter().map(|(_, region)| *region).collect();
    regions.dedup();
    for (rollup, lateness, periods) in
        [(DAILY, HOUR + LATE, days().collect::<Vec<_>>()), (HOURLY, LATE, hours().collect())]
    {
        for (service, (protocol, port, _)) in SERVICES.iter().enumerate() {
            let labels = format!(r#"protocol="{protocol}",port="{port}""#);
            for (sensor, (name, _)) in SENSORS.iter().enumerate() {
                for &(start, length) in &periods {
                    let value = sum(sensor, service, start, start + length);
                    let at = start + length + lateness;
                    if at <= END && any(sensor, start, length) > 0 {
                        writeln!(
                            text,
                            r#"{}{{sensor="{name}",{labels}}} {value} {at}"#,
                            rollup.sensor_packets
                        )?;
                    }
                }
            }
            for region in &regions {
                for &(start, length) in &periods {
                    let value: u64 =
                        of(region).map(|sensor| sum(sensor, service, start, start + length)).sum();
                    let at = start + length + lateness;
                    if at <= END {
                        writeln!(
                            text,
                            r#"{}{{region="{region}",{labels}}} {value} {at}"#,
                            rollup.region_packets
                        )?;
                    }
                }
            }
        }
        for (sensor, (name, region)) in SENSORS.iter().enumerate() {
            for &(start, length) in &periods {
                let (share, at) = (share(sensor, start, length), start + length + lateness);
                if at <= END && share > 0.0 {
                    let labels = format!(r#"sensor="{name}",region="{region}""#);
                    writeln!(text, "{}{{{labels}}} {share} {at}", rollup.observed)?;
                }
            }
        }
    }
    Ok(())
}

/// The SYNs of a sensor that a tool made on a day, and its packets of any kind.
pub fn detail(sensor: usize, place: usize, day: u64) -> u64 {
    let usual = 700 / (place as u64 + 1) + 13 * sensor as u64;
    if share(sensor, day, DAY) > 0.0 { usual + (day / DAY + place as u64) % 7 } else { 0 }
}

/// What packets were in detail, by the day, and what share was kept as evidence in each of the last hours.
fn details(text: &mut String) -> Result<()> {
    let tools = Tool::ALL.iter().map(|tool| format!(r#"detail="tool",tool="{}""#, tool.label()));
    let tcp = TcpKind::ALL.iter().map(|kind| format!(r#"detail="tcp",kind="{}""#, kind.label()));
    let backscatter =
        Backscatter::ALL.iter().map(|kind| format!(r#"detail="backscatter",kind="{}""#, kind.label()));
    let all: Vec<_> = [tools.collect::<Vec<_>>(), tcp.collect(), backscatter.collect()]
        .into_iter()
        .flat_map(|labels| labels.into_iter().enumerate())
        .collect();
    for (sensor, (name, _)) in SENSORS.iter().enumerate() {
        for (place, labels) in &all {
            for day in (FIRST / DAY..END / DAY).map(|day| day * DAY) {
                let (value, at) = (detail(sensor, *place, day), day + DAY + HOUR + LATE);
                if at <= END && share(sensor, day, DAY) > 0.0 {
                    writeln!(text, r#"{SENSOR_DETAILS_1D}{{sensor="{name}",{labels}}} {value} {at}"#)?;
                }
            }
        }
        if sensor < 4 {
            for at in (END - 6 * HOUR..END).step_by(300) {
                writeln!(text, r#"{EVIDENCE_SHARE}{{sensor="{name}"}} 0.{} {at}"#, 9 - sensor)?;
            }
        }
    }
    Ok(())
}

/// The surge, as the rules judge it every half hour: all six sensors have it, "mixed" until the last time and "global" since.
fn surges(text: &mut String) -> Result<()> {
    let (protocol, port, usual) = SERVICES[SURGING];
    let labels = format!(r#"protocol="{protocol}",port="{port}""#);
    let judged: Vec<u64> = (END - 6 * HOUR..END).step_by(1800).map(|at| at + 61).collect();
    let mut series =
        |name: &str, value: u64| judged.iter().try_for_each(|at| writeln!(text, "{name} {value} {at}"));
    for (sensor, (name, _)) in SENSORS.iter().enumerate() {
        let packets = sum(sensor, SURGING, END - DAY, END);
        series(&format!(r#"{SURGE_PACKETS}{{sensor="{name}",{labels}}}"#), packets)?;
        series(&format!(r#"{SURGE_MEDIAN}{{sensor="{name}",{labels}}}"#), usual * 24)?;
    }
    series(SURGE_JUDGED, 6)?;
    let (before, after) = judged.split_at(judged.len() - 1);
    for (verdict, times) in [(SurgeVerdict::Mixed, before), (SurgeVerdict::Global, after)] {
        for at in times {
            writeln!(text, r#"{SURGE_VERDICT}{{{labels},verdict="{verdict}"}} 6 {at}"#)?;
        }
    }
    Ok(())
}

/// What packets of a country grow by in a second on each sensor.
pub const COUNTRIES: [(&str, u32); 4] = [("CN", 30), ("JP", 20), ("US", 40), ("unknown", 5)];

/// Sources, as sensors with evidence and all lists say them.
fn sources(text: &mut String) -> Result<()> {
    for (sensor, (name, _)) in SENSORS.iter().enumerate() {
        let host = format!(r#"job="sensor",instance="host-{sensor}:19817",sensor="{name}""#);
        let end = if sensor == 5 { SILENT } else { END };
        let mut series = |family: &str, labels: &str, value: &dyn Fn(u64) -> u64| {
            let mut times = (SCRAPED..end).step_by(SCRAPE);
            times.try_for_each(|at| writeln!(text, "{family}{{{host},{labels}}} {} {at}", value(at)))
        };
        for (country, a_second) in COUNTRIES {
            let labels = format!(r#"country="{country}""#);
            series("sensor_country_packets_total", &labels, &|at| (at - SCRAPED) * u64::from(a_second))?;
            let labels = format!(r#"{labels},window="1d""#);
            series("sensor_country_sources", &labels, &|_| u64::from(a_second) * 100)?;
        }
        for (scanner, every) in [("Example Scan", 60), ("other", 90)] {
            let labels = format!(r#"scanner="{scanner}""#);
            series("sensor_known_scanner_packets_total", &labels, &|at| at / every)?;
        }
        series("sensor_constituency_packets_total", r#"constituency="ours""#, &|at| at / 600)?;
        series("sensor_sources", r#"protocol="",port="",window="1h""#, &|at| 900 + at / HOUR % 24)?;
        series("sensor_sources", r#"protocol="tcp",port="23",window="1d""#, &|_| 4_000)?;
        series("sensor_sources_observed_packets", r#"window="1h""#, &|_| 900)?;
        series("sensor_sources_missed_packets", r#"window="1h""#, &|_| 100)?;
        series("sensor_victims", r#"window="1h""#, &|at| at / HOUR % 3)?;
    }
    Ok(())
}

/// What reaches the sensors, as the rules record it: the second one has lost a known scanner and a port.
fn coverage(text: &mut String) -> Result<()> {
    for (sensor, (name, _)) in SENSORS.iter().enumerate() {
        for end in (SCRAPED + HOUR..END).step_by(3_600) {
            if sensor != 1 || end < END - DAY {
                let labels = format!(r#"sensor="{name}",scanner="Example Scan""#);
                writeln!(text, "{SCANNER_REACHED_1H}{{{labels}}} {end} {}", end + LATE)?;
            }
        }
        for at in (END - 6 * HOUR..END).step_by(900) {
            writeln!(text, r#"{PEERS_1D}{{sensor="{name}"}} 1.{sensor} {at}"#)?;
        }
    }
    for at in (END - 6 * HOUR..END).step_by(900) {
        writeln!(text, r#"{SCANNER_MISSED}{{sensor="japan-2",scanner="Example Scan"}} 19 {at}"#)?;
        writeln!(text, r#"{PORT_MISSED}{{sensor="japan-2",protocol="tcp",port="445"}} 5 {at}"#)?;
    }
    Ok(())
}

/// The places of a region's sensors.
pub fn of(region: &str) -> impl Iterator<Item = usize> {
    SENSORS.iter().enumerate().filter(move |(_, (_, it))| *it == region).map(|(place, _)| place)
}

fn any(sensor: usize, start: u64, length: u64) -> usize {
    (start / HOUR..(start + length) / HOUR).filter(|hour| observed(sensor, hour * HOUR)).count()
}

/// The share of a period in which a sensor was there.
pub fn share(sensor: usize, start: u64, length: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few hours")]
    let share = any(sensor, start, length) as f64 / (length / HOUR) as f64;
    share
}

/// What Prometheus scraped, each host's page every two minutes.
fn scraped(text: &mut String) -> Result<()> {
    for (sensor, (name, region)) in SENSORS.iter().enumerate() {
        let host = format!(r#"job="sensor",instance="host-{sensor}:19817""#);
        let end = if sensor == 5 { SILENT } else { END };
        let mut series = |labels: &str, value: &dyn Fn(u64) -> f64| {
            (SCRAPED..end).step_by(SCRAPE).try_for_each(|at| writeln!(text, "{labels} {} {at}", value(at)))
        };
        for (service, (protocol, port, _)) in SERVICES.iter().enumerate() {
            let labels = format!(r#"{host},sensor="{name}",protocol="{protocol}",port="{port}""#);
            series(&format!("sensor_packets_total{{{labels}}}"), &|at| counter(sensor, service, at))?;
        }
        let reason = |label: &str| format!(r#"reason="{label}""#);
        let broken = reason(Malformed::Ipv4HeaderLength.label());
        let [non_ip, management, reply] =
            [Passed::NonIp, Passed::Management, Passed::Reply].map(|it| reason(it.label()));
        // Growing by the second, in steps of so many seconds each; and those that stay.
        let growing: [(&str, &str, u32); 24] = [
            ("sensor_icmp_packets_total", r#"protocol="icmp",type="8",code="0""#, 300),
            ("sensor_icmp_packets_total", r#"protocol="icmpv6",type="128",code="0""#, 3000),
            ("sensor_malformed_packets_total", &broken, 9000),
            ("sensor_tool_packets_total", r#"tool="masscan""#, 90),
            ("sensor_tool_packets_total", r#"tool="other""#, 40),
            ("sensor_tcp_packets_total", r#"kind="syn""#, 28),
            ("sensor_tcp_packets_total", r#"kind="rst""#, 700),
            ("sensor_backscatter_packets_total", r#"kind="rst""#, 700),
            ("sensor_evidence_packets_total", "", 30),
            ("sensor_evidence_skipped_packets_total", r#"reason="budget""#, 100),
            ("sensor_evidence_lost_packets_total", r#"reason="disk""#, 5_000),
            ("sensor_passed_packets_total", &non_ip, 60),
            ("sensor_passed_packets_total", &management, 7),
            ("sensor_passed_packets_total", &reply, 3),
            ("sensor_drain_failures_total", "", 50_000),
            ("sensor_http_closed_connections_total", r#"reason="slow""#, 20_000),
            ("sensor_http_closed_connections_total", r#"reason="crowded""#, 90_000),
            ("sensor_drain_duration_seconds_bucket", r#"le="0.001""#, 30),
            ("sensor_drain_duration_seconds_bucket", r#"le="0.005""#, 11),
            ("sensor_drain_duration_seconds_bucket", r#"le="+Inf""#, 10),
            ("sensor_drain_duration_seconds_count", "", 10),
            ("sensor_drain_duration_seconds_sum", "", 5000),
            ("process_cpu_seconds_total", "", 800),
            ("sensor_time_seconds", "", 1),
        ];
        for (family, detail, every) in growing {
            let sensor = match family {
                "sensor_icmp_packets_total"
                | "sensor_malformed_packets_total"
                | "sensor_tool_packets_total"
                | "sensor_tcp_packets_total"
                | "sensor_backscatter_packets_total"
                | "sensor_evidence_packets_total"
                | "sensor_evidence_skipped_packets_total"
                | "sensor_evidence_lost_packets_total" => format!(r#",sensor="{name}""#),
                _ => String::new(),
            };
            let detail = if detail.is_empty() { String::new() } else { format!(",{detail}") };
            series(&format!("{family}{{{host}{sensor}{detail}}}"), &|at| float(at) / f64::from(every))?;
        }
        let mode = if sensor == 4 { "generic" } else { "native" };
        let other = if sensor == 4 { "native" } else { "generic" };
        let constant = [
            (format!(r#"sensor_info{{{host},sensor="{name}",region="{region}"}}"#), 1.0),
            (format!(r#"sensor_xdp_attached{{{host},interface="eth0",mode="{mode}"}}"#), 1.0),
            (format!(r#"sensor_xdp_attached{{{host},interface="eth0",mode="{other}"}}"#), 0.0),
            (format!(r#"sensor_exported_ports{{{host},sensor="{name}"}}"#), 44.0),
            (format!(r#"sensor_build_info{{{host},version="0.1.0",schema="2"}}"#), 1.0),
            (format!("process_resident_memory_bytes{{{host}}}"), 17_825_792.0),
            (format!("process_open_fds{{{host}}}"), 40.0),
            (format!("process_max_fds{{{host}}}"), 1024.0),
            (format!("scrape_duration_seconds{{{host}}}"), 0.004),
            (format!("scrape_samples_scraped{{{host}}}"), 120.0),
        ];
        for (labels, value) in constant {
            series(&labels, &|_| value)?;
        }
        let restarted = float(SCRAPED + 20 * HOUR);
        let started = |at: u64| if float(at) < restarted { 1_700_000_000.0 } else { restarted };
        series(&format!("process_start_time_seconds{{{host}}}"), &started)?;
        if end < END {
            let alert =
                format!(r#"ALERTS{{{host},alertname="SensorHostDown",alertstate="firing",severity="page"}}"#);
            for at in (SCRAPED..END).step_by(SCRAPE) {
                writeln!(text, "{alert} 1 {at}")?;
            }
        }
        for at in (SCRAPED..END).step_by(SCRAPE) {
            writeln!(text, "up{{{host}}} {} {at}", u8::from(at < end))?;
        }
    }
    Ok(())
}

/// A counter that has, at each full hour, what was counted since the beginning of what was scraped.
fn counter(sensor: usize, service: usize, at: u64) -> f64 {
    let hour = at / HOUR * HOUR;
    let part = packets(sensor, service, hour) * (at - hour) / HOUR;
    float(sum(sensor, service, SCRAPED, hour) + part)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}
