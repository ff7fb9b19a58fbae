//! A sketch of all sources that are asked for, for who has those of other sensors: an answer has so many rows at most, and a
//! fleet's sources are no sum of its sensors'.
//!
//! It is made of the sources that are followed or stored, so it is of a port or a tool as well. Those that are neither, the
//! sketches of whole windows have alone.

use super::super::ask::{self, Ask, MAX_LIMIT};
use super::super::sketch::{Sketch, SketchKey};
use super::super::source::Source;
use super::filter::{Filter, Found};
use super::windows::Chosen;
use super::{Line, NoSketchLine, SketchLine};
use crate::obstacle::in_words;
use crate::store::{self, Kept, Reader};

const NO_KEY: &str =
    "it has no key for sketches: give all sensors the same, as `sketch_key_file` in [sources]";
const NEW_KEY: &str = "its key for sketches was not there all that time: ask for hours since it was";
const NO_STORE: &str = "there were more sources than memory follows: add [store] to its configuration, or give \
                        [sources] more `memory`";
const SUMMED_UP: &str = "some sources are stored as a sum alone, which tells no port and no tool: ask for all \
                         packets, or for other hours";

/// Whether an answer is to have one: those are that may have all rows that there can be.
pub(super) fn is_wanted(ask: &Ask) -> bool {
    ask.by == ask::By::Source && ask.limit >= MAX_LIMIT
}

/// A sketch that is being made.
pub(super) struct Sketching<'a> {
    key: &'a SketchKey,
    sketch: Sketch,
}

impl<'a> Sketching<'a> {
    /// Of nothing yet.
    ///
    /// # Errors
    /// There is no key.
    pub(super) fn begin(key: Option<&'a SketchKey>) -> Result<Self, String> {
        key.map(|key| Self { key, sketch: Sketch::new(key) }).ok_or_else(|| NO_KEY.to_owned())
    }

    /// Adds a source.
    pub(super) fn add(&mut self, source: Source) {
        self.sketch.add(self.key.hash(source));
    }

    /// With all that was found in these windows, where who is not followed has sent so many packets at most; of a port or a tool
    /// the store has those, which is asked this.
    ///
    /// # Errors
    /// Not all can be told: why, and what to do.
    pub(super) fn with_windows(
        mut self,
        (chosen, found, row_error): (&Chosen, &[Found], u64),
        filter: &Filter<'_>,
        store: Option<(&Reader, &store::Ask)>,
    ) -> Result<Self, String> {
        for found in found {
            self.add(found.source);
        }
        if filter.is_of_all() {
            // Those of windows also have who was there before a restart and is stored as a sum.
            let mut have_all = true;
            for (_, window) in chosen {
                have_all &= window.sketch.as_ref().is_some_and(|theirs| self.sketch.merge(theirs));
            }
            return if have_all || row_error == 0 { Ok(self) } else { Err(NEW_KEY.to_owned()) };
        }
        if row_error == 0 {
            return Ok(self);
        }
        let (reader, ask) = store.ok_or(NO_STORE)?;
        let kept = reader.each_source(ask, |row| {
            if filter.admits(row.source) {
                self.add(row.source);
            }
        });
        self.with_rest(&kept.map_err(|error| in_words(&error))?, filter, (reader, ask))
    }

    /// With all that the store has as a sum alone, in the hours that it was asked for.
    ///
    /// # Errors
    /// Not all can be told: why, and what to do.
    pub(super) fn with_rest(
        mut self,
        kept: &[Kept],
        filter: &Filter<'_>,
        (reader, ask): (&Reader, &store::Ask),
    ) -> Result<Self, String> {
        if kept.iter().all(|kept| kept.rest == 0) {
            return Ok(self);
        }
        if !filter.is_of_all() {
            return Err(SUMMED_UP.to_owned());
        }
        let stored = reader.sketches_of_rest(ask).map_err(|error| in_words(&error))?;
        let mut have_all = true;
        for stored in stored {
            have_all &= stored.is_some_and(|stored| self.sketch.merge_stored(&stored));
        }
        if have_all { Ok(self) } else { Err(NEW_KEY.to_owned()) }
    }
}

/// A sketch as it is answered, or why there is none.
pub(super) fn line(made: Result<Sketching<'_>, String>) -> Line {
    match made {
        Ok(made) => {
            let parts = made.sketch.parts();
            let (key, precision, registers) = (parts.key(), parts.precision, parts.hexadecimal());
            Line::Sketch(SketchLine { key, precision, registers })
        }
        Err(trouble) => Line::NoSketch(NoSketchLine { trouble }),
    }
}
