//! Troubles that a host's kernel has, and that a test cannot make for one agent alone: see `trouble.c`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use sensor_harness::built;
use sensor_harness::skip::Missing;
use tempfile::TempDir;

/// A library that is preloaded, which gets an agent into trouble once it is told to.
pub struct Library {
    folder: TempDir,
    path: PathBuf,
}

impl Library {
    /// Compiles it.
    ///
    /// # Errors
    /// It cannot be compiled; inside, if nothing can be preloaded here.
    pub fn new() -> Result<Result<Self, Missing>> {
        // A static program asks for no interpreter, and takes no library.
        let program = std::fs::read(built::sensor()?)?;
        if !program.windows(9).any(|name| name == b"ld-linux-") {
            return Ok(Err(Missing::new("the agent is static: nothing can be preloaded")));
        }
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("trouble.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/trouble.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-o"]).arg(&path).arg(source).arg("-ldl");
        let Ok(output) = compile.output() else {
            return Ok(Err(Missing::new("no C compiler is here: install the package gcc")));
        };
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(Ok(Self { folder, path }))
    }

    /// What to start this host's agent by.
    pub fn preloaded(&self, host: &str) -> Result<String> {
        let folder = self.folder.path().join(host);
        std::fs::create_dir(&folder)?;
        Ok(format!("env LD_PRELOAD={} TROUBLES={}", self.path.display(), folder.display()))
    }

    /// Gets the host into trouble, from now on: `clock`, `maps` or `egress`.
    pub fn begin(&self, host: &str, trouble: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join(host).join(trouble), "")?)
    }
}
