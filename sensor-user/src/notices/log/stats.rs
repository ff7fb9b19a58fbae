//! What the event log says of itself in metrics.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What takes longer is not slow, but hangs.
const HANGS: Duration = Duration::from_mins(2);

/// What the event log says of itself.
#[derive(Debug, Default)]
pub struct Stats {
    written: AtomicU64,
    /// Where it is; `None` without one.
    path: Mutex<Option<PathBuf>>,
    trouble: Mutex<Option<String>>,
    /// When it was begun to write there, if that has not ended.
    at_work: Mutex<Option<(Instant, PathBuf)>>,
}

/// While somebody writes.
pub(super) struct AtWork<'a>(&'a Stats);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        *lock(&self.0.at_work) = None;
    }
}

impl Stats {
    /// Notices that were written to it.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Where it is; `None` if none is written.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        lock(&self.path).clone()
    }

    /// Why it cannot be written and what to do about it; `None` if it can, or there is none.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let hangs =
            lock(&self.at_work).as_ref().filter(|(begun, _)| begun.elapsed() >= HANGS).map(|(_, path)| {
                format!(
                    "what was begun to be written to {} does not come back: look at its disk",
                    path.display()
                )
            });
        hangs.or_else(|| lock(&self.trouble).clone())
    }

    /// It is written there from now on.
    pub(super) fn begun(&self, path: &Path) {
        *lock(&self.path) = Some(path.to_owned());
    }

    pub(super) fn work(&self, path: &Path) -> AtWork<'_> {
        *lock(&self.at_work) = Some((Instant::now(), path.to_owned()));
        AtWork(self)
    }

    pub(super) fn wrote(&self, notices: usize) {
        self.written.fetch_add(notices as u64, Ordering::Relaxed);
    }

    pub(super) fn worked(&self) {
        *lock(&self.trouble) = None;
    }

    pub(super) fn failed(&self, why: String) {
        *lock(&self.trouble) = Some(why);
    }

    /// Nobody writes it any more.
    pub(super) fn ended(&self) {
        *lock(&self.path) = None;
        self.worked();
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
