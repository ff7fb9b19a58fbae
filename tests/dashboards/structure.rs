//! What can be said of the dashboards without running them.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context as _, Result, bail, ensure};
use sensor_harness::workspace;
use sensor_user::export::{FAMILIES, SOURCE_FAMILIES};
use serde_json::Value;

use crate::board::{boards, list, text, texts};
use crate::promql;

/// Grafana's own panels, since 10 at the latest.
const KINDS: [&str; 9] = [
    "barchart",
    "bargauge",
    "geomap",
    "stat",
    "state-timeline",
    "status-history",
    "table",
    "timeseries",
    "row",
];

/// What Prometheus says of its alerts and of each scrape, and the process metrics of the agent's library.
const OTHERS: [&str; 10] = [
    "ALERTS",
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
];

#[test]
fn every_panel_says_what_it_shows() -> Result<()> {
    let mut uids = HashSet::new();
    for board in boards()? {
        let file = &board.file;
        assert!(uids.insert(text(&board.json, "uid").to_owned()), "{file}: its uid is another's");
        assert!(board.json["schemaVersion"].as_u64().is_some_and(|it| it >= 38), "{file}");
        assert_eq!(text(&board.json, "timezone"), "utc", "{file}: days are UTC's");
        let mut ids = HashSet::new();
        let mut titles = HashSet::new();
        for panel in board.all_panels() {
            let title = text(panel, "title");
            let row = text(panel, "type") == "row";
            assert!(!title.is_empty() && (row || titles.insert(title)), "{file}: {title:?}");
            assert!(ids.insert(panel["id"].as_u64()), "{file}: {title}: its id is another's");
            assert!(KINDS.contains(&text(panel, "type")), "{file}: {title}: no panel of Grafana's own");
        }
        for panel in board.panels() {
            let title = text(panel, "title");
            assert!(text(panel, "description").len() > 40, "{file}: {title}: no description");
            assert!(!list(panel, "targets").is_empty(), "{file}: {title}: asks nothing");
            let references: HashSet<_> = list(panel, "targets").iter().map(|it| text(it, "refId")).collect();
            assert_eq!(references.len(), list(panel, "targets").len(), "{file}: {title}");
            for source in list(panel, "targets").iter().chain([panel]) {
                assert_eq!(text(&source["datasource"], "uid"), "${datasource}", "{file}: {title}");
            }
        }
        for variable in board.variables() {
            let fixed = ["datasource", "textbox"].contains(&text(variable, "type"));
            assert!(fixed || text(&variable["datasource"], "uid") == "${datasource}", "{file}");
        }
    }
    assert_eq!(uids.len(), 5);
    Ok(())
}

#[test]
fn no_panel_lies_on_another() -> Result<()> {
    for board in boards()? {
        let mut taken = HashSet::new();
        for panel in board.all_panels() {
            let side = |name: &str| panel["gridPos"][name].as_u64().context("no place");
            let (x, y, width, height) = (side("x")?, side("y")?, side("w")?, side("h")?);
            ensure!(width > 0 && height > 0 && x + width <= 24, "{}: {}", board.file, text(panel, "title"));
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                ensure!(taken.insert(cell), "{}: {}", board.file, text(panel, "title"));
            }
        }
    }
    Ok(())
}

#[test]
fn every_link_leads_to_a_dashboard_and_its_variables() -> Result<()> {
    let boards = boards()?;
    let mut links = 0;
    for board in &boards {
        for url in texts(&board.json).into_iter().filter(|it| it.starts_with("/d/")) {
            links += 1;
            let (uid, query) = url[3..].split_once('?').context("a link without variables")?;
            let to = boards.iter().find(|it| text(&it.json, "uid") == uid);
            let to = to.with_context(|| format!("{}: {url} leads nowhere", board.file))?;
            ensure!(query.contains("${__url_time_range}"), "{}: {url} loses the time range", board.file);
            let named = |board: &crate::board::Board, name: &str| {
                board.variables().iter().any(|it| text(it, "name") == name)
            };
            for part in query.split('&').filter(|it| !it.is_empty()) {
                if let Some((name, value)) = part.strip_prefix("var-").and_then(|it| it.split_once('=')) {
                    ensure!(named(to, name), "{}: {url}: {} has no {name}", board.file, to.file);
                    let own =
                        value.strip_prefix("${").and_then(|it| it.strip_suffix('}')).context("no value")?;
                    ensure!(
                        own.starts_with("__") || named(board, own),
                        "{}: {url}: no {own} here",
                        board.file
                    );
                } else if let Some(name) =
                    part.strip_prefix("${").and_then(|it| it.strip_suffix(":queryparam}"))
                {
                    ensure!(named(to, name) && named(board, name), "{}: {url}: {name}", board.file);
                }
            }
        }
    }
    ensure!(links > 10, "{links} links");
    Ok(())
}

/// The recorded series, as the rules' files name them.
fn recorded() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let folder = workspace().join("fleet/rules");
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "yml") {
            let rules = std::fs::read_to_string(&path)?;
            let record = |line: &str| Some(line.split_once("record:")?.1.trim().to_owned());
            names.extend(rules.lines().filter(|it| !it.trim_start().starts_with('#')).filter_map(record));
        }
    }
    Ok(names)
}

/// Whether an expression has a name among its alternatives: each is a whole name, or one's begin or end, with `.+` for
/// the rest.
fn matches(expression: &str, name: &str) -> Result<bool> {
    let mut does = false;
    for alternative in expression.split('|') {
        let (start, end) = (alternative.strip_suffix(".+"), alternative.strip_prefix(".+"));
        let rest = start.or(end).unwrap_or(alternative);
        ensure!(rest.chars().all(|it| it.is_ascii_alphabetic()), "this test doesn't know {alternative:?}");
        does |= match (start, end) {
            (Some(start), _) => name.len() > start.len() && name.starts_with(start),
            (_, Some(end)) => name.len() > end.len() && name.ends_with(end),
            _ => name == alternative,
        };
    }
    Ok(does)
}

#[test]
fn every_alert_is_in_the_overview() -> Result<()> {
    let boards = boards()?;
    let overview = boards.iter().find(|board| board.file == "fleet-overview.json").context("no overview")?;
    let [target] = list(overview.panel("Alerts that fire")?, "targets") else {
        bail!("it asks more than once")
    };
    let expression = text(target, "expr").split_once("alertname=~\"").context("all alerts, of others too")?.1;
    let expression = expression.split_once('"').context("an open quotation mark")?.0;
    let rules = std::fs::read_to_string(workspace().join("fleet/rules/alerts.yml"))?;
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    ensure!(alerts.len() > 20, "{alerts:?}");
    for alert in alerts {
        ensure!(matches(expression, alert)?, "{alert} is none of {expression}");
    }
    ensure!(!matches(expression, "Watchdog")? && !matches(expression, "HostSensorDown")?, "{expression}");
    Ok(())
}

#[test]
fn every_metric_is_exported_or_recorded() -> Result<()> {
    let recorded = recorded()?;
    let exported: HashSet<_> = FAMILIES.iter().chain(&SOURCE_FAMILIES).map(|family| family.name).collect();
    let known = |name: &str| {
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it)).unwrap_or(name);
        recorded.contains(name)
            || exported.contains(name)
            || exported.contains(family)
            || OTHERS.contains(&name)
    };
    let mut used = BTreeSet::new();
    for board in boards()? {
        for panel in board.panels() {
            used.extend(list(panel, "targets").iter().flat_map(|it| promql::metrics(text(it, "expr"))));
        }
        for variable in board.variables() {
            let query: &Value = &variable["query"];
            let query = text(query, "query");
            let inside = query.split_once('(').map_or("", |(_, inside)| inside);
            let inside = inside.strip_suffix(')').unwrap_or(inside);
            let selector = if query.starts_with("label_values") {
                inside.rsplit_once(',').map_or("", |it| it.0)
            } else {
                inside
            };
            used.extend(promql::metrics(selector));
        }
    }
    let unknown: Vec<_> = used.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "neither exported nor recorded: {unknown:?}");
    assert!(used.len() > 20, "{used:?}");
    Ok(())
}
