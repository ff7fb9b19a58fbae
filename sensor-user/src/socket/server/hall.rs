//! Peers that have come in: who may ask what, within which bounds, and how each is answered.

use std::io;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use sensor_common::noun::noun;
use serde_json::json;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Change, Changing, Questions};
use crate::evidence::Search;
use crate::notices::{AskNotices, Claim};
use crate::socket::question::{Detach, LONGEST, Question};
use crate::socket::{Answer, CLAIMED, PATIENCE};
use crate::sources::Register;
use crate::sources::answer::Line;

/// Connections at a time, of all who may connect.
const MOST: usize = 32;
/// Connections at a time that only root and the agent's own user may have beside these.
const RESERVED: usize = 8;
/// Searches through evidence at a time: each reads a disk and takes a CPU.
const SEARCHES: usize = 2;
/// Searches at a time that only root and the agent's own user may have beside these.
const RESERVED_SEARCHES: usize = 1;
/// Packets that wait to be taken by who searches.
const FOUND: usize = 64;
/// A peer that has come in.
pub struct Guest {
    /// Whether it may have the agent change something.
    may_change: bool,
    /// What it has of the room there is, as long as it stays.
    room: Option<OwnedSemaphorePermit>,
}

/// One of what all may have, or of what is reserved.
fn permit(
    all: &Arc<Semaphore>,
    reserved: &Arc<Semaphore>,
    may_have_reserved: bool,
) -> Option<OwnedSemaphorePermit> {
    let of = |semaphore: &Arc<Semaphore>| Arc::clone(semaphore).try_acquire_owned().ok();
    of(all).or_else(|| if may_have_reserved { of(reserved) } else { None })
}

/// What all peers share.
pub struct Hall {
    questions: Arc<dyn Questions>,
    changes: mpsc::Sender<Changing>,
    all: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    reserved_searches: Arc<Semaphore>,
}

impl Hall {
    /// With room for as many as may be.
    pub fn new(questions: Arc<dyn Questions>, changes: mpsc::Sender<Changing>) -> Self {
        let room = |many| Arc::new(Semaphore::new(many));
        Self {
            questions,
            changes,
            all: room(MOST),
            reserved: room(RESERVED),
            searches: room(SEARCHES),
            reserved_searches: room(RESERVED_SEARCHES),
        }
    }

    /// Who a peer is, and its room; `None` if the kernel does not say who.
    pub fn let_in(&self, stream: &UnixStream) -> Option<Guest> {
        let user = stream.peer_cred().ok()?.uid();
        // SAFETY: the call has no preconditions and cannot fail.
        let own = unsafe { libc::geteuid() };
        let may_change = user == 0 || user == own;
        Some(Guest { may_change, room: self.room(may_change) })
    }

    /// Answers a peer, if there is room for it.
    pub async fn receive(self: Arc<Self>, mut stream: UnixStream, Guest { may_change, room }: Guest) {
        let (from, mut to) = stream.split();
        let mut answer = Answer::new(&mut to);
        let Some(_room) = room else {
            let error = anyhow!("the agent has {MOST} peers to answer already: ask again in a moment");
            drop(answer.error(&error).await);
            return;
        };
        // A peer that is gone, or takes nothing, is not told.
        drop(self.talk(&mut BufReader::new(from), &mut answer, may_change).await);
    }

    fn room(&self, may_change: bool) -> Option<OwnedSemaphorePermit> {
        permit(&self.all, &self.reserved, may_change)
    }

    /// A turn to search: a peer that takes its answer slowly has it for as long.
    fn turn(&self, may_change: bool) -> Result<OwnedSemaphorePermit> {
        permit(&self.searches, &self.reserved_searches, may_change)
            .context("as many searches as may be are answered already: ask again in a moment")
    }

    /// One question after the other.
    async fn talk(
        &self,
        from: &mut (impl AsyncBufRead + Unpin),
        answer: &mut Answer<'_>,
        may_change: bool,
    ) -> io::Result<()> {
        let mut claim = None;
        loop {
            let patience = if claim.is_some() { CLAIMED } else { PATIENCE };
            let line = match timeout(patience, request(from)).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return answer.error(&error).await,
                Err(_) => {
                    let seconds = patience.as_secs();
                    return answer.error(&anyhow!("no question came within {seconds} s: ask at once")).await;
                }
            };
            let question = match Question::parse(&line) {
                Ok(question) if question.changes() && !may_change => {
                    let error = anyhow!(
                        "only root and the agent's own user may have it change something: run this as root"
                    );
                    answer.error(&error).await?;
                    continue;
                }
                Ok(question) => question,
                Err(error) => {
                    answer.error(&anyhow!(error)).await?;
                    continue;
                }
            };
            match self.answer(question, answer, may_change, &mut claim).await {
                Ok(Ok(())) => answer.end().await?,
                Ok(Err(error)) => answer.error(&error).await?,
                Err(gone) => return Err(gone),
            }
        }
    }

    /// All of an answer but its end. Inside: why there is none.
    ///
    /// # Errors
    /// The peer has gone.
    async fn answer(
        &self,
        question: Question,
        answer: &mut Answer<'_>,
        may_change: bool,
        claim: &mut Option<Claim>,
    ) -> io::Result<Result<()>> {
        let searching = question.searches().then(|| self.turn(may_change)).transpose();
        let turn = match searching {
            Ok(turn) => turn,
            Err(error) => return Ok(Err(error)),
        };
        match question {
            Question::Status => {
                let questions = Arc::clone(&self.questions);
                match blocking(move || questions.status()).await {
                    Ok(lines) => {
                        for line in lines {
                            answer.line(&line).await?;
                        }
                    }
                    Err(error) => return Ok(Err(error)),
                }
            }
            Question::Evidence(search) => return self.evidence(search, answer, turn).await,
            Question::Sources(ask) => {
                return self.told(answer, move |register| register.sources(&ask)).await;
            }
            Question::Source(ask) => return self.told(answer, move |register| register.source(&ask)).await,
            Question::Scans(ask) => return self.told(answer, move |register| register.scans(&ask)).await,
            Question::Victims(ask) => {
                return self.told(answer, move |register| register.victims(&ask)).await;
            }
            Question::Notices(ask) => return self.notices(ask, answer, claim).await,
            Question::Sent => return sent(claim.take(), answer).await,
            Question::Tuples(ask) => return self.told(answer, move |register| register.tuples(&ask)).await,
            Question::Counts(ask) => {
                return self.lines(answer, move |questions| questions.counts(&ask)).await;
            }
            Question::View(ask) => {
                let questions = Arc::clone(&self.questions);
                match blocking(move || questions.view(&ask)).await {
                    Ok(view) => answer.line(&json!({ "view": view })).await?,
                    Err(error) => return Ok(Err(error)),
                }
            }
            Question::Reload => return self.change(Change::Reload, answer).await,
            Question::Detach(Detach { interface }) => {
                return self.change(Change::Detach(interface), answer).await;
            }
        }
        Ok(Ok(()))
    }

    /// What is known of sources takes memory while it is put together.
    async fn told(
        &self,
        answer: &mut Answer<'_>,
        ask: impl FnOnce(&Register) -> Result<Vec<Line>> + Send + 'static,
    ) -> io::Result<Result<()>> {
        self.lines(answer, move |questions| ask(&questions.register()?)).await
    }

    async fn lines(
        &self,
        answer: &mut Answer<'_>,
        ask: impl FnOnce(&dyn Questions) -> Result<Vec<Line>> + Send + 'static,
    ) -> io::Result<Result<()>> {
        let questions = Arc::clone(&self.questions);
        match blocking(move || ask(&*questions)).await {
            Ok(lines) => {
                for line in lines {
                    answer.line(&line).await?;
                }
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Part by part, so that no more is held than one.
    async fn notices(
        &self,
        ask: AskNotices,
        answer: &mut Answer<'_>,
        claim: &mut Option<Claim>,
    ) -> io::Result<Result<()>> {
        let questions = Arc::clone(&self.questions);
        let book = match blocking(move || questions.notices()).await {
            Ok(book) => book,
            Err(error) => return Ok(Err(error)),
        };
        let mut held = ask.claim.then(|| claim.take().unwrap_or_else(|| book.claim()));
        let mut after = None;
        loop {
            let (book, ask) = (book.clone(), ask.clone());
            let asked = blocking(move || {
                let chunk = book.ask(&ask, after, held.as_mut())?;
                Ok((chunk, held))
            });
            let chunk = match asked.await {
                Ok((chunk, still_held)) => {
                    held = still_held;
                    chunk
                }
                Err(error) => return Ok(Err(error)),
            };
            for line in chunk.lines {
                answer.line(&line).await?;
            }
            after = chunk.next;
            if after.is_none() {
                if held.is_some() {
                    *claim = held;
                }
                return Ok(Ok(()));
            }
        }
    }

    /// A search reads files as long as its peer takes what it finds, and no more is held than a few packets.
    async fn evidence(
        &self,
        search: Search,
        answer: &mut Answer<'_>,
        turn: Option<OwnedSemaphorePermit>,
    ) -> io::Result<Result<()>> {
        let questions = Arc::clone(&self.questions);
        let (found, mut packets) = mpsc::channel(FOUND);
        let bytes = search.bytes;
        let searching = spawn_blocking(move || {
            let _until_it_has_ended = turn;
            questions.evidence(&search, &mut |packet| {
                let piece = packet
                    .map(|(packet, frame)| (packet, if search.bytes { frame.to_vec() } else { Vec::new() }));
                found.blocking_send(piece).is_ok()
            })
        });
        while let Some(piece) = packets.recv().await {
            let Some((packet, frame)) = piece else {
                // Else nobody would notice that the peer has gone.
                answer.line(&json!({ "searching": true })).await?;
                continue;
            };
            answer.line(&json!({ "packet": packet })).await?;
            if bytes {
                answer.packet(&frame).await?;
            }
        }
        match searching.await.context("the agent has a bug").flatten() {
            Ok(basis) => answer.line(&json!({ "basis": basis })).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn change(&self, change: Change, answer: &mut Answer<'_>) -> io::Result<Result<()>> {
        let (waiting, done) = oneshot::channel();
        let ending = "the agent is about to end: see its log";
        if self.changes.send(Changing { change, waiting }).await.is_err() {
            return Ok(Err(anyhow!(ending)));
        }
        match done.await.context(ending).flatten() {
            Ok(said) => answer.line(&json!({ "said": said })).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Marks what a peer has claimed.
async fn sent(claim: Option<Claim>, answer: &mut Answer<'_>) -> io::Result<Result<()>> {
    let Some(claim) = claim else {
        let error =
            anyhow!("nothing is claimed on this connection: ask for notices with \"claim\":true first");
        return Ok(Err(error));
    };
    match blocking(move || claim.sent()).await {
        Ok(notices) => {
            let said = format!("{notices} {}", noun(notices as u64, "notice is sent", "notices are sent"));
            answer.line(&json!({ "said": said })).await.map(Ok)
        }
        Err(error) => Ok(Err(error)),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.context("the agent has a bug")?
}

/// The next line; `None` if the peer has asked all that it wants to.
async fn request(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = from.take(LONGEST as u64 + 1);
    bounded.read_until(b'\n', &mut line).await.context("cannot read the request")?;
    if line.len() > LONGEST {
        return Err(anyhow!("the request is longer than {LONGEST} bytes: ask for less at a time"));
    }
    Ok(if line.is_empty() { None } else { Some(line) })
}

#[cfg(test)]
mod tests;
