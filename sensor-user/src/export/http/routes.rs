//! Which path says what.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT, VARY};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::answer::{Answer, Rest};
use super::crowd::Deadline;
use super::encoding::Encoding;
use super::host::{Names, Refusal};
use super::{Documents, Limits};
use crate::counters::select::Scraper;
use crate::obstacle::in_words;

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>sensor</title>\n<h1>sensor</h1>\n<ul>\n\
    <li><a href=\"/metrics\">/metrics</a>: for Prometheus\n\
    <li><a href=\"/api/v1/slots\">/api/v1/slots</a>: every count, as JSON\n\
    <li><a href=\"/healthz\">/healthz</a>: the agent lives\n\
    <li><a href=\"/readyz\">/readyz</a>: packets are counted\n</ul>\n</html>\n";

/// Everything needed to answer.
pub(super) struct Routes {
    documents: Arc<dyn Documents>,
    /// Held while the agent is asked: answers are made one at a time, however many ask.
    turn: Semaphore,
    names: Names,
    /// Bytes of answers that may wait to be read.
    unread: Arc<Semaphore>,
    limits: Limits,
}

/// Who asks.
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Held as long as the connection is open.
    pub(super) connection: Arc<()>,
    pub(super) deadline: Arc<Deadline>,
}

impl Routes {
    pub(super) fn new(documents: Arc<dyn Documents>, names: Names, limits: Limits) -> Self {
        let unread = Arc::new(Semaphore::new(limits.unread));
        Self { documents, turn: Semaphore::new(1), names, unread, limits }
    }

    /// Answers a request.
    pub(super) async fn answer<B>(
        &self,
        peer: &Peer,
        request: Request<B>,
    ) -> Result<Response<Answer>, Infallible> {
        if let Err(refusal) = self.names.check(&request) {
            let status = match refusal {
                Refusal::Bad(_) => StatusCode::BAD_REQUEST,
                Refusal::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            };
            return Ok(say(status, TEXT, refusal.text()));
        }
        let head_only = request.method() == Method::HEAD;
        if !head_only && request.method() != Method::GET {
            let mut response = say(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Ok(response);
        }
        let encoding = Encoding::accepted(request.headers());
        let path = request.uri().path();
        Ok(match path {
            "/" => say(StatusCode::OK, HTML, INDEX),
            "/healthz" => say(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => {
                self.asked(TEXT, Encoding::Identity, |documents| documents.ready().map(|()| "ready\n".into()))
                    .await
            }
            // Without its page nobody has seen the counts that it carries: nothing is drained for a head.
            "/metrics" if head_only => varying(say(StatusCode::OK, METRICS, "")),
            "/metrics" => {
                let agent = request.headers().get(USER_AGENT).map(HeaderValue::as_bytes);
                let scraper = Scraper::new(peer.address, agent).over(&peer.connection);
                let page = self.asked(METRICS, encoding, move |documents| documents.metrics(scraper)).await;
                // As long as it is open, its scraper is told from others at its address.
                let rest = Rest { deadline: Arc::clone(&peer.deadline), time: self.limits.between_scrapes };
                varying(page.map(|page| page.before(rest)))
            }
            "/api/v1/slots" if head_only => varying(say(StatusCode::OK, JSON, "")),
            "/api/v1/slots" => varying(self.asked(JSON, encoding, Documents::slots).await),
            _ => say(StatusCode::NOT_FOUND, TEXT, "no such page; see /\n"),
        })
    }

    /// What the agent says, encoded as is accepted, or 503 and why it can't.
    async fn asked(
        &self,
        kind: &'static str,
        encoding: Encoding,
        ask: impl FnOnce(&dyn Documents) -> anyhow::Result<Bytes> + Send + 'static,
    ) -> Response<Answer> {
        let turn = self.turn.acquire().await;
        let documents = self.documents.clone();
        let asked = spawn_blocking(move || ask(&*documents).map(|body| encoding.encode(body))).await;
        drop(turn);
        match asked {
            Ok(Ok((body, encoding))) => match self.share(body.len()) {
                Some(share) => {
                    let mut response = respond(StatusCode::OK, kind, Answer::new(body, Some(share)));
                    if encoding == Encoding::Gzip {
                        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    }
                    response
                }
                None => say(StatusCode::SERVICE_UNAVAILABLE, TEXT, "too many answers wait to be read\n"),
            },
            Ok(Err(error)) => {
                let reason = in_words(&error).replace(['\r', '\n'], " ") + "\n";
                say(StatusCode::SERVICE_UNAVAILABLE, TEXT, reason)
            }
            Err(_) => say(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the agent has a bug: see its log\n"),
        }
    }

    /// Room for an answer. One that is larger than all there is needs all of it.
    fn share(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.min(self.limits.unread)).unwrap_or(u32::MAX);
        self.unread.clone().try_acquire_many_owned(permits).ok()
    }
}

/// An answer that depends on the encodings that are accepted.
fn varying(mut response: Response<Answer>) -> Response<Answer> {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// An answer too small to need a share.
fn say(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Answer> {
    respond(status, kind, Answer::new(body, None))
}

fn respond(status: StatusCode, kind: &'static str, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
