//! The benchmark, run as quickly as it goes: it measures what it says, and says it in its form.
//!
//! No time is asserted: only that each figure is there, and that a ratio is that of what it compares.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::built;
use sensor_harness::sender::cpus;
use sensor_harness::{needs, needs_root};
use serde_json::Value;

/// Measures, and gives what it says and the folder of what it wrote.
fn measure(bench: &Path, arguments: &[&str]) -> Result<(String, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(bench);
    command.arg("--quick").arg("--agent").arg(built::sensor()?).arg("--output").arg(folder.path());
    let output = command.args(arguments).output().context("cannot run the benchmark")?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the benchmark failed: {complaints}");
    Ok((String::from_utf8(output.stdout)?, folder))
}

#[test]
fn everything_is_measured() -> Result<()> {
    needs_root!();
    let bench = needs!(built::bench()?);
    // Live frames take one CPU to send and one to receive.
    let alone = cpus()?.len() == 1;
    let sections = if alone {
        &["processor", "path", "drain", "agent"][..]
    } else {
        &["processor", "path", "veth", "drain", "agent"]
    };
    let arguments: Vec<_> = sections.iter().flat_map(|section| ["--section", section]).collect();
    let (said, folder) = measure(&bench, &arguments)?;

    let report: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("bench.json"))?)?;
    assert_eq!(report["quick"], true);
    assert!(report["machine"]["kernel"].is_string() && report["machine"]["cpus"].is_u64());
    assert!(report["machine"]["mitigations"].is_object());
    let figures = report["figures"].as_array().context("figures is a list")?;
    let of = |section: &str| figures.iter().filter(|figure| figure["section"] == section).count();
    assert!(sections.iter().all(|section| of(section) > 0), "{said}");
    for figure in figures {
        check(figure, figures).with_context(|| figure["id"].to_string())?;
    }

    // Two targets are of drains of one sensor, two of an agent's usual page, and one of veth holds in any state.
    let targets = report["targets"].as_array().context("targets is a list")?;
    let measured = targets.iter().filter(|target| target["met"].is_boolean()).count();
    assert!(measured >= if alone { 4 } else { 5 }, "{targets:#?}");
    for target in targets {
        let what = target["what"].as_str().context("a target says what it is about")?;
        assert!(said.contains(what), "{what} is not in the table:\n{said}");
    }

    let plot = std::fs::read_to_string(folder.path().join("bench.svg"))?;
    assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"));
    Ok(())
}

/// A figure has a sample for each round, or says why it has none.
fn check(figure: &Value, figures: &[Value]) -> Result<()> {
    let samples = figure["samples"].as_array().context("samples is a list")?;
    assert_eq!(figure["rounds"], samples.len());
    if samples.is_empty() {
        let note = figure["note"].as_str().context("there is no reason")?;
        assert!(figure["section"] == "veth" && note.starts_with("skipped: "), "{note}");
        return Ok(());
    }
    let value = &figure["value"];
    let [low, median, high] = ["p25", "median", "p75"].map(|key| value[key].as_f64().unwrap_or(-1.0));
    assert!(0.0 < low && low <= median && median <= high, "{value}");
    if figure["section"] == "path" || figure["section"] == "veth" {
        let probes = figure["probes"].as_array().context("probes is a list")?;
        assert_eq!(probes.len(), samples.len());
        let slow = probes.iter().filter(|probe| {
            let [drop, reading] = ["drop", "reading"].map(|key| probe[key].as_f64().unwrap_or(-1.0));
            assert!(drop > 0.0 && reading > 0.0, "{probe}");
            assert_eq!(probe["state"], if reading < 1.3 * drop { "fast" } else { "slow" });
            probe["state"] == "slow"
        });
        assert_eq!(slow.count() == probes.len(), figure["ratio_to_baseline"].is_null(), "{figure}");
    }
    if let Some(baseline) = figure["baseline"].as_str() {
        ensure!(figures.iter().any(|other| other["id"] == baseline), "{baseline} was not measured");
        let ratio = figure["ratio_to_baseline"]["median"].as_f64();
        assert!(ratio.is_some_and(|ratio| ratio > 0.0), "{ratio:?}");
    }
    Ok(())
}

#[test]
fn a_section_can_be_measured_alone() -> Result<()> {
    needs_root!();
    let bench = needs!(built::bench()?);
    let (said, _folder) = measure(&bench, &["--section", "drain"])?;
    assert!(said.contains("1 sensor, every TCP port has counted") && !said.contains("XDP_DROP alone:"));
    assert!(said.contains("not measured"), "{said}");
    Ok(())
}
