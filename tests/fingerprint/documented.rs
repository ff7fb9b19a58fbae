//! SYNs as operating systems and programs send them, by the header values that are documented of them.
//!
//! From: p0f 3's `p0f.fp` (`[tcp:request]`; the newest there is Windows 8, Linux 3 and FreeBSD 9); Linux 5.4's
//! `tcp_default_init_rwnd` and Windows 10's default for what is newer; for tools, their own sources: `ZMap`'s
//! `module_tcp_synscan.c` and `packet.c`, masscan's `templ-pkt.c` and `templ-opts.c`, Nmap's `scan_engine_raw.cc` and
//! `osscan2.cc`, hping3's `globals.h`, Scapy's `inet.py`.

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;
use sensor_common::fingerprint::of_frame;
use sensor_common::layout::side::{Side, Tool};
use sensor_harness::frame::Frame;

use super::{NOW, Stopped, masscan, syn, syn_v6};

/// TCP options, written as in `mss1460 nop ws8 sok ts eol`; a timestamp has this value, and no echo.
fn options(layout: &str, timestamp: u32) -> Vec<u8> {
    let mut options = Vec::new();
    for option in layout.split_whitespace() {
        let name = option.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let number = || option[name.len()..].parse::<u16>().expect("a number");
        match name {
            "mss" => options.extend([&[2, 4][..], &number().to_be_bytes()].concat()),
            "ws" => options.extend([3, 3, u8::try_from(number()).expect("a shift")]),
            "sok" => options.extend([4, 2]),
            "ts" => options.extend([&[8, 10][..], &timestamp.to_be_bytes(), &[0; 4]].concat()),
            "nop" => options.push(1),
            "eol" => options.push(0),
            other => panic!("no option is called {other}"),
        }
    }
    options.resize(options.len().next_multiple_of(4), 0);
    options
}

/// What stays as it is in every SYN of a program or system.
struct Documented {
    time_to_live: u8,
    dont_fragment: bool,
    window: u16,
    options: &'static str,
}

const fn with_df(time_to_live: u8, window: u16, options: &'static str) -> Documented {
    Documented { time_to_live, dont_fragment: true, window, options }
}

const fn without_df(time_to_live: u8, window: u16, options: &'static str) -> Documented {
    Documented { dont_fragment: false, ..with_df(time_to_live, window, options) }
}

impl Documented {
    /// A SYN of it that has crossed some routers: all else is random, the timestamp the time since a start within ten years.
    fn v4(&self, random: &mut SplitMix64) -> Frame {
        let frame = self.over(syn().ip_id(random.random()), random);
        if self.dont_fragment { frame.dont_fragment() } else { frame }
    }

    /// Likewise over IPv6, which has neither DF nor an identification.
    fn v6(&self, random: &mut SplitMix64) -> Frame {
        self.over(syn_v6(), random)
    }

    fn over(&self, frame: Frame, random: &mut SplitMix64) -> Frame {
        let options = options(self.options, random.random::<u32>() % 315_360_000);
        let way = random.random::<u8>() % 24;
        let frame = frame.hops(self.time_to_live - way).sequence(random.random());
        frame.window(self.window).tcp_options(&options)
    }
}

/// How many SYNs are made of each: by chance, one in 65,536 of those without DF might have a mark.
const EACH: usize = 500;

fn told(frame: &Frame) -> Side {
    of_frame(frame.clone().bytes().as_slice(), &Stopped(NOW))
}

#[rstest]
#[case::linux_2_4(with_df(64, 5_840, "mss1460 sok ts nop ws0"))]
#[case::linux_2_6(with_df(64, 5_840, "mss1460 sok ts nop ws7"))]
#[case::linux_3(with_df(64, 14_600, "mss1460 sok ts nop ws7"))]
#[case::linux_4(with_df(64, 29_200, "mss1460 sok ts nop ws7"))]
#[case::linux_5_4(with_df(64, 64_240, "mss1460 sok ts nop ws7"))]
#[case::linux_without_timestamps(with_df(64, 29_200, "mss1460 nop nop sok nop ws7"))]
#[case::linux_without_options(with_df(64, 29_200, "mss1460"))]
#[case::linux_in_a_tunnel(with_df(64, 65_280, "mss1360 sok ts nop ws8"))]
#[case::linux_2_0(without_df(64, 17_520, "mss1460"))]
#[case::linux_2_0_and_16384(without_df(64, 16_384, "mss1460"))]
#[case::googles_crawler(without_df(64, 5_720, "mss1430 sok ts nop ws6"))]
#[case::android(with_df(64, 65_535, "mss1460 sok ts nop ws3"))]
#[case::windows_xp(with_df(128, 65_535, "mss1460 nop nop sok"))]
#[case::windows_xp_scaled(with_df(128, 65_535, "mss1460 nop ws2 nop nop sok"))]
#[case::windows_7(with_df(128, 8_192, "mss1460 nop ws8 nop nop sok"))]
#[case::windows_7_unscaled(with_df(128, 8_192, "mss1460 nop nop sok"))]
#[case::windows_10(with_df(128, 64_240, "mss1460 nop ws8 nop nop sok"))]
#[case::windows_server(with_df(128, 65_535, "mss1460 nop ws8 nop nop sok"))]
#[case::macos(with_df(64, 65_535, "mss1460 nop ws6 nop nop ts sok eol"))]
#[case::macos_10(with_df(64, 65_535, "mss1460 nop ws3 nop nop ts sok eol"))]
#[case::ios(with_df(64, 65_535, "mss1460 nop ws4 nop nop ts sok eol"))]
#[case::freebsd(with_df(64, 65_535, "mss1460 nop ws6 sok ts"))]
#[case::freebsd_8(with_df(64, 65_535, "mss1460 nop ws3 sok ts"))]
#[case::openbsd(with_df(64, 16_384, "mss1460 nop nop sok nop ws3 nop nop ts"))]
#[case::solaris(with_df(64, 49_640, "mss1460 nop ws0 nop nop sok"))]
#[case::tru64(with_df(64, 32_768, "mss1460 nop ws0"))]
#[case::openvms(without_df(128, 3_000, "mss1460 nop ws0"))]
#[case::blackberry(without_df(128, 65_535, "mss1452 nop nop sok nop nop ts"))]
#[case::wii(with_df(64, 32_768, "mss1460 nop nop sok"))]
#[case::zmaps_smallest_probes(without_df(255, 65_535, "mss1460"))]
#[case::nmap_asks_for_the_system_1(without_df(59, 1, "ws10 nop mss1460 ts sok"))]
#[case::nmap_asks_for_the_system_2(without_df(59, 63, "mss1400 ws0 sok ts eol"))]
#[case::nmap_asks_for_the_system_3(without_df(59, 4, "ts nop nop ws5 nop mss640"))]
#[case::nmap_asks_for_the_system_5(without_df(59, 16, "mss536 sok ts ws10 eol"))]
#[case::nmap_asks_for_the_system_6(without_df(59, 512, "mss265 sok ts"))]
#[case::hping3(without_df(64, 512, ""))]
#[case::scapy(without_df(64, 8_192, ""))]
fn what_is_no_tool_of_the_table_is_other(#[case] documented: Documented) {
    let mut random = SplitMix64::seed_from_u64(16);
    for _ in 0..EACH {
        for frame in [documented.v4(&mut random), documented.v6(&mut random)] {
            assert_eq!(told(&frame), Side::tool(Tool::Other), "{:02x?}", frame.clone().bytes());
        }
    }
}

#[rstest]
#[case::zmap_1_to_2(without_df(255, 65_535, ""), Some(54_321), Tool::Zmap)]
#[case::zmap_3(without_df(255, 65_535, "mss1460"), Some(54_321), Tool::Zmap)]
#[case::zmap_4_1(without_df(255, 65_535, "mss1460 nop ws8 nop nop sok"), None, Tool::ZmapLikely)]
#[case::zmap_from_64(without_df(64, 65_535, "mss1460 nop ws8 nop nop sok"), None, Tool::ZmapLikely)]
#[case::nmap(without_df(59, 1_024, "mss1460"), None, Tool::NmapLikely)]
#[case::nmap_2048(without_df(57, 2_048, "mss1460"), None, Tool::NmapLikely)]
#[case::nmap_4096(without_df(43, 4_096, "mss1460"), None, Tool::NmapLikely)]
#[case::unicornscan(without_df(255, 4_128, "mss1460"), None, Tool::Unicornscan)]
// Of 1995, and the only system here that has a tool's name: "likely" allows for it.
#[case::nextstep(without_df(64, 4_096, "mss1024"), None, Tool::NmapLikely)]
fn tools_have_their_names(
    #[case] documented: Documented,
    #[case] identification: Option<u16>,
    #[case] tool: Tool,
) {
    let mut random = SplitMix64::seed_from_u64(16);
    for _ in 0..EACH {
        let frame = documented.v4(&mut random);
        let frame = identification.into_iter().fold(frame, Frame::ip_id);
        assert_eq!(told(&frame), Side::tool(tool), "{:02x?}", frame.clone().bytes());
    }
}

/// Every build from 1.0 on has its mark in the identification.
#[rstest]
#[case::to_1_3_2(without_df(255, 1_024, ""))]
#[case::since(without_df(255, 1_025, "mss1460"))]
fn masscan_has_its_name(#[case] documented: Documented) {
    let mut random = SplitMix64::seed_from_u64(16);
    for _ in 0..EACH {
        let frame = masscan(documented.v4(&mut random), random.random());
        assert_eq!(told(&frame), Side::tool(Tool::Masscan), "{:02x?}", frame.clone().bytes());
    }
}

/// A bot's SYN is random in all but the mark: whatever else it looks like.
#[test]
fn mirai_has_its_name() {
    let mut random = SplitMix64::seed_from_u64(16);
    for _ in 0..EACH {
        let frame = without_df(64, random.random(), "").v4(&mut random);
        let frame = frame.sequence(super::SENSOR.to_bits());
        assert_eq!(told(&frame), Side::tool(Tool::Mirai), "{:02x?}", frame.clone().bytes());
    }
}
