//! What writes the event log of notices: begun, stopped and begun anew as the configuration says.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::notices::{Book, LogStats, Logger};
use crate::obstacle::in_words;

/// How long a stop waits for the disk.
const PATIENCE: Duration = Duration::from_secs(3);

/// What tells of notices by itself.
#[derive(Debug)]
pub(super) struct Notices {
    book: Book,
    stats: Arc<LogStats>,
    logger: Option<Logger>,
}

impl Notices {
    /// Nothing is written yet; `stats` is where metrics look.
    pub(super) const fn new(book: Book, stats: Arc<LogStats>) -> Self {
        Self { book, stats, logger: None }
    }

    /// Begins, goes on or ends as configured. What stands in its way does not stop the counting.
    pub(super) fn begin(&mut self, config: &Config) {
        let settings = config.notices.as_ref().filter(|_| config.evidence.is_some());
        if self.logger.as_ref().is_some_and(|logger| Some(logger.settings()) != settings) {
            self.end();
        }
        if let (None, Some(settings)) = (&self.logger, settings) {
            match Logger::start(settings, &self.book, &self.stats) {
                Ok(logger) => self.logger = logger,
                Err(error) => {
                    tracing::error!(
                        "{}: no event log is written until a reload or a restart",
                        in_words(&error)
                    );
                }
            }
        }
    }

    /// Writes what there is, and ends.
    pub(super) fn end(&mut self) {
        if self.logger.take().is_some_and(|logger| !logger.stop(PATIENCE)) {
            tracing::warn!("the event log does not take what is to be told: it waits in the store");
        }
    }
}
