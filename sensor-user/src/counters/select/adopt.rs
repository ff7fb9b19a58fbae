//! Brings the series in line with the configuration: after a start, and after a reload.
//!
//! Series of earlier go on, whatever the configuration was. What cannot be on the page any more leaves as
//! every series does, and what is new to it is born. Only on a sensor that never counted anything, and so has
//! no page that a scraper could know, are series open at once. Each step can be taken again if the next could
//! not be written.

use std::cmp::Reverse;

use super::ledger::{Moment, Rest};
use super::{Drain, Selection};
use crate::counters::port_slot::PortSlot;
use crate::counters::snapshot::Slots;
use crate::counters::store::{Record, Records};

impl Selection {
    /// Makes the changes that the configuration asks for; says whether all were made. `first` says that
    /// nothing was taken in before.
    #[must_use]
    pub(super) fn adopt(
        &mut self,
        first: bool,
        current: &Slots,
        drain: Drain,
        records: &mut Records,
    ) -> bool {
        let now = self.moment(drain.number);
        let fresh = first && self.ledger.is_unused() && current.counted_ports().next().is_none();
        match self.most {
            None => self.adopt_every_port(fresh, current, drain, records),
            Some(most) => {
                self.leave_every_port(current, now, records)
                    && self.adopt_configured(fresh, now, records)
                    && self.ask_surplus_to_leave(most, current, now, records)
            }
        }
    }

    /// Each port that has counted anything is born. Those that have not are on the page at 0, and are series
    /// once every scraper has seen that.
    fn adopt_every_port(
        &mut self,
        fresh: bool,
        current: &Slots,
        drain: Drain,
        records: &mut Records,
    ) -> bool {
        if self.ledger.rest() == Rest::Series {
            return true;
        }
        let now = self.moment(drain.number);
        let known: Vec<PortSlot> =
            self.ledger.series().keys().chain(self.ledger.left().keys()).copied().collect();
        let born = known
            .into_iter()
            .chain(current.counted_ports())
            .all(|slot| self.ledger.promote(slot, now, records));
        match self.ledger.rest() {
            _ if !born => false,
            Rest::Other if !fresh => {
                // The next drains find out who has seen it.
                let _nothing_to_write = self.ledger.set_rest(Rest::Shown(drain.number), records);
                false
            }
            Rest::Shown(since) if since > drain.carried => false,
            _ => self.ledger.set_rest(Rest::Series, records),
        }
    }

    /// Each port that has counted anything gets the record of what it is; those that have not go to `other`.
    fn leave_every_port(&mut self, current: &Slots, now: Moment, records: &mut Records) -> bool {
        let series = self.ledger.rest() == Rest::Series;
        let recorded = !series
            || current.counted_ports().all(|slot| {
                self.ledger.series().contains_key(&slot) || self.ledger.set_open(slot, now, records)
            });
        recorded && self.ledger.set_rest(Rest::Other, records)
    }

    fn adopt_configured(&mut self, fresh: bool, now: Moment, records: &mut Records) -> bool {
        let ports: Vec<PortSlot> = self.configured.iter().copied().collect();
        ports.into_iter().all(|slot| {
            if fresh {
                self.ledger.set_open(slot, now, records)
            } else {
                self.ledger.promote(slot, now, records)
            }
        })
    }

    /// Asks the lowest series beyond the bound to leave: by rank and, as there are no ranks after a start, by
    /// all that they ever counted.
    fn ask_surplus_to_leave(
        &mut self,
        most: usize,
        current: &Slots,
        now: Moment,
        records: &mut Records,
    ) -> bool {
        let surplus = (self.ledger.len() - self.leaving()).saturating_sub(most);
        if surplus == 0 {
            return true;
        }
        let worth = |slot: PortSlot| {
            let counted = Reverse(current.port(slot).packets);
            (self.ranking.window.rank(slot).packets, counted, slot)
        };
        let may_leave = |(slot, record): &(PortSlot, Record)| self.may_leave(*slot, *record);
        let series = self.ledger.series().iter().map(|(&slot, series)| (slot, series.record));
        let mut worths: Vec<_> = series.filter(may_leave).map(|(slot, _)| worth(slot)).collect();
        worths.sort_unstable_by(|a, b| b.cmp(a));
        let lowest = worths.into_iter().take(surplus);
        lowest.into_iter().all(|(.., slot)| self.ledger.retire(slot, current.port(slot), now, records))
    }
}
