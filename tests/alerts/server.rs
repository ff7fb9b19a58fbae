//! Prometheus with the fleet's rules, of which hours pass in seconds.

use std::collections::BTreeSet;
use std::fs;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sensor_harness::http;
use sensor_harness::namespace::Namespace;
use sensor_harness::pace::until;
use sensor_harness::prometheus::Prometheus;
use sensor_harness::workspace;
use sensor_tests::hasty;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::host::Host;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_090);

/// An alert, and of what it speaks: the instance, sensor, region, tool or kind, and the port, as far as it has them.
pub type Firing = (String, String);

/// The server, with rules and targets in a folder of their own.
pub struct Server {
    prometheus: Prometheus,
    network: Namespace,
    folder: TempDir,
}

impl Server {
    /// Starts it, and has these hosts scraped.
    pub fn start<'a>(network: &Namespace, hosts: impl Iterator<Item = &'a Host>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("rules"))?;
        let rules = |name: &str| fs::read_to_string(workspace().join("fleet/rules").join(name));
        // Hosts' alerts wait for minutes, the others are of hours and days.
        let alerts = rules("alerts.yml")?;
        let (of_hosts, others) =
            alerts.split_at(alerts.find("  - name: sensor_missing").context("no such group")?);
        for (name, text) in [
            ("rollup.yml", hasty::hours(&rules("rollup.yml")?)?),
            ("surge.yml", hasty::hours(&rules("surge.yml")?)?),
            ("coverage.yml", hasty::hours(&rules("coverage.yml")?)?),
            ("alerts.yml", hasty::minutes(of_hosts)? + &hasty::hours(others)?),
        ] {
            fs::write(folder.path().join("rules").join(name), text)?;
        }
        let path = folder.path().display();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}}\n\
             rule_files: ['{path}/rules/*.yml']\n\
             scrape_configs: [{{job_name: sensor, file_sd_configs: [{{files: ['{path}/targets.json']}}]}}]\n",
        );
        write_targets(&folder, hosts)?;
        Ok(Self {
            prometheus: Prometheus::start(network, LISTEN, &config, &[])?,
            network: network.clone(),
            folder,
        })
    }

    /// Has these hosts scraped from now on, and no others.
    pub fn scrape<'a>(&self, hosts: impl Iterator<Item = &'a Host>) -> Result<()> {
        write_targets(&self.folder, hosts)
    }

    /// Has it do without the rules of this file. It is not restarted: the seconds without scrapes would be hours.
    pub fn take_rules(&self, file: &str) -> Result<()> {
        fs::remove_file(self.folder.path().join("rules").join(file))?;
        self.prometheus.reload()
    }

    /// Waits until this has a result.
    pub fn wait_for(&self, expression: &str) -> Result<()> {
        until(
            || {
                let is_so = !self.query(expression)?.is_empty();
                if !is_so {
                    // Rules run meanwhile, on the same processors.
                    thread::sleep(Duration::from_millis(200));
                }
                Ok(is_so)
            },
            || format!("no result: {expression}; firing were {:?}; wrong: {:?}", self.fired(), self.errors()),
        )
    }

    /// Waits until an alert fires of this.
    pub fn fires(&self, alert: &str, of: &str) -> Result<()> {
        let expected = (alert.to_owned(), of.to_owned());
        until(
            || {
                let fires = self.fired()?.contains(&expected);
                if !fires {
                    thread::sleep(Duration::from_millis(200));
                }
                Ok(fires)
            },
            || {
                format!(
                    "{alert} does not fire of {of:?}; firing were {:?}; wrong: {:?}",
                    self.fired(),
                    self.errors()
                )
            },
        )
    }

    /// Everything that fires or has fired.
    pub fn fired(&self) -> Result<BTreeSet<Firing>> {
        let rows = self.query("count_over_time(ALERTS{alertstate=\"firing\"}[1h])")?;
        let fired = rows.iter().map(|row| {
            let label = |name: &str| row["metric"][name].as_str().unwrap_or_default();
            let of = ["instance", "sensor", "region", "tool", "kind"].map(label).concat();
            let port = iter::once(label("port")).filter(|port| !port.is_empty());
            (label("alertname").to_owned(), port.fold(of, |of, port| format!("{of} {port}")))
        });
        Ok(fired.collect())
    }

    /// What went wrong in rules that were evaluated.
    pub fn errors(&self) -> Result<Vec<String>> {
        let answer = http::get(&self.network, LISTEN, "/api/v1/rules")?.body;
        let answer: Value = serde_json::from_str(&answer).with_context(|| answer.clone())?;
        let groups = answer["data"]["groups"].as_array().context("no groups")?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
        let wrong = rules.filter(|rule| rule["health"] == "err");
        Ok(wrong.map(|rule| format!("{}: {}", rule["name"], rule["lastError"])).collect())
    }

    fn query(&self, expression: &str) -> Result<Vec<Value>> {
        self.prometheus.query(expression, None)
    }
}

/// The hosts, each under its name.
fn write_targets<'a>(folder: &TempDir, hosts: impl Iterator<Item = &'a Host>) -> Result<()> {
    let targets: Vec<Value> = hosts
        .map(|host| {
            let mut labels = json!({ "instance": host.name });
            if host.name == "labelled" {
                labels["xdp"] = json!("generic");
            }
            json!({ "targets": [host.target], "labels": labels })
        })
        .collect();
    // Written beside and moved: half a file is none.
    let beside = folder.path().join("targets.part");
    fs::write(&beside, serde_json::to_string(&targets)?)?;
    Ok(fs::rename(beside, folder.path().join("targets.json"))?)
}
