//! The same bytes in another folder: paths of this machine are called by names that every machine has.

mod twice;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

pub use twice::{Reproducible, run};

/// Asking the compiler, or git, takes no longer.
const ASKING: Duration = Duration::from_secs(30);

/// The variable that C compilers' flags are read from, whatever they compile for.
pub const C_FLAGS: &str = "TARGET_CFLAGS";

/// Folders of this machine, and what they are called in what is built.
fn names() -> Result<Vec<(PathBuf, String)>> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let crates = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let rustc = || Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let sysroot = shell::capture(rustc().args(["--print", "sysroot"]), ASKING)?;
    let version = shell::capture(rustc().arg("-vV"), ASKING)?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    // Where the library's source is installed, the compiler names it there.
    let library = PathBuf::from(sysroot).join("lib/rustlib/src/rust");
    let crates = crates.context("neither CARGO_HOME nor HOME says where crates are: set one")?;
    Ok(vec![
        (shell::workspace().to_owned(), "/usr/src/sensor".to_owned()),
        (crates, "/usr/src/cargo".to_owned()),
        (library, format!("/rustc/{commit}")),
    ])
}

/// Flags for rustc.
///
/// # Errors
/// When the compiler does not tell where it is.
pub fn rust_flags() -> Result<Vec<String>> {
    let flag = |(folder, name): (PathBuf, String)| format!("--remap-path-prefix={}={name}", folder.display());
    Ok(names()?.into_iter().map(flag).collect())
}

/// Flags for C compilers: SQLite is built in.
///
/// # Errors
/// As [`rust_flags`].
pub fn c_flags() -> Result<String> {
    let flag = |(folder, name): (PathBuf, String)| format!("-ffile-prefix-map={}={name}", folder.display());
    let flags: Vec<_> = names()?.into_iter().map(flag).collect();
    Ok(flags.join(" "))
}

/// The time that everything packed is of, in seconds since 1970: `SOURCE_DATE_EPOCH`, or that of the newest commit.
///
/// # Errors
/// When there is neither.
pub fn date() -> Result<u64> {
    const VARIABLE: &str = "SOURCE_DATE_EPOCH";
    let text = env::var(VARIABLE).or_else(|_| {
        let workspace = shell::workspace();
        let mut git = Command::new("git");
        // In a container the repository is often somebody else's.
        git.args(["-c", &format!("safe.directory={}", workspace.display())]);
        git.args(["log", "-1", "--format=%ct"]).current_dir(workspace);
        shell::capture(&mut git, ASKING)
            .with_context(|| format!("no date for what is packed: clone with git, or set {VARIABLE}"))
    })?;
    text.parse().with_context(|| format!("{text:?} is no time in seconds since 1970: mend {VARIABLE}"))
}
