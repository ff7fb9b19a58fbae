//! As much HTTP as it takes to read a page.

use crate::namespace::Namespace;
use crate::pace::PATIENCE;
use anyhow::{Context as _, Result, ensure};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

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

fn parse(answer: &[u8]) -> Result<Response> {
    let text = String::from_utf8(answer.to_vec()).context("the answer is not text")?;
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no end of its headers")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .with_context(|| format!("not an HTTP status: {head:?}"))?;
    let response = Response { status, head: head.to_owned(), body: body.to_owned() };
    ensure!(
        !response.header("transfer-encoding").is_some_and(|it| it.contains("chunked")),
        "the answer is chunked, which this client can't read",
    );
    if let Some(length) = response.header("content-length") {
        let length: usize = length.parse().context("content-length is no number")?;
        ensure!(body.len() == length || body.is_empty(), "{} bytes of {length} came", body.len());
    }
    Ok(response)
}
