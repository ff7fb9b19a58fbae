//! An answer's body: handed to the connection piece by piece, and counted until the last piece is taken; or what is new, as it
//! comes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::crowd::Deadline;
use super::live::Listener;

/// Bytes handed to the connection at a time: it keeps a few of these in its own buffer.
const PIECE: usize = 64 << 10;

/// What an answer that goes on begins with: how long a browser waits, in milliseconds, before it asks again.
const BEGIN: &[u8] = b"retry: 5000\n\n";

/// A body: known in whole, or what somebody listens to.
pub(super) struct Answer {
    rest: Bytes,
    listens: Option<Listens>,
    /// The answer's share of what may wait to be read.
    _share: Option<OwnedSemaphorePermit>,
    _rest_of_connection: Option<Rest>,
}

/// Somebody who listens: each time that something new is taken, the connection has so long for the next.
struct Listens {
    listener: Listener,
    patience: Rest,
}

/// How long a connection may rest once its answer has been taken.
pub(super) struct Rest {
    pub(super) deadline: Arc<Deadline>,
    pub(super) time: Duration,
}

impl Answer {
    pub(super) fn new(body: impl Into<Bytes>, share: Option<OwnedSemaphorePermit>) -> Self {
        Self { rest: body.into(), listens: None, _share: share, _rest_of_connection: None }
    }

    /// What is new, until the end; whoever does not take it within this time is given up.
    pub(super) fn live(listener: Listener, patience: Rest) -> Self {
        let listens = Some(Listens { listener, patience });
        Self { rest: Bytes::from_static(BEGIN), listens, _share: None, _rest_of_connection: None }
    }

    /// The connection may rest this long afterwards.
    pub(super) fn before(self, rest: Rest) -> Self {
        Self { _rest_of_connection: Some(rest), ..self }
    }
}

impl Rest {
    fn begin(&self) {
        self.deadline.extend(self.time);
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.begin();
    }
}

impl Drop for Listens {
    /// Its place is somebody else's now: its connection is one of all again.
    fn drop(&mut self) {
        self.patience.deadline.listens(false);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            let Some(Listens { listener, patience }) = &mut self.listens else { return Poll::Ready(None) };
            return listener.poll(context).map(|new| {
                patience.begin();
                new.map(|new| Ok(Frame::data(new)))
            });
        }
        let piece = PIECE.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.listens.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.listens {
            None => SizeHint::with_exact(self.rest.len() as u64),
            Some(_) => SizeHint::default(),
        }
    }
}
