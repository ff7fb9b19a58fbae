//! Which drains' pages have reached every scraper.
//!
//! Prometheus can't see the value of a series' first sample as an increase, so a new series may grow only
//! after each scraper holds its first sample, and an old one may go only after each holds its last.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Who fetches the metrics page: a peer address, what it calls itself, and the connection that it came by.
///
/// The name keeps a person's `curl` apart from the Prometheus on the same host. Two Prometheus behind one address
/// have one name, and are told apart by their connections, which they keep open. Those that don't can't be told
/// apart: the later may then miss a series' first increase.
#[derive(Clone, Debug)]
pub struct Scraper {
    address: IpAddr,
    agent: u64,
    /// Its connection, as long as that is open.
    connection: Weak<()>,
}

impl Scraper {
    /// The scraper at this address that sent this `User-Agent`, if any.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: Option<&[u8]>) -> Self {
        let mut hasher = DefaultHasher::new();
        user_agent.hash(&mut hasher);
        Self { address: address.to_canonical(), agent: hasher.finish(), connection: Weak::new() }
    }

    /// The same, over a connection that is open as long as this is held.
    #[must_use]
    pub fn over(self, connection: &Arc<()>) -> Self {
        Self { connection: Arc::downgrade(connection), ..self }
    }

    /// Whether both came by one connection, which is open.
    fn is_connected_as(&self, other: &Self) -> bool {
        self.connection.strong_count() > 0 && self.connection.ptr_eq(&other.connection)
    }

    /// Whether this one may have come back as the other: its connection has ended, and all else is the same.
    fn may_be_back_as(&self, other: &Self) -> bool {
        self.connection.strong_count() == 0 && (self.address, self.agent) == (other.address, other.agent)
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drain {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The last drain that every recent scraper has been served, or a later one; 0 if none has.
    pub(super) carried: u64,
}

impl Drain {
    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Whether every recent scraper has been served the page of the drain with this number, or a later one.
    #[must_use]
    pub const fn has_carried(self, number: u64) -> bool {
        number <= self.carried
    }
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
        // Of those who may be back it takes the last to have been served: whoever it is, none that is waited for
        // is taken for further than it is.
        let place = |is: fn(&Scraper, &Scraper) -> bool| {
            let of = |seen: &Seen| seen.scraper.as_ref().is_some_and(|seen| is(seen, &scraper));
            self.seen.iter().rposition(of)
        };
        if let Some(place) = place(Scraper::is_connected_as).or_else(|| place(Scraper::may_be_back_as)) {
            self.seen.remove(place);
        }
        self.seen.retain(|seen| now.saturating_duration_since(seen.at) < FORGET);
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
    fn two_of_one_name_are_told_apart_by_their_connections() {
        let start = Instant::now();
        let mut scrapers = Scrapers::default();
        let (first, mut second) = (Arc::new(()), Arc::new(()));
        scrapers.drain();
        scrapers.served(start, scraper("a").over(&first));
        scrapers.drain();
        scrapers.served(start, scraper("a").over(&second));
        assert_eq!(scrapers.drain().carried, 1, "the first has not seen the second drain");
        scrapers.served(start, scraper("a").over(&first));
        assert_eq!(scrapers.drain().carried, 2);

        // The second comes back by another connection.
        second = Arc::new(());
        scrapers.served(start, scraper("a").over(&second));
        assert_eq!(scrapers.drain().carried, 3);
        scrapers.served(start, scraper("a").over(&first));
        scrapers.served(start, scraper("a").over(&second));
        assert_eq!(scrapers.drain().carried, 5);
    }

    #[test]
    fn one_that_is_back_is_taken_for_none_that_is_further() {
        let start = Instant::now();
        let mut scrapers = Scrapers::default();
        let connections = [Arc::new(()), Arc::new(())];
        for connection in &connections {
            scrapers.drain();
            scrapers.served(start, scraper("a").over(connection));
        }
        drop(connections);
        scrapers.drain();
        scrapers.served(start, scraper("a").over(&Arc::new(())));
        assert_eq!(scrapers.drain().carried, 1, "it may have been the second");
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
        assert!(Scraper::new(mapped, Some(b"a")).may_be_back_as(&scraper("a")));
        assert!(!Scraper::new(mapped, None).may_be_back_as(&scraper("a")));
    }
}
