//! The rule that would let somebody in, as the configuration file has it.
//!
//! It is made to be pasted, so it names nobody but those who have logged in: others who are connected, who may only
//! be guessing passwords, stand below it as a comment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::finding::Session;
use super::login::Hidden;
use crate::config::Prefix;

/// The TCP port by which administrators come in, unless they have told SSH's server another.
pub const SSH: u16 = 22;

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

impl Rule {
    /// A rule for whoever the operator will name: to SSH if that is among the ports, else to all of them.
    #[must_use]
    pub fn for_ports(ports: impl IntoIterator<Item = u16>) -> Self {
        let ports: BTreeSet<u16> = ports.into_iter().collect();
        let tcp = if ports.contains(&SSH) { [SSH].into() } else { ports };
        Self { from: BTreeSet::new(), tcp }
    }
}

/// A comment that names who is connected without having logged in.
pub(super) struct Strangers<'a> {
    /// At least one.
    pub sessions: &'a [Session],
    /// Why some of them may have logged in all the same.
    pub hidden: Option<Hidden>,
}

impl fmt::Display for Strangers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hidden {
            None => f.write_str("# Connected too, but not logged in over SSH; let in only whom you know:")?,
            Some(hidden) => write!(
                f,
                "# Connected too; whether they are logged in cannot be told, since {hidden}.\n# Let in only whom you \
                 know:"
            )?,
        }
        let peers: BTreeSet<_> = self.sessions.iter().map(|it| (it.remote.ip(), it.local.port())).collect();
        for (address, port) in peers.iter().take(MOST_SOURCES) {
            write!(f, "\n#   {address} at port {port}")?;
        }
        if let Some(more @ 1..) = peers.len().checked_sub(MOST_SOURCES) {
            write!(f, "\n#   and {more} more")?;
        }
        Ok(())
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
