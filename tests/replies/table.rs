//! The table: what the host sends, what then arrives, and what must become of that.

use sensor_common::layout::Slot;
use sensor_harness::frame::Frame;

use crate::indirect::{administrators, errors, fragments_v4, fragments_v6};
use crate::world::{NEXT_V4, NEXT_V6, PORT, Peer, Step, V4, V6, counted, from, reply, sent, to};

pub type Case = (&'static str, Vec<Step>);

pub fn table() -> Vec<Case> {
    let mut cases = Vec::new();
    for (peer, next) in [(V4, NEXT_V4), (V6, NEXT_V6)] {
        cases.extend(tcp(peer, next));
        cases.extend(udp(peer, next));
        cases.extend(echo(peer, next));
        cases.extend(other_protocols(peer, next));
        cases.extend(errors(peer));
    }
    cases.extend(administrators());
    cases.extend(fragments_v4());
    cases.extend(fragments_v6());
    cases
}

fn tcp(peer: Peer, next: Peer) -> Vec<Case> {
    let out = || to(peer).tcp(443).source_port(PORT);
    let back = || from(peer).tcp(PORT).source_port(443);
    let slot = Slot::tcp(PORT);
    vec![
        ("TCP: nothing sent", vec![counted(back().syn_ack(), slot), counted(back().rst(), slot)]),
        (
            "TCP: a connection",
            vec![
                sent(out().syn()),
                reply(back().syn_ack()),
                sent(out().push()),
                reply(back().push()),
                sent(out().fin()),
                reply(back().fin()),
            ],
        ),
        ("TCP: refused", vec![sent(out().syn()), reply(back().rst())]),
        (
            "TCP: a forged reset cuts nothing",
            vec![sent(out().syn()), reply(back().rst()), reply(back().push())],
        ),
        ("TCP: behind VLAN tags", vec![sent(out().syn()), reply(back().vlan(7).vlan(8).syn_ack())]),
        (
            "TCP: almost the same conversation",
            vec![
                sent(out().syn()),
                counted(from(peer).tcp(PORT ^ 1).source_port(443).push(), Slot::tcp(PORT ^ 1)),
                counted(from(peer).tcp(PORT).source_port(442).push(), slot),
                counted(from(next).tcp(PORT).source_port(443).push(), slot),
                counted(from(peer).udp(PORT).source_port(443), Slot::udp(PORT)),
            ],
        ),
        ("TCP: a scan of a port in use", vec![sent(out().syn()), counted(back().syn(), slot)]),
        ("TCP: a SYN-ACK begins nothing", vec![sent(out().syn_ack()), counted(back().push(), slot)]),
        ("TCP: a reset begins nothing", vec![sent(out().rst()), counted(back().push(), slot)]),
        ("TCP: a listener's data begins nothing", vec![sent(out().push()), counted(back().push(), slot)]),
        (
            "TCP: a forgotten connection is known again by the host's next segment",
            vec![
                sent(to(next).tcp(443).source_port(PORT).syn()),
                counted(back().push(), slot),
                sent(out().push()),
                reply(back().push()),
            ],
        ),
        ("TCP: broken", vec![sent(out().syn().data_offset(4)), counted(back().push(), slot)]),
    ]
}

fn udp(peer: Peer, next: Peer) -> Vec<Case> {
    let out = || to(peer).udp(53).source_port(PORT);
    let back = || from(peer).udp(PORT).source_port(53);
    let slot = Slot::udp(PORT);
    vec![
        ("UDP: nothing sent", vec![counted(back(), slot)]),
        ("UDP: a question", vec![sent(out()), reply(back()), reply(back().payload([0; 1200]))]),
        (
            "UDP: almost the same conversation",
            vec![
                sent(out()),
                counted(from(peer).udp(PORT ^ 1).source_port(53), Slot::udp(PORT ^ 1)),
                counted(from(peer).udp(PORT).source_port(52), slot),
                counted(from(next).udp(PORT).source_port(53), slot),
                counted(from(peer).tcp(PORT).source_port(53).push(), Slot::tcp(PORT)),
            ],
        ),
    ]
}

fn echo(peer: Peer, next: Peer) -> Vec<Case> {
    let (ask, answer) = match peer {
        Peer::V4(_) => (8, 0),
        Peer::V6(_) => (128, 129),
    };
    let message = |frame: Frame, kind| match peer {
        Peer::V4(_) => frame.icmp(kind, 0).echo_id(77),
        Peer::V6(_) => frame.icmpv6(kind, 0).echo_id(77),
    };
    let slot = |kind| match peer {
        Peer::V4(_) => Slot::icmp(kind, 0),
        Peer::V6(_) => Slot::icmpv6(kind, 0),
    };
    vec![
        ("echo: nothing sent", vec![counted(message(from(peer), answer), slot(answer))]),
        (
            "echo: a ping",
            vec![
                sent(message(to(peer), ask)),
                reply(message(from(peer), answer)),
                counted(message(from(peer), ask), slot(ask)),
                counted(message(from(peer), answer).echo_id(76), slot(answer)),
                counted(message(from(next), answer), slot(answer)),
            ],
        ),
        (
            "echo: a reply begins nothing",
            vec![sent(message(to(peer), answer)), counted(message(from(peer), answer), slot(answer))],
        ),
    ]
}

fn other_protocols(peer: Peer, next: Peer) -> Vec<Case> {
    let slot = |number| match peer {
        Peer::V4(_) => Slot::protocol_v4(number),
        Peer::V6(_) => Slot::protocol_v6(number),
    };
    let mut cases = Vec::new();
    for number in [50, 47, 41, 132] {
        cases.push((
            "another protocol",
            vec![
                counted(from(peer).protocol(number).payload([1; 16]), slot(number)),
                sent(to(peer).protocol(number).payload([1; 16])),
                reply(from(peer).protocol(number).payload([2; 16])),
                counted(from(next).protocol(number).payload([2; 16]), slot(number)),
                counted(from(peer).protocol(253).payload([2; 16]), slot(253)),
            ],
        ));
    }
    cases
}
