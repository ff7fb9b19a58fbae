//! An XDP program that isn't the sensor's: two instructions, loaded without any toolchain.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;

use crate::bpf::{self, Mode, XdpAction};
use crate::wire::Interface;

/// An attached program; dropping it detaches it.
#[derive(Debug)]
pub struct Foreign {
    _link: OwnedFd,
}

impl Foreign {
    /// Attaches a program that does this with every packet, in native mode.
    ///
    /// # Errors
    /// Without root, or when the interface has a program already.
    pub fn attach(interface: &Interface, action: XdpAction) -> Result<Self> {
        Self::attach_in(Mode::Native, interface, action)
    }

    /// Likewise, in the network stack, where every interface takes it.
    ///
    /// # Errors
    /// As [`Foreign::attach`].
    pub fn attach_generic(interface: &Interface, action: XdpAction) -> Result<Self> {
        Self::attach_in(Mode::Generic, interface, action)
    }

    /// Loads such a program, and attaches it to nothing.
    ///
    /// # Errors
    /// Without root.
    pub fn load(action: XdpAction) -> Result<OwnedFd> {
        bpf::lift_memory_limit();
        // The action into register 0, and exit.
        bpf::load(&[(action as u64) << 32 | 0xb7, 0x95])
    }

    fn attach_in(mode: Mode, interface: &Interface, action: XdpAction) -> Result<Self> {
        let program = Self::load(action)?;
        let attach = || bpf::attach(program.as_fd(), if_nametoindex(interface.name.as_str())?, mode);
        let link = interface
            .namespace
            .run(attach)?
            .with_context(|| format!("cannot attach to {}", interface.name))?;
        Ok(Self { _link: link })
    }
}
