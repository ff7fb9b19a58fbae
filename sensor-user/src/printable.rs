//! Text of whoever it may be, as it is shown in one line of a terminal: no character of it changes how others look.

/// Whether a character controls what is printed behind it: it moves the cursor, ends the line, or only tells in which direction
/// others are shown (Unicode Standard Annex #9, table 3-1 and U+061C), by which a line can look like another.
pub fn controls(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A text in one line, with such characters written out.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if controls(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::control("a\u{1b}[2J\u{9b}", "a\\u{1b}[2J\\u{9b}")]
    #[case::overriding("a\u{202e}b\u{202c}", "a\\u{202e}b\\u{202c}")]
    #[case::isolating("\u{2066}\u{2069}", "\\u{2066}\\u{2069}")]
    #[case::marks("\u{200e}\u{200f}\u{61c}", "\\u{200e}\\u{200f}\\u{61c}")]
    #[case::written_from_right_to_left("עברית", "עברית")]
    fn no_character_changes_how_a_line_looks(#[case] message: &str, #[case] line: &str) {
        assert_eq!(one_line(message), line);
    }
}
