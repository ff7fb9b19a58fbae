//! Whether to go ahead, and if not, what to pass to `sensor setup`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::plan::Plan;
use crate::conditions::Conditions;
use crate::config::{Config, Transport};
use crate::kernel::{AttachOptions, Interface};
use crate::output;
use crate::preflight::{Facts, Finding, Service, judge};

/// Whether the agent would go ahead, now and at each boot: without a way back, which only this once there is. And whether
/// who is let in finds something to log in at.
///
/// # Errors
/// It would not, or they do not; what to pass.
pub(super) fn may_go_ahead(
    plan: &Plan,
    config: &Config,
    options: &AttachOptions,
    interfaces: &[Interface],
) -> Result<()> {
    let facts = Facts::gather(config, interfaces)?;
    let findings = judge(config, options, None, &facts);
    if let Some(refusal) = findings.refusals.first() {
        bail!("{}", refused(refusal, &plan.login_ports));
    }
    if let Some(nobody) = nobody_can_log_in(plan, &Service::all(config, &facts), &facts) {
        bail!("{nobody}");
    }
    for warning in &findings.warnings {
        output::print(&format!("  Note: {warning}.\n"))?;
    }
    Conditions::of_run(config, options).enforce()
}

/// Why not, and what to pass, in one line.
fn refused(refusal: &Finding, login_ports: &[u16]) -> String {
    match refusal {
        Finding::Loopback { interface } => {
            format!(
                "interface {interface} is the loopback, which gets nothing from outside: pass --interface with another"
            )
        }
        Finding::CutsOff { sessions, .. } => {
            let ports = sessions.iter().map(|session| session.local.port());
            let strange: BTreeSet<_> = ports.filter(|port| !login_ports.contains(port)).collect();
            let strange: Vec<_> = strange.iter().map(u16::to_string).collect();
            let ports = if strange.is_empty() {
                String::new()
            } else {
                format!(", --login-port {} where one logs in there", strange.join(" "))
            };
            format!(
                "{refusal}: pass --allow with the addresses that you connect from{ports}, and --open with what is to \
                 stay open to everybody"
            )
        }
        _ => format!(
            "{refusal}: pass --allow with the addresses that you connect from, --login-port with those of these ports \
             that one logs in at, and --open with what is to stay open to everybody"
        ),
    }
}

/// Why nobody who is let in could log in; `None` if somebody can, or if nobody is to. Who comes to an address that is not
/// monitored needs no rule.
fn nobody_can_log_in(plan: &Plan, services: &[Service], facts: &Facts) -> Option<String> {
    if plan.from.is_empty() || plan.login_ports.is_empty() {
        return None;
    }
    let is_login = |transport, port| transport == Transport::Tcp && plan.login_ports.contains(&port);
    let ports: Vec<_> = plan.login_ports.iter().map(u16::to_string).collect();
    let ports = ports.join(" or ");
    let logins: Vec<_> = services.iter().filter(|it| is_login(it.transport, it.port)).collect();
    if logins.iter().any(|it| !it.is_dark()) {
        return None;
    }
    if !logins.is_empty() {
        let version = if logins.iter().any(|it| it.v4.is_some()) { "IPv4" } else { "IPv6" };
        return Some(format!(
            "who may log in cannot, since TCP port {ports} is reached over {version} alone: pass --allow with addresses \
             of that version"
        ));
    }
    let mut listeners = facts.sockets.listeners();
    let is_there = listeners.any(|listener| is_login(listener.transport, listener.local.port()));
    (!is_there).then(|| {
        format!(
            "who may log in cannot, since nothing listens at TCP port {ports}: pass --login-port with the port that \
             SSH's server listens at"
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Prefix;
    use crate::kernel::{Socket, Sockets, State};
    use crate::preflight::{Session, Who};

    fn ssh(port: u16, v4: Option<&[&str]>, v6: Option<&[&str]>) -> Service {
        let from = |all: Option<&[&str]>| all.map(|all| all.iter().map(|it| it.parse().unwrap()).collect());
        Service { transport: Transport::Tcp, port, v4: from(v4), v6: from(v6) }
    }

    const LET_IN: &[&str] = &["203.0.113.9"];
    const NOBODY: &[&str] = &[];

    /// What stands in front of the sensor, which ports are listened at, and what is said.
    #[rstest]
    #[case::there(vec![ssh(22, Some(LET_IN), None)], &[22], None)]
    #[case::over_one_version(vec![ssh(22, Some(LET_IN), Some(NOBODY))], &[22], None)]
    #[case::at_another_port(vec![ssh(2_222, Some(NOBODY), None)], &[2_222], Some("--login-port"))]
    #[case::nothing_at_all(vec![], &[], Some("nothing listens at TCP port 22"))]
    #[case::the_other_version(vec![ssh(22, None, Some(NOBODY))], &[22], Some("over IPv6 alone"))]
    #[case::where_nothing_is_monitored(vec![], &[22], None)]
    fn who_is_let_in_must_find_a_listener(
        #[case] services: Vec<Service>,
        #[case] listening: &[u16],
        #[case] words: Option<&str>,
    ) {
        let socket = |port: &u16| Socket {
            transport: Transport::Tcp,
            local: ([0, 0, 0, 0], *port).into(),
            remote: None,
            state: State::Listen,
            interface: None,
        };
        let facts = Facts { sockets: Sockets(listening.iter().map(socket).collect()), ..Facts::default() };
        let from: Vec<Prefix> = vec!["203.0.113.9".parse().unwrap()];
        let plan = Plan { from, login_ports: vec![22], ..Plan::default() };
        let said = nobody_can_log_in(&plan, &services, &facts);
        match words {
            Some(words) => assert!(said.as_ref().is_some_and(|said| said.contains(words)), "{said:?}"),
            None => assert_eq!(said, None),
        }
        // Who lets nobody in has other ways.
        assert_eq!(nobody_can_log_in(&Plan { from: Vec::new(), ..plan }, &services, &facts), None);
    }

    #[rstest]
    #[case::loopback(Finding::Loopback { interface: "lo".to_owned() }, "pass --interface", "--allow")]
    #[case::at_another_port(cuts_off(2_222), "--login-port 2222", "--interface")]
    #[case::at_the_port(cuts_off(22), "--allow", "--login-port")]
    #[case::nobody(
        Finding::NobodyCanConnect { interfaces: vec!["eth0".to_owned()], services: vec![ssh(2_222, None, None)] },
        "--login-port with those",
        "--interface"
    )]
    fn each_refusal_has_its_own_remedy(#[case] finding: Finding, #[case] words: &str, #[case] not: &str) {
        let said = refused(&finding, &[22]);
        assert!(said.contains(words) && !said.contains(not) && !said.contains('\n'), "{said}");
    }

    fn cuts_off(port: u16) -> Finding {
        let session = Session {
            who: Who::LoggedIn,
            remote: "203.0.113.9:50022".parse().unwrap(),
            local: ([198, 51, 100, 7], port).into(),
        };
        Finding::CutsOff { interfaces: vec!["eth0".to_owned()], sessions: vec![session], hidden: None }
    }
}
