//! The language of a report.

use clap::ValueEnum;
use serde::Serialize;

/// What people read is written in it. Numbers in CSV and JSON, and the names of their fields, are the same in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    #[value(name = "en")]
    English,
    /// Japanese, with the terms of JPCERT/CC's quarterly reports.
    #[serde(rename = "ja")]
    #[value(name = "ja")]
    Japanese,
}

impl Language {
    /// The one of two that is in it.
    pub fn of<T>(self, english: T, japanese: T) -> T {
        match self {
            Self::English => english,
            Self::Japanese => japanese,
        }
    }

    /// Its name in HTML (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        self.of("en", "ja")
    }
}
