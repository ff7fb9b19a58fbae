//! Addresses as others may see them: each is another one, by a key, and those of one network are of one network.
//!
//! Whoever has the key can tell the real address; whoever has not sees by two answers whether they speak of the same
//! source or network. It is ipcrypt-pfx, for which other programs have implementations, too.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ipcrypt_rs::IpcryptPfx;

use crate::config::Prefix;
use crate::sources::Source;
use crate::sources::answer::{Line, Row};

/// Longest file that a key is looked for in, in bytes.
const LONGEST: u64 = 1_024;

/// What makes other addresses of addresses.
pub(super) struct Anonymizer(IpcryptPfx);

impl Anonymizer {
    /// With the key in a file, which nobody else may read.
    ///
    /// # Errors
    /// There is no key in it, or others can read it.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let remedy = || format!("make a key with `(umask 077; openssl rand -hex 32 >{name})`");
        let file = File::open(path).with_context(|| format!("no key in {name}: {}", remedy()))?;
        let mode = file.metadata().with_context(|| format!("cannot look at {name}"))?.mode();
        if mode & 0o077 != 0 {
            bail!(
                "others can read the key in {name}, and with it all that was anonymized: `chmod 600 {name}`"
            );
        }
        let mut text = String::new();
        file.take(LONGEST)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read a key from {name}"))?;
        match key(text.trim()) {
            Some(key) => Ok(Self(IpcryptPfx::new(key))),
            None => {
                bail!("{name} is no key of 64 hexadecimal digits with two different halves: {}", remedy())
            }
        }
    }

    /// A line with other addresses.
    pub(super) fn line(&self, line: Line) -> Line {
        match line {
            Line::Source(row) => Line::Source(self.row(row)),
            Line::Did(mut did) => {
                did.row = did.row.map(|row| self.row(row));
                Line::Did(did)
            }
            Line::Scan(mut row) => {
                row.scan.source = self.source(row.scan.source);
                Line::Scan(row)
            }
            Line::Victim(mut row) => {
                row.victim.victim = self.source(row.victim.victim);
                Line::Victim(row)
            }
            // Of these none has an address.
            Line::Window(_)
            | Line::Total(_)
            | Line::Part(_)
            | Line::Tuple(_)
            | Line::Definition(_)
            | Line::VictimDefinition(_)
            | Line::Belongs(_) => line,
        }
    }

    fn row(&self, row: Row) -> Row {
        let source = match (row.source.parse::<Source>(), row.source.parse::<Prefix>()) {
            (Ok(source), _) => self.source(source).to_string(),
            (_, Ok(network)) => Prefix::around(self.address(network.address()), network.length()).to_string(),
            // What a newer agent says otherwise is nobody's to see.
            _ => String::new(),
        };
        Row { source, ..row }
    }

    fn source(&self, source: Source) -> Source {
        Source::of(self.address(source.first()))
    }

    fn address(&self, address: IpAddr) -> IpAddr {
        self.0.encrypt_ipaddr(address)
    }
}

fn key(text: &str) -> Option<[u8; IpcryptPfx::KEY_BYTES]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let key: [u8; IpcryptPfx::KEY_BYTES] = bytes.try_into().ok()?;
    let (one, other) = key.split_at(IpcryptPfx::KEY_BYTES / 2);
    (digits.len() == 2 * IpcryptPfx::KEY_BYTES && one != other).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;

    const KEY: &str = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";

    fn anonymizer() -> Anonymizer {
        Anonymizer(IpcryptPfx::new(key(KEY).unwrap()))
    }

    // The first of each version is of the specification's own examples.
    #[rstest]
    #[case("0.0.0.0", "151.82.155.134")]
    #[case("192.0.2.1", "100.115.72.131")]
    fn addresses_are_as_other_programs_make_them(#[case] address: &str, #[case] expected: &str) {
        let address = anonymizer().address(address.parse().unwrap());
        assert_eq!(address.to_string(), expected);
    }

    #[test]
    fn networks_stay_networks() {
        let (anonymizer, row) = (anonymizer(), |source: &str| Row {
            source: source.to_owned(),
            packets: 1,
            more: 0,
            first: jiff::Timestamp::UNIX_EPOCH,
            last: jiff::Timestamp::UNIX_EPOCH,
            did: None,
            belongs: crate::sources::answer::Belongs::default(),
        });
        let seen = |source: &str| anonymizer.row(row(source)).source;
        for (source, network) in [("203.0.113.9", "203.0.113.0/24"), ("2001:db8:1:2::/64", "2001:db8:1::/48")]
        {
            let (seen_source, seen_network): (Source, Prefix) =
                (seen(source).parse().unwrap(), seen(network).parse().unwrap());
            assert_ne!(seen_source.to_string(), source);
            assert_eq!(seen_source.network(), seen_network);
        }
        assert_ne!(seen("203.0.113.9"), seen("203.0.113.8"));
        assert_eq!(seen("no address"), "");
    }

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
        match (Anonymizer::read(&path), words) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
            (result, _) => panic!("{:?}", result.err()),
        }
    }
}
