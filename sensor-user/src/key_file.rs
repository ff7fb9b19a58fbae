//! Keys that an operator makes and keeps: 64 hexadecimal digits in a file that nobody else may read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Longest file that a key is looked for in, in bytes.
const LONGEST: u64 = 1_024;
/// Bytes of a key.
pub(crate) const BYTES: usize = 32;

/// The key in a file.
///
/// # Errors
/// There is none in it, or others can read it.
pub(crate) fn read(path: &Path) -> Result<[u8; BYTES]> {
    let name = path.display();
    let remedy = || format!("make a key with `(umask 077; openssl rand -hex 32 >{name})`");
    let file = File::open(path).with_context(|| format!("no key in {name}: {}", remedy()))?;
    let mode = file.metadata().with_context(|| format!("cannot look at {name}"))?.mode();
    if mode & 0o077 != 0 {
        bail!("others can read the key in {name}, and with it all that it hides: `chmod 600 {name}`");
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).with_context(|| format!("cannot read a key from {name}"))?;
    match key(text.trim()) {
        Some(key) => Ok(key),
        None => bail!("{name} is no key of 64 hexadecimal digits with two different halves: {}", remedy()),
    }
}

fn key(text: &str) -> Option<[u8; BYTES]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let key: [u8; BYTES] = bytes.try_into().ok()?;
    let (one, other) = key.split_at(BYTES / 2);
    (digits.len() == 2 * BYTES && one != other).then_some(key)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;

    pub(crate) const KEY: &str = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";

    #[rstest]
    #[case::good(KEY, 0o600, None)]
    #[case::with_an_end(&format!("{KEY}\n"), 0o400, None)]
    #[case::others_read_it(KEY, 0o644, Some("others can read the key"))]
    #[case::short("0123", 0o600, Some("is no key of 64 hexadecimal digits"))]
    #[case::odd(&KEY[1..], 0o600, Some("is no key of 64 hexadecimal digits"))]
    #[case::same_halves(&"01".repeat(32), 0o600, Some("with two different halves"))]
    #[case::no_digits(&"xy".repeat(32), 0o600, Some("is no key of 64 hexadecimal digits"))]
    fn a_key_is_proved(#[case] text: &str, #[case] mode: u32, #[case] words: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match (read(&path), words) {
            (Ok(key), None) => assert_eq!((key[0], key[31]), (0x01, 0x01)),
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
            (result, _) => panic!("{:?}", result.err()),
        }
    }
}
