//! Surges, as the rules of `fleet/rules/surge.yml` judge them every half hour.

use serde_json::{Value, json};

use super::board::Uid;
use super::overview::links;
use super::panel::{Panel, Query};
use super::{query, service};
use crate::vocabulary::palette;
use crate::vocabulary::series::{SURGE_JUDGED, SURGE_MEDIAN, SURGE_PACKETS, SURGE_VERDICT};
use crate::vocabulary::verdict::SurgeVerdict;

/// What every surge's description says.
const RULE: &str = "A port surges on a sensor if its packets of each of the last two days in UTC are 100 or more, and more than chance
    makes of its 28 days before: twice their median at least; days of outages are left out. Judged every half hour; what is
    over stays for an hour.";

/// The newest sample of the last two judgements.
fn newest(series: &str) -> String {
    format!("last_over_time({series}[65m])")
}

/// One verdict for each service: where the last two judgements differ, the newer.
fn verdicts(selector: &str) -> String {
    let series = format!("{SURGE_VERDICT}{selector}");
    format!(
        "({} and on (protocol, port, verdict) topk by (protocol, port) (1, max_over_time(timestamp({series})[65m:1m])))",
        newest(&series)
    )
}

/// How verdicts are coloured.
fn words() -> Value {
    let words = [
        (SurgeVerdict::Global, palette::VERMILION),
        (SurgeVerdict::RegionOnly, palette::ORANGE),
        (SurgeVerdict::Mixed, palette::ORANGE),
        (SurgeVerdict::SensorOnly, palette::SKY),
        (SurgeVerdict::NewPort, palette::PURPLE),
    ];
    let options: serde_json::Map<String, Value> = words
        .iter()
        .enumerate()
        .map(|(at, (verdict, colour))| {
            (verdict.name().to_owned(), json!({ "index": at, "text": verdict, "color": colour }))
        })
        .collect();
    json!([{ "type": "value", "options": options }])
}

fn list(title: &str, description: &str, queries: [String; 4]) -> Panel {
    let columns = ["Sensors", "Of", "Packets of the last day", "Median of 28 days"];
    let mut order =
        serde_json::Map::from_iter([("service".to_owned(), json!(0)), ("verdict".to_owned(), json!(1))]);
    let mut renamed = serde_json::Map::from_iter([
        ("service".to_owned(), json!("Service")),
        ("verdict".to_owned(), json!("Verdict")),
    ]);
    let mut panel = Panel::table(title, description).size(17, 7);
    for (at, (query, column)) in queries.into_iter().zip(columns).enumerate() {
        panel = panel.query(Query::table(query::service(&query)));
        let value = format!("Value #{}", super::panel::reference(at));
        order.insert(value.clone(), (at + 2).into());
        renamed.insert(value, column.into());
    }
    panel
        .merged("Value #C")
        .transform(
            "organize",
            &json!({
                "excludeByName": { "Time": true, "protocol": true, "port": true },
                "indexByName": order,
                "renameByName": renamed,
            }),
        )
        .unit("locale", 0)
        .on(
            "byName",
            "Verdict",
            &[
                ("mappings", words()),
                ("custom.cellOptions", json!({ "type": "color-background", "mode": "basic" })),
            ],
        )
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

/// The surges of the whole fleet, with their verdicts.
pub fn everywhere() -> Panel {
    let verdicts = verdicts("");
    list(
        "Surges now",
        &format!(
            "Services that surge at the end of the range, on the whole fleet: the verdict, on how many sensors, of how many that
             were judged, and on those sensors together the packets of the last day and the medians of the 28 days before.
             Global: at least half of the sensors of every region. Region-only: several, of one region. New port: nothing in the
             baseline. No rows: no surge. {RULE}"
        ),
        [
            verdicts.clone(),
            format!("0 * {verdicts} + on () group_left () {}", newest(SURGE_JUDGED)),
            format!("sum by (protocol, port) ({})", newest(SURGE_PACKETS)),
            format!("sum by (protocol, port) ({})", newest(SURGE_MEDIAN)),
        ],
    )
}

/// The surges of one sensor, with the fleet's verdicts on them.
pub fn on_sensor() -> Panel {
    let series = r#"{sensor="$sensor"}"#;
    let here = newest(&format!("{SURGE_PACKETS}{series}"));
    let verdicts = format!("({} and on (protocol, port) {here})", verdicts(""));
    list(
        "Surges on this sensor now",
        &format!(
            "Services that surge on this sensor at the end of the range: the fleet's verdict, on how many sensors it surges, of how
             many that were judged, and on this one the packets of the last day and the median of the 28 days before.
             Sensor-only: this network alone sees it. No rows: no surge. {RULE}"
        ),
        [
            verdicts.clone(),
            format!("0 * {verdicts} + on () group_left () {}", newest(SURGE_JUDGED)),
            format!("sum by (protocol, port) ({here})"),
            format!("sum by (protocol, port) ({})", newest(&format!("{SURGE_MEDIAN}{series}"))),
        ],
    )
}

/// The verdict on the chosen service.
pub fn of_service() -> Panel {
    let verdict = verdicts(r#"{protocol="$protocol",port="$port"}"#);
    Panel::number(
        "Surge verdict",
        &format!(
            "Whether the service surges at the end of the range, and where: the verdict, and on how many sensors. Global: at least
             half of the sensors of every region. {RULE}"
        ),
    )
    .size(8, 4)
    .query(
        Query::instant(format!(
            r#"{verdict} or on () label_replace(vector(0), "verdict", "no surge", "", "")"#
        ))
        .legend("{{verdict}}"),
    )
    .option("textMode", "value_and_name".into())
    .option("colorMode", "background".into())
    .unit("suffix: sensors", 0)
    .thresholds(&[(None, palette::BLUE), (Some(1.0), palette::ORANGE)])
    .on("byName", SurgeVerdict::Global.name(), &[("color", json!({ "mode": "fixed", "fixedColor": palette::VERMILION }))])
}
