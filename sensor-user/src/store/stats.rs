//! What the store says of itself in metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::notice::About;
use super::notices::Done;

/// Why a packet that was observed is in no row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Refused {
    /// There was no memory for another flow until the next write.
    Memory,
    /// The hour has all the rows that it may have, and heavier ones.
    Rows,
    /// The store is as large as it may be with this hour alone.
    Size,
    /// The store ended, and its disk had not taken it: it is in no sum either.
    Ended,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Rows, Self::Size, Self::Ended];

    /// Its name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Rows => "rows",
            Self::Size => "size",
            Self::Ended => "ended",
        }
    }
}

/// What takes longer is not slow, but hangs: looking for old hours and writing files is given up after some ten seconds.
const HANGS: Duration = Duration::from_mins(2);

/// While somebody works at the store.
pub(super) struct AtWork<'a>(&'a Stats);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        *self.0.at_work.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What the store says of itself.
#[derive(Debug, Default)]
pub struct Stats {
    bytes: AtomicU64,
    rows: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
    trouble: Mutex<Option<String>>,
    /// When it was begun to work at the store, at this path, if that has not ended.
    at_work: Mutex<Option<(Instant, PathBuf)>>,
    written: AtomicU64,
    /// Notices that were begun, by constituency and what they are about.
    notices: Mutex<BTreeMap<(String, About), u64>>,
    notices_over: AtomicU64,
}

impl Stats {
    /// Bytes on disk: the database, and files by the hour.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Rows of flows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Packets that are in no row of their own.
    #[must_use]
    pub fn refused(&self, reason: Refused) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Why the store cannot be written and what to do about it; `None` if it can.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble_at(Instant::now())
    }

    fn trouble_at(&self, now: Instant) -> Option<String> {
        let hangs = |(begun, path): &(Instant, PathBuf)| {
            let seconds = now.saturating_duration_since(*begun).as_secs();
            let path = path.display();
            (seconds >= HANGS.as_secs()).then(|| {
                format!(
                    "what was begun to be written to {path} {seconds} s ago has not come back: look at its disk, as with \
                     `dmesg`"
                )
            })
        };
        let at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.as_ref().and_then(hangs).or_else(|| self.lock().clone())
    }

    /// Notices that were begun, by constituency and what they are about.
    #[must_use]
    pub fn notices(&self) -> BTreeMap<(String, About), u64> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Packets from constituencies that are of no notice, since there were too many addresses.
    #[must_use]
    pub fn notices_over(&self) -> u64 {
        self.notices_over.load(Ordering::Relaxed)
    }

    pub(super) fn noticed(&self, Done { begun, over }: Done) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        for (of, more) in begun {
            *notices.entry(of).or_default() += more;
        }
        drop(notices);
        self.notices_over.fetch_add(over, Ordering::Relaxed);
    }

    /// Whether the last write failed, or the disk hangs.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.trouble().is_some()
    }

    /// How often something was written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(super) fn refuse(&self, reason: Refused, packets: u64) {
        self.refused[reason as usize].fetch_add(packets, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self) {
        self.written.fetch_add(1, Ordering::Release);
    }

    /// Notes that it is begun to work at the store, until what is given goes.
    pub(super) fn work(&self, path: &Path) -> AtWork<'_> {
        *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), path.to_owned()));
        AtWork(self)
    }

    pub(super) fn worked(&self) {
        *self.lock() = None;
    }

    pub(super) fn is(&self, bytes: u64, rows: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.rows.store(rows, Ordering::Relaxed);
    }

    /// Says that there is no store.
    pub(crate) fn reset(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.rows.store(0, Ordering::Relaxed);
        self.worked();
    }

    pub(super) fn failed(&self, why: String) {
        *self.lock() = Some(why);
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_hangs_is_told_until_it_comes_back() {
        let stats = Stats::default();
        let at_work = stats.work(Path::new("/srv/store"));
        let (now, later) = (Instant::now(), Instant::now() + HANGS + Duration::from_secs(1));
        assert_eq!(stats.trouble_at(now), None);
        let said = stats.trouble_at(later).unwrap();
        assert!(said.contains("/srv/store 12") && said.contains("look at its disk"), "{said}");
        drop(at_work);
        assert_eq!(stats.trouble_at(later), None);
    }
}
