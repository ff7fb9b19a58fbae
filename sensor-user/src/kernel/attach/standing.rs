//! Whose XDP program an interface has before the sensor attaches.

use std::io;
use std::path::Path;

use anyhow::{Error, anyhow};

use super::options::AttachOptions;
use super::xdp;
use crate::kernel::host::Interface;
use crate::kernel::link::Link;
use crate::kernel::maps::{Direction, Pins};

/// What is there.
#[derive(Debug)]
pub enum Standing {
    /// Nothing.
    Free,
    /// What an earlier agent attached, with its link: it is taken over.
    Earlier(Link),
    /// Something that stands in the way: what, and what to do about it.
    Taken(Error),
    /// The program of this number. Whether an earlier agent attached it, only those may know who may open the pins.
    Hidden(u32),
}

impl Standing {
    /// Looks at the pins that `options` name.
    #[must_use]
    pub fn of(interface: &Interface, options: &AttachOptions) -> Self {
        // Who leaves nothing behind takes nothing over.
        let pin = (!options.detach_on_exit)
            .then(|| Pins::link_below(&options.pins, Direction::Ingress, interface.index));
        Self::with(pin.as_deref(), interface)
    }

    /// With the link that is pinned at `pin` for an interface of this number, if any is.
    pub(super) fn with(pin: Option<&Path>, interface: &Interface) -> Self {
        let program = interface.xdp.map(|xdp| xdp.program);
        let link = pin.map_or_else(|| Err(io::ErrorKind::NotFound.into()), Link::from_pin);
        let info = link.as_ref().ok().and_then(|link| link.info().ok()).filter(|info| info.interface != 0);
        match (link, info, program) {
            (Ok(link), Some(info), Some(program)) if info.program == program => Self::Earlier(link),
            (Ok(_), Some(_), _) => Self::Taken(anyhow!(
                "the pins in {} belong to another network namespace: give this agent a --pins of its own",
                pin.and_then(Path::parent).unwrap_or(Path::new("")).display()
            )),
            (_, _, None) => Self::Free,
            (Err(error), _, Some(program)) if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::Hidden(program)
            }
            (_, _, Some(program)) => Self::Taken(xdp::taken(interface, program)),
        }
    }
}
