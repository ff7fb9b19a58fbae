//! `cargo xtask setup`: brings whatever building and testing need and this machine lacks.
//!
//! Each thing is first looked for, then brought; each gets one line that says what was taken and why. What
//! is there stays as it is, so a second run changes nothing.

pub mod apt;
mod axe;
mod compiler;
mod engines;
mod linker;
mod packing;
mod record;
pub mod suite;
mod toolchain;
mod tools;
mod vm;
mod zmap_4;

use std::path::{Path, PathBuf};

use anyhow::Result;

use record::Choice;
pub use tools::Tools;

/// What was done, said while it is done.
pub struct Report {
    /// Whether to tell of things that were there already.
    verbose: bool,
    /// Whether anything was brought or chosen.
    changed: bool,
}

impl Report {
    /// A thing that was there.
    fn have(&self, thing: &str, what: &str) {
        if self.verbose {
            println!("setup: {thing}: {what}");
        }
    }

    /// A thing that was chosen, or is about to be brought, which takes a while.
    fn bringing(&mut self, thing: &str, what: &str) {
        self.changed = true;
        println!("setup: {thing}: {what}");
    }

    /// A thing that is not there and that only the user can bring, or does not need.
    fn lack(&self, thing: &str, mend: &str) {
        if self.verbose {
            println!("setup: {thing}: missing; {mend}");
        }
    }
}

/// Brings everything, and says so.
///
/// # Errors
/// When something is missing and cannot be brought: what, and how to get it.
pub fn run() -> Result<()> {
    let mut report = Report { verbose: true, changed: false };
    toolchain::bring(&Choice::begin()?, &mut report)?;
    tools::bring(&mut report)?;
    vm::bring(&mut report)?;
    tools::bring_components(&mut report);
    packing::bring(&mut report)?;
    axe::bring(&mut report);
    engines::bring(&mut report);
    println!("setup: {}", if report.changed { "done" } else { "everything was there, nothing to do" });
    Ok(())
}

/// Brings what building needs; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_building() -> Result<()> {
    for_building_beside(|| Ok(()))
}

/// Starts a build and brings meanwhile what it needs: the build waits for it where it needs it.
///
/// # Errors
/// As [`run`], or when the build cannot be started.
pub fn for_building_beside<T>(start: impl FnOnce() -> Result<T>) -> Result<T> {
    let choice = Choice::begin()?;
    let build = start()?;
    toolchain::bring(&choice, &mut Report { verbose: false, changed: false })?;
    Ok(build)
}

/// Brings what building and testing need; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_testing() -> Result<Tools> {
    for_building()?;
    for_packaging()?;
    tools::bring(&mut Report { verbose: false, changed: false })
}

/// Brings what building and the benchmark need; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_benchmark() -> Result<()> {
    for_building()?;
    tools::bring_for_benchmark(&mut Report { verbose: false, changed: false })
}

/// Brings programs and a library for another kind of processor, each named with its package, the library by one of its
/// files; silent when they are there.
///
/// # Errors
/// As [`run`].
pub fn for_crossing(programs: &[(&str, &str)], library: Option<(&str, &str)>) -> Result<()> {
    let mut report = Report { verbose: false, changed: false };
    for (program, package) in programs {
        tools::installed(program, &[package], &mut report)?;
    }
    match library {
        Some((file, package)) if !Path::new(file).is_file() => apt::install(file, &[package], &mut report),
        _ => Ok(()),
    }
}

/// Brings what a whole machine with a distribution is made with; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_booting() -> Result<()> {
    for_machines()?;
    let mut report = Report { verbose: false, changed: false };
    for (program, package) in
        [("debootstrap", "debootstrap"), ("mkfs.ext4", "e2fsprogs"), ("ssh", "openssh-client")]
    {
        tools::installed(program, &[package], &mut report)?;
    }
    Ok(())
}

/// Brings what plays Ansible's playbooks; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_ansible() -> Result<()> {
    let mut report = Report { verbose: false, changed: false };
    tools::installed("ansible-playbook", &["ansible-core", "ansible"], &mut report).map(drop)
}

/// Brings what packages are made with; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_packaging() -> Result<PathBuf> {
    packing::bring(&mut Report { verbose: false, changed: false })
}

/// Brings what virtual machines are made with; silent when it is there.
///
/// # Errors
/// As [`run`].
pub fn for_machines() -> Result<()> {
    vm::bring(&mut Report { verbose: false, changed: false })
}
