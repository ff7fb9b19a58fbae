//! Every number on the page against where it comes from.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::frame::frame;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use serde_json::Value;

use super::{Scene, between, fact, number, page, syn};

/// Packets: to ports from three sources, pings, a fragment's rest, GRE, and a few that nobody asked the sensor about.
fn traffic() -> Vec<Vec<u8>> {
    let many = |count: usize, frame: Vec<u8>| std::iter::repeat_n(frame, count);
    let to = [198, 51, 100, 7];
    many(40, syn(0, 23))
        .chain(many(30, syn(1, 23)))
        .chain(many(25, syn(1, 445)))
        .chain(many(5, syn(2, 6379)))
        .chain(many(9, frame().ipv4().from([198, 18, 0, 5]).to(to).udp(53).bytes()))
        .chain(many(7, frame().ipv4().from([192, 0, 2, 7]).to(to).icmp(8, 0).bytes()))
        .chain(many(3, frame().ipv4().from([192, 0, 2, 7]).to(to).icmp(13, 0).bytes()))
        .collect()
}

/// Packets of each service, as `/api/v1/slots` has them.
fn services(slots: &Value) -> BTreeMap<String, u64> {
    let mut services = BTreeMap::new();
    for sensor in slots["sensors"].as_array().into_iter().flatten() {
        for slot in sensor["slots"].as_array().into_iter().flatten() {
            let protocol = slot["protocol"].as_str().unwrap_or_default();
            let name = match (protocol, &slot["port"]) {
                ("tcp" | "udp", Value::Number(port)) => format!("{port}/{}", protocol.to_uppercase()),
                ("icmp", _) => "ICMP".to_owned(),
                _ => continue,
            };
            *services.entry(name).or_default() += slot["packets"].as_u64().unwrap_or_default();
        }
    }
    services
}

#[test]
fn every_number_is_that_of_where_it_comes_from() -> Result<()> {
    needs_root!();
    let scene = Scene::new("")?;
    let frames = traffic();
    scene.send(&frames)?;
    scene.settled(frames.len() as u64)?;

    // A page is made of the counters as they were read lately; with the same number they are the same.
    let mut same = None;
    until(
        || {
            let slots: Value = serde_json::from_str(&page(&scene.agent, "/api/v1/slots")?)?;
            let shown = page(&scene.agent, "/")?;
            let number: u64 = between(&shown, "data-snapshot=\"", "\"")?.parse()?;
            if slots["snapshot"].as_u64() == Some(number) {
                same = Some((slots, shown));
            }
            Ok(same.is_some())
        },
        || "no page has the number of the slots before it".to_owned(),
    )?;
    let (slots, shown) = same.context("there is none")?;
    let services = services(&slots);
    let total: u64 = services.values().sum();
    assert_eq!(total, frames.len() as u64);
    assert_eq!(fact(&shown, "total")?, total);
    let ranking = between(&shown, "id=\"ranking\"", "</section>")?;
    assert_eq!(ranking.matches("data-service=").count(), services.len());
    for (service, packets) in &services {
        let row = between(ranking, &format!("data-service=\"{service}\""), "</tr>")?;
        assert_eq!(fact(row, "packets")?, *packets, "{service}");
        // Rounded down.
        let tenths = packets * 1_000 / total;
        let share = format!("{}.{} %", tenths / 10, tenths % 10);
        assert_eq!(between(row, "data-fact=\"share\">", "<")?, share, "{service}");
    }
    let sensor = between(&shown, "data-sensor=\"a &lt;i&gt;b&lt;/i&gt;\"", "</article>")?;
    assert_eq!(fact(sensor, "packets")?, total);
    let bytes: u64 = slots["sensors"][0]["slots"]
        .as_array()
        .context("no slots")?
        .iter()
        .filter_map(|slot| slot["bytes"].as_u64())
        .sum();
    assert_eq!(fact(sensor, "bytes")?, bytes);
    let side = |key: &str| -> Result<()> {
        let part = between(&shown, &format!("<div class=\"fact\" data-fact=\"{key}\">"), "</div>")?;
        for (name, packets) in slots["sensors"][0][key].as_object().context("no details")? {
            let packets = packets.as_u64().unwrap_or_default();
            let row = part.split_once(&format!(">{name}</th>")).map(|(_, row)| row);
            let told = row.map(|row| number(between(row, "<td class=\"n\">", "<")?)).transpose()?;
            assert_eq!(told, (packets > 0).then_some(packets), "{key} {name}: {part}");
        }
        Ok(())
    };
    ["tools", "tcp", "constituencies"].into_iter().try_for_each(side)?;
    let passed = slots["passed"].as_object().context("nothing about what passed")?;
    for (reason, packets) in passed.iter().filter(|(_, packets)| packets.as_u64() > Some(0)) {
        assert_eq!(
            number(between(&shown, &format!("data-reason=\"{reason}\">"), "<")?)?,
            packets.as_u64().unwrap_or_default()
        );
    }

    // Who sent it, as the socket says.
    for (by, key) in [("country", "By country"), ("as", "By network")] {
        let parts = scene.lines(&["sources", "--by", by], "part")?;
        let table = between(&shown, &format!("<h3>{key}</h3>"), "</table>")?;
        assert_eq!(table.matches("data-part=").count(), parts.len(), "{by}");
        assert_eq!(parts.len(), 3, "{parts:?}");
        for part in parts {
            let row = between(
                table,
                &format!("data-part=\"{}\"", part["of"].as_str().unwrap_or_default()),
                "</tr>",
            )?;
            assert_eq!(Some(fact(row, "packets")?), part["packets"].as_u64());
            assert_eq!(Some(fact(row, "sources")?), part["sources"]["count"].as_u64());
        }
    }
    for part in scene.lines(&["sources", "--by", "port"], "part")? {
        let of = part["of"].as_str().unwrap_or_default();
        let Some((port, protocol)) = of.split_once('/').filter(|_| !of.contains(' ')) else { continue };
        let row = between(ranking, &format!("data-service=\"{port}/{}\"", protocol.to_uppercase()), "</tr>")?;
        assert_eq!(Some(fact(row, "sources")?), part["sources"]["count"].as_u64(), "{of}");
        let [packets, known] =
            ["packets", "from_known_scanners"].map(|key| part[key].as_u64().unwrap_or_default());
        assert_eq!(fact(row, "without")?, packets - known, "{of}: all of it was observed");
    }
    assert_eq!(fact(between(&shown, "id=\"who\"", "</section>")?, "sources")?, 3);
    Ok(())
}

/// The page of a port has what the counters, the store and the sources say of it.
#[test]
fn a_port_has_a_page() -> Result<()> {
    needs_root!();
    let scene = Scene::new("")?;
    let frames = traffic();
    scene.send(&frames)?;
    scene.settled(frames.len() as u64)?;
    // The counters may have been read just before.
    let packets = || fact(&page(&scene.agent, "/port/23/tcp")?, "packets");
    until(|| Ok(packets()? == 70), || format!("{:?}", packets()))?;
    let shown = page(&scene.agent, "/port/23/tcp")?;
    assert!(shown.contains("<h1>23/TCP (Telnet)</h1>"), "{shown}");
    assert_eq!((fact(&shown, "sources")?, fact(&shown, "observed")?), (2, 70));
    let tuple = between(&shown, "data-tuple=\"1024 \"", "</tr>")?;
    ensure!(tuple.contains("data-fact=\"packets\">70<"), "{tuple}");
    ensure!(shown.contains("data-snapshot=\""), "{shown}");
    assert_eq!(fact(&page(&scene.agent, "/port/9/udp")?, "packets")?, 0);
    assert_eq!(scene.agent.get("/port/65536/tcp")?.status, 404);
    let nobody = scene.agent.get("/?sensor=nobody")?;
    ensure!(nobody.status == 503 && nobody.body.contains("there is no sensor"), "{nobody:?}");
    // The store writes at each full minute.
    until(
        || {
            let shown = page(&scene.agent, "/port/23/tcp")?;
            let day = shown.split_once("Packets a minute, in a day: from ");
            Ok(day.is_some_and(|(_, of)| of.contains("to 70, ")) && shown.contains("data-part=\"JP\""))
        },
        || page(&scene.agent, "/port/23/tcp").unwrap_or_default(),
    )?;
    let counts = scene.lines(&["counts", "--port", "23/tcp"], "count")?;
    assert_eq!(counts.iter().filter_map(|count| count["packets"].as_u64()).sum::<u64>(), 70);
    // The first page's last hour is the store's too.
    let view = scene.view(r#"{"version":1,"ask":"view","sensor":"a <i>b</i>"}"#)?;
    let minutes = view["sensors"][0]["minutes"].as_array().context("no minutes")?;
    assert_eq!(minutes.iter().filter_map(Value::as_u64).sum::<u64>(), frames.len() as u64, "{minutes:?}");
    Ok(())
}
