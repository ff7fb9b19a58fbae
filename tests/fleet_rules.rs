//! The fleet's rules and configurations: a real `promtool` accepts them, they give what their tests say, none is
//! without a test, and the report asks for the same as they record.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_fleet::report::expression::{self, Counters};
use sensor_fleet::vocabulary::series::RECORDED;
use sensor_fleet::vocabulary::verdict::SurgeVerdict;
use sensor_harness::needs;
use sensor_harness::prometheus::{promtool, run_promtool};
use sensor_harness::workspace;

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

#[test]
fn promtool_accepts_every_rule() -> Result<()> {
    needs!(promtool());
    let command = ["check", "rules"].map(PathBuf::from).into_iter();
    run_promtool(command.chain(files("rules")?))?;
    Ok(())
}

#[test]
fn rules_record_what_their_tests_say() -> Result<()> {
    needs!(promtool());
    let command = ["test", "rules"].map(PathBuf::from).into_iter();
    run_promtool(command.chain(files("rules/tests")?))?;
    Ok(())
}

/// Text without white space and parentheses, which both sides may place as they like.
fn bare(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(str::chars).filter(|it| !it.is_whitespace() && !"()".contains(*it)).collect()
}

#[rstest]
#[case::packets(expression::PACKETS)]
#[case::tools(expression::TOOLS)]
#[case::origins(expression::ORIGINS)]
fn the_report_reads_counters_as_the_rules_do(#[case] counters: Counters) -> Result<()> {
    let rules = fs::read_to_string(workspace().join("fleet/rules/rollup.yml"))?;
    let rules = bare(&rules);
    let increase = counters.increase(&counters.all(), "1h");
    // The rule takes the sum of what it finds at the last full hour.
    let (sum, of) = increase.split_once(") (").context("no sum")?;
    let expression = bare(&format!("{sum}(last_over_time(({of}"));
    assert!(rules.contains(&expression), "{expression}\nis not in\n{rules}");
    Ok(())
}

/// Names after a key at the start of a list's item, as in `- record: NAME`.
fn names(text: &str, key: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("- ")?.strip_prefix(key));
    lines.map(|name| name.trim().to_owned()).collect()
}

/// Whether a text has a name as a whole word: `sensor:packets:increase1h` is no mention of `increase1`.
fn mentions(text: &str, name: &str) -> bool {
    let part = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

/// What a test file asks for: its input series would not do.
fn asked(text: &str) -> String {
    let expressions = text.lines().filter_map(|line| line.trim().strip_prefix("- expr: "));
    expressions.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_has_a_test() -> Result<()> {
    let mut tests = String::new();
    for path in files("rules/tests")? {
        tests += &asked(&fs::read_to_string(path)?);
        tests.push('\n');
    }
    let mut rules = ruled("record: ")?;
    rules.extend(ruled("alert: ")?);
    ensure!(rules.len() > 30, "only {} rules were found", rules.len());
    let untested: Vec<_> = rules.iter().filter(|name| !mentions(&tests, name)).collect();
    assert_eq!(untested, Vec::<&String>::new(), "no test in fleet/rules/tests asks for these");
    Ok(())
}

/// Everything that the rules record, or alert of, by the key of the list's item.
fn ruled(key: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for path in files("rules")? {
        found.extend(names(&fs::read_to_string(path)?, key));
    }
    Ok(found)
}

#[test]
fn the_rules_record_what_the_vocabulary_names() -> Result<()> {
    let recorded = ruled("record: ")?;
    let unknown: Vec<_> = RECORDED.into_iter().filter(|name| !recorded.contains(*name)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "no rule records these");
    Ok(())
}

#[test]
fn the_rules_write_verdicts_as_the_vocabulary_does() -> Result<()> {
    let text = fs::read_to_string(workspace().join("fleet/rules/surge.yml"))?;
    let written = text.split("\"verdict\", \"").skip(1).filter_map(|rest| rest.split('"').next());
    let known: BTreeSet<_> = SurgeVerdict::ALL.into_iter().map(SurgeVerdict::name).collect();
    assert_eq!(written.collect::<BTreeSet<_>>(), known);
    Ok(())
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() -> Result<()> {
    let text = fs::read_to_string(workspace().join("fleet/rules/alerts.yml"))?;
    for alert in text.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default();
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
    }
    Ok(())
}

#[rstest]
#[case::scraping("prometheus.yml", &[])]
#[case::receiving("central.yml", &[])]
#[case::behind_nat("agent.yml", &["--agent"])]
fn configurations_are_valid(#[case] name: &str, #[case] flags: &[&str]) -> Result<()> {
    needs!(promtool());
    let file = workspace().join("fleet").join(name).display().to_string();
    let arguments = ["check", "config"].iter().chain(flags).copied().chain([file.as_str()]);
    let said = run_promtool(arguments)?;
    ensure!(said.contains("SUCCESS"), "{said}");
    if flags.is_empty() {
        ensure!(said.contains("rule files found"), "it reads no rules: {said}");
    }
    Ok(())
}
