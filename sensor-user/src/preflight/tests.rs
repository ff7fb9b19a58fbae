//! Facts in, findings out: a host with a service at each of its addresses, and who is connected to it.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use rstest::rstest;

use super::*;
use crate::config::{Input, Transport};
use crate::kernel::{Carrier, Framing, HostAddress, Socket, Sockets, State, Tunnel, WayOut};

/// A rule that lets the operator's network in.
const RULE: &str = "[[allow]]\nfrom = [\"203.0.113.0/24\", \"2001:db8:9::/48\"]\ntcp = [22]";
const ETH0: u32 = 2;
const ETH1: u32 = 3;

/// A host with two interfaces, an address of each IP version on the first and one on the second.
struct World {
    config: String,
    facts: Facts,
    options: AttachOptions,
}

fn world() -> World {
    let addresses = [("198.51.100.7", ETH0), ("2001:db8:7::7", ETH0), ("192.0.2.7", ETH1)];
    let addresses = addresses.map(|(address, index)| HostAddress {
        address: address.parse().unwrap(),
        through: HashSet::from([index]),
        fleeting: false,
    });
    World {
        config: String::new(),
        facts: Facts {
            addresses: addresses.into(),
            logins: Logins::default(),
            ephemeral: (32_768, 60_999),
            ..Facts::default()
        },
        options: AttachOptions::default(),
    }
    .attach("eth0", ETH0, Framing::Ethernet)
}

impl World {
    fn attach(mut self, name: &str, index: u32, framing: Framing) -> Self {
        let name = name.to_owned();
        self.facts.interfaces.push(Interface { name, index, mtu: 1_500, up: true, framing, xdp: None });
        self
    }

    fn only_eth1(mut self) -> Self {
        self.facts.interfaces.clear();
        self.attach("eth1", ETH1, Framing::Ethernet)
    }

    fn default_route(mut self) -> Self {
        self.facts.default_route.insert(ETH0);
        self
    }

    fn config(mut self, tables: &str) -> Self {
        self.config.push_str(tables);
        self.config.push('\n');
        self
    }

    fn monitors(self, prefix: &str) -> Self {
        self.config(&format!("[[sensor]]\nname = \"s\"\nprefixes = [\"{prefix}\"]"))
    }

    fn socket(mut self, transport: Transport, local: &str, remote: Option<&str>, state: State) -> Self {
        let local: SocketAddr = local.parse().unwrap();
        let remote: Option<SocketAddr> = remote.map(|remote| remote.parse().unwrap());
        self.facts.sockets.0.push(Socket { transport, local, remote, state, interface: None });
        self
    }

    fn listens(self, local: &str) -> Self {
        self.socket(Transport::Tcp, local, None, State::Listen)
    }

    fn udp(self, local: &str) -> Self {
        self.socket(Transport::Udp, local, None, State::Closed)
    }

    fn tunnel(mut self, name: &str, carrier: Carrier, local: Option<&str>) -> Self {
        let local = local.map(|address| address.parse().unwrap());
        self.facts.tunnels.push(Tunnel { name: name.to_owned(), index: 9, carrier, local });
        self
    }

    /// A session of `remote`, whose answers leave by `way`.
    fn session(mut self, local: &str, remote: &str, way: u32) -> Self {
        self = self.socket(Transport::Tcp, local, Some(remote), State::Established);
        let Some(Socket { local, remote: Some(remote), .. }) = self.facts.sockets.0.last() else {
            panic!("no session")
        };
        self.facts.ways.insert((local.ip(), remote.ip(), None), HashSet::from([way]));
        self
    }

    fn logged_in(mut self, local: &str, remote: &str) -> Self {
        let login = Login { remote: remote.parse().unwrap(), local: local.parse().unwrap() };
        self.facts.logins.all.insert(login);
        self
    }

    fn operator(mut self, local: &str, remote: &str) -> Self {
        let login = Login { remote: remote.parse().unwrap(), local: local.parse().unwrap() };
        self.facts.logins.own.insert(login);
        self.logged_in(local, remote)
    }

    fn cannot_tell_who(mut self) -> Self {
        self.facts.logins.hidden = Some(Hidden::Environments);
        self
    }

    fn options(mut self, set: fn(&mut AttachOptions)) -> Self {
        set(&mut self.options);
        self
    }

    fn load(tables: &str) -> Config {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(tables.as_bytes()).unwrap();
        let input = Input {
            file: Some(file.path().to_owned()),
            interfaces: vec!["eth0".to_owned()],
            ..Input::default()
        };
        Config::load(input).unwrap()
    }

    fn judge(&self) -> Findings {
        judge(&Self::load(&self.config), &self.options, None, &self.facts)
    }
}

fn ssh() -> World {
    world().listens("0.0.0.0:22").listens("[::]:22")
}

const HERE: &str = "198.51.100.7:22";
const HERE_V6: &str = "[2001:db8:7::7]:22";
const ADMIN: &str = "203.0.113.9:50022";
const ADMIN_V6: &str = "[2001:db8:9::9]:50022";
const STRANGER: &str = "192.0.2.66:40001";

#[rstest]
#[case::v4(ssh().session(HERE, ADMIN, ETH0).logged_in(HERE, ADMIN), "203.0.113.9 at port 22", "\"203.0.113.9/32\"")]
#[case::v6(ssh().session(HERE_V6, ADMIN_V6, ETH0).logged_in(HERE_V6, ADMIN_V6), "2001:db8:9::9 at port 22", "\"2001:db8:9::9/128\"")]
#[case::listener_at_one_address(
    world().listens(HERE).session(HERE, ADMIN, ETH0).logged_in(HERE, ADMIN), "203.0.113.9 at port 22", "\"203.0.113.9/32\""
)]
#[case::the_operator(ssh().session(HERE, ADMIN, ETH0).operator(HERE, ADMIN), "(you)", "\"203.0.113.9/32\"")]
#[case::another_administrator(
    ssh().config(RULE).session(HERE, STRANGER, ETH0).logged_in(HERE, STRANGER),
    "192.0.2.66 at port 22 (logged in)",
    "\"192.0.2.66/32\""
)]
#[case::who_is_seen_though_others_are_hidden(
    ssh().config(RULE).session(HERE, STRANGER, ETH0).logged_in(HERE, STRANGER).cannot_tell_who(),
    "192.0.2.66",
    "\"192.0.2.66/32\""
)]
#[case::a_rule_for_another_port(
    ssh().config("[[allow]]\nfrom = [\"203.0.113.0/24\"]\ntcp = [2222]\nudp = [22]").session(HERE, ADMIN, ETH0)
        .logged_in(HERE, ADMIN),
    "203.0.113.9",
    "tcp = [22]"
)]
#[case::a_rule_for_the_other_ip_version(
    ssh().config("[[allow]]\nfrom = [\"0.0.0.0/0\"]\ntcp = [22]").session(HERE_V6, ADMIN_V6, ETH0)
        .operator(HERE_V6, ADMIN_V6),
    "2001:db8:9::9",
    "tcp = [22]"
)]
#[case::monitored_among_other_addresses(
    ssh().monitors("198.51.100.0/24").session(HERE, ADMIN, ETH0).logged_in(HERE, ADMIN), "203.0.113.9", "tcp = [22]"
)]
#[case::answered_through_the_other_interface(ssh().session(HERE, ADMIN, ETH1).logged_in(HERE, ADMIN), "eth0", "tcp = [22]")]
#[case::answered_through_this_interface(
    ssh().only_eth1().session(HERE, ADMIN, ETH1).logged_in(HERE, ADMIN), "attaching to eth1 cuts off", "tcp = [22]"
)]
#[case::by_both_interfaces(
    ssh().attach("eth1", ETH1, Framing::Ethernet).session(HERE, ADMIN, ETH1).logged_in(HERE, ADMIN), "eth0 and eth1", "tcp = [22]"
)]
fn who_is_connected_and_not_allowed_stands_in_the_way(
    #[case] world: World,
    #[case] words: &str,
    #[case] rule: &str,
) {
    let findings = world.judge();
    let error = findings.enforce().unwrap_err().to_string();
    let (first, rest) = error.split_once("\n\n").unwrap();
    assert!(first.contains(words) && !first.contains('\n'), "{error}");
    assert!(first.contains("--confirm-within") && first.contains("--i-have-console-access"), "{error}");
    assert!(rest.contains(rule), "{error}");
    assert_eq!(findings.refusals.len(), 1, "{findings:?}");

    // The rule, pasted, is all that was missing.
    let mended = World::load(&format!("{}{rest}", world.config));
    assert_eq!(judge(&mended, &AttachOptions::default(), None, &world.facts).refusals, []);
}

#[rstest]
#[case::allowed(ssh().config(RULE).session(HERE, ADMIN, ETH0).operator(HERE, ADMIN))]
#[case::allowed_v6(ssh().config(RULE).session(HERE_V6, ADMIN_V6, ETH0).operator(HERE_V6, ADMIN_V6))]
#[case::not_monitored(ssh().monitors("198.51.100.8/32").session(HERE, ADMIN, ETH0).operator(HERE, ADMIN))]
#[case::the_other_ip_version_is_monitored(
    ssh().monitors("2001:db8:7::/64").session(HERE, ADMIN, ETH0).operator(HERE, ADMIN)
)]
#[case::another_interface(ssh().only_eth1().session(HERE, ADMIN, ETH0).operator(HERE, ADMIN))]
#[case::begun_by_this_host(ssh().session("198.51.100.7:50022", "203.0.113.9:22", ETH0))]
#[case::listener_at_another_address(
    world().listens("192.0.2.7:50022").session("198.51.100.7:50022", "203.0.113.9:22", ETH0)
)]
#[case::going_down(ssh().socket(Transport::Tcp, HERE, Some(ADMIN), State::TimeWait))]
#[case::the_default_route_alone(world().default_route())]
#[case::the_default_route_and_a_way_in(ssh().default_route().config(RULE))]
#[case::listens_only_to_itself(world().default_route().listens("127.0.0.1:631").listens("[::1]:631"))]
#[case::listens_only_where_nothing_is_monitored(ssh().default_route().monitors("198.51.100.8/32"))]
#[case::udp_alone(world().default_route().udp("0.0.0.0:53"))]
#[case::nothing_is_dropped(
    ssh().default_route().session(HERE, ADMIN, ETH0).operator(HERE, ADMIN).config("observe = true")
)]
fn what_does_not_stand_in_the_way(#[case] world: World) {
    let findings = world.judge();
    assert_eq!(findings.refusals, []);
    findings.enforce().unwrap();
}

#[test]
fn a_host_that_talks_to_itself_needs_no_interface() {
    let mut world = ssh().session(HERE, "198.51.100.7:50022", ETH0);
    world.facts.ways.values_mut().for_each(HashSet::clear);
    assert_eq!(world.judge().refusals, []);
}

#[test]
fn a_session_without_a_known_way_may_come_by_any() {
    let mut world = ssh().only_eth1().session(HERE, ADMIN, ETH0);
    world.facts.ways = HashMap::new();
    assert_eq!(world.judge().refusals.len(), 1);
}

#[rstest]
#[case::ssh(ssh().default_route().listens("0.0.0.0:80"), "22/tcp, 80/tcp", "tcp = [22]")]
#[case::no_ssh(world().default_route().listens("0.0.0.0:80").listens("[::]:8080"), "80/tcp, 8080/tcp", "tcp = [80, 8080]")]
#[case::a_rule_for_what_does_not_listen(
    ssh().default_route().config("[[allow]]\nfrom = [\"203.0.113.0/24\"]\ntcp = [2222]"), "22/tcp", "tcp = [22]"
)]
fn a_host_that_nobody_could_connect_to_is_refused(
    #[case] world: World,
    #[case] named: &str,
    #[case] rule: &str,
) {
    let error = world.judge().enforce().unwrap_err().to_string();
    let (first, rest) = error.split_once("\n\n").unwrap();
    for words in [named, "eth0", "default route", "--observe", "--i-have-console-access", "--confirm-within"]
    {
        assert!(first.contains(words), "{words} is not in: {error}");
    }
    assert!(rest.contains(rule), "{error}");
    // What is to be replaced cannot be overlooked.
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rest.as_bytes()).unwrap();
    let input =
        Input { file: Some(file.path().to_owned()), interfaces: vec!["eth0".to_owned()], ..Input::default() };
    assert!(Config::load(input).unwrap_err().to_string().contains("YOUR-ADDRESS"));
}

#[test]
fn the_loopback_is_refused() {
    let error = world().attach("lo", 1, Framing::Loopback).judge().enforce().unwrap_err().to_string();
    assert!(error.contains("interface lo is the loopback") && error.contains("--observe"), "{error}");
}

#[test]
fn sessions_from_several_peers_give_one_rule_for_each_set_of_ports() {
    let world = ssh()
        .listens("0.0.0.0:443")
        .session(HERE, ADMIN, ETH0)
        .session(HERE, "203.0.113.10:1", ETH0)
        .session(HERE, "203.0.113.10:2", ETH0)
        .session("198.51.100.7:443", STRANGER, ETH0)
        .logged_in(HERE, ADMIN)
        .logged_in(HERE, "203.0.113.10:1")
        .logged_in(HERE, "203.0.113.10:2")
        .logged_in("198.51.100.7:443", STRANGER);
    let error = world.judge().enforce().unwrap_err().to_string();
    let (_, rules) = error.split_once("\n\n").unwrap();
    assert_eq!(
        rules,
        "[[allow]]\nfrom = [\"203.0.113.9/32\", \"203.0.113.10/32\"]\ntcp = [22]\n\n\
         [[allow]]\nfrom = [\"192.0.2.66/32\"]\ntcp = [443]"
    );
}

#[test]
fn a_crowd_is_not_named_one_by_one() {
    let crowd = (0..200).fold(ssh(), |world, last| {
        let peer = format!("203.0.113.{last}:7");
        world.session(HERE, &peer, ETH0).logged_in(HERE, &peer)
    });
    let world = crowd.session(HERE, STRANGER, ETH0).operator(HERE, STRANGER);
    let error = world.judge().enforce().unwrap_err().to_string();
    assert!(error.contains("192.0.2.66 at port 22 (you), 203.0.113.0"), "{error}");
    assert!(error.contains("and 193 more"), "{error}");
    assert!(error.contains("# and 169 more\ntcp"), "{error}");
    assert!(error.len() < 2_000, "{} bytes", error.len());
}

/// Who has not logged in may be guessing passwords: nobody pastes them by mistake.
#[rstest]
#[case::beside_the_operator(
    ssh().session(HERE, ADMIN, ETH0).operator(HERE, ADMIN).session(HERE, STRANGER, ETH0),
    "[[allow]]\nfrom = [\"203.0.113.9/32\"]\ntcp = [22]\n\n\
     # Connected too, but not logged in over SSH; let in only whom you know:\n\
     #   192.0.2.66 at port 22"
)]
#[case::alone(
    ssh().listens("0.0.0.0:443").session(HERE, STRANGER, ETH0).session("198.51.100.7:443", STRANGER, ETH0),
    "[[allow]]\nfrom = [\"YOUR-ADDRESS/32\"]\ntcp = [22]\n\n\
     # Connected too, but not logged in over SSH; let in only whom you know:\n\
     #   192.0.2.66 at port 22\n\
     #   192.0.2.66 at port 443"
)]
#[case::nobody_can_tell(
    ssh().config(RULE).session(HERE, STRANGER, ETH0).cannot_tell_who(),
    "[[allow]]\nfrom = [\"YOUR-ADDRESS/32\"]\ntcp = [22]\n\n\
     # Connected too; whether they are logged in cannot be told, since not every process's environment may be read: \
     run this as root.\n\
     # Let in only whom you know:\n\
     #   192.0.2.66 at port 22"
)]
fn strangers_are_in_no_rule(#[case] world: World, #[case] rule: &str) {
    let error = world.judge().enforce().unwrap_err().to_string();
    assert_eq!(error.split_once("\n\n").unwrap().1, rule);
}

#[test]
fn a_crowd_of_strangers_is_not_named_one_by_one() {
    let world = (0..200).fold(ssh(), |world, last| world.session(HERE, &format!("203.0.113.{last}:7"), ETH0));
    let error = world.judge().enforce().unwrap_err().to_string();
    assert!(error.ends_with("#   203.0.113.31 at port 22\n#   and 168 more"), "{error}");
    assert!(error.len() < 2_000, "{} bytes", error.len());
}

#[rstest]
#[case::console(|options: &mut AttachOptions| options.console_access = true)]
#[case::undone(|options: &mut AttachOptions| options.confirm_within = Some(std::time::Duration::from_mins(1)))]
fn what_is_overridden_is_only_a_warning(#[case] set: fn(&mut AttachOptions)) {
    let world = ssh().default_route().attach("lo", 1, Framing::Loopback).session(HERE, ADMIN, ETH0);
    let refused = world.judge().refusals;
    assert_eq!(refused.len(), 2);
    let findings = world.options(set).judge();
    assert_eq!(findings.refusals, []);
    assert_eq!(findings.warnings[..2], refused);
}

/// Or anybody who tries passwords could keep the sensor from starting.
#[test]
fn a_stranger_at_a_port_that_a_rule_keeps_for_others_does_not_stand_in_the_way() {
    let findings = ssh().config(RULE).session(HERE, STRANGER, ETH0).judge();
    assert_eq!(findings.refusals, []);
    assert!(findings.warnings[0].to_string().contains("192.0.2.66 at port 22"), "{findings:?}");
}

#[rstest]
#[case::all(ssh().udp("0.0.0.0:53"), "22/tcp, 53/udp")]
#[case::half_of_one(ssh().config("[[allow]]\nfrom = [\"203.0.113.0/24\"]\ntcp = [22]"), "22/tcp over IPv6")]
#[case::not_a_client(world().udp("0.0.0.0:53").udp("0.0.0.0:40000"), "53/udp")]
#[case::no_dhcp_client(
    world().udp("0.0.0.0:53").udp("0.0.0.0:68").udp("198.51.100.7:68").udp("[::]:546"), "53/udp"
)]
#[case::the_other_ip_version_has_no_such_client(world().udp("[::]:68").udp("0.0.0.0:546"), "68/udp, 546/udp")]
#[case::no_client_over_tcp(world().listens("0.0.0.0:68"), "68/tcp")]
#[case::one_address(world().listens("198.51.100.7:80").listens("192.0.2.7:81"), "80/tcp")]
#[case::monitored(world().monitors("198.51.100.7").listens("0.0.0.0:80").listens("[::]:81"), "80/tcp")]
fn what_goes_dark_is_said(#[case] world: World, #[case] named: &str) {
    let findings = world.judge();
    assert_eq!(findings.refusals, []);
    let said: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said, [format!("goes dark, since no rule names it: {named}")]);
}

#[test]
fn a_session_that_is_named_but_not_there_is_said() {
    let lost = |world: World| world.operator(HERE, STRANGER).judge();
    let findings = lost(ssh().config(RULE));
    assert_eq!(findings.refusals, []);
    assert!(findings.warnings[0].to_string().contains("192.0.2.66 at port 22"), "{findings:?}");
    let elsewhere = ssh().config(RULE).operator("10.0.0.7:22", STRANGER).judge();
    assert_eq!(elsewhere, Findings::default());
}

#[rstest]
#[case::by_another_interface(ETH1, "", true)]
#[case::by_the_same(ETH0, "", false)]
#[case::of_no_sensor(ETH1, "[[sensor]]\nname = \"s\"\nprefixes = [\"198.51.100.8\"]", false)]
#[case::nothing_is_dropped(ETH1, "observe = true", false)]
fn answers_that_come_in_by_another_interface(#[case] out: u32, #[case] tables: &str, #[case] said: bool) {
    let mut world = ssh().config(RULE).config(tables);
    if tables.starts_with("observe") {
        world.config = tables.to_owned();
    }
    let way = WayOut { names: vec!["out0".to_owned()], through: HashSet::from([out]) };
    world.facts.ways_out = ["198.51.100.7", "192.0.2.7"].map(|it| (it.parse().unwrap(), way.clone())).into();
    let warnings = world.judge().warnings;
    let expected =
        Finding::AnswersDropped { address: "198.51.100.7".parse().unwrap(), by: vec!["out0".to_owned()] };
    // The other address's packets do not come in by the sensor's interface.
    let dropped: Vec<_> = warnings.iter().filter(|it| matches!(it, Finding::AnswersDropped { .. })).collect();
    assert_eq!(dropped, if said { vec![&expected] } else { vec![] });
}

#[test]
fn containers_are_said_to_be_out_of_sight() {
    let mut world = world();
    world.facts.containers = vec!["veth7".to_owned()];
    assert!(world.judge().warnings[0].to_string().contains("veth7"));
}

/// Tunnels, and what is said of them.
#[rstest]
#[case::without_a_rule(
    world().tunnel("vxlan7", Carrier::Udp(Some(4_789)), Some("198.51.100.7")), &["vxlan7 with `udp = [4789]`"]
)]
#[case::without_a_port(
    world().tunnel("wg0", Carrier::Udp(None), None), &["wg0 with `udp = [PORT]` as `wg show wg0 listen-port` says it"]
)]
#[case::of_several(
    world().tunnel("wg0", Carrier::Udp(None), None).tunnel("gre1", Carrier::Protocol, None), &["wg0 with", "600 s after"]
)]
#[case::allowed(
    world().config("[[allow]]\nfrom = [\"203.0.113.9\"]\nudp = [4789]")
        .tunnel("vxlan7", Carrier::Udp(Some(4_789)), None),
    &[]
)]
#[case::another_is_allowed(
    world().config("[[allow]]\nfrom = [\"203.0.113.9\"]\nudp = [4790]")
        .tunnel("vxlan7", Carrier::Udp(Some(4_789)), None),
    &["vxlan7"]
)]
#[case::allowed_at_the_port_that_it_seems_to_have(
    world().config("[[allow]]\nfrom = [\"203.0.113.9\"]\nudp = [51820]").udp("0.0.0.0:51820")
        .tunnel("wg0", Carrier::Udp(None), None),
    &[]
)]
#[case::a_service_is_allowed(
    world().config("[[allow]]\nfrom = [\"203.0.113.9\"]\nudp = [53]").udp("0.0.0.0:53")
        .tunnel("wg0", Carrier::Udp(None), None),
    &["wg0"]
)]
#[case::by_the_other_interface(world().tunnel("gre1", Carrier::Protocol, Some("192.0.2.7")), &[])]
#[case::to_what_is_not_monitored(
    world().monitors("2001:db8:7::7/128").tunnel("gre1", Carrier::Protocol, Some("198.51.100.7")), &[]
)]
#[case::nothing_is_dropped(world().config("observe = true").tunnel("gre1", Carrier::Protocol, None), &[])]
fn who_comes_by_a_tunnel_needs_a_rule(#[case] world: World, #[case] words: &[&str]) {
    let findings = world.judge();
    assert_eq!(findings.refusals, []);
    let said: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), words.len(), "{said:?}");
    for (said, words) in said.iter().zip(words) {
        assert!(said.contains(words) && !said.contains('\n'), "{said}");
    }
}

/// What a change is not to blame for.
#[test]
fn who_is_cut_off_already_does_not_stand_in_the_way_of_a_change() {
    let world = ssh().session(HERE, ADMIN, ETH0).operator(HERE, ADMIN);
    let closed = World::load("");
    let open = World::load(RULE);
    assert_eq!(judge(&closed, &AttachOptions::default(), Some(&closed), &world.facts).refusals, []);
    assert_eq!(judge(&closed, &AttachOptions::default(), Some(&open), &world.facts).refusals.len(), 1);
    assert_eq!(judge(&open, &AttachOptions::default(), Some(&closed), &world.facts).refusals, []);
}

/// Sockets as the kernel has them: begun by others, or by this host.
#[test]
fn a_conversation_is_either_inbound_or_outbound() {
    let world = ssh()
        .session(HERE, ADMIN, ETH0)
        .session("198.51.100.7:50000", "203.0.113.9:443", ETH0)
        .socket(Transport::Tcp, "198.51.100.7:50001", Some("203.0.113.9:443"), State::SynSent)
        .socket(Transport::Tcp, HERE, Some("203.0.113.9:2"), State::CloseWait)
        .socket(Transport::Tcp, HERE, Some("203.0.113.9:3"), State::SynReceived)
        .socket(Transport::Udp, "198.51.100.7:50002", Some("203.0.113.9:53"), State::Established)
        .udp("0.0.0.0:53");
    let Sockets(all) = &world.facts.sockets;
    let local_ports = |sockets: Vec<&Socket>| sockets.iter().map(|it| it.local.port()).collect::<Vec<_>>();
    assert_eq!(local_ports(world.facts.sockets.inbound().collect()), [22]);
    assert_eq!(local_ports(world.facts.sockets.outbound().collect()), [50_000, 50_001, 50_002]);
    assert_eq!(local_ports(world.facts.sockets.listeners().collect()), [22, 22, 53]);
    assert_eq!(all.len(), 9);
    let unspecified: Vec<IpAddr> = vec!["0.0.0.0".parse().unwrap(), "::".parse().unwrap()];
    assert_eq!(unspecified, all[..2].iter().map(|it| it.local.ip()).collect::<Vec<_>>());
}
