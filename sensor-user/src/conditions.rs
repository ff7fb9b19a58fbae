//! What has to be so for `sensor run` to attach: one list, which `run` goes through before it attaches, and `check`
//! instead of attaching.
//!
//! Nothing is changed to find out. What only attaching shows, as whether a driver takes a program, is named as that.

use std::io;
use std::net::TcpListener;

use anyhow::{Error, Result};

use crate::config::{Config, Mode};
use crate::export::http;
use crate::kernel::{
    Above, AttachOptions, AttachedMode, Interface, Pins, Standing, check_capabilities, check_interface,
    check_kernel, check_named_once, check_native,
};
use crate::socket;

/// How a condition stands.
#[derive(Debug)]
enum Condition {
    Met,
    /// The error to end with.
    Unmet(Error),
    /// The error to end with if this user attaches: another one may do what this one may not.
    UnmetByUser(Error),
    /// What can't be known without attaching, or by this user; it begins with "whether".
    Unknown(String),
}

/// How all of them stand.
#[derive(Debug)]
pub struct Conditions {
    /// Those of the host: each of them must be met.
    host: Vec<Condition>,
    /// Those of each interface: one that does not meet them is left out, and tried again.
    interfaces: Vec<Vec<Condition>>,
    /// Whether there must be an interface that is not left out: an agent that runs goes on without.
    start: bool,
}

/// What is to be attached, and how.
struct Start<'a> {
    config: &'a Config,
    options: &'a AttachOptions,
}

/// The conditions of starting; an agent that runs has met them before it reloads.
const OF_STARTING: [fn(&Start<'_>) -> Condition; 6] =
    [kernel, capabilities, address, agent, pins, programs_and_maps];

/// The conditions that each interface has to meet.
const OF_INTERFACES: [fn(&Start<'_>, &Interface) -> Condition; 3] = [usable, free, native];

impl Conditions {
    /// Those of `sensor run`.
    #[must_use]
    pub fn of_run(config: &Config, options: &AttachOptions) -> Self {
        let start = Start { config, options };
        let Self { host, interfaces, .. } = Self::of_reload(config, options);
        let host = OF_STARTING.iter().map(|condition| condition(&start)).chain(host).collect();
        Self { host, interfaces, start: true }
    }

    /// Those of `sensor reload`.
    #[must_use]
    pub fn of_reload(config: &Config, options: &AttachOptions) -> Self {
        let start = Start { config, options };
        let of_each = |name: &String| match Interface::named(name) {
            Ok(interface) => OF_INTERFACES.iter().map(|condition| condition(&start, &interface)).collect(),
            Err(error) => vec![Condition::Unmet(error)],
        };
        let interfaces = config.interfaces.iter().map(of_each).collect();
        Self { host: vec![named_once(&start)], interfaces, start: false }
    }

    /// What stands in the way, whoever attaches; most pressing first.
    pub fn unmet(&self) -> impl Iterator<Item = &Error> {
        self.all().filter_map(|condition| match condition {
            Condition::Unmet(error) => Some(error),
            _ => None,
        })
    }

    /// What stands in the way of this user alone.
    pub fn unmet_by_user(&self) -> impl Iterator<Item = &Error> {
        self.all().filter_map(|condition| match condition {
            Condition::UnmetByUser(error) => Some(error),
            _ => None,
        })
    }

    /// What is not known: clauses that begin with "whether".
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.all().filter_map(|condition| match condition {
            Condition::Unknown(what) => Some(what.as_str()),
            _ => None,
        })
    }

    fn all(&self) -> impl Iterator<Item = &Condition> {
        self.host.iter().chain(self.interfaces.iter().flatten())
    }

    /// Whether nothing would be attached at all, whoever attaches.
    #[must_use]
    pub fn refuse(&self) -> bool {
        let unmet = |condition: &Condition| matches!(condition, Condition::Unmet(_));
        let left_out = |interface: &Vec<Condition>| interface.iter().any(unmet);
        self.host.iter().any(unmet) || (self.start && self.interfaces.iter().all(left_out))
    }

    /// Whether to go on, whoever attaches.
    ///
    /// # Errors
    /// The one to end with, if nothing would be attached at all.
    pub fn allow(self) -> Result<()> {
        let refuse = self.refuse();
        let unmet =
            self.host.into_iter().chain(self.interfaces.into_iter().flatten()).find_map(|condition| {
                match condition {
                    Condition::Unmet(error) => Some(error),
                    _ => None,
                }
            });
        unmet.filter(|_| refuse).map_or(Ok(()), Err)
    }

    /// Whether this user may go on.
    ///
    /// # Errors
    /// The one to end with.
    pub fn enforce(self) -> Result<()> {
        let by_anybody = |condition| match condition {
            Condition::UnmetByUser(error) => Condition::Unmet(error),
            other => other,
        };
        Self { host: self.host.into_iter().map(by_anybody).collect(), ..self }.allow()
    }
}

impl<T, E: Into<Error>> From<Result<T, E>> for Condition {
    fn from(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self::Unmet(error.into()), |_| Self::Met)
    }
}

fn kernel(_: &Start<'_>) -> Condition {
    check_kernel().into()
}

fn capabilities(_: &Start<'_>) -> Condition {
    check_capabilities().map_or_else(|error| Condition::UnmetByUser(error.into()), |()| Condition::Met)
}

/// The address to serve at is free.
fn address(start: &Start<'_>) -> Condition {
    let address = start.config.listen;
    let Err(error) = TcpListener::bind(address) else { return Condition::Met };
    let refusal = http::cannot_listen(address, &error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => Condition::UnmetByUser(refusal),
        _ => Condition::Unmet(refusal),
    }
}

/// No other agent has the socket. Where it cannot be made, an agent goes on without.
fn agent(start: &Start<'_>) -> Condition {
    let path = start.config.socket_path(&start.options.pins);
    match socket::check(&path, &start.options.pins) {
        Ok(checked) => checked.into(),
        Err(_) => Condition::Unknown(format!(
            "whether an agent of another network namespace has the socket {}, which only root may look at",
            path.display()
        )),
    }
}

/// There is a place for the pins, and no agent of another network namespace works with them.
fn pins(start: &Start<'_>) -> Condition {
    let AttachOptions { pins, detach_on_exit, .. } = start.options;
    match Pins::check(pins, !detach_on_exit) {
        Ok(checked) => checked.into(),
        Err(_) => Condition::Unknown(format!(
            "whether another agent works with {}, which only root may look into",
            pins.display()
        )),
    }
}

fn programs_and_maps(_: &Start<'_>) -> Condition {
    Condition::Unknown(
        "whether the kernel takes the programs, and they fit the maps that an earlier agent left".to_owned(),
    )
}

/// No interface is named twice, by two names that it has.
fn named_once(start: &Start<'_>) -> Condition {
    check_named_once(&start.config.interfaces).into()
}

/// Its packets can be read.
fn usable(_: &Start<'_>, interface: &Interface) -> Condition {
    check_interface(interface).into()
}

/// No XDP program is attached but an earlier agent's, which is taken over; none stands in the way from above.
fn free(start: &Start<'_>, interface: &Interface) -> Condition {
    match Standing::of(interface, start.options) {
        Standing::Earlier(_) => Condition::Met,
        Standing::Free => match Above::of(interface, start.options, &start.config.interfaces) {
            Ok(Above::Free) => Condition::Met,
            Ok(Above::Taken(error)) | Err(error) => Condition::Unmet(error),
            Ok(Above::Hidden(program, above)) => Condition::Unknown(format!(
                "whether the XDP program {program} on {above}, which stands on {}, is an earlier agent's, which would \
                 make way: only root may look",
                interface.name
            )),
        },
        Standing::Taken(error) => Condition::Unmet(error),
        Standing::Hidden(program) => Condition::Unknown(format!(
            "whether the XDP program {program} on {} is an earlier agent's, which would be taken over: only root may \
             look",
            interface.name
        )),
    }
}

/// The driver runs programs, where it must.
fn native(start: &Start<'_>, interface: &Interface) -> Condition {
    let mode = start.config.mode;
    let from = match Standing::of(interface, start.options) {
        Standing::Earlier(_) => interface.xdp.and_then(|xdp| xdp.mode),
        _ => None,
    };
    // What is taken over stays where it is, unless it is asked for elsewhere.
    if mode == Mode::Generic
        || (from.is_some() && (mode, from) != (Mode::Native, Some(AttachedMode::Generic)))
    {
        return Condition::Met;
    }
    match check_native(interface, from) {
        Err(error) if mode == Mode::Native => Condition::Unmet(error),
        // It is attached in generic mode.
        Err(_) => Condition::Met,
        Ok(_) => Condition::Unknown(format!(
            "whether the driver of {name} takes the program in native mode, set as it is now: `sensor doctor \
             --interface {name}` tells what may be in the way",
            name = interface.name
        )),
    }
}
