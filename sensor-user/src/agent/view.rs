//! What a person wants to see, put together of the counters as they are now, and of what takes longer to tell and is told
//! again for some seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use sensor_common::layout::Counter;

use super::pages::{Pages, State};
use crate::config::Port;
use crate::counters::details::{self, Details};
use crate::counters::{Slots, SnapshotNumber};
use crate::export::AttachStatus;
use crate::obstacle::{WrongUse, in_words};
use crate::sources::Register;
use crate::status::{AgentStatus, InterfaceStatus, SensorStatus};
use crate::store::Feed;
use crate::view::port::PortView;
use crate::view::ranking::ranking;
use crate::view::{AskView, MOST, Named, Past, SensorView, Service, ServiceView, Sight, View, Who};

/// Counters that were read so short a time ago are those of now.
const LATELY: Duration = Duration::from_millis(500);
/// How long it is told again what takes longer to tell.
const TOLD_AGAIN: Duration = Duration::from_secs(5);
/// How long the store may take for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rows of a sensor's own short ranking.
const TOP: usize = 10;
/// How many such answers are held at most: of all sensors together, and of those that are looked at.
const HELD: usize = 8;

/// What takes longer to tell: who sent, and what was counted before.
#[derive(Debug, Default)]
pub(super) struct Told {
    who: Option<Who>,
    past: Past,
    /// Why nothing of it is known, where the store could not be asked.
    no_past: Option<String>,
}

/// What was told lately.
pub(super) type ToldLately = BTreeMap<AskView, (Instant, Arc<Told>)>;
/// Likewise of ports, of a sensor or of all, to whom may see so much.
pub(super) type PortsLately = BTreeMap<(Port, Option<String>, Sight), (Instant, Arc<PortView>)>;

impl Pages {
    /// What there is to see.
    ///
    /// # Errors
    /// There is no such sensor, or the kernel does not say what is attached.
    pub(super) fn view(&self, ask: &AskView) -> Result<View> {
        let mut view = View { time: Timestamp::now(), sensor: ask.sensor.clone(), ..View::default() };
        let unread = self.drain_lately().map(drop).err();
        let attached = self.looked_at()?;
        let (services, register, store, log) = {
            let state = &mut *self.lock();
            view.agent = AgentStatus { observe: state.observe, ..state.about.clone() };
            view.interfaces = attached.into_iter().map(|it| state.interface(it)).collect();
            view.store = state.store.as_ref().map(Feed::status).unwrap_or_default();
            view.evidence = state.evidence_status();
            let services = if unread.is_none() { counted(&mut view, ask, state)? } else { Vec::new() };
            let log = state.exporter.notice_log_stats().trouble();
            (services, state.exporter.told_of(), state.store.clone(), log)
        };
        view.trouble =
            unread.map(|error| in_words(&error)).or_else(|| first_trouble(&view, log, register.as_ref()));
        let told = told_again(&mut self.lately(), ask, || {
            let who =
                register.as_ref().map(|register| Who::of(register, ask.sensor.as_deref())).transpose()?;
            let reader = store.as_ref().map(|store| store.reader().within(PATIENCE));
            let ranked = services.iter().map(|(service, _)| *service);
            let past = reader.map(|reader| Past::of(&reader, ask.sensor.as_deref(), ranked, view.time));
            // A store that is not there yet, or is slow, has nothing to compare with.
            let (past, no_past) = match past.transpose() {
                Ok(past) => (past.unwrap_or_default(), None),
                Err(error) => (Past::default(), Some(in_words(&error))),
            };
            Ok(Told { who, past, no_past })
        })?;
        view.no_past.clone_from(&told.no_past);
        if let Some((notices, seen)) = told.past.notices() {
            view.notices.clone_from(notices);
            view.notices_seen = Some(*seen);
        }
        view.hours = told.past.hours().map(|hours| hours.0.to_vec()).unwrap_or_default();
        for sensor in &mut view.sensors {
            if let Some(minutes) = told.past.minutes(&sensor.name) {
                sensor.minutes.clone_from(minutes);
            }
        }
        view.services = services
            .into_iter()
            .map(|(service, Counter { packets, bytes })| ServiceView {
                service: service.to_string(),
                slot: service.port().map(|port| port.to_string()),
                name: service.name().map(str::to_owned),
                packets,
                bytes,
                hours: told.past.in_hours(service),
                from: told.who.as_ref().and_then(|who| who.to(service)),
            })
            .collect();
        view.who.clone_from(&told.who);
        if let Some(register) = register {
            view.last = self.lock().last.of(ask.sensor.as_deref(), &register);
        }
        Ok(view)
    }

    /// What there is to see of a port: told again for some seconds, since the store is asked for most of it.
    ///
    /// # Errors
    /// There is no such sensor, or the counters cannot be read.
    pub(super) fn port_view(&self, port: Port, sensor: Option<&str>, sight: Sight) -> Result<Arc<PortView>> {
        let asked = (port, sensor.map(str::to_owned), sight);
        told_again(&mut self.ports(), &asked, || {
            let (view, register, store) = {
                let state = self.drain_lately()?;
                let of = sensors_of(&state, sensor)?;
                let snapshot = state.exporter.snapshot_number();
                let view = PortView::new((port, sensor.map(str::to_owned)), snapshot, of.into_iter());
                (view, state.exporter.told_of(), state.store.clone())
            };
            let view = match store {
                Some(store) => view.with_past(&store.reader().within(PATIENCE)),
                None => view,
            };
            Ok(match register {
                Some(register) => view.with_sources(&register, sight),
                None => view,
            })
        })
    }

    /// The counters, read lately: many may look at once.
    fn drain_lately(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        let is_of_now = state.read.is_some_and(|read| read.elapsed() < LATELY);
        if is_of_now && state.exporter.snapshot_number().is_some() {
            return Ok(state);
        }
        drop(state);
        self.drain()
    }
}

/// What was told lately, or is told now: one at a time, however many ask.
fn told_again<K: Ord + Clone, T>(
    lately: &mut BTreeMap<K, (Instant, Arc<T>)>,
    asked: &K,
    tell: impl FnOnce() -> Result<T>,
) -> Result<Arc<T>> {
    lately.retain(|_, (when, _)| when.elapsed() < TOLD_AGAIN);
    if let Some((_, told)) = lately.get(asked) {
        return Ok(Arc::clone(told));
    }
    let told = Arc::new(tell()?);
    if lately.len() >= HELD
        && let Some(oldest) = lately.iter().min_by_key(|(_, (when, _))| *when).map(|(of, _)| of.clone())
    {
        lately.remove(&oldest);
    }
    lately.insert(asked.clone(), (Instant::now(), Arc::clone(&told)));
    Ok(told)
}

/// What most packets were sent to, of one snapshot: ranked once, however many look at it.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    of: Option<SnapshotNumber>,
    /// Each sensor's own short ranking, in their order.
    tops: Vec<Vec<String>>,
    /// By the sensor that is looked at, or of all.
    services: BTreeMap<Option<String>, Vec<(Service, Counter)>>,
}

impl Ranked {
    /// Of the sensor that is asked for, or of all, as of the last snapshot.
    fn services(&mut self, state: &State, ask: &AskView) -> Result<Vec<(Service, Counter)>> {
        let number = state.exporter.snapshot_number();
        if self.of != number {
            let top = |slots| {
                let ranked = ranking([slots].into_iter(), TOP).into_iter();
                ranked.map(|(service, _)| service.to_string()).collect()
            };
            let tops = state.exporter.counted().map(|(_, slots)| top(slots)).collect();
            *self = Self { of: number, tops, services: BTreeMap::new() };
        }
        if let Some(services) = self.services.get(&ask.sensor) {
            return Ok(services.clone());
        }
        let services = ranking(sensors_of(state, ask.sensor.as_deref())?.into_iter(), MOST);
        self.services.insert(ask.sensor.clone(), services.clone());
        Ok(services)
    }
}

/// The first thing that is wrong, of all but the counters: what counts comes first.
fn first_trouble(view: &View, log: Option<String>, register: Option<&Register>) -> Option<String> {
    let interfaces = view.interfaces.iter().find_map(|interface| interface.trouble.clone());
    let lists =
        || register.and_then(|register| register.list_status().into_iter().find_map(|list| list.trouble));
    interfaces
        .or_else(|| view.store.trouble.clone())
        .or_else(|| view.evidence.trouble.clone())
        .or(log)
        .or_else(lists)
}

/// Puts in what the last snapshot tells; gives what most packets were sent to.
fn counted(view: &mut View, ask: &AskView, state: &mut State) -> Result<Vec<(Service, Counter)>> {
    let mut ranked = std::mem::take(&mut state.ranked);
    let services = ranked.services(state, ask);
    let tops = ranked.tops.clone();
    state.ranked = ranked;
    let (state, services) = (&*state, services?);
    let exporter = &state.exporter;
    view.snapshot = exporter.snapshot_number();
    view.passed = exporter.passed();
    for (SensorStatus { name, region, packets, bytes }, top) in exporter.sensors().zip(tops) {
        view.sensors.push(SensorView {
            per_second: state.pace.per_second(&name),
            minutes: state.pace.minutes(&name, view.time),
            top,
            name,
            region,
            packets,
            bytes,
        });
    }
    let of = sensors_of(state, ask.sensor.as_deref())?;
    view.packets = of.iter().map(|slots| slots.total().packets).sum();
    view.tools = details_of(&of, details::tools);
    view.tcp = details_of(&of, details::tcp_kinds);
    view.backscatter = details_of(&of, details::backscatter);
    view.constituencies = exporter
        .constituencies()
        .map(|(name, counter)| Named {
            name: name.to_owned(),
            packets: of.iter().map(|slots| slots.side(counter)).sum(),
        })
        .collect();
    Ok(services)
}

/// The counters of the sensor that is asked for, or of all.
fn sensors_of<'a>(state: &'a State, sensor: Option<&str>) -> Result<Vec<&'a Slots>> {
    let is_asked_for = |name: &str| sensor.is_none_or(|sensor| sensor == name);
    let counted = state.exporter.counted().filter(|(name, _)| is_asked_for(name));
    let of: Vec<&Slots> = counted.map(|(_, slots)| slots).collect();
    match sensor {
        Some(name) if of.is_empty() => Err(WrongUse::no_sensor(name).into()),
        _ => Ok(of),
    }
}

/// A detail of sensors together.
fn details_of(sensors: &[&Slots], of: impl Fn(&Slots) -> Details) -> Vec<Named> {
    let mut sums: Vec<Named> = Vec::new();
    for slots in sensors {
        for (at, (name, packets)) in of(slots).into_iter().enumerate() {
            match sums.get_mut(at) {
                Some(sum) => sum.packets += packets,
                None => sums.push(Named { name: name.to_owned(), packets }),
            }
        }
    }
    sums
}

impl State {
    /// An interface, as it was looked at.
    pub(super) fn interface(&self, (attached, trouble): (AttachStatus, Option<String>)) -> InterfaceStatus {
        let AttachStatus { interface, mode, egress } = attached;
        let since = self.since.of(&interface).filter(|_| trouble.is_none());
        InterfaceStatus { name: interface, mode: mode.map(|mode| mode.to_string()), egress, since, trouble }
    }
}
