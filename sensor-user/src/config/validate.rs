//! From the file as written to settings that hold.
//!
//! Each function takes one part of the file and notes whatever is wrong with it; nothing stops at the first
//! mistake but a file that isn't TOML or has the wrong keys or types.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sensor_common::layout::MAX_SENSORS;
use sensor_common::time_span::time_span;
use toml::Spanned;

use super::error::{Problems, shown};
use super::overlap::{Overlap, overlaps};
use super::{
    Allow, ConfigError, Constituency, DEFAULT_MAX_PORTS, DEFAULT_PORTS, Evidence, Export, KernelLog,
    MAX_PREFIXES, MAX_SERIES, MaxPorts, Mode, Notices, Page, Port, Prefix, Sensor, Sources, Store, allow,
    constituency, evidence, file, notices, sources, store, value,
};

/// What a file says; what it leaves out is `None`, or empty for sensors.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub interfaces: Option<Vec<String>>,
    pub listen: Option<SocketAddr>,
    pub hosts: Vec<String>,
    pub drain_interval: Option<Duration>,
    pub mode: Option<Mode>,
    pub observe: bool,
    pub kernel_log: Option<KernelLog>,
    pub sensors: Vec<Sensor>,
    pub export: Export,
    pub socket: Option<PathBuf>,
    pub page: Page,
    pub allow: Vec<Allow>,
    pub evidence: Option<Evidence>,
    pub store: Option<Store>,
    pub sources: Sources,
    pub notices: Option<Notices>,
    pub constituencies: Vec<Constituency>,
}

/// Reads and checks the content of the file at `path`, which only serves to name it.
pub(super) fn settings(path: &Path, content: &[u8]) -> Result<Settings, ConfigError> {
    let mut problems = Problems::new(path, content);
    let file = match str::from_utf8(content) {
        Ok(text) => file::parse(text),
        Err(error) => Err((error.valid_up_to(), "not UTF-8: save the file in that encoding".to_owned())),
    };
    let file = file.unwrap_or_else(|(at, message)| {
        problems.add(at, message);
        file::File::default()
    });
    let sensors = sensors(file.sensor, &mut problems);
    let asks_files = |it: &Spanned<file::Constituency>| {
        !it.get_ref().countries.is_empty() || !it.get_ref().systems.is_empty()
    };
    if let (Some(table), None) = (&file.sources, &file.evidence)
        && !file.constituency.iter().any(asks_files)
    {
        problems.add(
            table.span().start,
            "[sources] without [evidence], of which sources are told: add an [evidence] table, or remove this one",
        );
    }
    if let Some(table) = &file.notices {
        for (is_missing, what) in [
            (file.evidence.is_none(), "[evidence], of which notices are made: add an [evidence] table"),
            (file.constituency.is_empty(), "[[constituency]], whose addresses notices are about: add one"),
        ] {
            if is_missing {
                problems.add(table.span().start, format!("[notices] without {what}, or remove this table"));
            }
        }
    }
    let number = sensors.len().max(1);
    let sources = file
        .sources
        .map(|table| sources::sources(table.get_ref(), number, &mut problems))
        .unwrap_or_default();
    let settings = Settings {
        interfaces: file.interfaces.map(|names| interfaces(&names, &mut problems)),
        listen: file.listen.and_then(|text| one("listen", &text, listen, &mut problems)),
        hosts: hosts(&file.hosts, &mut problems),
        drain_interval: file
            .drain_interval
            .and_then(|text| one("drain_interval", &text, time_span, &mut problems)),
        mode: file.mode.and_then(|text| one("mode", &text, value::choice, &mut problems)),
        observe: file.observe,
        kernel_log: file.kernel_log.and_then(|text| one("kernel_log", &text, value::choice, &mut problems)),
        export: export(file.export, sensors.len(), &mut problems),
        sensors,
        socket: file
            .socket
            .path
            .and_then(|text| one("socket path", &text, value::socket_path, &mut problems)),
        page: Page {
            path: file.page.path.and_then(|text| one("page path", &text, value::socket_path, &mut problems)),
            addresses_on_loopback: file.page.addresses_on_loopback,
        },
        allow: allow::rules(&file.allow, &mut problems),
        evidence: file.evidence.map(|table| evidence::evidence(&table, &mut problems)),
        store: file.store.map(|table| store::store(&table, &mut problems)),
        notices: file.notices.map(|table| notices::notices(&table, &mut problems)),
        constituencies: constituency::constituencies(&file.constituency, &sources, &mut problems),
        sources,
    };
    problems.check(settings)
}

/// One value that a check makes of a text; `what` names it in the message.
pub(super) fn one<T, E: Display>(
    what: &str,
    text: &Spanned<String>,
    check: impl FnOnce(&str) -> Result<T, E>,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let text_itself = text.get_ref();
    check(text_itself)
        .map_err(|cause| problems.add(text.span().start, format!("{what} {} {cause}", shown(text_itself))))
        .ok()
}

/// Values that must differ from one another, with the place where each stands first.
pub(super) struct Distinct<T>(HashMap<T, usize>);

impl<T: Clone + Eq + Hash> Distinct<T> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Whether the value is new; if not, that is a problem at `at`, and `what` names the value in it.
    pub(super) fn insert(
        &mut self,
        value: &T,
        at: usize,
        what: impl Display,
        problems: &mut Problems<'_>,
    ) -> bool {
        match self.0.entry(value.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(at);
                true
            }
            Entry::Occupied(entry) => {
                problems.add(
                    at,
                    format!("{what} is there already, on line {}: remove one", problems.line(*entry.get())),
                );
                false
            }
        }
    }
}

fn interfaces(names: &Spanned<Vec<Spanned<String>>>, problems: &mut Problems<'_>) -> Vec<String> {
    if names.get_ref().is_empty() {
        problems.add(names.span().start, "interfaces is empty: name one as in [\"eth0\"], or remove the key");
    }
    let mut distinct = Distinct::new();
    let mut checked = Vec::new();
    for text in names.get_ref() {
        if let Some(name) = one("interface", text, value::interface_name, problems)
            && distinct.insert(&name, text.span().start, format_args!("interface {name:?}"), problems)
        {
            checked.push(name);
        }
    }
    checked
}

fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "is not an address and a port: write them as in 127.0.0.1:19817 or [::1]:19817")
}

fn hosts(names: &[Spanned<String>], problems: &mut Problems<'_>) -> Vec<String> {
    names.iter().filter_map(|text| one("host", text, value::host_name, problems)).collect()
}

fn sensors(tables: Vec<file::Sensor>, problems: &mut Problems<'_>) -> Vec<Sensor> {
    let count = tables.len();
    let mut names = Distinct::new();
    let mut places = Vec::new();
    let mut checked = Vec::new();
    for (number, table) in tables.into_iter().enumerate() {
        let at = table.name.span().start;
        let given = table.name.get_ref().clone();
        if number == MAX_SENSORS as usize {
            problems.add(
                at,
                format!(
                    "sensor {} is one of {count}, more than {MAX_SENSORS}: merge or remove some",
                    shown(&given)
                ),
            );
        }
        match &table.prefixes {
            None if count > 1 => {
                let mend = "give it some, since it is not the only sensor";
                problems.add(at, format!("sensor {} has no prefixes: {mend}", shown(&given)));
            }
            Some(prefixes) if prefixes.get_ref().is_empty() => {
                let mend = if count > 1 {
                    "list some"
                } else {
                    "list some, or remove the key to monitor every address"
                };
                problems.add(prefixes.span().start, format!("prefixes is empty: {mend}"));
            }
            _ => {}
        }
        if let Some(name) = one("sensor name", &table.name, value::name, problems) {
            names.insert(&name, at, format_args!("sensor name {name:?}"), problems);
        }
        let region = table.region.and_then(|text| one("region", &text, value::name, problems));
        let alias = table.alias.and_then(|text| one("alias", &text, value::name, problems));
        let listed = table.prefixes.map(Spanned::into_inner).unwrap_or_default();
        let prefixes = prefixes(&listed, number, &mut places, problems);
        checked.push(Sensor { name: given, region: region.unwrap_or_default(), alias, prefixes });
    }
    if let Some(place) = places.get(MAX_PREFIXES) {
        problems.add(
            place.at,
            format!("{} prefixes, more than {MAX_PREFIXES}: merge or remove some", places.len()),
        );
    }
    no_overlap(&places, &checked, problems);
    checked
}

/// A prefix, the number of its sensor, and where it stands in the file.
struct Place {
    prefix: Prefix,
    sensor: usize,
    at: usize,
}

fn prefixes(
    texts: &[Spanned<String>],
    sensor: usize,
    places: &mut Vec<Place>,
    problems: &mut Problems<'_>,
) -> Vec<Prefix> {
    let mut checked = Vec::with_capacity(texts.len());
    for text in texts {
        if let Some(prefix) = one("prefix", text, str::parse, problems) {
            places.push(Place { prefix, sensor, at: text.span().start });
            checked.push(prefix);
        }
    }
    checked
}

/// Every address belongs to one sensor and is listed once.
fn no_overlap(places: &[Place], sensors: &[Sensor], problems: &mut Problems<'_>) {
    let prefixes: Vec<_> = places.iter().map(|place| place.prefix).collect();
    for Overlap { inner, outer } in overlaps(&prefixes) {
        let (inner, outer) = (&places[inner], &places[outer]);
        // Told at the later of the two, as what was added to a file that was right before.
        let (this, verb, other) = if inner.prefix == outer.prefix {
            (inner, "is the same as", outer)
        } else if inner.at > outer.at {
            (inner, "lies within", outer)
        } else {
            (outer, "contains", inner)
        };
        let owner = |place: &Place| {
            if inner.sensor == outer.sensor {
                String::new()
            } else {
                format!(" of sensor {}", shown(&sensors[place.sensor].name))
            }
        };
        problems.add(
            this.at,
            format!(
                "prefix \"{}\"{} {verb} \"{}\"{} on line {}: remove one",
                this.prefix,
                owner(this),
                other.prefix,
                owner(other),
                problems.line(other.at),
            ),
        );
    }
}

fn export(table: file::Export, sensors: usize, problems: &mut Problems<'_>) -> Export {
    let listed = table.ports.map(|texts| ports(&texts, problems));
    let Some(max) = table.max_ports else {
        let ports = listed.unwrap_or_else(|| DEFAULT_PORTS.to_vec());
        // Who lists more than the default bound means them all.
        let listed = u32::try_from(ports.len()).ok().and_then(NonZeroU32::new);
        let max_ports =
            MaxPorts::AtMost(listed.map_or(DEFAULT_MAX_PORTS, |listed| listed.max(DEFAULT_MAX_PORTS)));
        return Export { ports, max_ports };
    };
    let at = max.span().start;
    let max = max.into_inner();
    let Some(bound) = u32::try_from(max).ok().filter(|bound| *bound <= Export::ALL_PORTS) else {
        problems.add(
            at,
            format!(
                "max_ports {max} is out of bounds: write 1 to {}, or 0 for every port",
                Export::ALL_PORTS
            ),
        );
        return Export::default();
    };
    let most = if bound == 0 { usize::MAX } else { bound as usize };
    let ports = listed.unwrap_or_else(|| DEFAULT_PORTS.iter().take(most).copied().collect());
    if ports.len() > most {
        problems.add(
            at,
            format!("max_ports {max} is less than the {} listed ports: raise it, or list fewer", ports.len()),
        );
    }
    let series = if bound == 0 { Export::ALL_PORTS } else { bound } as usize * sensors.max(1);
    if series > MAX_SERIES {
        problems.add(
            at,
            format!(
                "max_ports {max} is {series} series with {sensors} sensors, more than {MAX_SERIES}: lower it"
            ),
        );
    }
    Export { ports, max_ports: NonZeroU32::new(bound).map_or(MaxPorts::All, MaxPorts::AtMost) }
}

fn ports(texts: &[Spanned<String>], problems: &mut Problems<'_>) -> Vec<Port> {
    let mut distinct = Distinct::new();
    let mut checked = Vec::new();
    for text in texts {
        if let Some(port) = one("port", text, str::parse::<Port>, problems)
            && distinct.insert(&port, text.span().start, format_args!("port \"{port}\""), problems)
        {
            checked.push(port);
        }
    }
    checked
}
