//! Two interfaces joined by a wire: a veth pair with an end in each of two namespaces.
//!
//! The near end is where the sensor sits, the far end where the Internet comes in. Neither sends a packet
//! by itself, so what arrives is what was sent.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::namespace::Namespace;
use crate::pace::{PATIENCE, until};

/// One end of a wire.
#[derive(Debug)]
pub struct Interface {
    /// Where it is.
    pub namespace: Namespace,
    /// What it is called there.
    pub name: String,
}

/// A veth pair; dropping it removes both ends.
#[derive(Debug)]
pub struct Wire {
    /// The sensor's end.
    pub near: Interface,
    /// The Internet's end.
    pub far: Interface,
    pub(crate) flow: Flow,
}

/// The longest IP packet that Ethernet carries unless told otherwise.
pub const MTU: u32 = 1500;

impl Wire {
    /// A wire between two new namespaces, its sensor's end called `sensor0`.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub fn new() -> Result<Self> {
        Self::between(Namespace::new()?, "sensor0", Namespace::new()?, MTU)
    }

    /// A wire between two namespaces, with the sensor's end called `name`; both ends are up.
    ///
    /// # Errors
    /// If the name is taken, or as [`Wire::new`].
    pub fn between(near: Namespace, name: &str, far: Namespace, mtu: u32) -> Result<Self> {
        let peer = far.path();
        near.ip(&format!(
            "link add {name} mtu {mtu} type veth peer name {name} mtu {mtu} netns {}",
            peer.display()
        ))?;
        // From here on, dropping `wire` removes the pair.
        let wire = Self {
            flow: Flow::new(&near, name)?,
            near: Interface { namespace: near, name: name.to_owned() },
            far: Interface { namespace: far, name: name.to_owned() },
        };
        for end in [&wire.near, &wire.far] {
            end.quiet()?;
            end.namespace.ip(&format!("link set {name} up"))?;
        }
        wire.near.wait_for_carrier()?;
        Ok(wire)
    }
}

impl Interface {
    /// Keeps the kernel from sending anything of its own accord: no IPv6 address, so neither duplicate
    /// address detection, router solicitations nor multicast reports.
    fn quiet(&self) -> Result<()> {
        self.namespace.sysctl(&format!("ipv6/conf/{}/disable_ipv6", self.name), "1")
    }

    fn wait_for_carrier(&self) -> Result<()> {
        until(
            || Ok(self.namespace.ip(&format!("link show {}", self.name))?.contains("LOWER_UP")),
            || format!("{} has no carrier", self.name),
        )
    }

    /// Gives the interface an address, as `192.0.2.1/24`.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn address(&self, address: &str) -> Result<()> {
        // Without `nodad` an IPv6 address takes a second to become usable.
        let flag = if address.contains(':') { "nodad" } else { "" };
        self.namespace.ip(&format!("address add {address} dev {} {flag}", self.name)).map(drop)
    }

    /// Whether the kernel says that an XDP program is attached.
    ///
    /// # Errors
    /// If the interface is gone.
    pub fn has_xdp(&self) -> Result<bool> {
        Ok(self.namespace.ip(&format!("link show {}", self.name))?.contains("xdp"))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Gone already if a test removed it, or took down a namespace: nothing to do then.
        drop(self.near.namespace.ip(&format!("link delete {}", self.near.name)));
    }
}

/// How much is on the wire.
///
/// A veth end with a native XDP program has a ring of 256 packets, and what doesn't fit is dropped; before
/// Linux 6.7 the sender isn't even told. So senders keep fewer than that on the way.
#[derive(Debug)]
pub(crate) struct Flow {
    name: String,
    /// `/proc/net/dev` of the receiving namespace: which one is decided when it is opened.
    statistics: File,
    start: u64,
    sent: AtomicU64,
    received: AtomicU64,
    reading: Mutex<()>,
}

/// Most packets on the way, with room left for the batch that each sender may have in hand.
const WINDOW: u64 = 192;

impl Flow {
    fn new(namespace: &Namespace, name: &str) -> Result<Self> {
        let path = "/proc/thread-self/net/dev";
        let statistics =
            namespace.run(|| File::open(path))?.with_context(|| format!("cannot open {path}"))?;
        let mut flow = Self {
            name: name.to_owned(),
            statistics,
            start: 0,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            reading: Mutex::new(()),
        };
        flow.start = flow.counted()?;
        Ok(flow)
    }

    /// Packets that the receiving end has taken in since the beginning of time, by its own account.
    fn counted(&self) -> Result<u64> {
        let mut text = Vec::new();
        // The kernel gives a page of it at a time.
        let mut part = [0; 4096];
        loop {
            let read = self.statistics.read_at(&mut part, text.len() as u64)?;
            if read == 0 {
                break;
            }
            text.extend_from_slice(&part[..read]);
        }
        let text = String::from_utf8_lossy(&text);
        let prefix = format!("{}:", self.name);
        text.lines()
            .find_map(|line| line.trim_start().strip_prefix(&prefix)?.split_whitespace().nth(1))
            .and_then(|packets| packets.parse().ok())
            .with_context(|| format!("{} is not in /proc/net/dev", self.name))
    }

    /// Waits until `more` packets fit, and takes their places.
    pub(crate) fn reserve(&self, more: u64) -> Result<()> {
        let sent = self.sent.fetch_add(more, Ordering::Relaxed) + more;
        self.wait_until_received(sent.saturating_sub(WINDOW))
    }

    /// Gives back places that were not used.
    pub(crate) fn release(&self, unused: u64) {
        self.sent.fetch_sub(unused, Ordering::Relaxed);
    }

    /// Waits until everything sent has arrived.
    pub(crate) fn settle(&self) -> Result<()> {
        self.wait_until_received(self.sent.load(Ordering::Relaxed))
    }

    fn wait_until_received(&self, packets: u64) -> Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        let mut before = 0;
        while self.received.load(Ordering::Relaxed) < packets {
            // One reader is enough: the others take what it finds.
            if let Ok(_reading) = self.reading.try_lock() {
                let received = self.counted()? - self.start;
                self.received.fetch_max(received, Ordering::Relaxed);
            }
            let received = self.received.load(Ordering::Relaxed);
            if received > before {
                before = received;
                deadline = Instant::now() + PATIENCE;
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "{} took in {received} of {packets} packets and then none for {PATIENCE:?}",
                self.name,
            );
            std::thread::yield_now();
        }
        Ok(())
    }
}
