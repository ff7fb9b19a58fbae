use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use flate2::read::GzDecoder;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

const QUICK: Limits = Limits {
    connections: 8,
    first_request: Duration::from_millis(300),
    next_request: Duration::from_millis(800),
    between_scrapes: Duration::from_millis(800),
    farewell: Duration::from_millis(100),
    head: 16 << 10,
    unread: 256 << 20,
};

/// Far longer than anything here takes: it only keeps a test from hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// A sensor that there is not.
const NONE: &str = "none";

/// Says what it is told to, and remembers who asked.
#[derive(Default)]
struct Scripted {
    page: Mutex<String>,
    trouble: Mutex<Option<&'static str>>,
    scrapes: AtomicUsize,
    news: AtomicUsize,
}

impl Scripted {
    fn trouble(&self) -> anyhow::Result<()> {
        let trouble = *self.trouble.lock().unwrap();
        trouble.map_or(Ok(()), |trouble| Err(anyhow::anyhow!(trouble)))
    }
}

impl Documents for Scripted {
    fn metrics(&self, _: Scraper) -> anyhow::Result<Bytes> {
        self.trouble()?;
        self.scrapes.fetch_add(1, Relaxed);
        Ok(self.page.lock().unwrap().clone().into())
    }

    fn page(&self, asked: &Asked, sight: Sight) -> anyhow::Result<Bytes> {
        self.trouble()?;
        Ok(format!("<html>{sight:?} {:?}</html>\n", asked.port()).into())
    }

    fn has(&self, asked: &Asked) -> anyhow::Result<()> {
        anyhow::ensure!(asked.sensor.as_deref() != Some(NONE), "there is no sensor {NONE:?}");
        Ok(())
    }

    fn news(&self, _: &Asked, sight: Sight, number: u64) -> anyhow::Result<Bytes> {
        self.trouble()?;
        self.news.fetch_add(1, Relaxed);
        Ok(format!("data: {sight:?} {number}\n\n").into())
    }

    fn slots(&self) -> anyhow::Result<Bytes> {
        self.trouble()?;
        Ok(Bytes::from_static(b"{}"))
    }

    fn ready(&self) -> anyhow::Result<()> {
        self.trouble()
    }
}

impl HttpStats {
    /// Reason and number of connections.
    fn closed(&self) -> [(&'static str, u64); 2] {
        [("slow", self.slow.get()), ("crowded", self.crowded.get())]
    }
}

struct Server {
    address: SocketAddr,
    agent: Arc<Scripted>,
    stats: HttpStats,
    addresses_on_loopback: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let agent = Arc::new(Scripted { page: Mutex::new("a 1\n".into()), ..Default::default() });
        let stats = HttpStats::default();
        let addresses_on_loopback = Arc::<AtomicBool>::default();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap() };
        let running = tokio::spawn(serve_within(
            limits,
            listener,
            agent.clone(),
            House {
                names: Names::new(&["a".into()]),
                stats: stats.clone(),
                addresses_on_loopback: Arc::clone(&addresses_on_loopback),
            },
            shutdown,
        ));
        Self { address, agent, stats, addresses_on_loopback, stop, running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The whole answer to a request on a connection of its own.
    async fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = self.connect().await;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        read(&mut stream).await
    }
}

/// What is left to read; a reset ends it as a close does.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[rstest]
#[case("GET", "/metrics", "200 OK", "text/plain; version=0.0.4; charset=utf-8", "a 1\n")]
#[case("GET", "/metrics?x=1", "200 OK", "text/plain; version=0.0.4; charset=utf-8", "a 1\n")]
#[case("GET", "/api/v1/slots", "200 OK", "application/json", "{}")]
#[case("GET", "/healthz", "200 OK", "text/plain", "ok\n")]
#[case("GET", "/readyz", "200 OK", "text/plain", "ready\n")]
#[case("GET", "/", "200 OK", "text/html", "</html>\n")]
#[case("GET", "/", "200 OK", "text/html", "<html>Counts None</html>\n")]
#[case("GET", "/?sensor=a", "200 OK", "text/html", "</html>\n")]
#[case("GET", "/port/23/tcp", "200 OK", "text/html", "</html>\n")]
#[case("HEAD", "/", "200 OK", "text/html", "\r\n\r\n")]
#[case("GET", "/port/23/sctp", "404 Not Found", "text/plain", "no such page; see /\n")]
#[case("GET", "/page.css", "200 OK", "text/css", "}\n")]
#[case("GET", "/page.svg", "200 OK", "image/svg+xml", "</svg>\n")]
#[case("GET", "/page.js", "200 OK", "text/javascript", "();\n")]
#[case("GET", "/none", "404 Not Found", "text/plain", "no such page; see /\n")]
#[case("POST", "/metrics", "405 Method Not Allowed", "text/plain", "only GET and HEAD\n")]
#[case("HEAD", "/metrics", "200 OK", "text/plain; version=0.0.4; charset=utf-8", "\r\n\r\n")]
#[case("HEAD", "/healthz", "200 OK", "text/plain", "\r\n\r\n")]
#[tokio::test]
async fn each_route_answers(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: &str,
    #[case] kind: &str,
    #[case] end: &str,
) {
    let server = Server::start(QUICK).await;
    let answer = server.ask(method, path).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    assert!(answer.contains(&format!("\r\ncontent-type: {kind}")), "{answer}");
    assert!(answer.ends_with(end), "{answer}");
    assert_eq!(answer.contains("\r\nallow: GET, HEAD\r\n"), status.starts_with("405"));
    assert_eq!(server.agent.scrapes.load(Relaxed), usize::from(answer.ends_with("a 1\n")));
}

#[rstest]
#[case::asked_for("gzip", true)]
#[case::not_asked_for("identity", false)]
#[tokio::test]
async fn a_page_is_compressed_for_who_asks_for_it(#[case] accepted: &str, #[case] compressed: bool) {
    let server = Server::start(QUICK).await;
    let page = "a 1\n".repeat(10_000);
    server.agent.page.lock().unwrap().clone_from(&page);
    let mut stream = server.connect().await;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let head = str::from_utf8(&answer[..end]).unwrap();
    assert!(head.contains("\r\nvary: accept-encoding\r\n"), "{head}");
    assert_eq!(head.contains("\r\ncontent-encoding: gzip\r\n"), compressed, "{head}");
    let mut text = String::new();
    if compressed {
        GzDecoder::new(&answer[end..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(answer[end..].to_vec()).unwrap();
    }
    assert_eq!(text, page);
}

#[rstest]
#[tokio::test]
async fn trouble_is_503_and_one_line(#[values("/metrics", "/api/v1/slots", "/readyz", "/")] path: &str) {
    let server = Server::start(QUICK).await;
    *server.agent.trouble.lock().unwrap() = Some("eth0:\nis gone");
    let answer = server.ask("GET", path).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\neth0: is gone\n"), "{answer}");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Server::start(QUICK).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"a 1\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        sleep(QUICK.next_request / 4).await;
    }
    // Idle for too long, it is closed without being called slow.
    assert_eq!(read(&mut stream).await, "");
    assert_eq!(server.stats.closed().map(|(_, count)| count), [0, 0]);
}

#[rstest]
#[case::silent(b"")]
#[case::half_a_request(b"GET /metrics HT")]
#[case::half_a_head(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")]
#[case::a_body_that_never_comes(b"GET /none HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")]
#[tokio::test]
async fn a_peer_that_stalls_is_closed(#[case] sent: &[u8]) {
    let server = Server::start(QUICK).await;
    let mut stream = server.connect().await;
    stream.write_all(sent).await.unwrap();
    timeout(PATIENCE, read(&mut stream)).await.expect("it is hung up on");
}

#[rstest]
#[case::junk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), "400")]
#[case::a_huge_header([&b"GET / HTTP/1.1\r\nA: "[..], &b"a".repeat(1 << 20)].concat(), "431")]
#[case::many_headers([&b"GET / HTTP/1.1\r\n"[..], &b"A: a\r\n".repeat(1000), b"\r\n"].concat(), "431")]
#[tokio::test]
async fn junk_is_refused(#[case] sent: Vec<u8>, #[case] status: &str) {
    let server = Server::start(QUICK).await;
    let mut stream = server.connect().await;
    // The server may answer and close before all is sent.
    let _ = stream.write_all(&sent).await;
    let answer = read(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(server.ask("GET", "/healthz").await.ends_with("ok\n"));
}

#[tokio::test]
async fn a_peer_that_never_reads_is_closed() {
    let server = Server::start(QUICK).await;
    *server.agent.page.lock().unwrap() = "a".repeat(64 << 20);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    assert!(server.ask("GET", "/healthz").await.ends_with("ok\n"), "others are served");
    let closed = async {
        while server.stats.closed()[0] != ("slow", 1) {
            sleep(QUICK.farewell).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("it is hung up on");
    assert!(read(&mut stream).await.len() < 64 << 20, "the answer was cut off");
}

#[tokio::test]
async fn unread_answers_are_bounded() {
    let server = Server::start(Limits { unread: 40 << 20, ..QUICK }).await;
    *server.agent.page.lock().unwrap() = "a".repeat(32 << 20);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    let answer = server.ask("GET", "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 503 "));
    assert!(server.ask("GET", "/healthz").await.ends_with("ok\n"));
    drop(stream);
    while !server.ask("GET", "/metrics").await.starts_with("HTTP/1.1 200 ") {
        sleep(QUICK.farewell).await;
    }
}

#[tokio::test]
async fn a_flood_of_silent_peers_does_not_keep_a_scraper_out() {
    let server = Server::start(Limits { first_request: Duration::from_hours(1), ..QUICK }).await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(server.connect().await);
    }
    let answer = timeout(PATIENCE, server.ask("GET", "/metrics")).await.expect("it is answered");
    assert!(answer.ends_with("a 1\n"), "{answer}");
    assert_eq!(server.stats.closed()[1].0, "crowded");
    assert!(server.stats.closed()[1].1 >= 200 - QUICK.connections as u64);
}

#[tokio::test]
async fn shutdown_closes_idle_peers_and_frees_the_port() {
    let server = Server::start(Limits { first_request: Duration::from_hours(1), ..QUICK }).await;
    let mut silent = server.connect().await;
    assert!(server.ask("GET", "/healthz").await.ends_with("ok\n"));
    server.stop.send(()).unwrap();
    timeout(PATIENCE, server.running).await.unwrap().unwrap();
    assert_eq!(read(&mut silent).await, "");
    bind(server.address).await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_an_answer_finish() {
    let server = Server::start(Limits { farewell: Duration::from_secs(20), ..QUICK }).await;
    let page = "a".repeat(32 << 20);
    server.agent.page.lock().unwrap().clone_from(&page);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    server.stop.send(()).unwrap();
    assert!(read(&mut stream).await.ends_with(&page));
    server.running.await.unwrap();
}

#[tokio::test]
async fn a_taken_address_is_named_with_the_remedy() {
    let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind(address).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "cannot listen on {address}: address in use; \
             stop what listens there, or pass --listen with another port"
        )
    );
    let error = bind("192.0.2.1:19817".parse().unwrap()).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot listen on 192.0.2.1:19817: this host has no such address; \
         pass --listen with one that it has"
    );
}

/// Longer than it takes until something is new.
const PATIENT: Limits =
    Limits { first_request: Duration::from_secs(20), next_request: Duration::from_secs(20), ..QUICK };

impl Server {
    /// Somebody who listens, once the server has answered.
    async fn listener(&self, query: &str) -> (TcpStream, String) {
        let mut stream = self.connect().await;
        stream.write_all(format!("GET /live{query} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
        }
        (stream, String::from_utf8(head).unwrap())
    }
}

/// Waits until this was said.
async fn hear(stream: &mut TcpStream, words: &str) {
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(words) {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut said)).await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn what_is_new_is_made_once_for_all_who_listen_and_keeps_no_scraper_out() {
    let server = Server::start(PATIENT).await;
    let mut listeners = Vec::new();
    for _ in 0..live::MOST_LISTENERS {
        let (stream, head) = server.listener("").await;
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.contains("\r\ncontent-type: text/event-stream\r\n"),
            "{head}"
        );
        listeners.push(stream);
    }
    let refused = server.ask("GET", "/live").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.ends_with(live::TOO_MANY), "{refused}");
    for _ in 0..3 {
        assert!(server.ask("GET", "/metrics").await.ends_with("a 1\n"));
    }
    for stream in &mut listeners {
        // Longer than a connection may be silent: what is taken keeps it open.
        hear(stream, "data: Counts 2\n\n").await;
    }
    let made = server.agent.news.load(Relaxed);
    assert!((2..8).contains(&made), "{made} times");
    assert_eq!(server.stats.closed().map(|(_, count)| count), [0, 0]);
    // Once they are gone, nothing is made any more, and others may listen.
    drop(listeners);
    let is_free = async {
        while !server.listener("?sensor=b").await.1.starts_with("HTTP/1.1 200 ") {
            sleep(QUICK.farewell).await;
        }
    };
    timeout(PATIENCE, is_free).await.expect("there is a place again");
}

#[tokio::test]
async fn different_pages_that_are_listened_to_are_bounded() {
    let server = Server::start(PATIENT).await;
    for _ in 0..live::MOST_LISTENERS {
        let (_, head) = server.listener(&format!("?sensor={NONE}")).await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    }
    let mut listeners = Vec::new();
    for number in 0.. {
        let (stream, head) = server.listener(&format!("?sensor={number}")).await;
        if head.starts_with("HTTP/1.1 503 ") {
            break;
        }
        assert!(number < live::MOST_LISTENERS, "as many pages as listeners");
        listeners.push(stream);
    }
    assert!(listeners.len() > 1);
    assert!(server.listener("?sensor=0").await.1.starts_with("HTTP/1.1 200 "), "one that is made anyway");
}

#[tokio::test]
async fn a_page_that_cannot_be_made_ends_for_who_listens() {
    let server = Server::start(PATIENT).await;
    let (mut stream, _) = server.listener("").await;
    *server.agent.trouble.lock().unwrap() = Some("eth0 is gone");
    timeout(PATIENCE, read(&mut stream)).await.expect("it ends");
    assert!(server.ask("GET", "/healthz").await.ends_with("ok\n"));
}

/// Who has ended listening is one of all again, and makes room for others.
#[tokio::test]
async fn who_has_listened_makes_room_again() {
    let patient = Duration::from_hours(1);
    let server = Server::start(Limits { first_request: patient, next_request: patient, ..QUICK }).await;
    *server.agent.trouble.lock().unwrap() = Some("it is gone");
    let mut ended = Vec::new();
    for _ in 0..QUICK.connections {
        ended.push(server.listener("").await.0);
    }
    for stream in &mut ended {
        // The last of an answer's pieces is empty.
        hear(stream, "0\r\n\r\n").await;
    }
    assert_eq!(server.stats.closed()[1], ("crowded", 0));
    let _silent = server.connect().await;
    let crowded = async {
        while server.stats.closed()[1].1 == 0 {
            sleep(QUICK.farewell).await;
        }
    };
    timeout(PATIENCE, crowded).await.expect("one makes room");
}

/// What a reload forbids, nobody sees any more, whenever he came.
#[tokio::test]
async fn who_may_see_less_by_now_has_to_ask_again() {
    let server = Server::start(PATIENT).await;
    server.addresses_on_loopback.store(true, Relaxed);
    let (mut stream, _) = server.listener("").await;
    hear(&mut stream, "data: Addresses 1\n\n").await;
    server.addresses_on_loopback.store(false, Relaxed);
    assert!(!timeout(PATIENCE, read(&mut stream)).await.expect("it ends").contains("Addresses"));
}
