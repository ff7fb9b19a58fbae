//! `sensor notices`: what is to be told to those who are responsible for addresses of constituencies.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;
use sensor_common::noun::noun;
use serde::Deserialize as _;

use super::sources::times;
use crate::cli::{self, NoticeForm};
use crate::kernel::check_names;
use crate::notices::{AskNotices, Event, Head, Line, Over, intelmq, shadowserver, text};
use crate::obstacle::in_words;
use crate::output;
use crate::socket::{self, Client, Question};

/// How long the agent may take for a part of the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the agent, prints what it says, and has it marked as sent if that is wanted.
///
/// # Errors
/// No agent answers, it knows no constituency, or what it says cannot be printed.
pub fn run(arguments: &cli::Notices) -> Result<()> {
    let cli::Asked { pins, socket } = &arguments.agent;
    check_names(pins)?;
    let mut agent = Client::connect(pins, socket.as_deref())?;
    agent.ask(&Question::Notices(ask(arguments)?), PATIENCE)?;
    let mut printed = Printed::new(arguments);
    while let Some(line) = agent.next_line()? {
        let socket::Line::Object(object) = line else { continue };
        printed.add(&object)?;
    }
    printed.end()?;
    if arguments.mark_sent {
        mark(&mut agent)
            .map_err(|error| anyhow!("{}: what is printed may be printed again", in_words(&error)))?;
    }
    Ok(())
}

fn ask(arguments: &cli::Notices) -> Result<AskNotices> {
    let cli::Notices { constituency, about, unsent, mark_sent, with_sensor_address, .. } = arguments.clone();
    let (from, to) = times(arguments.period)?;
    let from = match (from, to) {
        (None, None) if !unsent && !mark_sent => Some(yesterday()?),
        (from, _) => from,
    };
    Ok(AskNotices { from, to, constituency, about, unsent, claim: mark_sent, with_sensor_address })
}

/// When the day before began in UTC.
fn yesterday() -> Result<Timestamp> {
    const DAY: i64 = 86_400;
    let today = Timestamp::now().as_second().div_euclid(DAY);
    Timestamp::from_second((today - 1) * DAY).context("the clock is before all time")
}

fn mark(agent: &mut Client) -> Result<()> {
    agent.ask(&Question::Sent, PATIENCE)?;
    while agent.next_line()?.is_some() {}
    Ok(())
}

/// What is printed as it comes, and what has to wait for the rest.
struct Printed<'a> {
    arguments: &'a cli::Notices,
    head: Option<Head>,
    events: Vec<Event>,
    over: Vec<Over>,
    now: Timestamp,
}

impl<'a> Printed<'a> {
    fn new(arguments: &'a cli::Notices) -> Self {
        let (events, over) = (Vec::new(), Vec::new());
        Self { arguments, head: None, events, over, now: Timestamp::now() }
    }

    fn add(&mut self, object: &serde_json::Value) -> Result<()> {
        if self.arguments.format == NoticeForm::Json {
            return output::deliver(&format!("{object}\n"));
        }
        // What a newer agent says beside is left out.
        match Line::deserialize(object) {
            Ok(Line::Notices(head)) => {
                if self.arguments.format == NoticeForm::Shadowserver {
                    output::deliver(&shadowserver::head())?;
                }
                self.head = Some(head);
                Ok(())
            }
            Ok(Line::Notice(event)) => self.event(*event),
            Ok(Line::Over(over)) => {
                self.over.push(over);
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match self.arguments.format {
            NoticeForm::Intelmq => output::deliver(&intelmq::line(&event, self.now)),
            NoticeForm::Shadowserver => output::deliver(&shadowserver::line(&event)),
            NoticeForm::Text | NoticeForm::Json => {
                self.events.push(event);
                Ok(())
            }
        }
    }

    /// Prints the rest, and says what is in none of it.
    fn end(self) -> Result<()> {
        let Self { arguments, head, events, over, .. } = self;
        if arguments.format == NoticeForm::Json {
            return output::deliver("{\"end\":true}\n");
        }
        let head = head.context("the agent does not say what its notices are: see its log")?;
        if arguments.format == NoticeForm::Text {
            let mails = text::mails(&head.template, &events, &over, arguments.time_zone);
            output::deliver(&mails.context("the agent's template is wrong: see [notices] template")?)?;
        }
        if let Some(trouble) = head.trouble {
            output::complain(&format!("what was seen last is not among these notices: {trouble}"));
        }
        for Over { day, constituency, packets } in over {
            let (of, are) = (noun(packets, "packet", "packets"), noun(packets, "is", "are"));
            output::complain(&format!(
                "{packets} {of} from {constituency} on {day} {are} in no notice: there were too many addresses"
            ));
        }
        Ok(())
    }
}
