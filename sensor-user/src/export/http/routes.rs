//! Which path says what.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, USER_AGENT, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::accept::Came;
use super::answer::{Answer, Rest};
use super::crowd::Deadline;
use super::encoding::Encoding;
use super::host::{Names, Refusal};
use super::live::{Live, TOO_MANY};
use super::{Documents, Limits};
use crate::counters::select::Scraper;
use crate::obstacle::in_words;
use crate::page::{self, Asked};

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const EVENTS: &str = "text/event-stream";

/// Where what is new on the first page comes from.
const LIVE: &str = "/live";

/// What every answer says to browsers: what it may load, that it is what it says, and that nobody else is to have it or to hear
/// of it.
const FOR_BROWSERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

/// Everything needed to answer.
pub(super) struct Routes {
    documents: Arc<dyn Documents>,
    /// Held while the agent is asked: answers are made one at a time, however many ask.
    turn: Arc<Semaphore>,
    /// Likewise, for pages: whoever looks keeps no scraper waiting.
    page_turn: Arc<Semaphore>,
    live: Arc<Live>,
    names: Names,
    addresses_on_loopback: Arc<AtomicBool>,
    /// Bytes of answers that may wait to be read.
    unread: Arc<Semaphore>,
    limits: Limits,
}

/// Who asks.
pub(super) struct Peer {
    pub(super) came: Came,
    /// Held as long as the connection is open.
    pub(super) connection: Arc<()>,
    pub(super) deadline: Arc<Deadline>,
}

impl Routes {
    pub(super) fn new(
        documents: Arc<dyn Documents>,
        names: Names,
        addresses_on_loopback: Arc<AtomicBool>,
        limits: Limits,
    ) -> Self {
        let unread = Arc::new(Semaphore::new(limits.unread));
        let (turn, page_turn) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let live = Arc::new(Live::new(Arc::clone(&documents)));
        Self { documents, turn, page_turn, live, names, addresses_on_loopback, unread, limits }
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
            "/page.css" => say(StatusCode::OK, CSS, page::STYLE),
            "/page.svg" => say(StatusCode::OK, SVG, page::ICON),
            "/page.js" => say(StatusCode::OK, SCRIPT, page::SCRIPT),
            "/healthz" => say(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => {
                self.asked(&self.turn, TEXT, Encoding::Identity, |documents| {
                    documents.ready().map(|()| "ready\n".into())
                })
                .await
            }
            // Without its page nobody has seen the counts that it carries: nothing is drained for a head.
            "/metrics" if head_only => varying(say(StatusCode::OK, METRICS, "")),
            "/metrics" => {
                let agent = request.headers().get(USER_AGENT).map(HeaderValue::as_bytes);
                let scraper = Scraper::new(peer.came.address, agent).over(&peer.connection);
                let page = self
                    .asked(&self.turn, METRICS, encoding, move |documents| documents.metrics(scraper))
                    .await;
                // As long as it is open, its scraper is told from others at its address.
                let rest = Rest { deadline: Arc::clone(&peer.deadline), time: self.limits.between_scrapes };
                varying(page.map(|page| page.before(rest)))
            }
            "/api/v1/slots" if head_only => varying(say(StatusCode::OK, JSON, "")),
            "/api/v1/slots" => varying(self.asked(&self.turn, JSON, encoding, Documents::slots).await),
            LIVE => match Asked::parse("/", request.uri().query()) {
                Some(asked) if !head_only => self.live(peer, asked).await,
                _ => say(StatusCode::OK, EVENTS, ""),
            },
            _ => match Asked::parse(path, request.uri().query()) {
                None => say(StatusCode::NOT_FOUND, TEXT, "no such page; see /\n"),
                Some(_) if head_only => varying(say(StatusCode::OK, HTML, "")),
                Some(asked) => {
                    let sight = peer.came.sight(self.addresses_on_loopback.load(Ordering::Relaxed));
                    let page = move |documents: &dyn Documents| documents.page(&asked, sight);
                    varying(self.asked(&self.page_turn, HTML, encoding, page).await)
                }
            },
        })
    }

    /// What is new on a page, as it comes.
    async fn live(&self, peer: &Peer, asked: Asked) -> Response<Answer> {
        let of = asked.clone();
        let has = move |documents: &dyn Documents| documents.has(&of).map(|()| Bytes::new());
        let is_there = self.asked(&self.page_turn, TEXT, Encoding::Identity, has).await;
        if is_there.status() != StatusCode::OK {
            return is_there;
        }
        let (came, on_loopback) = (peer.came, Arc::clone(&self.addresses_on_loopback));
        let sight = move || came.sight(on_loopback.load(Ordering::Relaxed));
        let first = sight();
        let Some(listener) = self.live.listen(asked, first, Box::new(move || sight() == first)) else {
            return say(StatusCode::SERVICE_UNAVAILABLE, TEXT, TOO_MANY);
        };
        peer.deadline.listens(true);
        let patience = Rest { deadline: Arc::clone(&peer.deadline), time: self.limits.next_request };
        respond(StatusCode::OK, EVENTS, Answer::live(listener, patience))
    }

    /// What the agent says, encoded as is accepted, or 503 and why it can't.
    async fn asked(
        &self,
        turn: &Arc<Semaphore>,
        kind: &'static str,
        encoding: Encoding,
        ask: impl FnOnce(&dyn Documents) -> anyhow::Result<Bytes> + Send + 'static,
    ) -> Response<Answer> {
        let turn = Arc::clone(turn).acquire_owned().await;
        let documents = self.documents.clone();
        let asked = spawn_blocking(move || {
            // The agent answers to the end, though whoever asked may have gone: the next has its turn after that.
            let _turn = turn;
            ask(&*documents).map(|body| encoding.encode(body))
        })
        .await;
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
    for (name, value) in FOR_BROWSERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
