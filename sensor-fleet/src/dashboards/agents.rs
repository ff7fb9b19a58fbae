//! The agents: whether they run, how well, and what they let through.

use sensor_common::layout::Passed;
use serde_json::{Value, json};

use super::board::{Board, Uid, Variable};
use super::panel::{Panel, Query};
use crate::vocabulary::palette::{self, Colour};

/// The chosen agents.
const IT: &str = r#"job=~"$job",instance=~"$instance""#;

/// The dashboard.
pub fn board() -> Value {
    Board::new(
        Uid::Agents,
        "Sensor fleet: agents",
        "Whether the agents run, and what it costs their hosts. From raw samples: for ranges of hours and days.",
        "now-24h",
        "1m",
    )
    .variable(&Variable::many("job", "Job", "label_values(sensor_build_info, job)", ""))
    .variable(&Variable::many("instance", "Agent", r#"label_values(up{job=~"$job"}, instance)"#, ""))
    .text("max_ports", "max_ports", "500")
    .row("Up and attached")
    .panel(&up())
    .panel(&modes())
    .panel(&attached())
    .panel(&versions())
    .row("Draining")
    .panel(&drains())
    .panel(&failures())
    .panel(&ports())
    .row("Scraping")
    .panel(&scrapes())
    .panel(&series())
    .panel(&closed())
    .row("Processes")
    .panel(&memory())
    .panel(&cpu())
    .panel(&files())
    .panel(&restarts())
    .panel(&clocks())
    .row("Let through")
    .panel(&passed())
    .json()
}

fn up() -> Panel {
    Panel::new(
        "state-timeline",
        "Scraped",
        "A line for each agent: whether Prometheus could scrape it. Blue: yes; vermilion: no.",
    )
    .size(24, 8)
    .query(Query::range(format!("max by (instance) (up{{{IT}}})"), "1m").legend("{{instance}}"))
    .option("mergeValues", true.into())
    .option("showValue", "never".into())
    .option("rowHeight", json!(0.85))
    .option("alignValue", "left".into())
    .option("legend", json!({ "displayMode": "list", "placement": "bottom", "showLegend": true }))
    .option("tooltip", json!({ "mode": "single", "sort": "none" }))
    .custom(json!({ "lineWidth": 0, "fillOpacity": 85 }))
    .default("color", json!({ "mode": "thresholds" }))
    .words(&[("0", "down", palette::VERMILION), ("1", "up", palette::BLUE)])
}

fn modes() -> Panel {
    Panel::new(
        "stat",
        "Interfaces by mode",
        "How many interfaces the kernel has the program attached to at the end of the range, by mode. Native runs in the driver;
         generic costs twice the CPU and more, see `sensor doctor`. None: detached, nothing is counted.",
    )
    .size(6, 8)
    .query(Query::instant(format!("sum by (mode) (sensor_xdp_attached{{{IT}}})")).legend("{{mode}}"))
    .query(
        Query::instant(format!(
            "count(max by (job, instance, interface) (sensor_xdp_attached{{{IT}}}) == 0) or vector(0)"
        ))
        .legend("none"),
    )
    .option("reduceOptions", json!({ "calcs": ["lastNotNull"], "fields": "", "values": false }))
    .option("colorMode", "background".into())
    .option("graphMode", "none".into())
    .option("justifyMode", "center".into())
    .option("orientation", "horizontal".into())
    .option("textMode", "value_and_name".into())
    .unit("short", 0)
    .on("byName", "native", &[("color", fixed(palette::BLUE))])
    .on("byName", "generic", &[("color", fixed(palette::SKY))])
    .on("byName", "none", &[("thresholds", json!({ "mode": "absolute", "steps": [
        { "value": null, "color": palette::GREY }, { "value": 1, "color": palette::VERMILION },
    ] }))])
}

fn fixed(colour: Colour) -> Value {
    json!({ "mode": "fixed", "fixedColor": colour })
}

fn attached() -> Panel {
    Panel::table(
        "Attachments",
        "Each interface and mode, at the end of the range: 1 if the kernel says that the program is attached to it in this mode.",
    )
    .size(10, 8)
    .query(Query::table(format!("max by (instance, interface, mode) (sensor_xdp_attached{{{IT}}})")))
    .columns(&[("instance", "Agent"), ("interface", "Interface"), ("mode", "Mode"), ("Value", "Attached")])
    .on(
        "byName",
        "Attached",
        &[
            ("mappings", json!([{ "type": "value", "options": {
                "0": { "index": 0, "text": "no", "color": palette::VERMILION },
                "1": { "index": 1, "text": "yes", "color": palette::BLUE },
            } }])),
            ("custom.cellOptions", json!({ "type": "color-text" })),
        ],
    )
}

fn versions() -> Panel {
    Panel::table(
        "Versions",
        "How many agents run each version, and with which layout of counters. Agents of one schema adopt each other's counters when
         they are upgraded.",
    )
    .size(8, 8)
    .query(Query::table(format!("count by (version, schema) (sensor_build_info{{{IT}}})")))
    .columns(&[("version", "Version"), ("schema", "Schema"), ("Value", "Agents")])
}

fn drains() -> Panel {
    let quantile = |share: &str| {
        format!(
            "histogram_quantile({share}, sum by (le) (rate(sensor_drain_duration_seconds_bucket{{{IT}}}[$__rate_interval])))"
        )
    };
    Panel::curves(
        "Drain duration",
        "How long the agents took to read all counters from the kernel: the median and the slowest 1 %, over the chosen agents, and
         the agent with the slowest average. A few milliseconds for each sensor are usual.",
    )
    .size(8, 9)
    .query(Query::range(quantile("0.5"), "1m").legend("median"))
    .query(Query::range(quantile("0.99"), "1m").legend("99 %"))
    .query(
        Query::range(
            format!(
                "max(rate(sensor_drain_duration_seconds_sum{{{IT}}}[$__rate_interval]) \
                 / (rate(sensor_drain_duration_seconds_count{{{IT}}}[$__rate_interval]) > 0))"
            ),
            "1m",
        )
        .legend("slowest agent's average"),
    )
    .option("legend", json!({ "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] }))
    .colours_by_place()
    .unit("s", 1)
    .axis("time")
}

fn failures() -> Panel {
    by_agent(
        "Drain failures",
        "Attempts to read the counters that failed, an hour, by agent. 0 is well. While draining fails the page has no
         counters, and /readyz of the agent says why; no packet is lost, as the kernel counts on.",
        format!("sum by (instance) (increase(sensor_drain_failures_total{{{IT}}}[1h]))"),
    )
    .unit("short", 1)
    .axis("failures an hour")
}

fn ports() -> Panel {
    Panel::bars(
        "Exported ports, share of the cap",
        "For each sensor, the ports that have a series of their own as a share of `max_ports` (variable at the top; 500 unless
         configured). At 100 % a port must have twice the packets of the weakest to take its place: many useful ones may be
         waiting in \"other\".",
    )
    .size(8, 9)
    .query(
        Query::instant(format!("sort_desc(max by (sensor) (sensor_exported_ports{{{IT}}}) / $max_ports)"))
            .legend("{{sensor}}"),
    )
    .unit("percentunit", 0)
    .default("max", json!(1))
    .thresholds(&[(None, palette::BLUE), (Some(0.9), palette::ORANGE), (Some(1.0), palette::VERMILION)])
    .link("Show ${__field.labels.sensor}", &Uid::Sensor.without_regions("var-sensor=${__field.labels.sensor}"))
}

/// A curve for each agent.
fn by_agent(title: &str, description: &str, expression: String) -> Panel {
    Panel::curves(title, description)
        .size(8, 9)
        .query(Query::range(expression, "1m").legend("{{instance}}"))
        .option(
            "legend",
            json!({ "displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["max", "lastNotNull"], "sortBy": "Max", "sortDesc": true }),
        )
}

fn scrapes() -> Panel {
    by_agent(
        "Scrape duration",
        "How long Prometheus took to scrape each agent, which drains its counters meanwhile. It must stay well under the scrape
         timeout: at that, a scrape is lost.",
        format!("max by (instance) (scrape_duration_seconds{{{IT}}})"),
    )
    .unit("s", 1)
    .axis("time")
}

fn series() -> Panel {
    by_agent(
        "Samples per scrape",
        "How many samples each agent's page has. It grows with sensors and `max_ports`. Above `sample_limit` of the scrape
         configuration, the whole scrape fails.",
        format!("max by (instance) (scrape_samples_scraped{{{IT}}})"),
    )
    .unit("short", 0)
    .axis("samples")
}

fn closed() -> Panel {
    Panel::curves(
        "Closed connections",
        "HTTP connections that the agents closed, an hour, by reason: on a peer that was too slow, or to make room for a newer one
         (crowded). 0 is well; many crowded ones mean that somebody holds connections to the metrics port.",
    )
    .size(8, 9)
    .query(
        Query::range(
            format!("sum by (reason) (increase(sensor_http_closed_connections_total{{{IT}}}[1h]))"),
            "1m",
        )
        .legend("{{reason}}"),
    )
    .option("legend", json!({ "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] }))
    .on("byName", "slow", &[("color", fixed(palette::BLUE))])
    .on("byName", "crowded", &[("color", fixed(palette::ORANGE))])
    .unit("short", 1)
    .axis("connections an hour")
}

fn memory() -> Panel {
    by_agent(
        "Memory",
        "Resident memory of each agent: about 17 MiB with one sensor, and up to 18 MiB for each more. The kernel's maps are not
         in it.",
        format!("max by (instance) (process_resident_memory_bytes{{{IT}}})"),
    )
    .unit("bytes", 1)
    .axis("resident")
}

fn cpu() -> Panel {
    by_agent(
        "CPU",
        "CPU time of each agent's process as a share of one CPU. What the XDP program costs is not in it: the kernel spends that.",
        format!("max by (instance) (rate(process_cpu_seconds_total{{{IT}}}[$__rate_interval]))"),
    )
    .unit("percentunit", 2)
    .axis("of one CPU")
}

fn files() -> Panel {
    by_agent(
        "Open files",
        "Open files of each agent as a share of its limit. At 100 % it can neither be scraped nor attach.",
        format!("max by (instance) (process_open_fds{{{IT}}} / process_max_fds{{{IT}}})"),
    )
    .unit("percentunit", 1)
    .axis("of the limit")
}

fn restarts() -> Panel {
    Panel::bars(
        "Restarts in 24 hours",
        "How often each agent has started anew in the 24 hours before the end of the range, the most first. A restart loses no
         packet; many mean that it fails, and its log says why.",
    )
    .size(12, 9)
    .query(
        Query::instant(format!("sort_desc(max by (instance) (changes(process_start_time_seconds{{{IT}}}[1d])))"))
            .legend("{{instance}}"),
    )
    .unit("short", 0)
    .default("max", json!(10))
    .thresholds(&[(None, palette::BLUE), (Some(1.0), palette::ORANGE), (Some(5.0), palette::VERMILION)])
}

fn clocks() -> Panel {
    by_agent(
        "Clock",
        "How far each host's clock is ahead of Prometheus's (behind, if negative). Up to a second is the scrape itself, as the
         agent tells whole seconds. The counts don't depend on it; logs and evidence do.",
        format!("max by (instance) (sensor_time_seconds{{{IT}}} - timestamp(sensor_time_seconds{{{IT}}}))"),
    )
    .size(12, 9)
    .unit("s", 1)
    .axis("ahead")
}

fn passed() -> Panel {
    let mut panel = Panel::curves(
        "Packets let through, by reason",
        "Packets a second that the hosts were let have: not IP (ARP is one), to addresses of no sensor, link control, allowed by a
         rule, answers to what the host asked. Unconfirmed should be 0: it means that everything passes, because nobody
         confirmed after `--confirm-within`.",
    )
    .size(24, 9)
    .query(
        Query::range(
            format!("sum by (reason) (rate(sensor_passed_packets_total{{{IT}}}[$__rate_interval]))"),
            "1m",
        )
        .legend("{{reason}}"),
    );
    for (reason, colour) in Passed::ALL.iter().zip(palette::PLACES) {
        panel = panel.on("byName", reason.label(), &[("color", fixed(colour))]);
    }
    panel.unit("pps", 2).axis("packets a second")
}
