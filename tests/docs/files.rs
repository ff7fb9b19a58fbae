//! Files that the documents name are there.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sensor_harness::workspace;

use crate::page::{page, pages};

/// What paths from the workspace's folder begin with.
fn is_path(text: &str) -> bool {
    const ROOTS: [&str; 9] = [
        "sensor-common/",
        "sensor-ebpf/",
        "sensor-user/",
        "sensor-fleet/",
        "fleet/",
        "tests/",
        "xtask/",
        "bench/",
        "packaging/",
    ];
    ROOTS.iter().any(|root| text.starts_with(root)) && !text.contains(' ')
}

#[test]
fn files_are_there() -> Result<()> {
    let mut gone = Vec::new();
    for page in pages()? {
        for span in page.spans().filter(|span| is_path(&span.text)) {
            if !workspace().join(Path::new(&span.text)).exists() {
                gone.push(format!("{}: {}", page.name(), span.text));
            }
        }
    }
    assert!(gone.is_empty(), "{gone:#?}");
    Ok(())
}

#[test]
fn the_walk_never_goes_back() -> Result<()> {
    let legs = ["One line of configuration", "One packet", "One counter", "One sample"];
    let page = page("docs/architecture.md")?;
    let steps = page.spans().filter(|span| legs.contains(&span.heading.as_str()) && span.column == Some(0));
    let steps: Vec<_> = steps.filter(|span| is_path(&span.text)).map(|span| span.text.as_str()).collect();
    for (at, step) in steps.iter().enumerate() {
        assert!(workspace().join(step).is_file(), "{step} is no file");
        assert!(!steps[..at].contains(step), "the walk comes back to {step}");
    }
    assert!(steps.len() > 30, "only {} steps were found", steps.len());
    Ok(())
}

/// The names of maps and load-time constants: `pub const HOT: &str = "HOT";`.
fn maps() -> Result<Vec<String>> {
    let mut maps = Vec::new();
    for file in ["flow.rs", "policy.rs", "layout/page.rs", "layout/name.rs", "layout/series.rs"] {
        let text = fs::read_to_string(workspace().join("sensor-common/src").join(file)).context(file)?;
        let constants =
            text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = "));
        maps.extend(constants.map(|(name, _)| name.to_owned()));
    }
    Ok(maps)
}

#[test]
fn each_map_is_told_of() -> Result<()> {
    let page = page("docs/architecture.md")?;
    let rows: Vec<_> = page.spans().filter(|span| span.column == Some(0)).map(|span| &span.text).collect();
    let maps = maps()?;
    let missing: Vec<_> = maps.iter().filter(|map| !rows.contains(map)).collect();
    assert!(missing.is_empty(), "docs/architecture.md has no row for {missing:?}");
    assert!(maps.len() > 15, "only {maps:?} were found");
    Ok(())
}
