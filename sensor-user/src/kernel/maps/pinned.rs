//! Pinned maps: opened, and checked to be laid out as this build expects.

use std::path::Path;

use anyhow::{Context, Result, bail};
use aya::maps::{MapData, MapInfo, MapType};

use super::pins::{Pins, Root};

/// A map with the name that it is pinned under.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) name: String,
    pub(super) map: MapData,
}

/// What a map must be like, to be taken for one of ours.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) kind: MapType,
    pub(super) key: usize,
    pub(super) value: usize,
    pub(super) entries: Entries,
}

/// How many elements it must have.
#[derive(Clone, Copy)]
pub(super) enum Entries {
    /// So many.
    Exactly(u32),
    /// Some before the first sensor's, and then so many for each: as large as the map was made.
    Sensors { before: u32, each: u32 },
}

impl Layout {
    /// A per-CPU array of `T`.
    pub(super) const fn per_cpu<T>(entries: Entries) -> Self {
        Self { kind: MapType::PerCpuArray, key: size_of::<u32>(), value: size_of::<T>(), entries }
    }

    fn fits(&self, info: &MapInfo) -> Result<bool> {
        let entries = info.max_entries();
        let fits = match self.entries {
            Entries::Exactly(expected) => entries == expected,
            Entries::Sensors { before, each } => entries > before && (entries - before).is_multiple_of(each),
        };
        Ok(fits
            && info.map_type()? == self.kind
            && info.key_size() as usize == self.key
            && info.value_size() as usize == self.value)
    }
}

impl Pinned {
    /// What is pinned under this name, if anything is.
    ///
    /// # Errors
    /// It is not laid out as this build expects.
    pub(super) fn open(pins: &Pins, name: impl Into<String>, layout: &Layout) -> Result<Option<Self>> {
        let name = name.into();
        let path = pins.map(&name);
        if !path.exists() {
            return Ok(None);
        }
        let map = MapData::from_pin(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let info = map.info().with_context(|| format!("cannot ask the kernel about {}", path.display()))?;
        if !layout.fits(&info)? {
            bail!(
                "{} is not laid out as this build of the sensor expects: another build made it; go back to that \
                 build, or remove all of it with {}, which ends its counts",
                path.display(),
                Root::at(pins.root()).detach_command()
            );
        }
        Ok(Some(Self { name, map }))
    }

    /// Makes and pins a map, and opens it.
    ///
    /// # Errors
    /// The kernel has no memory for it, or something is pinned there.
    pub(super) fn make(
        pins: &Pins,
        name: impl Into<String>,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let name = name.into();
        let path = pins.map(&name);
        make(&path).with_context(|| format!("cannot make the map {}", path.display()))?;
        let map = MapData::from_pin(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { name, map })
    }

    /// Pins it, unless it is.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn pin(&self, pins: &Pins) -> Result<()> {
        let path = pins.map(&self.name);
        if path.exists() {
            return Ok(());
        }
        self.map.pin(&path).with_context(|| format!("cannot pin {}", path.display()))
    }

    /// How many elements it has.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(super) fn entries(&self) -> Result<u32> {
        let info = self.map.info().with_context(|| format!("cannot ask the kernel about {}", self.name))?;
        Ok(info.max_entries())
    }
}
