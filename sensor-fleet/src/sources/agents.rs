//! The file that names the agents: a line for each, `NAME DESTINATION [SOCKET]`.
//!
//! A destination is what `ssh` takes, a host or `user@host` or a name of its configuration; `local` is this machine.
//! Empty lines and those that begin with `#` say nothing.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::output::is_harmful;

/// Where an agent of the same machine listens, unless its line says otherwise.
const SOCKET: &str = "/run/sensor/sensor.sock";
/// The destination that is this machine.
const LOCAL: &str = "local";
/// Agents of a file at most.
const MOST: usize = 10_000;
/// Bytes of the file at most.
const MOST_BYTES: u64 = 8 << 20;

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// What it is called in answers.
    pub name: String,
    /// How it is reached.
    pub way: Way,
}

/// A way to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its socket, on this machine.
    Local(PathBuf),
    /// Its host, by `ssh`, and its socket there, where that is not the usual one.
    Ssh(String, Option<String>),
}

/// The agents that a file names.
///
/// # Errors
/// It cannot be read, or a line is wrong: which, and how to write it.
pub fn read(path: &Path) -> Result<Vec<Agent>> {
    let shown = path.display();
    let read =
        || format!("cannot read {shown}: name a file with a line NAME DESTINATION [SOCKET] for each agent");
    let length = fs::metadata(path).with_context(read)?.len();
    if length > MOST_BYTES {
        bail!(
            "{shown} has {length} bytes, more than the {MOST_BYTES} of a list of agents: name another file"
        );
    }
    let text = fs::read_to_string(path).with_context(read)?;
    let mut names = HashSet::new();
    let mut agents = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let agent = agent(line).and_then(|agent| {
            let is_new = names.insert(agent.name.clone());
            let twice = || format!("{:?} stands there twice: give each agent a name of its own", agent.name);
            if is_new { Ok(agent) } else { Err(twice()) }
        });
        match agent {
            Ok(agent) => agents.push(agent),
            Err(cause) => bail!("{shown}:{number}: {cause}"),
        }
        if agents.len() > MOST {
            bail!("{shown} has more than {MOST} agents: ask them in parts");
        }
    }
    if agents.is_empty() {
        bail!("{shown} names no agent: write a line NAME DESTINATION [SOCKET] for each");
    }
    Ok(agents)
}

fn agent(line: &str) -> Result<Agent, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(destination), socket, None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("a line is NAME DESTINATION [SOCKET]".to_owned());
    };
    if line.contains(is_harmful) {
        return Err("it has a character that controls a terminal: take it out".to_owned());
    }
    // What begins with a dash is no destination to ssh, but an option.
    if destination.starts_with('-') {
        return Err(format!("{destination:?} is no destination: write a host, user@host or {LOCAL}"));
    }
    if let Some(socket) = socket.filter(|socket| !socket.starts_with('/')) {
        return Err(format!("{socket:?} is no path of a socket: write it from / on"));
    }
    let way = match destination {
        LOCAL => Way::Local(socket.unwrap_or(SOCKET).into()),
        host => Way::Ssh(host.to_owned(), socket.map(str::to_owned)),
    };
    Ok(Agent { name: name.to_owned(), way })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(text: &str) -> Result<Vec<Agent>> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), text)?;
        read(file.path())
    }

    #[test]
    fn lines_name_agents() {
        let agents =
            of("# all\n\njapan-1 root@192.0.2.1\n a local \nb local /run/b.sock\nc c.example /run/c.sock\n")
                .unwrap();
        let agent = |name: &str, way| Agent { name: name.to_owned(), way };
        let ssh = |host: &str, socket: Option<&str>| Way::Ssh(host.to_owned(), socket.map(str::to_owned));
        let expected = [
            agent("japan-1", ssh("root@192.0.2.1", None)),
            agent("a", Way::Local("/run/sensor/sensor.sock".into())),
            agent("b", Way::Local("/run/b.sock".into())),
            agent("c", ssh("c.example", Some("/run/c.sock"))),
        ];
        assert_eq!(agents, expected);
    }

    #[rstest]
    #[case::nothing("# none\n", "names no agent")]
    #[case::no_destination("a", ":1: a line is NAME DESTINATION [SOCKET]")]
    #[case::too_many("\na b /c d", ":2: a line is NAME")]
    #[case::twice("a b\na c", ":2: \"a\" stands there twice")]
    #[case::an_option("a -oProxyCommand=x", ":1: \"-oProxyCommand=x\" is no destination")]
    #[case::a_relative_socket("a b c", ":1: \"c\" is no path of a socket")]
    #[case::escapes("a\u{1b}[2J b", ":1: it has a character that controls a terminal")]
    fn a_wrong_line_is_named(#[case] text: &str, #[case] words: &str) {
        let error = of(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
