//! What packets were in detail, over the fleet: what made the SYNs, flags, backscatter; and how much is kept as evidence.

use sensor_common::layout::side::{Backscatter, TcpKind, Tool};
use serde_json::{Map, json};

use super::board::Uid;
use super::overview::{ALL, links};
use super::panel::{Panel, Query, reference};
use super::query::{self, REGION};
use crate::vocabulary::palette::{self, Colour, PLACES};
use crate::vocabulary::series::{DAYS, EVIDENCE_SHARE, OBSERVED_1D, SENSOR_DETAILS_1D};

/// One detail of the chosen sensors' packets, over a window of whole days.
fn days(detail: &str, window: &str) -> String {
    format!("sum_over_time({SENSOR_DETAILS_1D}{{{ALL},{detail}}}[{window}] {DAYS})")
}

/// Sensor-days observed in each step.
fn observed() -> String {
    format!("sum(sum_over_time({OBSERVED_1D}{{{REGION}}}[$__interval] {DAYS}))")
}

/// Gives each series, named by a label, a colour of its own, whichever of them there are.
fn coloured(panel: Panel, names: impl Iterator<Item = &'static str>) -> Panel {
    let fixed = |colour: Colour| json!({ "mode": "fixed", "fixedColor": colour });
    names
        .zip(PLACES)
        .fold(panel, |panel, (name, colour)| panel.on("byName", name, &[("color", fixed(colour))]))
}

/// The share of each tool from day to day.
pub fn tools() -> Panel {
    let panel = Panel::curves(
        "SYNs by tool",
        "What made the TCP SYNs to the chosen regions' sensors, as their headers tell: the share of each tool in all of them. The
         point at a midnight is the UTC day that ended then; where the range is very long, several together. Other is what
         no rule names: programs that connect by the operating system, and new ones.",
    )
    .size(12, 9)
    .query(
        Query::range(
            format!(
                "sum by (tool) ({}) / on () group_left () sum({})",
                days(r#"detail="tool""#, "$__interval"),
                days(r#"detail="tool""#, "$__interval")
            ),
            "1d",
        )
        .legend("{{tool}}"),
    );
    coloured(panel, Tool::ALL.iter().map(|tool| tool.label())).unit("percentunit", 1).axis("of all SYNs")
}

/// A row for each value of a label, a column for each tool: its share in the SYNs.
fn shares(title: &str, description: &str, by: &str, heading: &str) -> Panel {
    let place = query::regions(&format!("{OBSERVED_1D}{{{ALL}}}[$__range] {DAYS}"));
    let of = |detail: &str| {
        let packets = format!("{} * on (sensor) group_left (region) {place}", days(detail, "$__range"));
        format!("sum by ({by}) ({packets})")
    };
    let mut order = Map::from_iter([(by.to_owned(), json!(0))]);
    let mut renamed = Map::from_iter([(by.to_owned(), heading.into())]);
    let mut panel = Panel::table(title, description).size(12, 9);
    for (at, tool) in Tool::ALL.iter().enumerate() {
        let one = of(&format!(r#"detail="tool",tool="{}""#, tool.label()));
        let all = of(r#"detail="tool""#);
        panel = panel.query(Query::table(format!("{one} / on ({by}) {all}")));
        let value = format!("Value #{}", reference(at));
        order.insert(value.clone(), (at + 1).into());
        renamed.insert(value, tool.label().into());
    }
    panel
        .transform("merge", &json!({}))
        .transform("sortBy", &json!({ "fields": {}, "sort": [{ "field": by }] }))
        .transform(
            "organize",
            &json!({ "excludeByName": { "Time": true }, "indexByName": order, "renameByName": renamed }),
        )
        .unit("percentunit", 1)
}

/// The share of each tool on each sensor.
pub fn tools_by_sensor() -> Panel {
    shares(
        "Tools, by sensor",
        "A row for each sensor: which share of the SYNs that it got in the range each tool made. A tool with a large share on
         one sensor and none elsewhere is one source. Only UTC days that lie wholly in the range.",
        "sensor",
        "Sensor",
    )
    .on("byName", "Sensor", &[("links", links("Show ${__value.text}", &Uid::Sensor.with("var-sensor=${__value.raw}")))])
}

/// The share of each tool in each region.
pub fn tools_by_region() -> Panel {
    shares(
        "Tools, by region",
        "A row for each region: which share of the SYNs that its sensors got in the range each tool made, all of them together.
         Only UTC days that lie wholly in the range.",
        "region",
        "Region",
    )
}

/// Packets per sensor and day, by kind.
fn kinds(title: &str, description: &str, detail: &str) -> Panel {
    Panel::curves(title, description)
        .size(12, 9)
        .query(
            Query::range(
                format!(
                    "sum by (kind) ({}) / on () group_left () {}",
                    days(&format!(r#"detail="{detail}""#), "$__interval"),
                    observed()
                ),
                "1d",
            )
            .legend("{{kind}}"),
        )
        .unit("short", 1)
        .axis("packets per sensor and day")
}

/// TCP segments by their flags.
pub fn tcp() -> Panel {
    let panel = kinds(
        "TCP by flags",
        "TCP segments by their flags, per observed sensor and day. syn asks for a connection; syn_ack and rst are mostly
         backscatter; null, xmas and fin are stealthy scans. The point at a midnight is the UTC day that ended then.",
        "tcp",
    );
    coloured(panel, TcpKind::ALL.iter().map(|kind| kind.label()))
}

/// Backscatter by its kind.
pub fn backscatter() -> Panel {
    let panel = kinds(
        "Backscatter",
        "Answers to what others sent in the sensors' names, by kind, per observed sensor and day: who is flooded under forged
         addresses answers to them. udp_reflector comes from ports whose services are misused to multiply traffic. The point
         at a midnight is the UTC day that ended then.",
        "backscatter",
    );
    coloured(panel, Backscatter::ALL.iter().map(|kind| kind.label()))
}

/// How much each sensor keeps.
pub fn evidence() -> Panel {
    Panel::bars(
        "Share of evidence, by sensor",
        "For each sensor that keeps evidence, the share of the packets of the last hour that is kept, the least first: below 100 %
         the budget was spent, the buffer was full, or the disk did not take it, and what evidence says of sources rests on
         that part. `sensor status` on the host says which. No bars: none is kept.",
    )
    .size(12, 9)
    .query(
        Query::instant(format!("sort(avg by (sensor) (last_over_time({EVIDENCE_SHARE}{{{ALL}}}[15m])))"))
            .legend("{{sensor}}"),
    )
    .unit("percentunit", 1)
    .default("max", json!(1))
    .thresholds(&[(None, palette::VERMILION), (Some(0.5), palette::ORANGE), (Some(0.99), palette::BLUE)])
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.with("var-sensor=${__field.labels.sensor}"))
}
