//! The world's DNS server and resolver: dnsmasq, with a name whose answer takes several fragments.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;

use super::place::{self, Family, Place};
use super::program::Program;

/// A name with an address of each family.
pub const SMALL_NAME: &str = "small.world.test";
/// A name whose TXT record is longer than two Ethernet frames.
pub const LARGE_NAME: &str = "large.world.test";

/// Strings of the large record; each has 250 bytes.
const STRINGS: usize = 14;

/// The files of the clients.
#[derive(Debug)]
pub(super) struct Names {
    folder: TempDir,
}

impl Names {
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sensor-names-").tempdir()?;
        for family in Family::BOTH {
            let server = place::address(Place::Outside, family);
            fs::write(
                folder.path().join(format!("resolv.conf{}", family.flag())),
                format!("nameserver {server}\n"),
            )?;
        }
        fs::write(folder.path().join("nsswitch.conf"), "hosts: dns\n")?;
        Ok(Self { folder })
    }

    /// Makes dnsmasq answer for the two names by itself, from any of its addresses.
    pub fn server(dnsmasq: Program) -> Program {
        let [v4, v6] = Family::BOTH.map(|family| place::address(Place::Far, family));
        let large = vec!["x".repeat(250); STRINGS].join(",");
        dnsmasq
            .args(
                "--keep-in-foreground --conf-file=/dev/null --user=root --group= --pid-file --log-facility=-",
            )
            .args("--no-resolv --no-hosts --edns-packet-max=4096")
            .arg(format!("--host-record={SMALL_NAME},{v4},{v6}"))
            .arg(format!("--txt-record={LARGE_NAME},{large}"))
    }

    /// Makes a program find names by way of the server.
    pub fn client(&self, program: Program, family: Family) -> Program {
        let file = |name: &str| self.folder.path().join(name);
        program
            .sees(&file(&format!("resolv.conf{}", family.flag())), "/etc/resolv.conf")
            .sees(&file("nsswitch.conf"), "/etc/nsswitch.conf")
    }
}
