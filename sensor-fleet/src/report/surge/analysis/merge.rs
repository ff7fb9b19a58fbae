//! Candidates of one service that are the same event.

use super::Event;

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
