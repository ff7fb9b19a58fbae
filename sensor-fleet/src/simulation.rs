//! Months of a fleet's history that never happened, and what a report must find in it.
//!
//! [`generate`] writes `history.om`, which `promtool tsdb create-blocks-from openmetrics` takes, and `truth.json`
//! ([`truth::Truth`]). Everything follows from the options: the same options give the same bytes on the same
//! machine.

#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are made-up numbers, and counts, days and minutes stay far below 2^52"
)]

pub mod events;
pub mod fleet;
pub mod known;
pub mod noise;
pub mod openmetrics;
pub mod options;
pub mod plan;
pub mod presence;
pub mod rates;
pub mod raw;
pub mod recorded;
pub mod services;
pub mod tally;
pub mod truth;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};

pub use self::options::Scenario;
use self::options::{Options, Resolution};
use self::plan::Plan;
use self::tally::Tally;

/// The name of the history's file.
pub const HISTORY: &str = "history.om";
/// The longest block that `promtool` is asked for: it reads its input again for each, so years in one are quickest.
pub const BLOCK: &str = "--max-block-duration=43800h";
/// The name of the truth's file.
pub const TRUTH: &str = "truth.json";

/// How much was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Time series.
    pub series: u64,
    /// Samples in all of them.
    pub samples: u64,
    /// Size of `history.om`.
    pub bytes: u64,
}

/// Writes `history.om` and `truth.json` into a folder that exists, in place of what these names have now.
/// `progress` hears how many sensors are done.
///
/// # Errors
/// If the options are out of bounds or a file cannot be written; nothing with either name is then left half
/// written.
pub fn generate(options: &Options, folder: &Path, progress: &mut dyn FnMut(u32)) -> Result<Written> {
    options.check()?;
    let plan = Plan::new(options);
    let mut tally = Tally::new(&plan);
    let history = match options.resolution {
        Resolution::Day | Resolution::Hour => recorded::write(&plan, &mut tally, folder, progress)?,
        Resolution::Raw => raw::write(&plan, &mut tally, folder, progress)?,
    };
    let written = history.finish(&folder.join(HISTORY))?;
    let path = folder.join(TRUTH);
    let partial = folder.join("truth.json.part");
    let failed = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(File::create(&partial).with_context(failed)?);
    let done = serde_json::to_writer(&mut out, &tally.truth(&plan))
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out).and_then(|()| out.flush()))
        .and_then(|()| std::fs::rename(&partial, &path));
    if done.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    done.with_context(failed)?;
    Ok(written)
}
