//! The group whose members may ask: read from `/etc/group`, since a program that needs no library has no NSS.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};

/// Its name.
pub(crate) const GROUP: &str = "sensor";

const FILE: &str = "/etc/group";

/// More is not read.
const MOST: u64 = 4 << 20;

/// The group's number, or what it was when it could be looked up last: a confined agent may not read the file any more once
/// another has replaced it. `None` if the host has no such group.
pub(crate) fn number() -> io::Result<Option<u32>> {
    static LAST: Mutex<Option<u32>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match (look(), *last) {
        (Ok(number), _) => {
            *last = number;
            Ok(number)
        }
        (Err(_), Some(number)) => Ok(Some(number)),
        (Err(error), None) => Err(error),
    }
}

fn look() -> io::Result<Option<u32>> {
    let mut text = Vec::new();
    match File::open(FILE) {
        Ok(file) => drop(file.take(MOST).read_to_end(&mut text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(find(&text, GROUP))
}

/// The number of the first group of this name (group(5)): `NAME:PASSWORD:NUMBER:MEMBERS`.
fn find(text: &[u8], name: &str) -> Option<u32> {
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let is_it = fields.next()? == name.as_bytes();
        let number = fields.nth(1).filter(|_| is_it)?;
        // As in chown(2), where the largest means: none.
        str::from_utf8(number).ok()?.parse().ok().filter(|number| *number != u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::there("root:x:0:\nsensor:x:998:alice,bob\n", Some(998))]
    #[case::without_password("sensor::12:", Some(12))]
    #[case::without_members("sensor:x:12", Some(12))]
    #[case::first_of_two("sensor:x:1:\nsensor:x:2:\n", Some(1))]
    #[case::broken_then_whole("sensor:x\nsensor:x:2:\n", Some(2))]
    #[case::no_number("sensor:x:many:\n", None)]
    #[case::no_group_at_all("sensor:x:4294967295:\n", None)]
    #[case::longer_name("sensors:x:1:\nasensor:x:2:\n", None)]
    #[case::member("wheel:x:1:sensor\n", None)]
    #[case::comment("#sensor:x:1:\n+sensor:x:2:\n", None)]
    #[case::empty("", None)]
    fn the_group_is_found(#[case] text: &str, #[case] number: Option<u32>) {
        assert_eq!(find(text.as_bytes(), GROUP), number);
    }

    proptest! {
        #[test]
        fn no_file_panics(text: Vec<u8>) {
            let _ = find(&text, GROUP);
        }
    }
}
