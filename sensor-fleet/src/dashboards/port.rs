//! One service on all sensors: is a change local or global?

use serde_json::{Value, json};

use super::board::{Board, Uid, Variable, region, sensors};
use super::overview::links;
use super::panel::{Panel, Query};
use super::query::{self, RANKED, REGION, SENSORS};
use super::surge;
use crate::vocabulary::palette::{self, Colour};
use crate::vocabulary::series::{
    DAYS, DAYS_BEFORE, HOURS, OBSERVED_1D, REGION_PACKETS_1D, SENSOR_PACKETS_1D, SENSOR_PACKETS_1H,
};

/// The chosen service's series.
const IT: &str = r#"protocol="$protocol",port="$port""#;

/// A day is above its baseline with more than this many times the baseline …
const TIMES: u32 = 2;
/// … and at least this many packets.
const FLOOR: u32 = 50;

/// The dashboard.
pub fn board() -> Value {
    let seen = query::service(&format!(
        "topk(2000, sum by (protocol, port) (sum_over_time({REGION_PACKETS_1D}{{{REGION},{RANKED}}}[$__range])))"
    ));
    Board::new(
        Uid::Port,
        "Sensor fleet: one service",
        "One port, or protocol without ports, on all sensors: is a change local or global? Days are UTC's.",
        "now-28d",
        "5m",
    )
    .variable(&region())
    .variable(&sensors())
    .variable(
        &Variable::one("service", "Service", format!("query_result({seen})"))
            .regex("/service=\"([^\"]+)\"/")
            .numeric()
            .current("23/tcp"),
    )
    // The service's parts, for selectors. A protocol without ports has none, and an empty selector finds it.
    .variable(
        &Variable::one("protocol", "Protocol", format!("query_result({})", part("protocol", "(?:.*/)?(.*)")))
            .regex("/protocol=\"([^\"]+)\"/")
            .hidden()
            .current("tcp"),
    )
    .variable(
        &Variable::one("port", "Port", format!("query_result({})", part("port", "(.*)/.*")))
            .regex("/port=\"([^\"]+)\"/")
            .hidden()
            .current("23"),
    )
    .row("$service: local or global?")
    .panel(&average())
    .panel(&seen_by())
    .panel(&above_now())
    .panel(&times_baseline())
    .panel(&surge::of_service())
    .panel(&share_above())
    .panel(&bars())
    .panel(&heat())
    .row("Curves")
    .panel(&regions())
    .panel(&by_sensor())
    .row("Numbers")
    .panel(&table())
    .json()
}

/// A part of the variable `service` as a label.
fn part(label: &str, pattern: &str) -> String {
    format!(
        r#"label_replace(label_replace(vector(1), "whole", "$service", "", ""), "{label}", "$1", "whole", "{pattern}")"#
    )
}

fn packets(window: &str) -> String {
    format!("{SENSOR_PACKETS_1D}{{{IT},{SENSORS}}}{window}")
}

fn observed(window: &str) -> String {
    format!("{OBSERVED_1D}{{{SENSORS}}}{window}")
}

/// The newest day, its baseline, and whether it is above, for queries at the end of the range.
fn newest() -> (String, String) {
    let day = format!("last_over_time({})", packets("[1d]"));
    let baseline = format!("quantile_over_time(0.5, {} offset 1d)", packets("[28d]"));
    (day, baseline)
}

fn average() -> Panel {
    let window = format!("[$__range] {DAYS}");
    Panel::number(
        "Packets per sensor and day",
        "The average over the range: packets by observed sensor-days of the chosen sensors, those that never got one included.
         Only UTC days that lie wholly in the range; the day in progress isn't in it.",
    )
    .size(4, 4)
    .query(Query::instant(query::per_sensor_day(
        "",
        &format!("sum_over_time({})", packets(&window)),
        &format!("sum_over_time({})", observed(&window)),
    )))
    .unit("short", 1)
}

fn seen_by() -> Panel {
    Panel::number(
        "Sensors that got any",
        "On the newest recorded day: how many of the chosen sensors got a packet for this service, of how many that observed.",
    )
    .size(4, 4)
    .query(Query::instant(format!("count(last_over_time({}) > 0)", packets("[1d]"))).legend("got any"))
    .query(Query::instant(format!("count(last_over_time({}) > 0)", observed("[1d]"))).legend("of"))
    .option("textMode", "value_and_name".into())
    .unit("short", 0)
}

fn above_now() -> Panel {
    let (day, baseline) = newest();
    Panel::number(
        "Share of sensors above baseline",
        &format!(
            "On the newest recorded day, the share of the sensors that observed which got more than {TIMES} times the median of
             their 28 days before, and at least {FLOOR} packets. Near 100 %: global. One sensor's share: local. A simple rule for
             the eye; `sensor-fleet report` tests against chance."
        ),
    )
    .size(4, 4)
    .query(Query::instant(format!(
        "sum({day} > bool clamp_min({TIMES} * {baseline}, {FLOOR})) / count(last_over_time({}) > 0)",
        observed("[1d]")
    )))
    .unit("percentunit", 0)
    .thresholds(&[(None, palette::BLUE), (Some(0.1), palette::SKY), (Some(0.3), palette::ORANGE), (Some(0.7), palette::VERMILION)])
}

fn times_baseline() -> Panel {
    let (day, baseline) = newest();
    Panel::number(
        "All sensors, times baseline",
        "The newest recorded day's packets of all chosen sensors, by the sum of their baselines (the median of each one's 28 days
         before). 1 is a day like any other.",
    )
    .size(4, 4)
    .query(Query::instant(format!("sum({day} and on (sensor) {baseline}) / sum({baseline} and on (sensor) {day})")))
    .unit("suffix:×", 2)
    .thresholds(&[(None, palette::BLUE), (Some(2.0), palette::ORANGE), (Some(4.0), palette::VERMILION)])
}

/// For the day that ends at T: its packets and its baseline.
fn at_midnight() -> (String, String) {
    let day = format!("last_over_time({})", packets(&format!("[1d] {DAYS}")));
    let baseline = format!("quantile_over_time(0.5, {})", packets(&format!("[28d] {DAYS_BEFORE}")));
    (day, baseline)
}

fn share_above() -> Panel {
    let (day, baseline) = at_midnight();
    let place = query::regions(&observed(&format!("[1d] {DAYS}")));
    Panel::curves(
        "Share of sensors above baseline, by region",
        &format!(
            "For each UTC day, at the midnight when it ended, and each region: the share of the sensors that observed which got more
             than {TIMES} times the median of their 28 days before, and at least {FLOOR} packets. One region high and the others at
             0: regional. All of them: global. A blip in a region of many sensors: one sensor, see the cells below."
        ),
    )
    .size(12, 9)
    .query(
        Query::range(
            format!(
                "(sum by (region) ({day} > bool clamp_min({TIMES} * {baseline}, {FLOOR}) * on (sensor) group_left (region) {place}) \
                 or 0 * count by (region) ({place})) / count by (region) ({place})"
            ),
            "1d",
        )
        .legend("{{region}}"),
    )
    .unit("percentunit", 0)
    .default("min", json!(0))
    .default("max", json!(1))
    .axis("share of sensors")
}

fn bars() -> Panel {
    let (day, baseline) = newest();
    Panel::bars(
        "Newest day, times baseline, by sensor",
        "For each sensor, the most first: the newest recorded day's packets by the median of its 28 days before. 1 is a day like
         any other. Where a single bar stands out, the change is that network's alone. A bar leads to its sensor.",
    )
    .size(12, 9)
    .query(Query::instant(format!("sort_desc({day} / ({baseline} > 0))")).legend("{{sensor}}"))
    .unit("suffix:×", 2)
    .thresholds(&TIMES_COLOURS)
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.with("var-sensor=${__field.labels.sensor}"))
}

/// From less than usual to much more.
const TIMES_COLOURS: [(Option<f64>, Colour); 4] = [
    (None, palette::SKY),
    (Some(0.5), palette::BLUE),
    (Some(2.0), palette::ORANGE),
    (Some(4.0), palette::VERMILION),
];

fn heat() -> Panel {
    let (day, baseline) = at_midnight();
    let place = query::regions(&observed(&format!("[1d] {DAYS}")));
    Panel::cells(
        "Times baseline, by sensor and day",
        "A row for each sensor, a cell for each UTC day, at the midnight when it ended: the day's packets by the median of the 28
         days before. Light blue: under half; blue: as usual; orange: twice and more; vermilion: four times and more. A column in
         colour is global, a row is local. No cell: not observed, or no baseline.",
    )
    .size(24, 9)
    .query(
        Query::range(format!("{day} / ({baseline} > 0) * on (sensor) group_left (region) {place}"), "1d")
            .legend("{{region}} · {{sensor}}"),
    )
    .unit("suffix:×", 2)
    .thresholds(&TIMES_COLOURS)
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.with("var-sensor=${__field.labels.sensor}"))
}

fn regions() -> Panel {
    let window = format!("[$__interval] {DAYS}");
    let before = format!("[28d] {DAYS_BEFORE}");
    Panel::curves(
        "Packets per sensor and day, by region, with baseline",
        "For each region, the packets of a UTC day by the sensor-days observed; the point at a midnight is the day that ended
         then. Dashed: the baseline, the median of the 28 days before by the sensors observed then.",
    )
    .size(12, 10)
    .query(
        Query::range(
            query::per_sensor_day(
                "region",
                &format!("sum_over_time({REGION_PACKETS_1D}{{{IT},{REGION}}}{window})"),
                &format!("sum_over_time({OBSERVED_1D}{{{REGION}}}{window})"),
            ),
            "1d",
        )
        .legend("{{region}}"),
    )
    .query(
        Query::range(
            query::per_sensor_day(
                "region",
                &format!("quantile_over_time(0.5, {REGION_PACKETS_1D}{{{IT},{REGION}}}{before})"),
                &format!("sum_over_time({OBSERVED_1D}{{{REGION}}}{before}) / 28"),
            ),
            "1d",
        )
        .legend("{{region}}, baseline"),
    )
    .on(
        "byFrameRefID",
        "B",
        &[("custom.lineStyle", json!({ "fill": "dash", "dash": [8, 8] })), ("custom.lineWidth", 1.into())],
    )
    .unit("short", 1)
    .axis("packets per sensor and day")
}

fn by_sensor() -> Panel {
    Panel::curves(
        "Packets an hour, by sensor",
        "For each chosen sensor, the packets of the hour that ended at the point, exact; over long ranges, the average of several
         hours. The hour in progress isn't in it. Curves that rise together: global. A curve leads to its sensor.",
    )
    .size(12, 10)
    .query(
        Query::range(
            format!("avg_over_time({SENSOR_PACKETS_1H}{{{IT},{SENSORS}}}[$__interval] {HOURS})"),
            "1h",
        )
        .legend("{{sensor}}"),
    )
    .unit("short", 1)
    .axis("packets an hour")
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.with("var-sensor=${__field.labels.sensor}"))
}

fn table() -> Panel {
    let (day, baseline) = newest();
    let place = query::regions(&observed(&format!("[$__range] {DAYS}")));
    let ranged = format!("[$__range] {DAYS}");
    let placed = |expression: String| {
        Query::table(format!(
            "max by (sensor, region) ({expression} * on (sensor) group_left (region) {place})"
        ))
    };
    Panel::table(
        "By sensor",
        "For each sensor: the packets of this service on the UTC days that lie wholly in the range, their share of all that the
         sensor counted then, the newest recorded day, and its baseline (the median of the 28 days before).",
    )
    .size(24, 10)
    .query(placed(format!("sum_over_time({})", packets(&ranged))))
    .query(placed(format!(
        "sum by (sensor) (sum_over_time({})) / sum by (sensor) (sum_over_time({SENSOR_PACKETS_1D}{{{SENSORS}}}{ranged}))",
        packets(&ranged)
    )))
    .query(placed(day.clone()))
    .query(placed(baseline.clone()))
    .query(placed(format!("({day} / ({baseline} > 0))")))
    .merged("Value #A")
    .columns(&[("region", "Region"), ("sensor", "Sensor"), ("Value #A", "Packets in range"), ("Value #B", "Share of the sensor's"), ("Value #C", "Newest day"), ("Value #D", "Baseline"), ("Value #E", "Times baseline")])
    .unit("locale", 0)
    .on("byName", "Share of the sensor's", &[("unit", "percentunit".into()), ("decimals", 2.into())])
    .on("byName", "Times baseline", &[("unit", "suffix:×".into()), ("decimals", 2.into())])
    .on("byName", "Sensor", &[("links", links("Show ${__value.text}", &Uid::Sensor.with("var-sensor=${__value.raw}")))])
}
