//! The rule that would let somebody in, as the configuration file has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::finding::Session;
use crate::config::Prefix;

/// Sources that are written out; beyond that, nobody would read them.
const MOST_SOURCES: usize = 32;

/// What the operator is to replace; the configuration refuses it, so that it cannot be forgotten.
const PLACEHOLDER: &str = "YOUR-ADDRESS/32";

/// An `[[allow]]` table to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who; nobody known if it is empty.
    pub from: BTreeSet<Prefix>,
    /// TCP ports.
    pub tcp: BTreeSet<u16>,
}

impl Rule {
    /// The fewest rules that let these sessions go on, and nobody anywhere else.
    #[must_use]
    pub fn for_sessions(sessions: &[Session]) -> Vec<Self> {
        let mut ports: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
        for session in sessions {
            ports.entry(session.remote.ip()).or_default().insert(session.local.port());
        }
        let mut rules: BTreeMap<BTreeSet<u16>, BTreeSet<Prefix>> = BTreeMap::new();
        for (peer, ports) in ports {
            rules.entry(ports).or_default().insert(Prefix::around(peer, 128));
        }
        rules.into_iter().map(|(tcp, from)| Self { from, tcp }).collect()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut from: Vec<_> =
            self.from.iter().take(MOST_SOURCES).map(|prefix| format!("{:?}", prefix.to_string())).collect();
        if from.is_empty() {
            from.push(format!("{PLACEHOLDER:?}"));
        }
        let tcp: Vec<_> = self.tcp.iter().map(u16::to_string).collect();
        write!(f, "[[allow]]\nfrom = [{}]", from.join(", "))?;
        if let Some(more @ 1..) = self.from.len().checked_sub(MOST_SOURCES) {
            write!(f, " # and {more} more")?;
        }
        write!(f, "\ntcp = [{}]", tcp.join(", "))
    }
}
