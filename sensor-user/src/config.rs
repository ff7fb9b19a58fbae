//! The configuration, validated.
//!
//! [`Config::load`] reads the file, lays what the command line says over it, and gives values that need no
//! further checking; or says what is wrong, each thing on a line of its own with the line it stands on.

mod allow;
mod constituency;
mod error;
mod evidence;
mod file;
mod notices;
mod overlap;
mod prefix;
mod sensor;
mod sources;
mod store;
mod syntax;
mod validate;
mod value;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use sensor_common::port::{DEFAULT_PORTS, Port, PortError, Transport};
pub use sensor_common::time_span::{MAX_TIME_SPAN, MIN_TIME_SPAN, time_span};

pub use self::allow::Allow;
pub use self::constituency::{Constituency, Members, NumberedConstituency};
pub use self::error::ConfigError;
pub use self::evidence::Evidence;
pub use self::notices::Notices;
pub use self::prefix::{Prefix, PrefixError};
pub use self::sensor::{NumberedSensor, Sensor, SensorNumber};
#[cfg(test)]
pub(crate) use self::sources::LEAST_MEMORY;
pub use self::sources::{Sources, VictimDefinition};
pub use self::store::{DEFAULT_STORE_PATH, Store};
pub use self::value::{KernelLog, MAX_NAME, Mode, interface_name, name as sensor_name};

use crate::socket;

/// Where metrics are served unless told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 19_817);
/// Time between drains unless told otherwise.
pub const DEFAULT_DRAIN_INTERVAL: Duration = Duration::from_secs(10);
/// Series of one sensor, at most, unless told otherwise.
pub const DEFAULT_MAX_PORTS: NonZeroU32 = NonZeroU32::new(500).expect("500 is not zero");
/// Prefixes of all sensors together, at most.
pub const MAX_PREFIXES: usize = sensor_common::policy::MAX_PREFIXES as usize;

const NO_INTERFACE: &str = "no interface to attach to: pass --interface eth0, or set interfaces = [\"eth0\"] in the file of --config";

/// A file is smaller than this: as many prefixes and rules as there may be fit several times.
const MAX_SIZE: u64 = 16 << 20;

/// Port series of all sensors together, at most: eight sensors with every port, a page of 150 MB.
pub const MAX_SERIES: usize = 8 * Export::ALL_PORTS as usize;

/// What a configuration is made from: a file, and what is said in place of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// The file; without one, all that is not said here has its default.
    pub file: Option<PathBuf>,
    /// In place of the file's, unless empty; each a name that Linux allows.
    pub interfaces: Vec<String>,
    /// In place of the file's.
    pub listen: Option<SocketAddr>,
    /// In place of the file's: [`MIN_TIME_SPAN`] to [`MAX_TIME_SPAN`].
    pub drain_interval: Option<Duration>,
    /// In place of the file's.
    pub mode: Option<Mode>,
    /// Observe, whatever the file says.
    pub observe: bool,
    /// In place of the file's.
    pub kernel_log: Option<KernelLog>,
}

/// What the agent is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Interfaces to attach to: at least one, none twice, each a name that Linux allows.
    pub interfaces: Vec<String>,
    /// Where metrics are served.
    pub listen: SocketAddr,
    /// Names by which the agent may be asked, beside addresses and the host's own.
    pub hosts: Vec<String>,
    /// Time between drains: [`MIN_TIME_SPAN`] to [`MAX_TIME_SPAN`].
    pub drain_interval: Duration,
    /// Where in the kernel to attach.
    pub mode: Mode,
    /// Count and pass, drop nothing.
    pub observe: bool,
    /// What the program in the kernel logs.
    pub kernel_log: KernelLog,
    /// At least one, at most [`sensor_common::layout::MAX_SENSORS`], no name twice. No address belongs to two.
    pub sensors: Vec<Sensor>,
    /// Which ports get a series of their own.
    pub export: Export,
    /// Where the agent can be asked, if that is said: else by its pins, see
    /// [`default_path`](crate::socket::default_path).
    pub socket: Option<PathBuf>,
    /// What the page shows to whom.
    pub page: Page,
    /// Who may reach the host, and where: at most [`sensor_common::policy::MAX_RULES`] rules.
    pub allow: Vec<Allow>,
    /// How packets are kept as evidence; `None` if none are.
    pub evidence: Option<Evidence>,
    /// How what was seen is kept; `None` if it is not: without evidence, unless it is asked for.
    pub store: Option<Store>,
    /// What is to be known of sources, where evidence is kept.
    pub sources: Sources,
    /// How those who are responsible for the addresses of constituencies are told; `None` if only who asks is.
    pub notices: Option<Notices>,
    /// Whose packets are news: at most [`sensor_common::policy::MAX_CONSTITUENCIES`].
    pub constituencies: Vec<Constituency>,
}

/// What the page shows to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The Unix socket by which it is seen with addresses, if that is said: else by its pins, see
    /// [`default_page_path`](crate::socket::default_page_path).
    pub path: Option<PathBuf>,
    /// Whether it shows addresses to whoever comes by loopback.
    pub addresses_on_loopback: bool,
}

/// Which ports get a series of their own, per sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// These always, none twice, no more than `max_ports`.
    pub ports: Vec<Port>,
    /// How many at most, these included.
    pub max_ports: MaxPorts,
}

impl Export {
    /// Ports of both transports: the largest `max_ports` that means anything.
    pub const ALL_PORTS: u32 = 2 * sensor_common::layout::PORTS;
}

impl Default for Export {
    fn default() -> Self {
        Self { ports: DEFAULT_PORTS.to_vec(), max_ports: MaxPorts::AtMost(DEFAULT_MAX_PORTS) }
    }
}

/// A bound on the exported ports of one sensor; `max_ports = 0` in the file means all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxPorts {
    /// Every port that was ever seen.
    All,
    /// That many at most, up to [`Export::ALL_PORTS`].
    AtMost(NonZeroU32),
}

impl Config {
    /// Reads the file, if one is named, and lays over it what is said in place of it.
    ///
    /// # Errors
    ///
    /// The file can't be read; anything in it is wrong, even if something else is said in its place; no interface is named, or
    /// one twice; there is no `[[sensor]]` and the host has no usable name.
    pub fn load(input: Input) -> Result<Self, ConfigError> {
        let settings = match &input.file {
            Some(path) => read(path)?,
            None => validate::Settings::default(),
        };
        Self::compose(settings, input)
    }

    /// Who is monitored and who is let in, as a file would have it: what decides whether a session is cut off.
    #[must_use]
    pub fn rules(&self) -> String {
        fn list<T: Display>(values: &[T], quote: &str) -> String {
            let values: Vec<_> = values.iter().map(|value| format!("{quote}{value}{quote}")).collect();
            format!("[{}]", values.join(", "))
        }
        let sensors = self.sensors.iter().enumerate().map(|(number, sensor)| {
            let prefixes = match &sensor.prefixes[..] {
                [] => String::new(),
                prefixes => format!("prefixes = {}\n", list(prefixes, "\"")),
            };
            format!("[[sensor]]\nname = \"{number}\"\n{prefixes}")
        });
        let allow = self.allow.iter().map(|Allow { from, tcp, udp, icmp_echo }| {
            let (from, tcp, udp) = (list(from, "\""), list(tcp, ""), list(udp, ""));
            format!("[[allow]]\nfrom = {from}\ntcp = {tcp}\nudp = {udp}\nicmp_echo = {icmp_echo}\n")
        });
        let observe = format!("observe = {}\n", self.observe);
        std::iter::once(observe).chain(sensors).chain(allow).collect()
    }

    /// The configuration that a file at this path would be, if it had this text.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::compose(validate::settings(path, text.as_bytes())?, Input::default())
    }

    /// A configuration with these rules, and defaults for everything else; its interfaces are nobody's.
    ///
    /// # Errors
    /// The text is not of [`Config::rules`].
    pub fn of_rules(text: &str) -> Result<Self, ConfigError> {
        let settings = validate::settings(Path::new("rules"), text.as_bytes())?;
        Self::compose(validate::Settings { interfaces: Some(Vec::new()), ..settings }, Input::default())
    }

    /// Where the agent with these pins can be asked.
    #[must_use]
    pub fn socket_path(&self, pins: &Path) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| socket::default_path(pins))
    }

    /// Where the page of the agent with these pins is seen with addresses.
    #[must_use]
    pub fn page_path(&self, pins: &Path) -> PathBuf {
        self.page.path.clone().unwrap_or_else(|| socket::default_page_path(pins))
    }

    /// Lays over the file's settings what is said in place of them.
    fn compose(settings: validate::Settings, input: Input) -> Result<Self, ConfigError> {
        if let Some(name) = value::repeated(&input.interfaces) {
            return Err(ConfigError::new(format!(
                "--interface {} is given twice: give it once",
                error::shown(name)
            )));
        }
        let interfaces = match settings.interfaces {
            _ if !input.interfaces.is_empty() => input.interfaces,
            Some(interfaces) => interfaces,
            None => return Err(ConfigError::new(NO_INTERFACE)),
        };
        let sensors = if settings.sensors.is_empty() {
            vec![Sensor::of_this_host().map_err(ConfigError::new)?]
        } else {
            settings.sensors
        };
        let observe = input.observe || settings.observe;
        // Where nothing is dropped, clients of the host's services would be in it.
        let evidence = settings.evidence.filter(|evidence| !observe || evidence.observe);
        let store = settings.store.or_else(|| evidence.as_ref().map(|_| Store::default()));
        Ok(Self {
            interfaces,
            listen: input.listen.or(settings.listen).unwrap_or(DEFAULT_LISTEN),
            drain_interval: input
                .drain_interval
                .or(settings.drain_interval)
                .unwrap_or(DEFAULT_DRAIN_INTERVAL),
            mode: input.mode.or(settings.mode).unwrap_or_default(),
            observe,
            kernel_log: input.kernel_log.or(settings.kernel_log).unwrap_or_default(),
            sensors,
            hosts: settings.hosts,
            export: settings.export,
            socket: settings.socket,
            page: settings.page,
            allow: settings.allow,
            evidence,
            store,
            sources: settings.sources,
            notices: settings.notices,
            constituencies: settings.constituencies,
        })
    }
}

/// The host's name, where it is one that a sensor can have.
#[must_use]
pub fn hostname() -> Option<String> {
    Sensor::of_this_host().ok().map(|sensor| sensor.name)
}

fn read(path: &Path) -> Result<validate::Settings, ConfigError> {
    let bytes = content(path).map_err(|error| {
        ConfigError::new(format!(
            "cannot read the configuration {}: {error}; name a file that can be read",
            path.display()
        ))
    })?;
    validate::settings(path, &bytes)
}

/// What is in a file. A pipe or a device, which may never end or never begin, is none.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody who writes to it.
    let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::other("it is a pipe, a socket or a device"));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_SIZE).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == MAX_SIZE {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(bytes)
}
