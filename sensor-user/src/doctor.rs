//! `sensor doctor`: what this host and its NICs can do, what stands in the way, and how to mend it.
//!
//! Nothing is attached to find out, since attaching may reset a NIC. Findings are data, shown as a table for
//! people or as JSON for machines.

mod host;
mod nic;
pub mod show;

use anyhow::Result;
use serde::Serialize;

use crate::kernel::Interface;

pub use self::nic::{Nic, Virtio};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// The sensor runs, but costs more or tells less than it could.
    Note,
    /// The sensor does not run.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, by a name that does not change between versions.
    pub check: &'static str,
    /// What was found.
    pub found: String,
    /// How much it matters.
    pub verdict: Verdict,
    /// What to do about it, and what it costs not to.
    pub mend: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), verdict: Verdict::Ok, mend: None }
    }

    fn note(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, mend: Some(mend.into()), ..Self::ok(check, found) }
    }

    fn problem(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, ..Self::note(check, found, mend) }
    }
}

/// What was found about one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceFindings {
    /// Its name.
    pub name: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all verdicts.
    pub verdict: Verdict,
    /// What holds for the host.
    pub host: Vec<Finding>,
    /// What holds for each interface.
    pub interfaces: Vec<InterfaceFindings>,
}

/// Looks at the host and the interfaces.
///
/// # Errors
/// An interface is not there, or the kernel does not answer.
pub fn examine(names: &[String]) -> Result<Report> {
    let mut interfaces = Vec::new();
    for name in names {
        let nic = Nic::look(Interface::named(name)?)?;
        interfaces.push(InterfaceFindings { name: name.clone(), findings: nic.findings() });
    }
    let host = host::findings();
    let all = interfaces.iter().flat_map(|interface| &interface.findings).chain(&host);
    let verdict = all.map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    Ok(Report { verdict, host, interfaces })
}
