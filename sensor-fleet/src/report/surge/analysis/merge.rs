//! Candidates of one service that are the same event, and parts of one.

use super::Event;

/// Days between an event and one that goes on with it.
const BETWEEN: usize = 3;

/// Merges candidates, given by subject, side and begin, of which one lies in the other by half of its days or more;
/// the least likely by chance speaks for all.
pub(super) fn merge(candidates: Vec<Event>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    // The least likely first, so that what joins does so by its own days only.
    let mut order: Vec<Event> = candidates;
    order.sort_by(|a, b| a.candidate.ln_cost.total_cmp(&b.candidate.ln_cost));
    for event in order {
        if !events.iter().any(|stronger| is_part(&event, stronger)) {
            events.push(event);
        }
    }
    events
}

fn is_part(event: &Event, of: &Event) -> bool {
    let (a, b) = (&event.candidate, &of.candidate);
    if event.subject != of.subject || a.side != b.side {
        return false;
    }
    let common = (a.to.min(b.to) + 1).saturating_sub(a.from.max(b.from));
    let shorter = (a.to - a.from).min(b.to - b.from) + 1;
    2 * common >= shorter
}

/// Joins what follows within a few days on what was found of the same subject, if most sensors that saw either saw both: a
/// surge that decays is one, though it was near its baseline for some days. The unlikeliest part speaks for all, of where
/// it was too.
pub(super) fn join(mut events: Vec<Event>) -> Vec<Event> {
    // What has grown by a part may go on with another.
    loop {
        let before = events.len();
        events = join_once(events);
        if events.len() == before {
            return events;
        }
    }
}

fn join_once(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by(|a, b| a.candidate.ln_cost.total_cmp(&b.candidate.ln_cost));
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        match joined.iter_mut().find(|of| goes_on(&event, of)) {
            Some(of) => {
                of.candidate.from = of.candidate.from.min(event.candidate.from);
                of.candidate.to = of.candidate.to.max(event.candidate.to);
            }
            None => joined.push(event),
        }
    }
    joined
}

fn goes_on(event: &Event, of: &Event) -> bool {
    let (a, b) = (&event.candidate, &of.candidate);
    let between = a.from.max(b.from).saturating_sub(a.to.min(b.to) + 1);
    let saw_both = |sensor: usize| of.seen.iter().any(|seen| seen.sensor == sensor);
    let both = event.seen.iter().filter(|seen| saw_both(seen.sensor)).count();
    event.subject == of.subject
        && a.side == b.side
        && between <= BETWEEN
        && 2 * both >= event.seen.len().max(of.seen.len())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::super::scan::Candidate;
    use super::super::super::track::Side;
    use super::super::{Level, Seen, Subject};
    use super::*;

    fn event(
        service: usize,
        (from, to): (usize, usize),
        ln_cost: f64,
        side: Side,
        sensors: &[usize],
    ) -> Event {
        let seen = |sensor: &usize| Seen { sensor: *sensor, cell: 0, baseline: 1.0, p: 1e-9, known: true };
        Event {
            subject: Subject::Service(service),
            level: Level::Sensor,
            apart: None,
            candidate: Candidate { side, from, to, ramp: false, ln_cost },
            seen: sensors.iter().map(seen).collect(),
        }
    }

    #[rstest]
    #[case::right_after(event(0, (51, 60), -9.0, Side::Up, &[3]), &[(40, 60)])]
    #[case::three_days_later(event(0, (54, 60), -9.0, Side::Up, &[3]), &[(40, 60)])]
    #[case::a_week_later(event(0, (58, 60), -9.0, Side::Up, &[3]), &[(40, 50), (58, 60)])]
    #[case::before(event(0, (30, 37), -9.0, Side::Up, &[3]), &[(30, 50)])]
    #[case::elsewhere(event(0, (51, 60), -9.0, Side::Up, &[4]), &[(40, 50), (51, 60)])]
    #[case::mostly_elsewhere(event(0, (51, 60), -9.0, Side::Up, &[3, 4, 5, 6]), &[(40, 50), (51, 60)])]
    #[case::downwards(event(0, (51, 60), -9.0, Side::Down, &[3]), &[(40, 50), (51, 60)])]
    #[case::another_service(event(1, (51, 60), -9.0, Side::Up, &[3]), &[(40, 50), (51, 60)])]
    fn what_goes_on_is_one(#[case] other: Event, #[case] expected: &[(usize, usize)]) {
        let first = event(0, (40, 50), -20.0, Side::Up, &[2, 3]);
        let found = join(vec![other, first]);
        assert_eq!(found[0].seen.len(), 2, "the unlikeliest speaks");
        let days: Vec<(usize, usize)> =
            found.iter().map(|event| (event.candidate.from, event.candidate.to)).collect();
        assert_eq!(days, expected);
    }

    #[test]
    fn what_lies_between_joins_both() {
        let days = [((40, 50), -20.0), ((57, 60), -10.0), ((53, 54), -5.0)];
        let found = join(days.map(|(days, cost)| event(0, days, cost, Side::Up, &[2, 3])).into());
        let [event] = &found[..] else { panic!("{} events", found.len()) };
        assert_eq!((event.candidate.from, event.candidate.to), (40, 60));
    }
}
