//! Loads the programs with what they must know from the start.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, anyhow};
use aya::maps;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::programs::links::FdLink;
use aya::programs::{ProgramError, Xdp};
use aya::{Ebpf, EbpfError, EbpfLoader, Pod};
use aya_log::EbpfLogger;
use sensor_common::policy::Rules;
use sensor_common::{layout, policy};

use super::drain::Counters;
use super::host;
use super::log::RateLimited;
use super::management::Management;
use super::monitored::Lookup;
use crate::config::{Allow, KernelLog, Sensor};

/// The object with the programs, compiled by the same build as the agent.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));

/// What a loaded program is to do.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What is monitored; sensors are numbered by their order.
    pub sensors: &'a [Sensor],
    /// Who may reach the host, and where.
    pub allow: &'a [Allow],
    /// Count and pass, drop nothing.
    pub observe: bool,
    /// What the programs log.
    pub log: KernelLog,
}

/// Which of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// For frames in one buffer.
    Linear,
    /// For frames in several buffers (Linux 5.18).
    MultiBuffer,
}

impl Variant {
    const fn program(self) -> &'static str {
        match self {
            Self::Linear => "sensor",
            Self::MultiBuffer => "sensor_frags",
        }
    }
}

/// The programs and their maps, loaded and verified. Dropping it detaches and frees all of them.
#[derive(Debug)]
pub struct Loaded {
    // Before the programs: closing a link detaches.
    links: Vec<FdLink>,
    ebpf: Ebpf,
    multi_buffer: bool,
}

impl Loaded {
    /// Loads the programs and sizes the counters for the sensors.
    ///
    /// # Errors
    /// The kernel refuses: no memory, no capability, or too old.
    pub fn new(options: &Options) -> Result<Self> {
        host::lift_memory_limit();
        let count = u32::try_from(options.sensors.len()).context("too many sensors")?;
        let lookup = Lookup::new(options.sensors);
        let management = Management::new(options.allow);
        let observe = u32::from(options.observe);
        let level = log_level(options.log);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(layout::COUNTERS, layout::pages(count))
            .override_global(policy::MONITORED, &lookup.monitored, true)
            .override_global(policy::GATE, &*management.gate, true)
            .override_global(policy::OBSERVE, &observe, true)
            .override_global(aya_log::LEVEL, &level, true)
            .load(OBJECT)
            .map_err(|error| explain(error, count))?;
        fill(&mut ebpf, policy::PREFIXES_V4, lookup.trie_v4, Ipv4Addr::octets)?;
        fill(&mut ebpf, policy::PREFIXES_V6, lookup.trie_v6, Ipv6Addr::octets)?;
        fill(&mut ebpf, policy::SOURCES_V4, management.sources_v4, Ipv4Addr::octets)?;
        fill(&mut ebpf, policy::SOURCES_V6, management.sources_v6, Ipv6Addr::octets)?;
        fill_services(&mut ebpf, management.services)?;
        let mut loaded = Self { links: Vec::new(), ebpf, multi_buffer: host::has_multi_buffer() };
        loaded.verify(Variant::Linear)?;
        if loaded.multi_buffer {
            loaded.verify(Variant::MultiBuffer)?;
        }
        Ok(loaded)
    }

    fn verify(&mut self, variant: Variant) -> Result<()> {
        let name = variant.program();
        self.xdp(variant)?.load().map_err(|error| match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                tracing::debug!("{verifier_log}");
                anyhow!("the kernel refuses the XDP program {name}: {io_error}; `--log debug` shows why")
            }
            error => anyhow!(error).context(format!("cannot load the XDP program {name}")),
        })
    }

    /// Whether the kernel takes [`Variant::MultiBuffer`].
    #[must_use]
    pub const fn has_multi_buffer(&self) -> bool {
        self.multi_buffer
    }

    /// One of the programs.
    ///
    /// # Errors
    /// It is not in the object.
    pub fn xdp(&mut self, variant: Variant) -> Result<&mut Xdp> {
        let name = variant.program();
        let program =
            self.ebpf.program_mut(name).with_context(|| format!("no program {name} in the object"))?;
        program.try_into().with_context(|| format!("{name} is not an XDP program"))
    }

    /// Keeps a link, and with it the program attached, for as long as this lives.
    pub(super) fn keep(&mut self, link: FdLink) {
        self.links.push(link);
    }

    /// Takes the counters; they can be drained as long as the program lives.
    ///
    /// # Errors
    /// They were taken before.
    pub fn take_counters(&mut self) -> Result<Counters> {
        let map = self.ebpf.take_map(layout::COUNTERS).context("the counters map is already taken")?;
        Counters::new(map)
    }

    /// Starts handing what the programs log to the agent's own log; `None` when logging is off.
    ///
    /// # Errors
    /// The ring buffer is not there.
    pub fn take_log(&mut self, level: KernelLog) -> Result<Option<EbpfLogger<RateLimited>>> {
        if level == KernelLog::Off {
            return Ok(None);
        }
        EbpfLogger::init_with_logger(&mut self.ebpf, RateLimited::new())
            .map(Some)
            .context("cannot read the programs' log")
    }
}

/// The level as aya-log's load-time constant has it.
const fn log_level(level: KernelLog) -> u8 {
    match level {
        KernelLog::Off => 0,
        KernelLog::Error => aya_log::Level::Error as u8,
        KernelLog::Warn => aya_log::Level::Warn as u8,
        KernelLog::Info => aya_log::Level::Info as u8,
        KernelLog::Debug => aya_log::Level::Debug as u8,
        KernelLog::Trace => aya_log::Level::Trace as u8,
    }
}

fn fill_services(ebpf: &mut Ebpf, services: HashMap<u32, Rules>) -> Result<()> {
    let name = policy::SERVICES;
    let map = ebpf.map_mut(name).with_context(|| format!("no map {name} in the object"))?;
    let mut hash: maps::HashMap<_, u32, Rules> = maps::HashMap::try_from(map)?;
    for (service, rules) in services {
        hash.insert(service, rules, 0).with_context(|| format!("cannot add a service to {name}"))?;
    }
    Ok(())
}

/// Fills a trie, whose values are what the prefixes carry.
fn fill<A: Copy, K: Pod, V: Pod>(
    ebpf: &mut Ebpf,
    name: &str,
    prefixes: Vec<(A, u8, V)>,
    key: fn(&A) -> K,
) -> Result<()> {
    let map = ebpf.map_mut(name).with_context(|| format!("no map {name} in the object"))?;
    let mut trie: LpmTrie<_, K, V> = LpmTrie::try_from(map)?;
    for (address, length, value) in prefixes {
        trie.insert(&Key::new(u32::from(length), key(&address)), value, 0)
            .with_context(|| format!("cannot add a prefix to {name}"))?;
    }
    Ok(())
}

/// Says what an operator can do about a map that could not be created.
fn explain(error: EbpfError, sensors: u32) -> anyhow::Error {
    let out_of_memory = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| matches!(error.raw_os_error(), Some(libc::ENOMEM)));
    if out_of_memory {
        let kib = layout::pages(sensors) as usize * size_of::<layout::Page>() / 1024;
        return anyhow!(
            "no memory for the counters: {sensors} sensors take {kib} KiB for each CPU; configure fewer"
        );
    }
    anyhow!(error).context("cannot create the sensor's maps")
}
