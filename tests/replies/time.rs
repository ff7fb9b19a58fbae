//! How long the host's conversations are remembered, and what makes them end.

use std::net::SocketAddr;

use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::classify::verdict;
use sensor_common::flow::{Flow, FlowKey, Memory as _, Stamp, Use, remember};
use sensor_common::layout::Passed;
use sensor_common::parse::protocol;
use sensor_harness::frame::{Frame, SENSOR_V4, SENSOR_V6};
use sensor_harness::model::Model;

use crate::table::table;
use crate::world::{PORT, Peer, Rules, Step, V4, V6, from, to};

/// Each kind of conversation lives as long as the kernel's conntrack has it, from its last packet on.
#[rstest]
#[case::tcp_unanswered(|peer| to(peer).tcp(443).source_port(PORT).syn(), |_| None, 120)]
#[case::tcp_answered(
    |peer| to(peer).tcp(443).source_port(PORT).syn(),
    |peer| Some(from(peer).tcp(PORT).source_port(443).syn_ack()),
    432_000
)]
#[case::tcp_reset_by_the_peer(
    |peer| to(peer).tcp(443).source_port(PORT).syn(),
    |peer| Some(from(peer).tcp(PORT).source_port(443).rst()),
    120
)]
#[case::udp_unanswered(|peer| to(peer).udp(443).source_port(PORT), |_| None, 30)]
#[case::udp_answered(
    |peer| to(peer).udp(443).source_port(PORT),
    |peer| Some(from(peer).udp(PORT).source_port(443)),
    120
)]
#[case::another_protocol(|peer| to(peer).protocol(50), |_| None, 600)]
fn conversations_are_forgotten_in_time(
    #[case] ask: fn(Peer) -> Frame,
    #[case] answer: fn(Peer) -> Option<Frame>,
    #[case] seconds: u64,
    #[values(V4, V6)] peer: Peer,
    // Where in a stretch of stamps the conversation begins.
    #[values(0, 1, 131, 4_100, 1_000_000)] start: u64,
) {
    let probe = || match ask(peer).bytes()[if matches!(peer, Peer::V4(_)) { 23 } else { 20 }] {
        6 => from(peer).tcp(PORT).source_port(443).rst(),
        17 => from(peer).udp(PORT).source_port(443),
        _ => from(peer).protocol(50),
    };
    let passes = |wait| {
        let model = Model::default();
        model.wait(start);
        remember(ask(peer).bytes().as_slice(), &model);
        if let Some(answer) = answer(peer) {
            model.wait(20);
            assert_eq!(verdict(answer.bytes().as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
        }
        model.wait(wait);
        verdict(probe().bytes().as_slice(), &Rules, &model) == Verdict::Pass(Passed::Reply)
    };
    assert!(passes(seconds), "forgotten too early");
    assert!(!passes(seconds + 1), "remembered too long");
}

/// A stream that only arrives keeps its conversation alive, and its port's stamp with it.
#[test]
fn what_arrives_keeps_a_conversation_alive() {
    let model = Model::default();
    remember(to(V4).udp(53).source_port(PORT).bytes().as_slice(), &model);
    for _ in 0..100 {
        model.wait(29);
        let frame = from(V4).udp(PORT).source_port(53).bytes();
        assert_eq!(verdict(frame.as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
    }
}

/// A connection that the host has closed is remembered for two minutes more, and no longer.
#[test]
fn the_hosts_own_close_shortens_a_connection() {
    for last in [Frame::fin, Frame::rst] {
        let model = Model::default();
        let out = || to(V4).tcp(443).source_port(PORT);
        let back = from(V4).tcp(PORT).source_port(443).push().bytes();
        remember(out().syn().bytes().as_slice(), &model);
        assert_eq!(verdict(back.as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
        remember(last(out()).bytes().as_slice(), &model);
        model.wait(120);
        assert_eq!(verdict(back.as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
        model.wait(121);
        assert_ne!(verdict(back.as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
    }
}

/// Nothing that arrives makes an entry.
#[test]
fn what_arrives_begins_nothing() {
    let model = Model::default();
    for (_, steps) in table() {
        for step in steps {
            if let Step::Arrives(frame, _) = step {
                assert_ne!(verdict(frame.bytes().as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
            }
        }
    }
    assert_eq!(model.flows(), 0);
}

/// A connection that was there before the program: the agent makes its entry, without knowing jiffies.
#[test]
fn a_seeded_connection_is_remembered() {
    let model = Model::default();
    model.wait(5_000_000);
    let local = SocketAddr::from((SENSOR_V4.to_ipv6_mapped(), PORT));
    let remote = SocketAddr::from(([192, 0, 2, 53], 443));
    let key = FlowKey::new(protocol::TCP, local, remote).expect("both ends are IPv4");
    model.insert_flow(&key, Flow::established(model.now()));
    model.set_stamp(Use::tcp(PORT), Stamp::FOREVER);
    model.wait(400_000);
    let back = from(V4).tcp(PORT).source_port(443).push().bytes();
    assert_eq!(verdict(back.as_slice(), &Rules, &model), Verdict::Pass(Passed::Reply));
    assert_ne!(model.stamp(Use::tcp(PORT)), Stamp::FOREVER, "the first packet replaces the stamp");
    assert_eq!(FlowKey::new(protocol::TCP, SocketAddr::from((SENSOR_V6, PORT)), remote), None);
}
