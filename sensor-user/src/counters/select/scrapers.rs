//! Which drains' pages have reached every scraper.
//!
//! Prometheus can't see the value of a series' first sample as an increase, so a new series may grow only
//! after each scraper holds its first sample, and an old one may go only after each holds its last.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Who fetches the metrics page: a peer address and what it calls itself.
///
/// The name keeps a person's `curl` apart from the Prometheus on the same host. Two scrapers behind one
/// address with one name can't be told apart: the later may then miss a series' first increase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scraper {
    address: IpAddr,
    agent: u64,
}

impl Scraper {
    /// The scraper at this address that sent this `User-Agent`, if any.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: Option<&[u8]>) -> Self {
        let mut hasher = DefaultHasher::new();
        user_agent.hash(&mut hasher);
        Self { address: address.to_canonical(), agent: hasher.finish() }
    }
}

/// A scraper that has been away for this long before another's scrape is not waited for. Prometheus itself
/// calls a series stale after as long.
pub const FORGET: Duration = Duration::from_mins(5);

/// Scrapers that are waited for at most; a crowd beyond it is served and not remembered.
const MOST: usize = 256;

/// Drains so far, and the last one that each recent scraper was served.
#[derive(Debug, Default)]
pub struct Scrapers {
    drains: u64,
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// `None` stands for those of an earlier agent, whom this one does not know.
    scraper: Option<Scraper>,
    at: Instant,
    drain: u64,
}

/// A drain, as [`Selection::advance`](super::Selection::advance) needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The last drain that every recent scraper has been served, or a later one; 0 if none has.
    pub(super) carried: u64,
}

impl Scrapers {
    /// For an agent that goes on where another ended, at most this long ago: whoever scraped that one is
    /// waited for as well, until scraped or not, [`FORGET`] has passed.
    #[must_use]
    pub fn after_restart(now: Instant) -> Self {
        Self { drains: 0, seen: vec![Seen { scraper: None, at: now, drain: 0 }] }
    }

    /// Starts the next drain.
    pub fn drain(&mut self) -> Drain {
        self.drains += 1;
        let carried = self.seen.iter().map(|seen| seen.drain).min().unwrap_or(0);
        Drain { number: self.drains, carried }
    }

    /// Notes that a scraper is served the page of the last drain.
    ///
    /// Whether the page arrived is not known: a scraper that gives up half-way counts as served.
    pub fn served(&mut self, now: Instant, scraper: Scraper) {
        self.seen
            .retain(|seen| seen.scraper != Some(scraper) && now.saturating_duration_since(seen.at) < FORGET);
        if self.seen.len() < MOST {
            self.seen.push(Seen { scraper: Some(scraper), at: now, drain: self.drains });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scraper(name: &str) -> Scraper {
        Scraper::new([192, 0, 2, 1].into(), Some(name.as_bytes()))
    }

    #[test]
    fn a_drain_is_carried_once_the_slowest_recent_scraper_has_it() {
        let start = Instant::now();
        let mut scrapers = Scrapers::default();
        assert_eq!(scrapers.drain(), Drain { number: 1, carried: 0 });
        scrapers.served(start, scraper("a"));
        assert_eq!(scrapers.drain(), Drain { number: 2, carried: 1 });
        scrapers.served(start, scraper("b"));
        assert_eq!(scrapers.drain().carried, 1);
        scrapers.served(start + Duration::from_secs(299), scraper("a"));
        assert_eq!(scrapers.drain().carried, 2);
        scrapers.served(start + FORGET, scraper("a"));
        assert_eq!(scrapers.drain().carried, 4, "b is gone");
    }

    #[test]
    fn the_only_scraper_is_waited_for_however_slow_it_is() {
        let start = Instant::now();
        let mut scrapers = Scrapers::default();
        scrapers.drain();
        scrapers.served(start, scraper("a"));
        for _ in 0..9 {
            assert_eq!(scrapers.drain().carried, 1);
        }
        scrapers.served(start + 10 * FORGET, scraper("a"));
        assert_eq!(scrapers.drain().carried, 10);
    }

    #[test]
    fn a_crowd_is_bounded() {
        let start = Instant::now();
        let mut scrapers = Scrapers::default();
        for number in 0..10_000_u32 {
            scrapers.served(start, scraper(&number.to_string()));
        }
        assert_eq!(scrapers.seen.len(), MOST);
    }

    #[test]
    fn a_mapped_address_is_the_address() {
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Scraper::new(mapped, Some(b"a")), scraper("a"));
        assert_ne!(Scraper::new(mapped, None), scraper("a"));
    }
}
