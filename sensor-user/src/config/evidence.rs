//! The `[evidence]` table: whether packets are kept, how many, and where.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use sensor_common::evidence::{MAX_SNAP_LENGTH, MIN_SNAP_LENGTH};
use toml::Spanned;

use super::error::Problems;
use super::validate::one;
use super::{file, value};

/// Where evidence is kept unless told otherwise.
pub const DEFAULT_EVIDENCE_PATH: &str = "/var/lib/sensor/evidence";
/// Records a second unless told otherwise.
pub const DEFAULT_BUDGET: NonZeroU32 = NonZeroU32::new(20_000).expect("20,000 is not zero");
/// Bytes of a frame unless told otherwise: headers and a little more.
pub const DEFAULT_SNAP_LENGTH: u32 = 128;
/// Bytes on disk unless told otherwise.
pub const DEFAULT_EVIDENCE_SIZE: u64 = 1 << 30;

/// A record a second to as many as nobody's disk takes.
const BUDGETS: RangeInclusive<i64> = 1..=1_000_000;
const SNAP_LENGTHS: RangeInclusive<i64> = MIN_SNAP_LENGTH as i64..=MAX_SNAP_LENGTH as i64;
/// Several files of evidence, so that the oldest can go.
const SIZES: RangeInclusive<u64> = 1 << 20..=1 << 50;

/// How packets are kept as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The folder of the files: an absolute path.
    pub path: PathBuf,
    /// Records a second at most, of all CPUs together: each has an equal share.
    pub budget: NonZeroU32,
    /// First bytes of each frame: [`MIN_SNAP_LENGTH`] to [`MAX_SNAP_LENGTH`].
    pub snap_length: u32,
    /// Bytes of all files together, at most.
    pub max_size: u64,
    /// Keep them too where packets are only observed.
    pub observe: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            path: DEFAULT_EVIDENCE_PATH.into(),
            budget: DEFAULT_BUDGET,
            snap_length: DEFAULT_SNAP_LENGTH,
            max_size: DEFAULT_EVIDENCE_SIZE,
            observe: false,
        }
    }
}

/// Checks the table.
pub(super) fn evidence(table: &file::Evidence, problems: &mut Problems<'_>) -> Evidence {
    let usual = Evidence::default();
    let path =
        table.path.as_ref().and_then(|text| one("path", text, |text| whole_path(text, "folder"), problems));
    let budget = table.budget.as_ref().and_then(|it| bounded("budget", it, &BUDGETS, problems));
    let snap_length =
        table.snap_length.as_ref().and_then(|it| bounded("snap_length", it, &SNAP_LENGTHS, problems));
    let max_size = table
        .max_size
        .as_ref()
        .and_then(|text| one("max_size", text, |text| value::size(text, &SIZES), problems));
    Evidence {
        path: path.unwrap_or(usual.path),
        budget: budget.and_then(NonZeroU32::new).unwrap_or(usual.budget),
        snap_length: snap_length.unwrap_or(usual.snap_length),
        max_size: max_size.unwrap_or(usual.max_size),
        observe: table.observe,
    }
}

/// The path of a file or a folder, from `/` on.
pub(super) fn whole_path(text: &str, what: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() && !text.contains(char::is_control) {
        Ok(path.to_owned())
    } else {
        Err(format!("is not the whole path of a {what}: write it from / on"))
    }
}

pub(super) fn bounded(
    what: &str,
    number: &Spanned<i64>,
    bounds: &RangeInclusive<i64>,
    problems: &mut Problems<'_>,
) -> Option<u32> {
    let value = *number.get_ref();
    if !bounds.contains(&value) {
        let (least, most) = (bounds.start(), bounds.end());
        problems
            .add(number.span().start, format!("{what} {value} is out of bounds: write {least} to {most}"));
        return None;
    }
    u32::try_from(value).ok()
}
