//! `sensor check`: what a configuration would do on this host, without attaching.
//!
//! It asks the kernel only what anybody may ask, so it needs no privileges. Who is logged in it learns only as
//! root; without, it takes every session for an administrator's.

use std::fmt::Write as _;

use anyhow::Result;

use crate::config::{Allow, Config, Prefix};
use crate::kernel::{AttachOptions, Framing, Interface, check_interface, check_kernel};
use crate::output;
use crate::preflight::{Facts, Finding, Findings, Service, judge};

/// Prints what would pass and what would go dark.
///
/// # Errors
/// `sensor run` would refuse; the error is the one that it would end with.
pub fn run(config: &Config) -> Result<()> {
    let (interfaces, facts) = look(config)?;
    let findings = judge(config, &AttachOptions::default(), None, &facts);
    let report = report(config, &facts, &findings)?;
    output::print(&report)?;
    check_kernel()?;
    interfaces.iter().try_for_each(check_interface)?;
    findings.allow()
}

fn look(config: &Config) -> Result<(Vec<Interface>, Facts)> {
    let mut interfaces = Vec::new();
    for name in &config.interfaces {
        interfaces.push(Interface::named(name)?);
    }
    let facts = Facts::gather(config, &interfaces)?;
    Ok((interfaces, facts))
}

fn report(config: &Config, facts: &Facts, findings: &Findings) -> Result<String> {
    let mut text = String::new();
    section(&mut text, "Interfaces", facts.interfaces.iter().map(|it| (it.name.clone(), state(it, facts))))?;
    let monitored = config.sensors.iter().map(|sensor| {
        let prefixes =
            if sensor.prefixes.is_empty() { "every address".to_owned() } else { list(&sensor.prefixes) };
        (sensor.name.clone(), prefixes)
    });
    section(
        &mut text,
        if config.observe { "Counted, not dropped" } else { "Counted and dropped" },
        monitored,
    )?;
    section(
        &mut text,
        "Let in",
        config.allow.iter().map(|rule| (what(rule), format!("from {}", list(&rule.from)))),
    )?;
    let services = Service::all(config, facts);
    section(
        &mut text,
        "Listening behind the sensor",
        services.iter().map(|it| (it.to_string(), who(config, it))),
    )?;
    let cut: Vec<_> = [&findings.refusals, &findings.warnings]
        .into_iter()
        .flatten()
        .filter_map(|finding| match finding {
            Finding::CutsOff { sessions, .. } | Finding::Strangers { sessions } => Some(sessions),
            _ => None,
        })
        .flatten()
        .collect();
    let cut = cut.iter().map(|session| (session.to_string(), "is cut off".to_owned()));
    section(&mut text, "Connected now", cut)?;
    // Who is cut off and what goes dark stands above already.
    let rest = findings.warnings.iter().filter(|finding| {
        !matches!(finding, Finding::CutsOff { .. } | Finding::Strangers { .. } | Finding::Dark { .. })
    });
    for warning in rest {
        writeln!(text, "Note: {warning}.")?;
    }
    if findings.refusals.is_empty() && facts.interfaces.iter().all(|it| check_interface(it).is_ok()) {
        writeln!(text, "`sensor run` would go ahead.")?;
    } else {
        writeln!(text, "`sensor run` would refuse.")?;
    }
    Ok(text)
}

/// A heading and aligned rows below it; nothing without rows.
fn section(text: &mut String, heading: &str, rows: impl Iterator<Item = (String, String)>) -> Result<()> {
    let rows: Vec<_> = rows.collect();
    let Some(width) = rows.iter().map(|(name, _)| name.chars().count()).max() else { return Ok(()) };
    writeln!(text, "{heading}:")?;
    for (name, value) in rows {
        writeln!(text, "  {name:width$}  {value}")?;
    }
    Ok(())
}

fn state(interface: &Interface, facts: &Facts) -> String {
    let mut words = vec![if interface.up { "up" } else { "down" }.to_owned()];
    words.push(match interface.framing {
        Framing::Ethernet => "Ethernet".to_owned(),
        Framing::Loopback => "loopback".to_owned(),
        Framing::Other => "not Ethernet".to_owned(),
    });
    words.push(format!("MTU {}", interface.mtu));
    if facts.default_route.contains(&interface.index) {
        words.push("a default route depends on it".to_owned());
    }
    if let Some(xdp) = interface.xdp {
        words.push(format!("XDP program {} attached", xdp.program));
    }
    words.join(", ")
}

/// What a rule is about.
fn what(rule: &Allow) -> String {
    let tcp = rule.tcp.iter().map(|port| format!("{port}/tcp"));
    let udp = rule.udp.iter().map(|port| format!("{port}/udp"));
    let echo = rule.icmp_echo.then(|| "echo requests".to_owned());
    tcp.chain(udp).chain(echo).collect::<Vec<_>>().join(", ")
}

/// Who may still reach a service.
fn who(config: &Config, service: &Service) -> String {
    if config.observe {
        return "stays open to everybody".to_owned();
    }
    let from: Vec<_> = service.from().collect();
    match service.dark() {
        Some(dark) => match dark.over {
            Some(version) => format!("open to {}, goes dark over {version}", list(&from)),
            None => "goes dark".to_owned(),
        },
        None => format!("open to {}", list(&from)),
    }
}

fn list(prefixes: &[Prefix]) -> String {
    /// More would not be read.
    const MOST: usize = 16;
    let named = prefixes.iter().take(MOST).map(Prefix::to_string).collect::<Vec<_>>().join(", ");
    match prefixes.len().saturating_sub(MOST) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
