//! Asking the agent.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cli::Asked;
use crate::socket::{Client, Line, Question};
use crate::view::{AskView, View};

/// How long the agent may take: longer than its store may, and not as long as somebody waits in front of a screen.
const PATIENCE: Duration = Duration::from_secs(5);

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
            let said = serde_json::from_value(said.take());
            view = Some(said.context("the agent is of another version than this command: start it anew")?);
        }
    }
    match view {
        Some(view) => Ok(view),
        None => {
            bail!("the agent does not say what there is to see: it is older than this command: start it anew")
        }
    }
}
