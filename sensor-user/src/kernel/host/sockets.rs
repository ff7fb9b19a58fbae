//! The host's TCP and UDP sockets, from the kernel's socket diagnostics (`sock_diag(7)`).
//!
//! They tell who is connected, what listens, and which conversations the host itself has begun, all in the
//! network namespace of the calling thread.

mod table;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use super::ask::ask;
use crate::config::Transport;

/// A socket, or one half of one that listens for both IP versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Socket {
    /// TCP or UDP.
    pub transport: Transport,
    /// Its own address and port: never IPv4-mapped; unspecified if it listens on every address of that IP
    /// version.
    pub local: SocketAddr,
    /// Whom it talks to; `None` if it takes packets from anyone.
    pub remote: Option<SocketAddr>,
    /// Where in its life it is.
    pub state: State,
    /// The number of the interface that it is bound to, if it is: always for IPv6 link-local addresses.
    pub interface: Option<u32>,
}

/// The states of a TCP socket (RFC 9293 §3.3.2). A UDP socket is [`State::Established`] if it is connected,
/// otherwise [`State::Closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum State {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

impl State {
    /// As the kernel numbers them (`include/net/tcp_states.h`); later kernels may have more.
    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }
}

/// All sockets at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets(pub Vec<Socket>);

impl Sockets {
    /// Asks the kernel.
    ///
    /// # Errors
    /// It does not answer, and /proc is not mounted.
    pub fn now() -> Result<Self> {
        let mut sockets = Vec::new();
        for transport in [Transport::Tcp, Transport::Udp] {
            // Diagnostics are a module, which a hardened host may not load.
            let found = diagnose(transport).or_else(|_| table::read(transport));
            sockets.extend(found.with_context(|| {
                format!(
                    "cannot list the {transport} sockets: try `modprobe {transport}_diag`, or mount /proc"
                )
            })?);
        }
        Ok(Self(sockets))
    }

    /// What takes packets from anyone: TCP listeners and unconnected UDP sockets.
    pub fn listeners(&self) -> impl Iterator<Item = &Socket> {
        self.0.iter().filter(|socket| {
            socket.local.port() != 0
                && match socket.transport {
                    Transport::Tcp => socket.state == State::Listen,
                    Transport::Udp => socket.state == State::Closed,
                }
        })
    }

    /// TCP sessions that somebody else began: established, and to a port that this host listens on.
    pub fn inbound(&self) -> impl Iterator<Item = &Socket> {
        let listening = self.listening();
        self.0.iter().filter(move |socket| {
            socket.transport == Transport::Tcp
                && socket.state == State::Established
                && is_listened_on(&listening, socket.local)
        })
    }

    /// What this host began: TCP on its way up, established or on its way down, and connected UDP. A session
    /// whose listener is gone cannot be told from these, and is among them.
    pub fn outbound(&self) -> impl Iterator<Item = &Socket> {
        let listening = self.listening();
        self.0.iter().filter(move |socket| {
            let alive = match socket.state {
                State::Established
                | State::SynSent
                | State::FinWait1
                | State::FinWait2
                | State::CloseWait
                | State::LastAck
                | State::Closing => true,
                State::SynReceived | State::TimeWait | State::Closed | State::Listen => false,
            };
            let begun_by_others =
                socket.transport == Transport::Tcp && is_listened_on(&listening, socket.local);
            alive && socket.remote.is_some() && !begun_by_others
        })
    }

    fn listening(&self) -> HashSet<SocketAddr> {
        let tcp = self.listeners().filter(|listener| listener.transport == Transport::Tcp);
        tcp.map(|listener| listener.local).collect()
    }
}

fn is_listened_on(listening: &HashSet<SocketAddr>, local: SocketAddr) -> bool {
    let everywhere = SocketAddr::new(unspecified(local.ip()), local.port());
    listening.contains(&local) || listening.contains(&everywhere)
}

/// The address that stands for all of the same IP version.
const fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn diagnose(transport: Transport) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for family in [AF_INET, AF_INET6] {
        sockets.extend(dump(family, transport)?.iter().flat_map(|response| read(transport, response)));
    }
    Ok(sockets)
}

fn dump(family: u8, transport: Transport) -> io::Result<Vec<InetResponse>> {
    let request = InetRequest {
        family,
        protocol: match transport {
            Transport::Tcp => IPPROTO_TCP,
            Transport::Udp => IPPROTO_UDP,
        },
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() },
    };
    let question = SockDiagMessage::InetRequest(request);
    let answer = match ask(NETLINK_SOCK_DIAG, NLM_F_REQUEST | NLM_F_DUMP, question) {
        // A kernel built without IPv6: that it has the transport's diagnostics, IPv4 has shown.
        Err(error) if family == AF_INET6 && error.kind() == io::ErrorKind::NotFound => Vec::new(),
        answer => answer?,
    };
    let responses = answer.into_iter().filter_map(|message| match message {
        SockDiagMessage::InetResponse(response) => Some(*response),
        _ => None,
    });
    Ok(responses.collect())
}

/// The socket, and its IPv4 half if it is an IPv6 one that listens for both.
fn read(transport: Transport, response: &InetResponse) -> impl Iterator<Item = Socket> {
    let id = &response.header.socket_id;
    let socket = State::from_number(response.header.state).map(|state| Socket {
        transport,
        local: SocketAddr::new(id.source_address.to_canonical(), id.source_port),
        remote: (id.destination_port != 0)
            .then(|| SocketAddr::new(id.destination_address.to_canonical(), id.destination_port)),
        state,
        interface: (id.interface_id != 0).then_some(id.interface_id),
    });
    let for_both = response.nlas.contains(&Nla::SkV6Only(false));
    let v4 = socket.as_ref().filter(|_| for_both).and_then(ipv4_half);
    socket.into_iter().chain(v4)
}

/// The IPv4 half of a socket that takes packets to every address of both IP versions.
fn ipv4_half(socket: &Socket) -> Option<Socket> {
    let everywhere = socket.remote.is_none() && socket.local.ip() == Ipv6Addr::UNSPECIFIED;
    everywhere.then(|| Socket {
        local: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), socket.local.port()),
        ..*socket
    })
}
