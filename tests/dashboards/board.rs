//! The dashboards' files, as a test reads them.

use anyhow::{Context as _, Result};
use sensor_harness::workspace;
use serde_json::Value;

/// A dashboard.
#[derive(Debug)]
pub struct Board {
    /// The file's name.
    pub file: String,
    /// What it holds.
    pub json: Value,
}

/// All of the repository's dashboards.
pub fn boards() -> Result<Vec<Board>> {
    let folder = workspace().join("fleet/dashboards");
    let mut boards = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let json =
                serde_json::from_str(&std::fs::read_to_string(&path)?).with_context(|| file.clone())?;
            boards.push(Board { file, json });
        }
    }
    boards.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(boards)
}

/// A list in JSON, or nothing.
pub fn list<'a>(json: &'a Value, name: &str) -> &'a [Value] {
    json[name].as_array().map_or(&[], Vec::as_slice)
}

/// A text in JSON, or nothing.
pub fn text<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_default()
}

impl Board {
    /// Its panels, headings included.
    pub fn all_panels(&self) -> &[Value] {
        list(&self.json, "panels")
    }

    /// Its panels.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        self.all_panels().iter().filter(|panel| text(panel, "type") != "row")
    }

    /// The panel with this title.
    pub fn panel(&self, title: &str) -> Result<&Value> {
        let panel = self.panels().find(|panel| text(panel, "title") == title);
        panel.with_context(|| format!("{} has no panel {title:?}", self.file))
    }

    /// Its variables, in their order.
    pub fn variables(&self) -> &[Value] {
        list(&self.json["templating"], "list")
    }
}

/// Every text anywhere in a JSON value.
pub fn texts(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
