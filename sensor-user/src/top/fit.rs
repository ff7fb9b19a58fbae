//! Text in so many cells of the screen.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::Line;

/// What stands where there was no room for more.
const MORE: &str = "…";

/// Cells that a text takes.
pub(super) fn width(text: &str) -> usize {
    Line::raw(text).width()
}

/// Puts a text into cells: at their end if it is a number. One that is too long ends with an ellipsis.
pub(super) fn put(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    cells: u16,
    text: &str,
    is_number: bool,
    style: Style,
) {
    let room = usize::from(cells);
    // A long number is easier to read with commas, but without them it may be there.
    let bare = (is_number && width(text) > room).then(|| text.replace(',', ""));
    let text = bare.as_deref().unwrap_or(text);
    let taken = width(text);
    if taken > room {
        let (end, _) = buffer.set_stringn(x, y, text, room.saturating_sub(1), style);
        buffer.set_stringn(end, y, MORE, room.min(1), style);
        return;
    }
    let before = if is_number { room - taken } else { 0 };
    buffer.set_stringn(x + u16::try_from(before).unwrap_or(0), y, text, taken, style);
}

/// A text in lines of so many cells, broken between words; what finds no room in so many lines is an ellipsis.
pub(super) fn lines(text: &str, cells: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest = word;
        loop {
            let line = lines.last().map_or("", String::as_str);
            let space = usize::from(!line.is_empty());
            let room = cells.saturating_sub(width(line) + space);
            if width(rest) <= room {
                add(&mut lines, rest);
                break;
            }
            if line.is_empty() {
                let (fits, behind) = rest.split_at(beginning(rest, room));
                add(&mut lines, fits);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.truncate(beginning(last, cells.saturating_sub(1)));
            last.push_str(MORE);
        }
    }
    lines
}

fn add(lines: &mut [String], word: &str) {
    if let Some(line) = lines.last_mut() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
}

/// Bytes of a text that take so many cells at most, and one character at least.
fn beginning(text: &str, cells: usize) -> usize {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    let mut fitting = ends.clone().take_while(|end| width(&text[..*end]) <= cells);
    let first = fitting.next().or_else(|| ends.clone().next()).unwrap_or(0);
    fitting.last().unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::words("Telnet", false, "|Telnet   |")]
    #[case::a_number("1,234", true, "|    1,234|")]
    #[case::as_long_as_that("123456789", false, "|123456789|")]
    #[case::too_long("1234567890", false, "|12345678…|")]
    #[case::a_long_number("12,345,678", true, "| 12345678|")]
    #[case::a_number_too_long("1,234,567,890", true, "|12345678…|")]
    #[case::wide_letters("日本電信電話", false, "|日本電信…|")]
    #[case::controls_do_nothing("a\u{1b}[2Jb\u{7}\n", false, "|a[2Jb    |")]
    #[case::marks("e\u{301}e\u{301}", false, "|e\u{301}e\u{301}       |")]
    fn text_fits(#[case] text: &str, #[case] is_number: bool, #[case] expected: &str) {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 11, 1));
        buffer.set_string(0, 0, "|         |", Style::new());
        put(&mut buffer, (1, 0), 9, text, is_number, Style::new());
        let mut shown = String::new();
        let mut x = 0;
        while x < 11 {
            let symbol = buffer[(x, 0)].symbol();
            shown += symbol;
            x += u16::try_from(width(symbol)).unwrap().max(1);
        }
        assert_eq!(shown, expected);
    }

    #[rstest]
    #[case::nothing("", 9, &[""])]
    #[case::one("all is well", 20, &["all is well"])]
    #[case::between_words("all is well", 9, &["all is", "well"])]
    #[case::a_long_word("see /run/sensor/sensor.sock", 10, &["see", "/run/senso", "r/sensor.s", "ock"])]
    #[case::too_many("a b c d e f", 2, &["a", "b", "c", "d…"])]
    #[case::too_many_words("aaaa bbbb cccc dddd eeee", 4, &["aaaa", "bbbb", "cccc", "ddd…"])]
    #[case::no_room("ab", 0, &["a", "b"])]
    #[case::wide_letters("日本電信", 5, &["日本", "電信"])]
    fn text_is_broken(#[case] text: &str, #[case] cells: usize, #[case] expected: &[&str]) {
        assert_eq!(lines(text, cells, 4), expected);
    }
}
