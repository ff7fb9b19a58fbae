//! Scans: one source that asks many ports, or many addresses.
//!
//! What many addresses are depends on how many a sensor has, of IPv4 and of IPv6 each by itself: of one that monitors fewer
//! than sixteen, a source that tries all of them has tried no more than a few, and there only ports tell. After a quarter
//! of an hour without a probe a scan is over.

use jiff::Timestamp;
use sensor_common::heavy::{Heavy, Place};
use sensor_common::layout::side::{TcpKind, Tool};
use sensor_common::layout::{Slot, SlotKind};
use serde::{Deserialize, Serialize};

use super::account::{Account, Accounts};
use super::distinct::{Count, Secret, Targets};
use super::observation::Observation;
use super::over::Over;
use super::source::Source;
use crate::config::Sensor;
use crate::counters::names::slot_name;

/// So long a silence ends it, in seconds.
pub const SILENCE: i64 = 900;
/// So many ports are many.
const PORTS: u64 = 10;
/// A sensor with fewer addresses tells none by them.
const FEWEST_ADDRESSES: u128 = 16;
/// So many ports of a scan are named.
const NAMED: usize = 8;
/// How often it is looked which are over, in seconds.
const LOOK: i64 = 10;

/// From when on a source's probes are a scan of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// So many different ports, or more.
    pub ports: u64,
    /// So many different IPv4 addresses, or more; `None` where the sensor has too few of them to tell.
    pub ipv4_addresses: Option<u64>,
    /// IPv6 addresses, likewise.
    pub ipv6_addresses: Option<u64>,
}

impl Definition {
    /// By how many addresses a sensor has: a tenth of those of either version, but between 8 and 100.
    #[must_use]
    pub fn of(sensor: &Sensor) -> Self {
        let many = |is_ipv4| {
            let all = sensor.addresses(is_ipv4);
            let tenth = u64::try_from(all / 10).unwrap_or(u64::MAX);
            (all >= FEWEST_ADDRESSES).then(|| tenth.clamp(8, 100))
        };
        Self { ports: PORTS, ipv4_addresses: many(true), ipv6_addresses: many(false) }
    }

    /// So many addresses are many for this source.
    const fn addresses(&self, source: Source) -> Option<u64> {
        match source {
            Source::V4(_) => self.ipv4_addresses,
            Source::V6(_) => self.ipv6_addresses,
        }
    }
}

/// A scan that was, or is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// Who scans.
    pub source: Source,
    /// When the first probe came.
    pub start: Timestamp,
    /// When the last came.
    pub end: Timestamp,
    /// Whether more may come.
    pub ongoing: bool,
    /// Probes that were observed.
    pub packets: u64,
    /// Which share of what the sensor counted meanwhile was observed: below 1, all numbers are at least so many.
    pub share: f64,
    /// Different ports, of TCP and UDP.
    pub ports: Count,
    /// Different addresses.
    pub addresses: Count,
    /// Those ports that came first; there may be more.
    pub first_ports: Vec<String>,
    /// What made its SYNs.
    pub tools: Vec<String>,
}

/// What is known of a source that may scan.
#[derive(Clone)]
struct Probing {
    first: Timestamp,
    last: Timestamp,
    packets: u64,
    ports: Targets,
    addresses: Targets,
    named: [Option<SlotKind>; NAMED],
    tools: u8,
    /// What the sensor had counted by then, as far as was known.
    begun: Account,
}

/// Those of a sensor.
pub(super) struct Scans {
    definition: Definition,
    secret: Secret,
    probing: Heavy<Source, Probing>,
    over: Over<Scan>,
    looked: i64,
}

impl Scans {
    /// In so many bytes.
    pub(super) fn new(definition: Definition, secret: Secret, bytes: usize) -> Self {
        Self {
            definition,
            secret,
            probing: Heavy::within(bytes / 8 * 7, 2 * Targets::MOST_BYTES),
            // What one takes with its texts.
            over: Over::within(bytes / 8, 512),
            looked: i64::MIN,
        }
    }

    /// Goes by this definition from now on, in so many bytes.
    pub(super) fn bound(&mut self, definition: Definition, bytes: usize, accounts: &Accounts) {
        self.definition = definition;
        let Self { probing, over, .. } = self;
        over.bound(bytes / 8);
        probing.bound(bytes / 8 * 7, 2 * Targets::MOST_BYTES, |source, scan| {
            scan.ended(source, definition, accounts, over);
        });
    }

    pub(super) const fn definition(&self) -> Definition {
        self.definition
    }

    /// Notes a packet, if it asks for something; `accounts` are the sensor's.
    pub(super) fn add(&mut self, it: &Observation, accounts: &Accounts) {
        if !is_probe(it) {
            return;
        }
        let Self { definition, secret, probing, over, .. } = self;
        let new = || Probing::since(it.time, accounts.begun());
        // Who only probes makes room first; a scan that has to is known as it was until then.
        let is_scan = |source: &Source, scan: &Probing| scan.fulfils(*source, *definition);
        let scan = probing.add_keeping(it.source, new, is_scan, |source, scan| {
            scan.ended(source, *definition, accounts, over);
        });
        if scan.is_over(it.time) {
            scan.ended(it.source, *definition, accounts, over);
            *scan = new();
        }
        scan.add(it, secret);
    }

    /// Looks now and then which are over.
    pub(super) fn tick(&mut self, now: Timestamp, accounts: &Accounts) {
        if now.as_second().abs_diff(self.looked) < LOOK.unsigned_abs() {
            return;
        }
        self.looked = now.as_second();
        let Self { definition, probing, over, .. } = self;
        probing.remove(
            |_, scan| scan.is_over(now),
            |source, scan| scan.ended(source, *definition, accounts, over),
        );
    }

    /// How many older ones there was no more room for.
    pub(super) const fn forgotten(&self) -> u64 {
        self.over.forgotten()
    }

    /// All that there were, as far as there is room, and that are.
    pub(super) fn all<'a>(&'a self, accounts: &'a Accounts) -> impl Iterator<Item = Scan> + 'a {
        let probing = self.probing.iter();
        let ongoing = probing.filter(|(source, place)| place.value.fulfils(*source, self.definition));
        let told =
            move |(source, place): &(Source, Place<Probing>)| place.value.told(*source, accounts, true);
        self.over.iter().cloned().chain(ongoing.map(told))
    }
}

/// Whether a packet asks for something: it is no answer, and carries a TCP segment that begins or tries one, UDP, or an
/// echo request.
fn is_probe(it: &Observation) -> bool {
    it.reply.is_none()
        && match it.slot {
            SlotKind::Tcp(_) => it.kind != Some(TcpKind::Ack),
            SlotKind::Udp(_) => true,
            slot => [Slot::ECHO_REQUEST, Slot::ECHO_REQUEST_V6].contains(&slot.into()),
        }
}

impl Probing {
    fn since(time: Timestamp, begun: Account) -> Self {
        Self {
            first: time,
            last: time,
            packets: 0,
            ports: Targets::default(),
            addresses: Targets::default(),
            named: [None; NAMED],
            tools: 0,
            begun,
        }
    }

    fn add(&mut self, it: &Observation, secret: &Secret) {
        self.first = self.first.min(it.time);
        self.last = self.last.max(it.time);
        self.packets += 1;
        self.addresses.add(secret.key(it.destination));
        if let SlotKind::Tcp(_) | SlotKind::Udp(_) = it.slot {
            self.ports.add(secret.key(Slot::from(it.slot).index()));
            if !self.named.contains(&Some(it.slot))
                && let Some(place) = self.named.iter_mut().find(|place| place.is_none())
            {
                *place = Some(it.slot);
            }
        }
        if let Some(tool) = it.tool {
            self.tools |= 1 << tool as u32;
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set far back ends it too.
        (now.as_second() - self.last.as_second()).abs() > SILENCE
    }

    fn fulfils(&self, source: Source, definition: Definition) -> bool {
        self.ports.count().count >= definition.ports
            || definition.addresses(source).is_some_and(|many| self.addresses.count().count >= many)
    }

    /// Is over: is remembered, if it was a scan.
    fn ended(&self, source: Source, definition: Definition, accounts: &Accounts, over: &mut Over<Scan>) {
        if self.fulfils(source, definition) {
            over.push(self.told(source, accounts, false));
        }
    }

    fn told(&self, source: Source, accounts: &Accounts, ongoing: bool) -> Scan {
        let tools = Tool::ALL.iter().filter(|&&tool| self.tools & (1 << tool as u32) != 0);
        Scan {
            source,
            start: self.first,
            end: self.last,
            ongoing,
            packets: self.packets,
            share: accounts.share(self.begun, self.last),
            ports: self.ports.count(),
            addresses: self.addresses.count(),
            first_ports: self.named.iter().flatten().map(|&slot| slot_name(slot)).collect(),
            tools: tools.map(|tool| tool.label().to_owned()).collect(),
        }
    }
}

const _: () = assert!(Tool::ALL.len() <= u8::BITS as usize);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], None, None)]
    #[case::one(&["198.51.100.7/32"], None, None)]
    #[case::few(&["198.51.100.0/29", "198.51.100.8/29"], Some(8), None)]
    #[case::a_24(&["198.51.100.0/24"], Some(25), None)]
    #[case::a_16(&["198.18.0.0/16"], Some(100), None)]
    // An address of IPv4 is none of a /64.
    #[case::both(&["198.51.100.0/24", "2001:db8:7::/64"], Some(25), Some(100))]
    #[case::one_and_a_64(&["198.51.100.7/32", "2001:db8:7::/64"], None, Some(100))]
    #[case::all(&["0.0.0.0/0", "::/0"], Some(100), Some(100))]
    fn many_addresses_are_many_of_the_version(
        #[case] prefixes: &[&str],
        #[case] ipv4_addresses: Option<u64>,
        #[case] ipv6_addresses: Option<u64>,
    ) {
        let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
        let sensor = Sensor { name: "a".to_owned(), region: String::new(), alias: None, prefixes };
        let expected = Definition { ports: PORTS, ipv4_addresses, ipv6_addresses };
        assert_eq!(Definition::of(&sensor), expected);
    }
}
