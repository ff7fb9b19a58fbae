//! Files that the documents name are there.

use std::path::Path;

use anyhow::Result;
use sensor_harness::workspace;

use crate::page::{page, pages};

/// What paths from the workspace's folder begin with.
fn is_path(text: &str) -> bool {
    const ROOTS: [&str; 8] = [
        "sensor-common/",
        "sensor-ebpf/",
        "sensor-user/",
        "sensor-fleet/",
        "fleet/",
        "tests/",
        "xtask/",
        "bench/",
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
