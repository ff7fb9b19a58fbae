//! Running cargo, and reading from its messages which files it built.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

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

/// Runs `cargo build` with `arguments`, its progress and complaints shown, and returns what it built.
///
/// # Errors
/// When it does not compile.
pub fn build(arguments: &[&str]) -> Result<Vec<Executable>> {
    let output = command()
        .args(["build", "--locked", "--message-format", "json-render-diagnostics"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`cargo build {}` failed: its complaints are above", arguments.join(" "));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(messages.lines().filter_map(executable).collect())
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
