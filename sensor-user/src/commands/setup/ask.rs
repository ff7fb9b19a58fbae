//! Questions on the terminal, each with an answer that is proposed; `--yes` takes what is proposed.

use std::fmt::Display;
use std::io;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::obstacle::WrongUse;
use crate::output;

/// How nothing is written as an answer.
const NOTHING: &str = "none";

/// Who asks.
pub(super) struct Ask {
    /// Nobody is asked: what is proposed is the answer.
    pub silently: bool,
}

impl Ask {
    /// Asks until the answer is one; `parse` says what is wrong with another, in words that follow it.
    ///
    /// # Errors
    /// Nobody answers; or what is proposed is no answer, and nobody is asked.
    pub fn ask<T>(
        &self,
        question: &str,
        proposed: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        if self.silently {
            return parse(proposed)
                .map_err(|cause| WrongUse(format!("{question}: {proposed:?} {cause}")).into());
        }
        loop {
            output::print(&format!("{question} [{proposed}]: "))?;
            let mut line = String::new();
            if io::stdin().read_line(&mut line).context("cannot read an answer")? == 0 {
                bail!("nobody answers: run it in a terminal, or pass --yes, which takes what is proposed");
            }
            let answer = if line.trim().is_empty() { proposed } else { line.trim() };
            match parse(answer) {
                Ok(answer) => return Ok(answer),
                Err(cause) => output::print(&format!("  {answer:?} {cause}\n"))?,
            }
        }
    }

    /// Asks for several, written with blanks or commas between them.
    ///
    /// # Errors
    /// As [`Ask::ask`].
    pub fn list<T>(&self, question: &str, proposed: &[T]) -> Result<Vec<T>>
    where
        T: FromStr<Err: Display> + Display,
    {
        let proposed: Vec<_> = proposed.iter().map(T::to_string).collect();
        let proposed = if proposed.is_empty() { NOTHING.to_owned() } else { proposed.join(" ") };
        self.ask(question, &proposed, |answer| several(answer))
    }

    /// Whether to go on: only a clear yes is one.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn agreed(&self, question: &str) -> Result<bool> {
        if self.silently {
            return Ok(true);
        }
        self.ask(question, "no", |answer| match answer {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("is neither yes nor no".to_owned()),
        })
    }
}

fn several<T: FromStr<Err: Display>>(answer: &str) -> Result<Vec<T>, String> {
    if answer == NOTHING {
        return Ok(Vec::new());
    }
    let words = answer.split([' ', ',', '\t']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|cause| format!("is not right: {word} {cause}"))).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Prefix;

    #[rstest]
    #[case::none("none", Ok(vec![]))]
    #[case::one("192.0.2.1", Ok(vec!["192.0.2.1/32"]))]
    #[case::blanks("192.0.2.1  2001:db8::/32", Ok(vec!["192.0.2.1/32", "2001:db8::/32"]))]
    #[case::commas("192.0.2.1, 192.0.2.2", Ok(vec!["192.0.2.1/32", "192.0.2.2/32"]))]
    #[case::wrong("192.0.2.1 there", Err("is not right: there does not begin with an IPv4 or IPv6 address"))]
    fn several_are_read(#[case] answer: &str, #[case] expected: Result<Vec<&str>, &str>) {
        let read = several::<Prefix>(answer).map(|all| all.iter().map(Prefix::to_string).collect::<Vec<_>>());
        assert_eq!(
            read,
            expected.map(|all| all.into_iter().map(str::to_owned).collect()).map_err(str::to_owned)
        );
    }

    #[test]
    fn whoever_is_not_asked_takes_what_is_proposed() {
        let silently = Ask { silently: true };
        assert_eq!(silently.list("ports", &[22_u16]).ok(), Some(vec![22]));
        assert!(silently.agreed("go on?").is_ok_and(|agreed| agreed));
        let error = silently.ask("name", "", |_| Err::<(), _>("is empty".to_owned())).unwrap_err();
        assert!(WrongUse::is_behind(&error) && error.to_string() == "name: \"\" is empty", "{error:#}");
    }
}
