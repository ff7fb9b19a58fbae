//! Engines that read files by the hour: DuckDB, and ClickHouse's, as Python has them; and `IntelMQ`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::skip::Missing;
use crate::workspace;

/// An engine that runs SQL.
#[derive(Clone, Debug)]
pub struct Engine {
    python: PathBuf,
    script: &'static str,
}

/// Prints what the query in the first argument gives: a line a row, tabs between its values.
const DUCKDB: &str = "
import duckdb, sys
for row in duckdb.sql(sys.argv[1]).fetchall():
    print('\\t'.join('' if value is None else str(value) for value in row))
";
const CLICKHOUSE: &str = "
import chdb, sys
print(chdb.query(sys.argv[1], 'TSV'), end='')
";

/// Prints whatever is wrong with an event on a line of standard input, by `IntelMQ`'s own harmonization and without mending it.
const INTELMQ: &str = "
import json, sys, warnings
warnings.simplefilter('ignore')
from importlib.resources import files
from intelmq.lib.message import Event
harmonization = json.loads((files('intelmq') / 'etc/harmonization.conf').read_text())
for line in sys.stdin:
    fields = json.loads(line)
    event = Event({}, harmonization=harmonization)
    for name, value in fields.items():
        try:
            if not event.is_valid(name, value, sanitize=False) or not event.add(name, value, sanitize=False):
                print(name, 'is no', value)
        except Exception as error:
            print(name, error)
    for name in ('feed.name', 'classification.taxonomy', 'classification.type', 'time.source', 'time.observation', 'source.ip'):
        if name not in fields:
            print('no', name)
";

/// The questions of `docs/store.md`, in its order: who sent most to 23/tcp, what 203.0.113.9 did, and which ports most sources
/// send to.
///
/// # Errors
/// If it has other than three.
pub fn questions() -> Result<[String; 3]> {
    let page = fs::read_to_string(workspace().join("docs/store.md"))?;
    let blocks = page.split("```sql\n").skip(1).filter_map(|block| block.split("```").next());
    let questions: Vec<String> = blocks.map(str::to_owned).collect();
    questions.try_into().map_err(|questions| anyhow!("not three questions: {questions:?}"))
}

impl Engine {
    /// `IntelMQ`.
    ///
    /// # Errors
    /// If it isn't here.
    pub fn intelmq() -> Result<Self, Missing> {
        Self::found("intelmq.lib.message", INTELMQ)
    }

    /// DuckDB.
    ///
    /// # Errors
    /// If it isn't here.
    pub fn duckdb() -> Result<Self, Missing> {
        Self::found("duckdb", DUCKDB)
    }

    /// ClickHouse, as the library `chdb`.
    ///
    /// # Errors
    /// If it isn't here.
    pub fn clickhouse() -> Result<Self, Missing> {
        Self::found("chdb", CLICKHOUSE)
    }

    fn found(name: &str, script: &'static str) -> Result<Self, Missing> {
        let python = workspace().join("target/tools/engines/bin/python");
        let import = Command::new(&python).args(["-W", "ignore", "-c", &format!("import {name}")]).output();
        if import.is_ok_and(|output| output.status.success()) {
            return Ok(Self { python, script });
        }
        Err(Missing::new(format!("{name} is not here: `cargo xtask setup` brings it")))
    }

    /// What the engine says of a text.
    ///
    /// # Errors
    /// If it cannot read it.
    pub fn read(&self, text: &str) -> Result<String> {
        let mut python = Command::new(&self.python);
        python.args(["-c", self.script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = python.spawn().with_context(|| format!("cannot run {}", self.python.display()))?;
        // It reads to the end before it says anything worth a full pipe.
        child.stdin.take().context("it has no standard input")?.write_all(text.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What a query gives in a folder, as rows of texts.
    ///
    /// # Errors
    /// If the engine finds something wrong with it.
    pub fn query(&self, folder: &Path, query: &str) -> Result<Vec<Vec<String>>> {
        let mut python = Command::new(&self.python);
        let output = python.args(["-c", self.script, query]).current_dir(folder).output();
        let output = output.with_context(|| format!("cannot run {}", self.python.display()))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{query}: {errors}");
        let text = String::from_utf8(output.stdout)?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }
}
