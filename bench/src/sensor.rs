//! The sensor's own programs, loaded with a configuration by the agent's own loader, without an interface.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result};
use sensor_common::layout::{Passed, Slot};
use sensor_harness::bpf;
use sensor_user::config::{Config, Evidence, Input};
use sensor_user::counters::Snapshot;
use sensor_user::kernel::{Counters, DEFAULT_PINS, Loaded, Options, Pins, Shared, Variant};
use sensor_user::sources::Resolver;

/// The programs, and their counters.
pub struct Sensor {
    shared: Shared,
    loaded: Loaded,
    program: OwnedFd,
    /// What reads the counters.
    pub counters: Counters,
}

/// What the programs do beside counting and dropping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Drop nothing.
    pub observe: bool,
    /// Count without telling what made a packet.
    pub untold: bool,
    /// Hand so many records a second over as evidence.
    pub evidence: Option<NonZeroU32>,
}

impl Sensor {
    /// Loads them.
    ///
    /// # Errors
    /// Without root, or as the agent would fail.
    pub fn load(tables: &str, work: Work) -> Result<Self> {
        let Work { observe, untold, evidence } = work;
        let mut file = tempfile::NamedTempFile::new().context("cannot make a configuration file")?;
        file.write_all(tables.as_bytes())?;
        let interfaces = vec!["lo".to_owned()];
        let input = Input { file: Some(file.path().to_owned()), interfaces, ..Input::default() };
        let evidence = evidence.map(|budget| Evidence { budget, ..Evidence::default() });
        let config = Config { observe, evidence, ..Config::load(input)? };
        let mut shared = Shared::open(Pins::passing(DEFAULT_PINS.as_ref())?)?;
        let sensors = shared.assign(&config.sensors, &[])?;
        let constituencies = shared.number(Resolver::default().resolve(&config)?)?;
        let options = Options {
            config: &config,
            sensors: &sensors,
            constituencies: &constituencies,
            guarded: false,
            tools: !untold,
        };
        let mut loaded = Loaded::new(&options, &mut shared)?;
        let program = loaded.xdp(Variant::Linear)?.fd()?.as_fd().try_clone_to_owned()?;
        let counters = shared.counters(&sensors)?;
        Ok(Self { shared, loaded, program, counters })
    }

    /// Takes every record out of the ring buffer.
    ///
    /// # Errors
    /// The kernel does not hand it out.
    pub fn take_evidence(&self) -> Result<()> {
        if let Some(mut ring) = self.shared.ring()? {
            while ring.next(|_| ()).is_some() {}
        }
        Ok(())
    }

    /// The XDP program for frames in one buffer.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Has the host send a frame, for the sensor to remember.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn sends(&mut self, frame: &[u8]) -> Result<()> {
        let egress = self.loaded.egress()?.fd()?.as_fd();
        bpf::test_run(egress, frame, 1).map(drop)
    }
}

/// Packets that were counted, or by how much that grew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Packets that were dropped, or that would have been.
    pub unsolicited: u64,
    /// Packets that were let through.
    pub passed: u64,
}

impl Growth {
    /// All of a drain.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            unsolicited: snapshot.sensors.iter().map(|slots| slots.total().packets).sum(),
            passed: Passed::ALL.iter().map(|&reason| snapshot.passed(reason)).sum(),
        }
    }

    /// Between two drains.
    pub fn between(before: &Snapshot, after: &Snapshot) -> Self {
        Self::of(after).since(Self::of(before))
    }

    /// By how much it has grown since.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self { unsolicited: self.unsolicited - before.unsolicited, passed: self.passed - before.passed }
    }

    /// All packets that were counted.
    pub const fn packets(self) -> u64 {
        self.unsolicited + self.passed
    }
}

/// How many counters grew between two drains.
pub fn slots_grown(before: &Snapshot, after: &Snapshot) -> usize {
    let pairs = before.sensors.iter().zip(&after.sensors);
    pairs
        .map(|(before, after)| {
            after.iter_nonzero().filter(|&(kind, now)| before.get(Slot::from(kind)) != now).count()
        })
        .sum()
}

/// The configuration of so many sensors with a prefix of each IP version; packets of the harness are for the
/// first.
///
/// # Panics
/// If there are more than 100.
pub fn sensors(count: u8) -> String {
    assert!(count <= 100, "the prefixes are in one /16");
    (0..count).fold(String::new(), |mut tables, number| {
        let third = FIRST_NETWORK + number;
        let group = 7 + u16::from(number);
        writeln!(
            tables,
            "[[sensor]]\nname = \"sensor-{number}\"\nprefixes = [\"198.51.{third}.0/24\", \
             \"2001:db8:{group:x}::/64\"]"
        )
        .expect("a string can be written to");
        tables
    })
}

/// The third byte of the first sensor's IPv4 prefix; the others' follow.
pub const FIRST_NETWORK: u8 = 100;

/// The port that [`allow`] names.
pub const ALLOWED_PORT: u16 = 22;

/// A rule that lets so many networks reach a port. They are all over the address space, and sources that are
/// drawn are in none of them, however near: a lookup goes as deep as it can.
pub fn allow(prefixes: usize) -> String {
    format!("[[allow]]\nfrom = [{}]\ntcp = [{ALLOWED_PORT}]\n", networks(prefixes))
}

/// A constituency of so many networks, as for [`allow`], and one of IPv6 in another /32 than packets come from.
pub fn constituency(prefixes: usize) -> String {
    format!("[[constituency]]\nname = \"ours\"\nprefixes = [{}, \"3fff:7::/48\"]\n", networks(prefixes))
}

fn networks(prefixes: usize) -> String {
    let networks =
        (1_u32..).map(|number| Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b9) & 0xffff_fe00));
    // Above are multicast addresses and those that nobody has.
    let networks = networks.filter(|network| network.octets()[0] < 224).take(prefixes);
    networks.map(|network| format!("\"{network}/24\"")).collect::<Vec<_>>().join(", ")
}
