//! Peers that say nothing, send junk, or never read: the agent goes on serving everybody else.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, LISTEN, Launch};
use sensor_harness::http::connect;
use sensor_harness::needs_root;
use sensor_harness::wire::Wire;

fn start() -> Result<(Wire, AgentProcess)> {
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    Ok((wire, agent))
}

/// A scrape works.
fn scrape(agent: &AgentProcess) -> Result<()> {
    let page = agent.metrics()?;
    ensure!(page.contains("sensor_packets_total"), "{page}");
    Ok(())
}

fn peers(wire: &Wire, count: usize) -> Result<Vec<TcpStream>> {
    (0..count).map(|_| connect(&wire.near.namespace, LISTEN)).collect()
}

#[rstest]
#[case::nothing(b"")]
#[case::half_a_request(b"GET /metr")]
#[case::endless_headers(b"GET /metrics HTTP/1.1\r\nA: b\r\n")]
#[case::a_body_that_never_comes(b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")]
fn those_who_stop_talking(#[case] said: &[u8]) -> Result<()> {
    needs_root!();
    let (wire, agent) = start()?;
    let mut peers = peers(&wire, 100)?;
    for peer in &mut peers {
        peer.write_all(said)?;
    }
    scrape(&agent)?;
    drop(peers);
    scrape(&agent)
}

#[rstest]
#[case::another_protocol(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec())]
#[case::zeros(vec![0; 100_000])]
#[case::a_huge_line(vec![b'A'; 1_000_000])]
#[case::a_huge_header([b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'b'; 1_000_000]].concat())]
#[case::many_headers([b"GET / HTTP/1.1\r\n".to_vec(), b"A: b\r\n".repeat(10_000)].concat())]
#[case::lies(b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec())]
#[case::no_version(b"GET /\r\n\r\n".to_vec())]
fn those_who_send_junk(#[case] junk: Vec<u8>) -> Result<()> {
    needs_root!();
    let (wire, agent) = start()?;
    for mut peer in peers(&wire, 20)? {
        // The agent may hang up before it has heard it all.
        if peer.write_all(&junk).is_ok() {
            drop(peer.shutdown(Shutdown::Write));
        }
        let mut answer = Vec::new();
        drop(peer.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        ensure!(!answer.starts_with("HTTP/1.1 200"), "it answered {answer:?}");
    }
    scrape(&agent)
}

#[test]
fn those_who_never_read() -> Result<()> {
    needs_root!();
    let (wire, agent) = start()?;
    let mut peers = peers(&wire, 50)?;
    for peer in &mut peers {
        // As many pages as the agent will take requests for, until nothing more fits.
        peer.set_write_timeout(Some(Duration::from_millis(20)))?;
        let requests = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
        drop(peer.write_all(&requests));
    }
    scrape(&agent)
}

#[test]
fn five_hundred_idle_connections() -> Result<()> {
    needs_root!();
    let (wire, agent) = start()?;
    let peers = peers(&wire, 500)?;
    for _ in 0..5 {
        scrape(&agent)?;
    }
    drop(peers);
    Ok(())
}

/// Nobody keeps a connection for ever by saying nothing.
#[test]
fn silence_is_hung_up_on() -> Result<()> {
    needs_root!();
    let (wire, agent) = start()?;
    let mut silent = connect(&wire.near.namespace, LISTEN)?;
    silent.set_read_timeout(Some(Duration::from_mins(1)))?;
    silent.read_to_end(&mut Vec::new()).context("it was not hung up on")?;
    scrape(&agent)
}
