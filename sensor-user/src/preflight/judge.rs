//! From what is the case to what to say about it.
//!
//! A session that no rule allows stands in the way if it may be an administrator's: somebody has logged in by
//! it, or no rule says who belongs at its port. Anybody else's does not, or a stranger who is trying passwords
//! could keep the sensor from starting.

use super::facts::would_be_dropped;
use super::finding::{Finding, Session, Who};
use super::login::Login;
use super::reach::{Service, is_link_local, is_monitored, lets_in, names};
use super::{Facts, Findings};
use crate::config::{Config, Transport};
use crate::kernel::{AttachOptions, Carrier, Framing, Interface, Socket, Tunnel};

/// What is to be said about putting `config` into effect where `running`, if anything, is.
#[must_use]
pub fn judge(config: &Config, options: &AttachOptions, running: Option<&Config>, facts: &Facts) -> Findings {
    let stacked = facts
        .stacked
        .iter()
        .map(|(lower, upper)| Finding::Stacked { lower: lower.clone(), upper: upper.clone() });
    if config.observe {
        return Findings { refusals: Vec::new(), warnings: stacked.collect() };
    }
    let services = Service::all(config, facts);
    let (administrators, strangers) = sessions(config, running, facts);
    let mut refusals: Vec<_> = loopback(facts).collect();
    let mut warnings = Vec::new();
    // One rule mends both.
    if administrators.is_empty() {
        let could_before = running.is_none_or(|running| {
            running.observe || nobody_can_connect(&Service::all(running, facts), facts).is_none()
        });
        refusals.extend(nobody_can_connect(&services, facts).filter(|_| could_before));
    } else {
        refusals.push(cuts_off(&administrators, facts));
    }
    if options.forgive_mistakes() {
        warnings.append(&mut refusals);
    }
    if !strangers.is_empty() {
        warnings
            .push(Finding::Strangers { sessions: strangers.into_iter().map(|cut| cut.session).collect() });
    }
    let dark: Vec<_> = services.iter().filter_map(Service::dark).collect();
    if !dark.is_empty() {
        warnings.push(Finding::Dark { services: dark });
    }
    warnings.extend(answers_dropped(config, facts));
    warnings.extend(no_such_session(config, facts));
    warnings.extend(stacked);
    if !facts.containers.is_empty() {
        warnings.push(Finding::Containers { interfaces: facts.containers.clone() });
    }
    warnings.extend(tunnels(config, facts));
    Findings { refusals, warnings }
}

/// A session that would be cut off.
struct Cut<'a> {
    session: Session,
    /// By which its packets may come in.
    interfaces: Vec<&'a Interface>,
}

/// The sessions that would be cut off: those that may be an administrator's, and the others.
fn sessions<'a>(config: &Config, running: Option<&Config>, facts: &'a Facts) -> (Vec<Cut<'a>>, Vec<Cut<'a>>) {
    let is_cut_off_already =
        |socket: &Socket| running.is_some_and(|running| would_be_dropped(running, socket));
    let mut cuts: Vec<_> = facts
        .sockets
        .inbound()
        .filter(|socket| would_be_dropped(config, socket) && !is_cut_off_already(socket))
        .filter_map(|socket| {
            let Socket { local, remote, .. } = *socket;
            let remote = remote?;
            let login = Login { remote, local };
            let who = if facts.logins.own.contains(&login) {
                Who::Operator
            } else if facts.logins.all.contains(&login) {
                Who::LoggedIn
            } else {
                Who::Unknown
            };
            let interfaces = facts.ways_in(socket);
            (!interfaces.is_empty()).then_some(Cut { session: Session { who, remote, local }, interfaces })
        })
        .collect();
    cuts.sort_by_key(|Cut { session, .. }| (session.who, session.local.port(), session.remote));
    cuts.into_iter().partition(|Cut { session: Session { who, local, .. }, .. }| {
        let kept_for_others = config.allow.iter().any(|rule| names(rule, Transport::Tcp, local.port()));
        *who != Who::Unknown || facts.logins.hidden.is_some() || !kept_for_others
    })
}

fn cuts_off(cuts: &[Cut<'_>], facts: &Facts) -> Finding {
    let mut interfaces = Vec::new();
    for interface in cuts.iter().flat_map(|cut| &cut.interfaces) {
        if !interfaces.contains(&interface.name) {
            interfaces.push(interface.name.clone());
        }
    }
    let sessions = cuts.iter().map(|cut| cut.session).collect();
    Finding::CutsOff { interfaces, sessions, hidden: facts.logins.hidden }
}

fn loopback(facts: &Facts) -> impl Iterator<Item = Finding> {
    let loopbacks = facts.interfaces.iter().filter(|interface| interface.framing == Framing::Loopback);
    loopbacks.map(|interface| Finding::Loopback { interface: interface.name.clone() })
}

fn nobody_can_connect(services: &[Service], facts: &Facts) -> Option<Finding> {
    let needed = facts.interfaces.iter().filter(|interface| facts.default_route.contains(&interface.index));
    let interfaces: Vec<_> = needed.map(|interface| interface.name.clone()).collect();
    let tcp = services.iter().filter(|service| service.transport == Transport::Tcp);
    let services: Vec<_> = tcp.cloned().collect();
    let stands_in_the_way =
        !interfaces.is_empty() && !services.is_empty() && services.iter().all(Service::is_dark);
    stands_in_the_way.then_some(Finding::NobodyCanConnect { interfaces, services })
}

/// Monitored addresses whose packets come in by an interface of the sensor, and leave by others alone.
fn answers_dropped(config: &Config, facts: &Facts) -> impl Iterator<Item = Finding> {
    let comes_in = |address| {
        let mut owned = facts.addresses.iter().filter(|host| host.address == address);
        is_monitored(config, address) && owned.any(|host| facts.is_attached(&host.through))
    };
    let astray = facts.ways_out.iter().filter(move |(address, way)| {
        comes_in(*address) && !way.names.is_empty() && !facts.is_attached(&way.through)
    });
    astray.map(|(address, way)| Finding::AnswersDropped { address: *address, by: way.names.clone() })
}

/// Tunnels whose packets come in by an interface of the sensor, to a monitored address: those that no rule lets in, and
/// those that none can.
fn tunnels(config: &Config, facts: &Facts) -> impl Iterator<Item = Finding> {
    let comes_in = |tunnel: &&Tunnel| {
        facts.addresses.iter().any(|host| {
            tunnel.local.map_or(!is_link_local(host.address), |local| local == host.address)
                && is_monitored(config, host.address)
                && facts.is_attached(&host.through)
        })
    };
    let is_allowed = |port: u16| config.allow.iter().any(|rule| names(rule, Transport::Udp, port));
    let mut listeners = facts.sockets.listeners();
    // A tunnel that does not say which port is its own has one of those that clients have, by custom.
    let unknown_is_allowed =
        listeners.any(|listener| facts.is_passing(listener) && is_allowed(listener.local.port()));
    let concerned: Vec<_> = facts.tunnels.iter().filter(comes_in).collect();
    let mut closed = Vec::new();
    let mut without_rule = Vec::new();
    for tunnel in concerned {
        match tunnel.carrier {
            Carrier::Udp(port) if port.map_or(unknown_is_allowed, is_allowed) => {}
            Carrier::Udp(port) => closed.push((tunnel.name.clone(), port)),
            Carrier::Protocol => without_rule.push(tunnel.name.clone()),
        }
    }
    let closed = (!closed.is_empty()).then_some(Finding::TunnelsClosed { tunnels: closed });
    let without_rule =
        (!without_rule.is_empty()).then_some(Finding::TunnelsWithoutRule { interfaces: without_rule });
    closed.into_iter().chain(without_rule)
}

/// What the environment says about sessions that the kernel does not have, at addresses of this host.
fn no_such_session(config: &Config, facts: &Facts) -> impl Iterator<Item = Finding> {
    let concerns = |login: &&Login| {
        facts.addresses.iter().any(|host| host.address == login.local.ip())
            && is_monitored(config, login.local.ip())
            && !lets_in(config, Transport::Tcp, login.local.port(), login.remote.ip())
    };
    let lost =
        facts.logins.own.iter().filter(move |login| concerns(login) && !login.is_among(&facts.sockets));
    lost.map(|&login| Finding::NoSuchSession { login })
}
