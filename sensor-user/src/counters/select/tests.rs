use std::collections::BTreeMap;
use std::num::NonZeroU32;

use proptest::prelude::*;
use rstest::rstest;
use sensor_common::layout::{PORTS, Slot};

use super::*;
use crate::config::{Port, SensorNumber};
use crate::counters::snapshot::{add, growth, sum};

mod bounded;
mod restart;

use self::bounded::Bounded;

const SECOND: Duration = Duration::from_secs(1);
const TEST_BUCKET: Duration = Duration::from_mins(1);

fn export(ports: &[u16], max_ports: u32) -> Export {
    Export {
        ports: ports.iter().map(|&number| Port { transport: Transport::Tcp, number }).collect(),
        max_ports: NonZeroU32::new(max_ports).map_or(MaxPorts::All, MaxPorts::AtMost),
    }
}

/// A sensor, its drains, and a clock.
struct Sensor {
    selection: Selection,
    store: Bounded,
    scrapers: Scrapers,
    kernel: Slots,
    drained: Option<Slots>,
    /// What the kernel counted, by transport.
    total: [Counter; 2],
    now: Instant,
}

/// What a page says of the ports: the series by slot, and the two `other`s under numbers beyond the slots.
type Page = BTreeMap<u32, Counter>;

const OTHER: [u32; 2] = [2 * PORTS, 2 * PORTS + 1];

impl Sensor {
    /// One that has counted nothing, and was drained once.
    fn new(export: &Export) -> Self {
        let mut sensor = Self {
            selection: Selection::with_bucket(export, Restored::default(), TEST_BUCKET),
            store: Bounded::default(),
            scrapers: Scrapers::default(),
            kernel: Slots::default(),
            drained: None,
            total: [Counter::default(); 2],
            now: Instant::now(),
        };
        sensor.drain();
        sensor
    }

    fn packets(&mut self, slot: Slot, packets: u64) {
        let bytes = packets * 60;
        self.kernel.add(slot, packets, bytes);
        add(&mut self.total[(slot.index() / PORTS) as usize], Counter { packets, bytes });
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn drain(&mut self) {
        let drain = self.scrapers.drain();
        let records = &mut Records::new(&mut self.store, SensorNumber(0));
        self.selection.advance(self.now, drain, self.drained.as_ref(), &self.kernel, records);
        self.drained = Some(self.kernel.clone());
    }

    fn page(&self) -> Page {
        let drained = self.drained.as_ref().unwrap();
        let mut page: Page =
            self.selection.ports(drained).map(|(slot, value)| (slot.number(), value)).collect();
        for (key, transport) in OTHER.into_iter().zip([Transport::Tcp, Transport::Udp]) {
            page.insert(key, self.selection.other(transport, drained));
        }
        page
    }

    fn serve(&mut self, scraper: u8) {
        self.scrapers.served(self.now, Scraper::new([192, 0, 2, scraper].into(), None));
    }

    fn scrape(&mut self, scraper: u8) -> Page {
        self.drain();
        self.serve(scraper);
        self.page()
    }

    /// A step's packets; later on, other ports than before are the loud ones.
    fn traffic(&mut self, step: &Step, number: usize) {
        for &(port, packets) in &step.traffic {
            let packets = if usize::from(port) % 5 == number / 16 { packets * 1000 } else { packets };
            self.packets(if port % 2 == 0 { Slot::tcp(port) } else { Slot::udp(port) }, packets);
        }
    }

    /// A bucket with this much traffic, scraped twice.
    fn bucket(&mut self, traffic: &[(u16, u64)]) -> Page {
        for &(port, packets) in traffic {
            self.packets(Slot::tcp(port), packets);
        }
        self.scrape(1);
        self.wait(TEST_BUCKET);
        self.scrape(1)
    }

    fn exported(&self) -> Vec<u32> {
        self.page().into_keys().filter(|slot| !OTHER.contains(slot)).collect()
    }
}

/// Whether a series is of a transport: 0 for TCP, 1 for UDP.
fn belongs(slot: u32, transport: usize) -> bool {
    slot == OTHER[transport] || slot < OTHER[0] && (slot / PORTS) as usize == transport
}

/// What a page accounts for, of one transport.
fn total_of(page: &Page, transport: usize) -> Counter {
    sum(page.iter().filter(|(slot, _)| belongs(**slot, transport)).map(|(_, counter)| *counter))
}

#[test]
fn configured_ports_are_open_from_the_start() {
    let mut sensor = Sensor::new(&export(&[23, 22], 2));
    sensor.packets(Slot::tcp(23), 5);
    sensor.packets(Slot::tcp(80), 7);
    sensor.packets(Slot::udp(23), 9);
    let packets: Vec<_> = sensor.scrape(1).into_values().map(|counter| counter.packets).collect();
    assert_eq!(packets, [0, 5, 7, 9]);
}

#[test]
fn a_port_is_born_closed_and_opens_when_carried() {
    let mut sensor = Sensor::new(&export(&[], 1));
    let page = sensor.bucket(&[(80, 4)]);
    assert_eq!(page[&OTHER[0]].packets, 4);
    assert!(sensor.exported().is_empty());

    // The last page of this bucket is the first that carries the new series.
    let page = sensor.bucket(&[(80, 5)]);
    assert_eq!((page[&80].packets, page[&OTHER[0]].packets), (0, 9));

    sensor.packets(Slot::tcp(80), 6);
    sensor.drain();
    let page = sensor.page();
    assert_eq!((page[&80].packets, page[&OTHER[0]].packets), (6, 9));
}

#[test]
fn nothing_opens_until_every_scraper_has_seen_it() {
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.scrape(2);
    sensor.bucket(&[(80, 4)]);
    sensor.bucket(&[(80, 5)]);
    sensor.packets(Slot::tcp(80), 6);
    assert_eq!(sensor.scrape(1)[&80].packets, 0, "scraper 2 has not seen it yet");
    sensor.scrape(2);
    sensor.packets(Slot::tcp(80), 7);
    assert_eq!(sensor.scrape(1)[&80].packets, 7);
}

#[test]
fn nothing_opens_and_nothing_leaves_while_nobody_scrapes() {
    let mut sensor = Sensor::new(&export(&[], 1));
    for _ in 0..40 {
        sensor.packets(Slot::tcp(80), 5);
        sensor.wait(TEST_BUCKET);
        sensor.drain();
    }
    assert_eq!(sensor.page()[&80].packets, 0);
    for _ in 0..40 {
        sensor.packets(Slot::tcp(81), 5);
        sensor.wait(TEST_BUCKET);
        sensor.drain();
    }
    assert_eq!(sensor.exported(), [80]);
}

#[test]
fn a_higher_ranked_port_takes_the_place_after_a_whole_window() {
    let mut sensor = Sensor::new(&export(&[], 1));
    let mut at = Vec::new();
    for _ in 0..2 * BUCKETS {
        sensor.bucket(&[(80, 10), (81, 21)]);
        at.push(sensor.exported());
    }
    assert_eq!(at[1], [81], "the higher rank comes first");

    // 80 outranks 81, and has to wait for 81's window to end.
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.bucket(&[(81, 10)]);
    sensor.bucket(&[(81, 10)]);
    let mut buckets = 0;
    while sensor.exported() == [81] {
        sensor.bucket(&[(81, 10), (80, 1000)]);
        buckets += 1;
    }
    assert!((BUCKETS..BUCKETS + 3).contains(&buckets), "after {buckets} buckets");
    assert_eq!(sensor.exported(), [80]);
}

#[rstest]
#[case::twice_is_not_enough(20)]
#[case::nor_is_the_same(10)]
fn a_port_that_ranks_little_higher_has_to_wait(#[case] packets: u64) {
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.bucket(&[(81, 10)]);
    for _ in 0..3 * BUCKETS {
        sensor.bucket(&[(81, 10), (80, packets)]);
    }
    assert_eq!(sensor.exported(), [81]);
}

#[test]
fn a_silent_port_makes_place_and_comes_back_with_its_value() {
    let mut sensor = Sensor::new(&export(&[], 1));
    for _ in 0..3 {
        sensor.bucket(&[(81, 10)]);
    }
    let value = sensor.page()[&81];
    assert!(value.packets > 0);
    while sensor.exported() != [80] {
        sensor.bucket(&[(80, 1)]);
    }
    while sensor.exported() != [81] {
        sensor.bucket(&[(81, 10)]);
    }
    assert_eq!(sensor.page()[&81], value);
}

#[test]
fn one_port_needs_one_place() {
    let mut sensor = Sensor::new(&export(&[], 3));
    for _ in 0..3 {
        sensor.bucket(&[(81, 10), (82, 11), (83, 12)]);
    }
    // Nobody scrapes, so that the one that leaves stays on the page.
    for _ in 0..2 * BUCKETS {
        sensor.packets(Slot::tcp(80), 5);
        sensor.wait(TEST_BUCKET);
        sensor.drain();
        assert_eq!(sensor.exported(), [81, 82, 83]);
    }
    for _ in 0..3 {
        sensor.bucket(&[(80, 5)]);
    }
    assert_eq!(sensor.exported(), [80, 82, 83], "only the lowest rank left");
}

#[rstest]
#[case::once(1)]
#[case::twice_in_one_bucket(2)]
fn a_sweep_over_all_ports_changes_nothing(#[case] sweeps: u64) {
    let mut sensor = Sensor::new(&export(&[23], 10));
    for _ in 0..2 {
        sensor.bucket(&[(80, 1), (443, 1)]);
    }
    let before = sensor.exported();
    assert_eq!(before, [23, 80, 443]);
    for port in 0..=u16::MAX {
        sensor.packets(Slot::tcp(port), sweeps);
    }
    for _ in 0..2 * BUCKETS {
        sensor.bucket(&[]);
        assert_eq!(sensor.exported(), before);
    }
}

#[test]
fn sweeps_again_and_again_change_nothing_either() {
    let mut sensor = Sensor::new(&export(&[], 10));
    for _ in 0..BUCKETS {
        for port in 0..=u16::MAX {
            sensor.packets(Slot::tcp(port), 1);
            sensor.packets(Slot::udp(port), 3);
        }
        sensor.bucket(&[(23, 7), (80, 2)]);
    }
    assert_eq!(sensor.exported(), [23, 80]);
}

#[test]
fn with_all_ports_each_series_is_its_slot() {
    let mut sensor = Sensor::new(&export(&[23], 0));
    sensor.packets(Slot::tcp(1), 4);
    sensor.packets(Slot::udp(u16::MAX), 5);
    let page = sensor.scrape(1);
    assert_eq!(page.len(), PortSlot::COUNT + 2);
    assert_eq!(page[&1].packets, 4);
    assert_eq!(page[&Slot::udp(u16::MAX).index()], Counter { packets: 5, bytes: 300 });
    assert_eq!(OTHER.map(|other| page[&other].packets), [0, 0]);
}

/// A Prometheus that computes increases: the first and last sample of each series.
#[derive(Default)]
struct Prometheus {
    samples: BTreeMap<u32, (Counter, Counter)>,
    /// What had been counted by the first scrape and by the last, by transport.
    counted: Option<([Counter; 2], [Counter; 2])>,
    last_scrape: Option<Instant>,
}

impl Prometheus {
    fn takes(&mut self, page: &Page, total: [Counter; 2], now: Instant) -> Result<(), TestCaseError> {
        for (&slot, &value) in page {
            let (_, last) = self.samples.entry(slot).or_insert((value, value));
            prop_assert!(last.packets <= value.packets && last.bytes <= value.bytes, "slot {slot}");
            *last = value;
        }
        self.counted.get_or_insert((total, total)).1 = total;
        self.last_scrape = Some(now);
        Ok(())
    }

    /// Increases over all series, against what was counted between the first scrape and the last.
    fn misses_nothing(&self) -> Result<(), TestCaseError> {
        let Some((first, last)) = self.counted else { return Ok(()) };
        for transport in 0..2 {
            let counted = growth(first[transport], last[transport]);
            let increases = sum(self
                .samples
                .iter()
                .filter(|(slot, _)| belongs(**slot, transport))
                .map(|(_, (first, last))| growth(*first, *last)));
            prop_assert_eq!(counted, increases);
        }
        Ok(())
    }
}

/// One step of a sensor's life.
#[derive(Clone, Debug)]
struct Step {
    wait: u32,
    /// Port number and packets; odd numbers are UDP ports.
    traffic: Vec<(u16, u64)>,
    /// Which of the Prometheus servers scrape, as bits; for 0 the agent drains by itself.
    scrape: u8,
}

fn step() -> impl Strategy<Value = Step> {
    let traffic = prop::collection::vec((0..12_u16, 1..200_u64), 0..5);
    (0..80_u32, traffic, 0..4_u8).prop_map(|(wait, traffic, scrape)| Step { wait, traffic, scrape })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is promoted or retired: pages account for every packet, no series decreases, the cap holds,
    /// and the increases that each Prometheus sees after its first scrape are all that was counted.
    #[test]
    fn no_packet_is_lost(steps in steps(), cap in 1..5_u32, second_after in 0..50_usize) {
        let export = export(&[2], cap);
        let mut sensor = Sensor::new(&export);
        let mut servers = [Prometheus::default(), Prometheus::default()];
        for (number, step) in steps.iter().enumerate() {
            sensor.wait(step.wait * SECOND);
            sensor.traffic(step, number);
            let mut served = false;
            for (server, bit) in servers.iter_mut().zip([1, 2]) {
                if bit == 2 && number < second_after {
                    continue;
                }
                // A scraper that stays away for longer than `FORGET` is promised nothing.
                let overdue = server.last_scrape.is_some_and(|at| sensor.now - at + 90 * SECOND > FORGET);
                if step.scrape & bit != 0 || overdue {
                    let page = sensor.scrape(bit);
                    server.takes(&page, sensor.total, sensor.now)?;
                    served = true;
                }
            }
            if !served {
                sensor.drain();
            }
            let page = sensor.page();
            for (number, transport) in [Transport::Tcp, Transport::Udp].into_iter().enumerate() {
                let said = sum([total_of(&page, number), sensor.selection.withdrawn(transport)]);
                prop_assert_eq!(said, sensor.total[number]);
            }
            prop_assert!(sensor.selection.len() <= cap as usize);
        }
        for server in &servers {
            server.misses_nothing()?;
        }
    }
}
