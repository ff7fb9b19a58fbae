//! A path at which peers come in, which is listened at anew where its file has gone, or could not be made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Error, Result};
use tokio::net::UnixStream;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::PATIENCE;
use super::place::{Place, Refusal};
use crate::repeated::Repeated;

/// What comes in there.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// The table of the configuration that names the path.
    pub table: &'static str,
    /// What its lock is called beside it. Whose lock is called so is asked by commands.
    pub lock: &'static str,
    /// What cannot be done while there is no such path.
    pub without: &'static str,
}

/// By which commands ask the agent.
pub const QUESTIONS: Purpose = Purpose {
    table: "[socket]",
    lock: ".lock",
    without: "no command can ask this agent; SIGHUP has it reload",
};
/// By which browsers see the page, with addresses.
pub const PAGE: Purpose =
    Purpose { table: "[page]", lock: ".page-lock", without: "nobody sees the page by it" };

/// Where peers come in.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
    pins: PathBuf,
    purpose: Purpose,
    /// `None` while the path cannot be used.
    place: Option<Place>,
    failing: Repeated,
    /// Whether there is a place.
    open: Arc<AtomicBool>,
    looking: Interval,
}

impl Door {
    /// One that is opened as soon as somebody accepts, for the agent with these pins; a path that cannot be used is logged, and
    /// tried again.
    #[must_use]
    pub fn new(path: &Path, pins: &Path, purpose: Purpose) -> Self {
        let mut looking = interval(PATIENCE);
        looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            path: path.to_owned(),
            pins: pins.to_owned(),
            purpose,
            place: None,
            failing: Repeated::default(),
            open: Arc::default(),
            looking,
        }
    }

    /// Opens it now.
    ///
    /// # Errors
    /// Another agent listens there.
    pub fn opened(mut self) -> Result<Self> {
        match Place::take(&self.path, &self.pins, self.purpose) {
            Ok(place) => self.place = Some(place),
            Err(Refusal::Taken(error)) => return Err(error),
            Err(Refusal::Unusable(error)) => self.tell(&error),
        }
        self.open.store(self.place.is_some(), Ordering::Relaxed);
        Ok(self)
    }

    /// Whether peers can come in, at any time.
    #[must_use]
    pub fn is_open(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.open)
    }

    /// The next peer. Nothing is lost where this is given up.
    ///
    /// # Errors
    /// The kernel refuses one, most likely for want of file descriptors.
    pub async fn accept(&mut self) -> io::Result<UnixStream> {
        loop {
            let accepted = async {
                match &self.place {
                    Some(place) => place.listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                accepted = accepted => return accepted.map(|(stream, _)| stream),
                _ = self.looking.tick() => {}
            }
            self.look();
        }
    }

    /// Listens anew where the file has gone, or could not be made.
    fn look(&mut self) {
        if self.place.as_ref().is_some_and(Place::is_there) {
            return;
        }
        // Its lock goes first.
        self.place = None;
        match Place::take(&self.path, &self.pins, self.purpose) {
            Ok(place) => {
                self.place = Some(place);
                self.failing.worked();
                tracing::info!("listening on {}", self.path.display());
            }
            Err(Refusal::Taken(error) | Refusal::Unusable(error)) => self.tell(&error),
        }
        self.open.store(self.place.is_some(), Ordering::Relaxed);
    }

    fn tell(&mut self, error: &Error) {
        if let Some(reason) = self.failing.failed(error) {
            tracing::warn!("{reason}: until then {}", self.purpose.without);
        }
    }
}
