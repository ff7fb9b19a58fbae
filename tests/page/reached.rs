//! How others reach the page, as `docs/page.md` shows it: `ssh -L`, and nginx with TLS and a login.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::Launch;
use sensor_harness::frame::frame;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::proxy::{Proxy, nginx};
use sensor_harness::sender::Sender;
use sensor_harness::world::{self, Family, NIC, Place, RULE, SENSOR, World};
use sensor_harness::{http, workspace};

use super::{Scene, syn};

const PROXY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9_443);
const FORWARDED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8_080);

/// A block of the document in this language.
fn documented(language: &str) -> Result<String> {
    let text = fs::read_to_string(workspace().join("docs/page.md"))?;
    let block = text.split_once(&format!("```{language}\n")).and_then(|(_, rest)| rest.split_once("```"));
    Ok(block.with_context(|| format!("the document shows no {language}"))?.0.to_owned())
}

/// What curl says in a namespace.
fn curl(namespace: &Namespace, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error"]).args(arguments).stdin(Stdio::null());
    let output = namespace.run(|| command.output())??;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn nginx_asks_for_a_login() -> Result<()> {
    needs!(nginx());
    let scene = Scene::new("")?;
    scene.send(&[syn(0, 23)])?;
    scene.settled(1)?;
    let near = &scene.wire.near.namespace;
    // The document's own words, but for places that are the test's.
    let mut server = documented("nginx")?;
    let socket = scene.pins.page_socket().display().to_string();
    for (word, place) in [
        ("listen 443 ssl", &*format!("listen {PROXY} ssl")),
        ("/etc/ssl/sensor.pem", "server.pem"),
        ("/etc/ssl/sensor.key", "server.key"),
        ("/etc/nginx/sensor.users", "users"),
        ("/run/sensor/page.sock", &*socket),
    ] {
        ensure!(server.contains(word), "the document has no {word}");
        server = server.replace(word, place);
    }
    let hashed = Command::new("openssl").args(["passwd", "-apr1", "secret"]).output()?;
    let users = format!("operator:{}", String::from_utf8(hashed.stdout)?);
    let proxy = Proxy::serving(near, PROXY, &server, &[("users", &users)])?;
    let authority = proxy.path("authority.pem").display().to_string();
    let ask = |path: &str, more: &[&str]| {
        let url = format!("https://localhost:{}{path}", PROXY.port());
        curl(near, &[&["--cacert", &authority, &url], more].concat())
    };
    let login = ["--user", "operator:secret"];
    let stranger = ask("/", &["--write-out", "%{http_code}"])?;
    ensure!(stranger.ends_with("401") && !stranger.contains("203.0.113.9"), "{stranger}");
    let page = ask("/", &login)?;
    ensure!(page.contains("203.0.113.9") && page.contains("23/TCP"), "{page} {}", proxy.log());
    let port = ask("/port/23/tcp", &login)?;
    ensure!(port.contains("23/TCP (Telnet)"), "{port}");
    // What is new comes at once.
    let live = ask("/live", &["--user", "operator:secret", "--no-buffer", "--max-time", "5"])?;
    ensure!(live.matches("event: parts").count() >= 2, "{live}");
    Ok(())
}

/// A child that is killed when it goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn ssh_brings_the_socket_to_a_browser() -> Result<()> {
    needs!(world::possible());
    let (world, pins, folder) = (World::new()?, Pins::new()?, tempfile::tempdir()?);
    let evidence = format!("[evidence]\npath = \"{}\"\n", folder.path().join("evidence").display());
    // The server of the world has a `/run` of its own.
    let socket = folder.path().join("page.sock").display().to_string();
    let config = format!("{SENSOR}{RULE}{evidence}[page]\npath = \"{socket}\"\n");
    let agent = Launch::new(world.at(Place::Host)).interface(NIC).config(&config).pins(&pins).start()?;
    let from = Ipv4Addr::new(203, 0, 113, 9);
    let to = world.address(Place::Host, Family::V4);
    Sender::new(world.wire())?.send(&[frame().ipv4().from(from).to(to).tcp(23).syn().bytes()])?;

    let shown = documented("console")?;
    ensure!(shown.contains("sensor run"), "another block: {shown}");
    let text = fs::read_to_string(workspace().join("docs/page.md"))?;
    let usual = "-L 8080:/run/sensor/page.sock";
    ensure!(text.contains(&format!("ssh {usual} ")), "the document shows another command");
    let forward = usual.replace("/run/sensor/page.sock", &socket);
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(world.ssh_config()?).args(forward.split(' ')).arg("-N");
    ssh.arg(format!("root@{}", world.address(Place::Host, Family::V4)));
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let administrator = world.at(Place::Administrator);
    administrator.start_in(&mut ssh, Signal::SIGKILL);
    let _ssh = Running(ssh.spawn()?);
    let page = || http::get(administrator, FORWARDED, "/");
    until(
        || Ok(page().is_ok_and(|page| page.status == 200 && page.body.contains(&from.to_string()))),
        || format!("{:?} {}", page(), agent.stderr()),
    )
}
