//! MMDB files for tests, as `MaxMind` describes the format: a tree over the bits of addresses, and a record for each
//! prefix.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text.
    Text(&'static str),
    /// A number of 32 bits.
    Number(u32),
    /// A number of 16 bits.
    Short(u16),
    /// A number of 64 bits.
    Long(u64),
    /// A list of one text.
    List(&'static str),
    /// Values by their names.
    Map(BTreeMap<&'static str, Value>),
}

/// A file of this kind, with a record for each prefix, as in `203.0.113.0/24`; none lies within another.
///
/// # Panics
/// If a prefix is none, or the records are larger than those of tests.
#[must_use]
pub fn mmdb(kind: &'static str, records: &[(&str, Value)]) -> Vec<u8> {
    let mut tree = Tree { nodes: vec![[Child::Nothing; 2]] };
    let mut data = Vec::new();
    for (prefix, value) in records {
        tree.insert(prefix, data.len());
        encode(&mut data, value);
    }
    let mut file = tree.written();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let count = u32::try_from(tree.nodes.len()).expect("few nodes");
    let metadata = [
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("database_type", Value::Text(kind)),
        ("description", Value::Map([("en", Value::Text("A test"))].into())),
        ("ip_version", Value::Short(6)),
        ("languages", Value::List("en")),
        ("node_count", Value::Number(count)),
        ("record_size", Value::Short(32)),
    ];
    encode(&mut file, &Value::Map(metadata.into()));
    file
}

/// A record as `MaxMind`'s files of countries have it.
#[must_use]
pub fn country(letters: &'static str) -> Value {
    Value::Map([("country", Value::Map([("iso_code", Value::Text(letters))].into()))].into())
}

/// A record as `MaxMind`'s files of autonomous systems have it.
#[must_use]
pub fn system(number: u32, name: &'static str) -> Value {
    let named = [
        ("autonomous_system_number", Value::Number(number)),
        ("autonomous_system_organization", Value::Text(name)),
    ];
    Value::Map(named.into())
}

#[derive(Clone, Copy)]
enum Child {
    Nothing,
    Node(usize),
    /// A record, at this offset of all.
    Record(usize),
}

struct Tree {
    nodes: Vec<[Child; 2]>,
}

impl Tree {
    /// IPv4 lies below `::/96`.
    fn insert(&mut self, prefix: &str, record: usize) {
        let (address, length) = prefix.split_once('/').expect("a prefix");
        let length: u32 = length.parse().expect("a number of bits");
        let (bits, length) = match address.parse().expect("an address") {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 96 + length),
            IpAddr::V6(address) => (address.to_bits(), length),
        };
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                self.nodes[node][side] = Child::Record(record);
                return;
            }
            node = if let Child::Node(next) = self.nodes[node][side] {
                next
            } else {
                self.nodes.push([Child::Nothing; 2]);
                let next = self.nodes.len() - 1;
                self.nodes[node][side] = Child::Node(next);
                next
            };
        }
    }

    fn written(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let number = |child: &Child| match child {
            Child::Nothing => count,
            Child::Node(node) => *node,
            // Counted from behind the tree, with the 16 bytes that part it from the records.
            Child::Record(at) => count + 16 + at,
        };
        let number = |child| u32::try_from(number(child)).expect("a small file").to_be_bytes();
        self.nodes.iter().flatten().flat_map(number).collect()
    }
}

/// Types: 2 a text, 5 and 6 numbers of 16 and 32 bits, 7 a map, 9 a number of 64 bits, 11 a list. The type stands in the first three
/// bits, the size in the others; those above 7 have 0 there, and what they are above 7 in the next byte.
fn encode(to: &mut Vec<u8>, value: &Value) {
    let head = |to: &mut Vec<u8>, of: u8, size: usize| match u8::try_from(size) {
        Ok(size @ ..29) => to.push(of << 5 | size),
        // Longer ones have it in a byte of its own.
        Ok(size) => to.extend([of << 5 | 0x1d, size - 29]),
        Err(_) => unreachable!("tests have no longer values"),
    };
    match value {
        Value::Text(text) => {
            head(to, 2, text.len());
            to.extend(text.as_bytes());
        }
        Value::Number(number) => {
            let bytes = significant(number.to_be_bytes());
            head(to, 6, bytes.len());
            to.extend(bytes);
        }
        Value::Short(number) => {
            let bytes = significant(number.to_be_bytes());
            head(to, 5, bytes.len());
            to.extend(bytes);
        }
        Value::Long(number) => {
            let bytes = significant(number.to_be_bytes());
            head(to, 0, bytes.len());
            to.push(9 - 7);
            to.extend(bytes);
        }
        Value::List(text) => {
            head(to, 0, 1);
            to.push(11 - 7);
            encode(to, &Value::Text(text));
        }
        Value::Map(map) => {
            head(to, 7, map.len());
            for (key, value) in map {
                encode(to, &Value::Text(key));
                encode(to, value);
            }
        }
    }
}

/// A number's bytes without zeros before it.
fn significant<const N: usize>(bytes: [u8; N]) -> Vec<u8> {
    bytes.into_iter().skip_while(|&byte| byte == 0).collect()
}
