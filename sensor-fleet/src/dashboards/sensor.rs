//! One sensor: what it sees now and in the range, and how much of the time it was there.

use serde_json::{Value, json};

use super::board::{Board, Uid, Variable, region};
use super::overview::{STATES, links};
use super::panel::{Panel, Query};
use super::query::{self, RANKED};
use super::{service, surge};
use crate::vocabulary::palette;
use crate::vocabulary::series::{HOURS, OBSERVED_1H, REGION_PACKETS_1H, SENSOR_PACKETS_1H};

/// The chosen sensor.
const IT: &str = r#"sensor="$sensor""#;

/// The dashboard.
pub fn board() -> Value {
    Board::new(
        Uid::Sensor,
        "Sensor fleet: one sensor",
        "What one sensor sees now and in the range. From hours, so ranges of hours and days are exact.",
        "now-7d",
        "1m",
    )
    .variable(&region())
    .variable(&Variable::one("sensor", "Sensor", r#"label_values(sensor_info{region=~"$region"}, sensor)"#))
    .row("$sensor")
    .panel(&state())
    .panel(&live())
    .panel(&total())
    .panel(&per_day())
    .panel(&coverage())
    .panel(&exported())
    .row("Services")
    .panel(&now())
    .panel(&period())
    .panel(&top_5())
    .panel(&protocols())
    .row("Surges")
    .panel(&surge::on_sensor())
    .row("In detail, the last 24 hours")
    .panel(&tools())
    .panel(&tcp())
    .panel(&backscatter())
    .panel(&evidence())
    .panel(&icmp())
    .panel(&malformed())
    .panel(&passed())
    .row("Coverage")
    .panel(&hours_observed())
    .json()
}

fn state() -> Panel {
    Panel::number(
        "State",
        "Whether the sensor observes at the end of the range. Detached: its host answers, but the program isn't attached, so
         nothing is counted. Down: the host does not answer.",
    )
    .query(Query::instant(query::state(IT)))
    .option("colorMode", "background".into())
    .words(&STATES)
    .link("Show the agents", &Uid::Agents.without_regions(""))
}

fn live() -> Panel {
    Panel::number(
        "Packets a second",
        "Unsolicited packets a second over the last five minutes before the end of the range, from the raw counters.",
    )
    .query(Query::instant(format!("sum(rate(sensor_packets_total{{{IT}}}[5m]))")))
    .unit("pps", 2)
}

fn packets(selector: &str) -> String {
    format!("sum_over_time({SENSOR_PACKETS_1H}{{{selector}}}[$__range] {HOURS})")
}

fn observed() -> String {
    format!("sum_over_time({OBSERVED_1H}{{{IT}}}[$__range] {HOURS})")
}

fn total() -> Panel {
    Panel::number(
        "Packets in the range",
        "All unsolicited packets of the hours that lie wholly in the range, exact; the hour in progress isn't in it.",
    )
    .query(Query::instant(format!("sum({})", packets(IT))))
    .unit("locale", 0)
}

fn per_day() -> Panel {
    Panel::number(
        "Packets per observed day",
        "The packets of the range's whole hours by the time that the sensor observed in them, as a day's worth.",
    )
    .query(Query::instant(format!("24 * {}", query::per_sensor_day("", &packets(IT), &observed()))))
    .unit("locale", 0)
}

fn coverage() -> Panel {
    Panel::number(
        "Coverage",
        "The share of the range's recorded hours for which the sensor was observed. The hours are those in which any sensor of
         the fleet was.",
    )
    .query(Query::instant(format!(
        "clamp_max(sum({}) / scalar(max(count_over_time({OBSERVED_1H}[$__range] {HOURS}))), 1)",
        observed()
    )))
    .unit("percentunit", 1)
    .thresholds(&[(None, palette::VERMILION), (Some(0.9), palette::ORANGE), (Some(0.99), palette::BLUE)])
}

fn exported() -> Panel {
    Panel::number(
        "Without a series of their own",
        "The share of the last hour's packets to ports that have no series of their own, and that are in none of the rankings.
         If it grows, raise `max_ports`; /api/v1/slots of the agent has every port.",
    )
    .query(Query::instant(format!(
        "sum(increase(sensor_packets_total{{{IT},port=\"other\"}}[1h])) / sum(increase(sensor_packets_total{{{IT}}}[1h]))"
    )))
    .unit("percentunit", 1)
    .thresholds(&[(None, palette::BLUE), (Some(0.5), palette::ORANGE)])
}

fn now() -> Panel {
    let selector = format!("sensor_packets_total{{{IT},{RANKED}}}[1h]");
    let top = format!("topk(10, sum by (protocol, port) (increase({selector})))");
    let share = format!("{top} / on () group_left () sum(increase(sensor_packets_total{{{IT}}}[1h]))");
    named(
        Panel::table(
            "Top 10 now",
            "The services with most packets in the 60 minutes before the end of the range, from the raw counters: an estimate, as
             Prometheus extends what it has scraped to the full hour. Share: of everything that the sensor counted.",
        )
        .size(9, 10)
        .query(Query::table(query::service(&top)))
        .query(Query::table(query::service(&share)))
        .merged("Value #A")
        .columns_without(&["protocol", "port"], &[("service", "Service"), ("Value #A", "Packets"), ("Value #B", "Share")]),
    )
}

fn period() -> Panel {
    let selector = format!("{SENSOR_PACKETS_1H}{{{IT},{RANKED}}}[$__range]");
    let top = format!("topk(10, sum by (protocol, port) (sum_over_time({selector} {HOURS})))");
    let share = format!("{top} / on () group_left () sum({})", packets(IT));
    let before = format!(
        "sum by (protocol, port) (sum_over_time({selector} @ ${{__from:date:seconds}} {HOURS})) and on (protocol, port) {top}"
    );
    let others = format!(
        "sum by (protocol, port) (sum_over_time({REGION_PACKETS_1H}{{{RANKED}}}[$__range] {HOURS}) and on (protocol, port) {top}) \
         / on () group_left () (sum(sum_over_time({OBSERVED_1H}[$__range] {HOURS})) / 24)"
    );
    named(
        Panel::table(
            "Top 10 in the range",
            "The services with most packets in the hours that lie wholly in the range, exact: how many, their share of everything
             that the sensor counted, how many there were in the equally long period before, and for comparison what an average
             sensor of the fleet got a day. Services with equal counts are in no particular order.",
        )
        .size(15, 10)
        .query(Query::table(query::service(&top)))
        .query(Query::table(query::service(&share)))
        .query(Query::table(query::service(&before)))
        .query(Query::table(query::service(&others)))
        .merged("Value #A")
        .columns_without(&["protocol", "port"], &[("service", "Service"), ("Value #A", "Packets"), ("Value #B", "Share"), ("Value #C", "Period before"), ("Value #D", "Fleet, per sensor and day")]),
    )
}

fn named(table: Panel) -> Panel {
    table
        .unit("locale", 0)
        .on("byName", "Share", &[("unit", "percentunit".into()), ("decimals", 1.into())])
        .on(
            "byName",
            "Service",
            &[
                ("mappings", service::mappings()),
                (
                    "links",
                    links(
                        "Show ${__value.text} on all sensors",
                        &Uid::Port.with("var-service=${__value.raw}"),
                    ),
                ),
            ],
        )
}

fn top_5() -> Panel {
    let selector = format!("{SENSOR_PACKETS_1H}{{{IT},{RANKED}}}");
    let ranking = format!("sum by (protocol, port) (sum_over_time({selector}[$__range] @ end() {HOURS}))");
    let series = format!("sum by (protocol, port) (avg_over_time({selector}[$__interval] {HOURS}))");
    let mut panel = Panel::curves(
        "Top 5 services",
        "The five services with most packets in the range, in the order of their colours: the packets of the hour that ended at
         the point, exact; over long ranges, the average of several hours. A curve leads to all sensors' view of it.",
    )
    .size(12, 10);
    for place in 1..=5 {
        panel = panel.query(
            Query::range(query::service(&query::place(&series, &ranking, place)), "1h").legend("{{service}}"),
        );
    }
    panel.colours_by_place().overrides(service::overrides()).unit("short", 1).axis("packets an hour").link(
        "Show ${__field.labels.service} on all sensors",
        &Uid::Port.with("var-service=${__field.labels.service}"),
    )
}

fn protocols() -> Panel {
    let kinds = [
        ("TCP", r#"protocol="tcp""#),
        ("UDP", r#"protocol="udp""#),
        ("ICMP and ICMPv6", r#"protocol=~"icmp|icmpv6""#),
        ("other protocols", r#"protocol!~"tcp|udp|icmp|icmpv6|malformed""#),
        ("malformed", r#"protocol="malformed""#),
    ];
    let mut panel = Panel::curves(
        "All packets, by protocol",
        "Everything that the sensor counted, stacked: the packets of the hour that ended at the point, exact; over long ranges, the
         average of several hours. Ports without a series of their own and fragments are in it.",
    )
    .size(12, 10);
    for (name, selector) in kinds {
        panel = panel.query(
            Query::range(
                format!("sum(avg_over_time({SENSOR_PACKETS_1H}{{{IT},{selector}}}[$__interval] {HOURS}))"),
                "1h",
            )
            .legend(name),
        );
    }
    panel
        .colours_by_place()
        .custom(json!({ "fillOpacity": 60, "lineWidth": 1, "stacking": { "mode": "normal", "group": "A" } }))
        .unit("short", 1)
        .axis("packets an hour")
}

/// A table of what a family with details has grown by in a day.
fn details(title: &str, description: &str, expression: &str, columns: &[(&str, &str)]) -> Panel {
    let hidden = json!({ "Time": true });
    let order: serde_json::Map<String, Value> =
        columns.iter().zip(0_u32..).map(|((label, _), at)| ((*label).to_owned(), at.into())).collect();
    let names: serde_json::Map<String, Value> = columns
        .iter()
        .map(|(label, name)| ((*label).to_owned(), (*name).into()))
        .chain([("Value".to_owned(), "Packets".into())])
        .collect();
    Panel::table(title, description)
        .size(8, 9)
        .query(Query::table(format!("sort_desc({expression})")))
        .transform(
            "organize",
            &json!({ "excludeByName": hidden, "indexByName": order, "renameByName": names }),
        )
        .unit("locale", 0)
}

fn tools() -> Panel {
    details(
        "What made the SYNs",
        "TCP SYNs by the tool that made them, as their headers tell, in the 24 hours before the end of the range, from the raw
         counters. Other is what no rule names: programs that connect by the operating system, and new ones.",
        &format!("sum by (tool) (increase(sensor_tool_packets_total{{{IT}}}[1d])) > 0"),
        &[("tool", "Tool")],
    )
}

fn tcp() -> Panel {
    details(
        "TCP by flags",
        "TCP segments by their flags in the 24 hours before the end of the range, from the raw counters. syn asks for a connection;
         syn_ack and rst are mostly backscatter; null, xmas and fin are stealthy scans.",
        &format!("sum by (kind) (increase(sensor_tcp_packets_total{{{IT}}}[1d])) > 0"),
        &[("kind", "Kind")],
    )
}

fn backscatter() -> Panel {
    details(
        "Backscatter",
        "Answers to what others sent in this sensor's name, in the 24 hours before the end of the range, from the raw counters: who
         is flooded under forged addresses answers to them. udp_reflector comes from ports whose services are misused to
         multiply traffic.",
        &format!("sum by (kind) (increase(sensor_backscatter_packets_total{{{IT}}}[1d])) > 0"),
        &[("kind", "Kind")],
    )
}

fn evidence() -> Panel {
    let became =
        |of: &str| format!("sum by (reason) (increase(sensor_evidence_{of}_packets_total{{{IT}}}[1d]))");
    let handed_over = format!("sum (increase(sensor_evidence_packets_total{{{IT}}}[1d]))");
    details(
        "Evidence",
        "What became of packets as evidence in the 24 hours before the end of the range, from the raw counters: handed over by the
         kernel; skipped since the budget was spent or the buffer was full; lost to the disk, or as the agent ended. All 0
         where none is kept.",
        &format!(
            "label_replace({handed_over}, \"reason\", \"handed over\", \"\", \"\") or {} or {}",
            became("skipped"),
            became("lost")
        ),
        &[("reason", "Reason")],
    )
}

fn icmp() -> Panel {
    details(
        "ICMP types",
        "ICMP and ICMPv6 packets by type and code in the 24 hours before the end of the range, from the raw counters. 8 (128 in
         version 6) is ping; 3 and 11 (1 and 3) are mostly backscatter, errors about packets that others sent in this
         sensor's name.",
        &format!("sum by (protocol, type, code) (increase(sensor_icmp_packets_total{{{IT}}}[1d])) > 0"),
        &[("protocol", "Protocol"), ("type", "Type"), ("code", "Code")],
    )
}

fn malformed() -> Panel {
    details(
        "Malformed packets",
        "Packets with a broken header by the first thing found wrong, in the 24 hours before the end of the range, from the raw
         counters. They are counted and dropped, and never ranked. No rows: none came.",
        &format!("sum by (reason) (increase(sensor_malformed_packets_total{{{IT}}}[1d])) > 0"),
        &[("reason", "Reason")],
    )
}

fn passed() -> Panel {
    details(
        "Let through by the host",
        "Packets that the host of this sensor was let have, by reason, in the 24 hours before the end of the range, from the raw
         counters: they are the host's, all its sensors together, and not in any other number here. Management is what a rule
         allows, reply what the host had asked for.",
        &format!(
            "sum by (reason) (increase(sensor_passed_packets_total[1d]) and on (job, instance) last_over_time(sensor_info{{{IT}}}[1d])) > 0"
        ),
        &[("reason", "Reason")],
    )
}

fn hours_observed() -> Panel {
    Panel::new(
        "timeseries",
        "Time observed",
        "The hours for which the sensor was observed, at the moment when the hour ended: more than one in the hour in which it
         comes back from a gap in which it went on counting. None, and no such hour after it: what was missed here wasn't
         counted, and lowers the totals, though not the averages per observed day.",
    )
    .size(24, 6)
    .query(
        Query::range(
            format!("max(avg_over_time({OBSERVED_1H}{{{IT}}}[$__interval] {HOURS}))"),
            "1h",
        )
        .legend("observed"),
    )
    .option("legend", json!({ "displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": [] }))
    .option("tooltip", json!({ "mode": "single", "sort": "none" }))
    .custom(json!({ "drawStyle": "bars", "fillOpacity": 80, "lineWidth": 0 }))
    .unit("percentunit", 0)
    .default("min", json!(0))
    .default("max", json!(1))
    .default("color", json!({ "mode": "fixed", "fixedColor": palette::BLUE }))
}
