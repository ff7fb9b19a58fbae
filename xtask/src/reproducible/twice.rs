//! `cargo xtask reproducible`: builds and packs the newest commit twice, in two folders, and compares what comes of it.
//!
//! Everything is compared byte for byte: the packages, and with them the agent, and the objects for the kernel by themselves.
//! The tools are the same for both, and so is the time that everything is of.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::architecture::Architecture;
use crate::{cargo, setup, shell};

/// Where the two are built: of different lengths, since a name that stays shows in paddings too.
const PLACES: [&str; 2] = ["a", "somewhere/else/with/a/longer/name"];

/// Writing out the files of a commit takes no longer.
const WRITING: Duration = Duration::from_mins(5);

/// What `cargo xtask reproducible` takes.
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask reproducible\n  cargo xtask reproducible --for amd64 arm64")]
pub struct Reproducible {
    /// Processors to pack the agent for [default: this machine's]
    #[arg(long = "for", value_name = "PROCESSOR", num_args = 1..)]
    processors: Vec<Architecture>,
}

/// Builds twice, and tells whether all is the same.
///
/// # Errors
/// When one cannot be built.
pub fn run(arguments: &Reproducible) -> Result<bool> {
    setup::for_building()?;
    setup::for_packaging()?;
    let folder = shell::workspace().join("target/reproducible");
    let _ = fs::remove_dir_all(&folder);
    let [one, other] = PLACES;
    let [one, other] = [build(arguments, &folder, one, "1")?, build(arguments, &folder, other, "2")?];
    let compared = compare(&one, &other)?;
    ensure!(!compared.is_empty(), "nothing was built: {} is empty", one.display());
    for (name, same) in &compared {
        println!("{}: {name}", if *same { "the same" } else { "DIFFERS" });
    }
    let same = compared.iter().all(|(_, same)| *same);
    if !same {
        println!("both are in {}", folder.display());
    }
    Ok(same)
}

/// Builds in a place, and returns the folder with all that came of it. What it took, some gigabytes, is removed.
fn build(arguments: &Reproducible, folder: &Path, place: &str, output: &str) -> Result<PathBuf> {
    let (place, output) = (folder.join(place), folder.join(output));
    println!("reproducible: building in {}", place.display());
    write_commit(&place)?;
    fs::create_dir_all(place.join("target"))?;
    symlink(shell::workspace().join("target/tools"), place.join("target/tools"))
        .with_context(|| format!("cannot give the tools to {}", place.display()))?;
    let mut package = cargo::command();
    package.current_dir(&place).args(["run", "--quiet", "--locked", "--package", "xtask", "--", "package"]);
    package.arg("--output").arg(&output);
    if !arguments.processors.is_empty() {
        package.arg("--for").args(arguments.processors.iter().map(|processor| processor.name()));
    }
    // Both would otherwise be one and the same build.
    package.env_remove("CARGO_TARGET_DIR");
    package.env("SOURCE_DATE_EPOCH", super::date()?.to_string());
    let status = package.status().context("cannot run cargo")?;
    ensure!(status.success(), "packing in {} failed: its complaints are above", place.display());
    let objects = objects(&place.join("target"))?;
    ensure!(
        !objects.is_empty(),
        "no object for the kernel is below {}: nothing says whether they are the same",
        place.display()
    );
    for (number, object) in objects.iter().enumerate() {
        fs::write(output.join(format!("sensor-{number}.bpf.o")), object)?;
    }
    fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    Ok(output)
}

/// Writes the files of the newest commit: what was not committed stays out.
fn write_commit(place: &Path) -> Result<()> {
    let workspace = shell::workspace();
    fs::create_dir_all(place).with_context(|| format!("cannot create {}", place.display()))?;
    let archive = place.join("commit.tar");
    let mut git = Command::new("git");
    // In a container the repository is often somebody else's.
    git.args(["-c", &format!("safe.directory={}", workspace.display())]);
    git.args(["archive", "--format", "tar", "--output"]).arg(&archive).arg("HEAD").current_dir(workspace);
    shell::capture(&mut git, WRITING)?;
    shell::capture(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(place), WRITING)?;
    fs::remove_file(&archive)?;
    Ok(())
}

/// The different objects for the kernel that builds have embedded below a folder: one, if those for all processors and for
/// what is not shipped are the same.
fn objects(target: &Path) -> Result<BTreeSet<Vec<u8>>> {
    let mut objects = BTreeSet::new();
    let mut folders = vec![target.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            // Links lead to the tools.
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "sensor.bpf.o" {
                objects.insert(fs::read(entry.path())?);
            }
        }
    }
    Ok(objects)
}

/// Each file of two folders, and whether it is in both, and the same.
fn compare(one: &Path, other: &Path) -> Result<Vec<(String, bool)>> {
    let mut names = BTreeSet::new();
    for folder in [one, other] {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        names.extend(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()));
    }
    let read = |folder: &Path, name: &str| fs::read(folder.join(name)).ok();
    let same = |name: String| {
        let first = read(one, &name);
        let same = first.is_some() && first == read(other, &name);
        (name, same)
    };
    Ok(names.into_iter().map(same).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_or_are_missing_are_not_the_same() -> Result<()> {
        let [one, other] = [tempfile::tempdir()?, tempfile::tempdir()?];
        let write =
            |folder: &tempfile::TempDir, name: &str, text: &str| fs::write(folder.path().join(name), text);
        write(&one, "same.deb", "x")?;
        write(&other, "same.deb", "x")?;
        write(&one, "differs.deb", "x")?;
        write(&other, "differs.deb", "y")?;
        write(&other, "more.deb", "x")?;
        let compared = compare(one.path(), other.path())?;
        let compared: Vec<_> = compared.iter().map(|(name, same)| (name.as_str(), *same)).collect();
        assert_eq!(compared, [("differs.deb", false), ("more.deb", false), ("same.deb", true)]);
        Ok(())
    }

    #[test]
    fn objects_are_found_wherever_they_were_built() -> Result<()> {
        let target = tempfile::tempdir()?;
        for (folder, object) in [
            ("release/build/sensor-user-1/out", "x"),
            ("aarch64/build/b/out", "y"),
            ("debug/build/c/out", "x"),
        ] {
            let folder = target.path().join(folder);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("sensor.bpf.o"), object)?;
            fs::write(folder.join("other"), "z")?;
        }
        symlink("/nowhere", target.path().join("tools"))?;
        assert_eq!(objects(target.path())?, BTreeSet::from([b"x".to_vec(), b"y".to_vec()]));
        Ok(())
    }
}
