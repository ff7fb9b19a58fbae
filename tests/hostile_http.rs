//! Peers that say nothing, send junk, or never read: the agent goes on serving everybody else.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, LISTEN, Launch};
use sensor_harness::http::connect;
use sensor_harness::needs_root;
use sensor_harness::pace::PATIENCE;
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
        let requests = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
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

/// What the agent answers to a request that is sent whole, with nothing after it.
fn answer(wire: &Wire, request: &str) -> Result<String> {
    let mut peer = connect(&wire.near.namespace, LISTEN)?;
    peer.write_all(request.as_bytes())?;
    peer.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    peer.read_to_string(&mut answer).context("it was not answered")?;
    Ok(answer)
}

#[rstest]
#[case::address("GET / HTTP/1.1\r\nHost: 127.0.0.1:19817\r\n\r\n", 200, "")]
#[case::any_address("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", 200, "")]
#[case::localhost("GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 200, "")]
#[case::configured("GET / HTTP/1.1\r\nHost: Sensor-1.example.net:1\r\n\r\n", 200, "")]
#[case::whole_address("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "")]
#[case::old("GET / HTTP/1.0\r\n\r\n", 200, "")]
#[case::no_host("GET / HTTP/1.1\r\n\r\n", 400, "no Host header")]
#[case::two_hosts("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, "two Host headers")]
#[case::not_a_host("GET / HTTP/1.1\r\nHost: user@localhost\r\n\r\n", 400, "the Host is not a name")]
#[case::rebound("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "\"evil.example\"")]
#[case::rebound_with_a_port("GET /metrics HTTP/1.1\r\nHost: evil.example:19817\r\n\r\n", 421, "`hosts`")]
#[case::rebound_to_the_slots("GET /api/v1/slots HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "`hosts`")]
#[case::rebound_whole("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, "`hosts`")]
fn only_names_of_its_own_are_answered(
    #[case] request: &str,
    #[case] status: u16,
    #[case] said: &str,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _agent = Launch::new(&wire.near.namespace)
        .interface("sensor0")
        .config("hosts = [\"sensor-1.example.net\"]")
        .start()?;
    let answer = answer(&wire, request)?;
    let starts = format!("HTTP/1.{} {status} ", u8::from(!request.contains("HTTP/1.0")));
    ensure!(answer.starts_with(&starts), "{answer}");
    ensure!(answer.contains(said), "{answer}");
    ensure!(status == 200 || !answer.contains("sensor_packets_total"), "{answer}");
    Ok(())
}

/// A peer that has said all it wants to say, and closes its half, still gets its page.
#[rstest]
#[case::metrics("/metrics", "sensor_packets_total{")]
#[case::slots("/api/v1/slots", "{\"sensors\":[")]
fn half_closed(#[case] path: &str, #[case] expected: &str) -> Result<()> {
    needs_root!();
    let (wire, _agent) = start()?;
    let answer = answer(&wire, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
    ensure!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(expected), "{answer}");
    Ok(())
}

/// A reload changes by which names it may be asked.
#[test]
fn names_are_reloaded() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config("").start()?;
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    ensure!(answer(&wire, request)?.starts_with("HTTP/1.1 421 "), "it knows the name already");
    agent.rewrite_config("hosts = [\"a.example\"]")?;
    agent.signal(Signal::SIGHUP)?;
    let deadline = Instant::now() + PATIENCE;
    while !answer(&wire, request)?.starts_with("HTTP/1.1 200 ") {
        ensure!(Instant::now() < deadline, "it does not learn the name");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
