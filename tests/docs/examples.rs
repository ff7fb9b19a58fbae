//! The example for Ansible gives each of its hosts a configuration that the agent accepts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::skip::Missing;
use sensor_harness::{needs, workspace};
use sensor_user::config::{Config, Input};

/// Renders the template of a folder for each host of its inventory into a file of another, as Ansible does: with its
/// filter, and without the line's end behind a statement.
const RENDER: &str = r#"
import jinja2, json, sys, yaml
source, target = sys.argv[1:]
sensors = yaml.safe_load(open(f"{source}/inventory.yml"))["sensors"]
loader = jinja2.FileSystemLoader(source)
environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
environment.filters["to_json"] = json.dumps
template = environment.get_template("sensor.toml.j2")
for host, own in sensors["hosts"].items():
    with open(f"{target}/{host}", "w") as file:
        file.write(template.render({**sensors["vars"], **own}))
"#;

/// What renders it: Ansible itself is not needed.
fn renders() -> Result<(), Missing> {
    let imported = Command::new("python3").args(["-c", "import jinja2, yaml"]).output();
    if imported.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(Missing::new("python3 has no jinja2 or no yaml: `apt install python3-jinja2 python3-yaml`"))
}

#[test]
fn each_host_gets_a_configuration() -> Result<()> {
    needs!(renders());
    let folder = tempfile::tempdir()?;
    let mut python = Command::new("python3");
    python.args(["-c", RENDER]).arg(workspace().join("packaging/examples/ansible")).arg(folder.path());
    let output = python.output().context("cannot run python3")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files =
        fs::read_dir(folder.path())?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    assert_eq!(files.len(), 10, "{files:?}");
    let (mut names, mut rules) = (Vec::new(), 0);
    for file in files {
        let loaded = Config::load(Input { file: Some(file.clone()), ..Input::default() });
        let config =
            loaded.with_context(|| format!("{}: {:?}", file.display(), fs::read_to_string(&file)))?;
        names.extend(config.sensors.iter().map(|sensor| sensor.name.clone()));
        rules += config.allow.len();
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 10, "two hosts have one name: {names:?}");
    assert_eq!(rules, 11, "one of them lets others in too");
    Ok(())
}
