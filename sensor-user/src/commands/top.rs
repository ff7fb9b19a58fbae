//! `sensor top`: what there is to see, in a terminal, or once as a table.

use std::env;
use std::io::{IsTerminal as _, stdout};
use std::thread;

use anyhow::{Result, anyhow, bail};

use super::tables::tables;
use crate::kernel::check_names;
use crate::obstacle::WrongUse;
use crate::status::Share;
use crate::top::ask::ask;
use crate::top::draw::{self, Paint};
use crate::top::events::{Event, watch};
use crate::top::facts::Facts;
use crate::top::screen::Screen;
use crate::top::state::{State, Then};
use crate::top::table::Value;
use crate::{cli, output};

/// Shows it until somebody has seen enough.
///
/// # Errors
/// No agent answers at first, there is no terminal, or there will be nothing more to see.
pub fn run(arguments: &cli::Top) -> Result<()> {
    check_names(&arguments.agent.pins)?;
    if !arguments.once {
        is_screen()?;
    }
    let mut facts = Facts::default();
    facts.answered(ask(&arguments.agent, arguments.sensor.as_deref())?);
    if arguments.once { print(facts, arguments) } else { show(facts, arguments) }
}

/// Whether standard output is a terminal that can be drawn on.
fn is_screen() -> Result<()> {
    let words = if !stdout().is_terminal() {
        "standard output is no terminal: `sensor top --once` prints a table".to_owned()
    } else if env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        "this terminal moves no cursor, as TERM says: `sensor top --once` prints a table".to_owned()
    } else {
        return Ok(());
    };
    Err(anyhow!(WrongUse(words)))
}

fn show(mut facts: Facts, arguments: &cli::Top) -> Result<()> {
    let (mut state, paint) = (State::new(arguments.show), Paint::of_environment());
    let mut screen = Screen::enter()?;
    let events = watch(&arguments.agent, arguments.sensor.as_deref(), arguments.interval)?;
    loop {
        screen.draw(|frame| draw::draw(frame, &facts, &state, paint))?;
        match events.recv()? {
            Event::Key(key) => match state.key(key, &draw::room(&facts, &state, screen.size()?)) {
                Then::Go => {}
                Then::Stop => screen.stop()?,
                Then::End => return Ok(()),
            },
            Event::Resized => {}
            Event::Resumed => screen.take_again()?,
            Event::Answer(Ok(_)) if state.frozen => facts.fault = None,
            Event::Answer(Ok(view)) => facts.answered(*view),
            Event::Answer(Err(error)) if facts.is_over(&error) => return Err(error),
            Event::Answer(Err(error)) => facts.unanswered(&error),
            Event::End => return Ok(()),
            Event::Lost(error) => bail!("no keys can be read: {error}"),
        }
    }
}

/// Prints it, with how fast packets came between two answers.
fn print(mut facts: Facts, arguments: &cli::Top) -> Result<()> {
    thread::sleep(arguments.interval);
    facts.answered(ask(&arguments.agent, arguments.sensor.as_deref())?);
    output::print(&text(&facts, arguments))
}

fn text(facts: &Facts, arguments: &cli::Top) -> String {
    let table = arguments.show.table(facts);
    let mut text =
        [draw::title(&facts.view), draw::health(facts), draw::now(&facts.view), table.note].join("\n");
    text.push_str("\n\n");
    if table.rows.is_empty() {
        return text + &table.nothing + "\n";
    }
    let names = table.columns.iter().map(|column| column.name);
    let rows =
        table.rows.iter().map(|row| names.clone().zip(row.iter().map(|cell| plain(&cell.value))).collect());
    text + &tables(rows.collect())
}

/// As programs read it: no commas, a hyphen for what is not known.
fn plain(value: &Value) -> String {
    match value {
        Value::Unknown => "-".to_owned(),
        Value::Place(number) | Value::Count(number) => number.to_string(),
        Value::AtLeast(number) => format!(">={number}"),
        Value::Share(part, whole) => Share(*part, *whole).percent(),
        Value::Real(number) => format!("{number:.1}"),
        Value::Words(words) => words.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// What people see of it, and what programs do.
    #[rstest]
    #[case::cut_off(9_999, 10_000, "99.9 %", "99.9")]
    #[case::hardly_any(1, 100_000, "< 0.1 %", "0.0")]
    #[case::all(7, 7, "100 %", "100.0")]
    #[case::half(1, 2, "50.0 %", "50.0")]
    fn a_share_is_the_same_to_everybody(
        #[case] part: u64,
        #[case] whole: u64,
        #[case] people: &str,
        #[case] programs: &str,
    ) {
        assert_eq!(crate::view::form::share(part, whole), people);
        assert_eq!(plain(&Value::Share(part, whole)), programs);
    }
}
