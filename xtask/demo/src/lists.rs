//! Whose the made-up sources are: countries, autonomous systems, a known scanner and a constituency, all invented for networks
//! that nobody has (RFC 5737, RFC 2544, RFC 3849, RFC 5398), and where the agent keeps what it keeps meanwhile.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sensor_harness::mmdb::{country, mmdb, system};

/// Networks, with their country and their autonomous system.
const NETWORKS: [(&str, &str, u32, &str); 19] = [
    ("198.18.0.0/18", "CN", 64_496, "Example Backbone"),
    ("198.18.64.0/19", "US", 64_497, "Example Cloud"),
    ("198.18.96.0/20", "IN", 64_498, "Example Mobile"),
    ("198.18.112.0/20", "BR", 64_499, "Example Cable"),
    ("198.18.128.0/19", "NL", 64_500, "Example Hosting"),
    ("198.18.160.0/20", "RU", 64_501, "Example Telecom"),
    ("198.18.176.0/20", "VN", 64_502, "Example Fibre"),
    ("198.18.192.0/20", "TW", 64_503, "Example Broadband"),
    ("198.18.208.0/20", "KR", 64_504, "Example Online"),
    ("198.18.224.0/20", "DE", 64_505, "Example Server Farm"),
    ("198.18.240.0/20", "FR", 64_506, "Example Datacentre"),
    ("198.19.0.0/18", "US", 64_497, "Example Cloud"),
    ("198.19.64.0/18", "ID", 64_507, "Example Archipelago"),
    ("198.19.128.0/19", "IR", 64_508, "Example Plateau"),
    ("198.19.160.0/19", "ZA", 64_509, "Example Cape"),
    ("198.19.192.0/19", "SG", 64_510, "Example Harbour"),
    ("192.0.2.0/24", "JP", 64_511, "Example University"),
    ("203.0.113.0/24", "GB", 65_536, "Example Research"),
    ("2001:db8::/32", "SE", 65_537, "Example Six"),
];
/// Who scans openly.
const SCANNERS: &str = "prefix,organisation\n203.0.113.0/26,Example Scan\n";

/// The rest of the configuration, with files in this folder: whose sources are is told of made-up ones alone.
///
/// # Errors
/// The files cannot be written.
pub fn config(folder: &Path, made_up: bool) -> Result<String> {
    let place = |name: &str| folder.join(name).display().to_string();
    let mut config = format!(
        "[page]\naddresses_on_loopback = true\n[evidence]\npath = \"{}\"\nmax_size = \"256MiB\"\nbudget = 1000000\n[store]\npath = \"{}\"\n",
        place("evidence"),
        place("store")
    );
    if made_up {
        let countries: Vec<_> =
            NETWORKS.iter().map(|(prefix, letters, ..)| (*prefix, country(letters))).collect();
        let systems: Vec<_> =
            NETWORKS.iter().map(|(prefix, _, number, name)| (*prefix, system(*number, name))).collect();
        for (name, bytes) in [
            ("countries.mmdb", mmdb("GeoLite2-Country", &countries)),
            ("systems.mmdb", mmdb("GeoLite2-ASN", &systems)),
            ("known-scanners.csv", SCANNERS.as_bytes().to_vec()),
        ] {
            fs::write(folder.join(name), bytes).with_context(|| format!("cannot write {}", place(name)))?;
        }
        let sources = format!(
            "[sources]\ncountries = \"{}\"\nautonomous_systems = \"{}\"\nknown_scanners = \"{}\"\n\
             [[constituency]]\nname = \"university\"\nprefixes = [\"192.0.2.0/24\"]\n",
            place("countries.mmdb"),
            place("systems.mmdb"),
            place("known-scanners.csv")
        );
        config += &sources;
    }
    Ok(config)
}
