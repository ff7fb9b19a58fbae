//! What an interface and its driver can do.
//!
//! What stands in the way of native mode is known for each driver from its source; where a driver is not known,
//! what most of them refuse is noted.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs;

use anyhow::Result;

use super::Finding;
use crate::kernel::{
    Channels, Driver, Ethtool, Feature, Framing, Interface, Nature, SINGLE_BUFFER_MTU, TcProgram, Version,
    XdpFeatures, above_with_xdp, is_ours, is_sensors, may_list_programs, program_name, tc_programs,
};

/// `virtio_net` attaches without queues of XDP's own (kernel commit 97c2c69e1926; in 5.10 since its 61st release).
const SHARED_QUEUES: Version = Version::new(5, 13, 0);
const SHARED_QUEUES_BACKPORT: [Version; 2] = [Version::new(5, 10, 61), Version::new(5, 11, 0)];

const GENERIC: &str = "--mode generic costs several times more a packet";

/// An interface, and what its driver says.
#[derive(Clone, Debug)]
pub struct Nic {
    /// The interface.
    pub interface: Interface,
    /// Its driver, if that says.
    pub driver: Option<Driver>,
    /// What its XDP can do, if the kernel says.
    pub xdp: Option<XdpFeatures>,
    /// Its offloads.
    pub features: HashMap<String, Feature>,
    /// Its queues, if it has any that can be counted.
    pub channels: Option<Channels>,
    /// What a virtio NIC and its host have agreed on.
    pub virtio: Option<Virtio>,
    /// The name of the XDP program that is attached, if that can be known.
    pub xdp_program: Option<String>,
    /// The interfaces that stand on this one and have programs, which keeps the kernel from taking one here.
    pub above: Vec<Interface>,
    /// Programs that see what XDP has let in, or what goes out.
    pub tc: Vec<TcProgram>,
    /// Whether this user may know of all programs, and what they are called.
    pub knows_programs: bool,
    /// The kernel's version.
    pub kernel: Version,
    /// Processors that there may be.
    pub processors: u32,
}

/// The features that a virtio NIC and its host have agreed on (virtio 1.2 §5.1.3), by their bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Virtio(pub u64);

impl Virtio {
    /// `VIRTIO_NET_F_CTRL_GUEST_OFFLOADS`.
    const CONTROL: u64 = 1 << 2;
    /// `VIRTIO_NET_F_GUEST_` `CSUM`, `TSO4`, `TSO6`, `ECN`, `UFO`, `USO4` and `USO6`.
    const OFFLOADS: u64 = 1 << 1 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 54 | 1 << 55;

    /// Reads sysfs's text, a digit for each bit, the first one first.
    fn parse(text: &str) -> Self {
        let set = text.trim().bytes().take(64).enumerate().filter(|&(_, digit)| digit == b'1');
        Self(set.fold(0, |bits, (bit, _)| bits | 1 << bit))
    }

    /// Whether the host merges packets for the guest and cannot be told to stop, which the driver refuses XDP
    /// for (`virtnet_xdp_set`).
    #[must_use]
    pub const fn stands_in_the_way(self) -> bool {
        self.0 & Self::CONTROL == 0 && self.0 & Self::OFFLOADS != 0
    }
}

impl Nic {
    /// Asks the kernel and the driver.
    ///
    /// # Errors
    /// The kernel does not answer. What a driver does not say is left out.
    pub fn look(interface: Interface) -> Result<Self> {
        let ethtool = Ethtool::new(&interface.name)?;
        let virtio = fs::read_to_string(format!("/sys/class/net/{}/device/features", interface.name));
        Ok(Self {
            driver: ethtool.driver().ok(),
            xdp: XdpFeatures::of(interface.index)?,
            features: ethtool.features().unwrap_or_default(),
            channels: ethtool.channels().ok(),
            virtio: virtio.ok().filter(|_| is_same_in_sysfs(&interface)).map(|text| Virtio::parse(&text)),
            xdp_program: interface.xdp.and_then(|xdp| program_name(xdp.program)),
            above: above_with_xdp(&interface)?,
            tc: tc_programs(&interface)?,
            knows_programs: may_list_programs(),
            kernel: Version::running()?,
            processors: aya::util::nr_cpus().ok().and_then(|count| count.try_into().ok()).unwrap_or(1),
            interface,
        })
    }

    /// All findings.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.link(), self.driver(), self.native(), self.mtu()];
        findings.extend(
            [("lro", "rx-lro", "lro"), ("gro_hw", "rx-gro-hw", "rx-gro-hw")].map(|it| self.offload(it)),
        );
        findings.extend([self.vlan(), self.queues(), self.other_xdp(), self.other_tc()]);
        findings
    }

    fn link(&self) -> Finding {
        let Interface { name, up, framing, .. } = &self.interface;
        match framing {
            Framing::Other => Finding::problem(
                "link",
                "no Ethernet header: tunnelled traffic cannot be counted here",
                "attach to the Ethernet interface that its packets come in by: the program would misread them here",
            ),
            Framing::Loopback => Finding::problem(
                "link",
                "the loopback",
                "use another interface: nothing comes in here from outside",
            ),
            Framing::Ethernet if !up => {
                Finding::problem("link", "down", format!("bring it up with `ip link set {name} up`"))
            }
            Framing::Ethernet => match self.lower() {
                Some((kind, lower)) => Finding::note(
                    "link",
                    format!("up, Ethernet, a {kind}"),
                    format!(
                        "attach to the {lower}: a {kind} gets only what that hands on, and has generic mode alone"
                    ),
                ),
                None => Finding::ok("link", "up, Ethernet"),
            },
        }
    }

    /// What an interface is called that stands on others, and what those are called that packets come in by.
    fn lower(&self) -> Option<(&'static str, &'static str)> {
        Nature::of_driver(self.driver.as_ref()?).lower()
    }

    fn driver(&self) -> Finding {
        match &self.driver {
            Some(Driver { name, bus }) if bus.is_empty() => Finding::ok("driver", name),
            Some(Driver { name, bus }) => Finding::ok("driver", format!("{name} at {bus}")),
            None => Finding::ok("driver", "unknown: it does not say"),
        }
    }

    fn is(&self, driver: &str) -> bool {
        self.driver.as_ref().is_some_and(|it| it.name == driver)
    }

    fn native(&self) -> Finding {
        if self.virtio.is_some_and(Virtio::stands_in_the_way) {
            return Finding::note(
                "native_xdp",
                "refused: the virtual machine's host merges packets or checks their sums, and cannot be told to stop",
                format!(
                    "have the host offer ctrl_guest_offloads, or take guest_tso4, guest_tso6, guest_ecn, guest_ufo \
                     and guest_csum from the NIC (QEMU: `guest_tso4=off` and so on); {GENERIC}"
                ),
            );
        }
        match self.xdp {
            Some(xdp) if xdp.native() => Finding::ok("native_xdp", "the driver has it"),
            Some(_) => Finding::note(
                "native_xdp",
                "the driver does not have it",
                match self.lower() {
                    Some((kind, lower)) => format!("attach to the {lower} of the {kind}; {GENERIC}"),
                    None => format!("use another NIC; {GENERIC}"),
                },
            ),
            None => Finding::note(
                "native_xdp",
                "unknown until attached",
                "Linux 6.3 or newer tells; `sensor run` says and logs what it got",
            ),
        }
    }

    fn mtu(&self) -> Finding {
        let Interface { name, mtu, .. } = &self.interface;
        let fits = *mtu <= SINGLE_BUFFER_MTU;
        let takes_parts =
            self.kernel >= Version::MULTI_BUFFER && self.xdp.is_none_or(XdpFeatures::multi_buffer);
        let is_generic_anyway = self.xdp.is_some_and(|xdp| !xdp.native()) || self.lower().is_some();
        if fits || takes_parts || is_generic_anyway {
            return Finding::ok("mtu", mtu.to_string());
        }
        Finding::note(
            "mtu",
            format!("{mtu}, too large for native mode"),
            format!("lower it with `ip link set {name} mtu {SINGLE_BUFFER_MTU}` or less; {GENERIC}"),
        )
    }

    fn offload(&self, (check, feature, flag): (&'static str, &str, &str)) -> Finding {
        let name = &self.interface.name;
        if let Some(ok) = self.is_lowers(check, feature) {
            return ok;
        }
        match self.features.get(feature) {
            Some(Feature { on: true, fixed: false }) => Finding::note(
                check,
                "on",
                format!(
                    "switch it off with `ethtool -K {name} {flag} off` if native mode is refused: some drivers do it \
                     themselves, some refuse"
                ),
            ),
            Some(Feature { on: true, fixed: true }) => Finding::note(
                check,
                "on, and cannot be switched off",
                format!("native mode may be refused; {GENERIC}"),
            ),
            Some(Feature { on: false, .. }) => Finding::ok(check, "off"),
            None => Finding::ok(check, "unknown: the kernel or driver does not have it"),
        }
    }

    /// A feature that is on, where that means nothing.
    fn is_lowers(&self, check: &'static str, feature: &str) -> Option<Finding> {
        let (kind, lower) = self.lower()?;
        let on = self.features.get(feature).is_some_and(|feature| feature.on);
        on.then(|| Finding::ok(check, format!("on, which means nothing for a {kind}: look at its {lower}'s")))
    }

    /// Whether VLAN tags are taken off before the program sees the frame.
    fn vlan(&self) -> Finding {
        let name = &self.interface.name;
        if let Some(ok) = self.is_lowers("rxvlan", "rx-vlan-hw-parse") {
            return ok;
        }
        match self.features.get("rx-vlan-hw-parse") {
            Some(Feature { on: true, fixed }) => Finding::note(
                "rxvlan",
                "on: VLAN tags are taken off before the program sees the frame, and its bytes lack four for each",
                if *fixed {
                    "nothing: it cannot be switched off, and matters only where tagged frames come in"
                        .to_owned()
                } else {
                    format!("nothing if no tagged frames come in; else `ethtool -K {name} rxvlan off`")
                },
            ),
            Some(Feature { on: false, .. }) => Finding::ok("rxvlan", "off"),
            None => Finding::ok("rxvlan", "unknown: the kernel or driver does not have it"),
        }
    }

    /// The most queues that leave room for native mode's own; `None` if any number does.
    fn most_queues(&self) -> Option<u32> {
        let max = self.channels?.max_combined;
        let [backport, next] = SHARED_QUEUES_BACKPORT;
        if self.is("ena") {
            // `ena_xdp_legal_queue_count`: each queue takes one more to send by.
            return Some(max / 2);
        }
        let shares = self.kernel >= SHARED_QUEUES || (backport..next).contains(&self.kernel);
        // `virtnet_xdp_set`: each processor takes one more to send by.
        (self.is("virtio_net") && !shares).then(|| max.saturating_sub(self.processors))
    }

    fn queues(&self) -> Finding {
        let Some(Channels { combined, max_combined: max }) = self.channels else {
            return Finding::ok("queues", "unknown: the driver does not say");
        };
        if max == 0 {
            return Finding::ok("queues", "none that serve both directions");
        }
        let found = format!("{combined} of at most {max}");
        let name = &self.interface.name;
        match self.most_queues() {
            _ if self.lower().is_some() => Finding::ok("queues", found),
            Some(0) => Finding::note(
                "queues",
                found,
                format!("too few for native mode, which needs more; {GENERIC}"),
            ),
            Some(most) if combined > most => Finding::note(
                "queues",
                found,
                format!(
                    "leave room for native mode's own with `ethtool -L {name} combined {most}`; {GENERIC}"
                ),
            ),
            _ => Finding::ok("queues", found),
        }
    }

    fn other_xdp(&self) -> Finding {
        let Some(xdp) = self.interface.xdp else {
            let Some(first) = self.above.first() else { return Finding::ok("xdp_program", "none attached") };
            let has_ours =
                |above: &Interface| above.xdp.is_some_and(|xdp| is_ours(xdp.program).unwrap_or(false));
            let other = self.above.iter().find(|above| !has_ours(above));
            let above = other.unwrap_or(first);
            let found = format!("none here, but one on {}, which stands on it", above.name);
            if other.is_none() {
                return Finding::note(
                    "xdp_program",
                    format!("{found}: the sensor's"),
                    format!(
                        "name {} in the configuration in its stead, and the sensor moves",
                        self.interface.name
                    ),
                );
            }
            return Finding::problem(
                "xdp_program",
                found,
                format!(
                    "stop the program that is attached to {}: the kernel takes none here beside it; `bpftool net` \
                     shows it",
                    above.name
                ),
            );
        };
        let number = xdp.program;
        match &self.xdp_program {
            Some(name) if is_sensors(name) => {
                Finding::ok("xdp_program", format!("the sensor's, number {number}"))
            }
            None if !self.knows_programs => Finding::note(
                "xdp_program",
                format!("number {number}; whether it is the sensor's cannot be known without root"),
                "run `sensor doctor` as root",
            ),
            name => Finding::problem(
                "xdp_program",
                format!(
                    "another one, number {number}{}",
                    name.as_ref().map(|it| format!(", {it}")).unwrap_or_default()
                ),
                "stop the program that attached it; `bpftool net` and `bpftool link` show it",
            ),
        }
    }

    fn other_tc(&self) -> Finding {
        let others: Vec<_> =
            self.tc.iter().filter(|it| !is_sensors(&it.name)).map(ToString::to_string).collect();
        if !others.is_empty() {
            return Finding::note(
                "tc_programs",
                others.join(", "),
                "nothing: they go on beside the sensor, but see only what it lets in; one that redirects or drops \
                 what the host sends may hide it from the sensor, and the answers to it are dropped",
            );
        }
        if self.knows_programs || self.kernel < Version::TCX {
            return Finding::ok("tc_programs", "none of others");
        }
        Finding::note(
            "tc_programs",
            "no filters of others; whether there are links cannot be known without root",
            "run `sensor doctor` as root",
        )
    }
}

/// Whether sysfs shows this interface and not that of another namespace by the same name.
fn is_same_in_sysfs(interface: &Interface) -> bool {
    let index = fs::read_to_string(format!("/sys/class/net/{}/ifindex", interface.name));
    index.is_ok_and(|index| index.trim() == interface.index.to_string())
}
