//! Values that the file and the command line share.
//!
//! Each check gives the value, or the cause and the mend in words that read on from the value itself.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::socket::MAX_PATH;

/// Longest name of a sensor or region, in characters: as long as a host's name can be.
pub const MAX_NAME: usize = 64;
/// Longest name of an interface in bytes: the kernel's `IFNAMSIZ` without the closing zero.
const MAX_INTERFACE_NAME: usize = 15;

/// Longest name in the DNS, in characters (RFC 1035 §2.3.4).
const MAX_HOST_NAME: usize = 253;

/// A name that a host may be asked by.
///
/// # Errors
///
/// What is wrong with it.
pub fn host_name(text: &str) -> Result<String, &'static str> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if text.parse::<IpAddr>().is_ok() {
        Err("is an address, by which the sensor may be asked anyway: remove it")
    } else if text.len() > MAX_HOST_NAME || !text.strip_suffix('.').unwrap_or(text).split('.').all(is_label) {
        Err("is not a host's name: write one as in sensor-1.example.net, without a port")
    } else {
        Ok(text.to_owned())
    }
}

/// Where in the kernel the program is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// In the driver where it can, else behind it.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// Behind the driver: works everywhere, costs more.
    Generic,
}

/// What the program in the kernel logs; each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum KernelLog {
    /// Nothing, at no cost.
    #[default]
    Off,
    /// Errors.
    Error,
    /// Warnings.
    Warn,
    /// Rare events.
    Info,
    /// Why a packet was called malformed, why a reply was let in.
    Debug,
    /// Everything.
    Trace,
}

/// A name that Linux allows an interface to have (`dev_valid_name`).
///
/// # Errors
///
/// What is wrong with it.
pub fn interface_name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        Err("is empty: write a name as in `ip link`")
    } else if text.len() > MAX_INTERFACE_NAME {
        Err("is longer than 15 bytes: write a name as in `ip link`")
    } else if matches!(text, "." | "..") || text.contains(is_refused_by_linux) {
        Err("is not a name that an interface can have: write one as in `ip link`")
    } else {
        Ok(text.to_owned())
    }
}

fn is_refused_by_linux(character: char) -> bool {
    matches!(character, '/' | ':') || character.is_whitespace() || character.is_control()
}

/// A name of a sensor or a region: a label's value, which people read.
///
/// # Errors
///
/// What is wrong with it.
pub fn name(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err("is empty: give it a name, such as \"japan-1\"")
    } else if text.trim() != text {
        Err("begins or ends with a space: remove it")
    } else if text.chars().count() > MAX_NAME {
        Err("is longer than 64 characters: shorten it")
    } else if text.contains(char::is_control) {
        Err("has a control character: remove it")
    } else {
        Ok(text.to_owned())
    }
}

/// Where a Unix socket can be.
pub(super) fn socket_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if !path.is_absolute() || text.ends_with('/') || path.file_name().is_none() {
        Err("is not the whole path of a file: write one as in \"/run/sensor/sensor.sock\"".to_owned())
    } else if text.len() > MAX_PATH {
        Err(format!("is longer than the {MAX_PATH} bytes that a socket's path can have: shorten it"))
    } else if text.contains(char::is_control) {
        Err("has a control character: remove it".to_owned())
    } else {
        Ok(path.to_owned())
    }
}

/// One of an enum's values by its name.
pub(super) fn choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let names: Vec<_> = T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        let names: Vec<_> = names.iter().map(|value| format!("\"{}\"", value.get_name())).collect();
        format!("is unknown: write {}", names.join(" or "))
    })
}

/// A number of bytes, as in `64MiB`.
pub(super) fn size(text: &str, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let bytes = UNITS.iter().find_map(|(unit, bits)| {
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1 << bits))
    });
    match bytes {
        Some(bytes) if bounds.contains(&bytes) => Ok(bytes),
        Some(_) => {
            Err(format!("is out of bounds: write {}KiB to {}TiB", bounds.start() >> 10, bounds.end() >> 40))
        }
        None => Err("is not a size: write it as in 64MiB or 1GiB".to_owned()),
    }
}

/// A time that something is kept: whole hours or days, as in `90d`.
pub(super) fn age(text: &str) -> Result<Duration, &'static str> {
    const MOST_HOURS: u64 = 3_650 * 24;
    let hours = [("h", 1), ("d", 24)].into_iter().find_map(|(unit, hours)| {
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(hours))
    });
    match hours {
        Some(hours @ 1..=MOST_HOURS) => Ok(Duration::from_hours(hours)),
        Some(_) => Err("is out of bounds: write 1h to 3650d"),
        None => Err("is not a time: write a whole number and h or d, such as 90d"),
    }
}

/// The first value that is there twice.
pub(super) fn repeated(values: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    values.iter().find(|value| !seen.insert(*value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual("eth0", true)]
    #[case::vlan("enp1s0f0.100", true)]
    #[case::longest("abcdefghijklmno", true)]
    #[case::too_long("abcdefghijklmnop", false)]
    #[case::too_many_bytes("ありがとう!", false)]
    #[case::empty("", false)]
    #[case::dot(".", false)]
    #[case::dots("..", false)]
    #[case::slash("a/b", false)]
    #[case::colon("eth0:1", false)]
    #[case::space("a b", false)]
    #[case::zero("a\0", false)]
    fn interface_names(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(interface_name(text).is_ok(), valid);
    }

    #[rstest]
    #[case::usual("japan-1", true)]
    #[case::any_language("観測点 1", true)]
    #[case::longest(&"é".repeat(MAX_NAME), true)]
    #[case::too_long(&"é".repeat(MAX_NAME + 1), false)]
    #[case::empty("", false)]
    #[case::blank(" ", false)]
    #[case::surrounded(" a", false)]
    #[case::control("a\tb", false)]
    fn names(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(name(text).is_ok(), valid);
    }

    #[rstest]
    #[case::usual("/run/sensor/sensor.sock", true)]
    #[case::longest(&format!("/{}", "a".repeat(MAX_PATH - 1)), true)]
    #[case::too_long(&format!("/{}", "a".repeat(MAX_PATH)), false)]
    #[case::relative("sensor.sock", false)]
    #[case::folder("/run/sensor/", false)]
    #[case::root("/", false)]
    #[case::parent("/run/..", false)]
    #[case::empty("", false)]
    #[case::zero("/run/a\0", false)]
    fn socket_paths(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(socket_path(text).is_ok(), valid);
    }

    #[test]
    fn an_unknown_choice_says_which_there_are() {
        assert_eq!(choice("native"), Ok(Mode::Native));
        let error = choice::<Mode>("Native").unwrap_err();
        assert_eq!(error, r#"is unknown: write "auto" or "native" or "generic""#);
    }

    #[rstest]
    #[case::usual("64MiB", Ok(64 << 20))]
    #[case::largest("1024TiB", Ok(1 << 50))]
    #[case::too_large("1025TiB", Err("is out of bounds: write 1024KiB to 1024TiB"))]
    #[case::far_too_large("99999999999999999999TiB", Err("is out of bounds: write 1024KiB to 1024TiB"))]
    #[case::too_small("0GiB", Err("is out of bounds: write 1024KiB to 1024TiB"))]
    #[case::no_unit("1000000", Err("is not a size: write it as in 64MiB or 1GiB"))]
    #[case::other_unit("1GB", Err("is not a size: write it as in 64MiB or 1GiB"))]
    #[case::sign("+1GiB", Err("is not a size: write it as in 64MiB or 1GiB"))]
    #[case::no_number("GiB", Err("is not a size: write it as in 64MiB or 1GiB"))]
    fn sizes(#[case] text: &str, #[case] expected: Result<u64, &str>) {
        assert_eq!(size(text, &(1 << 20..=1 << 50)), expected.map_err(str::to_owned));
    }

    #[rstest]
    #[case::days("90d", Ok(90 * 24))]
    #[case::hours("36h", Ok(36))]
    #[case::longest("3650d", Ok(3_650 * 24))]
    #[case::too_long("3651d", Err("is out of bounds: write 1h to 3650d"))]
    #[case::far_too_long("99999999999999999999d", Err("is out of bounds: write 1h to 3650d"))]
    #[case::none("0d", Err("is out of bounds: write 1h to 3650d"))]
    #[case::other_unit("3w", Err("is not a time: write a whole number and h or d, such as 90d"))]
    #[case::no_number("d", Err("is not a time: write a whole number and h or d, such as 90d"))]
    #[case::sign("+1d", Err("is not a time: write a whole number and h or d, such as 90d"))]
    fn ages(#[case] text: &str, #[case] hours: Result<u64, &str>) {
        assert_eq!(age(text), hours.map(Duration::from_hours));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (interface_name(&text), name(&text), choice::<KernelLog>(&text));
        }
    }
}
