//! Commands as they are to be typed.

use std::borrow::Cow;

/// A word as a shell takes it.
#[must_use]
pub fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_alphanumeric() || "/_-.+,:@".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::path("/sys/fs/bpf/sensor-2", "/sys/fs/bpf/sensor-2")]
    #[case::blank("/a b", "'/a b'")]
    #[case::quote("a'b", r"'a'\''b'")]
    #[case::variable("$HOME", "'$HOME'")]
    #[case::nothing("", "''")]
    fn a_shell_takes_it_as_one_word(#[case] text: &str, #[case] typed: &str) {
        assert_eq!(word(text), typed);
    }
}
