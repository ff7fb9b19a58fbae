//! Takes over what a build with schema 1 has left: it counted the same, without hot words, and its maps but for
//! the counters are laid out as today's.
//!
//! Its maps are pinned beside this schema's, its counters as a generation to which nothing is added once the
//! programs are replaced; the links' pins move when they are; then its directory goes. What is done is never done
//! again, so whatever a crash has left undone, the next start does.

use std::path::Path;

use anyhow::{Context, Result, bail};
use aya::maps::MapData;
use sensor_common::layout::{COUNTERS, NAMES, Page};

use super::pinned::{Entries, Layout};
use super::pins::{Pins, Root};

/// Pages before the first sensor's.
pub(super) const SIDE_PAGES: u32 = 1;
/// Pages of a sensor.
pub(super) const SENSOR_PAGES: u32 = 69;
/// The page of what was let through.
pub(super) const PASSED_PAGE: u32 = 0;

/// Its maps of counters.
pub(super) const COUNTERS_LAYOUT: Layout =
    Layout::per_cpu::<Page>(Entries::Sensors { before: SIDE_PAGES, each: SENSOR_PAGES });

/// First page of a sensor.
pub(super) const fn first_page(sensor: u32) -> u32 {
    SIDE_PAGES + sensor * SENSOR_PAGES
}

/// What this schema pins a map of counters of schema 1 as.
pub(super) fn adopted_name(number: usize) -> String {
    format!("{COUNTERS}_V1_{number}")
}

/// Pins what schema 1 has left beside what this schema makes; nothing, if it has left nothing. `shared` are the
/// maps that both have.
///
/// # Errors
/// Both schemas' programs are attached, or the kernel refuses.
pub(super) fn adopt<'a>(pins: &mut Pins, shared: impl Iterator<Item = &'a str>) -> Result<()> {
    let Some(older) = pins.older().map(Path::to_owned) else { return Ok(()) };
    let theirs = older.join(NAMES);
    if !theirs.exists() {
        return Ok(());
    }
    let ours = pins.map(NAMES);
    if !ours.exists() {
        // First, so that whoever finds it knows that the others are the same too, or not there yet.
        pin_again(&theirs, &ours)?;
    } else if number(&theirs)? != number(&ours)? {
        if pins.older_has_links() {
            bail!(
                "programs of an older build are attached whose counters, in {}, are not those that this build \
                 took over: remove them with {}, which ends their counts",
                older.display(),
                Root::at(pins.root()).detach_command()
            );
        }
        // An older build was started, found this one attached, and gave up.
        pins.disown_older();
        return Ok(());
    }
    let counters = (0..)
        .map(|number| (format!("{COUNTERS}_{number}"), adopted_name(number)))
        .take_while(|(theirs, _)| older.join(theirs).exists());
    let same = shared.map(|name| (name.to_owned(), name.to_owned()));
    for (theirs, ours) in same.chain(counters) {
        let (theirs, ours) = (older.join(theirs), pins.map(&ours));
        if theirs.exists() && !ours.exists() {
            pin_again(&theirs, &ours)?;
        }
    }
    Ok(())
}

fn pin_again(from: &Path, to: &Path) -> Result<()> {
    let map = MapData::from_pin(from).with_context(|| format!("cannot open {}", from.display()))?;
    map.pin(to).with_context(|| format!("cannot pin {}", to.display()))
}

/// The kernel's number of a pinned map.
fn number(path: &Path) -> Result<u32> {
    let map = MapData::from_pin(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(map.info().with_context(|| format!("cannot ask the kernel about {}", path.display()))?.id())
}
