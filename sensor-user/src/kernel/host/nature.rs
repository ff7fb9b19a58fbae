//! What an interface is: a NIC with settings of its own, or something that stands on others.

use super::ethtool::{Driver, Ethtool};
use super::interface::Interface;

/// What stands on other interfaces, by the driver's name that ethtool gives: what it is, and what its packets come in by.
const STANDS_ON: [(&str, &str, &str); 4] = [
    ("bridge", "bridge", "port"),
    ("macvlan", "macvlan", "parent"),
    ("ipvlan", "ipvlan", "parent"),
    ("802.1Q VLAN Support", "VLAN", "parent"),
];

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A device on a bus, with queues and offloads that may be set.
    Nic,
    /// Nothing but software: a pair of virtual interfaces, or one that leads nowhere.
    Virtual,
    /// It gets only what others hand on, and has generic mode alone.
    StandsOn {
        /// What it is called.
        kind: &'static str,
        /// What those are called that its packets come in by.
        lower: &'static str,
    },
}

impl Nature {
    /// Asks the driver. One that does not say is taken for a NIC's.
    #[must_use]
    pub fn of(interface: &Interface) -> Self {
        let driver = Ethtool::new(&interface.name).ok().and_then(|ethtool| ethtool.driver().ok());
        driver.as_ref().map_or(Self::Nic, Self::of_driver)
    }

    /// What this driver drives.
    #[must_use]
    pub fn of_driver(driver: &Driver) -> Self {
        let known = STANDS_ON.into_iter().find(|(name, ..)| driver.name == *name);
        match known {
            Some((_, kind, lower)) => Self::StandsOn { kind, lower },
            None if matches!(&*driver.bus, "" | "N/A") => Self::Virtual,
            None => Self::Nic,
        }
    }

    /// What it is called, and what its packets come in by, if it stands on others.
    #[must_use]
    pub const fn lower(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::StandsOn { kind, lower } => Some((kind, lower)),
            _ => None,
        }
    }
}
