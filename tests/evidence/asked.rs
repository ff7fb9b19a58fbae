//! `sensor evidence`: what is kept is found, and written for others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::{Said, sensor};
use sensor_harness::pace::until;
use sensor_harness::sender::Sender;
use sensor_harness::skip::program;
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root};
use serde_json::Value;

use super::{READERS, check_others_count, config, frames};

/// An agent that has written fifty packets, ten of each kind.
struct Scene {
    wire: Wire,
    folder: tempfile::TempDir,
    _agent: AgentProcess,
}

impl Scene {
    fn new() -> Result<Self> {
        let (wire, folder) = (Wire::new()?, tempfile::tempdir()?);
        let kept = folder.path().join("kept");
        let agent =
            Launch::new(&wire.near.namespace).interface("sensor0").config(&config(&kept, "")).start()?;
        let scene = Self { wire, folder, _agent: agent };
        Sender::new(&scene.wire)?.send(&frames(50))?;
        until(|| Ok(scene.found(&[])?.1["kept"] == 50), || format!("{:?}", scene.ask(&[])))?;
        Ok(scene)
    }

    fn ask(&self, arguments: &[&str]) -> Result<Said> {
        sensor(&self.wire.near.namespace, &[&["evidence"], arguments].concat())
    }

    /// The packets that are found, and what that rests on.
    fn found(&self, arguments: &[&str]) -> Result<(Vec<Value>, Value)> {
        let said = self.ask(&[arguments, &["--json"]].concat())?;
        ensure!(said.code == 0, "{said:?}");
        let lines: Vec<Value> = said.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let packets = lines.iter().filter_map(|line| line.get("packet").cloned()).collect();
        let basis = lines.iter().find_map(|line| line.get("basis").cloned());
        ensure!(lines.last() == Some(&serde_json::json!({"end": true})), "{lines:?}");
        Ok((packets, basis.context("no basis")?))
    }
}

#[test]
fn what_is_kept_is_found() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    for (arguments, packets, kept) in [
        (&[][..], 50, 50),
        (&["--port", "23/tcp"], 10, 50),
        (&["--port", "24/tcp"], 0, 50),
        (&["--tool", "mirai"], 10, 50),
        (&["--sensor", "a"], 50, 50),
        (&["--sensor", "b"], 0, 0),
        (&["--source", "2001:db8::/32"], 10, 50),
        (&["--last", "1h"], 50, 50),
        (&["--from", "2026-01-01"], 50, 50),
        (&["--to", "2026-01-01T00:00:00Z"], 0, 0),
    ] {
        let (found, basis) = scene.found(arguments)?;
        assert_eq!((found.len(), &basis["kept"]), (packets, &Value::from(kept)), "{arguments:?}: {basis}");
        assert_eq!((&basis["packets"], &basis["dropped"]), (&packets.into(), &0.into()), "{arguments:?}");
    }
    let (found, _) = scene.found(&["--tool", "mirai"])?;
    assert_eq!((&found[0]["slot"], &found[0]["length"]), (&"23/tcp".into(), &60.into()));
    let table = scene.ask(&["--port", "23/tcp"])?.stdout;
    assert_eq!(table.lines().count(), 12, "{table}");
    assert!(table.ends_with("10 packets, of 50 that are kept; no others are known\n"), "{table}");
    Ok(())
}

#[test]
fn a_file_is_written_whole_for_others() -> Result<()> {
    needs_root!();
    for reader in READERS {
        needs!(program(reader));
    }
    let scene = Scene::new()?;
    let to = scene.folder.path().join("to");
    fs::create_dir(&to)?;
    let path = to.join("found.pcapng").display().to_string();
    let said = scene.ask(&["--port", "53/udp", "--write", &path])?;
    assert_eq!((said.code, said.stdout.contains("10 packets, of 50")), (0, true), "{said:?}");
    check_others_count(&to, 10)?;
    let said = scene.ask(&["--write", "/dev/full/found.pcapng"])?;
    assert_eq!(
        (said.code, said.stderr.contains("cannot write /dev/full/found.pcapng")),
        (1, true),
        "{said:?}"
    );
    let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
    assert_eq!((fs::read_dir(&to)?.count(), mode), (1, 0o600), "nothing else is left");
    Ok(())
}

#[rstest]
#[case::time(&["--from", "yesterday"], 2, "write it as in 2026-11-29T02:00:00Z or 2026-11-29")]
#[case::span(&["--last", "-1h"], 2, "")]
#[case::no_span(&["--last", "0s"], 2, "write it as in 30m, 1h or 2d")]
#[case::tool(&["--tool", "nmap"], 2, "there is no such tool: write one of mirai, masscan")]
#[case::source(&["--source", "203.0.113.1/24"], 2, "has bits set beyond its length")]
#[case::both(&["--json", "--write", "f"], 2, "cannot be used with")]
#[case::nothing_kept(&[], 1, "this agent keeps no evidence: add [evidence] to its configuration, then `sensor reload`")]
fn what_cannot_be_asked_is_said(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] words: &str,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _agent = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    let said = sensor(&wire.near.namespace, &[&["evidence"], arguments].concat())?;
    assert_eq!((said.code, said.stderr.contains(words)), (code, true), "{said:?}");
    Ok(())
}
