//! What comes in a day: packets, scans and victims, and whose the addresses are.

use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;
use sensor_harness::mmdb::{country, mmdb, system};

use super::*;
use crate::config::Sources;
use crate::sources::{Count, Scan, Victim};

/// Sources of the day: the first send most.
const SOURCES: f64 = 60_000.0;
/// Of them, those that send to any port; each of the others sends to one.
const SCANNERS: u32 = 300;
/// Scans that begin in a minute, and victims.
pub(super) const SCANS: u32 = 3;
pub(super) const VICTIMS: u32 = 1;
/// Whose the quarters of all IPv4 addresses are, and by which systems; the last one's nobody's.
pub(super) const QUARTERS: [(&str, &str, u32); 3] =
    [("0.0.0.0/2", "JP", 64_496), ("64.0.0.0/2", "US", 64_497), ("128.0.0.0/2", "DE", 64_498)];

/// Makes packets: few sources send most, few ports take most, and some scan all ports.
pub(super) struct Traffic {
    random: Xoshiro256PlusPlus,
    sources: Zipf<f64>,
    ports: Zipf<f64>,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(24),
            sources: Zipf::new(SOURCES, 1.1).unwrap(),
            ports: Zipf::new(65_535.0, 1.0).unwrap(),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small numbers")]
    pub(super) fn packet(&mut self, second: i64) -> Observation {
        let rank = self.sources.sample(&mut self.random) as u32;
        // Ports in an order of their own, and addresses all over the Internet.
        let number = if rank <= SCANNERS {
            self.ports.sample(&mut self.random) as u32
        } else {
            let mut own = Xoshiro256PlusPlus::seed_from_u64(rank.into());
            self.ports.sample(&mut own) as u32
        };
        let port = (number.wrapping_mul(40_503) >> 3) as u16;
        let tool = Tool::ALL[rank as usize % Tool::ALL.len()];
        let time = at(second) + Duration::from_millis(self.random.random_range(0..1_000));
        let source = Ipv4Addr::from(rank.wrapping_mul(2_654_435_761));
        Observation { time, tool: Some(tool), ..observation(source, port, second) }
    }
}

/// Lists of the quarters, in a folder.
pub(super) fn lists(folder: &Path) -> Sources {
    let countries = QUARTERS.map(|(prefix, letters, _)| (prefix, country(letters)));
    let systems = QUARTERS.map(|(prefix, letters, number)| (prefix, system(number, letters)));
    let written = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        Some(path)
    };
    Sources {
        countries: written("countries", mmdb("Countries", &countries)),
        autonomous_systems: written("systems", mmdb("Systems", &systems)),
        ..Sources::default()
    }
}

/// Packets by the quarter that they are from.
pub(super) fn by_quarter(by_source: &HashMap<Source, u64>) -> [u64; 4] {
    let mut quarters = [0; 4];
    for (source, packets) in by_source {
        if let Source::V4(address) = source {
            quarters[usize::from(address.octets()[0] >> 6)] += packets;
        }
    }
    quarters
}

/// Scans and victims that begin at a time, each of another source, and go on for ten minutes.
pub(super) fn begun(minute: i64, now: i64) -> impl Iterator<Item = Event> {
    let (start, end, packets) = (at(now), at(now + 600), 400);
    let events = SCANS + VICTIMS;
    let first = u32::try_from(minute).unwrap() * events;
    (0..events).map(move |number| {
        let source = Source::V4(Ipv4Addr::from((first + number).wrapping_mul(2_654_435_761)));
        let (kind, detail) = if number < SCANS {
            let count = |count| Count { count, exact: true };
            let scan = Scan {
                source,
                start,
                end,
                ongoing: false,
                packets,
                share: 1.0,
                ports: count(100),
                addresses: count(4),
                first_ports: (0..8).map(|port| format!("{port}/tcp")).collect(),
                tools: vec![Tool::Zmap.label().to_owned()],
            };
            (EventKind::Scan, serde_json::to_value(scan).unwrap())
        } else {
            let victim = Victim {
                victim: source,
                start,
                end,
                ongoing: false,
                packets,
                share: 1.0,
                peak_per_minute: 60,
                ports: vec!["443/tcp".to_owned()],
                kinds: vec!["syn_ack".to_owned()],
            };
            (EventKind::Victim, serde_json::to_value(victim).unwrap())
        };
        Event { kind, start, end, sensor: "a".to_owned(), source: Some(source), packets, detail }
    })
}
