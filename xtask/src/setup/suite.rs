//! Packages of any of Debian's suites, brought by apt and checked by its own signatures.
//!
//! A suite that the machine's apt does not know is reached at the mirror that it does know, through a
//! configuration of its own: the machine's stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};

use super::apt;
use crate::shell;

/// Lists of a suite are a few megabytes, a kernel's packages some tens.
const LOADING: Duration = Duration::from_mins(20);
const ASKING: Duration = Duration::from_mins(1);

/// Lists older than this are refreshed.
const FRESH: Duration = Duration::from_hours(24);

/// Where Debian's package debian-archive-keyring has its keys, by release.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// apt under one configuration.
#[derive(Debug)]
pub struct Apt {
    /// `None`: the machine's.
    configuration: Option<PathBuf>,
}

impl Apt {
    /// The machine's own.
    pub fn machine() -> Self {
        Self { configuration: None }
    }

    /// apt for these suites and this architecture alone, at the machine's mirror, its lists refreshed if they are old.
    ///
    /// # Errors
    /// The machine's apt has no mirror of Debian's, or that does not answer.
    pub fn private(suites: &[&str], architecture: &str) -> Result<Self> {
        let name = [suites, &[architecture]].concat().join("-");
        let folder = shell::workspace().join("target/tools/apt").join(name);
        for place in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(place))
                .with_context(|| format!("cannot create {}", folder.join(place).display()))?;
        }
        let mirror = mirror()?;
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).is_file());
        let signed = keyring.map_or_else(String::new, |path| format!("[signed-by={path}] "));
        let sources: Vec<String> =
            suites.iter().map(|suite| format!("deb {signed}{mirror} {suite} main\n")).collect();
        let place = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            "Dir::Etc::SourceList \"{}\";\nDir::Etc::SourceParts \"-\";\nDir::Etc::Preferences \"-\";\n\
             Dir::Etc::PreferencesParts \"-\";\nDir::State::Lists \"{}\";\nDir::State::Status \"/dev/null\";\n\
             Dir::Cache \"{}\";\nAcquire::Languages \"none\";\nAcquire::Check-Valid-Until \"true\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nAPT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }};\nAPT::Sandbox::User \"\";\n",
            place("sources.list"),
            place("lists"),
            place("cache")
        );
        fs::write(folder.join("sources.list"), sources.concat())?;
        fs::write(folder.join("apt.conf"), settings)?;
        let apt = Self { configuration: Some(folder.join("apt.conf")) };
        let stamp = folder.join("refreshed");
        if !is_fresh(&stamp) {
            println!("setup: apt: refreshing its lists of {} for {architecture}", suites.join(" and "));
            match apt.ask("apt-get", &["--quiet", "--error-on=any", "update"]) {
                Ok(_) => fs::write(&stamp, "")?,
                Err(error) if stamp.is_file() => println!("setup: apt: using older lists: {error:#}"),
                Err(error) => return Err(error),
            }
        }
        Ok(apt)
    }

    /// Names of all packages that begin like this.
    ///
    /// # Errors
    /// apt fails.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let names = self.ask("apt-cache", &["pkgnames", prefix])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Packages and all that they need, each with its version: where nothing is installed, their libraries too.
    ///
    /// # Errors
    /// There is no such package, or it cannot be installed.
    pub fn needed(&self, packages: &[&str]) -> Result<Vec<String>> {
        let install = ["--simulate", "install", "--no-install-recommends"];
        let simulated = self.ask("apt-get", &[&install[..], packages].concat())?;
        Ok(parse_simulated(&simulated))
    }

    /// Unpacks packages, all or nothing.
    ///
    /// # Errors
    /// One cannot be downloaded or unpacked.
    pub fn unpack(&self, packages: &[&str], folder: &Path) -> Result<()> {
        let partial = folder.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        self.ask_in(&partial, "apt-get", &[&["download", "--quiet"], packages].concat())?;
        for entry in fs::read_dir(&partial)?.flatten() {
            // What was unpacked before is beside it.
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                shell::capture(Command::new("dpkg-deb").arg("-x").arg(&path).arg(&partial), LOADING)?;
                fs::remove_file(path)?;
            }
        }
        fs::rename(&partial, folder).with_context(|| format!("cannot create {}", folder.display()))
    }

    /// What one of apt's programs says.
    ///
    /// # Errors
    /// It fails.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.ask_in(shell::workspace(), program, arguments)
    }

    fn ask_in(&self, folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env("LC_ALL", "C");
        command.envs(self.configuration.iter().map(|file| ("APT_CONFIG", file)));
        shell::capture(&mut command, LOADING)
    }
}

fn is_fresh(stamp: &Path) -> bool {
    let changed = fs::metadata(stamp).and_then(|found| found.modified());
    changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < FRESH))
}

/// The address of the Debian mirror that the machine's apt uses.
fn mirror() -> Result<String> {
    let ask = || {
        let mut command = Command::new("apt-get");
        command.args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"]);
        let listed = shell::capture(&mut command, ASKING).ok()?;
        listed.lines().find_map(|line| line.strip_prefix("Debian Debian ")).map(str::to_owned)
    };
    apt::refreshed_until(ask)
        .ok_or_else(|| anyhow!("apt here has no Debian mirror to bring packages of another suite from"))
}

/// The packages, with their versions, that a simulated installation would install.
fn parse_simulated(simulated: &str) -> Vec<String> {
    let installed = simulated.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
        Some(format!("{name}={}", rest.split_once(' ')?.0))
    });
    installed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_installed_is_read() {
        let simulated = "Reading package lists...\nInst libgcc-s1 (16.2.0-4 Debian:unstable [amd64]) []\n\
                         Inst zmap (4.3.4-1 Debian:unstable [amd64])\nConf zmap (4.3.4-1 Debian:unstable [amd64])\n";
        assert_eq!(parse_simulated(simulated), ["libgcc-s1=16.2.0-4", "zmap=4.3.4-1"]);
    }
}
