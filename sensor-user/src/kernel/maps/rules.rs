//! Which rules the attached programs enforce, for the agent that takes them over: what they cut already, it does not
//! cut.
//!
//! A BPF file system keeps no files, so the text lies in a map, which a rename puts in place of the one before.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData};

use super::pins::Pins;

/// A piece of the text, filled up with zeros.
type Piece = [u8; PIECE];
const PIECE: usize = 4096;

const NAME: &str = "RULES";
const NEW: &str = "RULES_new";

/// Keeps a text of rules in place of the one before; where nothing is pinned, nowhere.
///
/// # Errors
/// The map cannot be made or pinned; what was there before stays.
pub fn write(pins: &Pins, text: &str) -> Result<()> {
    if !pins.are_kept() {
        return Ok(());
    }
    let (place, new) = (pins.map(NAME), pins.map(NEW));
    // One that an agent has left that was killed meanwhile.
    if new.exists() {
        fs::remove_file(&new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    let pieces = text.as_bytes().chunks(PIECE);
    let count = u32::try_from(pieces.len().max(1)).context("the rules are too long")?;
    let mut map: Array<MapData, Piece> = Array::create(count, 0).context("cannot keep the rules")?;
    for (place, bytes) in (0..).zip(pieces) {
        let mut piece = [0; PIECE];
        piece[..bytes.len()].copy_from_slice(bytes);
        map.set(place, piece, 0).context("cannot keep the rules")?;
    }
    map.pin(&new).with_context(|| format!("cannot pin {}", new.display()))?;
    fs::rename(&new, &place).with_context(|| format!("cannot rename {}", new.display()))
}

/// The text of rules that is pinned in this directory, if there is one that can be read.
#[must_use]
pub fn read(directory: &Path) -> Option<String> {
    let path: PathBuf = directory.join(NAME);
    let map = Map::from_map_data(MapData::from_pin(path).ok()?).ok()?;
    let pieces: Array<MapData, Piece> = Array::try_from(map).ok()?;
    let mut bytes = Vec::new();
    for piece in pieces.iter() {
        bytes.extend_from_slice(&piece.ok()?);
    }
    let length = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;
    use crate::kernel::host::check_privileges;

    /// At every moment there is a text to be read: the one before, or the one after.
    #[test]
    fn the_text_before_stays_until_there_is_another() {
        let root = Path::new("/sys/fs/bpf").join(format!("sensor-test-{}-rules", process::id()));
        // Without root there is nothing to pin in.
        if check_privileges().is_err() {
            return;
        }
        let pins = Pins::keep(&root).unwrap();
        let (place, new) = (pins.map(NAME), pins.map(NEW));
        write(&pins, "one").unwrap();
        assert_eq!(read(pins.directory()).unwrap(), "one");
        // What can be neither removed nor pinned over: the next text fails to be written.
        fs::create_dir(&new).unwrap();
        write(&pins, "two").unwrap_err();
        assert_eq!(read(pins.directory()).as_deref(), Some("one"));
        fs::remove_dir(&new).unwrap();
        fs::rename(&place, &new).unwrap();
        write(&pins, "three").unwrap();
        write(&pins, "four").unwrap();
        assert_eq!(read(pins.directory()).unwrap(), "four");
        assert!(!new.exists());
    }
}
