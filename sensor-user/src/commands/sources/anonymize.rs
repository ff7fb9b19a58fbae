//! Addresses as others may see them: each is another one, by a key, and those of one network are of one network.
//!
//! Whoever has the key can tell the real address; whoever has not sees by two answers whether they speak of the same
//! source or network. It is ipcrypt-pfx, for which other programs have implementations, too.

use std::net::IpAddr;
use std::path::Path;

use anyhow::Result;
use ipcrypt_rs::IpcryptPfx;

use crate::config::Prefix;
use crate::key_file;
use crate::sources::Source;
use crate::sources::answer::{Line, Row};

/// What makes other addresses of addresses.
pub(super) struct Anonymizer(IpcryptPfx);

impl Anonymizer {
    /// With the key in a file, which nobody else may read.
    ///
    /// # Errors
    /// There is no key in it, or others can read it.
    pub(super) fn read(path: &Path) -> Result<Self> {
        key_file::read(path).map(|key| Self(IpcryptPfx::new(key)))
    }

    /// A line with other addresses; `None` of a sketch, of which whoever has its key can ask whether an address is in it.
    pub(super) fn line(&self, line: Line) -> Option<Line> {
        Some(match line {
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
            Line::Sketch(_) => return None,
            // Of these none has an address.
            Line::Window(_)
            | Line::Total(_)
            | Line::NoSketch(_)
            | Line::Part(_)
            | Line::Tuple(_)
            | Line::Definition(_)
            | Line::VictimDefinition(_)
            | Line::Belongs(_)
            | Line::Rows(_)
            | Line::Counts(_)
            | Line::Count(_)
            | Line::Gap(_) => line,
        })
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

const _: () = assert!(IpcryptPfx::KEY_BYTES == key_file::BYTES);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;
    use crate::key_file::tests::KEY;
    use crate::sources::answer::{Rows, SketchLine};

    fn anonymizer() -> Anonymizer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, KEY).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Anonymizer::read(&path).unwrap()
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
    fn a_sketch_is_left_out() {
        let sketch = SketchLine { key: "0".repeat(16), precision: 12, registers: "0".repeat(8_192) };
        assert_eq!(anonymizer().line(Line::Sketch(sketch)), None);
        let rows = Line::Rows(Rows { without_known_scanners: false });
        assert_eq!(anonymizer().line(rows.clone()), Some(rows));
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
}
