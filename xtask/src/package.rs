//! `cargo xtask package`: what is installed: Debian packages, archives for other systems, bills of materials, checksums.
//!
//! What goes into a package, and where, stands in `[package.metadata.deb]` of the program's own Cargo.toml; the sources of
//! it that are made here are put into one tree, `target/package/tree`.

mod bill;
mod tree;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::architecture::Architecture;
use crate::build;
use crate::cargo::{self, Build, Target};
use crate::{reproducible, setup, shell};
use tree::Tree;

/// Packing, or unpacking, one of them takes no longer.
const PACKING: Duration = Duration::from_mins(10);

/// How often one version was packed anew: Debian's revision.
const REVISION: u32 = 1;

/// What `cargo xtask package` takes.
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask package\n  cargo xtask package --for amd64 arm64\n  \
                  cargo xtask package --version 0.2.0~rc1")]
pub struct Package {
    /// Processors to pack the agent for [default: this machine's]; what looks at many sensors is packed for this machine's
    #[arg(long = "for", value_name = "PROCESSOR", num_args = 1..)]
    processors: Vec<Architecture>,
    /// The packages' version, as Debian writes one [default: the workspace's]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Pack `sensor`, `sensor-fleet` and `sensor-manual` of this folder instead of building them
    #[arg(long, value_name = "DIR", conflicts_with = "processors")]
    programs: Option<PathBuf>,
    /// Where the packages go [default: target/package]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Packs everything, and says what.
///
/// # Errors
/// When something does not build, or cannot be packed.
pub fn run(package: &Package) -> Result<()> {
    let cargo_deb = setup::for_packaging()?;
    let folder = shell::workspace().join("target/package");
    let output = package.output.clone().unwrap_or_else(|| folder.clone());
    fs::create_dir_all(&output).with_context(|| format!("cannot create {}", output.display()))?;
    remove_packages(&output)?;
    let here = Architecture::here()?;
    let processors = if package.processors.is_empty() { vec![here] } else { package.processors.clone() };
    let packer = Packer {
        cargo_deb,
        version: package.version.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        date: reproducible::date()?,
        output,
    };
    let given = package.programs.as_deref();
    let tree = Tree::new(&folder.join("tree"), &packer.debian_version(), packer.date)?;
    tree.manual(&given.map_or_else(manual, |folder| Ok(folder.join("sensor-manual")))?)?;
    for &processor in &processors {
        let tools = processor.bring()?;
        let agent = match given {
            Some(folder) => folder.join("sensor"),
            // The folder of `cargo xtask build` is this machine's.
            None if processor == here => build::agent()?,
            None => {
                build::agent_for(&tools.target, &tools.binutil("objcopy"), &folder.join(processor.name()))?
            }
        };
        tree.put(&agent)?;
        let deb = packer.deb("sensor-user", &tools.target)?;
        packer.archive(&deb, "sensor", processor)?;
        packer.bill(
            &bill::agent(&tools.target.triple, &packer.version, packer.date)?,
            "sensor",
            processor,
        )?;
    }
    let target = Target::here()?;
    let fleet = given.map_or_else(|| fleet(&target, &folder), |folder| Ok(folder.join("sensor-fleet")))?;
    tree.put(&fleet)?;
    let deb = packer.deb("sensor-fleet", &target)?;
    packer.archive(&deb, "sensor-fleet", here)?;
    packer.bill(&bill::fleet(&target.triple, &packer.version, packer.date)?, "sensor-fleet", here)?;
    packer.checksums()
}

/// Packs the agent twice, as this version and as one that is newer than any, and returns the paths, the older first.
///
/// # Errors
/// As [`run`].
pub fn two_versions(output: &Path) -> Result<[PathBuf; 2]> {
    let cargo_deb = setup::for_packaging()?;
    fs::create_dir_all(output).with_context(|| format!("cannot create {}", output.display()))?;
    remove_packages(output)?;
    let (agent, manual, target) = (build::agent()?, manual()?, Target::here()?);
    let pack = |version: &str| {
        let (cargo_deb, output) = (cargo_deb.clone(), output.to_owned());
        let packer = Packer { cargo_deb, version: version.to_owned(), date: reproducible::date()?, output };
        let folder = shell::workspace().join("target/package/tree");
        let tree = Tree::new(&folder, &packer.debian_version(), packer.date)?;
        tree.manual(&manual)?;
        tree.put(&agent)?;
        packer.deb("sensor-user", &target)
    };
    Ok([pack(env!("CARGO_PKG_VERSION"))?, pack("999.0.0")?])
}

/// Builds what writes manual pages and completions: it is not shipped, and so not made fast.
fn manual() -> Result<PathBuf> {
    let built = cargo::build(&["--package", "sensor-manual"])?;
    cargo::program("sensor-manual", &built).map(Path::to_owned)
}

/// Builds what looks at many sensors. It asks for names of hosts, which a static program cannot do everywhere.
fn fleet(target: &Target, folder: &Path) -> Result<PathBuf> {
    let build = Build::shipped(target, &[], &["--release", "--package", "sensor-fleet"])?;
    build::part(cargo::program("sensor-fleet", &build.finish()?)?, "objcopy", folder)
}

/// What ends the names of the files that are made here.
const ENDINGS: [&str; 3] = [".deb", ".tar.gz", ".cdx.json"];

/// The list of checksums.
const CHECKSUMS: &str = "SHA256SUMS";

/// The packages in a folder, by name.
fn packages(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> =
        names.filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending))).collect();
    names.sort();
    Ok(names)
}

/// Removes what was packed before: the checksums are of what is packed now.
fn remove_packages(folder: &Path) -> Result<()> {
    for name in packages(folder)? {
        fs::remove_file(folder.join(&name)).with_context(|| format!("cannot remove {name}"))?;
    }
    Ok(())
}

/// Makes packages of what is in the tree.
struct Packer {
    cargo_deb: PathBuf,
    version: String,
    date: u64,
    output: PathBuf,
}

impl Packer {
    fn debian_version(&self) -> String {
        format!("{}-{REVISION}", self.version)
    }

    /// Makes the Debian package of a package of cargo's, and returns its path.
    fn deb(&self, package: &str, target: &Target) -> Result<PathBuf> {
        let mut deb = Command::new(&self.cargo_deb);
        deb.current_dir(shell::workspace())
            .args(["--no-build", "--no-strip", "--compress-system", "--quiet", "--locked"])
            .args(["--package", package, "--target", &*target.triple])
            .args(["--deb-version", &*self.debian_version()])
            .arg("--output")
            .arg(&self.output)
            .env("SOURCE_DATE_EPOCH", self.date.to_string());
        let said = shell::capture(&mut deb, PACKING)?;
        let path = said.lines().last().map(PathBuf::from).filter(|path| path.is_file());
        let path = path.with_context(|| format!("cargo-deb does not say what it made: {said:?}"))?;
        println!("{}", path.display());
        Ok(path)
    }

    /// Makes an archive of the very files of a Debian package, for systems that take none: to be unpacked at `/`.
    fn archive(&self, deb: &Path, name: &str, processor: Architecture) -> Result<()> {
        let path = self.output.join(format!("{name}-{}-linux-{}.tar.gz", self.version, processor.name()));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut unpack = Command::new("dpkg-deb");
        let mut unpack = unpack.arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn()?;
        let files = unpack.stdout.take().context("dpkg-deb has no output")?;
        // Without a name and a time.
        let mut pack = Command::new("gzip");
        let mut pack = pack.args(["--no-name", "--best"]).stdin(files).stdout(file).spawn()?;
        for (program, child) in [("dpkg-deb", &mut unpack), ("gzip", &mut pack)] {
            let status = shell::wait(child, PACKING)?;
            ensure!(status.is_some_and(|status| status.success()), "{program} failed on {}", deb.display());
        }
        println!("{}", path.display());
        Ok(())
    }

    fn bill(&self, bill: &str, name: &str, processor: Architecture) -> Result<()> {
        let path = self.output.join(format!("{name}-{}-linux-{}.cdx.json", self.version, processor.name()));
        fs::write(&path, bill).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
        Ok(())
    }

    /// Writes the checksums of all packages.
    fn checksums(&self) -> Result<()> {
        let mut sums = Command::new("sha256sum");
        let sums = shell::capture(sums.args(packages(&self.output)?).current_dir(&self.output), PACKING)?;
        let path = self.output.join(CHECKSUMS);
        fs::write(&path, sums + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
        Ok(())
    }
}
