//! `sensor setup`: from a host that has the program to a sensor that is attached, confirmed, and started at each boot.
//!
//! It proposes what it finds, writes the configuration with the rule that keeps the administrator in, attaches with a
//! way back, and goes on once somebody has confirmed over a new connection. Each step is printed as the command that
//! does it, and at the end the commands that undo what was done, however it ended.

mod ask;
mod attach;
mod file;
mod plan;
mod seen;
mod unit;

use std::path::Path;

use anyhow::{Result, bail};

use self::ask::Ask;
use self::attach::Attaching;
use self::file::{Change, Place};
use self::plan::Plan;
use self::seen::Seen;
use crate::cli;
use crate::conditions::Conditions;
use crate::config::{self, Config, Port};
use crate::doctor::{Places, Severity, examine};
use crate::kernel::{
    AttachOptions, Interface, check_names, check_privileges, detach_command, detach_command_of, is_ours,
};
use crate::output;
use crate::preflight::{Facts, Service, judge};
use crate::socket;
use crate::typed::word;

/// Where one logs in over SSH, unless somebody has at another port.
const SSH: u16 = 22;

/// Sets up a sensor on this host.
///
/// # Errors
/// Something stands in the way, nobody confirms, or systemd does not run it: what, and what to do. What was done
/// until then is said, with the commands that undo it.
pub fn run(arguments: &cli::Setup) -> Result<()> {
    check_privileges()?;
    check_names(&arguments.pins)?;
    let place = Place::new(&arguments.config, arguments.replace)?;
    let options = AttachOptions { pins: arguments.pins.clone(), ..AttachOptions::default() };
    nobody_is_at_work(&options.pins)?;
    let ask = Ask { silently: arguments.yes };
    let (plan, interfaces) = plan(arguments, &ask)?;
    let config = plan.config(place.path())?;
    look(&config, &options)?;
    may_go_ahead(&config, &options, &interfaces)?;
    let change = Change::new(&place, plan.to_string());
    output::print(&format!("\n{}\n", change.commands()))?;
    if !ask.agreed("Write that, and attach?")? {
        bail!("nothing was changed: run `sensor setup` again, or write {} yourself", place.path().display());
    }
    let options = AttachOptions { confirm_within: Some(arguments.confirm_within), ..options };
    let mut done = Vec::new();
    let ended = steps(&change, &config, &options, &mut done);
    if !done.is_empty() {
        output::say("\nWhat was done is undone by:");
        done.iter().rev().for_each(|command| output::say(&format!("  {command}")));
    }
    ended
}

/// That no agent runs here already.
fn nobody_is_at_work(pins: &Path) -> Result<()> {
    let socket = socket::default_path(pins);
    if socket::is_listening(&socket) {
        bail!(
            "an agent runs here already, and listens on {}: `sensor status` says what it does; stop it first",
            socket.display()
        );
    }
    Ok(())
}

/// What is to be configured: what is found on this host, what was said on the command line in place of it, and what is
/// answered in place of both.
fn plan(arguments: &cli::Setup, ask: &Ask) -> Result<(Plan, Vec<Interface>)> {
    let seen = Seen::now()?;
    let or = |given: &[String], found: Vec<String>| if given.is_empty() { found } else { given.to_vec() };
    let proposed = or(&arguments.interfaces, seen.proposed()?);
    let names = ask.ask("Interfaces to watch", &proposed.join(" "), interface_names)?;
    let interfaces = names.iter().map(|name| free(name)).collect::<Result<Vec<_>>>()?;
    let proposed =
        if arguments.monitor.is_empty() { seen.addresses(&interfaces) } else { arguments.monitor.clone() };
    let monitored = ask.list("Addresses to watch: what is sent there is counted and dropped", &proposed)?;
    if monitored.is_empty() {
        bail!("{} has no address that is reached from afar: pass --monitor", names.join(", "));
    }
    let (mut proposed, ports) = seen.logged_in(&monitored);
    proposed.extend(arguments.allow.iter().filter(|it| !proposed.contains(it)).copied().collect::<Vec<_>>());
    let from = ask.list("Addresses from where one may log in", &proposed)?;
    let ports = match (&arguments.login_ports[..], &ports[..]) {
        ([], []) => vec![SSH],
        ([], found) => found.to_vec(),
        (given, _) => given.to_vec(),
    };
    let login_ports = if from.is_empty() { Vec::new() } else { ask.list("TCP ports to log in at", &ports)? };
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => ask.ask("The sensor's name", &config::hostname().unwrap_or_default(), sensor_name)?,
    };
    let region = arguments.region.clone();
    let plan = Plan { interfaces: names, name, region, monitored, from, login_ports, open: Vec::new() };
    let open = if arguments.open.is_empty() && !ask.silently {
        open_to_all(&plan, &arguments.config, &interfaces, ask)?
    } else {
        arguments.open.clone()
    };
    Ok((Plan { open, ..plan }, interfaces))
}

fn interface_names(answer: &str) -> Result<Vec<String>, String> {
    let words = answer.split([' ', ',']).filter(|word| !word.is_empty());
    let names: Vec<_> =
        words.map(|word| config::interface_name(word).map_err(str::to_owned)).collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Err("names none, and no default route does: pass --interface".to_owned());
    }
    Ok(names)
}

fn sensor_name(answer: &str) -> Result<String, String> {
    config::sensor_name(answer).map_err(|cause| format!("{cause}, or pass --name"))
}

/// An interface that has no sensor yet.
fn free(name: &str) -> Result<Interface> {
    let interface = Interface::named(name)?;
    if let Some(xdp) = interface.xdp
        && is_ours(xdp.program)?
    {
        bail!("a sensor is attached to {name} already: {} ends it", detach_command_of(&interface));
    }
    Ok(interface)
}

/// Asks which of the services that would go dark are to stay open.
fn open_to_all(plan: &Plan, path: &Path, interfaces: &[Interface], ask: &Ask) -> Result<Vec<Port>> {
    let config = plan.config(path)?;
    let services = Service::all(&config, &Facts::gather(&config, interfaces)?);
    let dark: Vec<_> = services.iter().filter(|it| it.is_dark()).map(Service::to_string).collect();
    if dark.is_empty() {
        return Ok(Vec::new());
    }
    ask.list(&format!("{} would go dark; what is to stay open to everybody", dark.join(", ")), &[])
}

/// What `sensor doctor` says that is not as it should be.
fn look(config: &Config, options: &AttachOptions) -> Result<()> {
    let names: Vec<_> = config.interfaces.iter().map(|name| word(name)).collect();
    output::print(&format!("+ sensor doctor --interface {}\n", names.join(" ")))?;
    let diagnosis = examine(&config.interfaces, &Places::of(&options.pins, Some(config)))?;
    let of_interfaces = diagnosis
        .interfaces
        .iter()
        .flat_map(|it| it.findings.iter().map(|finding| (it.name.as_str(), finding)));
    for (of, finding) in of_interfaces.chain(diagnosis.host.iter().map(|finding| ("this host", finding))) {
        let Some(remedy) = finding.remedy.as_ref().filter(|_| finding.severity != Severity::Ok) else {
            continue;
        };
        let check = finding.check.replace('_', " ");
        if finding.severity == Severity::Problem {
            bail!("{check} of {of}: {}: {remedy}", finding.found);
        }
        output::print(&format!("  {check} of {of}: {}: {remedy}\n", finding.found))?;
    }
    Ok(())
}

/// Whether the agent would go ahead, now and at each boot: without a way back, which only this once there is.
fn may_go_ahead(config: &Config, options: &AttachOptions, interfaces: &[Interface]) -> Result<()> {
    let findings = judge(config, options, None, &Facts::gather(config, interfaces)?);
    if let Some(refusal) = findings.refusals.first() {
        bail!(
            "{refusal}: pass --allow with the addresses that you connect from, and --open with what is to stay open to \
             everybody"
        );
    }
    for warning in &findings.warnings {
        output::print(&format!("  Note: {warning}.\n"))?;
    }
    Conditions::of_run(config, options).enforce()
}

/// Writes, attaches, waits, and has systemd go on; `done` gets the command that undoes each step once it is done.
fn steps(
    change: &Change<'_>,
    config: &Config,
    options: &AttachOptions,
    done: &mut Vec<String>,
) -> Result<()> {
    let path = change.path();
    change.write()?;
    done.push(change.undo());

    output::say(&format!("+ {}", attach::command(path, options)));
    let mut attaching = Attaching::start(path, options, &config.interfaces)?;
    if let Err(error) = confirmed(&mut attaching, config, options) {
        if is_attached(config) {
            done.push(detach(config, options));
        }
        bail!(
            "{error:#}: `sensor check --config {}` says who is let in, and --replace begins anew",
            path.display()
        );
    }
    done.push(detach(config, options));
    output::say(&format!(
        "Confirmed.\n+ kill -TERM {}   # the program goes on counting",
        attaching.process()
    ));
    attaching.end()?;

    if unit::is_for(path, &options.pins) {
        output::say(&format!("+ {}", unit::ENABLE));
        done.push(unit::DISABLE.to_owned());
        unit::enable()?;
        output::say(
            "\nsystemd runs it now, and at each boot before anybody can log in: `sensor status` says how it is.",
        );
    } else {
        let again = attach::command(path, &AttachOptions { confirm_within: None, ..options.clone() });
        output::say(&format!(
            "\nThe program counts. No unit of systemd's runs an agent with {}: have something else run\n  {again}",
            path.display()
        ));
    }
    Ok(())
}

/// Waits until it is attached, says what is to be done, and waits until it is confirmed.
fn confirmed(attaching: &mut Attaching, config: &Config, options: &AttachOptions) -> Result<()> {
    attaching.attached()?;
    output::say(&format!(
        "\nAttached to {}. Open a NEW connection to this host now, and run there, within {} s:\n  sensor confirm\n\
         If you cannot get in, wait: after that time it undoes itself.\n",
        config.interfaces.join(", "),
        options.confirm_within.unwrap_or_default().as_secs()
    ));
    attaching.confirmed()
}

/// The command that detaches it.
fn detach(config: &Config, options: &AttachOptions) -> String {
    let names: Vec<_> = config.interfaces.iter().map(String::as_str).collect();
    detach_command(&names, &options.pins).trim_matches('`').to_owned()
}

fn is_attached(config: &Config) -> bool {
    let has_xdp = |name: &String| Interface::find(name).is_ok_and(|it| it.is_some_and(|it| it.xdp.is_some()));
    config.interfaces.iter().any(has_xdp)
}
