//! Figures in the documents are those of the program.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rstest::rstest;
use sensor_common::flow::MAX_FLOWS;
use sensor_common::layout::{MAX_SENSORS, PAGE_SLOTS, SCHEMA_VERSION, bytes};
use sensor_common::policy::{MAX_PREFIXES, MAX_RULES};
use sensor_harness::workspace;
use sensor_user::config::{DEFAULT_LISTEN, DEFAULT_MAX_PORTS};
use sensor_user::counters::select::{BUCKET, FORGET};
use sensor_user::kernel::DEFAULT_PINS;

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Of bytes, with one decimal.
fn mebibytes(bytes: usize) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// As a word.
fn minutes(time: Duration) -> &'static str {
    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    (0..).zip(words).find(|(minutes, _)| *minutes == time.as_secs() / 60).map_or("many", |(_, word)| word)
}

#[rstest]
#[case::memory("docs/operations.md", format!("{} MiB for each sensor and CPU", mebibytes(bytes(1))))]
#[case::pins("docs/operations.md", format!("`{DEFAULT_PINS}/v{SCHEMA_VERSION}`"))]
#[case::names("docs/operations.md", format!("up to {MAX_SENSORS} names"))]
#[case::sensors("docs/configuration.md", format!("up to {MAX_SENSORS} sensors"))]
#[case::prefixes("docs/configuration.md", format!("up to {} prefixes", grouped(MAX_PREFIXES.into())))]
#[case::rules("docs/configuration.md", format!("Up to {MAX_RULES} rules"))]
#[case::listen("docs/configuration.md", format!("`\"{DEFAULT_LISTEN}\"`"))]
#[case::max_ports("docs/configuration.md", format!("| {DEFAULT_MAX_PORTS}, or as many as are listed |"))]
#[case::scrapers("docs/metrics.md", format!("another is served {} minutes after it", minutes(FORGET)))]
#[case::window("docs/metrics.md", format!("two different {}-minute periods", minutes(BUCKET)))]
#[case::flows("docs/counting.md", format!("({0} TCP connections, {0} others;", grouped(MAX_FLOWS.into())))]
#[case::slots("CONTRIBUTING.md", format!("| page | {} slots", grouped(PAGE_SLOTS.into())))]
fn figures_are_the_programs(#[case] page: &str, #[case] said: String) -> Result<()> {
    let text = std::fs::read_to_string(workspace().join(page)).with_context(|| page.to_owned())?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&said), "{page} does not say {said:?}");
    Ok(())
}
