//! A page of metrics, read back: the text format of Prometheus, as far as the agent writes it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

/// One line: a name, its labels, its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All samples of a page, in their order.
#[derive(Clone, Debug)]
pub struct Page(Vec<Sample>);

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// At the first line that isn't of the format.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let samples = lines.map(|line| sample(line).with_context(|| format!("not a sample: {line:?}")));
        samples.collect::<Result<_>>().map(Self)
    }

    /// All samples.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.0
    }

    /// Samples with this name and, among others, these labels.
    pub fn find<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|it| it == value))
        })
    }

    /// The sum of a counter over all series that have these labels.
    ///
    /// # Panics
    /// If it is no whole number that a double holds exactly.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum: f64 = self.find(name, labels).map(|sample| sample.value).sum();
        whole(sum).unwrap_or_else(|| panic!("{name} sums up to {sum}"))
    }
}

/// A value as the whole number it is.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "the range and the fraction are checked"
)]
pub fn whole(value: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    ((0.0..EXACT).contains(&value) && value.trunc() == value).then_some(value as u64)
}

fn sample(line: &str) -> Result<Sample> {
    let (series, value) = line.rsplit_once(' ').context("no value")?;
    let value = value.parse().context("the value is no number")?;
    let (name, labels) = match series.split_once('{') {
        None => (series, BTreeMap::new()),
        Some((name, rest)) => (name, labels(rest.strip_suffix('}').context("no closing brace")?)?),
    };
    Ok(Sample { name: name.to_owned(), labels, value })
}

fn labels(mut text: &str) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (key, rest) = text.split_once("=\"").context("no value of a label")?;
        let (value, rest) = quoted(rest)?;
        if labels.insert(key.to_owned(), value).is_some() {
            bail!("the label {key} is there twice");
        }
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Ok(labels)
}

/// What stands before the closing quote, unescaped, and what follows it.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match characters.next().context("nothing behind a backslash")?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    bail!("no closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = Page::parse("# HELP a b\n# TYPE a counter\na{b=\"c,\\\"d\\\"}\",e=\"\"} 5\na 1e+06\n")
            .expect("valid");
        assert_eq!(page.samples()[0].labels["b"], "c,\"d\"}");
        assert_eq!(page.sum("a", &[]), 1_000_005);
        assert_eq!(page.sum("a", &[("e", "")]), 5);
        assert!(Page::parse("a{b=\"c} 5").is_err());
    }
}
