//! Engines that read the store's files by the hour: DuckDB, and ClickHouse's as a library; and `IntelMQ`, whose harmonization
//! notices are checked by. Tests ask them; nothing else needs them, so where they cannot be had they are only named.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::Report;
use crate::shell;

/// Python's packages, without those that they name and do not need here: the name to import, and what to install.
const ENGINES: [(&str, &[&str]); 3] = [
    ("duckdb", &["duckdb==2.0.1"]),
    ("chdb", &["chdb==4.4.0", "chdb-core==26.9.0"]),
    // What its messages need; `setuptools` comes with the Python's environment.
    ("intelmq.lib.message", &INTELMQ),
];

const INTELMQ: [&str; 10] = [
    "intelmq==3.5.0",
    "dnspython==2.9.2",
    "python-dateutil==4.0.0",
    "six==1.17.0",
    "python-termstyle==0.1.10",
    "ruamel.yaml==0.19.1",
    "requests==2.34.2",
    "urllib3==2.8.0",
    "idna==3.20",
    "certifi",
];

/// Fetching one, up to 200 MB, takes no longer where it can be fetched.
const FETCHING: Duration = Duration::from_mins(10);
/// Looking whether one is there takes no longer.
const LOOKING: Duration = Duration::from_mins(1);

/// Finds or brings them, in a Python of their own under `target/tools/engines`.
pub fn bring(report: &mut Report) {
    for (name, packages) in ENGINES {
        match is_there(name).or_else(|_| install(name, packages, report).and_then(|()| is_there(name))) {
            Ok(version) => report.have(name, &version),
            Err(error) => report.lack(name, &format!("a test needs it, but {error:#}")),
        }
    }
}

fn python() -> PathBuf {
    shell::workspace().join("target/tools/engines/bin/python")
}

fn is_there(name: &str) -> Result<String> {
    let top = name.split('.').next().unwrap_or(name);
    let script = format!("import {name}; print({top}.__version__)");
    shell::capture(Command::new(python()).args(["-c", &script]), LOOKING)
}

fn install(name: &str, packages: &[&str], report: &mut Report) -> Result<()> {
    let system = shell::find("python3").ok_or_else(|| anyhow!("there is no python3: install it"))?;
    report.bringing(name, &format!("pip install {}", packages.join(" ")));
    let folder = shell::workspace().join("target/tools/engines");
    if !python().is_file() {
        let mut venv = Command::new(system);
        shell::capture(venv.args(["-m", "venv"]).arg(folder), LOOKING).context("install python3-venv")?;
    }
    let mut pip = Command::new(python());
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]).args(packages);
    shell::capture(&mut pip, FETCHING).map(drop)
}
