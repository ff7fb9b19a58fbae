//! The fleet at a glance: home against overseas, what each sensor sees most, and which sensors are up.

use serde_json::{Value, json};

use super::board::{Board, Uid, Variable, all_sensors, region};
use super::panel::{Panel, Query};
use super::query::{self, RANKED, REGION};
use super::{details, service, surge};
use crate::vocabulary::palette::{self, Colour};
use crate::vocabulary::series::{DAYS, OBSERVED_1D, REGION_PACKETS_1D, SENSOR_PACKETS_1D};

/// Where a service leads, from a series.
const SERVICE: &str = "var-service=${__field.labels.service}";

/// All sensors of the chosen regions, for series that don't say their region.
pub const ALL: &str = r#"sensor=~"$all_sensors""#;

/// The dashboard.
pub fn board() -> Value {
    Board::new(
        Uid::Overview,
        "Sensor fleet: overview",
        "What all sensors see, and which of them are up. Days are UTC's.",
        "now-90d",
        "15m",
    )
    .variable(&region())
    .variable(&all_sensors())
    .variable(&Variable::one("home", "Home region", "label_values(sensor_info, region)").current("japan"))
    .row("Now")
    .panel(&observing())
    .panel(&down())
    .panel(&yesterday())
    .panel(&average())
    .panel(&total())
    .panel(&coverage())
    .row("Which sensors are up")
    .panel(&grid())
    .row("Surges and alerts")
    .panel(&surge::everywhere())
    .panel(&alerts())
    .row("Home and overseas")
    .panel(&months())
    .panel(&by_region())
    .row("Services")
    .panel(&table_1())
    .panel(&top_5())
    .panel(&ranking())
    .row("Tools, backscatter and evidence")
    .panel(&details::tools())
    .panel(&details::tools_by_region())
    .panel(&details::tools_by_sensor())
    .panel(&details::tcp())
    .panel(&details::backscatter())
    .panel(&details::evidence())
    .row("Coverage")
    .panel(&days_observed())
    .json()
}

fn observing() -> Panel {
    let state = query::state(REGION);
    Panel::number(
        "Sensors that observe",
        "How many sensors observe at the end of the range, of how many there are: scraped, and with the program attached. A
         sensor is counted for a day after its host was last heard of.",
    )
    .query(Query::instant(format!("sum({state} == bool 2)")).legend("observe"))
    .query(Query::instant(format!("count({state})")).legend("of"))
    .option("textMode", "value_and_name".into())
    .unit("short", 0)
}

fn down() -> Panel {
    Panel::number(
        "Sensors that don't",
        "How many sensors see nothing at the end of the range, because their host does not answer or their program is
         detached. 0 is well. The grid below says which.",
    )
    .query(Query::instant(format!("sum({} < bool 2)", query::state(REGION))))
    .unit("short", 0)
    .option("colorMode", "background".into())
    .thresholds(&[(None, palette::BLUE), (Some(1.0), palette::VERMILION)])
}

fn yesterday() -> Panel {
    Panel::number(
        "Packets on the last whole day",
        "All unsolicited packets of the chosen regions on the newest UTC day that is recorded. A day is recorded between
         one and two hours after it has ended.",
    )
    .query(Query::instant(format!("sum(last_over_time({REGION_PACKETS_1D}{{{REGION}}}[1d]))")))
    .unit("short", 2)
}

/// All packets of the chosen regions on the range's whole days.
fn packets() -> String {
    format!("sum_over_time({REGION_PACKETS_1D}{{{REGION}}}[$__range] {DAYS})")
}

/// The sensor-days in the range that were observed.
fn observed() -> String {
    format!("sum_over_time({OBSERVED_1D}{{{REGION}}}[$__range] {DAYS})")
}

fn average() -> Panel {
    Panel::number(
        "Packets per sensor and day",
        "The average over the range: all packets by the sensor-days that were observed, so a sensor that was down for half
         of a day counts as half a sensor on it. Only UTC days that lie wholly in the range; the day in progress isn't in it.",
    )
    .query(Query::instant(query::per_sensor_day("", &packets(), &observed())))
    .unit("short", 1)
}

fn total() -> Panel {
    Panel::number(
        "Packets in the range",
        "All unsolicited packets on the UTC days that lie wholly in the range, exact; the day in progress isn't in it.",
    )
    .query(Query::instant(format!("sum({})", packets())))
    .unit("short", 2)
}

fn coverage() -> Panel {
    Panel::number(
        "Coverage",
        "The share of the range's recorded days, over all sensors that were there, in which they observed. What is missing
         from 100 % wasn't seen by anybody.",
    )
    .query(Query::instant(format!(
        "clamp_max(sum({0}) / (count({0}) * scalar(max(count_over_time({OBSERVED_1D}[$__range] {DAYS})))), 1)",
        observed()
    )))
    .unit("percentunit", 1)
    .thresholds(&[(None, palette::VERMILION), (Some(0.9), palette::ORANGE), (Some(0.99), palette::BLUE)])
}

fn grid() -> Panel {
    Panel::new(
        "stat",
        "$region",
        "A tile for each sensor of the region, at the end of the range. Blue: it observes. Orange: its host answers, but the
         program is detached, so nothing is counted. Vermilion: the host does not answer. A tile leads to its sensor.",
    )
    .size(12, 5)
    .query(Query::instant(query::state(REGION)).legend("{{sensor}}"))
    .option("reduceOptions", json!({ "calcs": ["lastNotNull"], "fields": "", "values": false }))
    .option("colorMode", "background".into())
    .option("graphMode", "none".into())
    .option("justifyMode", "center".into())
    .option("orientation", "auto".into())
    .option("textMode", "value_and_name".into())
    .default("color", json!({ "mode": "thresholds" }))
    .words(&STATES)
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.with("var-sensor=${__field.labels.sensor}"))
    .repeat("region")
}

/// What the numbers of [`query::state`] are called.
pub const STATES: [(&str, &str, Colour); 3] =
    [("0", "down", palette::VERMILION), ("1", "detached", palette::ORANGE), ("2", "observes", palette::BLUE)];

fn alerts() -> Panel {
    Panel::table(
        "Alerts that fire",
        "The fleet's alerts that fire at the end of the range, and on how many things each. Page: packets go uncounted, or a host
         is open. Ticket: it can wait. News: something happens on the Internet. No rows: all is well.",
    )
    .size(7, 7)
    .query(Query::table(
        r#"sort_desc(count by (alertname, severity) (ALERTS{alertstate="firing",alertname=~"Sensor.+|Region.+|Constituency.+|Port.+|NewPort|.+Surges"}))"#,
    ))
    .columns(&[("severity", "Severity"), ("alertname", "Alert"), ("Value", "On")])
    .on(
        "byName",
        "Severity",
        &[
            ("mappings", json!([{ "type": "value", "options": {
                "page": { "index": 0, "text": "page", "color": palette::VERMILION },
                "ticket": { "index": 1, "text": "ticket", "color": palette::ORANGE },
                "news": { "index": 2, "text": "news", "color": palette::SKY },
            } }])),
            ("custom.cellOptions", json!({ "type": "color-text" })),
        ],
    )
}

fn months() -> Panel {
    Panel::new(
        "barchart",
        "Packets per sensor and day, by month",
        "For each UTC month that begins in the range, the average number of packets that a sensor got a day: the home region
         (variable at the top) against all others. By observed sensor-days, so outages don't lower it. The month in
         progress is the average of its recorded days so far.",
    )
    .size(12, 10)
    .query(Query::range(query::monthly(r#"region="$home""#), "1d").legend("home ($home)"))
    .query(Query::range(query::monthly(r#"region!="$home""#), "1d").legend("overseas"))
    .transform("joinByField", &json!({ "byField": "Time", "mode": "outer" }))
    .option("xField", "Time".into())
    .option("orientation", "auto".into())
    .option("showValue", "always".into())
    .option("stacking", "none".into())
    .option("groupWidth", json!(0.7))
    .option("barWidth", json!(0.9))
    .option("xTickLabelRotation", json!(0))
    .option("legend", json!({ "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] }))
    .option("tooltip", json!({ "mode": "multi", "sort": "none" }))
    .unit("short", 1)
    .custom(json!({ "fillOpacity": 85, "lineWidth": 1 }))
    .axis("packets per sensor and day")
    .default("min", json!(0))
    .on("byName", "Time", &[("unit", "time:YYYY-MM".into())])
    .on("byRegexp", "/^home/", &[("color", json!({ "mode": "fixed", "fixedColor": palette::BLUE }))])
    .on("byRegexp", "/^overseas/", &[("color", json!({ "mode": "fixed", "fixedColor": palette::ORANGE }))])
}

fn by_region() -> Panel {
    let window = format!("[$__interval] {DAYS}");
    Panel::curves(
        "Packets per sensor and day, by region",
        "For each region, the packets of a day by the sensor-days observed in it. The point at a midnight is the UTC day that
         ended then; where the range is very long, the average over several. The day in progress isn't in it.",
    )
    .size(12, 10)
    .query(
        Query::range(
            query::per_sensor_day(
                "region",
                &format!("sum_over_time({REGION_PACKETS_1D}{{{REGION}}}{window})"),
                &format!("sum_over_time({OBSERVED_1D}{{{REGION}}}{window})"),
            ),
            "1d",
        )
        .legend("{{region}}"),
    )
    .unit("short", 1)
    .axis("packets per sensor and day")
}

fn table_1() -> Panel {
    let packets = format!(
        "sum by (sensor, protocol, port) (sum_over_time({SENSOR_PACKETS_1D}{{{ALL},{RANKED}}}[$__range] {DAYS}))"
    );
    let place = query::regions(&format!("{OBSERVED_1D}{{{ALL}}}[$__range] {DAYS}"));
    let ranked = format!("topk by (sensor) (10, {packets}) * on (sensor) group_left (region) {place}");
    // PromQL gives a row for each sensor and service. These are put in order, gathered into a list for each sensor, and
    // the list's entries, which are numbered from 0, become the columns.
    let columns: serde_json::Map<String, Value> =
        [("region".to_owned(), "Region".into()), ("sensor".to_owned(), "Sensor".into())]
            .into_iter()
            .chain((0..10).map(|at: u32| (at.to_string(), format!("#{}", at + 1).into())))
            .collect();
    let order: serde_json::Map<String, Value> = ["region", "sensor"]
        .into_iter()
        .map(str::to_owned)
        .chain((0..10).map(|at: u32| at.to_string()))
        .zip(0_u32..)
        .map(|(name, at)| (name, at.into()))
        .collect();
    Panel::table(
        "Top 10 of each sensor",
        "One row a sensor: the services that it got most packets for in the range, the most first. ICMP is one service, and
         so is every other protocol; malformed packets, fragments and ports without a series of their own aren't ranked. Services
         with equal counts are in no particular order. Only UTC days that lie wholly in the range; the day in progress isn't in
         it. A service leads to all sensors' view of it, a sensor to its own page.",
    )
    .size(24, 10)
    .query(Query::table(query::service(&ranked)))
    .most_first("Value")
    .transform(
        "groupBy",
        &json!({ "fields": {
            "region": { "operation": "groupby", "aggregations": [] },
            "sensor": { "operation": "groupby", "aggregations": [] },
            "service": { "operation": "aggregate", "aggregations": ["allValues"] },
        } }),
    )
    .transform(
        "extractFields",
        &json!({ "source": "service (allValues)", "format": "json", "replace": false, "keepTime": false, "jsonPaths": [] }),
    )
    .transform(
        "organize",
        &json!({ "excludeByName": { "service (allValues)": true }, "indexByName": order, "renameByName": columns }),
    )
    .transform("sortBy", &json!({ "fields": {}, "sort": [{ "field": "Sensor" }] }))
    .on(
        "byRegexp",
        "/^#/",
        &[
            ("mappings", service::mappings()),
            ("links", links("Show ${__value.text} on all sensors", &Uid::Port.with("var-service=${__value.raw}"))),
        ],
    )
    .on("byName", "Sensor", &[("links", links("Show ${__value.text}", &Uid::Sensor.with("var-sensor=${__value.raw}")))])
}

/// A link of some of a table's columns.
pub fn links(title: &str, url: &str) -> Value {
    json!([{ "title": title, "url": url, "targetBlank": false }])
}

fn top_5() -> Panel {
    let selector = format!("{REGION_PACKETS_1D}{{{REGION},{RANKED}}}");
    let ranking = format!("sum by (protocol, port) (sum_over_time({selector}[$__range] @ end() {DAYS}))");
    let series = format!(
        "sum by (protocol, port) (sum_over_time({selector}[$__interval] {DAYS})) / on () group_left () \
         sum(sum_over_time({OBSERVED_1D}{{{REGION}}}[$__interval] {DAYS}))"
    );
    let mut panel = Panel::curves(
        "Top 5 services",
        "The five services with most packets in the range, in the order of their colours, as packets per observed sensor and
         day in the chosen regions. The point at a midnight is the UTC day that ended then. A curve leads to all sensors' view
         of it: does one network see it, or everybody?",
    )
    .size(14, 10);
    for place in 1..=5 {
        panel = panel.query(
            Query::range(query::service(&query::place(&series, &ranking, place)), "1d").legend("{{service}}"),
        );
    }
    panel
        .colours_by_place()
        .overrides(service::overrides())
        .unit("short", 1)
        .axis("packets per sensor and day")
        .link("Show ${__field.labels.service} on all sensors", &Uid::Port.with(SERVICE))
}

fn ranking() -> Panel {
    let selector = format!("{REGION_PACKETS_1D}{{{REGION},{RANKED}}}[$__range]");
    let now = format!("sum by (protocol, port) (sum_over_time({selector} {DAYS}))");
    let before =
        format!("sum by (protocol, port) (sum_over_time({selector} @ ${{__from:date:seconds}} {DAYS}))");
    let top = format!("topk(10, {now})");
    let all = format!("sum(sum_over_time({REGION_PACKETS_1D}{{{REGION}}}[$__range] {DAYS}))");
    Panel::table(
        "Top 10 services of the fleet",
        "The services with most packets in the range, in all chosen regions together: how many, their share of everything that
         was counted, and how many there were in the equally long period before it. Only UTC days that lie wholly in the
         range. No number before: nothing was recorded then.",
    )
    .size(10, 10)
    .query(Query::table(query::service(&top)))
    .query(Query::table(query::service(&format!("{top} / on () group_left () {all}"))))
    .query(Query::table(query::service(&format!("{before} and on (protocol, port) {top}"))))
    .merged("Value #A")
    .columns_without(&["protocol", "port"], &[("service", "Service"), ("Value #A", "Packets"), ("Value #B", "Share"), ("Value #C", "Period before")])
    .unit("locale", 0)
    .on("byName", "Share", &[("unit", "percentunit".into()), ("decimals", 1.into())])
    .on(
        "byName",
        "Service",
        &[
            ("mappings", service::mappings()),
            ("links", links("Show ${__value.text} on all sensors", &Uid::Port.with("var-service=${__value.raw}"))),
        ],
    )
}

fn days_observed() -> Panel {
    Panel::cells(
        "Days observed, by sensor",
        "A row for each sensor, a cell for each UTC day, at the midnight when it ended: the share of the day for which the
         sensor was observed. No cell: not at all. With hundreds of sensors, choose a region.",
    )
    .size(24, 10)
    .query(
        Query::range(
            format!(
                "clamp_max(max by (region, sensor) (avg_over_time({OBSERVED_1D}{{{REGION}}}[$__interval] {DAYS})), 1)"
            ),
            "1d",
        )
        .legend("{{region}} · {{sensor}}"),
    )
    .unit("percentunit", 1)
    .thresholds(&[(None, palette::VERMILION), (Some(0.5), palette::ORANGE), (Some(0.9), palette::SKY), (Some(0.99), palette::BLUE)])
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.with("var-sensor=${__field.labels.sensor}"))
}
