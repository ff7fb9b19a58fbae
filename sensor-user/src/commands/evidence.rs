//! `sensor evidence`: packets that the agent keeps, as a table, as JSON, or as a pcapng file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::{Timestamp, Unit};
use sensor_common::noun::noun;
use serde_json::Value;

use crate::evidence::{Basis, Blocks, Found, Packet, Search};
use crate::kernel::check_names;
use crate::socket::{Client, Line, Question};
use crate::{cli, output};

/// How long the agent may look for the next packet: it reads through all that it keeps.
const PATIENCE: Duration = Duration::from_mins(10);
/// No interface gives longer frames: what a file says of how much is kept of each.
const SNAP_LENGTH: u32 = 262_144;

/// Asks the agent, and prints or writes what it says.
///
/// # Errors
/// No agent answers, it keeps no evidence, or the file cannot be written.
pub fn run(arguments: &cli::Evidence) -> Result<()> {
    let cli::Asked { pins, socket } = &arguments.agent;
    check_names(pins)?;
    let search = search(arguments)?;
    let from = search.from;
    let mut agent = Client::connect(pins, socket.as_deref())?;
    // Before the agent is asked: it would read in vain.
    let mut place: Box<dyn Place> = match &arguments.write {
        Some(path) => Box::new(Written::to(path)?),
        None if arguments.json => Box::new(Json),
        None => Box::new(Table::default()),
    };
    agent.ask(&Question::Evidence(search), PATIENCE)?;
    let mut pending = None;
    let mut basis = None;
    while let Some(line) = agent.next_line()? {
        match line {
            Line::Object(object) => {
                if let Some(found) = part::<Found>(&object, "packet") {
                    if arguments.write.is_some() {
                        pending = Some(found);
                        continue;
                    }
                    place.packet(&found, &[])?;
                }
                basis = basis.or(part::<Basis>(&object, "basis"));
            }
            Line::Packet(bytes) => {
                if let Some(found) = pending.take() {
                    place.packet(&found, &bytes)?;
                }
            }
        }
    }
    let basis = basis.context("the agent does not say what its answer rests on: see its log")?;
    place.end(&basis, &in_words(&basis, from))
}

fn part<T: serde::de::DeserializeOwned>(object: &Value, name: &str) -> Option<T> {
    serde_json::from_value(object.get(name)?.clone()).ok()
}

fn search(arguments: &cli::Evidence) -> Result<Search> {
    let cli::Evidence { from, to, last, sensor, port, tool, source, constituency, write, .. } =
        arguments.clone();
    let from = match last {
        Some(last) => Some(Timestamp::now().checked_sub(last).context("--last is before all time")?),
        None => from,
    };
    Ok(Search {
        from,
        to,
        sensor,
        slot: port.map(|port| port.to_string()),
        tool,
        source: source.map(|source| source.to_string()),
        constituency,
        bytes: write.is_some(),
    })
}

/// Where what is found goes.
trait Place {
    fn packet(&mut self, found: &Found, bytes: &[u8]) -> Result<()>;
    fn end(self: Box<Self>, basis: &Basis, words: &str) -> Result<()>;
}

/// What the numbers rest on, in words; `from` is the begin of the time that was asked for.
fn in_words(basis: &Basis, from: Option<Timestamp>) -> String {
    let Basis { packets, kept, dropped, share, oldest, unreadable } = basis;
    let found = noun(*packets, "packet", "packets");
    let mut words = vec![format!("{packets} {found}, of {kept} that {} kept", noun(*kept, "is", "are"))];
    if *dropped == 0 {
        words.push("no others are known".to_owned());
    } else {
        let share = share * 100.0;
        let more = noun(*dropped, "more was", "more were");
        words.push(format!("{dropped} {more} counted and not kept, so this rests on {share:.1} %"));
    }
    if let (Some(oldest), Some(from)) = (oldest, from)
        && from < *oldest
    {
        words.push(format!("nothing is kept from before {oldest:.0}"));
    }
    if *unreadable > 0 {
        let files = noun(*unreadable, "file", "files");
        words.push(format!("{unreadable} {files} cannot be read, see the agent's log"));
    }
    words.join("; ")
}

#[derive(Default)]
struct Table {
    has_begun: bool,
}

impl Place for Table {
    fn packet(&mut self, found: &Found, _bytes: &[u8]) -> Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let head = ["time (UTC)", "source", "counted as", "tool", "bytes", "sensor"];
            output::print(&row(head[0], head[1], head[2], head[3], head[4], head[5]))?;
        }
        let time = found.time.round(Unit::Microsecond).unwrap_or(found.time);
        let length = found.length.to_string();
        let (source, tool) = (found.source.as_deref().unwrap_or("-"), found.tool.as_deref().unwrap_or("-"));
        output::print(&row(&time.to_string(), source, &found.slot, tool, &length, &found.sensor))
    }

    fn end(self: Box<Self>, _basis: &Basis, words: &str) -> Result<()> {
        output::print(&format!("{words}\n"))
    }
}

/// Names of sensors come last: they are of any length.
fn row(time: &str, source: &str, slot: &str, tool: &str, length: &str, sensor: &str) -> String {
    format!("{time:<27}  {source:<24}  {slot:<16}  {tool:<12}  {length:>5}  {sensor}\n")
}

struct Json;

impl Place for Json {
    fn packet(&mut self, found: &Found, _bytes: &[u8]) -> Result<()> {
        output::print(&format!("{}\n", serde_json::json!({ "packet": found })))
    }

    fn end(self: Box<Self>, basis: &Basis, _words: &str) -> Result<()> {
        output::print(&format!("{}\n{}\n", serde_json::json!({ "basis": basis }), r#"{"end":true}"#))
    }
}

/// A pcapng file, which is there when it is whole.
struct Written {
    to: BufWriter<Box<dyn Write>>,
    blocks: Blocks,
    /// Where it is made, and where it belongs; `None` on standard output.
    paths: Option<(PathBuf, PathBuf)>,
}

impl Written {
    fn to(path: &Path) -> Result<Self> {
        let blocks = Blocks::new(SNAP_LENGTH, None)?;
        if path == Path::new("-") {
            let to: Box<dyn Write> = Box::new(io::stdout());
            return Ok(Self { to: BufWriter::new(to), blocks, paths: None });
        }
        let mut name =
            path.file_name().with_context(|| format!("{} names no file", path.display()))?.to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        // It has people's addresses in it.
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&part).with_context(|| failed(path))?;
        Ok(Self { to: BufWriter::new(Box::new(file)), blocks, paths: Some((part, path.to_owned())) })
    }

    fn failed(&self) -> String {
        self.paths
            .as_ref()
            .map_or_else(|| "cannot write to standard output".to_owned(), |(_, path)| failed(path))
    }
}

fn failed(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

impl Place for Written {
    fn packet(&mut self, found: &Found, bytes: &[u8]) -> Result<()> {
        let since_1970 = found.time.duration_since(Timestamp::UNIX_EPOCH);
        let Ok(time) = Duration::try_from(since_1970) else { bail!("a packet is from before 1970") };
        let packet = Packet {
            time,
            interface: found.interface.as_str().into(),
            sensor: found.sensor.as_str().into(),
            slot: found.slot.as_str().into(),
            tool: found.tool.as_deref().map(Into::into),
            cpu: found.cpu,
            number: found.number,
            dropped: found.dropped,
            length: found.length,
            bytes: bytes.into(),
        };
        let added = self.blocks.add(&packet);
        let written = added.and_then(|()| self.to.write_all(&self.blocks.take()));
        written.map_err(|error| anyhow!(error).context(self.failed()))
    }

    fn end(mut self: Box<Self>, _basis: &Basis, words: &str) -> Result<()> {
        let written = self.to.write_all(&self.blocks.take()).and_then(|()| self.to.flush());
        written.map_err(|error| anyhow!(error).context(self.failed()))?;
        if let Some((part, path)) = self.paths.take() {
            fs::rename(&part, &path).with_context(|| failed(&path))?;
            output::say(&format!("{}: {words}", path.display()));
        }
        Ok(())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.paths {
            // Half of an answer is none.
            drop(fs::remove_file(part));
        }
    }
}
