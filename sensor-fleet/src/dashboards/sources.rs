//! Sources: where packets come from, by countries, tools and known scanners; and what no longer comes.

use serde_json::{Value, json};

use super::board::{Board, Uid, region, sensors};
use super::overview::links;
use super::panel::{Panel, Query};
use super::query::SENSORS;
use crate::vocabulary::palette;
use crate::vocabulary::series::{PEERS_1D, PORT_MISSED, SCANNER_MISSED, SCANNER_REACHED_1H};

/// All sources of a sensor, of the last full hour or day.
const ALL_SLOTS: &str = r#"protocol="",port="""#;

/// The dashboard.
pub fn board() -> Value {
    Board::new(
        Uid::Sources,
        "Sensor fleet: sources",
        "Where packets come from, as far as sensors keep evidence; whom they show to be attacked; and what no longer reaches a sensor. From raw samples: for ranges of hours and days.",
        "now-24h",
        "5m",
    )
    .variable(&region())
    .variable(&sensors())
    .row("Countries")
    .panel(&map())
    .panel(&countries())
    .row("Sources")
    .panel(&distinct())
    .panel(&ports())
    .panel(&share())
    .row("Who and what")
    .panel(&tools())
    .panel(&scanners())
    .panel(&constituencies())
    .panel(&victims())
    .row("What reaches the sensors")
    .panel(&reached())
    .panel(&peers())
    .panel(&missed())
    .json()
}

/// Packets of the range by country, as far as it is known.
fn by_country() -> String {
    format!(
        r#"sum by (country) (increase(sensor_country_packets_total{{{SENSORS},country!~"other|unknown"}}[$__range])) > 0"#
    )
}

fn map() -> Panel {
    Panel::new(
        "geomap",
        "Packets by country",
        "Packets of the range whose sources were looked at, a circle on each country that has a series of its own, by the lists
         of the sensors' hosts. Where a source is, is where its address is registered; any source of a packet that wants no answer
         may be forged.",
    )
    .size(14, 13)
    .query(Query::table(by_country()))
    .option("view", json!({ "id": "zero", "lat": 20, "lon": 10, "zoom": 1.6, "allLayers": true, "shared": false }))
    .option("basemap", json!({ "type": "default", "name": "Layer 0", "config": {} }))
    .option("controls", json!({ "mouseWheelZoom": false, "showAttribution": true, "showDebug": false, "showMeasure": false, "showScale": false, "showZoom": true }))
    .option("tooltip", json!({ "mode": "details" }))
    .option(
        "layers",
        json!([{
            "type": "markers",
            "name": "Packets",
            "tooltip": true,
            "location": { "mode": "lookup", "lookup": "country", "gazetteer": "public/gazetteer/countries.json" },
            "config": { "showLegend": false, "style": {
                "color": { "fixed": palette::BLUE },
                "opacity": 0.5,
                "size": { "field": "Value", "fixed": 5, "min": 3, "max": 40 },
                "symbol": { "mode": "fixed", "fixed": "img/icons/marker/circle.svg" },
                "symbolAlign": { "horizontal": "center", "vertical": "center" },
                "textConfig": { "fontSize": 12, "offsetX": 0, "offsetY": 0, "textAlign": "center", "textBaseline": "middle" },
                "rotation": { "fixed": 0, "max": 360, "min": -360, "mode": "mod" },
            } },
        }]),
    )
    .unit("short", 0)
}

fn countries() -> Panel {
    let all = format!("sum(increase(sensor_country_packets_total{{{SENSORS}}}[$__range]))");
    Panel::table(
        "Countries",
        "The same in numbers, with other and unknown ones in the whole: packets, their share, and how many sources a country had on
         one sensor on the last full UTC day at most. Sensors' numbers of sources cannot be added, as the same source
         reaches several: `sensor-fleet sources` merges them.",
    )
    .size(10, 13)
    .query(Query::table(by_country()))
    .query(Query::table(format!("({}) / on () group_left () {all}", by_country())))
    .query(Query::table(format!(
        r#"max by (country) (sensor_country_sources{{{SENSORS},window="1d",country!~"other|unknown"}})"#
    )))
    .merged("Value #A")
    .columns(&[("country", "Country"), ("Value #A", "Packets"), ("Value #B", "Share"), ("Value #C", "Sources on a sensor")])
    .unit("short", 0)
    .on("byName", "Share", &[("unit", "percentunit".into()), ("decimals", json!(1))])
}

fn distinct() -> Panel {
    Panel::curves(
        "Distinct sources, by sensor",
        "How many sources each sensor had in the last full UTC hour: exact up to 256, then with a standard error of 1.6 %. Where
         packets were missed, which the share beside it shows, there were at least so many.",
    )
    .size(10, 9)
    .query(Query::range(format!(r#"max by (sensor) (sensor_sources{{{SENSORS},{ALL_SLOTS},window="1h"}})"#), "1m").legend("{{sensor}}"))
    .unit("short", 0)
    .axis("sources in an hour")
}

fn ports() -> Panel {
    Panel::table(
        "Distinct sources, by port",
        "How many sources sent to a port of one sensor on the last full UTC day: the sensor that had most, and the median one. Many sources on all sensors are a botnet; many
         on one are more likely forged.",
    )
    .size(7, 9)
    .query(Query::table(format!(r#"topk(50, max by (protocol, port) (sensor_sources{{{SENSORS},port!="",window="1d"}}))"#)))
    .query(Query::table(format!(r#"quantile by (protocol, port) (0.5, sensor_sources{{{SENSORS},port!="",window="1d"}})"#)))
    .merged("Value #A")
    .columns(&[("port", "Port"), ("protocol", "Protocol"), ("Value #A", "Most"), ("Value #B", "Median")])
    .unit("short", 0)
}

fn share() -> Panel {
    let window = |metric: &str| format!(r#"max by (sensor) ({metric}{{{SENSORS},window="1h"}})"#);
    let (observed, missed) =
        (window("sensor_sources_observed_packets"), window("sensor_sources_missed_packets"));
    Panel::curves(
        "Share that was looked at",
        "Which share of a sensor's packets of the last full UTC hour had its source looked at: what everything here rests on. Below
         100 %, numbers of sources are at least so many.",
    )
    .size(7, 9)
    .query(Query::range(format!("{observed} / ({observed} + {missed} > 0)"), "1m").legend("{{sensor}}"))
    .unit("percentunit", 1)
    .axis("of what was counted")
}

fn tools() -> Panel {
    Panel::curves(
        "SYNs by tool",
        "What made the SYNs to the chosen sensors, a second: exact, with or without evidence. Mirai's mark tells its bots; ZMap and
         masscan are what researchers and criminals use alike.",
    )
    .size(12, 9)
    .query(Query::range(format!("sum by (tool) (rate(sensor_tool_packets_total{{{SENSORS}}}[$__rate_interval]))"), "1m").legend("{{tool}}"))
    .unit("pps", 2)
    .axis("SYNs a second")
}

fn scanners() -> Panel {
    Panel::bars(
        "Known scanners",
        "Packets of the range from organisations that scan the Internet openly, by the sensors' lists, the most first. Other are
         those without a series of their own.",
    )
    .size(12, 9)
    .query(
        Query::instant(format!("sort_desc(sum by (scanner) (increase(sensor_known_scanner_packets_total{{{SENSORS}}}[$__range])))"))
            .legend("{{scanner}}"),
    )
    .unit("short", 0)
}

fn constituencies() -> Panel {
    Panel::curves(
        "Packets from constituencies",
        "Packets an hour from addresses that are one's own to watch, over the chosen sensors: exact. Somebody there scans, is infected, or answers to
         forged packets.",
    )
    .size(12, 9)
    .query(
        Query::range(format!("sum by (constituency) (increase(sensor_constituency_packets_total{{{SENSORS}}}[1h]))"), "5m")
            .legend("{{constituency}}"),
    )
    .unit("short", 0)
    .axis("packets an hour")
}

fn victims() -> Panel {
    Panel::curves(
        "Victims, by sensor",
        "How many addresses were under denial of service in the last full UTC hour, as their answers to forged packets tell. A
         sensor of one address sees one answer in four billion, so few see any.",
    )
    .size(12, 9)
    .query(Query::range(format!(r#"max by (sensor) (sensor_victims{{{SENSORS},window="1h"}})"#), "1m").legend("{{sensor}}"))
    .unit("short", 0)
    .axis("addresses")
}

fn reached() -> Panel {
    Panel::table(
        "When known scanners were there last",
        "A row for each known scanner and sensor: how long before the end of the range the hour ended in which it last reached it, within eight days. A scanner
         that was on all sensors within hours, and on one days ago, is filtered there.",
    )
    .size(10, 10)
    .query(Query::table(format!("time() - max_over_time({SCANNER_REACHED_1H}{{{SENSORS}}}[8d])")))
    .most_first("Value")
    .columns(&[("scanner", "Known scanner"), ("sensor", "Sensor"), ("Value", "Ago")])
    .unit("s", 1)
    .on("byName", "Sensor", &[("links", links("Show ${__value.text}", &Uid::Sensor.with("var-sensor=${__value.raw}")))])
}

fn peers() -> Panel {
    Panel::bars(
        "Packets per address, in medians of the fleet",
        "Packets of the last 24 full hours per monitored IPv4 address, beside the median sensor's, the least first. What a sensor
         never got changes nothing, and no alert sees it: one far below 1 has lost a part of its addresses, or is behind a filter. Far
         above 1 it is one loud source.",
    )
    .size(6, 10)
    .query(
        Query::instant(format!("sort(last_over_time({PEERS_1D}{{{SENSORS}}}[20m]))")).legend("{{sensor}}"),
    )
    .unit("short", 2)
    .default("max", json!(2))
    .thresholds(&[(None, palette::VERMILION), (Some(0.2), palette::ORANGE), (Some(0.5), palette::BLUE)])
}

fn missed() -> Panel {
    let none = |labels: &str| format!(r#"label_replace(vector(0), "{labels}", "none", "", "")"#);
    Panel::table(
        "What no longer comes",
        "What has not reached a sensor for 20 hours though it used to, and goes on to reach others: known scanners, and ports. None
         is well. The alerts SensorUpstreamFilter and SensorPortFiltered say what to do; one scanner alone may have been asked to
         stay away.",
    )
    .size(8, 10)
    .query(Query::table(format!(
        "count by (sensor, scanner) (last_over_time({SCANNER_MISSED}{{{SENSORS}}}[20m])) or on () {}",
        none("scanner")
    )))
    .query(Query::table(format!(
        "count by (sensor, protocol, port) (last_over_time({PORT_MISSED}{{{SENSORS}}}[20m])) or on () {}",
        none("protocol")
    )))
    .transform("merge", &json!({}))
    .transform("organize", &json!({ "excludeByName": { "Time": true, "Value #A": true, "Value #B": true } }))
}
