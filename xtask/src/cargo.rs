//! Running cargo, and reading from its messages which files it built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{reproducible, shell};

/// Asking the compiler takes no longer.
const ASKING: Duration = Duration::from_secs(30);

/// An executable that cargo built.
pub struct Executable {
    /// The folder of the package's manifest.
    pub package: PathBuf,
    /// The target's name: a binary, a library or a file of integration tests.
    pub target: String,
    /// Whether it is a test harness.
    pub test: bool,
    /// The file to run.
    pub path: PathBuf,
}

/// The cargo that runs this task, in the workspace's folder.
pub fn command() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(shell::workspace());
    cargo
}

/// A kind of processor to build for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What Rust calls it, with its system: `x86_64-unknown-linux-gnu`.
    pub triple: String,
    /// What links, where it is not what links for this machine.
    pub linker: Option<String>,
}

impl Target {
    /// This machine's.
    ///
    /// # Errors
    /// When the compiler does not tell for what it compiles.
    pub fn here() -> Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let triple = shell::capture(Command::new(rustc).args(["--print", "host-tuple"]), ASKING)?;
        Ok(Self { triple, linker: None })
    }
}

/// A `cargo build` at work, its progress and complaints shown. Dropping it ends it.
pub struct Build {
    cargo: Child,
    messages: Option<JoinHandle<Vec<u8>>>,
    words: String,
}

impl Build {
    /// Starts one.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::start_with(command(), arguments)
    }

    fn start_with(mut cargo: Command, arguments: &[&str]) -> Result<Self> {
        let mut cargo = cargo
            .args(["build", "--locked", "--message-format", "json-render-diagnostics"])
            .args(arguments)
            // Others may write to the screen meanwhile.
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run cargo")?;
        let messages = Some(shell::read_all(cargo.stdout.take()));
        Ok(Self { cargo, messages, words: arguments.join(" ") })
    }

    /// Starts one of programs for a kind of processor that need no shared library.
    ///
    /// # Errors
    /// As [`Build::shipped`].
    pub fn statically(target: &Target, arguments: &[&str]) -> Result<Self> {
        Self::shipped(target, &["-Ctarget-feature=+crt-static"], arguments)
    }

    /// Starts one of programs for a kind of processor, whose bytes do not tell where they were built.
    ///
    /// # Errors
    /// When the compiler does not tell where it is, or cargo cannot be run.
    pub fn shipped(target: &Target, flags: &[&str], arguments: &[&str]) -> Result<Self> {
        let mut all = reproducible::rust_flags()?;
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        // The target is named so that this holds for the programs alone: the compiler's plug-ins are shared libraries.
        let triple = &*target.triple;
        let mut settings = vec![format!("target.{triple}.rustflags={}", serde_json::to_string(&all)?)];
        settings.extend(target.linker.iter().map(|linker| format!("target.{triple}.linker={linker:?}")));
        // Before the subcommand they would be forgotten where others come after it.
        let settings = settings.iter().flat_map(|setting| ["--config", setting]);
        let arguments: Vec<_> =
            settings.chain(["--target", triple]).chain(arguments.iter().copied()).collect();
        let mut cargo = command();
        cargo.env(reproducible::C_FLAGS, reproducible::c_flags()?);
        Self::start_with(cargo, &arguments)
    }

    /// Waits for its end, and returns what it built.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn finish(mut self) -> Result<Vec<Executable>> {
        let status = self.cargo.wait().context("cannot wait for cargo")?;
        ensure!(status.success(), "`cargo build {}` failed: its complaints are above", self.words);
        let messages = self.messages.take().map(shell::joined).unwrap_or_default();
        Ok(String::from_utf8_lossy(&messages).lines().filter_map(executable).collect())
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        if self.cargo.try_wait().is_ok_and(|status| status.is_none()) {
            shell::kill_tree(self.cargo.id());
            let _ = self.cargo.wait();
        }
    }
}

/// Runs `cargo build` with `arguments` to its end, and returns what it built.
///
/// # Errors
/// When it does not compile.
pub fn build(arguments: &[&str]) -> Result<Vec<Executable>> {
    Build::start(arguments)?.finish()
}

/// The program `name` among what was built.
///
/// # Errors
/// When it is not there.
pub fn program<'a>(name: &str, built: &'a [Executable]) -> Result<&'a Path> {
    let found = built.iter().find(|built| built.target == name && !built.test);
    found.map(|built| &*built.path).with_context(|| format!("cargo built {name} but does not say where"))
}

/// The executable that one of cargo's messages tells of, if it tells of one.
fn executable(message: &str) -> Option<Executable> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    Some(Executable {
        package: manifest.parent()?.to_path_buf(),
        target: message["target"]["name"].as_str()?.to_owned(),
        test: message["profile"]["test"].as_bool()?,
        path: PathBuf::from(message["executable"].as_str()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_with_an_executable_is_one() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml",
            "target":{"name":"attach"},"profile":{"test":true},"executable":"/w/target/debug/deps/attach-1"}"#;
        let built = executable(message).expect("an executable");
        assert_eq!(built.target, "attach");
        assert_eq!(built.package, PathBuf::from("/w/tests"));
        assert!(built.test);
    }

    #[test]
    fn other_messages_are_none() {
        for message in [
            r#"{"reason":"build-finished","success":true}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"a"},
                "profile":{"test":false},"executable":null}"#,
            "not json",
        ] {
            assert!(executable(message).is_none(), "{message}");
        }
    }
}
