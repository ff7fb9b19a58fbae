//! Compilers that can build for the BPF target: rustup's nightly with the sources of `core`, and Debian's
//! rustc with a prebuilt `core`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::apt;
use crate::shell;

/// The target the programs are built for, most often. What has a `core` for it has one for `bpfeb-unknown-none` too.
const TARGET: &str = "bpfel-unknown-none";

/// The oldest release that compiles this workspace, as "1.95".
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Asking a program that is there for its version takes no longer.
const ASKING: Duration = Duration::from_secs(30);

/// Fetching a nightly takes no longer where it can be fetched.
const FETCHING: Duration = Duration::from_mins(2);

/// Debian's pairs of a compiler and a `core` prebuilt for BPF. The first is the newer one where a stable
/// release has both.
const DEBIAN: [[&str; 2]; 2] = [["rustc-web", "libstd-rust-web-dev-bpf"], ["rustc", "libstd-rust-dev-bpf"]];

/// A compiler that can build for the BPF target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// The compiler itself, not a rustup proxy.
    pub rustc: PathBuf,
    /// Its own cargo, where it must build `core`: a stable cargo may not know how. `None`: any cargo does.
    pub cargo: Option<PathBuf>,
    /// The sources of `core`, or the folder of the prebuilt one.
    pub core: PathBuf,
    /// The first line of `rustc -vV`.
    pub version: String,
    /// The major version of its LLVM.
    pub llvm: u32,
}

impl Compiler {
    /// Whether `core` has to be built from its sources.
    pub fn builds_core(&self) -> bool {
        self.cargo.is_some()
    }

    /// Whether it is there and of the same version still.
    pub fn is_intact(&self) -> bool {
        self.core.exists()
            && self.cargo.as_ref().is_none_or(|cargo| cargo.is_file())
            && version(&self.rustc).is_ok_and(|version| version.name == self.version)
    }
}

/// rustup's nightly with `rust-src`.
///
/// # Errors
/// Why there is none.
pub fn nightly() -> Result<Compiler> {
    let rustup = shell::find("rustup").ok_or_else(|| anyhow!("no rustup"))?;
    let toolchains = shell::capture(Command::new(&rustup).args(["toolchain", "list"]), ASKING)?;
    let name = toolchains
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| name.starts_with("nightly"))
        .ok_or_else(|| anyhow!("rustup has no nightly"))?;
    let program = |program| {
        shell::capture(Command::new(&rustup).args(["which", "--toolchain", name, program]), ASKING)
            .map(PathBuf::from)
    };
    let (rustc, cargo) = (program("rustc")?, program("cargo")?);
    let core = sysroot(&rustc)?.join("lib/rustlib/src/rust/library/core");
    if !core.join("Cargo.toml").is_file() {
        bail!("{name} lacks rust-src");
    }
    let Version { name: version, llvm } = recent(&rustc)?;
    Ok(Compiler { rustc, cargo: Some(cargo), core, version, llvm })
}

/// Debian's rustc with its prebuilt `core` for BPF.
///
/// # Errors
/// Why there is none.
pub fn debian() -> Result<Compiler> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    if !rustc.is_file() {
        bail!("no /usr/bin/rustc");
    }
    let core = sysroot(&rustc)?.join("lib/rustlib").join(TARGET);
    if !core.is_dir() {
        bail!("/usr/bin/rustc has no core for {TARGET}");
    }
    let Version { name: version, llvm } = recent(&rustc)?;
    probe(&rustc)?;
    Ok(Compiler { rustc, cargo: None, core, version, llvm })
}

/// Brings rustup's nightly with `rust-src`.
///
/// # Errors
/// When there is no rustup, or nothing to fetch from within the limit.
pub fn fetch_nightly() -> Result<()> {
    let rustup = shell::find("rustup").ok_or_else(|| anyhow!("no rustup"))?;
    let mut fetch = Command::new(rustup);
    fetch.args([
        "toolchain",
        "install",
        "nightly",
        "--profile",
        "minimal",
        "--component",
        "rust-src",
        "--no-self-update",
    ]);
    shell::capture(&mut fetch, FETCHING).map(drop)
}

/// The pair of Debian packages that would do, if apt can have one.
///
/// # Errors
/// When apt has none that is recent enough.
pub fn debian_packages() -> Result<[&'static str; 2]> {
    apt::refreshed_until(|| {
        DEBIAN.into_iter().find(|pair| {
            pair.iter().all(|package| apt::candidate(package).is_some_and(|version| is_recent(&version)))
        })
    })
    .ok_or_else(|| {
        anyhow!("apt has neither of rustc-web and rustc in {OLDEST} or newer with its libstd for BPF")
    })
}

struct Version {
    name: String,
    llvm: u32,
}

/// The version of a compiler that is recent enough.
fn recent(rustc: &Path) -> Result<Version> {
    let version = version(rustc)?;
    let release = version.name.split_whitespace().nth(1).unwrap_or_default();
    if !is_recent(release) {
        bail!("{} is {release}, older than {OLDEST}", rustc.display());
    }
    Ok(version)
}

fn version(rustc: &Path) -> Result<Version> {
    let said = shell::capture(quiet(rustc).arg("-vV"), ASKING)?;
    parse_version(&said).with_context(|| format!("cannot make sense of `{} -vV`", rustc.display()))
}

fn parse_version(said: &str) -> Option<Version> {
    let llvm = said.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    let major = llvm.split('.').next()?.parse().ok()?;
    Some(Version { name: said.lines().next()?.to_owned(), llvm: major })
}

/// Whether a release, or a Debian package's version, is at least [`OLDEST`].
fn is_recent(version: &str) -> bool {
    let numbers = |version: &str| -> Option<(u32, u32)> {
        let mut parts = version.split(['.', '+', '-', '~']).map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    numbers(version) >= numbers(OLDEST) && numbers(version).is_some()
}

fn sysroot(rustc: &Path) -> Result<PathBuf> {
    shell::capture(quiet(rustc).args(["--print", "sysroot"]), ASKING).map(PathBuf::from)
}

/// Compiles nothing for BPF: refused when `core` was built by another version of the compiler.
fn probe(rustc: &Path) -> Result<()> {
    let mut probe = quiet(rustc);
    probe
        .args(["--crate-type", "lib", "--edition", "2024", "--emit", "metadata=-", "--target", TARGET])
        .arg(shell::workspace().join("xtask/src/setup/probe.rs"));
    shell::capture(&mut probe, ASKING)
        .map(drop)
        .with_context(|| format!("{} does not fit its core for {TARGET}", rustc.display()))
}

/// A compiler, run without the libraries of the one that `cargo run` put in the environment.
fn quiet(rustc: &Path) -> Command {
    let mut command = Command::new(rustc);
    command.env_remove("LD_LIBRARY_PATH").stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_version_and_llvm_are_read() {
        let said = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                    release: 1.97.0-nightly\nLLVM version: 22.1.4";
        let version = parse_version(said).expect("a version");
        assert_eq!(version.name, "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)");
        assert_eq!(version.llvm, 22);
        assert!(parse_version("rustc 1.97.0").is_none());
    }

    #[rstest]
    #[case::package("1.96.0+dfsg1-1~deb12u2", true)]
    #[case::nightly("1.97.0-nightly", true)]
    #[case::equal("1.95.0", true)]
    #[case::older("1.85.0+dfsg3-1~deb12u3", false)]
    #[case::much_older("1.63.0+dfsg1-2", false)]
    #[case::no_version("unknown", false)]
    fn releases_are_compared_by_number(#[case] version: &str, #[case] recent: bool) {
        assert_eq!(is_recent(version), recent);
    }
}
