//! What people do on and to a sensor host, each with the real programs that do it.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::world::{
    Conversation, Family, LARGE_NAME, NARROW_MTU, Place, Program, SMALL_NAME, WEB_PORT, World, body,
};
use tempfile::tempdir;

/// What it is, and how it is done over one family; it fails if it doesn't work.
pub type Errand = (&'static str, fn(&World, Family) -> Result<()>);

/// All of them.
pub const ERRANDS: &[Errand] = &[
    ("ssh of the administrator to the host", ssh_in),
    ("ssh from the host", ssh_out),
    ("curl", curl),
    ("dig", dig),
    ("dig of an answer in fragments", dig_large),
    ("getent", getent),
    ("ping from the host", ping_out),
    ("ping of the administrator", ping_in),
    // Before the download: a server that has met the narrow link asks for short segments.
    ("upload across the narrow link", upload),
    ("download across the narrow link", download),
    ("scp to the administrator across the narrow link", scp),
];

/// Those that take a moment only.
pub const QUICK_ERRANDS: &[Errand] = &[
    ("ssh of the administrator to the host", ssh_in),
    ("curl", curl),
    ("dig of an answer in fragments", dig_large),
    ("getent", getent),
];

/// Bytes of a long transfer: many windows of segments.
const LONG: usize = 3_000_000;

fn ssh_in(world: &World, family: Family) -> Result<()> {
    let said = world.ssh(Place::Administrator, Place::Host, family, "echo hello")?.output()?;
    ensure!(said == "hello\n", "the host said {said:?}");
    Ok(())
}

fn ssh_out(world: &World, family: Family) -> Result<()> {
    let said = world.ssh(Place::Host, Place::Outside, family, "echo hello")?.output()?;
    ensure!(said == "hello\n", "the server said {said:?}");
    Ok(())
}

fn curl(world: &World, family: Family) -> Result<()> {
    get(world, Place::Outside, family, 1000)
}

fn download(world: &World, family: Family) -> Result<()> {
    get(world, Place::Far, family, LONG)
}

/// Gets so many bytes of a server, and sees that they are the right ones.
fn get(world: &World, from: Place, family: Family, length: usize) -> Result<()> {
    let folder = tempdir()?;
    let file = folder.path().join("page");
    let url = url(world, from, family, &length.to_string());
    curl_program(world)?.arg("-o").arg(&file).arg(url).output()?;
    ensure!(fs::read(&file)? == body(length), "the page is not what the server has");
    Ok(())
}

fn upload(world: &World, family: Family) -> Result<()> {
    let folder = tempdir()?;
    let file = folder.path().join("page");
    fs::write(&file, body(LONG))?;
    let url = url(world, Place::Far, family, "page");
    // Without it curl waits a second for leave to go on.
    let took = curl_program(world)?.args("-H Expect: -T").arg(&file).arg(url).output()?;
    ensure!(took == LONG.to_string(), "the server took {took:?} of {LONG} bytes");
    knows_the_narrow_link(world, Place::Far, family)
}

fn scp(world: &World, family: Family) -> Result<()> {
    let folder = tempdir()?;
    let [there, here] = ["there", "here"].map(|name| folder.path().join(name));
    fs::write(&there, body(LONG))?;
    world.fetch(Place::Host, Place::Administrator, family, [&there, &here])?.output()?;
    ensure!(fs::read(&here)? == body(LONG), "the file is not what the host has");
    knows_the_narrow_link(world, Place::Administrator, family)
}

/// The router's errors reached the host: nothing else could have told it.
fn knows_the_narrow_link(world: &World, to: Place, family: Family) -> Result<()> {
    let mtu = world.path_mtu(Place::Host, to, family)?;
    ensure!(mtu == Some(NARROW_MTU), "the host takes the path's MTU for {mtu:?}, not {NARROW_MTU}");
    Ok(())
}

fn curl_program(world: &World) -> Result<Program> {
    Ok(world.program(Place::Host, "curl")?.args("-q -sS --fail --noproxy * --max-time 30"))
}

fn url(world: &World, server: Place, family: Family, path: &str) -> String {
    let server = std::net::SocketAddr::new(world.address(server, family), WEB_PORT);
    format!("http://{server}/{path}")
}

fn dig(world: &World, family: Family) -> Result<()> {
    let kind = if family == Family::V4 { "A" } else { "AAAA" };
    let answer = dig_program(world, family)?.args(&format!("+short {SMALL_NAME} {kind}")).output()?;
    let expected = world.address(Place::Far, family).to_string();
    ensure!(answer.trim() == expected, "{SMALL_NAME} is {answer:?}, not {expected}");
    Ok(())
}

/// In one UDP answer that is longer than a frame; TCP is not tried.
fn dig_large(world: &World, family: Family) -> Result<()> {
    let counter = if family == Family::V4 { "IpReasmOKs" } else { "Ip6ReasmOKs" };
    let before = world.statistic(Place::Host, counter)?;
    let question = format!("+bufsize=4096 +ignore {LARGE_NAME} TXT");
    let answer = dig_program(world, family)?.args(&question).output()?;
    let length: Option<u32> =
        answer.lines().find_map(|line| line.strip_prefix(";; MSG SIZE  rcvd: ")?.parse().ok());
    ensure!(length.is_some_and(|length| length > 3000), "the answer is too short: {answer}");
    let after = world.statistic(Place::Host, counter)?;
    ensure!(after > before, "the answer came in no fragments");
    Ok(())
}

fn dig_program(world: &World, family: Family) -> Result<Program> {
    let server = world.address(Place::Outside, family);
    Ok(world.program(Place::Host, "dig")?.args(&format!("@{server} +notcp +tries=2 +time=5")))
}

fn getent(world: &World, family: Family) -> Result<()> {
    let answer = world.resolving("getent", family)?.args(&format!("hosts {SMALL_NAME}")).output()?;
    ensure!(answer.contains(SMALL_NAME), "getent printed {answer:?}");
    Ok(())
}

fn ping_out(world: &World, family: Family) -> Result<()> {
    every_echo(ping(world, Place::Host, Place::Outside, family)?)
}

fn ping_in(world: &World, family: Family) -> Result<()> {
    every_echo(ping(world, Place::Administrator, Place::Host, family)?)
}

fn every_echo((asked, answered): (u64, u64)) -> Result<()> {
    ensure!(answered == asked, "{answered} of {asked} echo requests were answered");
    Ok(())
}

/// A stranger's echo requests to the host: how many, and how many were answered.
pub fn echo_to_stranger(world: &World, family: Family) -> Result<(u64, u64)> {
    ping(world, Place::Scanner, Place::Host, family)
}

/// Echo requests sent and answered.
fn ping(world: &World, from: Place, to: Place, family: Family) -> Result<(u64, u64)> {
    let to = world.address(to, family).to_string();
    // Without an answer it fails, which is for the caller to judge.
    let said = world.program(from, "ping")?.args("-n -q -c 3 -i 0.2 -W 1").arg(&to).run()?.stdout;
    let line = said.lines().find(|line| line.contains(" packets transmitted, "));
    let line = line.with_context(|| format!("ping printed {said:?}"))?;
    let number = |part: &str| part.split_whitespace().next()?.parse().ok();
    let mut parts = line.split(", ").map(number);
    let (sent, received) = (parts.next().flatten(), parts.next().flatten());
    sent.zip(received).with_context(|| format!("ping printed {line:?}"))
}

/// SSH sessions of the administrator on the host and of the host on a server, over both families.
pub struct Sessions(Vec<(String, Conversation)>);

impl Sessions {
    /// Opens them.
    pub fn open(world: &World) -> Result<Self> {
        let mut sessions = Vec::new();
        for (from, to) in [(Place::Administrator, Place::Host), (Place::Host, Place::Outside)] {
            for family in Family::BOTH {
                let session = world.ssh(from, to, family, "cat")?.converse()?;
                sessions.push((format!("the session from {from:?} to {to:?}, {family:?}"), session));
            }
        }
        let mut sessions = Self(sessions);
        sessions.still_work("before anything else")?;
        Ok(sessions)
    }

    /// Whether what is typed in each still comes back.
    pub fn still_work(&mut self, when: &str) -> Result<()> {
        for (name, session) in &mut self.0 {
            let answer = session.exchange(when).with_context(|| format!("{name}, {when}"))?;
            ensure!(answer == when, "{name} answered {answer:?} to {when:?}");
        }
        Ok(())
    }
}
