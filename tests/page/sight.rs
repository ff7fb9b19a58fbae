//! Who sees what: decided by the socket that a connection came in by.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::needs_root;
use sensor_harness::pace::until;

use super::{SOURCES, Scene, page, syn};

/// What is served at a path of the Unix socket.
pub fn by_unix_socket(scene: &Scene, path: &str, host: &str) -> Result<String> {
    let mut stream = UnixStream::connect(scene.pins.page_socket())?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Which of the sources a page shows.
fn shown(page: &str) -> usize {
    SOURCES.iter().filter(|(address, _)| page.contains(&address.to_string())).count()
}

/// A sensor that was asked by three sources.
fn asked(more: &str) -> Result<Scene> {
    let scene = Scene::new(more)?;
    scene.send(&[syn(0, 23), syn(1, 445), syn(2, 6379)])?;
    scene.settled(3)?;
    Ok(scene)
}

#[rstest]
#[case::usual("", 0)]
#[case::told_not_to("[page]\naddresses_on_loopback = false\n", 0)]
#[case::told_to("[page]\naddresses_on_loopback = true\n", 3)]
fn tcp_shows_addresses_only_where_it_is_told_to(#[case] more: &str, #[case] addresses: usize) -> Result<()> {
    needs_root!();
    let scene = asked(more)?;
    for path in ["/", "/port/23/tcp", "/?without=known-scanners"] {
        let expected = if path == "/port/23/tcp" { addresses.min(1) } else { addresses };
        assert_eq!(shown(&page(&scene.agent, path)?), expected, "{path}");
    }
    // No document for programs has any.
    for path in ["/metrics", "/api/v1/slots"] {
        assert_eq!(shown(&page(&scene.agent, path)?), 0, "{path}");
    }
    Ok(())
}

#[test]
fn the_unix_socket_shows_addresses_to_those_who_may_connect() -> Result<()> {
    needs_root!();
    let scene = asked("")?;
    let answer = by_unix_socket(&scene, "/", "localhost")?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(shown(&answer), 3);
    let mode = std::fs::metadata(scene.pins.page_socket())?.permissions().mode() & 0o777;
    ensure!([0o600, 0o660].contains(&mode), "{mode:o}");
    // A web page that has made its own name point at what `ssh -L` brings.
    let answer = by_unix_socket(&scene, "/", "evil.example")?;
    ensure!(answer.starts_with("HTTP/1.1 421 ") && shown(&answer) == 0, "{answer}");
    Ok(())
}

/// A reload decides anew, of connections that are open too.
#[test]
fn a_reload_decides_anew() -> Result<()> {
    needs_root!();
    let scene = asked("")?;
    assert_eq!(shown(&page(&scene.agent, "/")?), 0);
    scene.agent.rewrite_config(&format!("{}[page]\naddresses_on_loopback = true\n", scene.config))?;
    scene.agent.signal(Signal::SIGHUP)?;
    until(|| Ok(shown(&page(&scene.agent, "/")?) == 3), || scene.agent.stderr())
}

#[test]
fn browsers_are_told_what_they_may_do() -> Result<()> {
    needs_root!();
    let scene = Scene::new("")?;
    for path in ["/", "/port/23/tcp", "/page.css", "/page.js", "/metrics", "/none"] {
        let response = scene.agent.get(path)?;
        let header = |name| response.header(name).with_context(|| format!("{path} has no {name}"));
        let policy = header("content-security-policy")?;
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]
        {
            ensure!(policy.contains(part), "{path}: {policy}");
        }
        ensure!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(header("x-content-type-options")?, "nosniff");
        assert_eq!(header("referrer-policy")?, "no-referrer");
        for never in ["set-cookie", "access-control-allow-origin"] {
            assert_eq!(response.header(never), None, "{path}");
        }
    }
    Ok(())
}
