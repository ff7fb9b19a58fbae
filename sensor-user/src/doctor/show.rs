//! A diagnosis, for people, and for machines.

use std::io::{self, IsTerminal as _};

use anyhow::{Context, Result};
use comfy_table::{ContentArrangement, Table, presets};
use terminal_size::{Width, terminal_size_of};

use super::{Diagnosis, Finding, Severity};

/// A table for each interface and one for the host, as wide as the terminal.
#[must_use]
pub fn table(diagnosis: &Diagnosis) -> String {
    let interfaces = diagnosis.interfaces.iter();
    let sections = interfaces.map(|interface| (interface.name.as_str(), &interface.findings));
    sections
        .chain([("this host", &diagnosis.host)])
        .map(|(title, findings)| section(title, findings))
        .collect()
}

/// As one object.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json(diagnosis: &Diagnosis) -> Result<String> {
    let mut text = serde_json::to_string_pretty(diagnosis).context("cannot write the findings as JSON")?;
    text.push('\n');
    Ok(text)
}

fn section(title: &str, findings: &[Finding]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([title, "found", "severity", "remedy"]);
    if let Some((Width(width), _)) = terminal_size_of(io::stdout()).filter(|_| io::stdout().is_terminal()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for finding in findings {
        let severity = match finding.severity {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Problem => "problem",
        };
        let what = finding.check.replace('_', " ");
        table.add_row([&what, &finding.found, severity, finding.remedy.as_deref().unwrap_or_default()]);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n\n", lines.join("\n"))
}
