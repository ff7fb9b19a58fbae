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

/// What the socket of a page is called.
const PAGE: &[u8] = b"page";

/// How much of the name of other pins is the socket's, in bytes.
const SHORT: usize = 32;

/// The socket of the agent with these pins, unless its configuration names another: in `/run/sensor`, named like the
/// pins where they are in the usual place. What is elsewhere, or has a long name, has a number in it that is made of
/// the whole path.
#[must_use]
pub fn default_path(pins: &Path) -> PathBuf {
    in_folder(&name(&plain(pins)))
}

/// The socket of the page of the agent with these pins, likewise: beside the other.
#[must_use]
pub fn default_page_path(pins: &Path) -> PathBuf {
    let pins = plain(pins);
    if pins == Path::new(DEFAULT_PINS) {
        in_folder(PAGE)
    } else {
        in_folder(&[&name(&pins)[..], b".", PAGE].concat())
    }
}

/// Whether a socket of the folder is a page's, by its name: nobody is asked there.
pub(super) fn is_of_page(path: &Path) -> bool {
    path.file_stem().is_some_and(|name| is_page_name(name.as_bytes()))
}

fn is_page_name(name: &[u8]) -> bool {
    name == PAGE || name.ends_with(b".page")
}

fn in_folder(name: &[u8]) -> PathBuf {
    Path::new(FOLDER).join(OsStr::from_bytes(&[name, b".sock"].concat()))
}

/// What sockets of the agent with these pins, which are plain, are called.
fn name(pins: &Path) -> Vec<u8> {
    let name = pins.file_name().map_or(&b"root"[..], OsStr::as_bytes);
    let is_usual =
        pins.parent() == Path::new(DEFAULT_PINS).parent() && name.len() <= LONGEST && !is_page_name(name);
    if is_usual {
        name.to_owned()
    } else {
        let short = name.get(..SHORT).unwrap_or(name);
        let number = fnv1a(pins.as_os_str().as_bytes());
        [short, format!("-{number:016x}").as_bytes()].concat()
    }
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

    #[rstest]
    #[case::usual(DEFAULT_PINS, "/run/sensor/page.sock")]
    #[case::second("/sys/fs/bpf/sensor-2", "/run/sensor/sensor-2.page.sock")]
    #[case::elsewhere("/mnt/sensor", "/run/sensor/sensor-4ed4cbeb783a3aba.page.sock")]
    fn that_of_the_page_is_beside_it(#[case] pins: &str, #[case] socket: &str) {
        let (path, other) = (default_page_path(Path::new(pins)), default_path(Path::new(pins)));
        assert_eq!(path, Path::new(socket));
        assert!(is_of_page(&path) && !is_of_page(&other));
    }

    #[test]
    fn no_two_are_alike() {
        let pins = [
            "sensor",
            "a/sensor",
            "a-sensor",
            "a/b/sensor",
            "sensor/sensor",
            "page",
            "sensor.page",
            "sensor-2",
        ];
        let pins = pins.map(|name| Path::new("/sys/fs/bpf").join(name));
        let sockets = pins.iter().flat_map(|pins| [default_path(pins), default_page_path(pins)]);
        assert_eq!(sockets.collect::<BTreeSet<_>>().len(), 2 * pins.len());
    }

    proptest! {
        #[test]
        fn it_is_never_too_long(pins in "/\\PC{0,300}") {
            for path in [default_path(Path::new(&pins)), default_page_path(Path::new(&pins))] {
                prop_assert!(path.as_os_str().len() <= MAX_PATH);
            }
        }
    }
}
