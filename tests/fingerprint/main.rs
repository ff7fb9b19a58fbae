//! What made a packet: the rules on frames as tools and operating systems send them, and what the program in the kernel
//! makes of the same frames.

#[path = "../common/mod.rs"]
mod common;
mod documented;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;
use sensor_common::classify::{Verdict, general_judgement, judge};
use sensor_common::fingerprint::{Clock, of_frame};
use sensor_common::flow::Forgetful;
use sensor_common::layout::Slot;
use sensor_common::layout::side::{Side, TcpKind, Tool};
use sensor_common::parse::Everything;
use sensor_harness::frame::{Extension, Frame, frame};
use sensor_harness::table::WithoutRules;
use sensor_harness::{needs, pace};
use sensor_user::kernel::Variant;

use common::Kernel;

const SENSOR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const SENSOR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
/// Where SYNs go.
const PORT: u16 = 23;
/// The time in the table, as Unix seconds.
const NOW: u32 = 1_790_000_000;

/// A clock that stands still.
struct Stopped(u32);

impl Clock for Stopped {
    fn unix_seconds(&self) -> u32 {
        self.0
    }
}

const MSS: &[u8] = &[2, 4, 5, 0xb4];
/// Windows', and `ZMap`'s from 4.1 on.
const ZMAP: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];

/// Linux': MSS, SACK permitted, timestamp, NOP, window scale.
fn linux(value: u32, echo: u32) -> Vec<u8> {
    let mut options = vec![2, 4, 5, 0xb4, 4, 2, 8, 10];
    options.extend(value.to_be_bytes());
    options.extend(echo.to_be_bytes());
    options.extend([1, 3, 3, 7]);
    options
}

/// macOS': MSS, NOP, window scale, NOP, NOP, timestamp, SACK permitted, end.
fn bsd(value: u32, echo: u32) -> Vec<u8> {
    let mut options = vec![2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10];
    options.extend(value.to_be_bytes());
    options.extend(echo.to_be_bytes());
    options.extend([4, 2, 0, 0]);
    options
}

/// A SYN to 23/TCP of which nothing but what is set tells anything.
fn syn() -> Frame {
    frame().ipv4().to(SENSOR).hops(50).ip_id(7).tcp(PORT).syn().sequence(0x1234_5678).window(29_200)
}

fn syn_v6() -> Frame {
    frame().ipv6().to(SENSOR_V6).hops(50).tcp(PORT).syn().sequence(0x1234_5678).window(29_200)
}

/// masscan's identification.
fn masscan(frame: Frame, sequence: u32) -> Frame {
    let mark = SENSOR.to_bits() ^ u32::from(PORT) ^ sequence;
    frame.sequence(sequence).ip_id(u16::try_from(mark & 0xffff).expect("16 bits"))
}

#[rstest]
#[case::mirai(syn().sequence(SENSOR.to_bits()), Tool::Mirai)]
#[case::mirai_with_the_mark_of_zmap(syn().sequence(SENSOR.to_bits()).ip_id(54_321), Tool::Mirai)]
#[case::mirai_in_two_tags(syn().vlan(7).vlan(8).sequence(SENSOR.to_bits()), Tool::Mirai)]
#[case::mirai_pushing(syn().push().syn().sequence(SENSOR.to_bits()), Tool::Mirai)]
#[case::next_to_mirai(syn().sequence(SENSOR.to_bits() + 1), Tool::Other)]
#[case::masscan_to_1_3_2(masscan(syn(), 0xdead_beef).hops(250).window(1024), Tool::Masscan)]
#[case::masscan_since(masscan(syn(), 9).hops(250).window(1025).tcp_options(MSS), Tool::Masscan)]
#[case::masscan_with_options_of_ip(masscan(syn(), 9).window(1024).ip_options(&[1, 1, 1, 0]), Tool::Masscan)]
#[case::masscan_by_chance_and_df(masscan(syn(), 9).window(1024).dont_fragment(), Tool::Other)]
#[case::nmap_with_masscans_identification(
    masscan(syn(), 9).window(1024).tcp_options(MSS),
    Tool::NmapLikely
)]
#[case::nmap_with_zmaps_identification(syn().ip_id(54_321).window(1024).tcp_options(MSS), Tool::NmapLikely)]
#[case::zmap_2(syn().hops(250).ip_id(54_321).window(65_535), Tool::Zmap)]
#[case::zmap_3(syn().hops(250).ip_id(54_321).window(65_535).tcp_options(MSS), Tool::Zmap)]
#[case::zmap_by_chance_and_df(syn().ip_id(54_321).window(65_535).dont_fragment(), Tool::Other)]
#[case::zmap_4_1(syn().window(65_535).tcp_options(ZMAP), Tool::ZmapLikely)]
#[case::zmap_4_1_from_255(syn().hops(240).window(65_535).tcp_options(ZMAP), Tool::ZmapLikely)]
#[case::zmap_4_1_from_128(syn().hops(120).window(65_535).tcp_options(ZMAP), Tool::Other)]
#[case::zmap_4_1_as_linux(syn().window(65_535).tcp_options(&linux(NOW, 0)), Tool::Zmap)]
#[case::zmap_4_1_as_bsd(syn().window(65_535).tcp_options(&bsd(NOW + 3_600, 0)), Tool::Zmap)]
#[case::a_clock_a_day_behind(syn().tcp_options(&linux(NOW - 86_400, 0)), Tool::Zmap)]
#[case::a_clock_further_behind(syn().tcp_options(&linux(NOW - 86_401, 0)), Tool::Other)]
#[case::a_clock_further_ahead(syn().tcp_options(&bsd(NOW + 86_401, 0)), Tool::Other)]
#[case::an_echo(syn().tcp_options(&linux(NOW, 1)), Tool::Other)]
#[case::a_time_and_df(syn().dont_fragment().tcp_options(&linux(NOW, 0)), Tool::Other)]
#[case::unicornscan(syn().hops(240).window(4_128).tcp_options(MSS), Tool::Unicornscan)]
#[case::nmap(syn().window(1_024).tcp_options(MSS), Tool::NmapLikely)]
#[case::nmap_before(syn().window(3_072).tcp_options(MSS), Tool::NmapLikely)]
#[case::a_window_of_5120(syn().window(5_120).tcp_options(MSS), Tool::Other)]
#[case::nmaps_window_without_options(syn().window(1_024), Tool::Other)]
#[case::nmaps_window_and_df(syn().window(1_024).dont_fragment().tcp_options(MSS), Tool::Other)]
#[case::linux(syn().hops(60).dont_fragment().window(64_240).tcp_options(&linux(77, 0)), Tool::Other)]
#[case::windows(syn().hops(120).dont_fragment().window(64_240).tcp_options(ZMAP), Tool::Other)]
#[case::windows_at_most(syn().hops(120).dont_fragment().window(65_535).tcp_options(ZMAP), Tool::Other)]
#[case::macos(syn().hops(60).dont_fragment().window(65_535).tcp_options(&bsd(77, 0)), Tool::Other)]
#[case::freebsd(
    syn().hops(60).dont_fragment().window(65_535).tcp_options(&[
        2, 4, 5, 0xb4, 1, 3, 3, 6, 4, 2, 8, 10, 0, 0, 0, 77, 0, 0, 0, 0,
    ]),
    Tool::Other
)]
#[case::openbsd(
    syn().hops(60).dont_fragment().window(16_384).tcp_options(&[
        2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 6, 1, 1, 8, 10, 0, 0, 0, 77, 0, 0, 0, 0,
    ]),
    Tool::Other
)]
#[case::cisco_behind_a_short_way(syn().hops(120).window(4_128).tcp_options(MSS), Tool::Other)]
#[case::ipv6_nmap(syn_v6().window(1_024).tcp_options(MSS), Tool::NmapLikely)]
#[case::ipv6_zmap(syn_v6().window(65_535).tcp_options(ZMAP), Tool::ZmapLikely)]
#[case::ipv6_zmap_as_linux(syn_v6().tcp_options(&linux(NOW, 0)), Tool::Zmap)]
#[case::ipv6_sequence_0(syn_v6().sequence(0), Tool::Other)]
#[case::ipv6_plain(syn_v6(), Tool::Other)]
#[case::ipv6_behind_a_header(syn_v6().extension(Extension::hop_by_hop()).window(1_024).tcp_options(MSS), Tool::NmapLikely)]
fn a_syn_is_told_by_its_headers(#[case] frame: Frame, #[case] tool: Tool) {
    let (plain, tagged) = (frame.clone().bytes(), frame.vlan(7).bytes());
    assert_eq!(of_frame(plain.as_slice(), &Stopped(NOW)), Side::tool(tool));
    let host = WithoutRules(Everything);
    for bytes in [plain, tagged] {
        let general = general_judgement(bytes.as_slice(), &host, &Forgetful);
        assert_eq!(judge(bytes.as_slice(), &host, &Forgetful), general);
    }
}

#[rstest]
#[case::syn_ack(frame().ipv4().tcp(80).syn_ack(), Side::tcp(TcpKind::SynAck))]
#[case::rst(frame().ipv4().tcp(80).rst(), Side::tcp(TcpKind::Rst))]
#[case::xmas(frame().ipv4().tcp(80).christmas(), Side::tcp(TcpKind::Xmas))]
#[case::fin_ack(frame().ipv4().tcp(80).fin(), Side::tcp(TcpKind::Ack))]
#[case::null(frame().ipv4().tcp(80), Side::tcp(TcpKind::Null))]
#[case::null_v6(frame().ipv6().tcp(80), Side::tcp(TcpKind::Null))]
#[case::dns(frame().ipv4().udp(80).source_port(53), Side::UDP_REFLECTOR)]
#[case::dns_v6(frame().ipv6().udp(80).source_port(53), Side::UDP_REFLECTOR)]
#[case::no_reflector(frame().ipv4().udp(53).source_port(1_025), Side::NONE)]
#[case::icmp(frame().ipv4().icmp(3, 1), Side::NONE)]
#[case::later_fragment(frame().ipv4().fragment(8, false).tcp(80).syn(), Side::NONE)]
#[case::broken(frame().ipv4().tcp(80).syn().data_offset(4), Side::NONE)]
#[case::arp(frame().ether_type(0x0806).payload([0; 46]), Side::NONE)]
fn every_packet_has_one_side_counter_at_most(#[case] frame: Frame, #[case] side: Side) {
    assert_eq!(of_frame(frame.padded(60).bytes().as_slice(), &Stopped(NOW)), side);
}

/// The program is given what the tables above have, with the real time for its clock.
#[rstest]
fn the_program_tells_the_same(
    #[values(Variant::Linear, Variant::MultiBuffer)] variant: Variant,
) -> Result<()> {
    let mut kernel = needs!(Kernel::with(variant, "[[sensor]]\nname = \"everything\"\n", false)?);
    let now = u32::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_secs())?;
    let frames = [
        syn().sequence(SENSOR.to_bits()),
        masscan(syn(), 9).window(1025).tcp_options(MSS),
        syn().ip_id(54_321).window(65_535),
        syn().window(65_535).tcp_options(ZMAP),
        syn().window(65_535).tcp_options(&linux(now, 0)),
        syn().window(65_535).tcp_options(&bsd(now - 1_000, 0)),
        syn().tcp_options(&linux(now - 90_000, 0)),
        syn().hops(240).window(4_128).tcp_options(MSS),
        syn().window(2_048).tcp_options(MSS),
        syn().dont_fragment().tcp_options(&linux(77, 0)),
        syn_v6().window(1_024).tcp_options(MSS),
        syn_v6().tcp_options(&bsd(now, 0)),
    ];
    for frame in frames {
        // By the short ways, and by the general one.
        for frame in [frame.clone(), frame.clone().vlan(7), frame.vlan(7).vlan(8)] {
            let bytes = frame.padded(60).bytes();
            let expected = Verdict::Count { sensor: 0, slot: Slot::tcp(PORT) };
            kernel.run(variant, &bytes, expected).with_context(|| format!("{bytes:02x?}"))?;
        }
    }
    kernel.nothing_else_moved()
}

/// SYNs as operating systems send them, whatever their numbers: they are nobody's.
#[test]
fn ordinary_syns_are_nobodys() {
    let mut random = SplitMix64::seed_from_u64(16);
    let marked = (0..pace::amount(1_000_000)).filter(|_| {
        let options = linux(random.random(), 0);
        let frame = syn().hops(40 + random.random::<u8>() % 24).dont_fragment().ip_id(random.random());
        let frame = frame.sequence(random.random()).window(64_240).tcp_options(&options);
        of_frame(frame.bytes().as_slice(), &Stopped(NOW)) != Side::tool(Tool::Other)
    });
    // By chance, one in 2^32 has Mirai's mark.
    assert_eq!(marked.count(), 0);
}
