//! Asking the agent.

use std::io::{self, ErrorKind};
use std::time::Duration;

use anyhow::{Error, Result, anyhow};

use crate::cli::Asked;
use crate::obstacle::{WrongUse, in_words};
use crate::socket::{Client, Line, Question, Said};
use crate::view::{AskView, View};

/// How long the agent may take: longer than its store may, and not as long as somebody waits in front of a screen.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is nothing new to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What comes of asking again.
    pub kind: FaultKind,
    /// The cause and what to do, in one line.
    pub why: String,
}

/// What comes of asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The agent says nothing, and may be back soon.
    Silent,
    /// It says what is wrong, which may be over soon.
    Said,
    /// The same: there is no such sensor, this user may not ask, or the agent is of another version.
    Lasting,
}

/// What is asked has no answer that can be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
struct OtherVersion(&'static str);

impl Fault {
    /// What an error of [`ask`] is.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        let may_not = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
        let lasts = WrongUse::is_behind(error)
            || error.is::<OtherVersion>()
            || error.downcast_ref::<io::Error>().is_some_and(may_not);
        let kind = match error.is::<Said>() {
            _ if lasts => FaultKind::Lasting,
            true => FaultKind::Said,
            false => FaultKind::Silent,
        };
        Self { kind, why: in_words(error) }
    }
}

/// What there is to see now, of a sensor or of all. Each time by a connection of its own, so that who leaves a screen open takes
/// nobody's place, and an agent that was started anew is found.
///
/// # Errors
/// No agent answers, or there is no such sensor.
pub fn ask(agent: &Asked, sensor: Option<&str>) -> Result<View> {
    let mut client = Client::connect(&agent.pins, agent.socket.as_deref())?;
    client.ask(&Question::View(AskView { sensor: sensor.map(str::to_owned) }), PATIENCE)?;
    let mut view = None;
    while let Some(line) = client.next_line()? {
        let Line::Object(mut object) = line else { continue };
        if let Some(said) = object.get_mut("view") {
            let other = OtherVersion("the agent is of another version than this command: start it anew");
            let said = serde_json::from_value(said.take()).map_err(|error| anyhow!(error).context(other))?;
            view = Some(said);
        }
    }
    let older = "the agent does not say what there is to see: it is older than this command: start it anew";
    view.ok_or_else(|| anyhow!(OtherVersion(older)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::gone(anyhow!(io::Error::from(ErrorKind::NotFound)).context("no agent runs here"), FaultKind::Silent)]
    #[case::slow(anyhow!(io::Error::from(ErrorKind::WouldBlock)).context("it does not answer"), FaultKind::Silent)]
    #[case::in_trouble(anyhow!(Said("too many ask".to_owned())), FaultKind::Said)]
    #[case::no_sensor(anyhow!(WrongUse::no_sensor("a")), FaultKind::Lasting)]
    #[case::may_not(
        anyhow!(io::Error::from(ErrorKind::PermissionDenied)).context("may not ask the agent"), FaultKind::Lasting
    )]
    #[case::older(anyhow!(OtherVersion("it is older")), FaultKind::Lasting)]
    #[case::another(anyhow!("a missing field").context(OtherVersion("it is another")), FaultKind::Lasting)]
    fn some_faults_last(#[case] error: Error, #[case] kind: FaultKind) {
        assert_eq!(Fault::of(&error), Fault { kind, why: format!("{error:#}") });
    }
}
