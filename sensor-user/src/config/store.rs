//! The `[store]` table: where what was seen is kept, and for how long.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Problems;
use super::evidence::whole_path;
use super::validate::one;
use super::{file, value};

/// Where the store is unless told otherwise.
pub const DEFAULT_STORE_PATH: &str = "/var/lib/sensor";
/// How long something is kept unless told otherwise.
pub const DEFAULT_STORE_AGE: Duration = Duration::from_hours(90 * 24);
/// Bytes on disk unless told otherwise.
pub const DEFAULT_STORE_SIZE: u64 = 4 << 30;

/// Room for an hour with all its rows.
const SIZES: RangeInclusive<u64> = 64 << 20..=1 << 50;

/// How what was seen is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The folder of the database and of the files by the hour: an absolute path.
    pub path: PathBuf,
    /// How long something is kept, at most: whole hours.
    pub max_age: Duration,
    /// Bytes on disk, at most.
    pub max_size: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self { path: DEFAULT_STORE_PATH.into(), max_age: DEFAULT_STORE_AGE, max_size: DEFAULT_STORE_SIZE }
    }
}

/// Checks the table.
pub(super) fn store(table: &file::Store, problems: &mut Problems<'_>) -> Store {
    let usual = Store::default();
    let path =
        table.path.as_ref().and_then(|text| one("path", text, |text| whole_path(text, "folder"), problems));
    let max_age = table.max_age.as_ref().and_then(|text| one("max_age", text, value::age, problems));
    let max_size = table
        .max_size
        .as_ref()
        .and_then(|text| one("max_size", text, |text| value::size(text, &SIZES), problems));
    Store {
        path: path.unwrap_or(usual.path),
        max_age: max_age.unwrap_or(usual.max_age),
        max_size: max_size.unwrap_or(usual.max_size),
    }
}
