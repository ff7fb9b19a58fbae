//! Looks for packets in the files of evidence.

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::captured::Captured;
use super::folder::files;
use super::pcapng::{Packet, read};
use crate::config::Prefix;
use crate::obstacle::WrongUse;

/// What is looked for: packets for which all of it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Seen then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Seen before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Of this sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Counted as this, as in `23/tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Made by this tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// From this network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// From an address that belongs to this constituency now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constituency: Option<String>,
    /// With the bytes of their frames.
    pub bytes: bool,
}

/// A packet that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// When it was seen.
    pub time: Timestamp,
    /// Its sensor.
    pub sensor: String,
    /// The interface that it came in by.
    pub interface: String,
    /// What it was counted as.
    pub slot: String,
    /// What made it, if that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Where it says that it comes from; `None` if it is too broken to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Length of the frame in bytes.
    pub length: u32,
    /// The CPU that counted it, and its number among those of its sensor and CPU.
    pub cpu: u16,
    /// See `cpu`.
    pub number: u64,
    /// Packets that were skipped or lost since the one before, of the same sensor and CPU.
    pub dropped: u64,
}

/// What a search rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Packets that were found.
    pub packets: u64,
    /// Packets of that time and sensor that are kept.
    pub kept: u64,
    /// Packets of that time and sensor that were skipped or lost, as far as a later one that was kept says so.
    pub dropped: u64,
    /// Which share of what was counted is kept, as far as that is known: 1 where nothing was.
    pub share: f64,
    /// When the oldest packet of all that are kept was seen: of what came before, nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Files that could not be read, or not to their end.
    #[serde(default)]
    pub unreadable: u64,
}

/// Files that were last written to so long before the time that is asked for need not be read: clocks may go wrong by less.
const SLACK: Duration = Duration::from_hours(1);

/// After so many packets, who asks is told that the search goes on.
const PAUSE: u64 = 1 << 14;

/// Gives `visit` each packet that is looked for, in the order in which they were written, until that says to stop; now and
/// then nothing, so that it can say so though nothing is found. Of the constituency that is looked for, if one is, are the
/// addresses for which `is_constituents` holds.
///
/// # Errors
/// The folder cannot be read, or `source` is no network.
pub fn find(
    folder: &Path,
    search: &Search,
    is_constituents: impl Fn(IpAddr) -> bool,
    mut visit: impl FnMut(Option<(Found, &[u8])>) -> bool,
) -> Result<Basis> {
    let source = search.source.as_deref().map(network).transpose()?;
    let mut basis = Basis::default();
    let (mut goes_on, mut read_packets) = (true, 0_u64);
    let failed = |path: &Path| format!("cannot read {}", path.display());
    for file in files(folder).with_context(|| failed(folder))? {
        let written = file.written.and_then(|written| Timestamp::try_from(written + SLACK).ok());
        let is_older = |from: Timestamp| written.is_some_and(|written| from > written);
        if search.from.is_some_and(is_older) {
            continue;
        }
        let opened = match File::open(&file.path) {
            Ok(opened) => opened,
            // It was the oldest.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::warn!("{}: {error}", failed(&file.path));
                basis.unreadable += 1;
                continue;
            }
        };
        let whole = read(opened, |packet| {
            let Ok(time) = Timestamp::UNIX_EPOCH.checked_add(packet.time) else { return true };
            basis.oldest = basis.oldest.or(Some(time));
            read_packets += 1;
            if read_packets.is_multiple_of(PAUSE) && !visit(None) {
                goes_on = false;
                return false;
            }
            let is_of_then = search.from.is_none_or(|from| from <= time)
                && search.to.is_none_or(|to| time < to)
                && search.sensor.as_deref().is_none_or(|sensor| sensor == packet.sensor);
            if !is_of_then {
                return true;
            }
            basis.kept += 1;
            basis.dropped += packet.dropped;
            let addresses = Captured::new(&packet.bytes, packet.length).addresses();
            let is_from = |network: Prefix| {
                addresses.is_some_and(|(source, _)| network.contains(Prefix::around(source, u8::MAX)))
            };
            let is_it = search.slot.as_deref().is_none_or(|slot| slot == packet.slot)
                && search.tool.as_deref().is_none_or(|tool| packet.tool.as_deref() == Some(tool))
                && source.is_none_or(is_from)
                && (search.constituency.is_none()
                    || addresses.is_some_and(|(source, _)| is_constituents(source)));
            if is_it {
                basis.packets += 1;
                goes_on = visit(Some((found(&packet, time, addresses), &packet.bytes)));
            }
            goes_on
        });
        if let Err(error) = whole {
            tracing::warn!("{}: {error}", failed(&file.path));
            basis.unreadable += 1;
        }
        if !goes_on {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = if basis.kept + basis.dropped == 0 {
        1.0
    } else {
        basis.kept as f64 / (basis.kept + basis.dropped) as f64
    };
    Ok(Basis { share, ..basis })
}

fn network(text: &str) -> Result<Prefix> {
    let network = text.parse::<Prefix>();
    network.map_err(|cause| anyhow!(WrongUse(format!("source {text:?} {cause}"))))
}

fn found(packet: &Packet<'_>, time: Timestamp, addresses: Option<(IpAddr, IpAddr)>) -> Found {
    Found {
        time,
        sensor: packet.sensor.as_ref().into(),
        interface: packet.interface.as_ref().into(),
        slot: packet.slot.as_ref().into(),
        tool: packet.tool.as_deref().map(str::to_owned),
        source: addresses.map(|(source, _)| source.to_string()),
        destination: addresses.map(|(_, destination)| destination.to_string()),
        length: packet.length,
        cpu: packet.cpu,
        number: packet.number,
        dropped: packet.dropped,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::super::pcapng::Blocks;
    use super::*;

    /// From 203.0.113.9 to 198.51.100.7, as far as the addresses.
    fn frame() -> Vec<u8> {
        let mut frame = vec![0; 54];
        frame[12..15].copy_from_slice(&[8, 0, 0x45]);
        frame[16..18].copy_from_slice(&40_u16.to_be_bytes());
        frame[23] = 6;
        frame[26..34].copy_from_slice(&[203, 0, 113, 9, 198, 51, 100, 7]);
        frame
    }

    fn packet(second: u64, slot: &'static str, tool: &'static str, dropped: u64) -> Packet<'static> {
        Packet {
            time: Duration::from_secs(1_700_000_000 + second),
            interface: "eth0".into(),
            sensor: if second < 30 { "a" } else { "b" }.into(),
            slot: slot.into(),
            tool: (!tool.is_empty()).then_some(tool.into()),
            cpu: 0,
            number: second + 1,
            dropped,
            length: 60,
            bytes: frame().into(),
        }
    }

    #[rstest]
    #[case::all(Search::default(), &[1, 11, 21, 31], 4, 6)]
    #[case::port(Search { slot: Some("23/tcp".into()), ..Search::default() }, &[1, 21], 4, 6)]
    #[case::tool(Search { tool: Some("mirai".into()), ..Search::default() }, &[1], 4, 6)]
    #[case::sensor(Search { sensor: Some("b".into()), ..Search::default() }, &[31], 1, 0)]
    #[case::source(Search { source: Some("203.0.113.0/24".into()), ..Search::default() }, &[1, 11, 21, 31], 4, 6)]
    #[case::constituency(Search { constituency: Some("theirs".into()), ..Search::default() }, &[1, 11, 21, 31], 4, 6)]
    #[case::another(Search { constituency: Some("ours".into()), ..Search::default() }, &[], 4, 6)]
    #[case::elsewhere(Search { source: Some("203.0.114.0/24".into()), ..Search::default() }, &[], 4, 6)]
    #[case::from(Search { from: Some(at(10)), ..Search::default() }, &[11, 21, 31], 3, 6)]
    #[case::to(Search { to: Some(at(10)), ..Search::default() }, &[1], 1, 0)]
    fn what_is_looked_for_is_found(
        #[case] search: Search,
        #[case] expected: &[u64],
        #[case] kept: u64,
        #[case] dropped: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut blocks = Blocks::new(128, None).unwrap();
        for packet in [
            packet(0, "23/tcp", "mirai", 0),
            packet(10, "53/udp", "", 6),
            packet(20, "23/tcp", "other", 0),
            packet(30, "80/tcp", "zmap", 0),
        ] {
            blocks.add(&packet).unwrap();
        }
        fs::write(folder.path().join("evidence-00000001-20231114T221320Z.pcapng"), [0; 4096]).unwrap();
        fs::write(folder.path().join("evidence-00000002-20231114T221320Z.pcapng"), blocks.take()).unwrap();
        let mut numbers = Vec::new();
        let is_theirs = |address: IpAddr| {
            search.constituency.as_deref() == Some("theirs") && address.to_string() == "203.0.113.9"
        };
        let basis = find(folder.path(), &search, is_theirs, |found| {
            let Some((found, bytes)) = found else { return true };
            assert_eq!(bytes, frame());
            assert_eq!(found.source.as_deref(), Some("203.0.113.9"));
            assert_eq!(found.destination.as_deref(), Some("198.51.100.7"));
            numbers.push(found.number);
            true
        })
        .unwrap();
        assert_eq!(numbers, expected);
        assert_eq!((basis.packets, basis.kept, basis.dropped), (numbers.len() as u64, kept, dropped));
        assert_eq!((basis.oldest, basis.unreadable), (Some(at(0)), 1));
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }
}
