//! Known scanners: organisations that scan the Internet openly, by their prefixes.
//!
//! A CSV file, a line for each prefix: `prefix,organisation`. The organisation may stand in quotation marks. Empty lines,
//! those that begin with `#`, and a head `prefix,organisation` before the first entry say nothing. Of prefixes that lie within one another
//! the longest counts. An IPv6 prefix longer than /64 stands for its /64, as sources do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::{Lists, watched};
use crate::config::Prefix;
use crate::printable::controls;

/// Longest name of an organisation, in characters: it is a label's value.
const MAX_NAME: usize = 64;
/// Most lines of a file.
const MOST: usize = 1_000_000;

/// The list.
#[derive(Debug, Default)]
pub(super) struct Scanners {
    v4: Ranges,
    v6: Ranges,
}

/// Ranges of addresses that do not overlap, sorted.
#[derive(Debug, Default)]
struct Ranges(Vec<Range>);

#[derive(Clone, Debug)]
struct Range {
    first: u128,
    last: u128,
    name: Arc<str>,
}

impl Scanners {
    /// Reads the whole file.
    ///
    /// # Errors
    /// A line is wrong: the first one that is, and how many others.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self> {
        let text = watched::text(bytes)?;
        let mut names = HashMap::<String, Arc<str>>::new();
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let (mut wrong, mut wrong_lines) = (None, 0_usize);
        let mut is_first = true;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if std::mem::take(&mut is_first) && is_head(line) {
                continue;
            }
            match entry(line) {
                Ok((prefix, name)) => {
                    let name = names.entry(name).or_insert_with_key(|name| name.as_str().into());
                    let ranges = if prefix.address().is_ipv4() { &mut v4 } else { &mut v6 };
                    ranges.push(Range::of(prefix, Arc::clone(name)));
                }
                Err(cause) => {
                    wrong_lines += 1;
                    wrong.get_or_insert_with(|| format!("line {number}: {cause}"));
                }
            }
            if v4.len() + v6.len() > MOST {
                bail!("it has more than {MOST} lines");
            }
        }
        match wrong {
            Some(wrong) if wrong_lines == 1 => bail!("{wrong}"),
            Some(wrong) => bail!("{wrong}; {} more lines are wrong too", wrong_lines - 1),
            None if names.len() > Lists::MOST_SCANNERS => {
                bail!("it has more than {} organisations", Lists::MOST_SCANNERS)
            }
            // What a download onto a full disk leaves: nobody keeps a list of nothing.
            None if v4.is_empty() && v6.is_empty() => {
                bail!("it has no prefix: write lines prefix,organisation")
            }
            None => Ok(Self { v4: Ranges::of(v4), v6: Ranges::of(v6) }),
        }
    }

    /// Whose an address is.
    pub(super) fn of(&self, address: IpAddr) -> Option<&Arc<str>> {
        match address {
            IpAddr::V4(address) => self.v4.name(address.to_bits().into()),
            IpAddr::V6(address) => self.v6.name(address.to_bits()),
        }
    }
}

fn is_head(line: &str) -> bool {
    line.to_ascii_lowercase().starts_with("prefix,")
}

fn entry(line: &str) -> Result<(Prefix, String), String> {
    let Some((prefix, name)) = line.split_once(',') else {
        return Err("there is no comma: write prefix,organisation".to_owned());
    };
    let text = prefix.trim().trim_matches('"');
    let prefix: Prefix = text.parse().map_err(|cause| format!("prefix {:?} {cause}", cut(text)))?;
    let prefix = match prefix {
        Prefix::V6 { address, length: 65.. } => Prefix::around(address.into(), 64),
        prefix => prefix,
    };
    let name = name.trim();
    let name = match name.strip_prefix('"') {
        Some(quoted) => quoted
            .strip_suffix('"')
            .ok_or("the organisation's quotation mark is not closed: write prefix,\"organisation\"")?
            .replace("\"\"", "\""),
        None => name.to_owned(),
    };
    if name.is_empty() {
        return Err("the organisation is empty: write prefix,organisation".to_owned());
    }
    if name.chars().count() > MAX_NAME || name.contains(controls) {
        return Err(format!(
            "organisation {:?} is longer than {MAX_NAME} characters or has a control character",
            cut(&name)
        ));
    }
    if ["other", "unknown"].contains(&name.as_str()) {
        return Err(format!(
            "organisation {name:?} would be taken for those that are none: give it another name"
        ));
    }
    Ok((prefix, name))
}

/// As much of a text as is worth saying.
fn cut(text: &str) -> &str {
    text.char_indices().nth(50).map_or(text, |(end, _)| &text[..end])
}

impl Range {
    fn of(prefix: Prefix, name: Arc<str>) -> Self {
        let (first, bits) = match prefix {
            Prefix::V4 { address, length } => (u128::from(address.to_bits()), 32 - length),
            Prefix::V6 { address, length } => (address.to_bits(), 128 - length),
        };
        let host = 1_u128.checked_shl(bits.into()).map_or(u128::MAX, |size| size - 1);
        Self { first, last: first | host, name }
    }
}

impl Ranges {
    /// Cuts ranges that lie within one another into ones that do not overlap: what is within takes its place from what is
    /// around it.
    fn of(mut nested: Vec<Range>) -> Self {
        // What is around comes first; of two that are the same, the one that stood first in the file.
        nested.sort_by(|a, b| a.first.cmp(&b.first).then(b.last.cmp(&a.last)));
        nested.dedup_by(|later, earlier| later.first == earlier.first && later.last == earlier.last);
        let mut ranges = Vec::with_capacity(nested.len());
        // Those that the next one may lie within, the innermost last; each from where it is not yet cut.
        let mut around: Vec<Range> = Vec::new();
        for range in nested {
            Self::close(&mut around, &mut ranges, Some(range.first));
            if let Some(outer) = around.last_mut() {
                if outer.first < range.first {
                    ranges.push(Range { last: range.first - 1, ..outer.clone() });
                }
                // Where it goes on. If nothing is left of it, it ends before it begins.
                outer.first = range.last.saturating_add(1);
            }
            around.push(range);
        }
        Self::close(&mut around, &mut ranges, None);
        ranges.sort_by_key(|range| range.first);
        Self(ranges)
    }

    /// Ends those that end before this; all, without it.
    fn close(around: &mut Vec<Range>, ranges: &mut Vec<Range>, before: Option<u128>) {
        while around.last().is_some_and(|range| before.is_none_or(|before| range.last < before)) {
            let Some(range) = around.pop() else { return };
            if range.first <= range.last {
                ranges.push(range);
            }
        }
    }

    fn name(&self, address: u128) -> Option<&Arc<str>> {
        let behind = self.0.partition_point(|range| range.first <= address);
        let range = self.0.get(behind.checked_sub(1)?)?;
        (address <= range.last).then_some(&range.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<Scanners> {
        Scanners::read(text.as_bytes().to_vec())
    }

    #[test]
    fn a_list_is_read() {
        let list = read(
            "# a comment\nprefix,organisation\n\n192.0.2.0/24,Example Scan\n192.0.2.128/25, \"Other, \"\"Inc\"\"\" \r\n\
             2001:db8::/32,Example Scan\n2001:db8:1::5,Five\n203.0.113.7,Seven",
        )
        .unwrap();
        for (address, name) in [
            ("192.0.2.1", Some("Example Scan")),
            ("192.0.2.200", Some("Other, \"Inc\"")),
            ("192.0.3.0", None),
            ("203.0.113.7", Some("Seven")),
            ("203.0.113.8", None),
            ("2001:db8:1::99", Some("Five")),
            ("2001:db8:2::", Some("Example Scan")),
            ("2001:db9::", None),
        ] {
            assert_eq!(list.of(address.parse().unwrap()).map(|name| &**name), name, "{address}");
        }
    }

    #[rstest]
    #[case("192.0.2.0/24", "line 1: there is no comma: write prefix,organisation")]
    #[case("\n192.0.2.1/24,A", "line 2: prefix \"192.0.2.1/24\" has bits set beyond its length")]
    #[case("192.0.2.1,", "line 1: the organisation is empty")]
    #[case(
        "192.0.2.1,A\u{202e}B",
        "line 1: organisation \"A\\u{202e}B\" is longer than 64 characters or has a control"
    )]
    #[case("", "it has no prefix: write lines prefix,organisation")]
    #[case("# nothing\nprefix,organisation\n", "it has no prefix: write lines prefix,organisation")]
    #[case("192.0.2.1,\"A", "line 1: the organisation's quotation mark is not closed")]
    #[case("192.0.2.1,unknown", "line 1: organisation \"unknown\" would be taken for those that are none")]
    fn a_wrong_line_is_named(#[case] text: &str, #[case] words: &str) {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn a_thousand_wrong_lines_are_one_message() {
        let lines: Vec<_> = (0..1_000).map(|line| format!("192.0.2.{line}x,A\n")).collect();
        let text = lines.concat();
        let error = read(&text).unwrap_err().to_string();
        assert!(error.ends_with("; 999 more lines are wrong too") && error.len() < 200, "{error}");
        assert!(
            Scanners::read(vec![b'#', 0xff]).unwrap_err().to_string().contains("not UTF-8 from byte 1 on")
        );
    }

    proptest! {
        #[test]
        fn the_longest_prefix_counts(
            prefixes in prop::collection::vec((0_u32..64, 24_u8..=32), 1..12),
            asked in 0_u32..64,
        ) {
            let base = 0xc000_0200_u32;
            let prefixes: Vec<_> = prefixes
                .iter()
                .map(|&(host, length)| Prefix::around(IpAddr::V4((base + host * 4).into()), length))
                .collect();
            let lines: Vec<_> =
                prefixes.iter().zip(0..).map(|(prefix, number)| format!("{prefix},n{number}\n")).collect();
            let text = lines.concat();
            let asked = IpAddr::V4((base + asked * 4).into());
            let list = read(&text).unwrap();
            let one = Prefix::around(asked, 32);
            let longest = prefixes.iter().filter(|prefix| prefix.contains(one)).map(|prefix| prefix.length()).max();
            let expected = longest.and_then(|length| {
                prefixes.iter().position(|prefix| prefix.contains(one) && prefix.length() == length)
            });
            let name = expected.map(|number| format!("n{number}"));
            prop_assert_eq!(list.of(asked).map(ToString::to_string), name);
        }
    }
}
