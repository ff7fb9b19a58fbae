//! What was counted over time, whoever sent it: by the minute and by the hour, as the [store](crate::store) has it.

use std::ops::RangeInclusive;

use anyhow::{Result, anyhow};
use jiff::{SignedDuration, Timestamp};
use sensor_common::layout::Slot;

use super::super::ask::{AskCounts, Protocol};
use super::filter::slot_of;
use super::windows::is_time;
use super::{CountRow, CountsLine, GapLine, Line};
use crate::obstacle::WrongUse;
use crate::store::{AskCounted, Counted, Event, Reader, Step};

/// What was counted, by sensor and time, and the gaps in it.
///
/// # Errors
/// What is asked for is nothing, or more than is given; or the store cannot be read.
pub fn counts(reader: &Reader, ask: &AskCounts) -> Result<Vec<Line>> {
    is_time(ask.from, ask.to)?;
    let wrong = |what: String| anyhow!(WrongUse(what));
    let slots = match (&ask.slot, ask.protocol) {
        (Some(_), Some(_)) => {
            return Err(wrong("a slot has its protocol: ask for the one or the other".to_owned()));
        }
        (Some(text), None) => {
            let slot = slot_of(text)
                .ok_or_else(|| wrong(format!("slot {text:?} is none: write it as in 23/tcp")))?;
            let number = Slot::from(slot).index();
            Some(number..=number)
        }
        (None, protocol) => protocol.map(slots),
    };
    let to = ask.to.unwrap_or_else(Timestamp::now);
    let usual = match ask.by {
        Step::Minute => SignedDuration::from_hours(1),
        Step::Hour => SignedDuration::from_hours(24),
    };
    let from = ask.from.unwrap_or_else(|| to.checked_sub(usual).unwrap_or(Timestamp::MIN));
    let step = ask.by.seconds();
    let from = Timestamp::from_second(from.as_second().div_euclid(step) * step).unwrap_or(from);
    let asked = AskCounted { sensor: ask.sensor.as_deref(), slots, step: ask.by, from, to };
    let (oldest, counted, gaps) = reader.counts(&asked)?;
    let mut answer = vec![Line::Counts(CountsLine { seconds: step, from, to, oldest })];
    answer.extend(gaps.into_iter().map(|Event { sensor, start, end, packets, .. }| {
        Line::Gap(GapLine { sensor, from: start, to: end, packets })
    }));
    answer.extend(counted.into_iter().map(|Counted { sensor, time, packets, more, bytes }| {
        Line::Count(CountRow { sensor, time, packets, more, bytes })
    }));
    Ok(answer)
}

/// The slots of a protocol.
fn slots(protocol: Protocol) -> RangeInclusive<u32> {
    let of = |first: Slot, next: Slot| first.index()..=next.index() - 1;
    match protocol {
        Protocol::Tcp => of(Slot::tcp(0), Slot::udp(0)),
        Protocol::Udp => of(Slot::udp(0), Slot::icmp(0, 0)),
        Protocol::Icmp => of(Slot::icmp(0, 0), Slot::icmpv6(0, 0)),
        Protocol::Icmpv6 => of(Slot::icmpv6(0, 0), Slot::protocol_v4(0)),
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::layout::{SENSOR_SLOTS, SlotKind};

    use super::*;

    #[test]
    fn slots_of_a_protocol_are_all_that_it_has() {
        for number in 0..SENSOR_SLOTS {
            let of = match Slot::describe(number) {
                Some(SlotKind::Tcp(_)) => Some(Protocol::Tcp),
                Some(SlotKind::Udp(_)) => Some(Protocol::Udp),
                Some(SlotKind::Icmp(..)) => Some(Protocol::Icmp),
                Some(SlotKind::Icmpv6(..)) => Some(Protocol::Icmpv6),
                _ => None,
            };
            let all = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::Icmpv6];
            let found: Vec<_> =
                all.into_iter().filter(|&protocol| slots(protocol).contains(&number)).collect();
            if Slot::describe(number).is_some() {
                assert_eq!(found, Vec::from_iter(of), "{number}");
            }
        }
    }
}
