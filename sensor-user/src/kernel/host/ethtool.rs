//! What a driver says about its NIC, over the `ethtool` ioctl (`include/uapi/linux/ethtool.h`).
//!
//! Only questions, and only those that need no privileges.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use crate::kernel::retry::retried;
use crate::kernel::syscall::split;

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const GET_DRIVER: u32 = 0x03;
const GET_STRINGS: u32 = 0x1b;
const GET_STRING_COUNTS: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const GET_CHANNELS: u32 = 0x3c;

/// The names of offloads (`ETH_SS_FEATURES`).
const FEATURE_NAMES: u32 = 4;
/// Bytes of a name, with its closing zero (`ETH_GSTRING_LEN`).
const NAME: usize = 32;
/// 32-bit words of `struct ethtool_drvinfo`.
const DRIVER_WORDS: usize = 49;
/// 32-bit words of `struct ethtool_channels`.
const CHANNELS_WORDS: usize = 9;
/// 32-bit words for each 32 features: available, requested, active and never changed.
const FEATURE_WORDS: usize = 4;

/// A driver and the place of its NIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// Its name, such as `virtio_net`.
    pub name: String,
    /// The NIC's place, such as `0000:00:03.0`; empty for a NIC that has none.
    pub bus: String,
}

/// How many queues a NIC has, and could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Queues for both directions.
    pub combined: u32,
    /// At most.
    pub max_combined: u32,
}

/// An offload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Whether it is on.
    pub on: bool,
    /// Whether it cannot be changed.
    pub fixed: bool,
}

/// An interface's driver, to be asked.
#[derive(Debug)]
pub struct Ethtool {
    interface: String,
    socket: UdpSocket,
}

impl Ethtool {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// No socket can be had.
    pub fn new(interface: &str) -> io::Result<Self> {
        Ok(Self { interface: interface.to_owned(), socket: UdpSocket::bind(("127.0.0.1", 0))? })
    }

    /// The driver.
    ///
    /// # Errors
    /// It does not say, or there is no such interface.
    pub fn driver(&self) -> io::Result<Driver> {
        let mut words = [0; DRIVER_WORDS];
        words[0] = GET_DRIVER;
        self.ask(&mut words)?;
        // After the command: driver, version, firmware version, bus.
        let bytes = bytes(&words[1..]);
        Ok(Driver { name: text(&bytes[..NAME]), bus: text(&bytes[3 * NAME..4 * NAME]) })
    }

    /// Its queues.
    ///
    /// # Errors
    /// It does not say, or there is no such interface.
    pub fn channels(&self) -> io::Result<Channels> {
        let mut words = [0; CHANNELS_WORDS];
        words[0] = GET_CHANNELS;
        self.ask(&mut words)?;
        Ok(Channels { max_combined: words[4], combined: words[8] })
    }

    /// Its offloads, by the names that `ethtool -k` shows.
    ///
    /// # Errors
    /// It does not say, or there is no such interface.
    pub fn features(&self) -> io::Result<HashMap<String, Feature>> {
        // Command, reserved, a 64-bit mask of the sets, and the count.
        let sets = split(1 << FEATURE_NAMES);
        let mut counts = [GET_STRING_COUNTS, 0, sets[0], sets[1], 0];
        self.ask(&mut counts)?;
        let count = counts[4] as usize;

        let mut names = vec![0; 3 + count * NAME / size_of::<u32>()];
        names[..3].copy_from_slice(&[GET_STRINGS, FEATURE_NAMES, counts[4]]);
        self.ask(&mut names)?;
        let names = bytes(&names[3..]);

        let blocks = counts[4].div_ceil(u32::BITS);
        let mut bits = vec![0; 2 + blocks as usize * FEATURE_WORDS];
        bits[..2].copy_from_slice(&[GET_FEATURES, blocks]);
        self.ask(&mut bits)?;

        let features = names.chunks_exact(NAME).enumerate().map(|(number, name)| {
            let block = 2 + number / 32 * FEATURE_WORDS;
            let bit = 1 << (number % 32);
            let [available, _, active, never_changed] =
                [0, 1, 2, 3].map(|word| bits[block + word] & bit != 0);
            (text(name), Feature { on: active, fixed: !available || never_changed })
        });
        Ok(features.collect())
    }

    /// Gives the driver a question, whose first word is the command, and has it write its answer there. The
    /// buffer must have room for all of the command's answer.
    fn ask(&self, question: &mut [u32]) -> io::Result<()> {
        // SAFETY: all-zero is a valid value of this plain C struct.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // The last byte stays zero.
        let room = request.ifr_name.len() - 1;
        for (place, byte) in request.ifr_name[..room].iter_mut().zip(self.interface.bytes()) {
            *place = libc::c_char::from_ne_bytes([byte]);
        }
        request.ifr_ifru.ifru_data = question.as_mut_ptr().cast();
        retried(|| {
            // SAFETY: the socket is open; the request and the buffer that it points to outlive the call, which
            // writes no more than the command's struct and the lengths in it, for which all callers have room.
            let failed = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) } < 0;
            if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
        })
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A name up to its closing zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_offloads_and_no_queues_to_change() {
        let loopback = Ethtool::new("lo").unwrap();
        let features = loopback.features().unwrap();
        // `drivers/net/loopback.c`: always checksummed, and nothing to receive in large parts.
        assert_eq!(features["rx-checksum"], Feature { on: true, fixed: true });
        assert_eq!(features["rx-lro"], Feature { on: false, fixed: true });
        assert!(features["tx-tcp-segmentation"].on);
        assert_eq!(loopback.channels().unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        let nothing = Ethtool::new("a-name-longer-than-any-interface").unwrap();
        assert_eq!(nothing.driver().unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
