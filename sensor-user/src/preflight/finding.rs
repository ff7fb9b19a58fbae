//! What can be found before attaching, and how it is said.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use sensor_common::flow::timeout;

use super::login::{Hidden, Login};
use super::reach::{Dark, Service};
use super::rule::{Rule, Strangers};

/// A second's.
const NANOSECONDS: u64 = 1_000_000_000;

/// Things of a kind that are named one by one.
const MOST_NAMED: usize = 8;

const OVERRIDES: &str = "or pass --confirm-within 60s so that a mistake undoes itself, --observe to drop nothing, or \
     --i-have-console-access if you can reach the host without the network";

const WITH_ADDRESSES: &str = ", with the addresses that you connect from";

/// Something that an operator wants to know before attaching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The interface is the loopback.
    Loopback {
        /// Its name.
        interface: String,
    },
    /// Sessions that no rule allows, and that may be an administrator's.
    CutsOff {
        /// By which their packets come in.
        interfaces: Vec<String>,
        /// Who; the operator's own first.
        sessions: Vec<Session>,
        /// Why some of them may be logged in all the same who seem not to be.
        hidden: Option<Hidden>,
    },
    /// No rule lets anybody connect to anything.
    NobodyCanConnect {
        /// That a default route depends on.
        interfaces: Vec<String>,
        /// All that could be connected to.
        services: Vec<Service>,
    },
    /// Sessions that no rule allows, at ports that rules keep for others, of peers that have not logged in.
    Strangers {
        /// Who.
        sessions: Vec<Session>,
    },
    /// Services that nobody could reach any more.
    Dark {
        /// The services, or their dark halves.
        services: Vec<Dark>,
    },
    /// What the host sends from an address leaves by interfaces that are not the sensor's, and is not remembered.
    AnswersDropped {
        /// The address, whose packets come in by an interface of the sensor.
        address: IpAddr,
        /// By which they leave.
        by: Vec<String>,
    },
    /// Both have the program, and one stands on the other.
    Stacked {
        /// Whose packets the other gets.
        lower: String,
        /// The other.
        upper: String,
    },
    /// The environment names a session that is not there: its variable has outlived it, as in a terminal
    /// multiplexer.
    NoSuchSession {
        /// What it names.
        login: Login,
    },
    /// Containers' sockets are in namespaces of their own.
    Containers {
        /// That lead there.
        interfaces: Vec<String>,
    },
    /// Tunnels over UDP that no rule lets in: an administrator who comes by one is no session of the interfaces'.
    TunnelsClosed {
        /// Their names, and the UDP ports of those that say so.
        tunnels: Vec<(String, Option<u16>)>,
    },
    /// Tunnels that no rule can let in, since rules have no IP protocols.
    TunnelsWithoutRule {
        /// Their names.
        interfaces: Vec<String>,
    },
}

/// A TCP session that somebody else began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who it is.
    pub who: Who,
    /// The other end.
    pub remote: SocketAddr,
    /// This end.
    pub local: SocketAddr,
}

/// Whose session it is, most pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The one in which this command was typed.
    Operator,
    /// One that somebody has logged in by over SSH.
    LoggedIn,
    /// Nobody can tell.
    Unknown,
}

impl Finding {
    /// The error to end with: what is wrong and how to mend it in one line; a rule to add follows on lines of
    /// its own.
    #[must_use]
    pub fn refusal(&self) -> String {
        match self {
            Self::CutsOff { sessions, hidden, .. } => {
                let (known, others): (Vec<_>, Vec<_>) =
                    sessions.iter().copied().partition(|session| session.who != Who::Unknown);
                let (with, rules) = if known.is_empty() {
                    (WITH_ADDRESSES, vec![Rule::for_ports(others.iter().map(|session| session.local.port()))])
                } else {
                    ("", Rule::for_sessions(&known))
                };
                let mut parts: Vec<_> = rules.iter().map(Rule::to_string).collect();
                parts.extend(
                    (!others.is_empty())
                        .then(|| Strangers { sessions: &others, hidden: *hidden }.to_string()),
                );
                format!(
                    "{self}: add the rule below to the configuration{with}, {OVERRIDES}\n\n{}",
                    parts.join("\n\n")
                )
            }
            Self::NobodyCanConnect { services, .. } => {
                let rule = Rule::for_ports(services.iter().map(|service| service.port));
                format!(
                    "{self}: add the rule below to the configuration{WITH_ADDRESSES}, {OVERRIDES}\n\n{rule}"
                )
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { interface } => write!(
                f,
                "interface {interface} is the loopback, which gets nothing from outside and without which the \
                 host's own programs cannot talk: use another interface, or count without dropping with \
                 --observe"
            ),
            Self::CutsOff { interfaces, sessions, .. } => write!(
                f,
                "attaching to {} cuts off who is connected now and allowed by no rule, {}",
                interfaces.join(" and "),
                named(sessions)
            ),
            Self::NobodyCanConnect { interfaces, services } => write!(
                f,
                "interface {} carries the default route, or lies below one that does, and no rule lets anybody \
                 connect to this host: {} would go dark",
                interfaces.join(" and "),
                named(services)
            ),
            Self::Strangers { sessions } => write!(
                f,
                "cuts off who is connected now to a port that the rules keep for others, {}",
                named(sessions)
            ),
            Self::Dark { services } => {
                write!(f, "goes dark, since no rule names it: {}", named(services))
            }
            Self::AnswersDropped { address, by } => {
                let by = by.join(" and ");
                write!(
                    f,
                    "what the host sends from {address} leaves by {by}, where the sensor does not see it, so the \
                     answers to it are dropped: name {by} as an interface too, or allow the other side by a rule"
                )
            }
            Self::NoSuchSession { login: Login { remote, local } } => write!(
                f,
                "SSH_CONNECTION names a session of {} at port {} that is not there and that no rule would \
                 allow: it may be an old one's; make sure that you connect from where a rule allows it",
                remote.ip(),
                local.port()
            ),
            Self::Stacked { lower, upper } => write!(
                f,
                "{upper} stands on {lower}, and both are configured: what {lower} lets pass is gone through again on \
                 {upper}, and counted twice, with --observe all of it; leave {upper} out, unless packets come in to \
                 it by others"
            ),
            Self::Containers { interfaces } => write!(
                f,
                "what containers listen on and who is connected to them cannot be seen, and goes dark unless a \
                 rule allows it: {} may lead to some",
                named(interfaces)
            ),
            Self::TunnelsClosed { tunnels } => {
                let tunnels: Vec<_> = tunnels.iter().map(|(name, port)| carried(name, *port)).collect();
                write!(
                    f,
                    "what comes by a tunnel goes dark unless a rule lets in the UDP packets that carry it, from the \
                     address of its other end: {}",
                    named(&tunnels)
                )
            }
            Self::TunnelsWithoutRule { interfaces } => write!(
                f,
                "what comes by a tunnel that no rule can name goes dark {} s after the host has sent something by it: \
                 have the host send now and then, or leave the address that it ends at out of the prefixes: {}",
                timeout::OTHER / NANOSECONDS,
                named(interfaces)
            ),
        }
    }
}

/// A tunnel, with what its rule is to have.
fn carried(name: &str, port: Option<u16>) -> String {
    match port {
        Some(port) => format!("{name} with `udp = [{port}]`"),
        None => format!("{name} with `udp = [PORT]` as `wg show {name} listen-port` says it"),
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at port {}", self.remote.ip(), self.local.port())?;
        f.write_str(match self.who {
            Who::Operator => " (you)",
            Who::LoggedIn => " (logged in)",
            Who::Unknown => "",
        })
    }
}

/// Names the first few, and says how many more there are.
fn named(things: &[impl fmt::Display]) -> String {
    let mut named: Vec<_> = things.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    named.dedup();
    let all = named.join(", ");
    match things.len().saturating_sub(MOST_NAMED) {
        0 => all,
        more => format!("{all} and {more} more"),
    }
}
