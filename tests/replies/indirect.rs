//! The table's rows about what tells of a packet, or belongs to one, without being an answer: ICMP errors
//! and later fragments.

use std::net::{Ipv4Addr, Ipv6Addr};

use sensor_common::classify::Verdict;
use sensor_common::layout::{Passed, Slot};
use sensor_harness::frame::Extension;

use crate::table::Case;
use crate::world::{
    ADMINISTRATOR_V4, ADMINISTRATOR_V6, NEXT_V4, NEXT_V6, PORT, Peer, Step, V4, V6, counted, error, from,
    management, reply, sent, to,
};

pub fn errors(peer: Peer) -> Vec<Case> {
    let out = || to(peer).udp(33_434).source_port(PORT).payload([0; 64]);
    let syn = || to(peer).tcp(443).source_port(PORT).syn();
    let (kinds, redirect, header): (&[u8], u8, usize) = match peer {
        Peer::V4(_) => (&[3, 11, 12], 5, 20),
        Peer::V6(_) => (&[1, 2, 3, 4], 137, 40),
    };
    let slot = |kind, code| match peer {
        Peer::V4(_) => Slot::icmp(kind, code),
        Peer::V6(_) => Slot::icmpv6(kind, code),
    };
    let mut cases = Vec::new();
    for &kind in kinds {
        let about = |frame, length| error(peer, kind, 0, frame, length);
        cases.push((
            "ICMP errors",
            vec![
                counted(about(out(), 200), slot(kind, 0)),
                sent(out()),
                reply(about(out(), 200)),
                reply(about(out(), header + 8)),
                counted(about(out(), header + 7), slot(kind, 0)),
                counted(about(out(), header), slot(kind, 0)),
                counted(about(out(), 0), slot(kind, 0)),
                counted(about(out().source_port(PORT ^ 1), 200), slot(kind, 0)),
                counted(about(to(peer).udp(33_435).source_port(PORT), 200), slot(kind, 0)),
                counted(about(to(peer).tcp(33_434).source_port(PORT).syn(), 200), slot(kind, 0)),
                // What the other side sent is not the host's to be told of.
                counted(about(from(peer).udp(PORT).source_port(33_434), 200), slot(kind, 0)),
                // Nor is it told about another host's packet.
                counted(
                    match peer {
                        Peer::V4(_) => about(out().from(Ipv4Addr::new(198, 51, 100, 6)), 200),
                        Peer::V6(_) => about(out().from(Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 6)), 200),
                    },
                    slot(kind, 0),
                ),
                sent(syn()),
                reply(about(syn(), header + 8)),
            ],
        ));
    }
    cases.push((
        "a redirect is no error",
        vec![sent(out()), counted(error(peer, redirect, 0, out(), 200), slot(redirect, 0))],
    ));
    cases.push((
        "an error opens nothing",
        vec![
            sent(out()),
            reply(error(peer, kinds[0], 0, out(), 200)),
            counted(from(peer).udp(PORT).source_port(33_435), Slot::udp(PORT)),
        ],
    ));
    cases
}

/// What an administrator's conversations need beyond the packets that the rules name.
pub fn administrators() -> Vec<Case> {
    let mut cases = Vec::new();
    for peer in [ADMINISTRATOR_V4, ADMINISTRATOR_V6] {
        let (kind, code, echo, slot) = match peer {
            Peer::V4(_) => (3, 4, to(peer).icmp(0, 0).payload([0; 64]), Slot::icmp(3, 4)),
            Peer::V6(_) => (2, 0, to(peer).icmpv6(129, 0).payload([0; 64]), Slot::icmpv6(2, 0)),
        };
        let ssh = || to(peer).tcp(50_000).source_port(22).push().payload([0; 64]);
        let snmp = || to(peer).udp(50_000).source_port(161).payload([0; 64]);
        let about = |frame| error(peer, kind, code, frame, 200);
        cases.push((
            "an administrator's path",
            vec![
                management(about(ssh())),
                management(about(snmp())),
                management(about(echo)),
                counted(about(to(peer).tcp(50_000).source_port(23).push()), slot),
                counted(about(to(peer).udp(50_000).source_port(22)), slot),
                // Only to one whom the rules name.
                counted(
                    match peer {
                        Peer::V4(_) => about(ssh().to(Ipv4Addr::new(192, 0, 2, 1))),
                        Peer::V6(_) => about(ssh().to(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1))),
                    },
                    slot,
                ),
            ],
        ));
    }
    cases
}

pub fn fragments_v4() -> Vec<Case> {
    let first =
        |peer, id| from(peer).fragment(0, true).ip_id(id).udp(PORT).source_port(53).payload([0; 1472]);
    let later = |peer, id| from(peer).fragment(185, false).ip_id(id).protocol(17).payload([0; 64]);
    let slot = Slot::fragment(17);
    let question = || sent(to(V4).udp(53).source_port(PORT));
    let snmp = |id| from(ADMINISTRATOR_V4).fragment(0, true).ip_id(id).udp(161).payload([0; 1472]);
    let offer =
        from(V4).fragment(0, true).ip_id(5).udp(68).source_port(67).payload([2; 240]).udp_length(3_000);
    vec![
        (
            "IPv4 fragments of a DHCP server's answer",
            vec![
                sent(to(V4).udp(67).source_port(68).payload([1; 240])),
                Step::Arrives(offer, Verdict::Pass(Passed::Link)),
                counted(later(V4, 5), slot),
            ],
        ),
        (
            "IPv4 fragments of a reply",
            vec![
                question(),
                counted(later(V4, 9), slot),
                reply(first(V4, 9).udp_length(3_000)),
                reply(later(V4, 9)),
                reply(later(V4, 9)),
                counted(later(V4, 8), slot),
                counted(later(NEXT_V4, 9), slot),
                counted(
                    from(V4).fragment(185, false).ip_id(9).protocol(6).payload([0; 64]),
                    Slot::fragment(6),
                ),
            ],
        ),
        (
            "IPv4 fragments of what nobody asked for",
            vec![counted(first(V4, 9).udp_length(3_000), Slot::udp(PORT)), counted(later(V4, 9), slot)],
        ),
        (
            "IPv4 fragments of management",
            vec![
                management(snmp(7).udp_length(3_000)),
                management(later(ADMINISTRATOR_V4, 7)),
                counted(later(ADMINISTRATOR_V4, 6), slot),
                counted(later(V4, 7), slot),
            ],
        ),
    ]
}

pub fn fragments_v6() -> Vec<Case> {
    let first = |peer, id| {
        let header = Extension::fragment_of(id, 0, true);
        from(peer).extension(header).udp(PORT).source_port(53).payload([0; 1024]).udp_length(3_000)
    };
    let later =
        |peer, id| from(peer).extension(Extension::fragment_of(id, 129, false)).protocol(17).payload([0; 64]);
    let slot = Slot::fragment(17);
    let question = || sent(to(V6).udp(53).source_port(PORT));
    let quoted = |header: Extension| to(V6).extension(header).udp(53).source_port(PORT).payload([0; 64]);
    let too_big = |about| error(V6, 2, 0, about, 200);
    vec![
        (
            "IPv6 fragments of a reply",
            vec![
                question(),
                counted(later(V6, 0x10009), slot),
                reply(first(V6, 0x10009)),
                reply(later(V6, 0x10009)),
                counted(later(V6, 0x20009), slot),
                counted(later(V6, 0x10008), slot),
                counted(later(NEXT_V6, 0x10009), slot),
            ],
        ),
        (
            "IPv6 fragments whose headers lie within the first",
            vec![
                question(),
                reply(
                    from(V6)
                        .extension(Extension::fragment_of(5, 0, true))
                        .extension(Extension::destination(0))
                        .udp(PORT)
                        .source_port(53)
                        .payload([0; 64]),
                ),
                reply(from(V6).extension(Extension::fragment_of(5, 9, false)).protocol(60).payload([0; 64])),
            ],
        ),
        (
            "an IPv6 datagram in one fragment awaits no others",
            vec![
                question(),
                reply(from(V6).extension(Extension::fragment_of(6, 0, false)).udp(PORT).source_port(53)),
                counted(later(V6, 6), slot),
            ],
        ),
        (
            "IPv6 errors about fragments",
            vec![
                question(),
                reply(too_big(quoted(Extension::fragment_of(3, 0, true)))),
                counted(too_big(quoted(Extension::fragment_of(3, 9, true))), Slot::icmpv6(2, 0)),
                counted(too_big(quoted(Extension::routing())), Slot::icmpv6(2, 0)),
            ],
        ),
    ]
}
