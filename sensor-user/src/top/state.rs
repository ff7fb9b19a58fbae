//! What was typed: which table, in which order, which rows of it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::rows::Topic;
use super::table::Sort;

/// Characters that a filter may have.
const LONGEST: usize = 64;

/// What somebody in front of the screen has typed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Which table.
    pub topic: Topic,
    /// By which column each table is in order; by none, it is as the agent says it.
    pub(super) sorts: [Option<Sort>; Topic::ALL.len()],
    /// What rows must have somewhere.
    pub filter: String,
    /// Whether the filter is being typed.
    pub typing: bool,
    /// Whether what is new is not taken.
    pub frozen: bool,
    /// Whether the keys are shown.
    pub help: bool,
    /// Rows above the first that is shown, where there are so many.
    pub above: usize,
}

/// What the screen has room for, which some keys go by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// The places of the columns that it shows.
    pub columns: Vec<usize>,
    /// Rows that there are.
    pub rows: usize,
    /// Rows that it can show.
    pub visible: usize,
}

/// What comes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    Go,
    /// It stops until somebody has it go on.
    Stop,
    /// It ends.
    End,
}

impl State {
    /// Which table first.
    #[must_use]
    pub fn new(topic: Topic) -> Self {
        Self { topic, ..Self::default() }
    }

    /// By which column the table is in order.
    #[must_use]
    pub const fn sort(&self) -> Option<Sort> {
        self.sorts[self.topic as usize]
    }

    /// The first row that is shown, where there is this room.
    #[must_use]
    pub fn first(&self, rows: usize, visible: usize) -> usize {
        self.above.min(rows.saturating_sub(visible))
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent, room: &Room) -> Then {
        if key.kind == KeyEventKind::Release {
            return Then::Go;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Then::End,
            KeyCode::Char('z') if control => return Then::Stop,
            _ if self.typing => self.typed(key.code, control),
            _ if self.help => {
                self.help = false;
                if key.code == KeyCode::Char('q') {
                    return Then::End;
                }
            }
            KeyCode::Char('q') => return Then::End,
            _ if control => {}
            code => self.pressed(code, room),
        }
        Then::Go
    }

    fn pressed(&mut self, code: KeyCode, room: &Room) {
        let page = room.visible.saturating_sub(1).max(1);
        let last = room.rows.saturating_sub(room.visible);
        let first = self.first(room.rows, room.visible);
        match code {
            KeyCode::Char(digit @ '1'..='4') => {
                let at = digit as usize - '1' as usize;
                self.show(Topic::ALL[at]);
            }
            KeyCode::Tab | KeyCode::Right => self.show(self.neighbour(1)),
            KeyCode::BackTab | KeyCode::Left => self.show(self.neighbour(Topic::ALL.len() - 1)),
            KeyCode::Char('s') => self.sort_by_the_next(&room.columns),
            KeyCode::Char('r') => {
                let sort = self.sort().unwrap_or(Sort { column: 0, reversed: false });
                self.sorts[self.topic as usize] = Some(Sort { reversed: !sort.reversed, ..sort });
            }
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('f') => self.frozen = !self.frozen,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Down | KeyCode::Char('j') => self.above = (first + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.above = first.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.above = (first + page).min(last),
            KeyCode::PageUp => self.above = first.saturating_sub(page),
            KeyCode::Home => self.above = 0,
            KeyCode::End => self.above = last,
            _ => {}
        }
    }

    fn typed(&mut self, code: KeyCode, control: bool) {
        match code {
            KeyCode::Char('u') if control => self.filter.clear(),
            KeyCode::Char(letter) if !control && !letter.is_control() && !self.is_long() => {
                self.filter.push(letter);
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            _ => {}
        }
        self.above = 0;
    }

    fn is_long(&self) -> bool {
        self.filter.chars().count() >= LONGEST
    }

    fn show(&mut self, topic: Topic) {
        self.topic = topic;
        self.above = 0;
    }

    fn neighbour(&self, steps: usize) -> Topic {
        Topic::ALL[(self.topic as usize + steps) % Topic::ALL.len()]
    }

    /// The column behind the one that it is in order by, of those that are shown; behind the last, the agent's own order.
    fn sort_by_the_next(&mut self, columns: &[usize]) {
        let next = match self.sort() {
            // The first column has the agent's order.
            None => columns.get(1),
            Some(sort) => columns.iter().find(|column| **column > sort.column),
        };
        self.sorts[self.topic as usize] = next.map(|&column| Sort { column, reversed: false });
        self.above = 0;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Keys as they are written here: a letter each, or a name between angle brackets.
    fn keys(text: &str) -> Vec<KeyEvent> {
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (key, behind) = match named {
                Some((name, behind)) => {
                    let code = match name {
                        "Tab" => KeyCode::Tab,
                        "BackTab" => KeyCode::BackTab,
                        "Left" => KeyCode::Left,
                        "Right" => KeyCode::Right,
                        "Enter" => KeyCode::Enter,
                        "Esc" => KeyCode::Esc,
                        "Back" => KeyCode::Backspace,
                        "Down" => KeyCode::Down,
                        "Up" => KeyCode::Up,
                        "PageDown" => KeyCode::PageDown,
                        "PageUp" => KeyCode::PageUp,
                        "Home" => KeyCode::Home,
                        "End" => KeyCode::End,
                        "Bell" => KeyCode::Char('\u{7}'),
                        control => {
                            let letter = control.strip_prefix("C-").and_then(|it| it.chars().next()).unwrap();
                            keys.push(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
                            rest = behind;
                            continue;
                        }
                    };
                    (code, behind)
                }
                None => (KeyCode::Char(first), &rest[first.len_utf8()..]),
            };
            keys.push(KeyEvent::new(key, KeyModifiers::NONE));
            rest = behind;
        }
        keys
    }

    /// A screen that shows 10 of 25 rows, and not the third column.
    fn room() -> Room {
        Room { columns: vec![0, 1, 3], rows: 25, visible: 10 }
    }

    fn typed(text: &str) -> (State, Then) {
        let mut state = State::default();
        let mut then = Then::Go;
        for key in keys(text) {
            assert_eq!(then, Then::Go, "{key:?} comes behind the end");
            then = state.key(key, &room());
        }
        (state, then)
    }

    #[rstest]
    #[case::at_first("", Topic::Ports)]
    #[case::by_number("3", Topic::Tools)]
    #[case::the_last("4", Topic::Countries)]
    #[case::no_such("5", Topic::Ports)]
    #[case::next("<Tab><Right>", Topic::Tools)]
    #[case::around("<Tab><Tab><Tab><Tab>", Topic::Ports)]
    #[case::back("<BackTab><Left>", Topic::Tools)]
    #[case::while_typing("/2<Enter>", Topic::Ports)]
    #[case::while_help_is_there("?2", Topic::Ports)]
    #[case::behind_help("?x2", Topic::Sources)]
    fn keys_switch(#[case] text: &str, #[case] topic: Topic) {
        assert_eq!(typed(text).0.topic, topic);
    }

    #[rstest]
    #[case::at_first("", None)]
    #[case::next("s", Some((1, false)))]
    #[case::hidden_columns_are_passed_over("ss", Some((3, false)))]
    #[case::behind_the_last("sss", None)]
    #[case::other_way("sr", Some((1, true)))]
    #[case::and_back("srr", Some((1, false)))]
    #[case::by_rank("r", Some((0, true)))]
    #[case::another_table("s2", None)]
    #[case::each_has_its_own("s2ss1", Some((1, false)))]
    fn keys_sort(#[case] text: &str, #[case] sort: Option<(usize, bool)>) {
        assert_eq!(typed(text).0.sort(), sort.map(|(column, reversed)| Sort { column, reversed }));
    }

    #[rstest]
    #[case::typing("/te", "te", true)]
    #[case::done("/te<Enter>", "te", false)]
    #[case::letters_are_no_keys("/qf?s1 <Enter>", "qf?s1 ", false)]
    #[case::rubbed_out("/te<Back><Back><Back>x", "x", true)]
    #[case::given_up("/te<Esc>", "", false)]
    #[case::cleared_later("/te<Enter><Esc>", "", false)]
    #[case::gone_on("/te<Enter>/l", "tel", true)]
    #[case::begun_anew("/te<C-u>x", "x", true)]
    #[case::no_control("/t<Bell><C-a>e", "te", true)]
    #[case::other_letters("/é„", "é„", true)]
    fn a_filter_is_typed(#[case] text: &str, #[case] filter: &str, #[case] typing: bool) {
        let (state, then) = typed(text);
        assert_eq!((state.filter.as_str(), state.typing, then), (filter, typing, Then::Go));
    }

    #[test]
    fn a_filter_is_bounded() {
        assert_eq!(typed(&format!("/{}", "é".repeat(500))).0.filter.chars().count(), LONGEST);
    }

    #[rstest]
    #[case::frozen("f", true, false)]
    #[case::not_any_more("ff", false, false)]
    #[case::help("?", false, true)]
    #[case::help_by_its_letter("h", false, true)]
    #[case::any_key_ends_help("?f", false, false)]
    #[case::nothing("<C-f><C-s><Enter>", false, false)]
    fn keys_freeze_and_help(#[case] text: &str, #[case] frozen: bool, #[case] help: bool) {
        let (state, _) = typed(text);
        assert_eq!((state.frozen, state.help), (frozen, help));
    }

    #[rstest]
    #[case::down("<Down>j", 2)]
    #[case::up("<Down><Down><Up>", 1)]
    #[case::not_above_the_first("k<Up>", 0)]
    #[case::a_page("<PageDown>", 9)]
    #[case::two_pages("  ", 15)]
    #[case::and_back("<PageDown><PageUp>", 0)]
    #[case::the_last("<End><Down>", 15)]
    #[case::the_first("<End><Home>", 0)]
    #[case::another_table("<End>2", 0)]
    #[case::a_filter("<End>/x", 0)]
    fn keys_scroll(#[case] text: &str, #[case] above: usize) {
        assert_eq!(typed(text).0.above, above);
    }

    #[test]
    fn fewer_rows_are_shown_from_where_there_are_some() {
        let (mut state, _) = typed("<End>");
        assert_eq!((state.first(25, 10), state.first(12, 10), state.first(3, 10)), (15, 2, 0));
        // From there it goes on, not from where it was.
        state.key(keys("<Up>")[0], &Room { rows: 12, ..room() });
        assert_eq!(state.above, 1);
    }

    #[rstest]
    #[case::quit("q")]
    #[case::in_help("?q")]
    #[case::interrupted("<C-c>")]
    #[case::interrupted_while_typing("/x<C-c>")]
    fn keys_end(#[case] text: &str) {
        assert_eq!(typed(text).1, Then::End);
    }

    #[rstest]
    #[case::at_once("<C-z>")]
    #[case::while_typing("/x<C-z>")]
    fn keys_stop(#[case] text: &str) {
        assert_eq!(typed(text).1, Then::Stop);
    }

    #[test]
    fn a_key_that_is_let_go_of_does_nothing() {
        let mut state = State::default();
        let key = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!((state.key(key, &room()), state), (Then::Go, State::default()));
    }
}
