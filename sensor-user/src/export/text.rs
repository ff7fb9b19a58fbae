//! Prometheus' text format, written straight into one buffer.
//!
//! For the families with many series: a page of every port has a quarter of a million of them, which as objects
//! of their own take forty times as long and three times the memory of their text.

use super::families::Family;

/// Samples of one family at the end of a page.
pub(super) struct Samples<'a> {
    page: &'a mut Vec<u8>,
    family: &'static Family,
    /// Whether the page has the family's help and type, which it gets with the first sample: the format has no
    /// word for a family without any.
    begun: bool,
    /// The values of all labels but the last, of the sample before.
    shared: Vec<String>,
    /// What the text of a sample with those begins with.
    beginning: Vec<u8>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(page: &'a mut Vec<u8>, family: &'static Family) -> Self {
        Self { page, family, begun: false, shared: Vec::new(), beginning: Vec::new() }
    }

    /// Adds a sample, with a value for each label of the family. It is fastest where only the last one differs from
    /// that of the sample before.
    pub(super) fn add<const N: usize>(&mut self, labels: [&str; N], value: u64) {
        debug_assert_eq!(self.family.labels.len(), N, "{}", self.family.name);
        if !self.begun {
            self.begin();
        }
        if let Some((last, shared)) = labels.split_last() {
            if self.beginning.is_empty() || self.shared != shared {
                self.share(shared);
            }
            self.page.extend_from_slice(&self.beginning);
            escape(self.page, last, true);
            self.page.extend_from_slice(b"\"} ");
        } else {
            self.page.extend_from_slice(self.family.name.as_bytes());
            self.page.push(b' ');
        }
        self.page.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.page.push(b'\n');
    }

    fn begin(&mut self) {
        let Family { name, help, kind, .. } = self.family;
        self.page.extend_from_slice(format!("# HELP {name} ").as_bytes());
        escape(self.page, help, false);
        self.page.extend_from_slice(format!("\n# TYPE {name} {kind}\n").as_bytes());
        self.begun = true;
    }

    fn share(&mut self, values: &[&str]) {
        self.shared = values.iter().map(ToString::to_string).collect();
        self.beginning.clear();
        self.beginning.extend_from_slice(self.family.name.as_bytes());
        let mut separator = b'{';
        for (place, label) in self.family.labels.iter().enumerate() {
            self.beginning.push(separator);
            self.beginning.extend_from_slice(label.as_bytes());
            self.beginning.extend_from_slice(b"=\"");
            if let Some(value) = values.get(place) {
                escape(&mut self.beginning, value, true);
                self.beginning.push(b'"');
            }
            separator = b',';
        }
    }
}

/// Writes a text as the format has it: a quotation mark is escaped within others only.
fn escape(to: &mut Vec<u8>, text: &str, quoted: bool) {
    for (at, byte) in text.bytes().enumerate() {
        if matches!(byte, b'\\' | b'\n') || quoted && byte == b'"' {
            to.extend_from_slice(&text.as_bytes()[..at]);
            to.extend_from_slice(match byte {
                b'\n' => b"\\n",
                b'"' => b"\\\"",
                _ => b"\\\\",
            });
            return escape(to, &text[at + 1..], quoted);
        }
    }
    to.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::families::Kind;
    use super::*;

    const NO_LABEL: Family =
        Family { name: "a_total", kind: Kind::Counter, labels: &[], help: "It has a \\ and\na \"." };
    const TWO_LABELS: Family = Family { name: "b", kind: Kind::Gauge, labels: &["one", "two"], help: "B." };

    #[test]
    fn samples_are_written_below_their_familys_head() {
        let mut page = Vec::new();
        Samples::new(&mut page, &NO_LABEL).add([], u64::MAX);
        let mut samples = Samples::new(&mut page, &TWO_LABELS);
        for (labels, value) in
            [(["x", "1"], 0), (["x", "2"], 1), (["x\"\\\n", "a\"\\\nb\\"], 2), (["", ""], 3)]
        {
            samples.add(labels, value);
        }
        let expected = r#"# HELP a_total It has a \\ and\na ".
# TYPE a_total counter
a_total 18446744073709551615
# HELP b B.
# TYPE b gauge
b{one="x",two="1"} 0
b{one="x",two="2"} 1
b{one="x\"\\\n",two="a\"\\\nb\\"} 2
b{one="",two=""} 3
"#;
        assert_eq!(str::from_utf8(&page).unwrap(), expected);
    }

    #[test]
    fn a_family_without_samples_is_not_on_the_page() {
        let mut page = Vec::new();
        drop(Samples::new(&mut page, &TWO_LABELS));
        assert!(page.is_empty());
    }
}
