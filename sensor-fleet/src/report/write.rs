//! Writes a report: a page, Markdown, JSON, tables as CSV, and figures.
//!
//! What people read is laid out once, in `page`, and then written as HTML and as Markdown. The same report always
//! gives the same bytes. All of it is there, or nothing.

mod csv;
mod figures;
mod html;
mod json;
mod markdown;
mod page;
mod png;
mod spark;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::language::Language;
use super::model::Report;
use super::words::{Form, heading};
use crate::place::{File, Place};

/// What is written, as an error says it.
pub const WHAT: &str = "a report";

/// Makes sure that figures in a language have letters.
///
/// # Errors
/// There is no font that has them: which package brings one.
pub fn has_letters(language: Language) -> Result<()> {
    png::Fonts::of(language).map(drop)
}

/// Writes all files of a report into `dir`, which is made if need be, and says which.
///
/// # Errors
/// If a figure cannot be drawn, or a file not be written: which, and what to do about it.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    Place::try_out(dir, WHAT)?.write(&files(report)?)
}

/// All files of a report.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn files(report: &Report) -> Result<Vec<File>> {
    let fonts = png::Fonts::of(report.language)?;
    let form = Form::of(report);
    let figures = figures::draw(report)?;
    let blocks = page::blocks(report, &figures);
    let mut files: Vec<File> = vec![
        ("report.html", html::page(form, &heading::title(report), &blocks).into_bytes()),
        ("report.md", markdown::page(form, &heading::title(report), &blocks).into_bytes()),
        ("report.json", json::model(report)?),
    ];
    files.extend(csv::tables(report));
    for figure in figures.all() {
        files.push((
            figure.png,
            fonts.render(&figure.wide).with_context(|| format!("cannot draw {}", figure.png))?,
        ));
        files.push((figure.svg, figure.wide.into_bytes()));
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
