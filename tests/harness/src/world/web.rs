//! The world's web servers: they give as much as is asked for, and take whatever is brought.
//!
//! `GET /N` gives the first `N` bytes of [`body`]; `PUT` of anything that is such a beginning is answered
//! with its length.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::namespace::Namespace;
use crate::sender::pin_to_cpu;

/// Where they listen.
pub const WEB_PORT: u16 = 80;

/// The first `length` bytes of what the servers have.
#[must_use]
pub fn body(length: usize) -> Vec<u8> {
    // A prime: no two segments are alike.
    (0..=250).cycle().take(length).collect()
}

/// A server; dropping it ends it.
#[derive(Debug)]
pub(super) struct Web {
    stop: Arc<AtomicBool>,
}

impl Web {
    /// Listens in a namespace, for both families.
    pub fn serve(namespace: &Namespace, cpu: Option<usize>) -> Result<Self> {
        let listener = namespace
            .run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, WEB_PORT)))?
            .with_context(|| format!("cannot listen on port {WEB_PORT}"))?;
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => drop(thread::spawn(move || answer(&stream, cpu))),
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Ok(Self { stop })
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Answers one request. Whoever asks sees a failure as an answer that is cut off.
fn answer(mut stream: &TcpStream, cpu: Option<usize>) -> Result<()> {
    cpu.map_or(Ok(()), pin_to_cpu)?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut request)? > 0, "the request has no end");
    }
    let answer = if let Some(rest) = request.strip_prefix("GET /") {
        let length = rest.split(' ').next().unwrap_or_default();
        body(length.parse().context("the path is no number")?)
    } else {
        let lengths = request.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = lengths.context("no length")?.parse().context("the length is no number")?;
        let mut brought = vec![0; length];
        reader.read_exact(&mut brought)?;
        ensure!(brought == body(length), "what was brought is damaged");
        length.to_string().into_bytes()
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    stream.write_all(head.as_bytes())?;
    Ok(stream.write_all(&answer)?)
}
