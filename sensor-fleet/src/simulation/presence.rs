//! When a sensor counts, and when a scrape sees it.
//!
//! Minutes are numbered from the beginning of the span.

use std::ops::Range;

/// A stretch in which neither packets nor scrapes reach the sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// The minutes without.
    pub minutes: Range<usize>,
    /// Whether its counters are back at 0 after it: the host has rebooted.
    pub reset: bool,
}

impl Down {
    /// Whether it is no more than a reboot.
    #[must_use]
    pub fn is_reboot(&self) -> bool {
        self.reset && self.minutes.len() == REBOOT
    }
}

/// How many minutes a reboot takes.
pub const REBOOT: usize = 4;

/// A sensor's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// From its first scrape to after its last.
    pub live: Range<usize>,
    /// In order, apart from each other.
    pub down: Vec<Down>,
    /// The minutes in which the agent restarts: these and the next have no scrape, and packets are counted all the
    /// same.
    pub restarts: Vec<usize>,
    /// The minute from which another instance has it, with counters of its own.
    pub moved: Option<usize>,
}

/// How many minutes things that befall a sensor are apart.
const APART: usize = 8 * 60;

/// How many scrapes a restart of the agent costs.
pub const RESTART: usize = 2;

impl Presence {
    /// How many of these minutes it counts in.
    #[must_use]
    pub fn counted(&self, minutes: &Range<usize>) -> usize {
        let down: usize =
            self.down.iter().map(|it| common(&common_range(&it.minutes, minutes), &self.live)).sum();
        common(minutes, &self.live) - down
    }

    /// How many of these minutes a scrape sees it in.
    #[must_use]
    pub fn observed(&self, minutes: &Range<usize>) -> usize {
        let missed: usize = self.restarts.iter().map(|at| common(&(*at..at + RESTART), minutes)).sum();
        self.counted(minutes) - missed
    }

    /// Whether it is without packets and scrapes in this minute, and how.
    #[must_use]
    pub fn down_at(&self, minute: usize) -> Option<&Down> {
        self.down.iter().find(|it| it.minutes.contains(&minute))
    }

    /// Whether the agent restarts in this minute.
    #[must_use]
    pub fn restarts_at(&self, minute: usize) -> bool {
        self.restarts.iter().any(|at| (*at..at + RESTART).contains(&minute))
    }

    /// Whether nothing else happens from eight hours before these minutes to eight hours after. So a counter that a
    /// reboot sets back has passed what it can reach in an hour before the next, which a rule could not tell apart.
    #[must_use]
    pub fn is_calm(&self, minutes: &Range<usize>) -> bool {
        let wide = minutes.start.saturating_sub(APART)..minutes.end + APART;
        let within = self.live.start <= wide.start && wide.end <= self.live.end;
        let others = self.down.iter().map(|it| it.minutes.clone());
        let moments = self.restarts.iter().chain(&self.moved).map(|at| *at..at + RESTART);
        within && others.chain(moments).all(|it| common(&it, &wide) == 0)
    }
}

fn common_range(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.max(b.start)..a.end.min(b.end)
}

fn common(a: &Range<usize>, b: &Range<usize>) -> usize {
    common_range(a, b).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_counted_and_observed() {
        let down = vec![Down { minutes: 100..160, reset: true }];
        let presence = Presence { live: 50..1_000, down, restarts: vec![300], moved: None };
        for (minutes, counted, observed) in [
            (0..60, 10, 10),
            (60..120, 40, 40),
            (100..160, 0, 0),
            (120..180, 20, 20),
            (240..301, 61, 60),
            (301..360, 59, 58),
            (990..1_100, 10, 10),
            (2_000..2_060, 0, 0),
        ] {
            assert_eq!(presence.counted(&minutes), counted, "{minutes:?}");
            assert_eq!(presence.observed(&minutes), observed, "{minutes:?}");
        }
    }
}
