//! Programs that the tests, the demo and the benchmark run: `ip`, `promtool`, and those of the tests' world around a
//! sensor host, `sshd` and `dig` for two.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::{Report, apt, zmap_4};
use crate::{cargo, shell};

/// Where the programs are that a test may be handed.
pub struct Tools {
    /// `promtool`.
    pub promtool: PathBuf,
    /// The Prometheus server.
    pub prometheus: PathBuf,
    /// VictoriaMetrics, the server.
    pub victoria_metrics: PathBuf,
    /// `sshd`.
    pub sshd: PathBuf,
    /// `nginx`.
    pub nginx: PathBuf,
}

/// Programs to install, each with the packages that have it: Debian's, the newest name first.
type Installed = [(&'static str, &'static [&'static str])];

/// What the benchmark runs beside the sensor.
const BENCHMARK: &Installed = &[
    ("ip", &["iproute2"]),
    // Its service is installed disabled.
    ("nft", &["nftables"]),
    ("iptables", &["iptables"]),
];

/// What else the tests run.
const TESTS: &Installed = &[
    ("ssh", &["openssh-client"]),
    ("curl", &["curl"]),
    ("dig", &["bind9-dnsutils", "dnsutils"]),
    // Without the package `dnsmasq`, which would start a server.
    ("dnsmasq", &["dnsmasq-base"]),
    ("ping", &["iputils-ping"]),
    ("unshare", &["util-linux"]),
    ("getent", &["libc-bin"]),
    // Makes certificates.
    ("openssl", &["openssl"]),
    // Scanners, of which the sensor is to tell each.
    ("nmap", &["nmap"]),
    ("masscan", &["masscan"]),
    ("zmap", &["zmap"]),
    // Says what was really sent.
    ("tcpdump", &["tcpdump"]),
    ("tshark", &["tshark"]),
    // Make a disk that can be stalled.
    ("mkfs.ext4", &["e2fsprogs"]),
    ("fsfreeze", &["util-linux"]),
    // Look at packages, as those who install them do.
    ("lintian", &["lintian"]),
    ("man", &["man-db"]),
    ("systemd-analyze", &["systemd"]),
    ("zsh", &["zsh"]),
    ("fish", &["fish"]),
    // A terminal that a test looks at.
    ("tmux", &["tmux"]),
    // Looks at the report's page.
    ("chromium", &["chromium"]),
];

/// The letters of the report's Japanese figures: a file of the package, and the package.
const FONT: (&str, &str) = ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "fonts-noto-cjk");

/// A program whose package would start a server on every interface if it were installed.
struct Unpacked {
    program: &'static str,
    package: &'static str,
    /// Its folder in the package.
    folder: &'static str,
    /// What makes it print its version, or complain, and end: either shows that it starts.
    version: &'static str,
}

const PROMTOOL: Unpacked =
    Unpacked { program: "promtool", package: "prometheus", folder: "usr/bin", version: "--version" };
const PROMETHEUS: Unpacked =
    Unpacked { program: "prometheus", package: "prometheus", folder: "usr/bin", version: "--version" };
const VICTORIA_METRICS: Unpacked = Unpacked {
    program: "victoria-metrics",
    package: "victoria-metrics",
    folder: "usr/bin",
    version: "--version",
};
const SSHD: Unpacked =
    Unpacked { program: "sshd", package: "openssh-server", folder: "usr/sbin", version: "-V" };
const NGINX: Unpacked = Unpacked { program: "nginx", package: "nginx", folder: "usr/sbin", version: "-v" };

/// Starting and ending a program that is asked for nothing takes no longer.
const STARTING: Duration = Duration::from_secs(30);

/// Fetching a part of a toolchain takes no longer where it can be fetched.
const FETCHING: Duration = Duration::from_mins(2);

/// Finds or brings all of them.
///
/// # Errors
/// When one is missing and cannot be brought: which, and how to get it.
pub fn bring(report: &mut Report) -> Result<Tools> {
    bring_for_benchmark(report)?;
    for (program, packages) in TESTS {
        installed(program, packages, report)?;
    }
    font(report)?;
    zmap_4::bring(report);
    Ok(Tools {
        promtool: unpacked(&PROMTOOL, report)?,
        prometheus: unpacked(&PROMETHEUS, report)?,
        victoria_metrics: unpacked(&VICTORIA_METRICS, report)?,
        sshd: unpacked(&SSHD, report)?,
        nginx: unpacked(&NGINX, report)?,
    })
}

/// Finds or brings those that the benchmark runs.
///
/// # Errors
/// As [`bring`].
pub fn bring_for_benchmark(report: &mut Report) -> Result<()> {
    for (program, packages) in BENCHMARK {
        installed(program, packages, report)?;
    }
    Ok(())
}

/// Finds the formatter and the linter, or has rustup bring them. Neither building nor testing needs them: where they
/// cannot be had they are only named.
pub fn bring_components(report: &mut Report) {
    for (name, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let version = || shell::capture(cargo::command().args([subcommand, "--version"]), STARTING);
        match version().or_else(|_| add_component(name, report).and_then(|()| version())) {
            Ok(version) => report.have(name, &version),
            Err(error) => report.lack(name, &format!("the checks of .ci/run need it, but {error:#}")),
        }
    }
}

/// Adds a part to the toolchain that this task was started with: its cargo tells rustup which that is.
fn add_component(name: &str, report: &mut Report) -> Result<()> {
    let rustup =
        shell::find("rustup").ok_or_else(|| anyhow!("there is no rustup to bring it: install {name}"))?;
    report.bringing(name, &format!("rustup component add {name}"));
    let mut rustup = Command::new(rustup);
    shell::capture(rustup.args(["component", "add", name]).current_dir(shell::workspace()), FETCHING)
        .map(drop)
}

/// Finds or brings the font.
fn font(report: &mut Report) -> Result<()> {
    let (file, package) = FONT;
    if !Path::new(file).is_file() {
        return apt::install(package, &[package], report);
    }
    report.have(package, file);
    Ok(())
}

/// A program that one of `packages` installs, the first that apt has.
pub(super) fn installed(program: &str, packages: &[&str], report: &mut Report) -> Result<PathBuf> {
    if let Some(path) = shell::find(program) {
        report.have(program, &path.display().to_string());
        return Ok(path);
    }
    let package = apt::refreshed_until(|| packages.iter().find(|package| apt::candidate(package).is_some()))
        .ok_or_else(|| anyhow!("no {program}, and apt has no {}: install it", packages.join(" or ")))?;
    apt::install(program, &[package], report)?;
    shell::find(program).ok_or_else(|| anyhow!("{package} is installed, but there is no {program}"))
}

/// A program that is there, or else is unpacked beside the build's own files, and that starts.
fn unpacked(unpacked: &Unpacked, report: &mut Report) -> Result<PathBuf> {
    let Unpacked { program, package, folder, version } = unpacked;
    if let Some(path) = shell::find(program) {
        starts(Command::new(&path).arg(version))
            .with_context(|| format!("{program}: install {package} anew"))?;
        report.have(program, &path.display().to_string());
        return Ok(path);
    }
    let root = shell::workspace().join("target/tools").join(package);
    let path = root.join(folder).join(program);
    if !path.is_file() {
        report
            .bringing(program, &format!("unpacking Debian's {package}: installing it would start a server"));
        apt::unpack(package, &root)
            .with_context(|| format!("no {program}: install it, or the package {package}"))?;
        ensure!(path.is_file(), "the package {package} brought no {program}");
    }
    // Unpacking brings nothing that the package depends on, and what was there may have gone.
    let starts = || starts(Command::new(&path).arg(version));
    starts()
        .or_else(|_| {
            let libraries = apt::libraries(package)?;
            let libraries: Vec<&str> = libraries.iter().map(String::as_str).collect();
            apt::install(program, &libraries, report)?;
            starts()
        })
        .with_context(|| {
            format!("{program}: install {package}, or remove {} and try again", root.display())
        })?;
    report.have(program, &path.display().to_string());
    Ok(path)
}

/// Whether the loader finds a program's libraries. What the program makes of its arguments is no matter: before
/// OpenSSH 9.2, `sshd -V` is a mistake.
fn starts(command: &mut Command) -> Result<()> {
    /// What the loader, or a shell, ends with.
    const NOT_FOUND: i32 = 127;
    let output = shell::output(command, STARTING)?;
    ensure!(
        output.status.code() != Some(NOT_FOUND),
        "{} does not start: {}",
        command.get_program().display(),
        shell::last_words(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::that_answers("exit 0", true)]
    #[case::that_complains("exit 255", true)]
    #[case::without_a_library("exit 127", false)]
    fn a_program_starts(#[case] script: &str, #[case] is_so: bool) {
        assert_eq!(starts(Command::new("sh").args(["-c", script])).is_ok(), is_so);
    }

    #[test]
    fn a_program_without_a_loader_does_not_start() {
        assert!(starts(&mut Command::new("/nowhere/at/all")).is_err());
    }
}
