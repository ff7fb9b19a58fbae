//! Days of a surge become one event.

use super::super::service::Service;

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
    /// Its baseline was empty.
    pub(super) new: bool,
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

    /// Whether every sensor of `peak` had an empty baseline when it saw the event for the first time; on later
    /// days the event itself is in the baseline.
    pub(super) fn new_to(&self, peak: &Day) -> bool {
        peak.sightings.iter().all(|at_peak| {
            self.days.iter().find_map(|day| day.seen_by(at_peak.sensor)).is_some_and(|first| first.new)
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

    fn day(day: usize, sensors: &[(u32, u64, bool)]) -> Day {
        let sighting = |&(sensor, packets, new)| Sighting { sensor, packets, baseline: 0.0, p: 0.0, new };
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
        let events = merge(&service(), seen.iter().map(|&(at, sensor)| day(at, &[(sensor, 100, false)])));
        let days =
            |event: &Event| event.days.iter().map(|day| day.day.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(events.iter().map(days).collect::<Vec<_>>().join(", "), expected);
    }

    #[rstest]
    #[case::most_sensors(&[day(1, &[(1, 900, false)]), day(2, &[(1, 100, false), (2, 100, false)])], 2)]
    #[case::then_most_packets(&[day(1, &[(1, 100, false)]), day(2, &[(1, 300, false)]), day(3, &[(1, 200, false)])], 2)]
    #[case::then_the_first(&[day(1, &[(1, 100, false)]), day(2, &[(1, 100, false)])], 1)]
    fn the_peak(#[case] days: &[Day], #[case] expected: usize) {
        let event = Event { service: service(), days: days.to_vec() };
        assert_eq!(event.peak().map(|day| day.day), Some(expected));
    }

    #[rstest]
    #[case::at_once(&[day(1, &[(1, 9, true)])], true)]
    // On the second day, the first is in the baseline.
    #[case::and_went_on(&[day(1, &[(1, 8, true)]), day(2, &[(1, 9, false)])], true)]
    #[case::spread(&[day(1, &[(1, 8, true)]), day(2, &[(1, 9, false), (2, 9, true)])], true)]
    #[case::known_to_one(&[day(1, &[(1, 8, true)]), day(2, &[(1, 9, false), (2, 9, false)])], false)]
    #[case::known(&[day(1, &[(1, 8, false)])], false)]
    fn new_ports(#[case] days: &[Day], #[case] expected: bool) {
        let event = Event { service: service(), days: days.to_vec() };
        assert_eq!(event.peak().map(|peak| event.new_to(peak)), Some(expected));
    }
}
