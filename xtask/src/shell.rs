//! Running other programs, with errors that name the program, the cause and its last words.
//!
//! Whatever may hang (a download, a test) is bounded: past its limit the program and all that it started
//! are killed.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Runs a program and returns what it wrote to its standard output, trimmed.
///
/// # Errors
/// When it cannot be started, fails (the error ends with its last words) or takes longer than `limit`.
pub fn capture(command: &mut Command, limit: Duration) -> Result<String> {
    let Output { status, stdout, stderr } = output(command, limit)?;
    if !status.success() {
        bail!("`{}` failed ({status}): {}", words(command), last_words(&stderr));
    }
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// Runs a program and returns how it ended and what it wrote.
///
/// # Errors
/// When it cannot be started or takes longer than `limit`.
pub fn output(command: &mut Command, limit: Duration) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", words(command)))?;
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(&mut child, limit).with_context(|| format!("cannot wait for `{}`", words(command)))?;
    let Some(status) = status else {
        bail!("`{}` was still running after {} s", words(command), limit.as_secs());
    };
    Ok(Output { status, stdout: joined(stdout), stderr: joined(stderr) })
}

/// Waits for a program to end, at most for `limit`. `None`: it was killed, with all that it started.
///
/// # Errors
/// When the kernel refuses to tell.
pub fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            kill_tree(child.id());
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(GLANCE);
    }
}

/// Kills a process and its descendants, those that belong to root through `sudo`.
pub fn kill_tree(root: u32) {
    let family: Vec<String> = family(root).iter().map(u32::to_string).collect();
    let as_root = if is_root() { None } else { as_root("kill").ok() };
    for mut kill in [Some(Command::new("kill")), as_root].into_iter().flatten() {
        // Some may have ended by themselves: that is no failure.
        let _ = kill.arg("-KILL").args(&family).stderr(Stdio::null()).status();
    }
}

/// A process and its descendants, parents first.
fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            Some((process, parent.trim().parse().ok()?))
        })
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| process));
        next += 1;
    }
    family
}

/// Whether this process is root.
pub fn is_root() -> bool {
    // SAFETY: geteuid takes no arguments, touches no memory and always succeeds.
    unsafe { libc::geteuid() == 0 }
}

/// A command that runs as root: directly, or through `sudo`, which asks for a password only on a terminal.
///
/// # Errors
/// When this process is not root and there is no `sudo`.
pub fn as_root(program: impl AsRef<OsStr>) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let sudo = find("sudo").ok_or_else(|| {
        anyhow!("`{}` needs root: run this as root, or install sudo", program.as_ref().display())
    })?;
    let mut command = Command::new(sudo);
    if !io::IsTerminal::is_terminal(&io::stdin()) {
        command.arg("-n");
    }
    command.arg(program);
    Ok(command)
}

/// Looks a program up in `PATH` and in the system folders that an ordinary user's `PATH` may lack.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A command as it would be typed, for messages.
fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}

/// The end of what a program complained about, as one line.
pub fn last_words(stderr: &[u8]) -> String {
    const LINES: usize = 4;
    let stderr = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match &lines[lines.len().saturating_sub(LINES)..] {
        [] => "it said nothing".to_owned(),
        tail => tail.join("; "),
    }
}

/// Reads a pipe to its end beside the program, which would otherwise block on a full one.
pub fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before a failure is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// What was read, once the pipe has ended.
pub fn joined(reader: JoinHandle<Vec<u8>>) -> Vec<u8> {
    reader.join().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_last_words() {
        let error = capture(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), Duration::from_secs(10))
            .expect_err("exit 3");
        let said = error.to_string();
        assert!(said.contains("sh -c") && said.contains("why"), "{said}");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() -> Result<()> {
        let told = tempfile::NamedTempFile::new()?;
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & echo $! > \"$0\"; sleep 60"]).arg(told.path());
        let start = Instant::now();
        let error = capture(&mut shell, Duration::from_secs(2)).expect_err("killed");
        assert!(error.to_string().contains("still running"), "{error}");
        let child = fs::read_to_string(told.path())?.trim().parse()?;
        while is_running(child) {
            assert!(start.elapsed() < Duration::from_secs(20), "its child {child} still runs");
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Nobody may have asked yet how a process ended that has: it is a zombie then.
    fn is_running(process: u32) -> bool {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }
}
