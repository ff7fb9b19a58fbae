//! The agent's end of the socket: what may be asked, and where peers come in.

mod hall;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::PATIENCE;
use super::door::{Door, QUESTIONS};
use crate::evidence::{Basis, Found, Search};
use crate::notices::Book;
use crate::repeated::Repeated;
use crate::sources::answer::Line;
use crate::sources::{AskCounts, Register};
use crate::status::StatusLine;
use crate::view::{AskView, View};

use self::hall::Hall;

/// Changes that wait for the agent.
const CHANGES: usize = 8;

/// What answers questions that change nothing. Each is asked on a thread that may block.
pub trait Questions: Send + Sync + 'static {
    /// What the agent is doing.
    ///
    /// # Errors
    /// It cannot be known.
    fn status(&self) -> Result<Vec<StatusLine>>;

    /// What there is to see.
    ///
    /// # Errors
    /// There is no such sensor, or it cannot be known.
    fn view(&self, ask: &AskView) -> Result<View>;

    /// Gives `visit` each packet that is looked for, with the first bytes of its frame, and now and then nothing, until
    /// that says to stop.
    ///
    /// # Errors
    /// No evidence is kept, or it cannot be read.
    fn evidence(&self, search: &Search, visit: &mut Visit<'_>) -> Result<Basis>;

    /// What is known of sources.
    ///
    /// # Errors
    /// No evidence is kept, of which they are told.
    fn register(&self) -> Result<Register>;

    /// What notices are made by.
    ///
    /// # Errors
    /// No evidence is kept, of which they are made.
    fn notices(&self) -> Result<Book>;

    /// What was counted over time.
    ///
    /// # Errors
    /// Nothing is stored, or it cannot be told.
    fn counts(&self, ask: &AskCounts) -> Result<Vec<Line>>;
}

/// Takes a packet that was found, or nothing while the search goes on; says whether it is to.
pub type Visit<'a> = dyn FnMut(Option<(Found, &[u8])>) -> bool + 'a;

/// What a peer who may wants changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// To apply the configuration as it is written now.
    Reload,
    /// To detach from the interface of this number, and to leave it detached.
    Detach(u32),
}

/// A change, and who waits to hear how it went.
#[derive(Debug)]
pub struct Changing {
    /// The change.
    pub change: Change,
    waiting: oneshot::Sender<Result<String>>,
}

impl Changing {
    /// Tells the peer how it went. One that has gone misses it.
    pub fn done(self, result: Result<String>) {
        let _gone = self.waiting.send(result);
    }
}

/// Where peers come in.
#[derive(Debug)]
pub struct Listener(Door);

impl Listener {
    /// Listens at a path, for the agent with these pins. A path that cannot be used is logged, and tried again: the
    /// agent goes on meanwhile.
    ///
    /// # Errors
    /// Another agent listens there.
    pub fn listen(path: &Path, pins: &Path) -> Result<Self> {
        Door::new(path, pins, QUESTIONS).opened().map(Self)
    }

    /// Whether peers can come in, at any time.
    #[must_use]
    pub fn is_open(&self) -> Arc<AtomicBool> {
        self.0.is_open()
    }

    /// Answers, until the task is aborted. What is to be changed comes out at the other end.
    pub fn serve(self, questions: Arc<dyn Questions>) -> (JoinHandle<()>, mpsc::Receiver<Changing>) {
        let (changes, changing) = mpsc::channel(CHANGES);
        (tokio::spawn(self.receive(Hall::new(questions, changes))), changing)
    }

    async fn receive(mut self, hall: Hall) {
        let hall = Arc::new(hall);
        let mut refused = Repeated::default();
        loop {
            match self.0.accept().await {
                Ok(stream) => {
                    if let Some(times) = refused.worked() {
                        tracing::info!("questions can be accepted again: {times} attempts had failed");
                    }
                    // Who came first has its room before the next one is looked at.
                    if let Some(guest) = hall.let_in(&stream) {
                        tokio::spawn(Arc::clone(&hall).receive(stream, guest));
                    }
                }
                Err(error) => {
                    let error = anyhow!(error).context("cannot accept a question");
                    if let Some(reason) = refused.failed(&error) {
                        tracing::warn!("{reason}");
                    }
                    sleep(PATIENCE / 10).await;
                }
            }
        }
    }
}
