//! `sensor doctor`: what this host and its NICs can do, what stands in the way, and how to mend it.
//!
//! Nothing is attached to find out, since attaching may reset a NIC. Findings are data, shown as a table for
//! people or as JSON for machines.

mod disk;
mod host;
mod nic;
mod places;
pub mod show;

use anyhow::Result;
use serde::Serialize;

use crate::kernel::Interface;

pub use self::nic::{Nic, Virtio};
pub use self::places::Places;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
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
    pub severity: Severity,
    /// What to do about it, and what it costs not to.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), severity: Severity::Ok, remedy: None }
    }

    fn note(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Note, remedy: Some(remedy.into()), ..Self::ok(check, found) }
    }

    fn problem(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, ..Self::note(check, found, remedy) }
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
pub struct Diagnosis {
    /// The worst severity of all.
    pub severity: Severity,
    /// What holds for the host.
    pub host: Vec<Finding>,
    /// What holds for each interface.
    pub interfaces: Vec<InterfaceFindings>,
}

/// Looks at the host, at the places where an agent writes, and at the interfaces.
///
/// # Errors
/// The kernel does not answer. An interface that is not there is a finding.
pub fn examine(names: &[String], places: &Places) -> Result<Diagnosis> {
    let mut interfaces = Vec::new();
    for name in names {
        let findings = match Interface::find(name)? {
            Some(interface) => Nic::look(interface)?.findings(),
            None => vec![Finding::problem(
                "link",
                "there is no such interface",
                "`ip link` shows those there are",
            )],
        };
        interfaces.push(InterfaceFindings { name: name.clone(), findings });
    }
    let mut host = host::findings(places.pins());
    host.extend(places.findings());
    let all = interfaces.iter().flat_map(|interface| &interface.findings).chain(&host);
    let severity = all.map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    Ok(Diagnosis { severity, host, interfaces })
}
