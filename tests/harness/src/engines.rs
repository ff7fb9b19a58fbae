//! Engines that read files by the hour: DuckDB, and ClickHouse's, as Python has them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

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

impl Engine {
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
        let import = Command::new(&python).args(["-c", &format!("import {name}")]).output();
        if import.is_ok_and(|output| output.status.success()) {
            return Ok(Self { python, script });
        }
        Err(Missing::new(format!("{name} is not here: `cargo xtask setup` brings it")))
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
