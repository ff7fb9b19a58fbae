//! The kernel's word that interfaces or their filters have changed (`RTNLGRP_LINK`, `RTNLGRP_TC`).
//!
//! What has changed is not read from it: that is asked anew, so that a message that was lost loses nothing.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// Messages of these multicast groups, by their bits.
const GROUPS: u32 = libc::RTMGRP_LINK.cast_unsigned() | libc::RTMGRP_TC.cast_unsigned();

/// Becomes readable when something has changed in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct LinkEvents(Socket);

impl LinkEvents {
    /// Listens from now on.
    ///
    /// # Errors
    /// The kernel gives no netlink socket.
    pub fn listen() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Forgets what has been said so far.
    pub fn clear(&self) {
        let mut nothing = Vec::<u8>::new();
        loop {
            nothing.clear();
            match self.0.recv(&mut nothing, 0) {
                Ok(_) => {}
                // Some were lost, which is as good as having read them.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl AsRawFd for LinkEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
