//! `sensor setup`: from a host that has the program to a sensor that is attached, confirmed, and started at each boot.
//!
//! It proposes what it finds, writes the configuration with the rule that keeps the administrator in, attaches with a
//! way back, and goes on once somebody has confirmed over a new connection. The configuration is put where a unit finds it
//! after that: nothing that nobody has confirmed is attached without a way back. Each step is printed as the command that
//! does it, and at the end the commands that undo what was done, however it ended.

mod ahead;
mod ask;
mod attach;
mod file;
mod interrupt;
mod plan;
mod seen;
mod unit;

use std::path::Path;

use anyhow::{Result, bail};

use self::ahead::may_go_ahead;
use self::ask::Ask;
use self::attach::Attaching;
use self::file::{Change, Place};
use self::plan::Plan;
use self::seen::Seen;
use super::detach;
use crate::config::{self, Config, Port, Prefix};
use crate::doctor::{Places, Severity, examine};
use crate::kernel::{
    AttachOptions, DEFAULT_PINS, Interface, check_names, check_privileges, detach_command_of, is_ours,
    typed_detach,
};
use crate::preflight::{Facts, SSH, Service};
use crate::typed::word;
use crate::{cli, output, socket};

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
    may_go_ahead(&plan, &config, &options, &interfaces)?;
    let change = Change::new(&place, plan.to_string());
    output::print(&format!("\n{}\n\n", change.write_command()))?;
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
    // The unit's agent has the pins that all have by default.
    if pins == Path::new(DEFAULT_PINS) { unit::is_at_rest() } else { Ok(()) }
}

/// What is to be configured: what is found on this host, what was said on the command line in place of it, and what is
/// answered in place of both.
fn plan(arguments: &cli::Setup, ask: &Ask) -> Result<(Plan, Vec<Interface>)> {
    let seen = Seen::now()?;
    let or = |given: &[String], found: Vec<String>| if given.is_empty() { found } else { given.to_vec() };
    let guests = seen.to_guests();
    if arguments.interfaces.is_empty() && !guests.is_empty() {
        output::print(&format!(
            "  Note: not proposed, since guests are behind them: {}.\n",
            guests.join(", ")
        ))?;
    }
    let proposed = or(&arguments.interfaces, seen.proposed()?);
    let names = ask.ask("Interfaces to attach to", &proposed.join(" "), interface_names)?;
    let interfaces = names.iter().map(|name| free(name)).collect::<Result<Vec<_>>>()?;
    let fleeting: Vec<_> = seen.fleeting(&interfaces).iter().map(Prefix::to_string).collect();
    if arguments.monitor.is_empty() && !fleeting.is_empty() {
        output::print(&format!(
            "  Note: not proposed, since the host changes them from day to day: {}; a wider prefix has them all.\n",
            fleeting.join(", ")
        ))?;
    }
    let proposed =
        if arguments.monitor.is_empty() { seen.addresses(&interfaces) } else { arguments.monitor.clone() };
    let monitored = ask.list("Addresses to monitor: what is sent there is counted and dropped", &proposed)?;
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

/// Writes, attaches, waits, puts the configuration in its place, and has systemd go on; `done` gets the command that undoes
/// each step once it is done. What nobody confirms is detached again, and its configuration stays where no unit finds it.
fn steps(
    change: &Change<'_>,
    config: &Config,
    options: &AttachOptions,
    done: &mut Vec<String>,
) -> Result<()> {
    interrupt::catch()?;
    change.write()?;
    done.push(change.unwrite_command());

    let unconfirmed = change.unconfirmed();
    output::say(&format!("+ {}", attach::command(unconfirmed, options)));
    let mut attaching = Attaching::start(unconfirmed, options, &config.interfaces)?;
    if let Err(error) = confirmed(&mut attaching, config, options) {
        if let Err(left) = take_back(&mut attaching, config, options) {
            done.push(detach_command(&config.interfaces, options));
            tracing::warn!("{left:#}");
        }
        bail!(
            "{error:#}: what was written stays in {shown}, where no unit finds it; `sensor check --config {shown}` says who \
             is let in, and `sensor setup` begins anew",
            shown = unconfirmed.display()
        );
    }
    done.push(detach_command(&config.interfaces, options));
    output::say("Confirmed.");
    change.place_commands().iter().for_each(|command| output::say(&format!("+ {command}")));
    change.put_in_place()?;
    done[0] = change.undo_command();
    output::say(&format!("+ kill -TERM {}   # the program goes on counting", attaching.process()));
    attaching.end()?;
    go_on(change.path(), options, done)
}

/// Has systemd run the agent, or says what else is to.
fn go_on(path: &Path, options: &AttachOptions, done: &mut Vec<String>) -> Result<()> {
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
    let within = options.confirm_within.unwrap_or_default();
    attaching.attached()?;
    output::say(&format!(
        "\nAttached to {}. Open a NEW connection to this host now, and run there, within {} s:\n  sensor confirm\n\
         If you cannot get in, wait: after that time it undoes itself. Ctrl-C undoes it at once.\n",
        config.interfaces.join(", "),
        within.as_secs()
    ));
    attaching.confirmed(within)
}

/// Ends the agent that nobody has confirmed, and detaches what it has left attached.
fn take_back(attaching: &mut Attaching, config: &Config, options: &AttachOptions) -> Result<()> {
    let ended = attaching.end();
    let interfaces = attached(config)?;
    if !interfaces.is_empty() {
        output::say(&format!("+ {}", detach_command(&interfaces, options)));
        detach::run(&cli::Detach { interfaces, all: false, pins: options.pins.clone() })?;
    }
    ended
}

/// The command that detaches from these.
fn detach_command(interfaces: &[String], options: &AttachOptions) -> String {
    let names: Vec<_> = interfaces.iter().map(String::as_str).collect();
    typed_detach(&names, &options.pins)
}

/// The interfaces of those that are configured that have a sensor's program.
fn attached(config: &Config) -> Result<Vec<String>> {
    let mut attached = Vec::new();
    for name in &config.interfaces {
        let program = Interface::find(name)?.and_then(|interface| interface.xdp).map(|xdp| xdp.program);
        if let Some(program) = program
            && is_ours(program)?
        {
            attached.push(name.clone());
        }
    }
    Ok(attached)
}
