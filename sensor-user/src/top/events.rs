//! What happens while the screen is there: keys, answers and signals, one after the other.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ratatui::crossterm::event::{self, KeyEvent};
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ask::ask;
use crate::cli::Asked;
use crate::obstacle::in_words;
use crate::view::View;

/// An agent that does not answer is asked again so soon at the latest.
const SOON: Duration = Duration::from_secs(2);

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// The screen has another size.
    Resized,
    /// This goes on after it was stopped.
    Resumed,
    /// The agent has answered, or why not, in one line.
    Answer(Result<Box<View>, String>),
    /// Somebody wants this to end.
    End,
    /// There is no reading of keys any more.
    Lost(io::Error),
}

/// All that happens from now on.
///
/// # Errors
/// There is no watching for it.
pub fn watch(agent: &Asked, sensor: Option<&str>, interval: Duration) -> Result<Receiver<Event>> {
    let (to, events) = channel();
    let (agent, sensor) = (agent.clone(), sensor.map(str::to_owned));
    signals(to.clone())?;
    let of_agent = to.clone();
    start("asking", move || answers(&of_agent, &agent, sensor.as_deref(), interval))?;
    start("keys", move || keys(&to))?;
    Ok(events)
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop).context("cannot start a thread")
}

/// Until nobody wants to know any more.
fn keys(to: &Sender<Event>) {
    loop {
        let event = match event::read() {
            Ok(event::Event::Key(key)) => Event::Key(key),
            Ok(event::Event::Resize(..)) => Event::Resized,
            Ok(_) => continue,
            Err(error) => {
                let _ = to.send(Event::Lost(error));
                return;
            }
        };
        if to.send(event).is_err() {
            return;
        }
    }
}

fn answers(to: &Sender<Event>, agent: &Asked, sensor: Option<&str>, interval: Duration) {
    loop {
        let answer = ask(agent, sensor).map(Box::new).map_err(|error| in_words(&error));
        let pause = if answer.is_ok() { interval } else { interval.min(SOON) };
        if to.send(Event::Answer(answer)).is_err() {
            return;
        }
        thread::sleep(pause);
    }
}

fn signals(to: Sender<Event>) -> Result<()> {
    let runtime =
        runtime::Builder::new_current_thread().enable_io().build().context("cannot start the runtime")?;
    let end = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()];
    for kind in end {
        let caught = caught(&runtime, kind)?;
        spawn(&runtime, caught, to.clone(), || Event::End);
    }
    let resumed = caught(&runtime, SignalKind::from_raw(libc::SIGCONT))?;
    spawn(&runtime, resumed, to, || Event::Resumed);
    start("signals", move || runtime.block_on(std::future::pending()))
}

fn caught(runtime: &Runtime, kind: SignalKind) -> Result<Signal> {
    let _within = runtime.enter();
    signal(kind).context("cannot handle signals")
}

fn spawn(runtime: &Runtime, mut caught: Signal, to: Sender<Event>, event: fn() -> Event) {
    runtime.spawn(async move { while caught.recv().await.is_some() && to.send(event()).is_ok() {} });
}
