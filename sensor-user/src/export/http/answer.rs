//! An answer's body: handed to the connection piece by piece, and counted until the last piece is taken.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::crowd::Deadline;

/// Bytes handed to the connection at a time: it keeps a few of these in its own buffer.
const PIECE: usize = 64 << 10;

/// A body that is known in whole.
pub(super) struct Answer {
    rest: Bytes,
    /// The answer's share of what may wait to be read.
    _share: Option<OwnedSemaphorePermit>,
    _rest_of_connection: Option<Rest>,
}

/// How long a connection may rest once its answer has been taken.
pub(super) struct Rest {
    pub(super) deadline: Arc<Deadline>,
    pub(super) time: Duration,
}

impl Answer {
    pub(super) fn new(body: impl Into<Bytes>, share: Option<OwnedSemaphorePermit>) -> Self {
        Self { rest: body.into(), _share: share, _rest_of_connection: None }
    }

    /// The connection may rest this long afterwards.
    pub(super) fn before(self, rest: Rest) -> Self {
        Self { _rest_of_connection: Some(rest), ..self }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.deadline.extend(self.time);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = PIECE.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
