//! The `[notices]` table: how those who are responsible for addresses are told.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::Spanned;

use super::error::Problems;
use super::evidence::whole_path;
use super::validate::one;
use super::{file, value};
use crate::notices::template;

/// Bytes of the event log unless told otherwise.
const DEFAULT_LOG_SIZE: u64 = 64 << 20;
/// Room for some thousand notices at least.
const SIZES: RangeInclusive<u64> = 1 << 20..=1 << 40;

/// How notices are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices {
    /// Where each is written to by itself, as a line; `None` if none is.
    pub log: Option<PathBuf>,
    /// Bytes of that file and of the one before it together, at most.
    pub log_max_size: u64,
    /// The mail that they are told in, which is right; `None` of the one that there always is.
    pub template: Option<String>,
    /// The file that it stands in.
    pub template_file: Option<PathBuf>,
}

/// Checks the table.
pub(super) fn notices(table: &Spanned<file::Notices>, problems: &mut Problems<'_>) -> Notices {
    let table = table.get_ref();
    let path = |text: &Option<Spanned<String>>, what, problems: &mut Problems<'_>| {
        text.as_ref().and_then(|text| one(what, text, |text| whole_path(text, "file"), problems))
    };
    let log = path(&table.log, "log", problems);
    let log_max_size = table
        .log_max_size
        .as_ref()
        .and_then(|text| one("log_max_size", text, |text| value::size(text, &SIZES), problems));
    let template = table.template.as_ref().and_then(|text| one("template", text, read, problems));
    let (template, template_file) = template.unzip();
    Notices { log, log_max_size: log_max_size.unwrap_or(DEFAULT_LOG_SIZE), template, template_file }
}

/// A template that is right, and its file.
fn read(text: &str) -> Result<(String, PathBuf), String> {
    let path = whole_path(text, "file")?;
    let bytes =
        super::content(&path).map_err(|error| format!("cannot be read: {error}; name a file that can be"))?;
    let template = String::from_utf8(bytes).map_err(|_| "is not UTF-8: save it in that encoding")?;
    template::check(&template).map_err(|error| format!("is no template: {error}"))?;
    Ok((template, path))
}
