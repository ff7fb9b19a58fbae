//! What one source or one network made is no surge that the Internet shows, and makes no room for others.
//!
//! The held rate is a part of what is reported: the more is found, the more of it may be false. So what is left when some
//! of it is set apart is held to the rate by itself. Who made it is another question than how unlikely it is, so that the
//! rate holds for what is left as it did for all. Numbers of sources have a part of the rate by themselves.

use std::mem;

use super::super::model::Surge;
use super::{Findings, discovery};

impl Findings {
    /// Sets apart the surges that one source or one network made, once it is told who made them, and gives up what had passed
    /// only beside them.
    pub fn set_apart(&mut self) {
        let (of_one, surges): (Vec<Surge>, Vec<Surge>) =
            mem::take(&mut self.surges).into_iter().partition(|surge| surge.maker().is_some());
        self.surges = surges;
        if of_one.is_empty() {
            return;
        }
        self.surges_of_one.extend(of_one);
        let costs = self.surges.iter().map(|surge| surge.cost);
        let costs = costs.chain(self.shifts.iter().map(|shift| shift.cost)).collect();
        let level = discovery::level(costs, self.method.false_discovery_rate);
        let passes = |cost: f64| level.is_some_and(|level| cost <= level);
        self.surges.retain(|surge| passes(surge.cost));
        self.shifts.retain(|shift| passes(shift.cost));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::report::fixture;

    /// Costs of surges of many, of a shift, and of surges of one; and how many of many, and shifts, are left.
    #[rstest]
    #[case::none_is_set_apart(&[0.001, 0.09], 0.01, &[], (2, 1))]
    #[case::room_of_one(&[0.09], 0.12, &[0.0, 0.0], (0, 0))]
    #[case::with_room_of_their_own(&[0.001, 0.09], 0.01, &[0.0], (2, 1))]
    #[case::a_shift_too(&[0.001], 0.14, &[0.0], (1, 0))]
    #[case::nothing_else(&[], 0.04, &[0.0], (0, 1))]
    fn what_is_left_is_held_by_itself(
        #[case] many: &[f64],
        #[case] shift: f64,
        #[case] one: &[f64],
        #[case] expected: (usize, usize),
    ) {
        let report = fixture::report();
        let with = |surge: &Surge, cost: &f64| Surge { cost: *cost, ..surge.clone() };
        let of_many = many.iter().map(|cost| with(&report.surges[0], cost));
        let of_one = one.iter().map(|cost| with(&report.surges_of_one[0], cost));
        let mut shifts = report.shifts.clone();
        shifts[0].cost = shift;
        let surges = of_many.chain(of_one).collect();
        let (sources, method) = (Vec::new(), report.method);
        let mut findings = Findings { surges, surges_of_one: Vec::new(), shifts, sources, method };
        findings.set_apart();
        assert_eq!((findings.surges.len(), findings.shifts.len()), expected);
        assert_eq!(findings.surges_of_one.len(), one.len());
    }
}
