//! By which doors peers come in: what they may see is decided by that alone.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::socket::Door;
use crate::view::Sight;

/// How a peer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// From where; nowhere's address by a Unix socket.
    pub(super) address: IpAddr,
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Network,
    Loopback,
    UnixSocket,
}

impl Came {
    /// What whoever came so may see, if addresses are shown on loopback or are not.
    pub(super) const fn sight(self, addresses_on_loopback: bool) -> Sight {
        match self.by {
            By::UnixSocket => Sight::Addresses,
            By::Loopback if addresses_on_loopback => Sight::Addresses,
            By::Loopback | By::Network => Sight::Counts,
        }
    }
}

/// Where peers come in.
pub trait Accept: Send {
    /// What they come with.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next one. Nothing is lost where this is given up.
    ///
    /// # Errors
    /// The kernel refuses one.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Came)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Came)> {
        let (stream, peer) = Self::accept(self).await?;
        let own = stream.local_addr()?.ip();
        let is_loopback = is_loopback(own) && is_loopback(peer.ip());
        Ok((stream, Came { address: peer.ip(), by: if is_loopback { By::Loopback } else { By::Network } }))
    }
}

impl Accept for Door {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Came)> {
        let stream = Self::accept(self).await?;
        Ok((stream, Came { address: Ipv4Addr::UNSPECIFIED.into(), by: By::UnixSocket }))
    }
}

/// Whether an address is the host's to itself, as a socket for both versions of IP may say it too.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unix(By::UnixSocket, false, Sight::Addresses)]
    #[case::loopback(By::Loopback, false, Sight::Counts)]
    #[case::loopback_as_configured(By::Loopback, true, Sight::Addresses)]
    #[case::network(By::Network, true, Sight::Counts)]
    fn a_door_decides(#[case] by: By, #[case] on_loopback: bool, #[case] sight: Sight) {
        let came = Came { address: Ipv4Addr::LOCALHOST.into(), by };
        assert_eq!(came.sight(on_loopback), sight);
    }

    #[rstest]
    #[case("127.0.0.1", true)]
    #[case("127.8.0.1", true)]
    #[case("::1", true)]
    #[case("::ffff:127.0.0.1", true)]
    #[case("0.0.0.0", false)]
    #[case("192.0.2.1", false)]
    #[case("::ffff:192.0.2.1", false)]
    fn loopback_is_known_in_all_its_forms(#[case] address: &str, #[case] expected: bool) {
        assert_eq!(is_loopback(address.parse().unwrap()), expected);
    }
}
