//! The fleet's rules: a real `promtool` accepts them, they give what their tests say, and the report asks for the
//! same as they record.

use anyhow::{Context as _, Result, ensure};
use sensor_tests::prometheus::{promtool, run_promtool};
use sensor_tests::skip::skip;
use sensor_tests::workspace;
use sensor_user::report::expression;
use std::fs;
use std::path::PathBuf;

/// YAML files of a folder of the fleet's.
fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = workspace().join("fleet").join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let files: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "yml")).collect();
    ensure!(!files.is_empty(), "{} has no rules", folder.display());
    Ok(files)
}

fn promtool_or_skip(name: &str) -> bool {
    let here = promtool().is_some();
    if !here {
        skip(name, "promtool is not here: `cargo xtask setup` brings it");
    }
    here
}

#[test]
fn promtool_accepts_every_rule() -> Result<()> {
    if promtool_or_skip("promtool_accepts_every_rule") {
        let command = ["check", "rules"].map(PathBuf::from).into_iter();
        run_promtool(command.chain(files("rules")?))?;
    }
    Ok(())
}

#[test]
fn rules_record_what_their_tests_say() -> Result<()> {
    if promtool_or_skip("rules_record_what_their_tests_say") {
        let command = ["test", "rules"].map(PathBuf::from).into_iter();
        run_promtool(command.chain(files("rules/tests")?))?;
    }
    Ok(())
}

/// Text without white space and parentheses, which both sides may place as they like.
fn bare(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(str::chars).filter(|it| !it.is_whitespace() && !"()".contains(*it)).collect()
}

#[test]
fn the_report_reads_counters_as_the_rules_do() -> Result<()> {
    let rules = fs::read_to_string(workspace().join("fleet/rules/rollup.yml"))?;
    let rules = bare(&rules);
    let expression = bare(&expression::increase("sensor_packets_total", "1h"));
    // The rule takes the sum of what it finds at the last full hour.
    let expression = expression.trim_start_matches("sumbysensor,protocol,port");
    assert!(rules.contains(expression), "{expression}\nis not in\n{rules}");
    Ok(())
}
