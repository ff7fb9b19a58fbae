//! What may leave the host: no answer names a source.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use sensor_harness::needs_root;

use super::{SOURCES, Scene, syn};

#[test]
fn what_is_anonymized_names_no_source() -> Result<()> {
    needs_root!();
    let scene = Scene::new(|_| SOURCES.to_owned())?;
    let mut frames = vec![syn(Ipv4Addr::new(203, 0, 113, 10), 7, 23); 200];
    frames.extend((0..12).map(|port| syn(Ipv4Addr::new(192, 0, 1, 7), 7, port)));
    scene.send(&frames)?;
    scene.settled(frames.len() as u64)?;
    let key = scene.folder.path().join("key");
    fs::write(&key, "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301\n")?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    let key = key.to_str().context("a path")?;
    for (command, number) in [
        (&["sources"][..], "200"),
        (&["sources", "--by", "network"], "200"),
        (&["source", "203.0.113.10"], "200"),
        (&["scans"], "12"),
    ] {
        for form in [&[][..], &["--json"], &["--csv"]] {
            let said = scene.ask(&[command, form, &["--anonymize", key]].concat())?;
            assert!(said.code == 0 && said.stdout.contains(number), "{said:?}");
            // Of the sources that were sent, none is named.
            assert!(!["203.0.113.", "192.0.1."].iter().any(|it| said.stdout.contains(it)), "{said:?}");
        }
    }
    Ok(())
}
