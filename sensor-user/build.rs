//! Compiles the XDP programs and hands the object to the agent as `OUT_DIR/sensor.bpf.o`.
//!
//! It runs whenever the programs, the records they share with the agent or the toolchain change, so no
//! build can embed an old object. Which compiler and linker to use is what `cargo xtask setup` recorded.

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The instruction set: comparisons and arithmetic on half registers too (Linux 5.1). It
/// saves instructions on every packet.
const CPU: &str = "-Ctarget-cpu=v3";

fn main() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), String> {
    let workspace = variable("CARGO_MANIFEST_DIR")?
        .parent()
        .map(Path::to_path_buf)
        .ok_or("the sensor-user crate lies outside its workspace")?;
    let record = workspace.join("target/tools/bpf-toolchain");
    for input in [
        "Cargo.toml",
        "Cargo.lock",
        "sensor-common/Cargo.toml",
        "sensor-common/src",
        "sensor-ebpf/Cargo.toml",
        "sensor-ebpf/src",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    println!("cargo::rerun-if-changed={}", record.display());

    // BPF has the byte order of the processor that it runs on.
    let target = match env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() {
        Ok("little") => "bpfel-unknown-none",
        Ok("big") => "bpfeb-unknown-none",
        other => return Err(format!("cargo set CARGO_CFG_TARGET_ENDIAN to {other:?}")),
    };
    settled(&record)?;
    let toolchain = Toolchain::read(&record)?;
    let object = toolchain.build(&workspace, target)?;
    let embedded = variable("OUT_DIR")?.join("sensor.bpf.o");
    fs::copy(&object, &embedded)
        .map_err(|error| format!("cannot copy {} to {}: {error}", object.display(), embedded.display()))?;
    if let Err(error) = strip_debug_info(&embedded) {
        // The object is as it was, and what the kernel loads of it is the same.
        println!("cargo::warning=the agent is larger than need be: {error}");
    }
    Ok(())
}

/// Takes DWARF out of an object, by the tool that comes with the compiler. BTF, which the kernel reads, stays.
fn strip_debug_info(object: &Path) -> Result<(), String> {
    let sysroot = sysroot(&variable("RUSTC")?)?;
    let host = env::var("HOST").map_err(|error| error.to_string())?;
    let tool = sysroot.join("lib/rustlib").join(host).join("bin/rust-objcopy");
    // Beside it, so that no half-written one is embedded.
    let stripped = object.with_extension("stripped");
    let status = Command::new(&tool)
        .arg("--strip-debug")
        .args([object, &stripped])
        .env("LD_LIBRARY_PATH", sysroot.join("lib"))
        .status()
        .map_err(|error| format!("cannot run {}: {error}", tool.display()))?;
    if !status.success() {
        return Err(format!("{} ended with {status}", tool.display()));
    }
    fs::rename(&stripped, object)
        .map_err(|error| format!("cannot rename {} to {}: {error}", stripped.display(), object.display()))
}

/// Waits for a setup that is at work: `cargo xtask` starts builds beside it.
fn settled(record: &Path) -> Result<(), String> {
    let path = record.with_extension("lock");
    // Before the first setup there is none.
    let Ok(lock) = File::open(&path) else { return Ok(()) };
    lock.lock_shared().map_err(|error| format!("cannot wait for setup at {}: {error}", path.display()))
}

/// What `cargo xtask setup` chose.
struct Toolchain {
    rustc: PathBuf,
    cargo: PathBuf,
    linker: PathBuf,
    build_std: bool,
}

impl Toolchain {
    fn read(record: &Path) -> Result<Self, String> {
        const MEND: &str = "run `cargo xtask setup`";
        let text = fs::read_to_string(record).map_err(|_| format!("no BPF toolchain was set up: {MEND}"))?;
        let values: HashMap<_, _> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(" = "))
            .collect();
        let file = |key| {
            let path = values
                .get(key)
                .map(PathBuf::from)
                .ok_or(format!("the record of the BPF toolchain has no {key}: {MEND}"))?;
            if !path.exists() {
                return Err(format!("{}, part of the BPF toolchain, is gone: {MEND}", path.display()));
            }
            Ok(path)
        };
        Ok(Self {
            rustc: file("rustc")?,
            cargo: if values.contains_key("cargo") { file("cargo")? } else { variable("CARGO")? },
            linker: file("linker")?,
            build_std: values.get("build-std") == Some(&"yes"),
        })
    }

    /// Builds the programs and returns the object's path.
    ///
    /// The target directory is one of its own: the outer cargo holds the lock of the usual one, and debug,
    /// release and clippy builds of the agent share this one.
    fn build(&self, workspace: &Path, target: &str) -> Result<PathBuf, String> {
        let directory = workspace.join("target/bpf");
        let mut cargo = Command::new(&self.cargo);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(describes_the_outer_build) {
                cargo.env_remove(&name);
            }
        }
        cargo
            .current_dir(workspace)
            .args(["build", "--profile", "bpf", "--locked", "--package", "sensor-ebpf", "--target", target])
            .arg("--target-dir")
            .arg(&directory)
            .args(self.build_std.then_some("-Zbuild-std=core"))
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(workspace)?.join("\x1f"))
            // Which registers a kernel's context struct has: the machine the agent is for.
            .env("AYA_BPF_TARGET_ARCH", variable("CARGO_CFG_TARGET_ARCH")?);
        let status =
            cargo.status().map_err(|error| format!("cannot run {}: {error}", self.cargo.display()))?;
        if !status.success() {
            return Err(
                "the XDP programs (sensor-ebpf) do not compile: the compiler's words are below".to_owned()
            );
        }
        Ok(directory.join(target).join("bpf/sensor-ebpf"))
    }

    /// What the compiler is told. BTF has the names of source files: they are those that every machine has, so that the
    /// object is the same wherever it is built.
    fn flags(&self, workspace: &Path) -> Result<Vec<String>, String> {
        let home = || variable("HOME").map(|home| home.join(".cargo"));
        let crates = variable("CARGO_HOME").or_else(|_| home())?;
        let library = sysroot(&self.rustc)?.join("lib/rustlib/src/rust");
        let names = [(workspace, "/usr/src/sensor"), (&crates, "/usr/src/cargo"), (&library, "/rustc")];
        let mut flags = vec![format!("-Clinker={}", self.linker.display())];
        flags.extend(["-Clink-arg=--btf", "-Cdebuginfo=2", CPU].map(str::to_owned));
        flags.extend(names.map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display())));
        Ok(flags)
    }
}

/// The folder of the compiler that is the library's source too, where it is there.
fn sysroot(rustc: &Path) -> Result<PathBuf, String> {
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", rustc.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} ended with {}: {}", rustc.display(), output.status, said.trim()));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Whether an inherited variable tells about the outer build and would mislead the inner one: clippy's
/// compiler wrapper, the host's flags and target, the rustup toolchain, the outer compiler's libraries.
fn describes_the_outer_build(name: &str) -> bool {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_INCREMENTAL",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_TERM_",
    ];
    let cargos = name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept));
    cargos
        || name.starts_with("RUSTC")
        || name.starts_with("RUSTDOC")
        || matches!(name, "RUSTFLAGS" | "RUSTUP_TOOLCHAIN" | "LD_LIBRARY_PATH")
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or(format!("cargo did not set {name}"))
}
