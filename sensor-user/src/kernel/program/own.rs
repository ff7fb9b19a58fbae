//! The sensor's own programs that are in the kernel, whichever agent loaded them.

use anyhow::{Context, Result};
use aya::maps::{Map, MapData, MapInfo, MapType};
use aya::programs::ProgramInfo;
use sensor_common::policy;

use super::load::{EGRESS, Variant};
use crate::kernel::host::loaded_programs;
use crate::kernel::maps::Guard;

/// Whether this is the number of a program that a sensor loaded, of this version or another: the kernel keeps
/// only the first 15 bytes of a name.
///
/// # Errors
/// That cannot be known without privileges.
pub fn is_ours(number: u32) -> Result<bool> {
    Ok(find(number)?.is_some_and(|program| is_sensors(program.name_as_str().unwrap_or_default())))
}

/// Whether this is the name of one of a sensor's programs.
#[must_use]
pub fn is_sensors(name: &str) -> bool {
    let ours = Variant::ALL.map(Variant::program).into_iter().chain([EGRESS]);
    ours.into_iter().any(|ours| ours == name)
}

/// The guard that an attached program looks at.
///
/// # Errors
/// The kernel does not hand out the map.
pub fn guard_of(number: u32) -> Result<Option<Guard>> {
    let program = find(number)?.context("the program is gone")?;
    let maps = program.map_ids().context("cannot ask the kernel for the program's maps")?;
    for id in maps.unwrap_or_default() {
        let info = MapInfo::from_id(id).context("cannot ask the kernel about a map")?;
        if is_guard(&info) {
            let map = MapData::from_id(id).context("cannot open the guard's map")?;
            return Guard::new(Map::from_map_data(map)?).map(Some);
        }
    }
    Ok(None)
}

/// Whether a map of our program's is the guard: by its name, or else by its layout, which no other has. aya names no
/// maps where the kernel's release has two numbers, as `7.3-cloud-amd64`.
fn is_guard(map: &MapInfo) -> bool {
    match map.name_as_str() {
        Some("") => {
            let is_array = matches!(map.map_type(), Ok(MapType::Array));
            is_array && map.value_size() as usize == size_of::<u64>() && map.max_entries() == 1
        }
        name => name == Some(policy::GUARD),
    }
}

fn find(number: u32) -> Result<Option<ProgramInfo>> {
    for program in loaded_programs() {
        let program =
            program.with_context(|| format!("cannot tell whose the program {number} is: run as root"))?;
        if program.id() == number {
            return Ok(Some(program));
        }
    }
    Ok(None)
}
