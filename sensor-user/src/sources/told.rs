//! What metrics say of sources: of each sensor, as of now.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::counted::Counted;
use super::lists::Country;
use super::register::Register;
use super::window::{Span, Window};
use crate::config::{Port, SensorNumber};
use crate::counters::select::Drain;

/// Packets or sources by something, of those that have series of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelled<K> {
    /// By each.
    pub series: Vec<(K, u64)>,
    /// Of all others together.
    pub other: u64,
    /// Of which it is not known.
    pub unknown: u64,
}

/// What metrics say of the sources of a sensor.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Packets by country; `None` without a file that knows them.
    pub countries: Option<Labelled<Country>>,
    /// Packets by the number of the autonomous system, likewise.
    pub systems: Option<Labelled<u32>>,
    /// Names of those.
    pub names: Vec<(u32, String)>,
    /// Packets by known scanner, likewise.
    pub scanners: Option<Labelled<Arc<str>>>,
    /// Packets from known scanners, by exported port, likewise.
    pub ports: Vec<(Port, u64)>,
    /// The last full windows, as far as there are.
    pub windows: Vec<WindowTold>,
}

/// What metrics say of a window.
#[derive(Clone, Debug)]
pub struct WindowTold {
    /// How long it is.
    pub span: Span,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed.
    pub missed: u64,
    /// Distinct sources.
    pub sources: u64,
    /// Likewise, by exported port.
    pub ports: Vec<(Port, u64)>,
    /// Likewise, by country; `None` without a file that knows them.
    pub countries: Option<Labelled<Country>>,
    /// Likewise, of those that sent SYNs with Mirai's mark.
    pub mirai: Option<Labelled<Country>>,
    /// Addresses under denial of service.
    pub victims: u64,
}

impl Register {
    /// What metrics say of a sensor with these exported ports on the page of this drain, which is then to say all of it. `None`
    /// of one that it does not know.
    #[must_use]
    pub fn told(&self, sensor: SensorNumber, ports: &[Port], drain: Drain) -> Option<Told> {
        let lists = self.lists();
        let mut memory = self.memory();
        let of_sensor = memory.sensors.get_mut(&sensor)?;
        of_sensor.totals.exported(ports);
        let totals = &mut of_sensor.totals;
        let countries = lists.know_countries().then(|| {
            let (series, other) = totals.countries.shown(drain);
            Labelled { series, other, unknown: totals.unknown_country }
        });
        let systems = lists.know_systems().then(|| {
            let (series, other) = totals.systems.shown(drain);
            Labelled { series, other, unknown: totals.unknown_system }
        });
        let scanners = lists.know_scanners().then(|| {
            let (series, other) = totals.scanners.shown(drain);
            Labelled { series, other, unknown: 0 }
        });
        let known_ports = lists.know_scanners().then(|| totals.ports.iter().map(|(&port, &n)| (port, n)));
        let mut known_ports: Vec<_> = known_ports.into_iter().flatten().collect();
        known_ports.sort_unstable();
        let names = totals.names.iter().map(|(&system, name)| (system, name.clone())).collect();
        let with_series: Option<Vec<Country>> =
            countries.as_ref().map(|told| told.series.iter().map(|&(country, _)| country).collect());
        let last: Vec<_> = of_sensor.last_full().map(Arc::clone).collect();
        drop(memory);
        let windows = last.iter().map(|window| of_window(window, ports, with_series.as_deref()));
        Some(Told { windows: windows.collect(), countries, systems, names, scanners, ports: known_ports })
    }

    /// Records of evidence that there was no time to look at.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed_records().load(Ordering::Relaxed)
    }
}

fn of_window(window: &Window, ports: &[Port], countries: Option<&[Country]>) -> WindowTold {
    let of_port = |&port: &Port| {
        let slot = port.slot().kind();
        match window.slots.get(&slot) {
            // Where others had to make room, it may have been among those that went.
            Some(part) => (!part.partial).then(|| (port, part.sources().count)),
            None => (window.slots.gone() == 0).then_some((port, 0)),
        }
    };
    WindowTold {
        span: window.span,
        observed: window.observed,
        missed: window.missed,
        sources: window.sources().count,
        ports: ports.iter().filter_map(of_port).collect(),
        countries: countries.map(|with_series| by_country(&window.countries, with_series)),
        mirai: countries.map(|with_series| by_country(&window.mirai, with_series)),
        victims: window.victims.count().count,
    }
}

/// Distinct sources by those countries that have series.
fn by_country(sources: &Counted<Option<Country>>, with_series: &[Country]) -> Labelled<Country> {
    let mut told = Labelled { series: Vec::new(), other: 0, unknown: 0 };
    for (country, part) in sources.iter() {
        let sources = part.sources().count;
        match country {
            // Of one that had to make room and came back, no number of sources is known.
            Some(country) if with_series.contains(country) && part.partial => {}
            Some(country) if with_series.contains(country) => told.series.push((*country, sources)),
            Some(_) => told.other += sources,
            None => told.unknown += sources,
        }
    }
    told
}
