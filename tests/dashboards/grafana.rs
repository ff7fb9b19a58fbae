//! What Grafana does between a dashboard and Prometheus: variables, ranges and steps.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use sensor_harness::http;
use sensor_harness::namespace::Namespace;
use sensor_harness::prometheus::{Prometheus, encode};
use serde_json::Value;

use crate::board::{Board, list, text};

/// How many points Grafana asks for on a panel of usual width.
const POINTS: u64 = 1000;
/// Seconds between scrapes, as the data source has it.
const SCRAPE: u64 = 60;

/// A dashboard that is open: its range, and its variables' values.
#[derive(Debug)]
pub struct Open<'a> {
    server: &'a Prometheus,
    namespace: &'a Namespace,
    /// Unix seconds.
    pub from: u64,
    /// Unix seconds.
    pub to: u64,
    /// The values that each variable has.
    pub values: BTreeMap<String, Vec<String>>,
    /// What each stands for in a query.
    pub patterns: BTreeMap<String, String>,
}

impl<'a> Open<'a> {
    /// Opens a dashboard with these values in its address; the other variables take "all", or what the file has, or
    /// the first value that there is, as in Grafana.
    ///
    /// # Errors
    /// If a variable's query fails, or finds nothing.
    pub fn new(
        (server, namespace): (&'a Prometheus, &'a Namespace),
        board: &Board,
        (from, to): (u64, u64),
        address: &[(&str, &str)],
    ) -> Result<Self> {
        let mut open =
            Self { server, namespace, from, to, values: BTreeMap::new(), patterns: BTreeMap::new() };
        for variable in board.variables() {
            let name = text(variable, "name");
            open.choose(variable, address).with_context(|| format!("{}: variable {name}", board.file))?;
        }
        Ok(open)
    }

    fn choose(&mut self, variable: &Value, address: &[(&str, &str)]) -> Result<()> {
        let name = text(variable, "name");
        if text(variable, "type") != "query" {
            let value = text(&variable["current"], "value").to_owned();
            self.patterns.insert(name.to_owned(), value.clone());
            self.values.insert(name.to_owned(), vec![value]);
            return Ok(());
        }
        let options = self.options(variable)?;
        let asked = address.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        let current = text(&variable["current"], "value").to_owned();
        let one = |value: String| (vec![value.clone()], value);
        let (values, pattern) = match asked {
            Some(value) => {
                ensure!(options.contains(&value), "{value:?} is not among {options:?}");
                // A variable of several values is escaped even where it has one.
                let pattern = if variable["multi"] == true { escape(&value) } else { value.clone() };
                (vec![value], pattern)
            }
            None if variable["includeAll"] == true => {
                ensure!(!options.is_empty(), "there is nothing to choose from");
                let all: Vec<_> = options.iter().map(|it| escape(it)).collect();
                let pattern = variable["allValue"]
                    .as_str()
                    .map_or_else(|| format!("({})", all.join("|")), str::to_owned);
                (options, pattern)
            }
            None if options.contains(&current) => one(current),
            // The port of a protocol that has none.
            None if options.is_empty() && name == "port" && !self.patterns["service"].contains('/') => {
                one(String::new())
            }
            None => one(options.into_iter().next().context("there is nothing to choose from")?),
        };
        self.values.insert(name.to_owned(), values);
        self.patterns.insert(name.to_owned(), pattern);
        Ok(())
    }

    /// The values that a variable can have.
    ///
    /// # Errors
    /// If its query fails.
    pub fn options(&self, variable: &Value) -> Result<Vec<String>> {
        let query = text(&variable["query"], "query");
        let inside = |name: &str| query.strip_prefix(name)?.strip_suffix(')');
        if let Some(inside) = inside("label_values(") {
            let (selector, label) = inside.rsplit_once(',').context("no selector")?;
            return self.labels(&self.fill(selector, 1)?, label.trim());
        }
        let Some(expression) = inside("query_result(") else { bail!("not a query: {query}") };
        let series = self.server.query(&self.fill(expression, 1)?, Some(seconds(self.to)))?;
        let pattern = text(variable, "regex");
        let (before, after) = pattern
            .strip_prefix('/')
            .and_then(|it| it.strip_suffix('/'))
            .and_then(|it| it.split_once("([^\"]+)"))
            .with_context(|| format!("this test can't read the pattern {pattern}"))?;
        let taken = |series: &Value| {
            let labels = series["metric"].as_object()?;
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let text = format!("{{{}}} {} {}", labels.join(","), series["value"][1], series["value"][0]);
            let (value, rest) = text.split_once(before)?.1.split_once('"')?;
            format!("\"{rest}").starts_with(after).then(|| value.to_owned())
        };
        Ok(series.iter().filter_map(taken).collect())
    }

    fn labels(&self, selector: &str, label: &str) -> Result<Vec<String>> {
        let (from, to) = (self.from, self.to);
        let path = format!("/api/v1/label/{label}/values?match[]={}&start={from}&end={to}", encode(selector));
        let response = http::get(self.namespace, self.server.listen, &path.replace("[]", "%5B%5D"))?;
        ensure!(response.status == 200, "{selector}: {}", response.body);
        let answer: Value = serde_json::from_str(&response.body)?;
        Ok(list(&answer, "data").iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Asks a panel's query as Grafana would: at the end of the range, or over it.
    ///
    /// # Errors
    /// If a variable is unknown or Prometheus refuses the query.
    pub fn ask(&self, target: &Value) -> Result<Vec<Value>> {
        let least = step(text(target, "interval"))?;
        let step = self.step(least);
        let expression = self.fill(text(target, "expr"), step)?;
        if target["instant"] == true {
            return self.server.query(&expression, Some(seconds(self.to)));
        }
        let (from, to) = (self.from / step * step, self.to / step * step);
        self.server.query_range(&expression, (seconds(from), seconds(to)), seconds(step))
    }

    fn step(&self, least: u64) -> u64 {
        const ROUND: [u64; 12] = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];
        let exact = (self.to - self.from) / POINTS;
        let round = ROUND.into_iter().rev().find(|it| *it <= exact).unwrap_or(1);
        round.max(least).max(1)
    }

    /// Puts variables into a text.
    ///
    /// # Errors
    /// If one is unknown.
    pub fn fill(&self, text: &str, step: u64) -> Result<String> {
        let mut text = text.replace("${__from:date:seconds}", &self.from.to_string());
        let own = [
            ("__rate_interval", format!("{}s", (step + SCRAPE).max(4 * SCRAPE))),
            ("__interval", format!("{step}s")),
            ("__range", format!("{}s", self.to - self.from)),
        ];
        let mut all: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(self.patterns.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        // The longest first: one may begin like another.
        all.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, value) in all {
            text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
        }
        let unknown = text
            .match_indices('$')
            .any(|(at, _)| !text[at + 1..].starts_with(|it: char| it.is_ascii_digit()));
        ensure!(!unknown, "a variable is unknown: {text}");
        Ok(text)
    }
}

/// Escapes a value of a variable of several, for use in a query's string.
fn escape(value: &str) -> String {
    let mut escaped = String::new();
    for it in value.chars() {
        if r"\^$*+?.()|[]{}".contains(it) {
            escaped.push_str(r"\\");
        }
        escaped.push(it);
    }
    escaped
}

/// `1h` in seconds; nothing is 0.
fn step(text: &str) -> Result<u64> {
    let Some((at, unit)) = text.char_indices().last() else { return Ok(0) };
    let unit = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => bail!("not a step: {text}"),
    };
    Ok(text[..at].parse::<u64>()? * unit)
}

#[expect(clippy::cast_precision_loss, reason = "Unix seconds")]
fn seconds(time: u64) -> f64 {
    time as f64
}
