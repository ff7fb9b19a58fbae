//! Which compiler and linker build the XDP programs.
//!
//! Three ways, the first that is there: rustup's nightly, which builds `core` itself; Debian's rustc, whose
//! `core` for BPF is prebuilt; and, where there is neither, one of them is brought.

use anyhow::{Context, Result, anyhow};

use super::compiler::{self, Compiler};
use super::record::{Choice, Toolchain};
use super::{Report, apt, linker};
use crate::shell;

const THING: &str = "BPF toolchain";

/// Finds or brings a toolchain and puts it on file.
///
/// # Errors
/// When there is none and none can be had: every way, and what stood in it.
pub fn bring(choice: &Choice, report: &mut Report) -> Result<()> {
    if let Some(toolchain) = Toolchain::recorded().filter(Toolchain::is_intact) {
        report.have(THING, &format!("{}, chosen before", toolchain.compiler.version));
        report.have("bpf-linker", &toolchain.linker.display().to_string());
        return Ok(());
    }
    let (toolchain, why) = choose(report)?;
    choice.record(&toolchain)?;
    report.bringing(THING, &format!("{} ({why})", toolchain.compiler.version));
    report.have("bpf-linker", &toolchain.linker.display().to_string());
    Ok(())
}

/// The first way that works, and why it was taken.
fn choose(report: &mut Report) -> Result<(Toolchain, String)> {
    let mut obstacles = Vec::new();
    for way in WAYS {
        match complete((way.find)(), report) {
            Ok(toolchain) => return Ok((toolchain, reason(way.name, &obstacles))),
            Err(error) => obstacles.push(format!("{error:#}")),
        }
    }
    // Where apt has a compiler it has the linker's LLVM too, which rustup has not: apt is tried first.
    for way in WAYS.iter().rev() {
        match (way.bring)(report).and_then(|()| complete((way.find)(), report)) {
            Ok(toolchain) => return Ok((toolchain, reason(way.name, &obstacles))),
            Err(error) => obstacles.push(format!("{error:#}")),
        }
    }
    Err(anyhow!(
        "no toolchain builds BPF here: {}. Either `rustup toolchain install nightly -c rust-src`, with a bpf-linker \
         of no older LLVM in PATH; or Debian's rustc-web and libstd-rust-web-dev-bpf (bookworm), rustc and \
         libstd-rust-dev-bpf (newer), with llvm-22-dev; then `cargo xtask setup` again",
        obstacles.join("; ")
    ))
}

/// A compiler that may be there, and how to bring it.
struct Way {
    name: &'static str,
    find: fn() -> Result<Compiler>,
    bring: fn(&mut Report) -> Result<()>,
}

const WAYS: [Way; 2] = [
    Way { name: "rustup's nightly with rust-src", find: compiler::nightly, bring: fetch_nightly },
    Way { name: "Debian's rustc with its core for BPF", find: compiler::debian, bring: install_debian },
];

fn fetch_nightly(report: &mut Report) -> Result<()> {
    report.bringing(THING, "rustup toolchain install nightly, with rust-src");
    compiler::fetch_nightly()
}

fn install_debian(report: &mut Report) -> Result<()> {
    shell::find("apt-get").ok_or_else(|| anyhow!("no apt"))?;
    let packages = compiler::debian_packages()?;
    apt::install(THING, &packages, report)
}

/// Adds the linker that a compiler needs.
fn complete(compiler: Result<Compiler>, report: &mut Report) -> Result<Toolchain> {
    let compiler = compiler?;
    let linker = linker::bring(compiler.llvm, report).with_context(|| compiler.version.clone())?;
    Ok(Toolchain { compiler, linker })
}

fn reason(name: &str, obstacles: &[String]) -> String {
    if obstacles.is_empty() { name.to_owned() } else { format!("{name}, because: {}", obstacles.join("; ")) }
}
