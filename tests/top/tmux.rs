//! A terminal that somebody else looks at: tmux, with a shell in it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor_harness::pace::until;
use sensor_harness::skip::{self, Missing};
use tempfile::TempDir;

/// tmux.
pub fn installed() -> Result<(), Missing> {
    skip::root()?;
    skip::program("tmux")
}

/// A terminal; dropping it ends it and all that runs in it.
pub struct Tmux {
    folder: TempDir,
}

impl Tmux {
    /// A terminal of 80 × 24, at a shell's prompt.
    pub fn start() -> Result<Self> {
        let tmux = Self { folder: tempfile::tempdir()? };
        tmux.run(&["new-session", "-d", "-x", "80", "-y", "24", "env PS1='ready: ' sh"])?;
        tmux.shows("ready:")?;
        Ok(tmux)
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command
            .arg("-u")
            .arg("-S")
            .arg(self.folder.path().join("socket"))
            .args(["-f", "/dev/null"])
            .args(arguments);
        let output = command.env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR").env_remove("TMUX").output();
        let output = output.context("cannot run tmux")?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Presses keys, by tmux's names for them.
    pub fn press(&self, keys: &[&str]) -> Result<()> {
        self.run(&[&["send-keys", "-t", ":"], keys].concat()).map(drop)
    }

    /// Types a text.
    pub fn type_text(&self, text: &str) -> Result<()> {
        self.run(&["send-keys", "-t", ":", "-l", text]).map(drop)
    }

    /// Has the shell run something.
    pub fn enter(&self, line: &str) -> Result<()> {
        self.type_text(line)?;
        self.press(&["Enter"])
    }

    /// What stands on the screen, without spaces at the ends of lines.
    pub fn screen(&self) -> Result<Vec<String>> {
        Ok(self
            .run(&["capture-pane", "-p", "-t", ":"])?
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect())
    }

    /// Likewise, with the sequences that make it look so.
    pub fn painted(&self) -> Result<String> {
        self.run(&["capture-pane", "-p", "-e", "-t", ":"])
    }

    /// Whether a program has taken the whole screen, and what was there before comes again after it.
    pub fn is_taken(&self) -> Result<bool> {
        Ok(self.run(&["display-message", "-p", "-t", ":", "#{alternate_on}"])?.trim() == "1")
    }

    /// Whether there is a cursor.
    pub fn has_cursor(&self) -> Result<bool> {
        Ok(self.run(&["display-message", "-p", "-t", ":", "#{cursor_flag}"])?.trim() == "1")
    }

    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        self.run(&["resize-window", "-t", ":", "-x", &width.to_string(), "-y", &height.to_string()]).map(drop)
    }

    /// Waits until the screen is as it is to be.
    pub fn until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        let mut screen = Vec::new();
        until(
            || {
                screen = self.screen()?;
                std::thread::sleep(Duration::from_millis(50));
                Ok(is_so(&screen))
            },
            || format!("{what}:\n{}", self.screen().unwrap_or_default().join("\n")),
        )?;
        Ok(screen)
    }

    /// Waits until something stands there.
    pub fn shows(&self, text: &str) -> Result<Vec<String>> {
        self.until(text, |screen| screen.iter().any(|line| line.contains(text)))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a file has that the shell writes, once it is whole.
    pub fn written(&self, name: &str) -> Result<String> {
        let read = || fs::read_to_string(self.file(name)).unwrap_or_default();
        until(|| Ok(read().ends_with('\n')), || format!("{name}: {:?}", read()))?;
        Ok(read())
    }

    /// Has the shell say how the terminal is set, in this file.
    pub fn settings(&self, name: &str) -> Result<String> {
        self.enter(&format!("stty -a > {}", self.file(name).display()))?;
        self.written(name)
    }

    /// Starts a program, and gives its process.
    pub fn program(&self, line: &str) -> Result<Pid> {
        let (process, code) = (self.file("process"), self.file("code"));
        let _ = fs::remove_file(&process);
        let _ = fs::remove_file(&code);
        let started = format!("sh -c 'echo $$ > {}; exec env {line}'", process.display());
        self.enter(&format!("clear; {started}; echo $? > {}", code.display()))?;
        Ok(Pid::from_raw(self.written("process")?.trim().parse()?))
    }

    /// The exit code of the program that was started last, as the shell has it.
    pub fn code(&self) -> Result<i32> {
        Ok(self.written("code")?.trim().parse()?)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if let Ok(process) = self.run(&["display-message", "-p", "#{pid}"])
            && let Ok(process) = process.trim().parse()
        {
            // It may have gone.
            let _ = self.run(&["kill-server"]);
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
}
