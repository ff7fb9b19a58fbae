//! The HTTP server: hands out [`Documents`].
//!
//! A sensor's agent lives among hostile machines, so no peer gets more than a bounded share of it: a
//! connection ends when its peer doesn't finish a request, or doesn't read the answer, in good time; and when
//! there are too many, the one whose peer has the most makes room, so that a newcomer is always heard.

mod accept;
mod answer;
mod crowd;
mod encoding;
mod host;
mod live;
mod routes;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

pub use self::accept::Accept;
use self::crowd::{Crowd, Deadline};
pub use self::host::Names;
use self::routes::{Peer, Routes};
use super::families::CLOSED;
use crate::counters::select::{FORGET, Scraper};
use crate::page::Asked;
use crate::repeated::Repeated;
use crate::view::Sight;

/// What the server hands out. Asked for on threads that may block, one at a time.
pub trait Documents: Send + Sync + 'static {
    /// Drains and gives the metrics page for this scraper.
    ///
    /// # Errors
    /// What went wrong, for the operator to read. It is served as 503: Prometheus then knows that it has no
    /// sample, where an old page would pass for a fresh one.
    fn metrics(&self, scraper: Scraper) -> anyhow::Result<Bytes>;

    /// Gives a page for people, with what may be seen.
    ///
    /// # Errors
    /// As [`metrics`](Self::metrics).
    fn page(&self, asked: &Asked, sight: Sight) -> anyhow::Result<Bytes>;

    /// Whether there is such a page: its sensor may be none.
    ///
    /// # Errors
    /// There is none, and which there are.
    fn has(&self, asked: &Asked) -> anyhow::Result<()>;

    /// Gives what is new on a page, as an event for a browser; `number` counts them from 1.
    ///
    /// # Errors
    /// As [`metrics`](Self::metrics).
    fn news(&self, asked: &Asked, sight: Sight, number: u64) -> anyhow::Result<Bytes>;

    /// Drains and gives all slots as JSON.
    ///
    /// # Errors
    /// As [`metrics`](Self::metrics).
    fn slots(&self) -> anyhow::Result<Bytes>;

    /// Whether the program is attached and a drain has worked.
    ///
    /// # Errors
    /// What is missing, for the operator to read.
    fn ready(&self) -> anyhow::Result<()>;
}

/// How much a peer, and all of them, may have.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at a time.
    connections: usize,
    /// From connecting to the end of the first request.
    first_request: Duration,
    /// From a request to the end of the next one, its answer read in between.
    next_request: Duration,
    /// From the end of a metrics page to that of the next request.
    between_scrapes: Duration,
    /// To finish, once told to.
    farewell: Duration,
    /// Bytes of a request's head.
    head: usize,
    /// Bytes of answers that wait to be read.
    unread: usize,
}

const LIMITS: Limits = Limits {
    connections: 64,
    first_request: Duration::from_secs(10),
    next_request: Duration::from_secs(30),
    // A scraper that comes as seldom as it may still finds its connection open.
    between_scrapes: FORGET.saturating_add(Duration::from_secs(30)),
    farewell: Duration::from_secs(1),
    head: 16 << 10,
    unread: 64 << 20,
};

/// Pause after an accept that failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Connections that the server closed on its peers.
#[derive(Clone, Debug)]
pub struct HttpStats {
    closed: IntCounterVec,
    slow: IntCounter,
    crowded: IntCounter,
}

impl Default for HttpStats {
    fn default() -> Self {
        let closed = IntCounterVec::new(CLOSED.options(), CLOSED.labels).expect("the list's names are valid");
        let because = |reason| closed.with_label_values(&[reason]);
        Self { slow: because("slow"), crowded: because("crowded"), closed }
    }
}

impl HttpStats {
    /// The family of these counters.
    pub(super) fn collector(&self) -> &dyn Collector {
        &self.closed
    }
}

/// Listens on an address.
///
/// # Errors
/// Says what stands in the way and what to do.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| cannot_listen(address, &error))
}

/// What stands in the way of listening on an address, and what to do.
#[must_use]
pub fn cannot_listen(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let (cause, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ("address in use".into(), "stop what listens there, or pass --listen with another port")
        }
        io::ErrorKind::AddrNotAvailable => {
            ("this host has no such address".into(), "pass --listen with one that it has")
        }
        io::ErrorKind::PermissionDenied => {
            ("permission denied".into(), "pass --listen with a port of 1024 or above")
        }
        _ => (error.to_string(), "pass --listen with another address"),
    };
    anyhow::anyhow!("cannot listen on {address}: {cause}; {remedy}")
}

/// What decides what is served to whom, and counts who had to go. A copy is the same.
#[derive(Clone, Debug, Default)]
pub struct House {
    /// By which names it may be asked.
    pub names: Names,
    /// Connections that the server closed.
    pub stats: HttpStats,
    /// Whether whoever comes by loopback may see addresses; those may who come by a Unix socket.
    pub addresses_on_loopback: Arc<AtomicBool>,
}

/// Serves those who ask by address or by one of these names until `shutdown` completes, then lets requests that are under way finish for a second.
pub async fn serve(
    doors: impl Accept,
    documents: Arc<dyn Documents>,
    house: House,
    shutdown: impl Future<Output = ()>,
) {
    serve_within(LIMITS, doors, documents, house, shutdown).await;
}

async fn serve_within(
    limits: Limits,
    mut doors: impl Accept,
    documents: Arc<dyn Documents>,
    House { names, stats, addresses_on_loopback }: House,
    shutdown: impl Future<Output = ()>,
) {
    let routes = Arc::new(Routes::new(documents, names, addresses_on_loopback, limits));
    let (closing, close) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut crowd = Crowd::default();
    let mut shutdown = pin!(shutdown);
    let mut failing = Repeated::default();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next_with_id() => {
                crowd.remove(ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
            accepted = doors.accept() => match accepted {
                Ok((stream, came)) => {
                    if let Some(times) = failing.worked() {
                        tracing::info!("HTTP connections can be accepted again: {times} attempts had failed");
                    }
                    // Those who have ended listening count again: there may be more than one too many.
                    while crowd.make_room(limits.connections) {
                        stats.crowded.inc();
                    }
                    let deadline = Arc::new(Deadline::new(limits.first_request));
                    let connection = Connection {
                        peer: Peer {
                            came,
                            connection: Arc::default(),
                            deadline: Arc::clone(&deadline),
                        },
                        routes: routes.clone(),
                        stats: stats.clone(),
                        limits,
                    };
                    let task = tasks.spawn(connection.serve(stream, close.clone()));
                    crowd.add(came.address, deadline, task);
                }
                Err(error) => {
                    let error = anyhow::Error::new(error).context("cannot accept an HTTP connection");
                    if let Some(reason) = failing.failed(&error) {
                        tracing::warn!("{reason}");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(doors);
    drop(closing);
    // What is left is aborted when `tasks` is dropped.
    let _ = timeout(2 * limits.farewell, async { while tasks.join_next().await.is_some() {} }).await;
}

/// One peer's connection.
struct Connection {
    peer: Peer,
    routes: Arc<Routes>,
    stats: HttpStats,
    limits: Limits,
}

impl Connection {
    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        mut close: watch::Receiver<()>,
    ) {
        let service = service_fn(|request| {
            self.peer.deadline.extend(self.limits.next_request);
            self.routes.answer(&self.peer, request)
        });
        // The deadline covers what hyper's own timer would, and the reading of the answer besides.
        let http = http1::Builder::new()
            .header_read_timeout(None)
            // Who has said all that it has to say still gets its answer (RFC 9112 §9.6).
            .half_close(true)
            .max_buf_size(self.limits.head)
            .serve_connection(TokioIo::new(stream), service);
        let mut http = pin!(http);
        let overdue = async {
            while !self.peer.deadline.is_over() {
                sleep_until(self.peer.deadline.get()).await;
            }
        };
        let told_to_close = tokio::select! {
            // Junk and broken connections are a peer's own affair, and too many to log.
            _ = &mut http => return,
            () = overdue => false,
            // The sender is only ever dropped.
            _ = close.changed() => true,
        };
        // An idle connection ends here at once; another when its answer is read.
        http.as_mut().graceful_shutdown();
        if timeout(self.limits.farewell, http).await.is_err() && !told_to_close {
            self.stats.slow.inc();
        }
    }
}
