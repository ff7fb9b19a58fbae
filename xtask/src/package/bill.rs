//! Bills of materials, in the JSON of `CycloneDX`: which crates a program is built of, with their licences and checksums.
//!
//! They are of the same bytes wherever they are made: they have no random number, and the time of what is packed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{cargo, shell};

/// Reading the tree of crates takes no longer.
const READING: Duration = Duration::from_mins(2);

/// The agent's, with the programs in the kernel that are part of it and the C library that it is linked with.
///
/// # Errors
/// When cargo does not tell.
pub fn agent(triple: &str, version: &str, date: u64) -> Result<String> {
    let package = if triple.starts_with("aarch64") { "libc6-dev-arm64-cross" } else { "libc6-dev" };
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Version}", package]);
    let glibc = shell::capture(&mut query, READING).ok();
    let library = glibc.map(|version| {
        json!({"type": "library", "bom-ref": "glibc", "name": "glibc", "version": version,
               "licenses": [{"expression": "LGPL-2.1-or-later"}]})
    });
    // Those in the kernel are built for a processor of their own, of crates that are the same for all.
    Materials::of(&["sensor-user", "sensor-ebpf"], triple)?.bill("sensor", library, version, date)
}

/// That of what looks at many sensors.
///
/// # Errors
/// When cargo does not tell.
pub fn fleet(triple: &str, version: &str, date: u64) -> Result<String> {
    Materials::of(&["sensor-fleet"], triple)?.bill("sensor-fleet", None, version, date)
}

/// A crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
}

impl Crate {
    /// Its package URL.
    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// The crates that a program is built of, each with those that it is built of itself.
#[derive(Debug, Default)]
struct Materials(BTreeMap<Crate, BTreeSet<String>>);

impl Materials {
    /// Those of packages of the workspace, as cargo builds them for a kind of processor.
    fn of(packages: &[&str], triple: &str) -> Result<Self> {
        let mut materials = Self::default();
        for package in packages {
            let mut tree = cargo::command();
            tree.args(["tree", "--locked", "--package", package, "--target", triple]);
            tree.args(["--edges", "normal", "--prefix", "depth", "--format", "{p}\t{l}"]);
            materials.add(&shell::capture(&mut tree, READING)?)?;
        }
        Ok(materials)
    }

    /// Adds those of a tree as `cargo tree` prints it: a crate a line, its depth in front, and what it is built of below it,
    /// unless it was there before.
    fn add(&mut self, tree: &str) -> Result<()> {
        let mut above: Vec<Crate> = Vec::new();
        for line in tree.lines() {
            let (depth, of) = parse(line).with_context(|| format!("cargo tree says {line:?}"))?;
            above.truncate(depth);
            if let Some(parts) = above.last().and_then(|above| self.0.get_mut(above)) {
                parts.insert(of.reference());
            }
            self.0.entry(of.clone()).or_default();
            above.push(of);
        }
        Ok(())
    }

    fn bill(&self, program: &str, library: Option<Value>, version: &str, date: u64) -> Result<String> {
        let checksums = checksums()?;
        let mut components: Vec<Value> = self.0.keys().map(|of| component(of, &checksums)).collect();
        components.extend(library);
        let dependency = |(of, parts): (&Crate, _)| json!({"ref": of.reference(), "dependsOn": parts});
        let mut rfc_3339 = Command::new("date");
        rfc_3339.args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", "--date", &format!("@{date}")]);
        let bill = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {
                "timestamp": shell::capture(&mut rfc_3339, READING)?,
                "component": {"type": "application", "bom-ref": program, "name": program, "version": version},
            },
            "components": components,
            "dependencies": self.0.iter().map(dependency).collect::<Vec<_>>(),
        });
        Ok(serde_json::to_string_pretty(&bill)? + "\n")
    }
}

/// A line of `cargo tree`: `1aya v0.14.0\tMIT OR Apache-2.0`, with more words behind the version.
fn parse(line: &str) -> Option<(usize, Crate)> {
    let (package, licence) = line.split_once('\t')?;
    let at = package.find(|character: char| !character.is_ascii_digit())?;
    let mut words = package[at..].split(' ');
    let (name, version) = (words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned());
    // Older crates write a slash for "or"; an asterisk says that the crate was there before.
    let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
    Some((package[..at].parse().ok()?, Crate { name, version, licence }))
}

/// SHA-256 of what was downloaded, by name and version.
fn checksums() -> Result<BTreeMap<(String, String), String>> {
    let lock = shell::workspace().join("Cargo.lock");
    let lock = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let lock: toml::Table = lock.parse()?;
    let locked = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no package")?;
    let checksum = |of: &toml::Value| {
        let text = |key| Some(of.get(key)?.as_str()?.to_owned());
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    Ok(locked.iter().filter_map(checksum).collect())
}

fn component(of: &Crate, checksums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": of.reference(),
        "name": of.name,
        "version": of.version,
        "licenses": [{"expression": of.licence}],
    });
    if let Some(checksum) = checksums.get(&(of.name.clone(), of.version.clone())) {
        component["purl"] = of.reference().into();
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_has_what_it_is_built_of() -> Result<()> {
        let mut materials = Materials::default();
        materials.add(
            "0top v1.0.0 (/w/top)\tMIT\n1left v2.0.0\tMIT/Apache-2.0\n2low v3.0.0 (proc-macro)\tISC\n\
             1right v4.0.0\tMIT\n2low v3.0.0 (proc-macro)\tISC (*)\n",
        )?;
        let parts = |name: &str| {
            let found = materials.0.iter().find(|(of, _)| of.name == name);
            found.map(|(of, parts)| {
                (of.licence.as_str(), parts.iter().map(String::as_str).collect::<Vec<_>>())
            })
        };
        assert_eq!(parts("top"), Some(("MIT", vec!["pkg:cargo/left@2.0.0", "pkg:cargo/right@4.0.0"])));
        assert_eq!(parts("left"), Some(("MIT OR Apache-2.0", vec!["pkg:cargo/low@3.0.0"])));
        assert_eq!(parts("right"), Some(("MIT", vec!["pkg:cargo/low@3.0.0"])));
        assert_eq!(parts("low"), Some(("ISC", Vec::new())));
        assert_eq!(materials.0.len(), 4);
        Ok(())
    }

    #[test]
    fn what_is_no_crate_is_refused() {
        for line in ["", "top v1.0.0\tMIT", "0top\tMIT", "0top v1.0.0"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
