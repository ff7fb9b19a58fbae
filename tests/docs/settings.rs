//! Configurations in the documents are accepted.

use std::fs;

use anyhow::Result;
use sensor_user::config::{Config, Input};

use crate::page::pages;

#[test]
fn configurations_are_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sensor.toml");
    let mut tried = 0;
    for page in pages()? {
        for text in page.blocks("toml") {
            fs::write(&file, text)?;
            let input = Input {
                file: Some(file.clone()),
                // Some show only what they speak of.
                interfaces: vec!["eth0".to_owned()],
                ..Input::default()
            };
            let loaded = Config::load(input);
            assert!(loaded.is_ok(), "{}: {loaded:?}\n{text}", page.name());
            tried += 1;
        }
    }
    assert!(tried > 3, "only {tried} configurations were found");
    Ok(())
}
