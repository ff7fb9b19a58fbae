//! What `cargo xtask package` makes: looked at as those do who check packages, and installed on a copy of this host.

mod installed;
mod packed;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::skip::program;
use sensor_harness::{built, needs, needs_root};
use serde_json::Value;

use crate::packed::{Packed, VERSION};

/// Runs a command to its end, and gives what it said, its standard error behind its output.
fn say(command: &mut Command) -> Result<(bool, String)> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[rstest]
#[case::agent("sensor")]
#[case::fleet("sensor-fleet")]
fn lintian_finds_nothing(#[case] package: &str) -> Result<()> {
    needs!(program("lintian"));
    // As it is shipped: the one of the tests is linked with libraries that its package does not name.
    needs!(built::released()?);
    let packed = needs!(Packed::get()?);
    let mut lintian = Command::new("lintian");
    // Complaints about a root that runs it are no package's.
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"]);
    let (passed, said) = say(lintian.arg(packed.deb(package)?))?;
    ensure!(passed && !said.contains("E: ") && !said.contains("W: "), "{said}");
    Ok(())
}

#[rstest]
#[case::agent("sensor", &[
    "/etc/sensor/sensor.toml.example",
    "/usr/bin/sensor",
    "/usr/lib/sensor/prepare-pins",
    "/usr/lib/systemd/system/sensor.service",
    "/usr/lib/sysusers.d/sensor.conf",
    "/usr/lib/tmpfiles.d/sensor.conf",
    "/usr/share/bash-completion/completions/sensor",
    "/usr/share/doc/sensor/copyright",
    "/usr/share/doc/sensor/examples/ansible/attach.yml",
    "/usr/share/doc/sensor/examples/ansible/inventory.yml",
    "/usr/share/doc/sensor/examples/ansible/sensor.toml.j2",
    "/usr/share/doc/sensor/examples/ansible/sensors.yml",
    "/usr/share/doc/sensor/examples/cloud-init/user-data",
    "/usr/share/fish/vendor_completions.d/sensor.fish",
    "/usr/share/man/man1/sensor.1.gz",
    "/usr/share/man/man1/sensor-run.1.gz",
    "/usr/share/zsh/vendor-completions/_sensor",
])]
#[case::fleet("sensor-fleet", &[
    "/usr/bin/sensor-fleet",
    "/usr/share/man/man1/sensor-fleet-report.1.gz",
    "/usr/share/sensor-fleet/dashboards/fleet-overview.json",
    "/usr/share/sensor-fleet/prometheus.yml",
    "/usr/share/sensor-fleet/rules/alerts.yml",
    "/usr/share/sensor-fleet/services.csv",
])]
fn each_file_is_where_it_is_looked_for(#[case] package: &str, #[case] files: &[&str]) -> Result<()> {
    let packed = needs!(Packed::get()?);
    let deb = packed.deb(package)?;
    let (_, listed) = say(Command::new("dpkg-deb").arg("--contents").arg(&deb))?;
    let (_, archived) = say(Command::new("tar").arg("-tvzf").arg(packed.archive(package)?))?;
    for file in files {
        let is_there = |list: &str| list.lines().any(|line| line.ends_with(&format!(" .{file}")));
        ensure!(is_there(&listed), "{file} is not in {listed}");
        ensure!(is_there(&archived), "{file} is not in the archive: {archived}");
    }
    // Nobody but root can change what root runs.
    let strange = listed.lines().find(|line| !line.contains(" 0/0 ") || &line[8..9] == "w");
    ensure!(strange.is_none(), "{strange:?}");
    let (_, control) = say(Command::new("dpkg-deb").arg("--field").arg(&deb).arg("Version"))?;
    assert_eq!(control.trim(), format!("{VERSION}-1"));
    Ok(())
}

#[test]
fn the_same_files_make_the_same_packages() -> Result<()> {
    let packed = needs!(Packed::get()?);
    let again = Packed::make(VERSION)?;
    assert_eq!(packed.checksums()?, again.checksums()?);
    let mut check = Command::new("sha256sum");
    let (right, said) = say(check.args(["--check", "SHA256SUMS"]).current_dir(packed.folder()))?;
    ensure!(right, "{said}");
    assert_eq!(packed.checksums()?.lines().count(), 6, "{said}");
    Ok(())
}

#[rstest]
#[case::agent("sensor", &["aya", "libsqlite3-sys", "sensor-ebpf", "aya-ebpf", "glibc"], &["ureq", "proptest"])]
#[case::fleet("sensor-fleet", &["ureq", "resvg"], &["aya", "proptest", "glibc"])]
fn the_bill_has_what_is_built_in(
    #[case] package: &str,
    #[case] has: &[&str],
    #[case] has_not: &[&str],
) -> Result<()> {
    let packed = needs!(Packed::get()?);
    let bill: Value = serde_json::from_str(&packed.bill(package)?)?;
    assert_eq!(bill["metadata"]["component"]["version"], VERSION);
    let components = bill["components"].as_array().context("no components")?;
    let find = |name: &str| components.iter().find(|it| it["name"] == name);
    for name in has {
        ensure!(find(name).is_some(), "{name} is not in it");
    }
    for name in has_not {
        ensure!(find(name).is_none(), "{name} is in it");
    }
    for component in components {
        let licence = component["licenses"][0]["expression"].as_str().unwrap_or_default();
        ensure!(!licence.is_empty(), "{component} has no licence");
        let is_checked = component["hashes"][0]["content"].as_str().is_some_and(|sum| sum.len() == 64);
        ensure!(is_checked == component["purl"].is_string(), "{component}");
    }
    // What is referred to is there.
    let known: Vec<_> = components.iter().map(|it| &it["bom-ref"]).collect();
    let depended = bill["dependencies"].as_array().into_iter().flatten();
    let depended = depended.flat_map(|it| it["dependsOn"].as_array().into_iter().flatten());
    let strange: Vec<_> = depended.filter(|it| !known.contains(it)).collect();
    ensure!(strange.is_empty(), "{strange:?}");
    Ok(())
}

#[rstest]
#[case::agent("sensor", "sensor-run.1")]
#[case::fleet("sensor-fleet", "sensor-fleet-report.1")]
fn the_manual_can_be_read(#[case] package: &str, #[case] one: &str) -> Result<()> {
    needs!(program("man"));
    let packed = needs!(Packed::get()?);
    let files = packed.files(package)?;
    let pages = files.path().join("usr/share/man/man1");
    let mut read = Vec::new();
    for page in std::fs::read_dir(&pages)? {
        let page = page?.path();
        let mut man = Command::new("man");
        let man = man
            .args(["--warnings", "--local-file"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8");
        let output = man.output()?;
        let complaints = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && complaints.is_empty(), "{}: {complaints}", page.display());
        ensure!(String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"), "{}", page.display());
        read.push(page);
    }
    ensure!(read.iter().any(|page| page.ends_with(format!("{one}.gz"))), "{read:?}");
    Ok(())
}

/// What each shell makes of a word that is half typed.
#[rstest]
#[case::bash(
    "bash",
    "source \"$0\"/usr/share/bash-completion/completions/sensor; COMP_WORDS=(sensor stat); COMP_CWORD=1; \
     _sensor sensor stat sensor; echo \"${COMPREPLY[@]}\"",
    "status"
)]
#[case::zsh(
    "zsh",
    "fpath=(\"$0\"/usr/share/zsh/vendor-completions $fpath); autoload -U compinit; compinit -u -D; \
     autoload +X _sensor; print $_comps[sensor] ${functions[_sensor_commands]:-${functions[_sensor]}}",
    "status"
)]
#[case::fish(
    "fish",
    "source $argv[1]/usr/share/fish/vendor_completions.d/sensor.fish; complete --do-complete 'sensor stat'",
    "status"
)]
fn shells_complete(#[case] shell: &str, #[case] script: &str, #[case] word: &str) -> Result<()> {
    needs!(program(shell));
    let packed = needs!(Packed::get()?);
    let files = packed.files("sensor")?;
    let plain: &[&str] = match shell {
        "bash" => &["--norc"],
        "zsh" => &["-f"],
        _ => &["--no-config"],
    };
    let (done, said) = say(Command::new(shell).args(plain).args(["-c", script]).arg(files.path()))?;
    ensure!(done && said.contains(word), "{said}");
    Ok(())
}

/// Installed, upgraded, removed and purged, with an agent that has attached meanwhile.
#[test]
fn it_comes_and_goes_without_a_trace() -> Result<()> {
    needs_root!();
    let packed = needs!(Packed::get()?);
    let newer = packed.newer("sensor", "999.0.0-1")?;
    installed::comes_and_goes(&packed.deb("sensor")?, &newer.path().join("newer.deb"))
}

#[test]
fn systemd_understands_the_unit() -> Result<()> {
    needs_root!();
    needs!(program("systemd-analyze"));
    let packed = needs!(Packed::get()?);
    installed::verifies(&packed.deb("sensor")?)
}

/// Where nothing may be attached, as in an ordinary container, a package can be removed all the same.
#[test]
fn it_can_be_removed_where_nothing_may_be_attached() -> Result<()> {
    needs_root!();
    let packed = needs!(Packed::get()?);
    installed::goes_unprivileged(&packed.deb("sensor")?)
}

/// The example is a configuration.
#[test]
fn the_example_is_accepted() -> Result<()> {
    let file = Path::new("../packaging/sensor.toml.example").canonicalize()?;
    let input = sensor_user::config::Input { file: Some(file), ..Default::default() };
    let loaded = sensor_user::config::Config::load(input);
    ensure!(loaded.is_ok(), "{loaded:?}");
    Ok(())
}
