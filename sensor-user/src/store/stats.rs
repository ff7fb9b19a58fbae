//! What the store says of itself in metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Rows, Self::Size];

    /// Its name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Rows => "rows",
            Self::Size => "size",
        }
    }
}

/// What the store says of itself.
#[derive(Debug, Default)]
pub struct Stats {
    bytes: AtomicU64,
    rows: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
    trouble: Mutex<Option<String>>,
    written: AtomicU64,
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
        self.lock().clone()
    }

    /// Whether the last write failed.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.lock().is_some()
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
