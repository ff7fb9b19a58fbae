//! Packages of the distribution: what apt could install, what is installed, and installing it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::Report;
use crate::shell;

/// Asking the package database takes no longer.
const ASKING: Duration = Duration::from_mins(1);

/// Downloading and unpacking a few hundred megabytes takes no longer where it works.
const INSTALLING: Duration = Duration::from_mins(20);

/// The version of `package` that apt would install. `None`: it knows of none, or there is no apt.
pub fn candidate(package: &str) -> Option<String> {
    let mut policy = Command::new("apt-cache");
    parse_candidate(&shell::capture(policy.args(["policy", package]).env("LC_ALL", "C"), ASKING).ok()?)
}

/// What `look` finds, in apt's lists as they are or else in refreshed ones. They are refreshed at most once
/// a run: a fresh machine or container has none.
pub fn refreshed_until<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    look().or_else(|| {
        refresh();
        look()
    })
}

/// Installs those of `packages` that are missing, as root or through `sudo`, for the sake of `thing`.
///
/// # Errors
/// When this may not be done or apt fails: with the command that would do it.
pub fn install(thing: &str, packages: &[&str], report: &mut Report) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let listed = missing.join(" ");
    if shell::find("apt-get").is_none() {
        bail!("{listed} missing and no apt here: install them, or what your distribution calls them");
    }
    report.bringing(thing, &format!("apt-get install {listed}"));
    let install = || -> Result<()> {
        let mut install = apt_get()?;
        shell::capture(
            install.args(["install", "--yes", "--no-install-recommends"]).args(&missing),
            INSTALLING,
        )
        .map(drop)
    };
    // Old lists name versions that the mirror has dropped since: look again with new ones.
    install()
        .or_else(|_| {
            refresh();
            install()
        })
        .with_context(|| format!("{thing}: run `apt-get update && apt-get install {listed}` as root"))
}

/// Unpacks `package` under `folder` without installing it, so that no service of it starts.
///
/// # Errors
/// When it cannot be downloaded or unpacked.
pub fn unpack(package: &str, folder: &Path) -> Result<()> {
    refreshed_until(|| candidate(package)).ok_or_else(|| anyhow!("apt knows no package {package}"))?;
    // Unpacked beside and then renamed: an interrupted run leaves nothing that looks whole.
    let partial = folder.with_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    let mut download = Command::new("apt-get");
    shell::capture(download.args(["download", "--quiet", package]).current_dir(&partial), INSTALLING)?;
    let archive = fs::read_dir(&partial)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| anyhow!("apt-get download brought no {package}"))?;
    shell::capture(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&partial), ASKING)?;
    fs::remove_file(&archive)?;
    let _ = fs::remove_dir_all(folder);
    fs::rename(&partial, folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// The libraries that `package` depends on.
///
/// # Errors
/// When apt does not tell.
pub fn libraries(package: &str) -> Result<Vec<String>> {
    let mut depends = Command::new("apt-cache");
    depends.args(["depends", "--important", package]).env("LC_ALL", "C");
    Ok(parse_libraries(&shell::capture(&mut depends, ASKING)?))
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}\\n", package]);
    shell::capture(&mut query, ASKING).is_ok_and(|status| status.lines().any(|line| line == "installed"))
}

/// Refreshes apt's lists, once a run. A failure shows later, as a package that is still unknown.
fn refresh() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(mut update) = shell::find("apt-get").and_then(|_| apt_get().ok()) else { return };
        println!("setup: apt: refreshing its lists");
        if let Err(error) = shell::capture(update.arg("update"), INSTALLING) {
            println!("setup: apt: {error:#}");
        }
    });
}

/// apt-get as root, which never asks and waits for another apt to finish.
fn apt_get() -> Result<Command> {
    let mut command = shell::as_root("env")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300"]);
    Ok(command)
}

/// Reads what `apt-cache policy` prints.
pub fn parse_candidate(policy: &str) -> Option<String> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// What a package `Depends:` on, one of several choices (`|Depends:`) left out, if it is called a library.
fn parse_libraries(depends: &str) -> Vec<String> {
    let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.filter(|name| name.starts_with("lib")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::installed(
        "rustc-web:\n  Installed: 1.96.0+dfsg1-1\n  Candidate: 1.96.0+dfsg1-1\n",
        Some("1.96.0+dfsg1-1")
    )]
    #[case::not_installed(
        "rustc:\n  Installed: (none)\n  Candidate: 1.63.0+dfsg1-2\n",
        Some("1.63.0+dfsg1-2")
    )]
    #[case::virtual_only("libstd-rust-dev-bpf:\n  Installed: (none)\n  Candidate: (none)\n", None)]
    #[case::unknown("", None)]
    fn the_candidate_is_read(#[case] policy: &str, #[case] version: Option<&str>) {
        assert_eq!(parse_candidate(policy).as_deref(), version);
    }
    #[test]
    fn the_libraries_are_read() {
        let depends = "openssh-server\n  PreDepends: init-system-helpers\n  Depends: adduser\n \
                       |Depends: libelogind0\n  Depends: libwrap0\n  Depends: <libvirtual>\n    libreal\n";
        assert_eq!(parse_libraries(depends), ["libwrap0"]);
    }
}
