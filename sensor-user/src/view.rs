//! What a person wants to see of a sensor host: how fast packets come, to what, from whom, and whether all is well.
//!
//! Plain facts, made of one snapshot of the counters, of what is known of sources, of what is stored, and of what the agent
//! says of itself. The [page](crate::page) shows them, and whoever asks `view` on the socket has them as JSON: both say the
//! same.

pub mod ask;
pub(crate) mod form;
pub mod last;
pub mod pace;
pub mod past;
pub mod port;
pub mod ranking;
pub mod service;
pub mod who;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::ask::{AskView, MOST};
pub use self::last::{LastPackets, PacketSeen};
pub use self::pace::Pace;
pub use self::past::{Hours, Past};
pub use self::service::Service;
pub use self::who::Who;

use crate::counters::SnapshotNumber;
use crate::status::{AgentStatus, EvidenceStatus, InterfaceStatus, StoreStatus};

/// What somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Counts, shares and numbers of sources.
    Counts,
    /// Addresses of sources, evidence and notices too.
    Addresses,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Of the counters that this is made of: `/api/v1/slots` with the same number has the same counts. `None` while they cannot
    /// be read.
    pub snapshot: Option<SnapshotNumber>,
    /// When this was made.
    pub time: Timestamp,
    /// The agent.
    pub agent: AgentStatus,
    /// The first thing that is wrong, and what to do; `None` where all is well.
    pub trouble: Option<String>,
    /// Interfaces that are configured.
    pub interfaces: Vec<InterfaceStatus>,
    /// All sensors.
    pub sensors: Vec<SensorView>,
    /// Packets of all sensors that were let through, by reason.
    pub passed: BTreeMap<String, u64>,
    /// What is kept of all sensors' packets.
    pub evidence: EvidenceStatus,
    /// Where sources and counts over time are stored.
    pub store: StoreStatus,
    /// Of which sensor everything below is; `None`: of all together.
    pub sensor: Option<String>,
    /// Packets that were counted since the counters were made.
    pub packets: u64,
    /// What most of them were sent to, most first.
    pub services: Vec<ServiceView>,
    /// SYNs by what made them, every tool.
    pub tools: Vec<Named>,
    /// TCP segments by their flags, every kind.
    pub tcp: Vec<Named>,
    /// Backscatter, every kind.
    pub backscatter: Vec<Named>,
    /// Packets by the constituency that they come from, every one that is configured.
    pub constituencies: Vec<Named>,
    /// Notices of today, those with most packets first; empty where addresses are not to be seen.
    pub notices: Vec<NoticeView>,
    /// How many there are, as far as they are stored; `None` where that is not known.
    pub notices_seen: Option<u64>,
    /// Why nothing that is stored is known, where the store could not be asked, and what to do.
    pub no_past: Option<String>,
    /// When the hours begin that are compared: the last full one, and those a day and a week before; none without a store.
    pub hours: Vec<Timestamp>,
    /// What is known of sources; `None` without evidence.
    pub who: Option<Who>,
    /// The packets that were seen last, the newest first, as far as evidence tells.
    pub last: Vec<PacketSeen>,
}

/// A sensor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SensorView {
    /// Its name.
    pub name: String,
    /// Its region; empty if none is configured.
    pub region: String,
    /// Packets that were counted since the counters were made.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets a second, of the last seconds; `None` before that is known.
    pub per_second: Option<f64>,
    /// Packets in each of the last sixty full minutes, the last one last; null where nobody looked.
    pub minutes: Vec<Option<u64>>,
    /// The ten services that most packets were sent to, as in `23/TCP`.
    pub top: Vec<String>,
}

/// A port, or a protocol without ports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Which, as in `23/TCP`.
    pub service: String,
    /// What questions call it, as in `23/tcp`, if it is a port.
    pub slot: Option<String>,
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// Packets that were counted since the counters were made.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets in each of the [hours](View::hours) that are compared; null where that is not known.
    pub hours: Vec<Option<u64>>,
    /// What is known of who sent them in this hour and the last.
    pub from: Option<From>,
}

/// Who sent the packets to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    /// Packets that were observed.
    pub observed: u64,
    /// Of these, those from known scanners; `None` without a list of them.
    pub from_known_scanners: Option<u64>,
    /// Distinct sources.
    pub sources: u64,
    /// Whether there may be more.
    pub at_least: bool,
}

impl From {
    /// Adds who sent to another slot of the same service: whoever sent to the one may have sent to the other.
    fn add(&mut self, other: Self) {
        self.observed += other.observed;
        self.from_known_scanners =
            self.from_known_scanners.zip(other.from_known_scanners).map(|(a, b)| a + b);
        self.sources = self.sources.max(other.sources);
        self.at_least = true;
    }
}

impl ServiceView {
    /// About how many of its packets were not from known scanners: as large a share as of those that were observed. `None`
    /// without a list, and where none was observed.
    #[must_use]
    pub fn without_known_scanners(&self) -> Option<u64> {
        let From { observed, from_known_scanners: Some(known), .. } = self.from? else { return None };
        let others = u128::from(self.packets) * u128::from(observed.saturating_sub(known));
        u64::try_from(others.checked_div(observed.into())?).ok()
    }
}

/// An address of a constituency that is to be told of, today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeView {
    /// Whose it is.
    pub constituency: String,
    /// Which.
    pub address: String,
    /// `source` if it sends, `victim` if it is attacked.
    pub about: String,
    /// When it was seen last.
    pub last: Timestamp,
    /// Packets.
    pub packets: u64,
    /// Whether it is sent.
    pub sent: bool,
}

/// Packets by something with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// How many.
    pub packets: u64,
}

impl View {
    /// Whether the counters could be read: without them, no count here means anything.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Without what only those may see who see addresses.
    #[must_use]
    pub fn within(mut self, sight: Sight) -> Self {
        if sight == Sight::Counts {
            if let Some(who) = &mut self.who {
                who.conceal();
            }
            self.notices.clear();
            self.last.iter_mut().for_each(|packet| packet.source = None);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::half(1_000, Some(10), 20, Some(500))]
    #[case::none_known(1_000, Some(0), 20, Some(1_000))]
    #[case::all_known(1_000, Some(20), 20, Some(0))]
    #[case::no_list(1_000, None, 20, None)]
    #[case::nothing_observed(1_000, Some(0), 0, None)]
    #[case::large(u64::MAX, Some(1), 2, Some(u64::MAX / 2))]
    fn known_scanners_are_left_out_by_their_share(
        #[case] packets: u64,
        #[case] known: Option<u64>,
        #[case] observed: u64,
        #[case] expected: Option<u64>,
    ) {
        let from = Some(From { observed, from_known_scanners: known, ..From::default() });
        assert_eq!(
            ServiceView { packets, from, ..ServiceView::default() }.without_known_scanners(),
            expected
        );
    }
}
