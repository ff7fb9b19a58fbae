//! NICs in, findings out.

use rstest::rstest;

use super::super::Severity;
use super::*;
use crate::kernel::{AttachedXdp, Version};

fn nic() -> Nic {
    Nic {
        interface: Interface {
            name: "eth0".to_owned(),
            index: 2,
            mtu: 1_500,
            up: true,
            framing: Framing::Ethernet,
            xdp: None,
        },
        driver: None,
        xdp: Some(XdpFeatures::new(0x21)),
        features: HashMap::new(),
        channels: None,
        virtio: None,
        xdp_program: None,
        above: Vec::new(),
        tc: Vec::new(),
        knows_programs: true,
        kernel: Version::new(6, 1, 0),
        processors: 4,
    }
}

fn with(change: impl FnOnce(&mut Nic)) -> Nic {
    let mut nic = nic();
    change(&mut nic);
    nic
}

fn queues(driver: &str, combined: u32, max_combined: u32, kernel: Version) -> Nic {
    with(|nic| {
        nic.driver = Some(Driver { name: driver.to_owned(), bus: String::new() });
        nic.channels = Some(Channels { combined, max_combined });
        nic.kernel = kernel;
    })
}

fn offload(name: &str, fixed: bool) -> Nic {
    with(|nic| nic.features = HashMap::from([(name.to_owned(), Feature { on: true, fixed })]))
}

fn attached(name: Option<&str>) -> Nic {
    with(|nic| {
        nic.interface.xdp = Some(AttachedXdp { mode: None, program: 7 });
        nic.xdp_program = name.map(str::to_owned);
    })
}

fn unprivileged(nic: Nic) -> Nic {
    Nic { knows_programs: false, ..nic }
}

const NEW: Version = Version::new(6, 1, 0);

#[rstest]
#[case::down(with(|nic| nic.interface.up = false), "link", Severity::Problem, "ip link set eth0 up")]
#[case::tunnel(
    with(|nic| nic.interface.framing = Framing::Other), "link", Severity::Problem, "Ethernet interface"
)]
#[case::bridge(queues("bridge", 0, 0, NEW), "link", Severity::Note, "attach to the port")]
#[case::macvlan(queues("macvlan", 0, 0, NEW), "link", Severity::Note, "attach to the parent")]
#[case::vlan(queues("802.1Q VLAN Support", 0, 0, NEW), "link", Severity::Note, "attach to the parent")]
#[case::rxvlan_fixed(offload("rx-vlan-hw-parse", true), "rxvlan", Severity::Note, "cannot be switched off")]
#[case::rxvlan(offload("rx-vlan-hw-parse", false), "rxvlan", Severity::Note, "ethtool -K eth0 rxvlan off")]
#[case::loopback(with(|nic| nic.interface.framing = Framing::Loopback), "link", Severity::Problem, "another")]
#[case::no_native(with(|nic| nic.xdp = Some(XdpFeatures::new(0))), "native_xdp", Severity::Note, "--mode generic")]
#[case::old_kernel(with(|nic| nic.xdp = None), "native_xdp", Severity::Note, "6.3")]
#[case::host_merges(with(|nic| nic.virtio = Some(Virtio(1 << 1))), "native_xdp", Severity::Note, "guest_csum")]
#[case::jumbo_one_buffer(
    with(|nic| { nic.interface.mtu = 9_000; nic.xdp = Some(XdpFeatures::new(1)); }), "mtu", Severity::Note, "mtu 3498"
)]
#[case::jumbo_old_kernel(
    with(|nic| { nic.interface.mtu = 9_000; nic.kernel = Version::new(5, 10, 0); }),
    "mtu",
    Severity::Note,
    "mtu 3498"
)]
#[case::lro(offload("rx-lro", false), "lro", Severity::Note, "ethtool -K eth0 lro off")]
#[case::lro_fixed(offload("rx-lro", true), "lro", Severity::Note, "--mode generic")]
#[case::gro_hw(offload("rx-gro-hw", false), "gro_hw", Severity::Note, "ethtool -K eth0 rx-gro-hw off")]
#[case::ena(queues("ena", 8, 8, NEW), "queues", Severity::Note, "ethtool -L eth0 combined 4")]
#[case::ena_with_one(queues("ena", 1, 1, NEW), "queues", Severity::Note, "too few")]
#[case::virtio(
    queues("virtio_net", 8, 8, Version::new(5, 10, 60)),
    "queues",
    Severity::Note,
    "ethtool -L eth0 combined 4"
)]
#[case::other_program(attached(Some("xdp_pass")), "xdp_program", Severity::Problem, "bpftool net")]
#[case::unknown_program(attached(None), "xdp_program", Severity::Problem, "bpftool net")]
#[case::program_above(
    with(|nic| {
        let xdp = Some(AttachedXdp { mode: None, program: 7 });
        nic.above = vec![Interface { name: "br0".to_owned(), index: 3, xdp, ..nic.interface.clone() }];
    }),
    "xdp_program",
    Severity::Problem,
    "attached to br0"
)]
#[case::hidden_program(unprivileged(attached(None)), "xdp_program", Severity::Note, "as root")]
#[case::hidden_links(
    unprivileged(with(|nic| nic.kernel = Version::new(6, 6, 0))), "tc_programs", Severity::Note, "as root"
)]
#[case::named_alike(attached(Some("sensors_of_others")), "xdp_program", Severity::Problem, "bpftool net")]
#[case::filter(
    with(|nic| nic.tc.push(TcProgram { name: "cil_to_netdev".to_owned(), id: None, egress: true })),
    "tc_programs",
    Severity::Note,
    "beside"
)]
fn what_stands_in_the_way_has_a_remedy(
    #[case] nic: Nic,
    #[case] check: &str,
    #[case] severity: Severity,
    #[case] remedy: &str,
) {
    let findings = nic.findings();
    let amiss: Vec<_> = findings.iter().filter(|finding| finding.severity != Severity::Ok).collect();
    assert_eq!(
        amiss.iter().map(|finding| (finding.check, finding.severity)).collect::<Vec<_>>(),
        [(check, severity)]
    );
    assert!(amiss[0].remedy.as_ref().unwrap().contains(remedy), "{amiss:?}");
}

#[rstest]
#[case::plain(nic())]
#[case::jumbo(with(|nic| nic.interface.mtu = 9_000))]
#[case::ena(queues("ena", 4, 8, NEW))]
#[case::virtio(queues("virtio_net", 8, 8, NEW))]
#[case::virtio_backport(queues("virtio_net", 8, 8, Version::new(5, 10, 61)))]
#[case::virtio_with_room(queues("virtio_net", 4, 8, Version::new(5, 10, 0)))]
#[case::host_can_be_told(with(|nic| nic.virtio = Some(Virtio(1 << 1 | 1 << 2 | 1 << 7))))]
#[case::host_does_not_merge(with(|nic| nic.virtio = Some(Virtio(1 << 0 | 1 << 5))))]
#[case::sensor(attached(Some("sensor_frags")))]
#[case::sensors_filter(with(|nic| nic.tc.push(TcProgram { name: "sensor_egress".to_owned(), id: None, egress: true })))]
fn what_is_as_it_should_be(#[case] nic: Nic) {
    for finding in nic.findings() {
        assert_eq!((finding.severity, &finding.remedy), (Severity::Ok, &None), "{finding:?}");
    }
}

#[rstest]
#[case::tunnel(
    with(|nic| nic.interface.framing = Framing::Other),
    "link",
    "no Ethernet header: tunnelled traffic cannot be counted here"
)]
#[case::no_queues(queues("veth", 0, 0, NEW), "queues", "none that serve both directions")]
#[case::some_queues(queues("veth", 1, 4, NEW), "queues", "1 of at most 4")]
fn what_is_found_is_true(#[case] nic: Nic, #[case] check: &str, #[case] found: &str) {
    let findings = nic.findings();
    assert_eq!(findings.iter().find(|it| it.check == check).unwrap().found, found);
}

#[test]
fn sysfs_writes_virtio_features_first_bit_first() {
    assert_eq!(Virtio::parse("1100000100\n"), Virtio(1 << 0 | 1 << 1 | 1 << 7));
    assert_eq!(Virtio::parse(&format!("{:0<128}", "01")), Virtio(1 << 1));
}
