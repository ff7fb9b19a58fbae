//! A store whose room runs out, as the kernel's may, or whose agent is killed after so many writes.

use sensor_common::layout::{SeriesKey, SeriesRecord};

use crate::counters::store::{MemoryStore, SeriesStore};

/// A store that takes only so many writes.
#[derive(Default)]
pub(super) struct Bounded {
    store: MemoryStore,
    /// Writes that are still taken; `None` for any number.
    pub(super) room: Option<usize>,
}

impl Bounded {
    fn write(&mut self) -> anyhow::Result<&mut MemoryStore> {
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(1).ok_or_else(|| anyhow::anyhow!("full"))?;
        }
        Ok(&mut self.store)
    }
}

impl SeriesStore for Bounded {
    fn load(&self) -> anyhow::Result<Vec<(SeriesKey, SeriesRecord)>> {
        self.store.load()
    }

    fn set(&mut self, key: SeriesKey, record: SeriesRecord) -> anyhow::Result<()> {
        self.write()?.set(key, record)
    }

    fn remove(&mut self, key: SeriesKey) -> anyhow::Result<()> {
        self.write()?.remove(key)
    }
}
