//! `sensor sources`, `source`, `scans`, `victims` and `tuples`: what the agent knows of sources; `sensor counts`: what was
//! counted over time.

mod anonymize;
mod cells;
mod show;

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize as _;

use self::anonymize::Anonymizer;
use self::show::Shown;
use crate::cli::{self, Form, Period};
use crate::kernel::check_names;
use crate::output;
use crate::socket::{self, Client, Question};
use crate::sources::answer::Line;
use crate::sources::{Ask, AskCounts, AskEvents, AskSource};

/// How long the agent may take: it puts the whole answer together first.
const PATIENCE: Duration = Duration::from_secs(30);

/// `sensor sources`.
///
/// # Errors
/// No agent answers, or it cannot tell.
pub fn sources(arguments: &cli::Sources) -> Result<()> {
    let cli::Sources { period, sensor, port, tool, country, by, limit, form, agent, .. } = arguments.clone();
    let (from, to) = times(period)?;
    let ask = Ask {
        from,
        to,
        sensor,
        slot: port.map(|port| port.to_string()),
        tool,
        country,
        without_known_scanners: arguments.without_known_scanners,
        by,
        order_by_sources: arguments.order_by_sources,
        limit,
    };
    asked(&Question::Sources(ask), &agent, &form)
}

/// `sensor source`.
///
/// # Errors
/// No agent answers, or it cannot tell.
pub fn source(arguments: &cli::Source) -> Result<()> {
    let (from, to) = times(arguments.period)?;
    let question = Question::Source(AskSource { source: arguments.address, from, to });
    asked(&question, &arguments.agent, &arguments.form)
}

/// `sensor scans`.
///
/// # Errors
/// No agent answers.
pub fn scans(arguments: &cli::Events) -> Result<()> {
    asked(&Question::Scans(events(arguments)?), &arguments.agent, &arguments.form)
}

/// `sensor victims`.
///
/// # Errors
/// No agent answers.
pub fn victims(arguments: &cli::Events) -> Result<()> {
    asked(&Question::Victims(events(arguments)?), &arguments.agent, &arguments.form)
}

/// `sensor tuples`.
///
/// # Errors
/// No agent answers.
pub fn tuples(arguments: &cli::Tuples) -> Result<()> {
    let cli::Tuples { period, sensor, port, without_known_scanners, order_by_sources, limit, form, agent } =
        arguments.clone();
    let (from, to) = times(period)?;
    let slot = port.map(|port| port.to_string());
    let ask =
        Ask { from, to, sensor, slot, without_known_scanners, order_by_sources, limit, ..Ask::default() };
    asked(&Question::Tuples(ask), &agent, &form)
}

/// `sensor counts`.
///
/// # Errors
/// No agent answers, or it stores nothing.
pub fn counts(arguments: &cli::Counts) -> Result<()> {
    let cli::Counts { period, sensor, port, protocol, by, form, agent } = arguments.clone();
    let (from, to) = times(period)?;
    let slot = port.map(|port| port.to_string());
    asked(&Question::Counts(AskCounts { from, to, sensor, slot, protocol, by }), &agent, &form)
}

fn events(arguments: &cli::Events) -> Result<AskEvents> {
    let (from, to) = times(arguments.period)?;
    let without_known_scanners = arguments.without_known_scanners;
    Ok(AskEvents { from, to, sensor: arguments.sensor.clone(), without_known_scanners })
}

pub(super) fn times(Period { from, to, last }: Period) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let since = |last| Timestamp::now().checked_sub(last).context("--last is before all time");
    Ok((last.map(since).transpose()?.or(from), to))
}

/// Asks the agent, and prints what it says.
fn asked(question: &Question, agent: &cli::Asked, form: &Form) -> Result<()> {
    let cli::Asked { pins, socket } = agent;
    let anonymizer = form.anonymize.as_deref().map(Anonymizer::read).transpose()?;
    check_names(pins)?;
    let mut agent = Client::connect(pins, socket.as_deref())?;
    agent.ask(question, PATIENCE)?;
    let mut shown = Shown::new(form);
    while let Some(line) = agent.next_line()? {
        let socket::Line::Object(object) = line else { continue };
        // What a newer agent says beside is left out, but where all is to be printed as it is.
        match (Line::deserialize(&object), &anonymizer) {
            (Ok(line), Some(anonymizer)) => {
                let Some(line) = anonymizer.line(line) else { continue };
                if form.json {
                    output::print(&(serde_json::to_string(&line)? + "\n"))?;
                } else {
                    shown.add(&line);
                }
            }
            (_, None) if form.json => output::print(&format!("{object}\n"))?,
            (Ok(line), None) => shown.add(&line),
            (Err(_), _) => {}
        }
    }
    if form.json {
        return output::print("{\"end\":true}\n");
    }
    output::print(&shown.text(question))
}
