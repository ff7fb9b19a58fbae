//! As much HTTP as it takes to read a page.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, ensure};

use crate::namespace::Namespace;
use crate::pace::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The status line and headers, as they came.
    pub head: String,
    /// What follows them.
    pub body: String,
}

impl Response {
    /// A header's value; its name is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Connects from inside a namespace.
///
/// # Errors
/// If nobody answers there.
pub fn connect(namespace: &Namespace, address: SocketAddr) -> Result<TcpStream> {
    let stream = namespace
        .run(|| TcpStream::connect_timeout(&address, PATIENCE))?
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Gets a page from inside a namespace.
///
/// # Errors
/// If there is no answer, or it is no HTTP.
pub fn get(namespace: &Namespace, address: SocketAddr, path: &str) -> Result<Response> {
    request(namespace, address, "GET", path)
}

/// Makes a request without a body.
///
/// # Errors
/// As [`get`].
pub fn request(namespace: &Namespace, address: SocketAddr, method: &str, path: &str) -> Result<Response> {
    let mut stream = connect(namespace, address)?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("no answer to {method} {path}"))?;
    parse(&answer)
}

/// A connection that stays open from request to request, as Prometheus keeps one.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    /// Connects from inside a namespace.
    ///
    /// # Errors
    /// If nobody answers there.
    pub fn open(namespace: &Namespace, address: SocketAddr) -> Result<Self> {
        connect(namespace, address).map(Self)
    }

    /// Gets a page that is not empty, as the client of this name.
    ///
    /// # Errors
    /// If there is no answer, or it is no HTTP.
    pub fn get(&mut self, path: &str, client: &str) -> Result<Response> {
        let host = self.0.peer_addr()?;
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {client}\r\n\r\n")?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let length = self.0.read(&mut part).with_context(|| format!("no answer to {path}"))?;
            ensure!(length > 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..length]);
            // Until then it ends too early.
            match parse(&answer) {
                Ok(response) if !response.body.is_empty() => return Ok(response),
                _ => {}
            }
        }
    }
}

fn parse(answer: &[u8]) -> Result<Response> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("the answer has no end of its headers")?);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).context("the answer is not text");
    let head = text(head)?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .with_context(|| format!("not an HTTP status: {head:?}"))?;
    let mut response = Response { status, head, body: String::new() };
    let body = &body[4..];
    if response.header("transfer-encoding").is_some_and(|it| it.contains("chunked")) {
        response.body = text(&from_chunks(body)?)?;
        return Ok(response);
    }
    if let Some(length) = response.header("content-length") {
        let length: usize = length.parse().context("content-length is no number")?;
        ensure!(body.len() == length || body.is_empty(), "{} bytes of {length} came", body.len());
    }
    response.body = text(body)?;
    Ok(response)
}

/// Puts a body together that came in chunks (RFC 9112 §7.1); trailers are left out.
fn from_chunks(mut chunks: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").context("a chunk has no length")?;
        let line = std::str::from_utf8(&chunks[..end]).context("a chunk's length is not text")?;
        let length = line.split(';').next().unwrap_or(line).trim_end();
        let length = usize::from_str_radix(length, 16).with_context(|| format!("no length: {line:?}"))?;
        if length == 0 {
            return Ok(body);
        }
        let rest = &chunks[end + 2..];
        let (chunk, rest) = rest.split_at_checked(length).context("the last chunk is cut off")?;
        body.extend(chunk);
        chunks = rest.strip_prefix(b"\r\n").context("a chunk has no end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn chunks_are_put_together() -> Result<()> {
        let answer = format!("{CHUNKED}3;name=value\r\nab\r\r\nA\r\n0123456789\r\n0\r\n\r\n");
        assert_eq!(parse(answer.as_bytes())?.body, "ab\r0123456789");
        for cut in CHUNKED.len()..answer.len() - "0\r\n\r\n".len() {
            assert!(parse(&answer.as_bytes()[..cut]).is_err(), "{cut} bytes");
        }
        Ok(())
    }
}
