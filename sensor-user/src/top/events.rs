//! What happens while the screen is there: keys, answers and signals, one after the other.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ratatui::crossterm::event::{self, KeyEvent};
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ask::ask;
use crate::cli::Asked;
use crate::view::View;

/// An agent that does not answer is asked again so soon at the latest.
const SOON: Duration = Duration::from_secs(2);

/// So much happens while nothing is drawn, as on a terminal that takes nothing: behind that, whoever tells of more waits.
const ROOM: usize = 1;

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// The screen has another size.
    Resized,
    /// This goes on after it was stopped.
    Resumed,
    /// The agent has answered, or why not.
    Answer(Result<Box<View>>),
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
    let (to, events) = sync_channel(ROOM);
    let (agent, sensor) = (agent.clone(), sensor.map(str::to_owned));
    signals(to.clone())?;
    let of_agent = to.clone();
    start("asking", move || answers(&of_agent, || ask(&agent, sensor.as_deref()), interval))?;
    start("keys", move || keys(&to))?;
    Ok(events)
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop).context("cannot start a thread")
}

/// Until nobody wants to know any more.
fn keys(to: &SyncSender<Event>) {
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

/// Asks again and again, but not before the last answer but one was taken.
fn answers(to: &SyncSender<Event>, mut ask: impl FnMut() -> Result<View>, interval: Duration) {
    loop {
        let answer = ask().map(Box::new);
        let pause = if answer.is_ok() { interval } else { interval.min(SOON) };
        let begun = Instant::now();
        if to.send(Event::Answer(answer)).is_err() {
            return;
        }
        // One that had to wait is old by now.
        thread::sleep(pause.saturating_sub(begun.elapsed()));
    }
}

fn signals(to: SyncSender<Event>) -> Result<()> {
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

fn spawn(runtime: &Runtime, mut caught: Signal, to: SyncSender<Event>, event: fn() -> Event) {
    runtime.spawn(async move { while caught.recv().await.is_some() && to.send(event()).is_ok() {} });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nobody_asks_on_while_nothing_is_taken() {
        let (to, events) = sync_channel(ROOM);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let ask = move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(View::default())
        };
        let asking = thread::spawn(move || answers(&to, ask, Duration::ZERO));
        for taken in 0..3 {
            while asked.load(Ordering::SeqCst) < taken + ROOM + 1 {
                thread::yield_now();
            }
            // Time enough to ask many times more.
            thread::sleep(Duration::from_millis(50));
            assert_eq!(asked.load(Ordering::SeqCst), taken + ROOM + 1);
            assert!(matches!(events.recv(), Ok(Event::Answer(Ok(_)))));
        }
        drop(events);
        asking.join().unwrap();
    }
}
