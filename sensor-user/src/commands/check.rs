//! `sensor check`: what a configuration would do on this host, without attaching.
//!
//! It asks the kernel only what anybody may ask, so it needs no privileges. Who is logged in it learns only as
//! root; without, it takes every session for an administrator's.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::conditions::Conditions;
use crate::config::{Allow, Config, Prefix};
use crate::kernel::{AttachOptions, Framing, Interface};
use crate::notices;
use crate::output;
use crate::preflight::{Facts, Finding, Findings, Service, judge};
use crate::socket;
use crate::sources::file_troubles;

/// Prints what would pass and what would go dark, and whether `sensor run` would go ahead; beside an agent that runs
/// here, whether `sensor reload` would.
///
/// # Errors
/// It would refuse; the error is the one that it would end with.
pub fn run(config: &Config, options: &AttachOptions) -> Result<()> {
    let interfaces = config.interfaces.iter().map(|name| Interface::find(name)).filter_map(Result::transpose);
    let facts = Facts::gather(config, &interfaces.collect::<Result<Vec<_>>>()?)?;
    let findings = judge(config, options, None, &facts);
    let socket = config.socket_path(&options.pins);
    let (command, conditions) = if socket::is_listening(&socket) {
        ("An agent runs here, and `sensor reload`", Conditions::of_reload(config, options))
    } else {
        ("`sensor run`", Conditions::of_run(config, options))
    };
    let mut text = report(config, &facts, &findings)?;
    files(&mut text, config, options)?;
    answer(&mut text, command, &conditions, &findings, &socket)?;
    output::print(&text)?;
    conditions.allow()?;
    findings.allow()
}

/// Files that an agent reads or makes, and goes on without.
fn files(text: &mut String, config: &Config, options: &AttachOptions) -> Result<()> {
    if let Some(error) = socket::obstacle(&config.page_path(&options.pins), socket::PAGE) {
        writeln!(text, "Note: nobody could see the page by its socket: {error:#}.")?;
    }
    let troubles = config.evidence.as_ref().map(|_| file_troubles(&config.sources));
    for trouble in troubles.into_iter().flatten() {
        writeln!(text, "Note: {trouble}.")?;
    }
    let log = config.notices.as_ref().and_then(|notices| notices.log.as_deref());
    if let Some(obstacle) = log.filter(|_| config.evidence.is_some()).and_then(notices::obstacle) {
        writeln!(text, "Note: {obstacle}; until then notices would wait in the store.")?;
    }
    Ok(())
}

/// Whether the command would go ahead, as far as can be told.
fn answer(
    text: &mut String,
    command: &str,
    conditions: &Conditions,
    findings: &Findings,
    socket: &Path,
) -> Result<()> {
    if let Some(error) = socket::obstacle(socket, socket::QUESTIONS) {
        writeln!(text, "Note: no command could ask the agent: {error:#}.")?;
    }
    for error in conditions.unmet_by_user() {
        writeln!(text, "Note: it would end for this user: {error:#}.")?;
    }
    let unknown: Vec<_> = conditions.unknown().collect();
    if !unknown.is_empty() {
        writeln!(text, "Note: without attaching it is not known {}.", unknown.join("; "))?;
    }
    for error in conditions.unmet() {
        if conditions.refuse() {
            writeln!(text, "In the way: {error:#}.")?;
        } else {
            writeln!(text, "Left out, and tried again by an agent that runs: {error:#}.")?;
        }
    }
    let goes_ahead = findings.refusals.is_empty() && !conditions.refuse();
    writeln!(text, "{command} would {}.", if goes_ahead { "go ahead" } else { "refuse" })?;
    Ok(())
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
