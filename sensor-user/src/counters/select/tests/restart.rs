//! Whatever moment the agent is killed at, and whatever is configured after it: series go on.

use sensor_common::layout::{SeriesKey, SeriesRecord};

use super::*;
use crate::counters::store::{MemoryStore, SeriesStore};

impl Sensor {
    /// Another agent takes over from what is recorded.
    fn restart(&mut self, export: &Export) {
        let restored = Restored::load(&self.store).unwrap().remove(&SensorNumber(0)).unwrap_or_default();
        self.selection = Selection::with_bucket(export, restored, TEST_BUCKET);
        self.scrapers = Scrapers::after_restart(self.now);
        self.drained = None;
    }

    /// Drains, and is killed once so many records are written, or right after the drain.
    fn drain_and_die(&mut self, writes: usize, export: &Export) {
        self.store.room = Some(writes);
        self.drain();
        self.store.room = None;
        self.restart(export);
    }

    /// Lets a port have a series that is open.
    fn promoted(port: u16) -> Self {
        let mut sensor = Self::new(&export(&[], 1));
        for _ in 0..3 {
            sensor.bucket(&[(port, 10)]);
        }
        assert_eq!(sensor.exported(), [u32::from(port)]);
        sensor
    }

    /// Scrapes until nobody of an earlier agent's time is waited for.
    fn settle(&mut self) -> Page {
        self.scrape(1);
        self.wait(FORGET);
        self.scrape(1);
        self.scrape(1);
        self.scrape(1)
    }
}

fn packets(page: &Page, slot: u32) -> Option<u64> {
    page.get(&slot).map(|counter| counter.packets)
}

#[test]
fn an_open_series_goes_on_with_all_that_came_while_no_agent_ran() {
    let mut sensor = Sensor::promoted(80);
    let before = sensor.scrape(1);
    sensor.restart(&export(&[], 1));
    sensor.packets(Slot::tcp(80), 1000);
    sensor.packets(Slot::tcp(81), 7);
    let after = sensor.scrape(1);
    assert_eq!(packets(&after, 80).unwrap(), packets(&before, 80).unwrap() + 1000);
    assert_eq!(packets(&after, OTHER[0]).unwrap(), packets(&before, OTHER[0]).unwrap() + 7);
}

#[test]
fn a_born_series_waits_for_the_scrapers_anew() {
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.bucket(&[(80, 4)]);
    sensor.bucket(&[(80, 5)]);
    sensor.restart(&export(&[], 1));
    sensor.scrape(1);
    sensor.packets(Slot::tcp(80), 6);
    assert_eq!(packets(&sensor.scrape(1), 80), Some(0), "whoever scraped the first agent may be late");
    sensor.wait(FORGET);
    sensor.scrape(1);
    sensor.packets(Slot::tcp(80), 7);
    let page = sensor.scrape(1);
    assert_eq!((packets(&page, 80), packets(&page, OTHER[0])), (Some(7), Some(15)));
}

#[test]
fn what_left_is_withdrawn_still() {
    let mut sensor = Sensor::promoted(81);
    while sensor.exported() != [80] {
        sensor.bucket(&[(80, 1)]);
    }
    let (page, withdrawn) = (sensor.page(), sensor.selection.withdrawn(Transport::Tcp));
    assert!(withdrawn.packets > 0);
    sensor.restart(&export(&[], 1));
    assert_eq!(sensor.scrape(1), page);
    assert_eq!(sensor.selection.withdrawn(Transport::Tcp), withdrawn);
}

#[test]
fn a_restart_is_no_reason_to_displace() {
    let mut sensor = Sensor::promoted(80);
    sensor.restart(&export(&[], 1));
    for _ in 0..BUCKETS - 1 {
        sensor.bucket(&[(81, 1000)]);
        assert_eq!(sensor.exported(), [80]);
    }
}

#[rstest]
#[case::restarted(true)]
#[case::reloaded(false)]
fn a_port_that_becomes_configured_is_born(#[case] restarted: bool) {
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.packets(Slot::tcp(23), 5);
    sensor.scrape(1);
    let configured = export(&[23], 2);
    if restarted {
        sensor.restart(&configured);
    } else {
        sensor.selection.reconfigure(&configured);
    }
    let page = sensor.scrape(1);
    assert_eq!((packets(&page, 23), packets(&page, OTHER[0])), (Some(0), Some(5)));
    sensor.settle();
    sensor.packets(Slot::tcp(23), 4);
    let page = sensor.scrape(1);
    assert_eq!((packets(&page, 23), packets(&page, OTHER[0])), (Some(4), Some(5)));
}

#[test]
fn the_least_leave_when_the_bound_shrinks() {
    let mut sensor = Sensor::new(&export(&[21, 22, 23], 3));
    for (port, packets) in [(21, 9), (22, 8), (23, 7)] {
        sensor.packets(Slot::tcp(port), packets);
    }
    sensor.scrape(1);
    sensor.restart(&export(&[23], 2));
    assert_eq!(packets(&sensor.scrape(1), 22), Some(8), "it takes its leave first");
    let page = sensor.settle();
    assert_eq!(page.into_values().map(|counter| counter.packets).collect::<Vec<_>>(), [9, 7, 0, 0]);
    assert_eq!(sensor.selection.withdrawn(Transport::Tcp).packets, 8);
}

#[test]
fn every_port_and_back() {
    let mut sensor = Sensor::new(&export(&[23], 1));
    sensor.packets(Slot::tcp(23), 5);
    sensor.packets(Slot::tcp(80), 7);
    sensor.scrape(1);
    sensor.restart(&export(&[], 0));
    let page = sensor.settle();
    assert_eq!(page.len(), PortSlot::COUNT + 2);
    assert_eq!([23, 80, OTHER[0]].map(|slot| packets(&page, slot).unwrap()), [5, 0, 7]);
    for port in [23, 80, 81] {
        sensor.packets(Slot::tcp(port), 10);
    }
    let page = sensor.scrape(1);
    assert_eq!([23, 80, 81, OTHER[0]].map(|slot| packets(&page, slot).unwrap()), [15, 10, 10, 7]);

    sensor.restart(&export(&[], 0));
    assert_eq!(sensor.scrape(1), page, "no port needs a record for that");

    sensor.restart(&export(&[23], 1));
    let page = sensor.settle();
    assert_eq!(
        page.into_iter().map(|(slot, of)| (slot, of.packets)).collect::<Vec<_>>(),
        [(23, 15), (OTHER[0], 7), (OTHER[1], 0)]
    );
    assert_eq!(sensor.selection.withdrawn(Transport::Tcp).packets, 20);
}

#[test]
fn with_every_port_one_that_has_counted_nothing_is_seen_at_0_first() {
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.scrape(2);
    sensor.scrape(1);
    sensor.selection.reconfigure(&export(&[], 0));
    sensor.scrape(1);
    sensor.scrape(1);
    sensor.packets(Slot::tcp(81), 5);
    let page = sensor.scrape(1);
    let of = |page: &Page| [81, 82, OTHER[0]].map(|slot| packets(page, slot));
    assert_eq!(of(&page), [Some(0), Some(0), Some(5)], "scraper 2 has not seen it yet");
    sensor.scrape(2);
    sensor.scrape(1);
    sensor.packets(Slot::tcp(81), 6);
    sensor.packets(Slot::tcp(82), 7);
    assert_eq!(of(&sensor.scrape(1)), [Some(6), Some(7), Some(5)]);
}

#[test]
fn a_change_that_cannot_be_written_is_not_made() {
    let mut sensor = Sensor::new(&export(&[], 1));
    sensor.store.room = Some(0);
    for _ in 0..3 {
        let page = sensor.bucket(&[(80, 5)]);
        assert_eq!(page.len(), 2, "no series");
    }
    sensor.store.room = None;
    sensor.bucket(&[(80, 5)]);
    assert_eq!(sensor.exported(), [80]);
    sensor.store.room = Some(0);
    assert_eq!(packets(&sensor.bucket(&[(80, 5)]), 80), Some(0), "it is not opened");
    sensor.store.room = None;
    sensor.drain();
    sensor.packets(Slot::tcp(80), 6);
    assert_eq!(packets(&sensor.scrape(1), 80), Some(6));
}

#[rstest]
#[case::state(SeriesKey { sensor: 0, slot: 1 }, SeriesRecord { state: 4, ..SeriesRecord::default() })]
#[case::slot(SeriesKey { sensor: 0, slot: 2 * PORTS }, SeriesRecord::default())]
fn records_of_another_kind_are_refused(#[case] key: SeriesKey, #[case] record: SeriesRecord) {
    let mut store = MemoryStore::default();
    store.set(key, record).unwrap();
    assert!(Restored::load(&store).is_err());
}

/// What else happens in a step.
#[derive(Clone, Debug)]
enum Event {
    Nothing,
    /// The agent is killed between two drains, and another started with this configuration.
    Restart(usize),
    /// The agent is told to use this configuration.
    Reload(usize),
    /// The agent is killed in this step's drain once so many records are written, and the next one likewise.
    Kill(usize, usize),
    /// The store takes only so many writes in this step's drain.
    Full(usize),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Nothing),
        1 => (0..CONFIGURATIONS.len()).prop_map(Event::Restart),
        1 => (0..CONFIGURATIONS.len()).prop_map(Event::Reload),
        2 => (0..6_usize, 0..20_usize).prop_map(|(first, second)| Event::Kill(first, second)),
        1 => (0..3_usize).prop_map(Event::Full),
    ]
}

/// Configured ports, and series at most.
const CONFIGURATIONS: [(&[u16], u32); 6] =
    [(&[2], 3), (&[], 1), (&[2, 4], 2), (&[0, 2, 6], 5), (&[], 0), (&[8], 8)];

/// Ports below this number have traffic.
const BUSY: u16 = 12;

fn lives() -> impl Strategy<Value = Vec<(Step, Event)>> {
    prop::collection::vec((step(), events()), 1..70)
}

impl Sensor {
    /// A page without the ports that never have traffic, of which there may be very many.
    fn busy_page(&self) -> Page {
        let mut page = self.page();
        page.retain(|&slot, _| slot >= OTHER[0] || slot % PORTS < u32::from(BUSY));
        page
    }

    fn accounts_for_everything(&self, page: &Page) -> Result<(), TestCaseError> {
        for (number, transport) in [Transport::Tcp, Transport::Udp].into_iter().enumerate() {
            let said = sum([total_of(page, number), self.selection.withdrawn(transport)]);
            prop_assert_eq!(said, self.total[number]);
        }
        Ok(())
    }
}

/// No series may say more than its slot counted since it was last seen.
fn grows_with_its_slot(
    seen: &mut BTreeMap<u32, (Counter, Counter)>,
    page: &Page,
    slots: &Slots,
) -> Result<(), TestCaseError> {
    for (&slot, &value) in page.range(..OTHER[0]) {
        let counter = slots.port(PortSlot::new(slot).unwrap());
        if let Some((value_before, counter_before)) = seen.insert(slot, (value, counter)) {
            prop_assert!(
                growth(value_before, value).packets <= growth(counter_before, counter).packets,
                "slot {} jumps",
                slot
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the agent is told, and whenever it is killed: pages account for every packet, no series
    /// decreases or jumps, and the increases that each Prometheus sees are all that was counted.
    #[test]
    fn no_packet_is_lost_or_counted_twice(lives in lives(), second_after in 0..40_usize) {
        let exports = CONFIGURATIONS.map(|(ports, most)| export(ports, most));
        let mut configured = &exports[0];
        let mut sensor = Sensor::new(configured);
        let mut servers = [Prometheus::default(), Prometheus::default()];
        let mut seen = BTreeMap::new();
        for (number, (step, event)) in lives.iter().enumerate() {
            sensor.wait(step.wait * SECOND);
            sensor.traffic(step, number);
            match *event {
                Event::Nothing => {}
                Event::Restart(with) => {
                    configured = &exports[with];
                    sensor.restart(configured);
                }
                Event::Reload(with) => {
                    configured = &exports[with];
                    sensor.selection.reconfigure(configured);
                }
                Event::Kill(first, second) => {
                    sensor.drain_and_die(first, configured);
                    sensor.drain_and_die(second, configured);
                }
                Event::Full(room) => sensor.store.room = Some(room),
            }
            sensor.drain();
            for (server, bit) in servers.iter_mut().zip([1, 2]) {
                let late = bit == 2 && number < second_after;
                let overdue = server.last_scrape.is_some_and(|at| sensor.now - at + 90 * SECOND > FORGET);
                if !late && (step.scrape & bit != 0 || overdue) {
                    sensor.serve(bit);
                    let page = sensor.busy_page();
                    server.takes(&page, sensor.total, sensor.now)?;
                }
            }
            sensor.store.room = None;
            let page = sensor.busy_page();
            sensor.accounts_for_everything(&page)?;
            grows_with_its_slot(&mut seen, &page, &sensor.kernel)?;
        }
        for server in &servers {
            server.misses_nothing()?;
        }
        // Once everybody has scraped, the bound holds again.
        sensor.settle();
        if let MaxPorts::AtMost(most) = configured.max_ports {
            prop_assert!(sensor.selection.len() <= most.get() as usize);
        }
        for port in &configured.ports {
            prop_assert!(sensor.exported().contains(&port.slot().index()));
        }
    }
}
