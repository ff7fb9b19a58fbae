//! All that the page of a port says, word for word.

use anyhow::{Result, ensure};
use sensor_common::layout::Slot;
use sensor_common::noun::noun;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use serde_json::Value;

use super::from_whom::{by_country, by_tool, by_tuple, heaviest};
use super::moment::{Moment, count, grouped, list, moment, packets_of};
use super::{Scene, between, fact, page, syn};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A curve with its axis.
fn curve(of: &Moment<'_>, heading: &str, (step, steps): (i64, i64)) -> Result<Vec<String>> {
    let (said, most) = of.curve(heading, &of.stored(step, None, Some(Slot::tcp(23).index()))?, (step, steps));
    let most = most.map_or_else(
        || "nothing is known yet".to_owned(),
        |most| format!("at most {}, where it is known", grouped(most)),
    );
    let to = of.time.as_second() / step * step;
    let axis =
        [to - steps * step, to].map(|time| Ok::<_, jiff::Error>(moment(jiff::Timestamp::from_second(time)?)));
    let [from, to] = axis;
    Ok(vec![heading.to_owned(), most, said, format!("{} {}", from?, to?)])
}

fn expected(of: &Moment<'_>) -> Result<Vec<String>> {
    let slots = || {
        let all = of.sensors().flat_map(|(sensor, _)| list(&sensor["slots"]));
        all.filter(|slot| slot["protocol"] == "tcp" && slot["port"] == 23)
    };
    let [packets, bytes] = ["packets", "bytes"].map(|key| slots().map(|slot| count(&slot[key])).sum());
    let sources = of.lines(&["sources", "--port", "23/tcp"], "source")?;
    let observed: u64 = sources.iter().map(|source| count(&source["packets"])).sum();
    let title = "23/TCP (Telnet)";
    let parts = [
        vec![
            format!("{title} – sensor"),
            "To the content".to_owned(),
            "All ports".to_owned(),
            title.to_owned(),
            format!("{}, {} bytes since the counters were made", packets_of(packets), grouped(bytes)),
        ],
        curve(of, "Packets a minute, in a day", (MINUTE, 24 * 60))?,
        curve(of, "Packets an hour, in 30 days", (HOUR, 30 * 24))?,
        vec![
            "From whom".to_owned(),
            format!(
                "{} {} sent {} {} observed, in this hour and the last",
                sources.len(),
                noun(sources.len() as u64, "source", "sources"),
                grouped(observed),
                noun(observed, "packet that was", "packets that were")
            ),
        ],
        by_country(of, observed, &["--port", "23/tcp"])?,
        by_tool(of, "23/tcp", &["other"])?,
        by_tuple(of, "23/tcp")?,
        heaviest(&sources),
        vec![format!(
            "Snapshot {}, made {}",
            of.slots["snapshot"],
            of.time.strftime("%Y-%m-%d %H:%M:%S UTC")
        )],
    ];
    Ok(parts.concat())
}

#[test]
fn a_port_has_a_page() -> Result<()> {
    needs_root!();
    let scene = Scene::new("[page]\naddresses_on_loopback = true\n")?;
    scene.send(&[vec![syn(0, 23); 40], vec![syn(1, 23); 30], vec![syn(1, 445); 25]].concat())?;
    scene.settled(95)?;
    // The counters may have been read just before, and the store writes at each full minute.
    let is_stored = || Ok(page(&scene.agent, "/port/23/tcp")?.contains("to 70, at last "));
    until(is_stored, || page(&scene.agent, "/port/23/tcp").unwrap_or_default())?;
    let difference = || -> Result<Option<String>> {
        let Some(moment) = Moment::of(&scene, "/port/23/tcp", None)? else {
            return Ok(Some("no page has the number of the slots before it".to_owned()));
        };
        Ok(moment.difference(&expected(&moment)?))
    };
    until(|| Ok(difference()?.is_none()), || format!("{:?}", difference()))?;
    let shown = page(&scene.agent, "/port/23/tcp")?;
    assert_eq!((fact(&shown, "packets")?, fact(&shown, "sources")?), (70, 2));
    ensure!(
        between(&shown, "data-tuple=\"1024 \"", "</tr>")?.contains("data-fact=\"packets\">70<"),
        "{shown}"
    );

    assert_eq!(fact(&page(&scene.agent, "/port/9/udp")?, "packets")?, 0);
    assert_eq!(scene.agent.get("/port/65536/tcp")?.status, 404);
    let nobody = scene.agent.get("/?sensor=nobody")?;
    ensure!(nobody.status == 503 && nobody.body.contains("there is no sensor"), "{nobody:?}");
    let counts = scene.lines(&["counts", "--port", "23/tcp"], "count")?;
    assert_eq!(counts.iter().filter_map(|count| count["packets"].as_u64()).sum::<u64>(), 70);
    // The first page's last hour is the store's too.
    let view = scene.view(r#"{"version":1,"ask":"view","sensor":"a <i>b</i>"}"#)?;
    let minutes = list(&view["sensors"][0]["minutes"]).filter_map(Value::as_u64).sum::<u64>();
    assert_eq!(minutes, 95);
    Ok(())
}
