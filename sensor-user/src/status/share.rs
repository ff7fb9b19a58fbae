//! Shares as people read them.

use std::fmt;

/// A part of a whole in percent, rounded down: all is said of no less.
pub struct Share(pub u64, pub u64);

impl Share {
    /// The number of percent, as programs read it; of nothing, all.
    pub fn percent(&self) -> String {
        let tenths = self.tenths();
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    fn tenths(&self) -> u128 {
        let Self(part, whole) = *self;
        (u128::from(part) * 1000).checked_div(whole.into()).unwrap_or(1000)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(part, whole) = *self;
        match self.tenths() {
            0 if part > 0 => f.write_str("less than 0.1 %"),
            _ if part >= whole => f.write_str("all"),
            _ => write!(f, "{} %", self.percent()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_yet(0, 0, "all")]
    #[case::all(7, 7, "all")]
    #[case::all_but_one(9_999_999, 10_000_000, "99.9 %")]
    #[case::half(1, 2, "50.0 %")]
    #[case::hardly_any(1, 2_000, "less than 0.1 %")]
    #[case::none(0, 2_000, "0.0 %")]
    fn shares_are_rounded_down(#[case] part: u64, #[case] whole: u64, #[case] text: &str) {
        assert_eq!(Share(part, whole).to_string(), text);
    }
}
