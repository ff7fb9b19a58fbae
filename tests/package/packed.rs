//! Packages of the programs that were built with the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context as _, Result, ensure};
use sensor_harness::built;
use sensor_harness::skip::{Missing, program};
use tempfile::TempDir;

use crate::say;

/// What they are packed as.
pub const VERSION: &str = "0.0.1~test";

/// A folder of packages.
pub struct Packed(TempDir);

impl Packed {
    /// Those of [`VERSION`], made once.
    pub fn get() -> Result<Result<&'static Self, Missing>> {
        static PACKED: OnceLock<Packed> = OnceLock::new();
        static MAKING: Mutex<()> = Mutex::new(());
        if let Err(missing) = program("dpkg-deb").and_then(|()| program("lintian")) {
            return Ok(Err(missing));
        }
        if let Err(missing) = built::xtask()?
            .and_then(|_| built::manual().unwrap_or_else(|error| Err(Missing::new(format!("{error:#}")))))
        {
            return Ok(Err(missing));
        }
        let _one = MAKING.lock().map_err(|_| anyhow::anyhow!("packing failed before"))?;
        if PACKED.get().is_none() {
            let _ = PACKED.set(Self::make(VERSION)?);
        }
        Ok(Ok(PACKED.get().context("nothing was packed")?))
    }

    /// Packs the programs as a version. One at a time: they are packed from one folder.
    pub fn make(version: &str) -> Result<Self> {
        static ONE: Mutex<()> = Mutex::new(());
        let (folder, programs) = (tempfile::tempdir()?, stripped()?);
        let _one = ONE.lock().map_err(|_| anyhow::anyhow!("packing failed before"))?;
        let mut pack = Command::new(built::xtask()??);
        pack.args(["package", "--version", version, "--programs"]).arg(programs.path());
        let (packed, said) = say(pack.arg("--output").arg(folder.path()))?;
        ensure!(packed, "{said}");
        Ok(Self(folder))
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, begins: &str, ends: &str) -> Result<PathBuf> {
        let files = fs::read_dir(self.folder())?.filter_map(|entry| Some(entry.ok()?.path()));
        let is_it = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(begins) && name.ends_with(ends)
        };
        files.into_iter().find(is_it).with_context(|| format!("no {begins}…{ends} was made"))
    }

    pub fn deb(&self, package: &str) -> Result<PathBuf> {
        self.file(&format!("{package}_"), ".deb")
    }

    pub fn archive(&self, package: &str) -> Result<PathBuf> {
        self.file(&format!("{package}-{VERSION}-"), ".tar.gz")
    }

    pub fn bill(&self, package: &str) -> Result<String> {
        let path = self.file(&format!("{package}-{VERSION}-"), ".cdx.json")?;
        Ok(fs::read_to_string(path)?)
    }

    pub fn checksums(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder().join("SHA256SUMS"))?)
    }

    /// The same package with another version, as `newer.deb`.
    pub fn newer(&self, package: &str, version: &str) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        let tree = folder.path().join("tree");
        let (unpacked, said) =
            say(Command::new("dpkg-deb").arg("--raw-extract").arg(self.deb(package)?).arg(&tree))?;
        ensure!(unpacked, "{said}");
        let control = tree.join("DEBIAN/control");
        let text = fs::read_to_string(&control)?;
        fs::write(&control, text.replace(&format!("Version: {VERSION}-1"), &format!("Version: {version}")))?;
        let newer = folder.path().join("newer.deb");
        let mut deb = Command::new("dpkg-deb");
        deb.args(["--build", "--root-owner-group", "-Znone"]);
        let (packed, said) = say(deb.arg(&tree).arg(newer))?;
        ensure!(packed, "{said}");
        Ok(folder)
    }

    /// The files of a package, unpacked.
    pub fn files(&self, package: &str) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        let (unpacked, said) =
            say(Command::new("dpkg-deb").arg("-x").arg(self.deb(package)?).arg(folder.path()))?;
        ensure!(unpacked, "{said}");
        Ok(folder)
    }
}

/// The programs, without what a debugger reads: the agent as it is shipped where that is there.
fn stripped() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let agent = match built::released()? {
        Ok(agent) => agent,
        Err(_) => built::sensor()?,
    };
    for (name, program) in
        [("sensor", agent), ("sensor-fleet", built::sensor_fleet()?), ("sensor-manual", built::manual()??)]
    {
        let (stripped, said) =
            say(Command::new("strip").arg(program).arg("-o").arg(folder.path().join(name)))?;
        ensure!(stripped, "{said}");
    }
    Ok(folder)
}
