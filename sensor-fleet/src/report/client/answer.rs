//! What an answer says, within bounds.
//!
//! An answer is turned into series while it is read from its text, and of their labels only those are kept that a report
//! reads: of a hostile one, neither the text nor what becomes of it is large. Four of the largest at once stay below
//! 1 GiB.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Longest answer, in bytes: of a sensor with 500 ports ten years, and of one that exports every port a week. What is
/// longer is asked for in halves.
pub const LONGEST: u64 = 32 << 20;
/// Most series of an answer: every port of both transports, and room for all other protocols.
const SERIES: usize = 150_000;
/// Most samples of a series: Prometheus gives no more either.
const SAMPLES: usize = 11_000;
/// The labels that a report reads.
const LABELS: [&str; 11] = [
    "sensor",
    "region",
    "protocol",
    "port",
    "__name__",
    "tool",
    "country",
    "as",
    "name",
    "scanner",
    "constituency",
];

/// What every answer has.
#[derive(serde::Deserialize)]
pub struct Answer<'a, T> {
    /// `success` or `error`.
    #[serde(borrow, default)]
    pub status: Cow<'a, str>,
    /// What was asked for.
    pub data: Option<T>,
    /// Why it isn't there.
    #[serde(borrow)]
    pub error: Option<Cow<'a, str>>,
    /// What else to know.
    #[serde(borrow, default)]
    pub warnings: Vec<Cow<'a, str>>,
    /// How VictoriaMetrics' cluster says that some of its stores did not answer.
    #[serde(default, rename = "isPartial")]
    pub is_partial: bool,
}

/// The answer to a range query.
#[derive(serde::Deserialize)]
pub struct Matrix {
    result: AtMost<Row, SERIES>,
}

impl Matrix {
    /// Its series.
    pub fn into_series(self) -> impl Iterator<Item = Series> {
        self.result.0.into_iter().map(|Row { metric, values }| Series {
            labels: metric.0,
            values: values.0.into_iter().map(|Sample(Time(time), Value(value))| (time, value)).collect(),
        })
    }
}

/// What a server is.
#[derive(serde::Deserialize)]
pub struct BuildInfo<'a> {
    /// Its version.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
    /// Only Prometheus itself tells it.
    #[serde(borrow, default, rename = "goVersion")]
    pub go_version: Cow<'a, str>,
    /// What else there is tells its own name.
    #[serde(borrow, default)]
    pub application: Cow<'a, str>,
}

/// A series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, as far as a report reads them: names and values.
    pub labels: Vec<(&'static str, String)>,
    /// Times in Unix seconds, and values.
    pub values: Vec<(i64, f64)>,
}

impl Series {
    /// A label's value; an empty one is the same as none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }
}

/// As Prometheus writes it: `{port="23", sensor="japan-1"}`.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        write!(f, "{{{}}}", labels.join(", "))
    }
}

#[derive(serde::Deserialize)]
struct Row {
    metric: Labels,
    values: AtMost<Sample, SAMPLES>,
}

#[derive(serde::Deserialize)]
struct Sample(Time, Value);

struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates: no such time was asked for")]
        f64::deserialize(deserializer).map(|time| Self(time as i64))
    }
}

/// A number that JSON has as a text, since it may be infinite.
struct Value(f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = f64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number as a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
                text.parse().map_err(|_| E::custom("a sample that is no number"))
            }
        }
        deserializer.deserialize_str(Text).map(Self)
    }
}

/// A list that is not read beyond this length.
struct AtMost<T, const MOST: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut read = Vec::new();
                while let Some(element) = list.next_element()? {
                    if read.len() == MOST {
                        return Err(de::Error::custom(format_args!("a list of more than {MOST}")));
                    }
                    read.push(element);
                }
                read.shrink_to_fit();
                Ok(read)
            }
        }
        deserializer.deserialize_seq(List::<T, MOST>(PhantomData)).map(Self)
    }
}

struct Labels(Vec<(&'static str, String)>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(&'static str, String)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut labels = Vec::new();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    match LABELS.into_iter().find(|label| name == *label) {
                        Some(label) if labels.iter().all(|(known, _)| *known != label) => {
                            labels.push((label, map.next_value()?));
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                labels.shrink_to_fit();
                Ok(labels)
            }
        }
        deserializer.deserialize_map(Pairs).map(Self)
    }
}
