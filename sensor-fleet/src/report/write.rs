//! Writes a report: a page, Markdown, JSON, tables as CSV, and figures.
//!
//! What people read is laid out once, in `page`, and then written as HTML and as Markdown. The same report always
//! gives the same bytes. Each file is there whole or not at all.

mod csv;
mod figures;
mod html;
mod json;
mod markdown;
mod number;
mod page;
mod png;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::model::Report;

/// A file by name, and what is in it.
type File = (&'static str, Vec<u8>);

/// Writes all files of a report into `dir`, which is made if need be, and says which.
///
/// # Errors
/// If a figure cannot be drawn, or a file not be written: which, and what to do about it.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    let figures = figures::draw(report)?;
    let blocks = page::blocks(report, &figures);
    let mut files: Vec<File> = vec![
        ("report.html", html::page(&page::title(report), &blocks).into_bytes()),
        ("report.md", markdown::page(&page::title(report), &blocks).into_bytes()),
        ("report.json", json::model(report)?),
    ];
    files.extend(csv::tables(report));
    for figure in figures.all() {
        files.push((
            figure.png,
            png::render(&figure.wide).with_context(|| format!("cannot draw {}", figure.png))?,
        ));
        files.push((figure.svg, figure.wide.into_bytes()));
    }

    fs::create_dir_all(dir).with_context(|| {
        format!("cannot make the directory {}: choose another with --output", dir.display())
    })?;
    files.into_iter().map(|(name, bytes)| whole(dir, name, &bytes)).collect()
}

/// Writes a file beside its place and moves it there, so that no reader sees half of it.
fn whole(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = dir.join(name);
    let unfinished = dir.join(format!(".{name}.unfinished"));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path));
    if written.is_err() {
        // It may not even be there; what matters to the reader is why the file could not be written.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| {
        format!("cannot write {}: make room and see that the directory is yours to write to", path.display())
    })?;
    Ok(path)
}

#[cfg(test)]
mod tests;
