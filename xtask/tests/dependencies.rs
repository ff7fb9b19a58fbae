//! Which crates a program is built without: the agent runs with privileges on sensor hosts and carries nothing that
//! only looking at many sensors needs, and the other way round.

use std::env;
use std::process::Command;

use rstest::rstest;

/// The names of all crates that a package is built of, tests and build scripts left out.
fn crates(package: &str) -> Vec<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"])
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("names are text");
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[rstest]
#[case::agent("sensor-user", "sensor-fleet", &["dejavu", "plotters", "resvg", "ring", "rustls", "ureq", "usvg"])]
#[case::fleet("sensor-fleet", "sensor-user", &["aya", "hyper", "netlink-sys", "prometheus", "tokio"])]
fn what_only_the_other_needs_is_left_out(
    #[case] package: &str,
    #[case] other: &str,
    #[case] left_out: &[&str],
) {
    let (ours, theirs) = (crates(package), crates(other));
    assert!(ours.iter().any(|name| name == package), "cargo tree tells nothing of {package}: {ours:?}");
    for name in left_out {
        assert!(!ours.iter().any(|of| of == name), "{package} is built with {name}");
        // A name that nobody has would be a check of nothing.
        assert!(theirs.iter().any(|of| of == name), "{other} has no {name} any more: take it off the list");
    }
    assert!(!ours.iter().any(|name| name == other), "{package} depends on {other}");
}
