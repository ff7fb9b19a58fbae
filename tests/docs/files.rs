//! Files that the documents name are there.

use std::path::Path;

use anyhow::Result;
use sensor_harness::workspace;

use crate::page::pages;

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
