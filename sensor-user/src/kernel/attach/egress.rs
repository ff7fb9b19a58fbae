//! Attaches the program that remembers what the host sends: as a TCX link where the kernel has them, and as a
//! filter of the `clsact` qdisc where not.
//!
//! It only watches, so running twice for a moment, or staying behind, does no harm.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Context, Result, anyhow};
use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{SchedClassifier, TcAttachType};

use crate::kernel::foreign::tc_programs_of;
use crate::kernel::host::Interface;
use crate::kernel::link::{Hook, Link, on_the_way_out};
use crate::kernel::program::{EGRESS, Loaded};
use crate::kernel::retry::retried;

/// Before all other filters: one of them might end the chain.
const PRIORITY: u16 = 1;
/// What the filter is found by. Another one of this priority hardly has the same.
const HANDLE: TcHandle = TcHandle::new(0xbe6f, 1);

/// What keeps the program attached, and its number.
#[derive(Debug)]
pub struct Egress {
    /// What keeps it attached.
    pub holder: Holder,
    /// The program's number, by which it is recognised later.
    pub program: u32,
}

/// What keeps the program attached.
#[derive(Debug)]
pub enum Holder {
    /// Until the link is let go.
    Tcx(Link),
    /// Until the filter is removed.
    Clsact,
}

/// Attaches to `interface`, or replaces the program that an earlier agent attached there.
///
/// # Errors
/// The kernel refuses.
pub fn attach(loaded: &mut Loaded, interface: &Interface, earlier: Option<Link>) -> Result<Egress> {
    let program = loaded.egress()?;
    let number = program.info().context("cannot ask the kernel about the egress program")?.id();
    let name = &interface.name;
    if let Some(link) = earlier {
        link.update(program.fd()?.as_fd())
            .with_context(|| format!("cannot replace the egress program on {name}"))?;
        return Ok(Egress { holder: Holder::Tcx(link), program: number });
    }
    let holder = match Link::create(program.fd()?.as_fd(), interface.index, Hook::TcxEgress) {
        Ok(link) => Holder::Tcx(link),
        // A kernel before 6.6 does not know the attach type.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            retried(|| filter(program, name))
                .with_context(|| format!("cannot attach to what {name} sends"))?;
            Holder::Clsact
        }
        Err(error) => return Err(anyhow!(error).context(format!("cannot attach to what {name} sends"))),
    };
    Ok(Egress { holder, program: number })
}

impl Egress {
    /// Runs the loaded program instead.
    ///
    /// # Errors
    /// The kernel refuses; what ran there goes on.
    pub fn replace(&mut self, loaded: &mut Loaded, interface: &Interface) -> Result<()> {
        if let Holder::Tcx(link) = &self.holder {
            let program = loaded.egress()?;
            let number = program.info().context("cannot ask the kernel about the egress program")?.id();
            link.update(program.fd()?.as_fd())
                .with_context(|| format!("cannot replace the egress program on {}", interface.name))?;
            self.program = number;
            return Ok(());
        }
        *self = attach(loaded, interface, None)?;
        Ok(())
    }
}

/// Whether the kernel has the program of this number on what `interface` sends.
///
/// # Errors
/// The kernel does not answer.
pub fn is_attached(program: u32, interface: &Interface) -> Result<bool> {
    // An older kernel does not know the question.
    if on_the_way_out(interface.index).is_ok_and(|programs| programs.contains(&program)) {
        return Ok(true);
    }
    Ok(tc_programs_of(interface, true)?.iter().any(|attached| attached.id == Some(program)))
}

/// Adds the filter, or replaces it where it is.
fn filter(program: &mut SchedClassifier, name: &str) -> Result<()> {
    // It fails if the qdisc is there already; if it fails for another reason, so does adding the filter.
    drop(tc::qdisc_add_clsact(name));
    let there = SchedClassifierLink::attached(name, TcAttachType::Egress, PRIORITY, HANDLE, None)?;
    let id = if let Ok(id) = program.attach_to_link(there) {
        id
    } else {
        let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
        program.attach_with_options(name, TcAttachType::Egress, TcAttachOptions::Netlink(options))?
    };
    // The filter stays until `detach`; letting go of aya's link would remove it.
    std::mem::forget(program.take_link(id)?);
    Ok(())
}

/// Removes the program of this or an earlier agent from what `interface` sends.
///
/// # Errors
/// The kernel refuses.
pub fn detach(interface: &Interface) -> Result<()> {
    let name = &interface.name;
    if let Ok((_, programs)) = SchedClassifier::query_tcx(name, TcAttachType::Egress) {
        for program in programs.iter().filter(|program| program.name_as_str() == Some(EGRESS)) {
            for link in Link::all_of(program.id(), interface.index).context("cannot list BPF links")? {
                link.detach().with_context(|| format!("cannot detach from what {name} sends"))?;
            }
        }
    }
    match tc::qdisc_detach_program(name, TcAttachType::Egress, EGRESS) {
        Err(tc::TcError::IoError(error)) if error.kind() != io::ErrorKind::NotFound => {
            Err(anyhow!(error).context(format!("cannot detach from what {name} sends")))
        }
        // No such filter, or no qdisc for filters.
        _ => Ok(()),
    }
}
