//! All that the first page says, word for word.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use sensor_harness::cli::sensor;
use sensor_harness::frame::{Frame, frame};
use sensor_harness::needs_root;
use sensor_harness::pace::{until, within_a_day};
use serde_json::Value;

use super::from_whom::who;
use super::moment::{Moment, UNKNOWN, count, grouped, list, moment, packets_of, share, text, time};
use super::{SOURCES, Scene, fact, page, syn};

/// Ports of a scan with Mirai's mark, from 1.
const SCANNED: u16 = 12;

/// From one of the sources to the first sensor.
fn from(source: usize) -> Frame {
    frame().ipv4().from(SOURCES[source].0).to([198, 51, 100, 7])
}

fn many(count: usize, frame: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    std::iter::repeat_n(frame, count)
}

/// Packets to ports from three sources, pings, GRE, the rest of a fragmented packet, a malformed one, a scan with Mirai's mark;
/// and a few to the second sensor.
fn traffic() -> Vec<Vec<u8>> {
    let (first, second) = (Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(198, 51, 100, 200));
    many(40, syn(0, 23))
        .chain(many(30, syn(1, 23)))
        .chain(many(25, syn(1, 445)))
        .chain(many(5, syn(2, 6379)))
        .chain(many(9, from(2).udp(53).bytes()))
        .chain(many(7, from(1).icmp(8, 0).bytes()))
        .chain(many(3, from(1).icmp(13, 0).bytes()))
        .chain(many(4, from(2).protocol(47).bytes()))
        .chain(many(2, from(2).fragment(100, false).udp(53).bytes()))
        .chain(many(1, from(2).tcp(23).syn().data_offset(2).bytes()))
        .chain((1..=SCANNED).map(|port| from(0).tcp(port).syn().sequence(first.to_bits()).bytes()))
        .chain(many(6, from(2).to(second).tcp(23).syn().window(1024).bytes()))
        .chain(many(5, from(2).to(second).udp(53).bytes()))
        .collect()
}

/// Counts by name, those that are not 0.
fn counts(value: &Value) -> Vec<(String, u64)> {
    let all = value.as_object().into_iter().flatten().map(|(name, packets)| (name.clone(), count(packets)));
    all.filter(|(_, packets)| *packets > 0).collect()
}

fn sum(counts: &[(String, u64)]) -> u64 {
    counts.iter().map(|(_, packets)| packets).sum()
}

/// Each sensor's rate, last hour and counts.
fn sensors(of: &Moment<'_>) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for (sensor, seen) in of.sensors() {
        let name = text(&sensor["name"]);
        let [packets, bytes] =
            ["packets", "bytes"].map(|key| list(&sensor["slots"]).map(|slot| count(&slot[key])).sum());
        let (minutes, _) =
            of.curve("Packets a minute in the last hour", &of.stored(60, Some(&name), None)?, (60, 60));
        // It is of the seconds before, which nothing else has.
        let rate = match seen["per_second"].as_f64().context("no rate")? {
            slow if slow > 0.0 && slow < 10.0 => format!("{slow:.1}"),
            rate => format!("{:.0}", rate.round()),
        };
        told.extend([
            format!("{name} {}", text(&seen["region"])).trim().to_owned(),
            format!("{rate} packets/s"),
            minutes,
            format!("{}, {} bytes", packets_of(packets), grouped(bytes)),
        ]);
    }
    Ok(told)
}

/// What becomes of packets, and what made them.
fn now(of: &Moment<'_>) -> Result<Vec<String>> {
    let mut told = vec!["Now".to_owned()];
    told.extend(sensors(of)?);
    let all = |part: &dyn Fn(&Value) -> u64| of.sensors().map(|(sensor, _)| part(&sensor["evidence"])).sum();
    let handed_over: u64 = all(&|evidence| count(&evidence["handed_over"]));
    let not_kept: u64 = all(&|evidence| sum(&counts(&evidence["skipped"])) + sum(&counts(&evidence["lost"])));
    ensure!(not_kept == 0, "{not_kept} packets are no evidence, though there was room");
    let passed = counts(&of.slots["passed"]);
    told.extend([
        "Evidence".to_owned(),
        "100 % kept".to_owned(),
        format!("{} of {}", grouped(handed_over), packets_of(handed_over)),
        "Let through".to_owned(),
        packets_of(sum(&passed)),
    ]);
    told.extend(passed.iter().map(|(reason, packets)| format!("{reason} {}", grouped(*packets))));
    let mode = text(&of.view["interfaces"][0]["mode"]);
    told.extend(["Interfaces".to_owned(), format!("sensor0: attached, {mode}")]);
    for (heading, key) in [
        ("SYNs by tool", "tools"),
        ("TCP by flags", "tcp"),
        ("Backscatter", "backscatter"),
        ("From constituencies", "constituencies"),
    ] {
        told.push(heading.to_owned());
        let packets = |name: &str| -> u64 { of.asked_for().map(|(it, _)| count(&it[key][name])).sum() };
        let names = list(&of.view[key]).map(|named| text(&named["name"]));
        let rows: Vec<_> =
            names.map(|name| (packets(&name), name)).filter(|(packets, _)| *packets > 0).collect();
        if rows.is_empty() {
            told.push("None yet".to_owned());
        }
        told.extend(rows.into_iter().map(|(packets, name)| format!("{name} | {}", grouped(packets))));
    }
    Ok(told)
}

/// Packets of each service of a sensor; fragments and malformed packets are of none.
fn services(sensor: &Value) -> BTreeMap<String, u64> {
    let mut services = BTreeMap::new();
    for slot in list(&sensor["slots"]) {
        let name = match (text(&slot["protocol"]).as_str(), &slot["port"]) {
            ("malformed", _) | (_, Value::String(_)) => continue,
            (protocol, Value::Number(port)) => format!("{port}/{}", protocol.to_uppercase()),
            (protocol, _) => protocol.to_uppercase(),
        };
        *services.entry(name).or_default() += count(&slot["packets"]);
    }
    services
}

/// Who sent to a service.
#[derive(Default)]
struct Senders {
    /// Packets of known scanners.
    known_scanners: u64,
    sources: u64,
    slots: u64,
}

/// Of each service. All was observed.
fn senders(of: &Moment<'_>) -> Result<BTreeMap<String, Senders>> {
    let mut senders: BTreeMap<String, Senders> = BTreeMap::new();
    for part in of.lines(&["sources", "--by", "port", "--limit", "100"], "part")? {
        let of = text(&part["of"]);
        let service = match of.split_once(' ') {
            Some((protocol, _)) => protocol.to_uppercase(),
            None => of.to_uppercase(),
        };
        let from = senders.entry(service).or_default();
        from.known_scanners += count(&part["from_known_scanners"]);
        from.sources = from.sources.max(count(&part["sources"]["count"]));
        from.slots += 1;
    }
    Ok(senders)
}

/// What most was sent to, and rows of Table 1.
fn ranking(of: &Moment<'_>, is_without_scanners: bool) -> Result<Vec<String>> {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for (sensor, _) in of.asked_for() {
        for (service, packets) in services(sensor) {
            *all.entry(service).or_default() += packets;
        }
    }
    let slots = of.asked_for().flat_map(|(sensor, _)| list(&sensor["slots"]));
    let total: u64 = slots.map(|slot| count(&slot["packets"])).sum();
    let senders = senders(of)?;
    // Of those that have as many, the order is the counters'.
    let mut ranked: Vec<&Value> = list(&of.view["services"]).collect();
    let packets = |row: &Value| all[row["service"].as_str().unwrap_or_default()];
    ensure!(ranked.len() == all.len() && ranked.is_sorted_by_key(|row| Reverse(packets(row))), "{ranked:?}");
    let without =
        |row: &Value| packets(row) - senders[row["service"].as_str().unwrap_or_default()].known_scanners;
    let top: Vec<String> = ranked.iter().map(|row| text(&row["service"])).collect();
    if is_without_scanners {
        ranked.sort_by_key(|row| Reverse(without(row)));
    }
    let about = of.sensor.map(|name| format!(": {name}")).unwrap_or_default();
    let hour = moment(time(&of.view["hours"][0])?);
    let with = if is_without_scanners { "with" } else { "without" };
    let mut told = vec![
        format!("What most packets were sent to{about}"),
        format!(
            "{} since the counters were made; hour: the last full one, from {hour}, against the same of the day \
             and of the week before. Rank {with} known scanners",
            packets_of(total)
        ),
        "# | Port | Bar | Packets | Share | ≈ Not known scanners | Hour | Day before | Week before | Sources"
            .to_owned(),
    ];
    for (place, row) in ranked.into_iter().enumerate() {
        let service = text(&row["service"]);
        let Senders { sources, slots, .. } = senders[&service];
        let name = row["name"].as_str().map(|name| format!(" {name}")).unwrap_or_default();
        let hour = row["hours"][0].as_u64().map_or_else(|| UNKNOWN.to_owned(), grouped);
        told.push(format!(
            "{} | {service}{name} | {} | {} | {} | {hour} | {UNKNOWN} | {UNKNOWN} | {}{}",
            place + 1,
            grouped(packets(row)),
            share(packets(row), total),
            grouped(without(row)),
            // Who sent to the one of its slots may have sent to the other.
            if slots > 1 { "≥ " } else { "" },
            grouped(sources),
        ));
    }
    told.extend([
        "Top 10 of each sensor, as a row to copy".to_owned(),
        "sensor,region,1,2,3,4,5,6,7,8,9,10".to_owned(),
    ]);
    for (sensor, seen) in of.asked_for() {
        let of = services(sensor);
        let mut own: Vec<&str> =
            top.iter().map(String::as_str).filter(|name| of.contains_key(*name)).collect();
        own.sort_by_key(|name| Reverse(of[*name]));
        own.resize(10, "");
        told.push(format!("{},{},{}", text(&sensor["name"]), text(&seen["region"]), own.join(",")));
    }
    Ok(told)
}

/// The last packets: each is one of those that were sent, when they were sent.
fn last(of: &Moment<'_>, began: Timestamp) -> Result<Vec<String>> {
    let mut told = vec!["Last packets".to_owned(), "UTC | To | Country | Tool | Source | Sensor".to_owned()];
    for packet in list(&of.view["last"]) {
        let (seen, slot, source) = (time(&packet["time"])?, text(&packet["slot"]), text(&packet["source"]));
        ensure!((began..=of.time + Duration::from_secs(1)).contains(&seen), "{packet}, since {began}");
        let who = SOURCES.iter().position(|(address, _)| address.to_string() == source);
        let who = who.with_context(|| format!("nobody has sent {packet}"))?;
        let was_sent = match who {
            0 => slot
                .strip_suffix("/tcp")
                .and_then(|port| port.parse().ok())
                .is_some_and(|port: u16| port <= SCANNED || port == 23),
            1 => ["23/tcp", "445/tcp", "icmp 8/0", "icmp 13/0", "40000/tcp"].contains(&slot.as_str()),
            _ => !["445/tcp", "40000/tcp"].contains(&slot.as_str()) && !slot.starts_with("icmp"),
        };
        ensure!(was_sent, "nobody has sent {packet}");
        let tool = packet["tool"].as_str().unwrap_or(UNKNOWN);
        let (seen, sensor) = (seen.strftime("%H:%M:%S"), text(&packet["sensor"]));
        told.push(format!("{seen} | {slot} | {} | {tool} | {source} | {sensor}", SOURCES[who].1));
    }
    ensure!(told.len() > 3, "few are told");
    Ok(told)
}

/// What is asked for behind the path of the first page, and how the page is then.
#[derive(Clone, Copy, Default)]
struct Asked {
    path: &'static str,
    sensor: Option<&'static str>,
    is_without_scanners: bool,
    is_map_of_sources: bool,
    is_wall: bool,
}

fn expected(of: &Moment<'_>, asked: Asked, began: Timestamp, notices: &[Value]) -> Result<Vec<String>> {
    let title = asked.sensor.unwrap_or("2 sensors");
    let all = if asked.sensor.is_some() { "All sensors " } else { "" };
    let screen = if asked.is_wall { "For a desk" } else { "For a wall" };
    let head = vec![
        format!("{title} – sensor"),
        "To the content".to_owned(),
        title.to_owned(),
        "All is well: counts and drops".to_owned(),
        format!("{all}{screen}"),
        "Pause".to_owned(),
    ];
    let (version, since) = (text(&of.view["agent"]["version"]), text(&of.view["agent"]["since"]));
    let made = of.time.strftime("%Y-%m-%d %H:%M:%S UTC");
    let foot = [
        &format!(
            "Snapshot {}, made {made} by sensor {version}, which runs since {since}",
            of.slots["snapshot"]
        ),
        "/metrics: for Prometheus",
        "/api/v1/slots: every count, as JSON",
        "/healthz: the agent lives",
        "/readyz: packets are counted",
    ];
    let parts = [
        head,
        now(of)?,
        ranking(of, asked.is_without_scanners)?,
        who(of, asked.is_map_of_sources, notices)?,
        last(of, began)?,
        foot.map(str::to_owned).to_vec(),
    ];
    Ok(parts.concat())
}

#[test]
fn every_number_is_that_of_where_it_comes_from() -> Result<()> {
    needs_root!();
    let scene = Scene::new("[page]\naddresses_on_loopback = true\n")?;
    within_a_day();
    let began = Timestamp::now();
    let answers: Vec<_> = many(40, from(1).tcp(40_000).rst().bytes()).collect();
    let frames = [traffic(), answers.clone()].concat();
    scene.send(&frames)?;
    // Longer than `victim_time`.
    thread::sleep(Duration::from_millis(2_100));
    scene.send(&answers)?;
    let packets = (frames.len() + answers.len()) as u64;
    scene.settled(packets)?;
    let notices = || -> Result<Vec<Value>> {
        let pins = scene.pins.path().display().to_string();
        let said = sensor(&scene.wire.near.namespace, &["notices", "--format", "json", "--pins", &pins])?;
        let lines = said.stdout.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
        Ok(lines.iter().filter_map(|line| line.get("notice").cloned()).collect())
    };
    // Who is a victim is looked for now and then, and who is to be told is read from the store.
    let is_told = || Ok(fact(&page(&scene.agent, "/")?, "notices")? == 2 && notices()?.len() == 2);
    until(is_told, || format!("{:?}", notices()))?;
    let slots: Value = serde_json::from_str(&page(&scene.agent, "/api/v1/slots")?)?;
    let counted = list(&slots["sensors"]).flat_map(|sensor| list(&sensor["slots"]));
    assert_eq!(counted.map(|slot| count(&slot["packets"])).sum::<u64>(), packets);

    let all = Asked { path: "/", ..Asked::default() };
    for asked in [
        all,
        Asked { path: "/?sensor=quiet", sensor: Some("quiet"), ..all },
        Asked {
            path: "/?screen=wall&without=known-scanners&map=sources",
            is_wall: true,
            is_without_scanners: true,
            is_map_of_sources: true,
            ..all
        },
    ] {
        // What is stored is looked at now and then, and a minute may begin meanwhile.
        let difference = || -> Result<Option<String>> {
            let Some(moment) = Moment::of(&scene, asked.path, asked.sensor)? else {
                return Ok(Some("no page has the number of the slots before it".to_owned()));
            };
            Ok(moment.difference(&expected(&moment, asked, began, &notices()?)?))
        };
        until(|| Ok(difference()?.is_none()), || format!("{}: {:?}", asked.path, difference()))?;
    }
    Ok(())
}
