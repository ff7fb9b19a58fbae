//! Where an agent's socket is, unless the configuration says otherwise: by its pins, so that commands with the same
//! `--pins` find it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::kernel::DEFAULT_PINS;

/// The longest path that a Unix socket can have, in bytes: `sun_path` without the closing zero.
pub const MAX_PATH: usize = 107;

/// The folder of all sockets that are named after pins.
pub(super) const FOLDER: &str = "/run/sensor";

/// The longest name of pins that is the socket's too, in bytes.
const LONGEST: usize = 64;

/// How much of the name of other pins is the socket's, in bytes.
const SHORT: usize = 32;

/// The socket of the agent with these pins, unless its configuration names another: in `/run/sensor`, named like the
/// pins where they are in the usual place. What is elsewhere, or has a long name, has a number in it that is made of
/// the whole path.
#[must_use]
pub fn default_path(pins: &Path) -> PathBuf {
    let pins = plain(pins);
    let name = pins.file_name().map_or(&b"root"[..], OsStr::as_bytes);
    let is_usual = pins.parent() == Path::new(DEFAULT_PINS).parent() && name.len() <= LONGEST;
    let mut file = if is_usual {
        name.to_owned()
    } else {
        let short = name.get(..SHORT).unwrap_or(name);
        let number = fnv1a(pins.as_os_str().as_bytes());
        [short, format!("-{number:016x}").as_bytes()].concat()
    };
    file.extend(b".sock");
    Path::new(FOLDER).join(OsStr::from_bytes(&file))
}

/// An absolute path without `.`, `..` and doubled slashes.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            component => plain.push(component),
        }
    }
    plain
}

/// FNV-1a with 64 bits: not for adversaries, and the same in every build.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual(DEFAULT_PINS, "/run/sensor/sensor.sock")]
    #[case::usual_with_a_slash("/sys/fs/bpf/sensor/", "/run/sensor/sensor.sock")]
    #[case::usual_with_dots("/sys/fs/bpf/a/.././sensor", "/run/sensor/sensor.sock")]
    #[case::second("/sys/fs/bpf/sensor-2", "/run/sensor/sensor-2.sock")]
    #[case::deeper("/sys/fs/bpf/a/sensor", "/run/sensor/sensor-382893edf048c8b3.sock")]
    #[case::elsewhere("/mnt/sensor", "/run/sensor/sensor-4ed4cbeb783a3aba.sock")]
    #[case::nothing("/", "/run/sensor/root-af63a24c860189fe.sock")]
    fn it_is_named_after_the_pins(#[case] pins: &str, #[case] socket: &str) {
        assert_eq!(default_path(Path::new(pins)), Path::new(socket));
    }

    #[test]
    fn no_two_are_alike() {
        let pins = ["sensor", "a/sensor", "a-sensor", "a/b/sensor", "sensor/sensor"];
        let pins = pins.map(|name| Path::new("/sys/fs/bpf").join(name));
        let sockets: BTreeSet<_> = pins.iter().map(|pins| default_path(pins)).collect();
        assert_eq!(sockets.len(), pins.len());
    }

    proptest! {
        #[test]
        fn it_is_never_too_long(pins in "/\\PC{0,300}") {
            prop_assert!(default_path(Path::new(&pins)).as_os_str().len() <= MAX_PATH);
        }
    }
}
