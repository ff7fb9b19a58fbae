//! Sockets from `/proc/net/tcp` and its like (`Documentation/networking/proc_net_tcp.rst`).
//!
//! For kernels without socket diagnostics. They are slower to read, and tell less: not which interface a socket
//! is bound to, and not whether an IPv6 listener takes IPv4 too, which most do.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Socket, State, ipv4_half};
use crate::config::Transport;

/// The sockets of one transport in the network namespace of the calling thread.
pub(super) fn read(transport: Transport) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for version in ["", "6"] {
        let text = match fs::read_to_string(format!("/proc/thread-self/net/{transport}{version}")) {
            // A kernel built without IPv6.
            Err(error) if version == "6" && error.kind() == io::ErrorKind::NotFound => continue,
            text => text?,
        };
        // The first line names the columns.
        for socket in text.lines().skip(1).filter_map(|line| parse(transport, line)) {
            sockets.push(socket);
            sockets.extend(ipv4_half(&socket));
        }
    }
    Ok(sockets)
}

/// A line: its number, both ends, the state, and what does not matter here.
fn parse(transport: Transport, line: &str) -> Option<Socket> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote) = (end(words.next()?)?, end(words.next()?)?);
    let state = State::from_number(u8::from_str_radix(words.next()?, 16).ok()?)?;
    let remote = (remote.port() != 0).then_some(remote);
    Some(Socket { transport, local, remote, state, interface: None })
}

/// An address as the words that lie in memory, and a port, all as hexadecimal numbers.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = address.get(8 * at..8 * (at + 1))?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from_octets(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (at, four) in octets.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from_octets(octets)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::super::Sockets;
    use super::*;

    #[test]
    fn both_ways_to_list_sockets_agree() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let both = TcpListener::bind("[::]:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect(v4.local_addr().unwrap()).unwrap();
        let mut ports = HashSet::from([udp.local_addr().unwrap().port()]);
        let mut open = Vec::new();
        for listener in [&v4, &v6, &both] {
            let port = listener.local_addr().unwrap().port();
            let host =
                if listener.local_addr().unwrap().ip() == Ipv6Addr::LOCALHOST { "::1" } else { "127.0.0.1" };
            open.push(TcpStream::connect((host, port)).unwrap());
            open.push(listener.accept().unwrap().0);
            ports.insert(port);
        }
        // Other tests have sockets of their own, or had one at a port that is ours now; none of ours is closed yet.
        let is_ours = |it: &Socket| ports.contains(&it.local.port()) && it.state != State::TimeWait;
        let ours = |sockets: Vec<Socket>| sockets.into_iter().filter(is_ours).collect::<HashSet<_>>();
        let table =
            ours([Transport::Tcp, Transport::Udp].into_iter().flat_map(|it| read(it).unwrap()).collect());
        assert_eq!(table, ours(Sockets::now().unwrap().0));
        // Four listeners, as one of them takes both IP versions, a socket for each session, and one for UDP.
        assert_eq!(table.len(), 4 + 3 + 1, "{table:?}");
    }

    #[test]
    fn what_is_no_socket_is_left_out() {
        for line in
            ["", "0: 0100007F 0100007F:0 0A", "0: 0100007F:0016 00000000:0000 FF", "0: 01:16 02:16 01"]
        {
            assert_eq!(parse(Transport::Tcp, line), None, "{line}");
        }
    }
}
