//! The kinds of packets that the programs are run over.

use sensor_harness::frame::{Frame, SCANNER_V4, SENSOR_V4, frame};

use crate::configuration::Configuration;
use crate::programs::{Destination, Draw};
use crate::sensor::ALLOWED_PORT;

/// Packets of one kind.
pub struct Traffic {
    /// Its name for programs.
    pub id: &'static str,
    /// Its name for people.
    pub what: &'static str,
    /// A packet of it.
    pub frame: Vec<u8>,
    /// What is drawn for each packet; `None`: all of them are the same.
    pub draw: Option<Draw>,
    /// What the host has sent before.
    pub sent: Vec<Vec<u8>>,
    /// Whether they answer that, and are let through.
    pub answers: bool,
    /// The sensors that see it.
    pub sensors: &'static [Configuration],
}

/// A port that the host itself uses.
const USED: u16 = 40_000;

/// Every kind, the one of the target first.
pub fn all() -> Vec<Traffic> {
    use Configuration::{
        Allowed10, Allowed1000, Constituency, Everything, Exhausted, Kept, Observe, One, Other, Sixteen,
        Untold,
    };

    let syn = |to: Frame| to.tcp(80).syn().padded(60).bytes();
    let draw = Some(Draw::ipv4());
    let to = |destination| draw.map(|draw| draw.to(destination));
    let one_port = to(Destination::One);
    let mut all = vec![
        kind(
            "syn",
            "bare SYN, random ports and sources",
            syn(frame().ipv4()),
            draw,
            &[
                One,
                Untold,
                Kept,
                Exhausted,
                Everything,
                Sixteen,
                Allowed10,
                Allowed1000,
                Constituency,
                Observe,
                Other,
            ],
        ),
        kind(
            "syn_skewed",
            "bare SYN, half of them to ten ports",
            syn(frame().ipv4()),
            to(Destination::Skewed),
            &[One, Untold, Exhausted, Other],
        ),
        kind(
            "syn_one_port",
            "bare SYN to one port, random sources",
            syn(frame().ipv4()),
            one_port,
            &[One, Untold, Exhausted, Constituency, Other],
        ),
        kind("syn_same", "bare SYN, always the same", syn(frame().ipv4()), None, &[One, Untold, Other]),
        kind(
            "syn_allowed",
            "bare SYN to the port of a rule, random sources",
            frame().ipv4().tcp(ALLOWED_PORT).syn().padded(60).bytes(),
            one_port,
            &[One, Allowed10, Allowed1000],
        ),
        kind(
            "syn_any_sensor",
            "bare SYN to 16 sensors, random",
            syn(frame().ipv4()),
            draw.map(|draw| draw.any_of(16)),
            &[Sixteen],
        ),
        kind(
            "syn_v6",
            "bare SYN, IPv6, random",
            syn(frame().ipv6()),
            Some(Draw::ipv6()),
            &[One, Untold, Sixteen, Constituency, Other],
        ),
        kind(
            "syn_vlan",
            "bare SYN, VLAN tag, random",
            syn(frame().vlan(7).ipv4()),
            Some(Draw::vlan()),
            &[One, Untold, Exhausted, Other],
        ),
        kind("udp", "UDP, random", datagram(53), draw, &[One, Untold, Sixteen, Other]),
        kind(
            "syn_ack",
            "SYN-ACK (backscatter), random",
            syn_ack(80),
            draw,
            &[One, Untold, Allowed1000, Other],
        ),
    ];
    all.extend(to_used_ports());
    all
}

/// Packets to ports that the host itself uses, solicited or not.
fn to_used_ports() -> [Traffic; 3] {
    use Configuration::One;

    let out = || frame().ipv4().from(SENSOR_V4).to(SCANNER_V4);
    let used = vec![
        out().tcp(443).source_port(USED).syn().bytes(),
        out().udp(53).source_port(USED).payload([0; 18]).bytes(),
    ];
    let one_port = Some(Draw::ipv4().to(Destination::One));
    [
        Traffic {
            sent: used.clone(),
            ..kind(
                "udp_used",
                "UDP to a port that the host uses, random sources",
                datagram(USED),
                one_port,
                &[One],
            )
        },
        Traffic {
            sent: used.clone(),
            ..kind(
                "tcp_used",
                "SYN-ACK to a port that the host uses, random sources",
                syn_ack(USED),
                one_port,
                &[One],
            )
        },
        Traffic {
            sent: used,
            answers: true,
            ..kind("answer", "SYN-ACK that the host asked for", syn_ack(USED), None, &[One])
        },
    ]
}

fn kind(
    id: &'static str,
    what: &'static str,
    frame: Vec<u8>,
    draw: Option<Draw>,
    sensors: &'static [Configuration],
) -> Traffic {
    Traffic { id, what, frame, draw, sent: Vec::new(), answers: false, sensors }
}

fn syn_ack(port: u16) -> Vec<u8> {
    frame().ipv4().tcp(port).source_port(443).syn_ack().padded(60).bytes()
}

fn datagram(port: u16) -> Vec<u8> {
    frame().ipv4().udp(port).payload([0; 18]).bytes()
}
