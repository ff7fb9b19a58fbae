//! Programs on what stands on an interface, as a bridge on its ports: beside them the kernel takes none below.

use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow};

use super::attachment::Attachment;
use super::options::AttachOptions;
use super::standing::Standing;
use super::xdp::in_the_way;
use crate::kernel::host::{Interface, above_with_xdp};

/// What there is above an interface.
#[derive(Debug)]
pub enum Above {
    /// No program that stays.
    Free,
    /// Something that stands in the way: what, and what to do about it.
    Taken(Error),
    /// The program of this number on the interface of this name. Whether an earlier agent attached it, only those may
    /// know who may open the pins.
    Hidden(u32, String),
}

impl Above {
    /// Looks before anything is attached. What an earlier agent attached goes, unless the interface is `configured`.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn of(interface: &Interface, options: &AttachOptions, configured: &[String]) -> Result<Self> {
        for above in above_with_xdp(interface)? {
            let program = above.xdp.map_or(0, |xdp| xdp.program);
            match Standing::of(&above, options) {
                Standing::Earlier(_) if is_among(&above, configured)? => {
                    return Ok(Self::Taken(both_configured(interface, &above)));
                }
                Standing::Free | Standing::Earlier(_) => {}
                Standing::Hidden(_) => return Ok(Self::Hidden(program, above.name)),
                Standing::Taken(_) => return Ok(Self::Taken(taken(interface, &above, program))),
            }
        }
        Ok(Self::Free)
    }
}

/// Whether one of the names is this interface's.
pub(super) fn is_among(interface: &Interface, names: &[String]) -> Result<bool> {
    for name in names {
        if Interface::find(name)?.is_some_and(|found| found.index == interface.index) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Other interfaces of the sensor than the one to attach to.
pub(super) struct Others<'a> {
    /// The numbers of those that keep the program.
    pub staying: &'a [u32],
    /// Those that are not configured any more, and have the program still.
    pub leaving: &'a mut [Attachment],
}

impl Others<'_> {
    /// Detaches the XDP program from those that are not configured any more and stand on `interface`: since when, and
    /// from which. `above` are all that stand on it and have one.
    ///
    /// # Errors
    /// There is another program above, or the kernel refuses.
    pub fn make_way(
        &mut self,
        interface: &Interface,
        above: &[Interface],
    ) -> Result<Option<(Instant, String)>> {
        let is_leaving =
            |above: &Interface| self.leaving.iter().any(|attachment| attachment.is_to(above.index));
        if let Some(above) = above.iter().find(|above| !is_leaving(above)) {
            let program = above.xdp.map_or(0, |xdp| xdp.program);
            return Err(if self.staying.contains(&above.index) {
                both_configured(interface, above)
            } else {
                taken(interface, above, program)
            });
        }
        let start = Instant::now();
        for above in above {
            for attachment in self.leaving.iter_mut().filter(|attachment| attachment.is_to(above.index)) {
                attachment.vacate().with_context(|| format!("cannot detach from {}", above.name))?;
            }
        }
        let names: Vec<_> = above.iter().map(|above| &*above.name).collect();
        Ok((!names.is_empty()).then(|| (start, names.join(" and "))))
    }
}

fn both_configured(interface: &Interface, above: &Interface) -> Error {
    let (name, above) = (&interface.name, &above.name);
    anyhow!(
        "interface {name} and {above}, which stands on it, are both configured, and beside the program on {above} the \
         kernel takes none on {name}: leave {above} out, unless packets come in to it by others that are not \
         configured; then leave {name} out"
    )
}

fn taken(interface: &Interface, above: &Interface, program: u32) -> Error {
    let subject = format!(
        "interface {} can have no program beside that of {above}, which stands on it: {above}",
        interface.name,
        above = above.name
    );
    in_the_way(&subject, above, program)
}
