//! What is made for packages beside the files of the repository: programs, manual pages, Debian's own files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

/// Writing all pages, or a date, takes no longer.
const WRITING: Duration = Duration::from_secs(30);

/// The packages whose changelogs are written.
const PACKAGES: [&str; 2] = ["sensor", "sensor-fleet"];

/// The folder.
pub struct Tree(PathBuf);

impl Tree {
    /// Makes it anew, with Debian's files.
    ///
    /// # Errors
    /// When it cannot be written, or what goes into it is not there.
    pub fn new(folder: &Path, version: &str, date: u64) -> Result<Self> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let tree = Self(folder.to_owned());
        let mut rfc_5322 = Command::new("date");
        rfc_5322.args(["--utc", "--rfc-email", "--date", &format!("@{date}")]).env("LC_ALL", "C");
        let date = shell::capture(&mut rfc_5322, WRITING)?;
        for package in PACKAGES {
            tree.write(&format!("changelog-{package}"), &changelog(package, version, &date))?;
        }
        let read = |name: &str| {
            fs::read_to_string(shell::workspace().join(name)).with_context(|| format!("cannot read {name}"))
        };
        let copyright = copyright(&read("packaging/copyright")?, &read("LICENSE-MIT")?);
        tree.write("copyright", &copyright)?;
        Ok(tree)
    }

    /// Puts a program there, to be run by everybody.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn put(&self, program: &Path) -> Result<()> {
        let name = program.file_name().context("a program has a name")?;
        fs::copy(program, self.0.join(name))
            .with_context(|| format!("cannot pack {}", program.display()))
            .map(drop)
    }

    /// Has manual pages and completions written there by `sensor-manual`.
    ///
    /// # Errors
    /// When that fails.
    pub fn manual(&self, program: &Path) -> Result<()> {
        shell::capture(Command::new(program).arg(self.0.join("manual")), WRITING).map(drop)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A changelog as Debian has it: what has changed is in the project's own.
fn changelog(package: &str, version: &str, date: &str) -> String {
    format!(
        "{package} ({version}) unstable; urgency=medium\n\n  * What has changed is in the project's CHANGELOG.md.\n\n \
         -- The maintainers of sensor <maintainers@sensor.invalid>  {date}\n"
    )
}

/// The file of licences, with the text of one put in as Debian's format has it.
fn copyright(template: &str, licence: &str) -> String {
    let lines = licence.trim().lines().map(|line| if line.is_empty() { " ." } else { line });
    let lines: Vec<_> = lines.map(|line| format!(" {}", line.trim_start())).collect();
    template.replace("@LICENSE-MIT@", &lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_put_in() {
        let text = copyright("License: Expat\n@LICENSE-MIT@\n", "May be\nused.\n\nBy all.\n");
        assert_eq!(text, "License: Expat\n May be\n used.\n .\n By all.\n");
    }
}
