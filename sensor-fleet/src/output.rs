//! All that the program prints: one line at a time, of harmless characters. None of it can fail what the program does:
//! files are there whether or not anybody reads that they are.
//!
//! Much of it comes from the other side, such as a server's own words or a sensor's name: a terminal would obey escape
//! sequences in it, and show text in another order where it has characters that turn the direction.

use std::io::{self, Write};

/// Prints a line to standard output. A reader that has gone has read enough.
pub fn say(line: &str) {
    write(io::stdout(), &format!("{}\n", escaped(line)));
}

/// Prints text of several lines, of harmless characters already. A reader that has gone has read enough.
pub fn print(text: &str) {
    write(io::stdout(), text);
}

/// Says on standard error what went wrong, or why it takes so long.
pub fn complain(line: &str) {
    write(io::stderr(), &format!("sensor-fleet: {}\n", escaped(line)));
}

/// Writes to standard error how far the work is.
pub fn progress(text: &str) {
    write(io::stderr(), text);
}

fn write(mut to: impl Write, text: &str) {
    let _unread = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// Whether a character moves the cursor, turns the direction of text, or ends a line.
#[must_use]
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The text, with every harmful character written as Rust writes it: `\u{1b}`.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("japan-1: 東京 ok", "japan-1: 東京 ok")]
    #[case::escape_sequence("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}")]
    #[case::eight_bit("\u{9b}2J", "\\u{9b}2J")]
    #[case::lines("a\r\nb\u{2028}c", "a\\r\\nb\\u{2028}c")]
    #[case::turned("a\u{202e}b\u{2066}c\u{200f}", "a\\u{202e}b\\u{2066}c\\u{200f}")]
    fn a_terminal_obeys_nothing_of_it(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(escaped(text), shown);
    }
}
