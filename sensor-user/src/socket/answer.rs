//! The agent's end of an answer: JSON objects, a line each, and packets as they were.

use std::io;

use anyhow::Error;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::PATIENCE;
use crate::obstacle::{WrongUse, in_words};

/// Where an answer goes. A peer that takes nothing of it for ten seconds is given up, so an answer may be as long as
/// it wants: no more of it is held than what is being written.
pub struct Answer<'a> {
    to: &'a mut (dyn AsyncWrite + Send + Unpin),
}

impl<'a> Answer<'a> {
    pub(super) fn new(to: &'a mut (dyn AsyncWrite + Send + Unpin)) -> Self {
        Self { to }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The peer has gone, or takes nothing.
    pub async fn line(&mut self, object: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(object)?;
        line.push(b'\n');
        self.bytes(&line).await
    }

    /// Writes a line that says how many bytes follow, and these.
    ///
    /// # Errors
    /// As [`Answer::line`].
    pub async fn packet(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line(&json!({ "packet_bytes": bytes.len() })).await?;
        self.bytes(bytes).await
    }

    /// Writes the last line of an answer that is whole.
    ///
    /// # Errors
    /// As [`Answer::line`].
    pub async fn end(&mut self) -> io::Result<()> {
        self.line(&json!({ "end": true })).await
    }

    /// Writes the last line of one that is not.
    ///
    /// # Errors
    /// As [`Answer::line`].
    pub async fn error(&mut self, error: &Error) -> io::Result<()> {
        let words = in_words(error);
        if WrongUse::is_behind(error) {
            return self.line(&json!({ "error": words, "wrong_use": true })).await;
        }
        self.line(&json!({ "error": words })).await
    }

    /// In pieces, so that the time is that of each piece and not of them all.
    async fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = timeout(PATIENCE, self.to.write(rest)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
        Ok(())
    }
}
