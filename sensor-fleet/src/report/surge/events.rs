//! Days of a surge become one event.

use crate::vocabulary::service::Service;

/// Days from one day of an event to the next at most; 2 bridges a single day on which it could not be told from
/// chance, or on which sensors were down.
const REACH: usize = 2;

/// A sensor that saw a surge on a day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sighting {
    /// Which sensor, by its number.
    pub(super) sensor: u32,
    /// Its packets.
    pub(super) packets: u64,
    /// The median of its baseline.
    pub(super) baseline: f64,
    /// The chance.
    pub(super) p: f64,
    /// How many days before the first packets in its baseline came; 0 if there were none.
    pub(super) known: usize,
}

/// A service on a day on which at least one sensor made a discovery.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Day {
    /// Its index.
    pub(super) day: usize,
    /// Those who saw it.
    pub(super) sightings: Vec<Sighting>,
}

impl Day {
    fn packets(&self) -> u64 {
        self.sightings.iter().fold(0, |sum, sighting| sum.saturating_add(sighting.packets))
    }

    fn seen_by(&self, sensor: u32) -> Option<&Sighting> {
        self.sightings.iter().find(|sighting| sighting.sensor == sensor)
    }
}

/// A surge of a service over some days.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// What it is about.
    pub(super) service: Service,
    /// The days on which it was seen, in order; never empty.
    pub(super) days: Vec<Day>,
}

impl Event {
    /// The day with most sensors, then most packets, then the first.
    pub(super) fn peak(&self) -> Option<&Day> {
        self.days.iter().rev().max_by_key(|day| (day.sightings.len(), day.packets()))
    }

    /// Whether no sensor of `peak` had a packet in its baseline before the event, when it first saw it; a surge may
    /// begin shortly before midnight, so the day right before the event is left out. A sensor with few packets may
    /// see an event late: what it had of it until then makes the port no older.
    pub(super) fn new_to(&self, peak: &Day) -> bool {
        let begin = self.days.first().map_or(peak.day, |day| day.day);
        peak.sightings.iter().all(|at_peak| {
            let first = self.days.iter().find_map(|day| Some((day.day, day.seen_by(at_peak.sensor)?)));
            first.is_some_and(|(day, sighting)| sighting.known <= day - begin + 1)
        })
    }

    /// `day` goes on with this event: soon enough, and seen by a sensor that had seen it. Without such a sensor
    /// they are two events, each local to where it was.
    fn goes_on_with(&self, day: &Day) -> bool {
        self.days.last().is_some_and(|last| day.day - last.day <= REACH)
            && day
                .sightings
                .iter()
                .any(|sighting| self.days.iter().any(|earlier| earlier.seen_by(sighting.sensor).is_some()))
    }
}

/// Merges a service's days, given in order.
pub(super) fn merge(service: &Service, days: impl IntoIterator<Item = Day>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for day in days {
        match events.iter_mut().rev().find(|event| event.goes_on_with(&day)) {
            Some(event) => event.days.push(day),
            None => events.push(Event { service: service.clone(), days: vec![day] }),
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn day(day: usize, sensors: &[(u32, u64, usize)]) -> Day {
        let sighting = |&(sensor, packets, known)| Sighting { sensor, packets, baseline: 0.0, p: 0.0, known };
        Day { day, sightings: sensors.iter().map(sighting).collect() }
    }

    fn service() -> Service {
        Service::Protocol("icmp".to_owned())
    }

    #[rstest]
    #[case::one_day(&[(3, 1)], "3")]
    #[case::days_in_a_row(&[(3, 1), (4, 1), (5, 1)], "3 4 5")]
    #[case::a_gap_of_one_day(&[(3, 1), (5, 1)], "3 5")]
    #[case::a_gap_of_two_days(&[(3, 1), (6, 1)], "3, 6")]
    #[case::nobody_in_common(&[(3, 1), (4, 2)], "3, 4")]
    #[case::one_after_the_other_by_turns(&[(3, 1), (4, 2), (5, 1)], "3 5, 4")]
    fn days_merge(#[case] seen: &[(usize, u32)], #[case] expected: &str) {
        let events = merge(&service(), seen.iter().map(|&(at, sensor)| day(at, &[(sensor, 100, 28)])));
        let days =
            |event: &Event| event.days.iter().map(|day| day.day.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(events.iter().map(days).collect::<Vec<_>>().join(", "), expected);
    }

    #[rstest]
    #[case::most_sensors(&[day(1, &[(1, 900, 28)]), day(2, &[(1, 100, 28), (2, 100, 28)])], 2)]
    #[case::then_most_packets(&[day(1, &[(1, 100, 28)]), day(2, &[(1, 300, 28)]), day(3, &[(1, 200, 28)])], 2)]
    #[case::then_the_first(&[day(1, &[(1, 100, 28)]), day(2, &[(1, 100, 28)])], 1)]
    fn the_peak(#[case] days: &[Day], #[case] expected: usize) {
        let event = Event { service: service(), days: days.to_vec() };
        assert_eq!(event.peak().map(|day| day.day), Some(expected));
    }

    #[rstest]
    #[case::at_once(&[day(1, &[(1, 9, 0)])], true)]
    // On the second day, the first is in the baseline.
    #[case::and_went_on(&[day(1, &[(1, 8, 0)]), day(2, &[(1, 9, 28)])], true)]
    #[case::spread(&[day(1, &[(1, 8, 0)]), day(2, &[(1, 9, 28), (2, 9, 0)])], true)]
    #[case::known_to_one(&[day(1, &[(1, 8, 0)]), day(2, &[(1, 9, 28), (2, 9, 28)])], false)]
    // The second had too few packets until the fifth day, but none before the first.
    #[case::late(&[day(1, &[(1, 8, 1)]), day(3, &[(1, 9, 3)]), day(5, &[(1, 9, 5), (2, 9, 5)])], true)]
    #[case::late_but_known(&[day(1, &[(1, 8, 1)]), day(2, &[(1, 9, 2), (2, 9, 3)])], false)]
    #[case::known(&[day(1, &[(1, 8, 28)])], false)]
    fn new_ports(#[case] days: &[Day], #[case] expected: bool) {
        let event = Event { service: service(), days: days.to_vec() };
        assert_eq!(event.peak().map(|peak| event.new_to(peak)), Some(expected));
    }
}
