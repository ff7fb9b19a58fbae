//! Management: allow-listed sources reach the services that a rule names for them, and nothing else does.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::{Passed, Slot};
use sensor_harness::agent::Launch;
use sensor_harness::frame::{Frame, frame};
use sensor_harness::metrics::Page;
use sensor_harness::pace::PATIENCE;
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root};
use sensor_user::kernel::Variant;

use common::Kernel;

/// The second rule lies within the first one's prefix, and names another port.
const RULES: &str = r#"
[[sensor]]
name = "a"
prefixes = ["198.51.100.7/32", "2001:db8:7::/64"]

[[allow]]
from = ["203.0.113.0/24", "2001:db8:a::/48"]
tcp = [22]
icmp_echo = true

[[allow]]
from = ["203.0.113.128/25"]
tcp = [2222]
udp = [161]
"#;

const ADMINISTRATOR: [u8; 4] = [203, 0, 113, 1];
const SECOND_ADMINISTRATOR: [u8; 4] = [203, 0, 113, 129];
const STRANGER: [u8; 4] = [192, 0, 2, 1];

fn v4(octets: [u8; 4]) -> IpAddr {
    Ipv4Addr::from(octets).into()
}

fn v6(last: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, last, 0, 0, 0, 0, 1).into()
}

/// What each packet is, the packet, and the slot that counts it if it is not let in.
fn cases() -> Vec<(&'static str, Frame, Option<Slot>)> {
    let v4_frame = |from| frame().ipv4().from(v4(from));
    let v6_frame = |from| frame().ipv6().from(v6(from));
    let echo = Slot::ECHO_REQUEST;
    vec![
        ("administrator to SSH", v4_frame(ADMINISTRATOR).tcp(22).syn(), None),
        ("later segments too", v4_frame(ADMINISTRATOR).tcp(22).push(), None),
        ("administrator over IPv6", v6_frame(0xa).tcp(22).syn(), None),
        ("administrator's ping", v4_frame(ADMINISTRATOR).icmp(8, 0), None),
        ("administrator's IPv6 ping", v6_frame(0xa).icmpv6(128, 0), None),
        ("within two prefixes, the outer's service", v4_frame(SECOND_ADMINISTRATOR).tcp(22).syn(), None),
        ("within two prefixes, the inner's service", v4_frame(SECOND_ADMINISTRATOR).tcp(2222).syn(), None),
        ("UDP service", v4_frame(SECOND_ADMINISTRATOR).udp(161), None),
        ("VLAN tag", v4_frame(ADMINISTRATOR).vlan(7).tcp(22).syn(), None),
        ("stranger to SSH", v4_frame(STRANGER).tcp(22).syn(), Some(Slot::tcp(22))),
        ("stranger over IPv6", v6_frame(0xb).tcp(22).syn(), Some(Slot::tcp(22))),
        ("stranger's ping", v4_frame(STRANGER).icmp(8, 0), Some(echo)),
        ("another rule's service", v4_frame(ADMINISTRATOR).tcp(2222).syn(), Some(Slot::tcp(2222))),
        ("the same port of UDP", v4_frame(ADMINISTRATOR).udp(22), Some(Slot::udp(22))),
        ("a port that no rule names", v4_frame(ADMINISTRATOR).tcp(23).syn(), Some(Slot::tcp(23))),
        ("another ICMP message", v4_frame(ADMINISTRATOR).icmp(13, 0), Some(Slot::icmp(13, 0))),
        ("an echo reply", v4_frame(ADMINISTRATOR).icmp(0, 0), Some(Slot::icmp(0, 0))),
        ("a later fragment", v4_frame(ADMINISTRATOR).fragment(185, false).tcp(22), Some(Slot::fragment(6))),
    ]
}

#[rstest]
fn rules_hold_in_the_kernel(#[values(Variant::Linear, Variant::MultiBuffer)] variant: Variant) -> Result<()> {
    let mut kernel = needs!(Kernel::with(variant, RULES, false)?);
    for (name, frame, slot) in cases() {
        let expected =
            slot.map_or(Verdict::Pass(Passed::Management), |slot| Verdict::Count { sensor: 0, slot });
        let outcome = kernel.run(variant, &frame.bytes(), expected).context(name)?;
        assert_eq!((outcome.verdict, outcome.dropped), (expected, slot.is_some()), "{name}");
    }
    kernel.nothing_else_moved()
}

/// As many sources as an operator could have, each with its own rule's service.
#[test]
fn thousands_of_sources() -> Result<()> {
    needs_root!();
    let sources: Vec<_> = (0..10_000_u32).map(|n| Ipv4Addr::from_bits(0x0a00_0000 + 3 * n)).collect();
    let listed: Vec<_> = sources.iter().map(|source| format!("\"{source}\"")).collect();
    let rules = format!("[[sensor]]\nname = \"a\"\n[[allow]]\ntcp = [22]\nfrom = [{}]\n", listed.join(","));
    let mut kernel = Kernel::load(&rules, false)?;
    for source in sources.iter().step_by(97) {
        let neighbour = Ipv4Addr::from_bits(source.to_bits() + 1);
        for (from, expected) in [
            (*source, Verdict::Pass(Passed::Management)),
            (neighbour, Verdict::Count { sensor: 0, slot: Slot::tcp(22) }),
        ] {
            let syn = frame().ipv4().from(from).tcp(22).syn().bytes();
            assert_eq!(kernel.run(Variant::Linear, &syn, expected)?.verdict, expected, "{from}");
        }
    }
    kernel.nothing_else_moved()
}

/// A real TCP conversation through the real program: who is allowed has it, who isn't is counted.
#[test]
fn a_conversation_with_the_administrator() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    wire.near.address("198.51.100.7/24")?;
    wire.far.address("198.51.100.66/24")?;
    let listener = wire.near.namespace.run(|| TcpListener::bind("198.51.100.7:22"))??;
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let mut line = [0; 5];
            if stream.read_exact(&mut line).is_ok() {
                // Who asked may be gone.
                drop(stream.write_all(&line));
            }
        }
    });
    let rule = "[[sensor]]\nname = \"a\"\n[[allow]]\nfrom = [\"198.51.100.66\"]\ntcp = [22]\n";
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(rule).start()?;
    let server: SocketAddr = "198.51.100.7:22".parse()?;

    let mut stream = wire.far.namespace.run(|| TcpStream::connect_timeout(&server, PATIENCE))??;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answer = [0; 5];
    stream.write_all(b"hello")?;
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"hello");

    // From another address, the same host is a stranger.
    wire.far.namespace.ip(&format!("address del 198.51.100.66/24 dev {}", wire.far.name))?;
    wire.far.address("198.51.100.67/24")?;
    let refused =
        wire.far.namespace.run(|| TcpStream::connect_timeout(&server, Duration::from_millis(1500)))?;
    ensure!(refused.is_err(), "a stranger came through");

    let page = Page::parse(&agent.metrics()?)?;
    let passed = page.sum("sensor_passed_packets_total", &[("reason", "management")]);
    ensure!(passed >= 3, "{passed} packets passed as management: a handshake and a line take three");
    let dropped = agent.counts()?.sensors[0].get("tcp/22").map_or(0, |counter| counter.packets);
    ensure!(dropped >= 1, "the stranger's SYN was not counted");
    Ok(())
}
