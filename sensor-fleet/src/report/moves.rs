//! Sensors that moved from one region to another: each day counts for the region where the sensor was on it.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use super::model::Move;

/// Of each sensor that was in more than one region, by its name, where it was.
pub type Moved = BTreeMap<String, Regions>;

/// In which region a sensor was on which day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regions {
    /// By day: the part of it that it observed in each region.
    observed: Vec<BTreeMap<String, f64>>,
    /// By day with more than one: the packets that it counted in each.
    packets: BTreeMap<usize, BTreeMap<String, u64>>,
}

/// What a sensor counted and observed in a region on a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// The region.
    pub region: &'a str,
    /// Packets.
    pub packets: u64,
    /// The part of the day, 0 to 1; more after a gap.
    pub observed: f64,
}

impl Regions {
    /// For so many days.
    #[must_use]
    pub fn new(days: usize) -> Self {
        Self { observed: vec![BTreeMap::new(); days], packets: BTreeMap::new() }
    }

    /// Adds the part of a day that was observed in a region.
    pub fn observe(&mut self, day: usize, region: &str, part: f64) {
        *self.observed[day].entry(region.to_owned()).or_default() += part;
    }

    /// Adds packets of a day that were counted in a region.
    pub fn count(&mut self, day: usize, region: &str, packets: u64) {
        let sum = self.packets.entry(day).or_default().entry(region.to_owned()).or_default();
        *sum = sum.saturating_add(packets);
    }

    /// Whether there is more than one.
    #[must_use]
    pub fn is_several(&self) -> bool {
        let mut all = self.observed.iter().flat_map(BTreeMap::keys);
        let first = all.next();
        all.any(|region| Some(region) != first)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.observed.iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The days with more than one.
    pub fn divided(&self) -> impl Iterator<Item = usize> {
        self.observed.iter().enumerate().filter(|(_, regions)| regions.len() > 1).map(|(day, _)| day)
    }

    /// Where it was for most of a day; if it observed nothing, where it was last seen before, or first after.
    #[must_use]
    pub fn on(&self, day: usize) -> &str {
        let most = |day: usize| {
            let regions = self.observed.get(day)?.iter();
            regions.max_by(|a, b| a.1.total_cmp(b.1)).map(|(region, _)| region.as_str())
        };
        let mut days = (0..=day).rev().chain(day + 1..self.observed.len());
        days.find_map(most).unwrap_or_default()
    }

    /// What of a day's packets and of what was observed belongs to which region. Packets of which that is not known
    /// are counted where the sensor was for most of the day.
    #[must_use]
    pub fn parts(&self, day: usize, packets: u64, observed: f64) -> Vec<Part<'_>> {
        let main = self.on(day);
        let mut parts: HashMap<&str, (u64, f64)> = HashMap::from([(main, (packets, observed))]);
        let mut take = |region, packets: u64, observed: f64| {
            let Some(rest) = parts.get_mut(main).filter(|_| region != main) else { return };
            let packets = packets.min(rest.0);
            *rest = (rest.0 - packets, (rest.1 - observed).max(0.0));
            let part = parts.entry(region).or_default();
            *part = (part.0 + packets, part.1 + observed);
        };
        for (region, part) in self.observed.get(day).into_iter().flatten() {
            take(region.as_str(), 0, *part);
        }
        for (region, packets) in self.packets.get(&day).into_iter().flatten() {
            take(region.as_str(), *packets, 0.0);
        }
        let mut parts: Vec<_> = parts
            .into_iter()
            .map(|(region, (packets, observed))| Part { region, packets, observed })
            .collect();
        parts.sort_by(|a, b| a.region.cmp(b.region));
        parts
    }

    /// Its moves within these days, of which `dates` has all.
    #[must_use]
    pub fn moves(&self, days: std::ops::Range<usize>, dates: &[Date]) -> Vec<Move> {
        let pairs = days.clone().zip(days.skip(1));
        let moves = pairs.filter(|(before, day)| self.on(*before) != self.on(*day));
        let to_move = |(before, day): (usize, usize)| Move {
            day: dates[day],
            from: self.on(before).to_owned(),
            to: self.on(day).to_owned(),
        };
        moves.map(to_move).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In Japan for two days and a half, then nowhere for a day, then in Europe.
    fn regions() -> Regions {
        let mut regions = Regions::new(6);
        for (day, region, part) in
            [(0, "japan", 1.0), (1, "japan", 1.0), (2, "japan", 0.6), (2, "europe", 0.4), (4, "europe", 1.0)]
        {
            regions.observe(day, region, part);
        }
        regions.count(2, "japan", 60);
        regions.count(2, "europe", 30);
        regions
    }

    #[test]
    fn a_day_is_where_the_sensor_was_for_most_of_it() {
        let regions = regions();
        let on: Vec<_> = (0..6).map(|day| regions.on(day)).collect();
        assert_eq!(on, ["japan", "japan", "japan", "japan", "europe", "europe"]);
        assert!(regions.is_several());
        assert_eq!(regions.divided().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_day_of_a_move_is_divided_and_nothing_of_it_is_lost() {
        let regions = regions();
        let part = |region, packets, observed| Part { region, packets, observed };
        assert_eq!(regions.parts(1, 80, 1.0), [part("japan", 80, 1.0)]);
        // Ten of its packets are in no hour that is known to belong anywhere.
        assert_eq!(regions.parts(2, 100, 1.0), [part("europe", 30, 0.4), part("japan", 70, 0.6)]);
    }

    #[test]
    fn moves_have_the_first_day_in_the_new_region() {
        let dates: Vec<Date> = (1..=6).map(|day| jiff::civil::date(2023, 11, day)).collect();
        let moves = regions().moves(0..6, &dates);
        let [it] = &moves[..] else { panic!("{moves:?}") };
        assert_eq!((it.day, it.from.as_str(), it.to.as_str()), (dates[4], "japan", "europe"));
        assert!(regions().moves(4..6, &dates).is_empty());
    }
}
