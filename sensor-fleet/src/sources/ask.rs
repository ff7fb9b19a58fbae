//! Asks agents, many at once within a bound, each for so long: by their socket on this machine, or by `ssh`, which runs
//! `sensor sources --json` on their host.
//!
//! An agent that does not answer in time, breaks off, or says too much, is named; it holds up nobody else.

use std::collections::VecDeque;
use std::io::{self, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::agents::{Agent, Way};
use super::answer::{self, Answer};
use super::asked::{Asked, ROWS};
use super::merge::Merge;
use super::outcome::Silent;

/// Bytes of an answer at most: so many rows have some 6 MB.
const MOST_BYTES: u64 = 32 << 20;
/// What is kept of what `ssh` says.
const MOST_SAID: u64 = 64 << 10;
/// Sensors of one agent at most.
const MOST_SENSORS: usize = 128;

/// How agents are asked.
#[derive(Clone, Debug)]
pub struct How {
    /// How long each may take, for all that is asked of it.
    pub timeout: Duration,
    /// So many at once.
    pub at_once: usize,
    /// What `ssh` takes in place of its own configuration.
    pub ssh_config: Option<PathBuf>,
}

/// Asks all of them.
#[must_use]
pub fn all(agents: Vec<Agent>, asked: &Asked, how: &How) -> Merge {
    let many = agents.len();
    let queue = Arc::new(Mutex::new(VecDeque::from(agents)));
    // Answers wait here for the one before: at most one for each that asks.
    let (tell, told) = mpsc::sync_channel(1);
    for _ in 0..how.at_once.min(many) {
        let (queue, tell, asked, how) = (Arc::clone(&queue), tell.clone(), asked.clone(), how.clone());
        thread::spawn(move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(agent) = next else { return };
                let answers = one(&agent, &asked, &how);
                if tell.send((agent.name, answers)).is_err() {
                    return;
                }
            }
        });
    }
    drop(tell);
    let mut merge = Merge::new();
    for (name, answers) in told {
        match answers {
            Ok(answers) => answers.into_iter().for_each(|answer| answer.merge(&name, asked, &mut merge)),
            Err(cause) => merge.silent(Silent { who: name, cause }),
        }
    }
    merge
}

/// Asks an agent: the sensors of its host, each by itself.
fn one(agent: &Agent, asked: &Asked, how: &How) -> Result<Vec<Answer>, String> {
    let until = Instant::now() + how.timeout;
    let ask = |sensor: Option<&str>| -> Result<Answer, String> {
        let bytes = match &agent.way {
            Way::Local(socket) => locally(socket, &question(asked, sensor), until),
            Way::Ssh(destination, socket) => {
                let command = command(asked, sensor, socket.as_deref());
                by_ssh(destination, &command, how, until)
            }
        };
        answer::read(&bytes.map_err(|cause| late(cause, how.timeout))?)
    };
    let first = ask(None)?;
    let sensors = first.sensors();
    match sensors.len() {
        0 => Err("it knows nothing of these hours: it was started later, keeps no evidence, or has no store that goes back so far".to_owned()),
        1 => Ok(vec![first]),
        2..=MOST_SENSORS => sensors.iter().map(|sensor| ask(Some(sensor))).collect(),
        many => Err(format!("it has {many} sensors, more than the {MOST_SENSORS} that a host can have")),
    }
}

/// What kept an answer from coming.
enum Cause {
    Late,
    TooLong,
    Other(String),
}

fn late(cause: Cause, timeout: Duration) -> String {
    match cause {
        Cause::Late => {
            format!(
                "no answer within {timeout:?}: is its host there, and does its agent run? A longer --timeout waits longer"
            )
        }
        Cause::TooLong => format!("its answer has more than {MOST_BYTES} bytes, as no agent's has"),
        Cause::Other(cause) => cause,
    }
}

/// The question, as the socket takes it.
fn question(asked: &Asked, sensor: Option<&str>) -> String {
    let mut question = json!({
        "version": 1, "ask": "sources", "from": asked.from, "to": asked.to, "by": "source", "limit": ROWS,
    });
    for (key, value) in [("sensor", sensor), ("slot", asked.slot.as_deref()), ("tool", asked.tool.as_deref())]
    {
        if let Some(value) = value {
            question[key] = value.into();
        }
    }
    format!("{question}\n")
}

/// The same as a command for a shell.
fn command(asked: &Asked, sensor: Option<&str>, socket: Option<&str>) -> String {
    let (from, to, limit) = (asked.from.to_string(), asked.to.to_string(), ROWS.to_string());
    let given = [
        ("--from", Some(from.as_str())),
        ("--to", Some(&to)),
        ("--limit", Some(&limit)),
        ("--sensor", sensor),
        ("--port", asked.slot.as_deref()),
        ("--tool", asked.tool.as_deref()),
        ("--socket", socket),
    ];
    // A name may begin with a dash.
    let option =
        |(name, value): (&str, Option<&str>)| value.map(|value| format!(" {name}={}", quoted(value)));
    "sensor sources --json".to_owned() + &given.into_iter().filter_map(option).collect::<String>()
}

/// One word to a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Asks a socket of this machine.
fn locally(socket: &Path, question: &str, until: Instant) -> Result<Vec<u8>, Cause> {
    let (path, question) = (socket.to_owned(), question.to_owned());
    // Not even to connect is sure to end, if nobody takes connections.
    let ask = move || {
        let mut stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(left(until)))?;
        stream.set_write_timeout(Some(left(until)))?;
        stream.write_all(question.as_bytes())?;
        let mut bytes = Vec::new();
        let mut piece = vec![0; 64 << 10];
        // An agent keeps the connection for the next question, so the end is a line.
        while !answer::is_whole(&bytes) && bytes.len() as u64 <= MOST_BYTES {
            match stream.read(&mut piece)? {
                0 => break,
                length => bytes.extend(piece.iter().take(length)),
            }
        }
        Ok(bytes)
    };
    let shown = socket.display();
    within(ask, until)?.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Cause::Late,
        _ => Cause::Other(format!("cannot ask {shown}: {error}; is the agent running, and may you ask it?")),
    })
}

/// Has `ssh` run a command on a host.
fn by_ssh(destination: &str, command: &str, how: &How, until: Instant) -> Result<Vec<u8>, Cause> {
    let mut ssh = Command::new("ssh");
    if let Some(config) = &how.ssh_config {
        ssh.arg("-F").arg(config);
    }
    let connect = left(until).as_secs().max(1);
    ssh.args([
        "-T",
        "-o",
        "BatchMode=yes",
        "-o",
        &format!("ConnectTimeout={connect}"),
        "--",
        destination,
        command,
    ]);
    ssh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        ssh.spawn().map_err(|error| Cause::Other(format!("cannot run ssh: {error}; install it")))?;
    let (output, said) = (child.stdout.take(), child.stderr.take());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(said.map_or_else(String::new, last_line)));
    let bytes =
        within(move || output.map_or_else(|| Ok(Vec::new()), |output| read(output, MOST_BYTES + 1)), until);
    let bytes = match bytes {
        Ok(Ok(bytes)) if bytes.len() as u64 <= MOST_BYTES => bytes,
        Ok(Ok(_)) => return Err(ended(&mut child, Cause::TooLong)),
        Ok(Err(error)) => {
            return Err(ended(&mut child, Cause::Other(format!("cannot read what ssh says: {error}"))));
        }
        Err(cause) => return Err(ended(&mut child, cause)),
    };
    // It has closed its output, so it ends soon, if it has not been stopped.
    while left(until) > Duration::ZERO {
        match child.try_wait() {
            Ok(Some(status)) if status.success() || answer::is_whole(&bytes) => return Ok(bytes),
            Ok(Some(status)) => {
                let said = told.recv_timeout(left(until).min(Duration::from_secs(1))).unwrap_or_default();
                let said = if said.is_empty() { status.to_string() } else { said };
                return Err(Cause::Other(format!("ssh {destination} failed: {said}")));
            }
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
    Err(ended(&mut child, Cause::Late))
}

/// Ends a child, and gives the cause.
fn ended(child: &mut Child, cause: Cause) -> Cause {
    // Both fail only if it is gone already.
    drop(child.kill());
    drop(child.wait());
    cause
}

/// Does something that may never end on a thread that is left to itself then.
fn within<T: Send + 'static>(doing: impl FnOnce() -> T + Send + 'static, until: Instant) -> Result<T, Cause> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(doing()));
    told.recv_timeout(left(until)).map_err(|error| match error {
        RecvTimeoutError::Timeout => Cause::Late,
        RecvTimeoutError::Disconnected => Cause::Other("asking it failed".to_owned()),
    })
}

fn read(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last line that says something.
fn last_line(from: impl Read) -> String {
    let said = read(from, MOST_SAID).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// The time until then; at least a moment, since none at all means for ever to some.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gets_each_value_as_one_word() {
        let time = |text: &str| text.parse().unwrap();
        let asked = Asked {
            from: time("2026-05-10T08:00:00Z"),
            to: time("2026-05-10T09:00:00Z"),
            slot: Some("23/tcp".to_owned()),
            tool: None,
        };
        let expected = "sensor sources --json --from='2026-05-10T08:00:00Z' --to='2026-05-10T09:00:00Z' --limit='10000' \
                        --sensor='it'\\''s; rm -rf /' --port='23/tcp' --socket='/run/a b.sock'";
        assert_eq!(command(&asked, Some("it's; rm -rf /"), Some("/run/a b.sock")), expected);
        let question = question(&asked, Some("a\"b"));
        assert!(question.contains(r#""sensor":"a\"b""#) && question.ends_with("}\n"), "{question}");
    }
}
