//! Confirm or undo: the moment from which the program lets everything pass unless somebody confirmed it.
//!
//! It lies in a map and the program itself looks at the clock, so the undoing needs no agent: not one that
//! is alive, nor one that answers.

use std::time::Duration;

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData};

use crate::kernel::clock::monotonic;

/// The map with the deadline.
pub struct Guard {
    deadline: Array<MapData, u64>,
}

/// Whether an attachment was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It was, or need not be.
    Given,
    /// Not yet; that much time is left.
    Awaited(Duration),
    /// It was not, and the program lets everything pass.
    Missed,
}

impl Guard {
    pub(in crate::kernel) fn new(map: Map) -> Result<Self> {
        let deadline = Array::try_from(map).context("the guard's map is not an array of deadlines")?;
        Ok(Self { deadline })
    }

    /// What the program would find now.
    ///
    /// # Errors
    /// The kernel does not read the map.
    pub fn confirmation(&self) -> Result<Confirmation> {
        let deadline = self.deadline.get(&0, 0).context("cannot read the deadline for a confirmation")?;
        Ok(match (deadline, deadline.checked_sub(monotonic())) {
            (0, _) => Confirmation::Given,
            (_, None | Some(0)) => Confirmation::Missed,
            (_, Some(left)) => Confirmation::Awaited(Duration::from_nanos(left)),
        })
    }

    /// From now on a confirmation is awaited for this long.
    ///
    /// # Errors
    /// The kernel does not write the map.
    pub fn arm(&mut self, within: Duration) -> Result<()> {
        let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        self.set(monotonic().saturating_add(within))
    }

    /// Confirms.
    ///
    /// # Errors
    /// The kernel does not write the map.
    pub fn confirm(&mut self) -> Result<()> {
        self.set(0)
    }

    fn set(&mut self, deadline: u64) -> Result<()> {
        self.deadline.set(0, deadline, 0).context("cannot write the deadline for a confirmation")
    }
}
