//! What the service manager is told (`sd_notify(3)`): that the agent is ready, what it does, that it lives.
//!
//! Where `NOTIFY_SOCKET` names nobody, nothing is told. A thread of its own does the telling, since a manager that does
//! not listen holds up whoever writes to it: the agent goes on, and says nothing until it is heard again.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sd_notify::NotifyState;

use crate::repeated::Repeated;

/// Messages that may wait for the manager to listen.
const WAITING: usize = 8;

/// What is told.
enum Message {
    /// It has begun, or reloaded, and does this.
    Ready(String),
    /// It does this now.
    Status(String),
    /// It reads its configuration anew.
    Reloading,
    /// It ends.
    Stopping,
    /// It is not stuck.
    Alive,
}

/// The service manager, if there is one.
pub struct ServiceManager {
    /// `None` without a manager.
    messages: Option<SyncSender<Message>>,
    watchdog: Option<Duration>,
    /// What was told last.
    status: String,
}

impl ServiceManager {
    /// The one that has started this process.
    ///
    /// # Errors
    /// There is one, and no thread can be started to tell it anything.
    pub fn of_this_process() -> Result<Self> {
        let named = std::env::var_os("NOTIFY_SOCKET").is_some_and(|path| !path.is_empty());
        let messages = if named {
            let (messages, told) = sync_channel(WAITING);
            let teller = thread::Builder::new().name("notify".to_owned());
            teller.spawn(move || tell(&told)).context("cannot start a thread for the service manager")?;
            Some(messages)
        } else {
            None
        };
        Ok(Self { messages, watchdog: sd_notify::watchdog_enabled(), status: String::new() })
    }

    /// Whether there is one.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.messages.is_some()
    }

    /// How often it wants to hear that the agent is alive, halved, so that one message may be late; `None` if it does
    /// not ask.
    #[must_use]
    pub fn watchdog_period(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_there()).map(|period| period / 2)
    }

    /// The agent has begun, or has done with a reload.
    pub fn ready(&mut self, status: String) {
        self.status.clone_from(&status);
        self.send(Message::Ready(status));
    }

    /// What the agent does now, told if it is something else than before.
    pub fn status(&mut self, status: String) {
        if status != self.status {
            self.status.clone_from(&status);
            self.send(Message::Status(status));
        }
    }

    /// The agent reads its configuration anew; [`ServiceManager::ready`] follows, however that goes.
    pub fn reloading(&self) {
        self.send(Message::Reloading);
    }

    /// The agent ends.
    pub fn stopping(&self) {
        self.send(Message::Stopping);
    }

    /// The agent is not stuck.
    pub fn alive(&self) {
        self.send(Message::Alive);
    }

    fn send(&self, message: Message) {
        if let Some(messages) = &self.messages {
            // One who has not listened to the last eight is told no more until then.
            drop(messages.try_send(message));
        }
    }
}

/// Tells what comes, until the sender is gone.
fn tell(messages: &Receiver<Message>) {
    let mut failing = Repeated::default();
    for message in messages {
        match notify(&message).context("the service manager cannot be told what the agent does") {
            Ok(()) => drop(failing.worked()),
            Err(error) => {
                if let Some(reason) = failing.failed(&error) {
                    tracing::warn!("{reason}");
                }
            }
        }
    }
}

fn notify(message: &Message) -> Result<()> {
    let states = match message {
        Message::Ready(status) => vec![NotifyState::Ready, NotifyState::Status(status)],
        Message::Status(status) => vec![NotifyState::Status(status)],
        // systemd 253 and later believe a reload only with the time of its begin.
        Message::Reloading => vec![NotifyState::Reloading, NotifyState::monotonic_usec_now()?],
        Message::Stopping => vec![NotifyState::Stopping],
        Message::Alive => vec![NotifyState::Watchdog],
    };
    Ok(sd_notify::notify(&states)?)
}
