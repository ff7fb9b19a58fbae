//! Numbers as people read them: 1,234,567.

use core::fmt;

/// A number with a comma before each three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest has twenty digits and six commas.
        let mut text = [b','; 26];
        let (mut at, mut rest) = (text.len(), self.0);
        for digit in 0.. {
            // The comma is there already.
            at -= if digit > 0 && digit % 3 == 0 { 2 } else { 1 };
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        f.pad_integral(true, "", str::from_utf8(&text[at..]).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(1_234_567, "1,234,567")]
    #[case(12_345_678, "12,345,678")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn numbers_are_grouped(#[case] number: u64, #[case] text: &str) {
        assert_eq!(format!("{}", Grouped(number)), text);
    }

    #[test]
    fn columns_are_as_wide_as_is_asked() {
        assert_eq!(format!("{:>7}|{:3}", Grouped(1_000), Grouped(12_345)), "  1,000|12,345");
    }
}
