//! `sensor check` on a host that somebody is connected to: real sessions to real listeners, over a wire.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::PublicCopy;
use sensor_harness::built;
use sensor_harness::cli::{self, Said, sensor};
use sensor_harness::needs_root;
use sensor_harness::wire::Wire;
use sensor_user::config::Transport;
use sensor_user::kernel::{Sockets, State};
use tempfile::NamedTempFile;

const HOST: &str = "198.51.100.7";
const ADMIN: &str = "198.51.100.66";
const HOST_V6: &str = "2001:db8:7::7";
const ADMIN_V6: &str = "2001:db8:7::66";

/// A host on the near end of a wire, and the rest of the world on the far end.
struct World {
    wire: Wire,
}

/// Kept open as long as it lives.
struct Session {
    _listener: TcpListener,
    _here: TcpStream,
    there: TcpStream,
}

impl World {
    fn new() -> Result<Self> {
        let wire = Wire::new()?;
        for (end, v4, v6) in [(&wire.near, HOST, HOST_V6), (&wire.far, ADMIN, ADMIN_V6)] {
            end.namespace.enable_ipv6()?;
            end.address(&format!("{v4}/24"))?;
            end.address(&format!("{v6}/64"))?;
        }
        Ok(Self { wire })
    }

    fn listen(&self, address: &str) -> Result<TcpListener> {
        self.wire.near.namespace.run(|| TcpListener::bind(address))?.context("cannot listen")
    }

    /// Somebody connects to a listener at `listen`, as `to`.
    fn session(&self, listen: &str, to: &str) -> Result<Session> {
        let listener = self.listen(listen)?;
        let there = self.wire.far.namespace.run(|| TcpStream::connect(to))?.context("cannot connect")?;
        let (here, _) = listener.accept()?;
        Ok(Session { _listener: listener, _here: here, there })
    }

    /// `sensor check` with these tables.
    fn check(&self, tables: &str) -> Result<Said> {
        let file = file(tables)?;
        let path = file.path().display().to_string();
        sensor(&self.wire.near.namespace, &["check", "--interface", "sensor0", "--config", &path])
    }

    /// Likewise, typed in a session over SSH.
    fn check_in(&self, session: &Session, tables: &str) -> Result<Said> {
        let file = file(tables)?;
        let mut command = Command::new(built::sensor()?);
        command.args(["check", "--interface", "sensor0", "--config"]).arg(file.path());
        let (here, there) = (session.there.peer_addr()?, session.there.local_addr()?);
        let connection = format!("{} {} {} {}", there.ip(), there.port(), here.ip(), here.port());
        cli::run(&self.wire.near.namespace, command.env("SSH_CONNECTION", connection))
    }
}

fn file(text: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    // For a check as somebody else, too.
    let mut permissions = file.as_file().metadata()?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    file.as_file().set_permissions(permissions)?;
    Ok(file)
}

/// The rule that a refusal ends with.
fn rule(said: &Said) -> Result<&str> {
    let (first, rule) = said.stderr.split_once("\n\n").with_context(|| format!("{said:?}"))?;
    ensure!(first.starts_with("sensor: ") && !first.contains('\n'), "{said:?}");
    ensure!(rule.starts_with("[[allow]]"), "{said:?}");
    Ok(rule)
}

/// An administrator who comes by a tunnel is no session of the interface's.
#[test]
fn a_tunnel_is_said_to_need_a_rule() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let namespace = &world.wire.near.namespace;
    let tunnel = format!("link add tunnel7 type vxlan id 7 local {HOST} dstport 4789");
    if namespace.ip(&tunnel).is_err() {
        sensor_harness::skip!("this kernel has no VXLAN");
    }
    let note = "tunnel7 with `udp = [4789]`";
    let said = world.check("")?;
    ensure!(!said.stdout.contains(note), "it is down: {said:?}");
    namespace.ip("link set tunnel7 up")?;
    let said = world.check("")?;
    ensure!(said.code == 0 && said.stdout.contains(note), "{said:?}");
    let said = world.check(&format!("[[allow]]\nfrom = [\"{ADMIN}\"]\nudp = [4789]"))?;
    ensure!(said.code == 0 && !said.stdout.contains(note), "{said:?}");
    Ok(())
}

#[rstest]
#[case::v4("0.0.0.0:2222", "198.51.100.7:2222", "198.51.100.66/32")]
#[case::v6("[::]:2222", "[2001:db8:7::7]:2222", "2001:db8:7::66/128")]
#[case::v4_to_a_listener_for_both("[::]:2222", "198.51.100.7:2222", "198.51.100.66/32")]
#[case::one_address("198.51.100.7:2222", "198.51.100.7:2222", "198.51.100.66/32")]
fn a_session_is_refused_until_its_rule_is_added(
    #[case] listen: &str,
    #[case] to: &str,
    #[case] from: &str,
) -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let session = world.session(listen, to)?;
    let refused = world.check_in(&session, "")?;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(rule(&refused)?, format!("[[allow]]\nfrom = [\"{from}\"]\ntcp = [2222]\n"));
    ensure!(refused.stdout.contains("`sensor run` would refuse."), "{refused:?}");
    ensure!(refused.stdout.contains("at port 2222"), "{refused:?}");

    let mended = world.check_in(&session, rule(&refused)?)?;
    assert_eq!((mended.code, mended.stderr.as_str()), (0, ""), "{mended:?}");
    ensure!(mended.stdout.contains("`sensor run` would go ahead."), "{mended:?}");
    ensure!(mended.stdout.contains(&format!("open to {from}")), "{mended:?}");

    let elsewhere = world.check("[[sensor]]\nname = \"s\"\nprefixes = [\"198.51.100.8\"]")?;
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");
    let observing = world.check("observe = true")?;
    assert_eq!(observing.code, 0, "{observing:?}");
    Ok(())
}

/// Somebody who is connected and not logged in is named, and let in by no rule that is only pasted.
#[test]
fn a_stranger_is_in_no_rule_to_paste() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let _session = world.session("0.0.0.0:22", "198.51.100.7:22")?;
    let refused = world.check("")?;
    assert_eq!(refused.code, 1, "{refused:?}");
    let (rule, comment) = rule(&refused)?.split_once("\n\n").context("no comment")?;
    assert_eq!(rule, "[[allow]]\nfrom = [\"YOUR-ADDRESS/32\"]\ntcp = [22]");
    ensure!(comment.lines().all(|line| line.starts_with('#')), "{refused:?}");
    ensure!(comment.contains("198.51.100.66 at port 22"), "{refused:?}");
    let pasted = world.check(rule)?;
    ensure!(pasted.code == 2 && pasted.stderr.contains("YOUR-ADDRESS"), "{pasted:?}");
    Ok(())
}

/// `sudo` and the like strip the variable from what they start, not from what started them.
#[rstest]
#[case::as_it_is("exec \"$@\"")]
#[case::stripped("unset SSH_CONNECTION; \"$@\"; exit $?")]
fn the_operators_own_session_is_recognised(#[case] script: &str) -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let session = world.session("0.0.0.0:22", "198.51.100.7:22")?;
    let connection = format!("{ADMIN} {} {HOST} 22", session.there.local_addr()?.port());
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(built::sensor()?).args(["check", "--interface", "sensor0"]);
    let said = cli::run(&world.wire.near.namespace, shell.env("SSH_CONNECTION", connection))?;
    assert_eq!(said.code, 1, "{said:?}");
    ensure!(said.stderr.contains("198.51.100.66 at port 22 (you)"), "{said:?}");
    Ok(())
}

#[test]
fn a_session_through_a_bridge_is_seen_at_its_port() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let near = &world.wire.near.namespace;
    near.ip("link add bridge0 type bridge")?;
    near.ip("link set bridge0 up")?;
    near.ip("link set sensor0 master bridge0")?;
    near.ip("address del 198.51.100.7/24 dev sensor0")?;
    near.ip("address add 198.51.100.7/24 dev bridge0")?;
    let _session = world.session("0.0.0.0:2222", "198.51.100.7:2222")?;
    let said = world.check("")?;
    assert_eq!(said.code, 1, "{said:?}");
    ensure!(said.stderr.contains("sensor0 cuts off"), "{said:?}");
    Ok(())
}

#[test]
fn what_the_host_itself_began_is_not_in_the_way() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let server = world.wire.far.namespace.run(|| TcpListener::bind("198.51.100.66:443"))??;
    let near = &world.wire.near.namespace;
    let _outbound = near.run(|| TcpStream::connect("198.51.100.66:443"))??;
    let _accepted = server.accept()?;
    // The host talks to itself: no packet of it is on the wire.
    let own = world.listen("198.51.100.7:5432")?;
    let _inside = near.run(|| TcpStream::connect("198.51.100.7:5432"))??;
    let _accepted = own.accept()?;
    let said = world.check("")?;
    assert_eq!(said.code, 0, "{said:?}");
    Ok(())
}

#[test]
fn what_listens_is_shown_with_who_may_reach_it() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let _ssh = world.listen("[::]:22")?;
    let _web = world.listen("0.0.0.0:80")?;
    let _inside = world.listen("127.0.0.1:631")?;
    let _dns = world.wire.near.namespace.run(|| UdpSocket::bind("0.0.0.0:53"))??;
    let said = world.check("[[allow]]\nfrom = [\"203.0.113.0/24\"]\ntcp = [22]\nicmp_echo = true")?;
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "  22/tcp  open to 203.0.113.0/24, goes dark over IPv6",
        "  53/udp  goes dark",
        "  80/tcp  goes dark",
        "  22/tcp, echo requests  from 203.0.113.0/24",
        "  sensor0  up, Ethernet, MTU 1500",
    ] {
        ensure!(said.stdout.lines().any(|it| it == line), "{line:?} is not in: {}", said.stdout);
    }
    ensure!(!said.stdout.contains("631"), "{}", said.stdout);
    Ok(())
}

#[rstest]
#[case::missing_interface("", "nothing0", 1, "there is no interface nothing0")]
#[case::down("", "down0", 1, "interface down0 is down")]
#[case::loopback("", "lo", 1, "interface lo is the loopback")]
#[case::bad_configuration("prefixes = 7", "sensor0", 2, "unknown key")]
fn what_run_would_refuse_check_refuses(
    #[case] tables: &str,
    #[case] interface: &str,
    #[case] code: i32,
    #[case] words: &str,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    near.add_interface_without_native_xdp("down0")?;
    near.ip("link set down0 down")?;
    let file = file(tables)?;
    let path = file.path().display().to_string();
    let said = sensor(near, &["check", "--interface", interface, "--config", &path])?;
    assert_eq!(said.code, code, "{said:?}");
    ensure!(said.stderr.contains(words) && said.stderr.lines().count() == 1, "{said:?}");
    Ok(())
}

/// What the host sends from the sensor's address leaves by the other NIC; a rule for that address brings it back.
#[test]
fn a_route_back_by_another_interface_is_warned_of() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let near = &world.wire.near.namespace;
    near.ip("link add uplink0 type veth peer name beyond0")?;
    near.ip("link set uplink0 up")?;
    near.ip("link set beyond0 up")?;
    near.ip("address add 192.0.2.7/24 dev uplink0")?;
    near.ip("route add default via 192.0.2.1")?;
    let monitors = format!("[[sensor]]\nname = \"s\"\nprefixes = [\"{HOST}\"]");
    let words = format!("what the host sends from {HOST} leaves by uplink0");
    let said = world.check(&monitors)?;
    ensure!(said.code == 0 && said.stdout.contains(&words), "{said:?}");
    let both = file(&format!("interfaces = [\"sensor0\", \"uplink0\"]\n{monitors}"))?;
    let path = both.path().display().to_string();
    let said = sensor(near, &["check", "--config", &path])?;
    ensure!(!said.stdout.contains("leaves by"), "{said:?}");
    near.ip(&format!("rule add from {HOST} lookup 7"))?;
    near.ip(&format!("route add default via {ADMIN} table 7"))?;
    let said = world.check(&monitors)?;
    ensure!(said.code == 0 && !said.stdout.contains("leaves by"), "{said:?}");
    Ok(())
}

#[test]
fn checking_needs_no_privileges() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let _session = world.session("0.0.0.0:2222", "198.51.100.7:2222")?;
    let file = file("[[allow]]\nfrom = [\"198.51.100.0/24\"]\ntcp = [2222]")?;
    let agent = PublicCopy::new()?;
    let mut command = agent.as_nobody();
    command.args(["check", "--interface", "sensor0"]);
    let refused = cli::run(&world.wire.near.namespace, &mut command)?;
    assert_eq!(refused.code, 1, "{refused:?}");
    let allowed = cli::run(&world.wire.near.namespace, command.arg("--config").arg(file.path()))?;
    assert_eq!(allowed.code, 0, "{allowed:?}");
    Ok(())
}

/// What the kernel's flow table is seeded with.
#[test]
fn every_conversation_is_known_for_what_it_is() -> Result<()> {
    needs_root!();
    let world = World::new()?;
    let inbound = world.session("[::]:22", "198.51.100.7:22")?;
    let server = world.wire.far.namespace.run(|| TcpListener::bind("[::]:443"))??;
    let (outbound, udp, sockets) = world.wire.near.namespace.run(|| -> Result<_> {
        let outbound = TcpStream::connect((HOST_V6.replace("::7", "::66").as_str(), 443))?;
        let udp = UdpSocket::bind("0.0.0.0:0")?;
        udp.connect((ADMIN, 53))?;
        let sockets = Sockets::now()?;
        Ok((outbound, udp, sockets))
    })??;
    let _accepted = server.accept()?;
    let ends = |sockets: Vec<&sensor_user::kernel::Socket>| {
        let mut ends: Vec<_> =
            sockets.iter().map(|it| (it.transport, it.local, it.remote, it.state)).collect();
        ends.sort_by_key(|(transport, local, ..)| (*transport, *local));
        ends
    };
    let address = |text: &str| text.parse::<SocketAddr>();
    assert_eq!(
        ends(sockets.inbound().collect()),
        [(
            Transport::Tcp,
            address("198.51.100.7:22")?,
            Some(inbound.there.local_addr()?),
            State::Established
        )]
    );
    assert_eq!(
        ends(sockets.outbound().collect()),
        [
            (Transport::Tcp, outbound.local_addr()?, Some(outbound.peer_addr()?), State::Established),
            (Transport::Udp, udp.local_addr()?, Some(udp.peer_addr()?), State::Established),
        ]
    );
    assert_eq!(
        ends(sockets.listeners().collect()),
        [
            (Transport::Tcp, address("0.0.0.0:22")?, None, State::Listen),
            (Transport::Tcp, address("[::]:22")?, None, State::Listen),
        ]
    );
    Ok(())
}
