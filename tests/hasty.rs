//! The fleet's rules at a pace that a test can wait for: the same rules with shorter times in them.
//!
//! Hours have three seconds, and days four such hours. Whatever the rules say of 60 minutes, 24 hours or 28 days they then say of as
//! many, or as few, of these; what depends on how many hours a day has, or on a week of days, is changed with them.

use anyhow::{Result, ensure};

/// An hour's milliseconds in a day's rules, and a day's.
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// How long they take.
pub const HASTY_HOUR: u64 = 3_000;
/// As [`HASTY_HOUR`].
pub const HASTY_DAY: u64 = 4 * HASTY_HOUR;

/// What is changed in the rules of hours and days beside durations, as it is there and as it becomes: hours and days in
/// seconds; how many hours there are in a day, and half of them; how many days a baseline must have; and how much
/// of a day must have been observed, as some scrapes of a day of twelve are late on a busy machine.
const NUMBERS: [(&str, &str); 10] = [
    ("% 86400) >= 3600", "% 12) >= 3"),
    ("% 3600) < 600", "% 3) < 0.5"),
    ("% 3600", "% 3"),
    ("/ 3600", "/ 3"),
    ("time() - 3600", "time() - 3"),
    ("% 86400", "% 12"),
    (") / 24", ") / 4"),
    (">= 12", ">= 2"),
    (") >= 7", ") >= 1"),
    (">= 0.9 <= 1.1", ">= 0.5 <= 1.5"),
];

/// Rules of which hours and days pass so quickly.
///
/// # Errors
/// A time in them would stay as it was, or something else would not.
pub fn hours(rules: &str) -> Result<String> {
    let quick = durations(rules, |time| {
        let (days, rest) = (time / DAY, time % DAY);
        let hasty = |time: u64| time * HASTY_HOUR / HOUR;
        // What is a little short of a day stays a little short of it: by a millisecond at least.
        if rest > 23 * HOUR {
            return format!("{}ms", (days + 1) * HASTY_DAY - hasty(DAY - rest).max(1));
        }
        format!("{}ms", days * HASTY_DAY + hasty(rest))
    });
    let quick = NUMBERS.iter().fold(quick, |rules, (usual, quick)| rules.replace(usual, quick));
    nothing_else_is_changed(rules, &quick)?;
    let left = quick.lines().find(|line| ["3600", "86400", "/ 24"].iter().any(|time| line.contains(time)));
    ensure!(left.is_none(), "a rule has a time that this does not know: {left:?}");
    Ok(quick)
}

/// Rules of which minutes take as many seconds.
///
/// # Errors
/// Something else than times would be changed.
pub fn minutes(rules: &str) -> Result<String> {
    let quick = durations(rules, |time| format!("{}ms", time / 60));
    nothing_else_is_changed(rules, &quick)?;
    Ok(quick)
}

/// With their times left out, the rules are the same.
fn nothing_else_is_changed(rules: &str, quick: &str) -> Result<()> {
    let bare = |rules: &str, number: fn(&(&'static str, &'static str)) -> &'static str| {
        let rules = durations(rules, |_| "TIME".to_owned());
        NUMBERS.iter().fold(rules, |rules, both| rules.replace(number(both), "NUMBER"))
    };
    ensure!(bare(rules, |it| it.0) == bare(quick, |it| it.1), "more than times was changed:\n{quick}");
    Ok(())
}

/// A text with each of its durations, such as `5m` and `1d59m59s999ms`, replaced by another, in milliseconds. They are
/// no parts of words, as in `increase1h`; comments are left out.
fn durations(text: &str, change: impl Fn(u64) -> String) -> String {
    let mut changed = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut rest = line;
        // Whether a name goes on here; a colon belongs to names, but not between a range and its step.
        let (mut in_name, mut after_time) = (false, false);
        while let Some(first) = rest.chars().next() {
            if let Some((time, length)) = duration(rest).filter(|_| !in_name) {
                changed.push_str(&change(time));
                rest = &rest[length..];
                after_time = true;
            } else {
                changed.push(first);
                rest = &rest[first.len_utf8()..];
                in_name = first.is_alphanumeric() || "_.".contains(first) || first == ':' && !after_time;
                after_time = false;
            }
        }
        changed.push('\n');
    }
    changed
}

/// The duration that a text begins with: its milliseconds, and how many bytes it takes.
fn duration(text: &str) -> Option<(u64, usize)> {
    let mut time = 0;
    let mut at = 0;
    loop {
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
        let after = &text[at + digits..];
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", HOUR), ("d", DAY), ("w", 7 * DAY)];
        let unit = units.into_iter().find(|(name, _)| after.starts_with(name));
        let Some(((name, factor), number)) = unit.zip(text[at..at + digits].parse::<u64>().ok()) else {
            break;
        };
        time += number * factor;
        at += digits + name.len();
    }
    let ends = !text[at..].starts_with(|it: char| it.is_alphanumeric() || it == '_');
    (at > 0 && ends).then_some((time, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_pass_quickly() -> Result<()> {
        let rules = "# 1h\ninterval: 15m\nlast_over_time(a:increase1h[1h] offset -59m59s999ms)[23h30m:1h]\n\
                     b[1d] offset -1d59m59s999ms c[27d23h59m59s999ms:1d] time() % 3600) < 600 x[6h] y5m 5mx\n";
        let hasty = "interval: 750ms\nlast_over_time(a:increase1h[3000ms] offset -2999ms)[10500ms:3000ms]\n\
                     b[12000ms] offset -14999ms c[335999ms:12000ms] time() % 3) < 0.5 x[18000ms] y5m 5mx\n";
        assert_eq!(hours(rules)?, hasty);
        assert_eq!(minutes("for: 5m\n")?, "for: 5000ms\n");
        Ok(())
    }
}
