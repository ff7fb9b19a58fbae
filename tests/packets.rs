//! The table of packets, three ways: the host build of the parser and classifier, the loaded program
//! through `BPF_PROG_TEST_RUN`, and the real agent on a real veth pair.

mod common;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use rstest::rstest;
use sensor_common::classify::{Verdict, verdict};
use sensor_common::flow::Forgetful;
use sensor_common::layout::{Malformed, Passed, Slot, SlotKind};
use sensor_common::parse::Everything;
use sensor_common::policy::MAX_INLINE_PREFIXES;
use sensor_harness::agent::Launch;
use sensor_harness::counts::Counts;
use sensor_harness::frame::{ETHERNET, Extension, Frame, frame};
use sensor_harness::sender::Sender;
use sensor_harness::table::{Case, TWO_SENSORS, TwoSensors, WithoutRules, table};
use sensor_harness::wire::{MTU, Wire};
use sensor_harness::{needs, needs_root};
use sensor_user::kernel::Variant;

use common::{Kernel, Outcome};

/// A single sensor without prefixes.
const EVERYTHING: &str = "[[sensor]]\nname = \"everything\"\n";

/// Length of a frame that takes several buffers.
const JUMBO: usize = 9_000;

type Expected = fn(&Case) -> Verdict;
const WITH_TWO_SENSORS: Expected = |case| case.with_two_sensors;
const WITH_EVERYTHING: Expected = |case| case.with_everything;

#[test]
fn the_host_build_agrees_with_the_table() {
    for case in table() {
        let shown = format!("{}: {:02x?}", case.name, case.frame);
        let bytes = case.frame.as_slice();
        assert_eq!(
            verdict(bytes, &WithoutRules(TwoSensors), &Forgetful),
            case.with_two_sensors,
            "two sensors: {shown}"
        );
        assert_eq!(
            verdict(bytes, &WithoutRules(Everything), &Forgetful),
            case.with_everything,
            "everything: {shown}"
        );
    }
}

#[rstest]
#[case::two_sensors(TWO_SENSORS, WITH_TWO_SENSORS)]
#[case::everything(EVERYTHING, WITH_EVERYTHING)]
fn the_loaded_programs_agree_with_the_table(
    #[case] sensors: &str,
    #[case] expected: Expected,
    #[values(Variant::Linear, Variant::MultiBuffer)] variant: Variant,
    #[values(false, true)] observe: bool,
) -> Result<()> {
    let mut kernel = needs!(Kernel::with(variant, sensors, observe)?);
    // Shorter frames are refused by the kernel: the host build has them.
    for case in table().iter().filter(|case| case.frame.len() >= ETHERNET) {
        let expected = expected(case);
        let outcome = kernel.run(variant, &case.frame, expected).context(case.name)?;
        assert_eq!(outcome, judged(expected, case.frame.len(), observe), "{}", case.name);
    }
    kernel.nothing_else_moved()
}

/// A frame that comes in several buffers is counted with all its bytes; its headers are in the first.
#[test]
fn a_jumbo_frame_is_counted_whole() -> Result<()> {
    let mut kernel = needs!(Kernel::with(Variant::MultiBuffer, TWO_SENSORS, false)?);
    for length in [3_000, 4_000, JUMBO] {
        let frame = frame().ipv4().udp(9).payload(vec![0; length - 42]).bytes();
        let expected = Verdict::Count { sensor: 0, slot: Slot::udp(9) };
        let outcome = kernel.run(Variant::MultiBuffer, &frame, expected)?;
        assert_eq!(outcome, judged(expected, length, false), "{length} bytes");
    }
    kernel.nothing_else_moved()
}

/// Headers that end in a later buffer than the first, or that lie across two, are read as any others.
#[test]
fn headers_beyond_the_first_buffer_are_read() -> Result<()> {
    const LONGEST_EXTENSION: usize = 2_048;
    let mut kernel = needs!(Kernel::with(Variant::MultiBuffer, TWO_SENSORS, false)?);
    let expected = Verdict::Count { sensor: 0, slot: Slot::udp(9) };
    let mut check = |start: Frame, extensions: &[Extension], headers: usize| -> Result<()> {
        let frame = start.ipv6();
        let frame = extensions.iter().fold(frame, |frame, extension| frame.extension(extension.clone()));
        let bytes = frame.udp(9).payload(vec![0; JUMBO - headers - 8]).bytes();
        assert_eq!(bytes.len(), JUMBO, "UDP at byte {headers}");
        let outcome = kernel.run(Variant::MultiBuffer, &bytes, expected)?;
        assert_eq!(outcome, judged(expected, JUMBO, false), "UDP at byte {headers}");
        Ok(())
    };
    let fixed = ETHERNET + 40;
    // Buffers are pages: UDP lies in the first, the second, and the third.
    for count in 1..=4 {
        let extensions = vec![Extension::destination(u8::MAX); count];
        check(frame(), &extensions, fixed + count * LONGEST_EXTENSION)?;
    }
    // The first buffer is a page less what the kernel keeps for itself, some 600 bytes: UDP comes by its end
    // in steps of four bytes.
    for units in 160..=250_u8 {
        let extensions = [Extension::destination(u8::MAX), Extension::destination(units)];
        let headers = fixed + LONGEST_EXTENSION + 8 * (usize::from(units) + 1);
        check(frame(), &extensions, headers)?;
        check(frame().vlan(5), &extensions, headers + 4)?;
    }
    kernel.nothing_else_moved()
}

/// Sensors with more prefixes than are compared one by one.
const MANY: u8 = 12;

/// The network of a sensor among many, and its prefix length: from 21 to 32 bits.
fn network_v4(sensor: u8) -> (Ipv4Addr, u8) {
    (Ipv4Addr::new(10, sensor, 128, 0), 21 + sensor)
}

/// As [`network_v4`]: from 40 to 128 bits.
fn network_v6(sensor: u8) -> (Ipv6Addr, u8) {
    (Ipv6Addr::new(0x2001, 0xdb8, u16::from(sensor) << 9, 0, 0, 0, 0, 0), 40 + 8 * sensor)
}

#[rstest]
#[case::linear(Variant::Linear)]
#[case::multi_buffer(Variant::MultiBuffer)]
fn many_prefixes_lead_to_their_sensors(#[case] variant: Variant) -> Result<()> {
    assert!(usize::from(MANY) > MAX_INLINE_PREFIXES, "the tries would not be asked");
    let mut tables = String::new();
    for sensor in 0..MANY {
        let ((v4, bits_v4), (v6, bits_v6)) = (network_v4(sensor), network_v6(sensor));
        let prefixes = format!("[\"{v4}/{bits_v4}\", \"{v6}/{bits_v6}\"]");
        writeln!(tables, "[[sensor]]\nname = \"number {sensor}\"\nprefixes = {prefixes}")?;
    }
    let mut kernel = needs!(Kernel::with(variant, &tables, false)?);
    let mut check = |frame: Frame, to: IpAddr, sensor: Option<u8>| -> Result<()> {
        let bytes = frame.to(to).tcp(23).syn().bytes();
        let expected = match sensor {
            Some(sensor) => Verdict::Count { sensor: sensor.into(), slot: Slot::tcp(23) },
            None => Verdict::Pass(Passed::NotMonitored),
        };
        assert_eq!(kernel.run(variant, &bytes, expected)?, judged(expected, bytes.len(), false), "{to}");
        Ok(())
    };
    for sensor in 0..MANY {
        let (first, bits) = network_v4(sensor);
        let first = u32::from(first);
        let last = first | u32::MAX.checked_shr(bits.into()).unwrap_or(0);
        for (address, owner) in
            [(first - 1, None), (first, Some(sensor)), (last, Some(sensor)), (last + 1, None)]
        {
            check(frame().ipv4(), Ipv4Addr::from(address).into(), owner)?;
        }
        let (first, bits) = network_v6(sensor);
        let first = u128::from(first);
        let last = first | u128::MAX.checked_shr(bits.into()).unwrap_or(0);
        for (address, owner) in
            [(first - 1, None), (first, Some(sensor)), (last, Some(sensor)), (last + 1, None)]
        {
            check(frame().ipv6(), Ipv6Addr::from(address).into(), owner)?;
        }
    }
    kernel.nothing_else_moved()
}

fn judged(verdict: Verdict, length: usize, observe: bool) -> Outcome {
    match verdict {
        Verdict::Pass(_) => Outcome { verdict, bytes: 0, dropped: false },
        Verdict::Count { .. } => Outcome { verdict, bytes: length as u64, dropped: !observe },
    }
}

#[rstest]
#[case::two_sensors(TWO_SENSORS, WITH_TWO_SENSORS, "native")]
#[case::everything(EVERYTHING, WITH_EVERYTHING, "native")]
#[case::generic_mode(TWO_SENSORS, WITH_TWO_SENSORS, "generic")]
fn the_agent_on_a_wire_agrees_with_the_table(
    #[case] sensors: &str,
    #[case] expected: Expected,
    #[case] mode: &str,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0").config(sensors);
    let agent = launch.argument("--mode").argument(mode).start()?;
    let sender = Sender::new(&wire)?;
    let mut truth = Counts::default();
    // The order of the sensors is the configuration's even before anything is counted.
    truth.sensors.resize_with(sensors.matches("[[sensor]]").count(), Default::default);
    for case in table().iter().filter(|case| (ETHERNET..=ETHERNET + MTU as usize).contains(&case.frame.len()))
    {
        sender.send(&[&case.frame]).context(case.name)?;
        truth.add(expected(case), case.frame.len());
        assert_eq!(agent.counts()?, truth, "after {}", case.name);
    }
    Ok(())
}

#[test]
fn the_table_has_every_outcome() {
    let cases = table();
    let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "a name is there twice");
    let verdicts: HashSet<String> = cases
        .iter()
        .flat_map(|case| [case.with_two_sensors, case.with_everything])
        .map(|it| format!("{it:?}"))
        .collect();
    let sensors = 0..2;
    for sensor in sensors {
        assert!(verdicts.iter().any(|it| it.contains(&format!("sensor: {sensor}"))), "sensor {sensor}");
    }
    // Management and replies come with the allow list.
    for reason in [Passed::NonIp, Passed::NotMonitored, Passed::Link] {
        assert!(verdicts.contains(&format!("{:?}", Verdict::Pass(reason))), "{reason}");
    }
    for &reason in Malformed::ALL {
        let verdict = Verdict::Count { sensor: 0, slot: Slot::malformed(reason) };
        assert!(verdicts.contains(&format!("{verdict:?}")), "{reason}");
    }
    let kinds: HashSet<_> = cases
        .iter()
        .filter_map(|case| match case.with_everything {
            Verdict::Count { slot, .. } => Slot::describe(slot.index()),
            Verdict::Pass(_) => None,
        })
        .map(|kind| match kind {
            SlotKind::Tcp(_) => "tcp",
            SlotKind::Udp(_) => "udp",
            SlotKind::Icmp(..) => "icmp",
            SlotKind::Icmpv6(..) => "icmpv6",
            SlotKind::ProtocolV4(_) => "protocol over ipv4",
            SlotKind::ProtocolV6(_) => "protocol over ipv6",
            SlotKind::Fragment(_) => "fragment",
            SlotKind::Malformed(_) => "malformed",
        })
        .collect();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}
