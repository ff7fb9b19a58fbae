//! Tells the program of the conversations that the host began before it was attached, so that their answers
//! pass: an SSH client, a query on its way, a database connection.

use std::os::fd::{AsFd, AsRawFd};
use std::{io, ptr};

use anyhow::{Context, Result};
use aya::maps::{HashMap, Map, MapData};
use sensor_common::flow::{Flow, FlowKey, Stamp, USES_LENGTH, Use};
use sensor_common::parse::protocol;

use crate::config::Transport;
use crate::kernel::clock::monotonic;
use crate::kernel::host::Sockets;

/// The tables that the programs remember conversations in.
pub struct Memory {
    tcp: HashMap<MapData, FlowKey, Flow>,
    others: HashMap<MapData, FlowKey, Flow>,
    uses: Uses,
}

impl Memory {
    pub(super) fn new(tcp: Map, others: Map, uses: &MapData) -> Result<Self> {
        Ok(Self {
            tcp: HashMap::try_from(tcp).context("the table of TCP flows is not one")?,
            others: HashMap::try_from(others).context("the table of flows is not one")?,
            uses: Uses::map(uses).context("cannot map the stamps of used ports")?,
        })
    }

    /// Adds the conversations of the host's own sockets, as far as they are not known. Gives how many there
    /// are.
    ///
    /// # Errors
    /// The kernel does not tell its sockets, or takes no flow.
    pub fn seed(&mut self) -> Result<usize> {
        let now = monotonic();
        let sockets = Sockets::now()?;
        let mut seeded = 0;
        for socket in sockets.outbound() {
            let Some(remote) = socket.remote.filter(|remote| !remote.ip().is_loopback()) else { continue };
            let (number, flow, place, table) = match socket.transport {
                Transport::Tcp => {
                    let place = Use::tcp(socket.local.port());
                    (protocol::TCP, Flow::established(now), place, &mut self.tcp)
                }
                Transport::Udp => {
                    let place = Use::udp(socket.local.port());
                    (protocol::UDP, Flow::datagram(now), place, &mut self.others)
                }
            };
            let Some(key) = FlowKey::new(number, socket.local, remote) else { continue };
            let known = table.get(&key, 0).is_ok_and(|known| known.is_live(now));
            if !known && table.insert(key, flow, 0).is_ok() {
                seeded += 1;
            }
            self.uses.mark(place);
        }
        Ok(seeded)
    }
}

/// The programs' stamps of used ports, as they lie in memory: the programs go on writing theirs.
struct Uses(*mut u8);

// SAFETY: the memory is the process's own mapping, which any thread may use and one unmaps.
unsafe impl Send for Uses {}

impl Uses {
    fn map(map: &MapData) -> io::Result<Self> {
        let descriptor = map.fd().as_fd().as_raw_fd();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses where; the descriptor is open, and its map is at least that long.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), USES_LENGTH, protection, libc::MAP_SHARED, descriptor, 0) };
        if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Self(start.cast())) }
    }

    /// Says that something is in use.
    fn mark(&mut self, place: Use) {
        // SAFETY: places are below `USES_LENGTH`, the length of the mapping.
        let byte = unsafe { self.0.add(place.index() as usize) };
        // SAFETY: it lies within the mapping. A stamp that the program writes at the same moment is of now, and
        // this one is live until it writes the next.
        unsafe { byte.write_volatile(Stamp::FOREVER.0) };
    }
}

impl Drop for Uses {
    fn drop(&mut self) {
        // SAFETY: it is what was mapped, and nobody else knows of it.
        let failed = unsafe { libc::munmap(self.0.cast(), USES_LENGTH) } != 0;
        debug_assert!(!failed, "the mapping is there");
    }
}
