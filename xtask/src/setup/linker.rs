//! `bpf-linker`, with an LLVM that can read what the compiler writes.
//!
//! A linker of an older LLVM than the compiler's fails late and obscurely, so the LLVM that a linker was
//! built with is read from its file and compared beforehand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::{Report, apt};
use crate::{cargo, shell};

/// The release that is built, and the LLVM versions that it can be built with.
const RELEASE: &str = "0.13.0";
const SUPPORTED: [Llvm; 3] =
    [Llvm { major: 21, sys: 211 }, Llvm { major: 22, sys: 221 }, Llvm { major: 23, sys: 231 }];

/// Building takes a minute or two, on a small machine some more.
const BUILDING: Duration = Duration::from_mins(30);

/// An LLVM that [`RELEASE`] can be built with, and the version of the `llvm-sys` crate that goes with it.
struct Llvm {
    major: u32,
    sys: u32,
}

impl Llvm {
    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/usr/lib/llvm-{}", self.major))
    }

    fn package(&self) -> String {
        format!("llvm-{}-dev", self.major)
    }

    fn is_installed(&self) -> bool {
        self.folder().join("bin/llvm-config").exists()
    }
}

/// The path of a linker whose LLVM is not older than `llvm`: one that is there, else one built here.
///
/// # Errors
/// When there is none and none can be built.
pub fn bring(llvm: u32, report: &mut Report) -> Result<PathBuf> {
    let ours = root().join("bin/bpf-linker");
    let there = [Some(ours.clone()), shell::find("bpf-linker")];
    // A linker that does not tell its LLVM is taken at its word.
    let fits = |linker: &PathBuf| linker.is_file() && llvm_of(linker).is_none_or(|of| of >= llvm);
    if let Some(linker) = there.into_iter().flatten().find(fits) {
        return Ok(linker);
    }
    build(llvm, report)?;
    match llvm_of(&ours) {
        Some(of) if of >= llvm => Ok(ours),
        _ => bail!("the bpf-linker built at {} does not use LLVM {llvm} or newer", ours.display()),
    }
}

fn root() -> PathBuf {
    shell::workspace().join("target/tools")
}

/// Builds [`RELEASE`] with an LLVM that is installed or that apt can install.
fn build(llvm: u32, report: &mut Report) -> Result<()> {
    let fits = || SUPPORTED.iter().filter(|known| known.major >= llvm);
    let with = fits()
        .find(|known| known.is_installed())
        .or_else(|| apt::refreshed_until(|| fits().find(|known| apt::candidate(&known.package()).is_some())))
        .ok_or_else(|| {
            anyhow!(
                "no bpf-linker with LLVM {llvm} or newer, and apt has no llvm-{llvm}-dev to build one with: \
                 put a release binary of bpf-linker (github.com/aya-rs/bpf-linker) into PATH"
            )
        })?;
    let polly = format!("libpolly-{}-dev", with.major);
    let llvm_package = with.package();
    // LLVM is C++; linking it needs g++'s library, which a C compiler alone does not bring.
    let mut packages = vec![llvm_package.as_str(), "g++", "zlib1g-dev", "libzstd-dev"];
    if apt::candidate(&polly).is_some() {
        packages.push(&polly);
    }
    apt::install("libraries for bpf-linker", &packages, report)?;

    report.bringing(
        "bpf-linker",
        &format!("building {RELEASE} with LLVM {}, as rustc's LLVM is {llvm}; a minute or two", with.major),
    );
    let mut install = cargo::command();
    install
        .args(["install", "bpf-linker", "--version", RELEASE, "--locked", "--force", "--no-default-features"])
        .arg("--features")
        .arg(format!("llvm-{}", with.major))
        .arg("--root")
        .arg(root())
        // LLVM does the work: what links to it need be neither fast nor debugged.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("LLVM_PREFIX", with.folder())
        .env(format!("LLVM_SYS_{}_PREFIX", with.sys), with.folder());
    shell::capture(&mut install, BUILDING).map(drop)
}

/// The major version of the LLVM that a linker uses.
fn llvm_of(linker: &Path) -> Option<u32> {
    newest_llvm(&fs::read(linker).ok()?)
}

/// The newest LLVM that a program's bytes name: as a library it loads (`libLLVM.so.22.1`, `libLLVM-21.so`),
/// or, linked statically, as the producer that it writes into bitcode (`LLVM22.1.8`).
fn newest_llvm(program: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"LLVM";
    program
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, window)| *window == NAME)
        .filter_map(|(at, _)| {
            let rest = &program[at + NAME.len()..];
            let number = [&b".so."[..], b"-", b""].into_iter().find_map(|infix| rest.strip_prefix(infix))?;
            let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
            // A version goes on with a dot; other words that start like this do not.
            (number.get(digits) == Some(&b'.')).then_some(&number[..digits])
        })
        .filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .max()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::soname(b"\0libLLVM.so.22.1\0libc.so.6\0", Some(22))]
    #[case::older_soname(b"\0libLLVM-19.so.1\0", Some(19))]
    #[case::producer(b"\x01LLVM23.1.0\0LLVM-C\0", Some(23))]
    #[case::the_newest(b"LLVM7.0\0LLVM22.1.8", Some(22))]
    #[case::words_only(b"LLVM error: LLVMContext LLVM42 LLVM", None)]
    fn the_llvm_of_a_linker_is_read_from_its_bytes(#[case] program: &[u8], #[case] llvm: Option<u32>) {
        assert_eq!(newest_llvm(program), llvm);
    }
}
