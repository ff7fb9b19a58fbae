//! What an agent writes to: its socket, and the folder of evidence. Nothing is written to find out.

use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::config::{Config, Evidence};
use crate::kernel::DEFAULT_PINS;
use crate::obstacle::Obstacle;
use crate::{socket, writable};

/// Where an agent would be asked, and where it would keep evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    socket: PathBuf,
    evidence: Option<PathBuf>,
}

impl Default for Places {
    /// Where they are unless a configuration says otherwise.
    fn default() -> Self {
        let socket = socket::default_path(Path::new(DEFAULT_PINS));
        Self { socket, evidence: Some(Evidence::default().path) }
    }
}

impl Places {
    /// As this configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let socket = config.socket_path(Path::new(DEFAULT_PINS));
        Self { socket, evidence: config.evidence.as_ref().map(|evidence| evidence.path.clone()) }
    }

    /// All findings.
    pub(super) fn findings(&self) -> [Finding; 3] {
        [listens(&self.socket), group(&socket::group()), evidence(self.evidence.as_deref())]
    }
}

fn listens(path: &Path) -> Finding {
    let check = "socket";
    if socket::is_listening(path) {
        return Finding::ok(check, format!("an agent listens on {}", path.display()));
    }
    match socket::obstacle(path) {
        Some(Obstacle { found, remedy }) => {
            Finding::note(check, found, format!("{remedy}; until then no command can ask the agent"))
        }
        None => Finding::ok(check, format!("{} can be used", path.display())),
    }
}

/// Who may ask beside root.
fn group(number: &io::Result<Option<u32>>) -> Finding {
    let (check, name) = ("socket_group", socket::GROUP);
    match number {
        Ok(Some(number)) => Finding::ok(check, format!("members of {name} ({number}) may ask the agent")),
        Ok(None) => Finding::ok(check, format!("there is no group {name}: root alone may ask the agent")),
        Err(error) => Finding::note(
            check,
            format!("/etc/group cannot be read: {error}"),
            "let the agent read it: until then root alone may ask",
        ),
    }
}

fn evidence(folder: Option<&Path>) -> Finding {
    let check = "evidence_folder";
    let Some(folder) = folder else {
        return Finding::ok(check, "none: the configuration keeps no evidence");
    };
    match writable::refused(folder) {
        Some(error) => Finding::note(
            check,
            format!("cannot write to {}: {error}", folder.display()),
            "name a folder on a disk with room with `path` in [evidence]; until then evidence is lost, and counting goes on",
        ),
        None if folder.exists() => Finding::ok(check, format!("{} can be written to", folder.display())),
        None => Finding::ok(check, format!("{} can be made", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Severity;
    use super::*;

    #[rstest]
    #[case::there(Ok(Some(998)), Severity::Ok, "members of sensor (998)")]
    #[case::missing(Ok(None), Severity::Ok, "root alone")]
    #[case::unknown(Err(io::ErrorKind::PermissionDenied.into()), Severity::Note, "cannot be read")]
    fn who_may_ask_is_said(
        #[case] number: io::Result<Option<u32>>,
        #[case] severity: Severity,
        #[case] words: &str,
    ) {
        let finding = group(&number);
        assert_eq!((finding.severity, finding.found.contains(words)), (severity, true), "{finding:?}");
    }
}
