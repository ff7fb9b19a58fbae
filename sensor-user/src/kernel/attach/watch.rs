//! Looks whether what should be attached is, without holding it.

use anyhow::Result;

use super::egress;
use crate::kernel::host::{AttachedMode, Interface};

/// What should be attached to an interface, for who wants to look whether it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The interface's name, as it is configured.
    pub interface: String,
    /// The XDP program's number, unless it is known not to be attached.
    pub(super) ingress: Option<u32>,
    /// The egress program's number, likewise.
    pub(super) egress: Option<u32>,
    /// Why it is not attached, if that is known.
    pub trouble: Option<String>,
}

impl Watch {
    /// Whether both programs are thought to be attached.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.ingress.is_some() && self.egress.is_some() && self.trouble.is_none()
    }

    /// Asks the kernel: how the XDP program is attached now, if it is, and whether the egress program is.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn now(&self) -> Result<(Option<AttachedMode>, bool)> {
        let Some(interface) = Interface::find(&self.interface)? else { return Ok((None, false)) };
        let xdp = interface.xdp.filter(|xdp| Some(xdp.program) == self.ingress);
        let egress = match self.egress {
            Some(program) => egress::is_attached(program, &interface)?,
            None => false,
        };
        Ok((xdp.and_then(|xdp| xdp.mode), egress))
    }
}
