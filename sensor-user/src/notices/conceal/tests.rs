//! What others see of a packet is the same wherever it was sent to: then nothing of it tells where.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// A packet without its destination.
#[derive(Clone, Debug)]
struct Probe {
    tags: usize,
    is_ipv6: bool,
    source: u32,
    ports: (u16, u16),
    kind: Kind,
    /// Bytes of IP options or of an extension header, in eights.
    more: usize,
    cut: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp { options: bool },
    Udp,
    Echo,
    Error,
    Gre,
    Fragment,
}

fn probe() -> impl Strategy<Value = Probe> {
    let kind = prop_oneof![
        any::<bool>().prop_map(|options| Kind::Tcp { options }),
        Just(Kind::Udp),
        Just(Kind::Echo),
        Just(Kind::Error),
        Just(Kind::Gre),
        Just(Kind::Fragment)
    ];
    (0..3_usize, any::<bool>(), 1_u32.., any::<(u16, u16)>(), kind, 0..2_usize, 14..200_usize).prop_map(
        |(tags, is_ipv6, source, ports, kind, more, cut)| Probe {
            tags,
            is_ipv6,
            source,
            ports,
            kind,
            more,
            cut,
        },
    )
}

/// Anything that can be made of an address.
fn hash(address: &[u8], salt: u8) -> [u8; 4] {
    let mixed = address.iter().fold(u32::from(salt), |mixed, &byte| {
        (mixed ^ u32::from(byte)).wrapping_mul(16_777_619).rotate_left(7)
    });
    mixed.to_be_bytes()
}

impl Probe {
    /// The frame as it is sent to an address, with whatever anybody computes from that.
    fn to(&self, v4: Ipv4Addr, v6: Ipv6Addr) -> Vec<u8> {
        let (v4, v6) = (v4.octets(), v6.octets());
        let address = if self.is_ipv6 { &v6[..] } else { &v4[..] };
        let two = |salt| hash(address, salt)[..2].to_vec();
        let four = |salt| hash(address, salt).to_vec();
        let mut frame = [&[2, 0], &hash(address, 1)[..], &[2, 1], &hash(address, 2)[..]].concat();
        for tag in 0..self.tags {
            frame.extend([if tag == 0 && self.tags == 2 { 0x88 } else { 0x81 }]);
            frame.extend([if tag == 0 && self.tags == 2 { 0xa8 } else { 0 }]);
            frame.extend([0, 5]);
        }
        let text: String =
            address.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).map(char::from).collect();
        let payload = [address, text.as_bytes(), &four(3)].concat();
        let ports = [self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes()].concat();
        let quoted =
            [&[0x45, 0, 0, 40, 0, 1, 0, 0, 60, 6, 0, 0], &v4[..], &[192, 0, 2, 5], &ports, &four(4)].concat();
        let icmp_error = if self.is_ipv6 { 1 } else { 3 };
        let echo = if self.is_ipv6 { 128 } else { 8 };
        let (protocol, upper) = match self.kind {
            Kind::Tcp { options } => {
                // Mirai's mark is the address itself.
                let sequence = address[..4].to_vec();
                let options = if options {
                    [&[2, 4, 5, 180, 4, 2, 8, 10][..], &four(5), &four(6), &[1, 3, 3, 7]].concat()
                } else {
                    Vec::new()
                };
                let offset = u8::try_from((20 + options.len()) / 4 * 16).unwrap();
                let rest = [&[offset, 2, 4, 0][..], &two(8), &[0, 0]].concat();
                (6, [ports, sequence, four(7), rest, options, payload].concat())
            }
            Kind::Udp => {
                let length = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
                (17, [ports, length.to_vec(), two(9), payload].concat())
            }
            Kind::Echo => {
                let kind = vec![echo, 0];
                (if self.is_ipv6 { 58 } else { 1 }, [kind, two(10), four(11), payload].concat())
            }
            Kind::Error => {
                let kind = vec![icmp_error, 1];
                (if self.is_ipv6 { 58 } else { 1 }, [kind, two(12), vec![0; 4], quoted].concat())
            }
            Kind::Gre => (47, [vec![0, 0, 8, 0], quoted].concat()),
            Kind::Fragment => (17, payload),
        };
        let is_fragment = self.kind == Kind::Fragment;
        if self.is_ipv6 {
            let (next, extension) = match (is_fragment, self.more) {
                (true, _) => (44, [&[protocol, 0, 0, 0x40][..], &four(13)].concat()),
                (false, 0) => (protocol, Vec::new()),
                (false, _) => (60, [&[protocol, 0, 1, 4][..], &four(14)].concat()),
            };
            let length = u16::try_from(extension.len() + upper.len()).unwrap().to_be_bytes();
            frame.extend([0x86, 0xdd]);
            let label = hash(address, 15);
            frame.extend([0x60, label[0] & 15, label[1], label[2], length[0], length[1], next, 57]);
            frame.extend([&[0x20, 1, 0xd, 0xb8][..], &self.source.to_be_bytes(), &[0; 8], &v6].concat());
            frame.extend(extension);
        } else {
            let options = if self.more > 0 { [&[7, 7, 4][..], &v4, &[0]].concat() } else { Vec::new() };
            let length = u16::try_from(20 + options.len() + upper.len()).unwrap().to_be_bytes();
            let head = 0x45 + u8::try_from(options.len() / 4).unwrap();
            frame.extend([8, 0, head, 0, length[0], length[1]]);
            frame.extend(two(16));
            frame.extend([0, if is_fragment { 7 } else { 0 }, 57, protocol]);
            frame.extend([two(17), self.source.to_be_bytes().to_vec(), v4.to_vec(), options].concat());
        }
        frame.extend(upper);
        frame.truncate(self.cut);
        frame
    }

    fn seen(&self, v4: Ipv4Addr, v6: Ipv6Addr) -> Vec<u8> {
        let frame = self.to(v4, v6);
        conceal(&frame, 1_514)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn what_is_seen_does_not_depend_on_the_destination(
        probe in probe(),
        one in (0x0b00_0001_u32.., any::<u128>()),
        other in (0x0b00_0001_u32.., any::<u128>()),
    ) {
        let [one, other] = [one, other].map(|(v4, v6)| {
            (Ipv4Addr::from_bits(v4), Ipv6Addr::from_bits(v6 | 0x3fff << 112))
        });
        let seen = probe.seen(one.0, one.1);
        let contains = |address: &[u8]| seen.windows(address.len()).any(|it| it == address);
        prop_assert!(!contains(&one.0.octets()) || probe.is_ipv6);
        prop_assert!(!contains(&one.1.octets()));
        let elsewhere = probe.seen(other.0, other.1);
        // Where what is kept happens to be one of the two, that is blotted out.
        let is_by_chance = {
            let bare = |address: (Ipv4Addr, Ipv6Addr)| {
                let mut seen = seen.clone();
                blot_out(&mut seen, if probe.is_ipv6 { address.1.into() } else { address.0.into() });
                seen
            };
            bare(other) != seen
        };
        prop_assert!(seen == elsewhere || is_by_chance, "{seen:02x?} {elsewhere:02x?}");
    }

    #[test]
    fn any_bytes_are_concealed(frame in prop::collection::vec(any::<u8>(), 0..200), length: u32) {
        let seen = conceal(&frame, length);
        prop_assert!(seen.len() <= frame.len());
        if let Some((_, IpAddr::V4(destination))) = Captured::new(&frame, length).addresses()
            && !destination.is_unspecified()
        {
            prop_assert!(!seen.windows(4).any(|it| it == destination.octets()));
        }
    }
}

#[test]
fn what_an_analyst_looks_for_stays() {
    let probe = Probe {
        tags: 1,
        is_ipv6: false,
        source: 0xcb00_7109,
        ports: (40_000, 23),
        kind: Kind::Tcp { options: true },
        more: 0,
        cut: 200,
    };
    let to = (Ipv4Addr::new(198, 51, 100, 7), Ipv6Addr::LOCALHOST);
    let (frame, seen) = (probe.to(to.0, to.1), probe.seen(to.0, to.1));
    let ip = 18;
    assert_eq!(seen[12..14], [0x81, 0]);
    assert_eq!(seen[16..18], [8, 0]);
    let (tcp, end) = (ip + 20, ip + 20 + 40);
    assert_eq!(seen.len(), end, "headers, and no payload");
    // TTL and protocol, source, ports, offset, flags and window, and options but for timestamps.
    for same in [
        ip + 8..ip + 10,
        ip + 12..ip + 16,
        tcp..tcp + 4,
        tcp + 12..tcp + 16,
        tcp + 20..tcp + 28,
        end - 4..end,
    ] {
        assert_eq!(seen[same.clone()], frame[same.clone()], "{same:?}");
    }
    assert_eq!(seen[ip + 16..ip + 20], [0; 4]);
    assert_eq!(seen[tcp + 4..tcp + 12], [0; 8]);
}
