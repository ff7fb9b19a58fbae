//! A simulated history behind a real Prometheus.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sensor_fleet::simulation::options::{self, Options};
use sensor_fleet::simulation::truth::Truth;
use sensor_fleet::simulation::{BLOCK, HISTORY, TRUTH, generate};
use sensor_fleet::vocabulary::series::HOUR_MARKER;
use sensor_harness::namespace::Namespace;
use sensor_harness::prometheus::{Prometheus, run_promtool};
use sensor_harness::workspace;
use tempfile::TempDir;

/// A server that has a simulated history, in a namespace of its own, and what must be found in it.
#[derive(Debug)]
pub struct Served {
    /// What must be found.
    pub truth: Truth,
    /// The server.
    pub server: Prometheus,
    /// Where it runs; nobody else can reach it.
    pub namespace: Namespace,
}

impl Served {
    /// Makes the history and its blocks and starts a server over them. With `rules`, for a raw history, the rules of
    /// `fleet/rules/rollup.yml` are evaluated over it too.
    ///
    /// # Errors
    /// Without `prometheus`, `promtool` or root, or if one of them fails.
    pub fn new(options: &Options, rules: bool) -> Result<Self> {
        let file = workspace().join("fleet/rules/rollup.yml");
        Self::with_rules(options, rules.then_some(file.as_path()))
    }

    /// As [`Served::new`], with the recording rules of a file.
    ///
    /// # Errors
    /// As [`Served::new`].
    pub fn with_rules(options: &Options, file: Option<&Path>) -> Result<Self> {
        Self::make(options, file, None)
    }

    /// As [`Served::new`] with rules, by a server that was down from a full hour, in Unix seconds, on for so many
    /// seconds, less than an hour: it has no samples from then, and no record of the hour before.
    ///
    /// # Errors
    /// As [`Served::new`].
    pub fn with_outage(options: &Options, hour: i64, seconds: i64) -> Result<Self> {
        let file = workspace().join("fleet/rules/rollup.yml");
        Self::make(options, Some(&file), Some(hour..hour + seconds))
    }

    fn make(options: &Options, file: Option<&Path>, outage: Option<Range<i64>>) -> Result<Self> {
        let mut folder = tempfile::tempdir()?;
        let truth = blocks_of(options, &folder.path().join("data"), outage.as_ref())?;
        let unrecorded = outage.map(|outage| outage.start);
        let namespace = Namespace::new()?;
        if let Some(file) = file {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let rules = rules(&text);
            ensure!(!rules.is_empty(), "{} has no recording rule", file.display());
            // When a group is evaluated depends on its name and its file's: it must be the same for all of its rules.
            let work = tempfile::tempdir()?;
            let file = work.path().join("rule.yml");
            for rule in rules {
                std::fs::write(&file, rule)?;
                folder = record(&namespace, &truth, &file, folder, unrecorded)?;
            }
        }
        let server = serve(&namespace, folder, &[])?;
        Ok(Self { truth, server, namespace })
    }
}

/// Makes a history's blocks in a server's `data` folder, and gives the truth about it.
///
/// # Errors
/// Without `promtool`, or if it fails.
pub fn blocks(options: &Options, data: &Path) -> Result<Truth> {
    blocks_of(options, data, None)
}

fn blocks_of(options: &Options, data: &Path, outage: Option<&Range<i64>>) -> Result<Truth> {
    let work = tempfile::tempdir()?;
    generate(options, work.path(), &mut |_| ())?;
    if let Some(outage) = outage {
        let path = work.path().join(HISTORY);
        let text = without(&std::fs::read_to_string(&path)?, outage) + &marks(options, outage.start);
        std::fs::write(&path, text + "# EOF\n")?;
    }
    let [create, from, what] = ["tsdb", "create-blocks-from", "openmetrics"].map(OsString::from);
    let history = work.path().join(HISTORY).into_os_string();
    run_promtool([create, from, what, BLOCK.into(), "--quiet".into(), history, data.into()])?;
    Truth::read(&work.path().join(TRUTH))
}

/// A history's lines without those of an outage, and without its end.
fn without(text: &str, outage: &Range<i64>) -> String {
    let second = |line: &str| line.rsplit(' ').next()?.split('.').next()?.parse::<i64>().ok();
    let stays = |line: &&str| {
        *line != "# EOF" && (line.starts_with('#') || second(line).is_none_or(|at| !outage.contains(&at)))
    };
    text.lines().filter(stays).flat_map(|line| [line, "\n"]).collect()
}

/// The marks that the rules make of each hour but one.
fn marks(options: &Options, but: i64) -> String {
    let (start, end) = (options::midnight(options.first), options::midnight(options.end));
    let hours = (1..).map(|hour| start + hour * 3_600).take_while(|hour| *hour <= end);
    let marks = hours.filter(|hour| *hour != but);
    let lines = marks.map(|hour| format!("{HOUR_MARKER}{{}} {hour} {}\n", hour + 17 * 60));
    format!("# TYPE {HOUR_MARKER} gauge\n{}", lines.collect::<String>())
}

fn serve(namespace: &Namespace, folder: TempDir, flags: &[&str]) -> Result<Prometheus> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 9090));
    Prometheus::with_folder(namespace, listen, "scrape_configs: []\n", flags, folder)
}

/// A file with one recording rule for each one of `text`, in order. `promtool` doesn't show a rule what it makes of
/// another, nor of the same: so each is a step of its own. Without its guard against recording twice, a last clause
/// `and on () (sensor:rollup:…`, it is evaluated once for each sample that is to be there; that is also why markers are left out.
fn rules(text: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    let (mut group, mut kept) = ("", false);
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(name) = trimmed.strip_prefix("- name:") {
            (group, kept) = (name.trim(), false);
        } else if let Some(name) = trimmed.strip_prefix("- record:") {
            kept = !name.contains(":rollup:");
            let interval = if name.trim().ends_with("1d") { "1d" } else { "1h" };
            if kept {
                files.push(format!("groups:\n  - name: {group}\n    interval: {interval}\n    rules:\n"));
            }
        } else if trimmed.starts_with("- alert:") || trimmed.starts_with("and on () (sensor:rollup:") {
            kept = false;
        }
        if let Some(file) = files.last_mut().filter(|_| kept) {
            file.push_str(line);
            file.push('\n');
        }
    }
    files
}

/// Evaluates one rule over the blocks in a folder; gives another folder, with these blocks and the rule's. One hour may
/// be left out.
fn record(
    namespace: &Namespace,
    truth: &Truth,
    file: &Path,
    folder: TempDir,
    unrecorded: Option<i64>,
) -> Result<TempDir> {
    // OpenMetrics has no marker for a series that ends: a sample must not be seen beyond its minute.
    let server = serve(namespace, folder, &["--query.lookback-delta=1m"])?;
    let next = tempfile::tempdir()?;
    let data = next.path().join("data");
    std::fs::create_dir_all(&data)?;
    // The last day is recorded within the two that follow.
    let start = options::midnight(truth.arguments.first);
    let end = options::midnight(truth.arguments.end) + 2 * 86_400;
    let hourly = std::fs::read_to_string(file)?.contains("interval: 1h");
    let spans = match unrecorded.filter(|_| hourly) {
        Some(hour) => vec![(start, hour - 1), (hour + 3_600, end)],
        None => vec![(start, end)],
    };
    let (url, output) = (format!("--url={}", server.url()), format!("--output-dir={}", data.display()));
    let file = file.display().to_string();
    for (start, end) in spans {
        let (start, end) = (format!("--start={start}"), format!("--end={end}"));
        let arguments = ["tsdb", "create-blocks-from", "rules", BLOCK, &start, &end, &url, &output, &file];
        namespace.run(|| run_promtool(arguments))??;
    }
    for block in std::fs::read_dir(server.folder().join("data"))? {
        let block = block?;
        if block.path().join("meta.json").is_file() {
            std::fs::rename(block.path(), data.join(block.file_name()))?;
        }
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_becomes_a_file() {
        let text = "groups:\n  - name: hours\n    interval: 10m\n    rules:\n      - record: a:increase1h\n        \
                    expr: |\n          sum(x)\n          and on () (sensor:rollup:hour_due == 1)\n      - record: a:rollup:hour\n        expr: y\n  - name: days\n    \
                    rules:\n      - alert: No\n        expr: z\n      - record: a:increase1d\n        expr: w\n";
        let file = |group, interval, rule| {
            format!(
                "groups:\n  - name: {group}\n    interval: {interval}\n    rules:\n      - record: {rule}\n"
            )
        };
        assert_eq!(
            rules(text),
            [
                file("hours", "1h", "a:increase1h\n        expr: |\n          sum(x)"),
                file("days", "1d", "a:increase1d\n        expr: w"),
            ]
        );
    }
}
