//! Loads the programs with what they must know from the start.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use anyhow::{Context, Result, anyhow};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{self, Map};
use aya::programs::{Program, ProgramError, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use aya_log::EbpfLogger;
use sensor_common::policy::Rules;
use sensor_common::{evidence, layout, policy};

use super::constituents::Constituents;
use super::log::RateLimited;
use super::management::Management;
use super::monitored::Lookup;
use crate::config::{Config, KernelLog, NumberedConstituency, NumberedSensor};
use crate::kernel::maps::Shared;
use crate::kernel::retry::retried;
use crate::kernel::{clock, host};

/// The object with the programs, compiled by the same build as the agent.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));

/// What a loaded program is to do.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What is monitored, who may reach the host, and what the programs log.
    pub config: &'a Config,
    /// The sensors of the configuration, numbered.
    pub sensors: &'a [NumberedSensor],
    /// Whose packets are news.
    pub constituencies: &'a [NumberedConstituency],
    /// Let everything pass from the moment that the guard says.
    pub guarded: bool,
    /// Tell what made a packet. Only measurements go without.
    pub tools: bool,
}

/// Which of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// For frames in one buffer.
    Linear,
    /// For frames in several buffers (Linux 5.18).
    MultiBuffer,
}

/// The program for what the host sends.
pub(in crate::kernel) const EGRESS: &str = "sensor_egress";

impl Variant {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Linear, Self::MultiBuffer];

    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Linear => "sensor",
            Self::MultiBuffer => "sensor_frags",
        }
    }
}

/// The programs and the maps of their own. What they are attached by, and the maps that
/// outlive them, are held elsewhere.
#[derive(Debug)]
pub struct Loaded {
    ebpf: Ebpf,
    multi_buffer: bool,
}

impl Loaded {
    /// Loads the programs to work with the shared maps.
    ///
    /// # Errors
    /// The kernel refuses: no memory, no capability, or too old.
    pub fn new(options: &Options, shared: &mut Shared) -> Result<Self> {
        host::lift_memory_limit();
        let &Options { config, sensors, constituencies, guarded, tools } = options;
        let constituents = Constituents::new(constituencies)?;
        let has_constituencies = u32::from(!constituencies.is_empty());
        let lookup = Lookup::new(sensors);
        let management = Management::new(&config.allow);
        let observe = u32::from(config.observe);
        let (guarded, tools) = (u32::from(guarded), u32::from(tools));
        let since_1970 = clock::since_1970();
        let (record_cost, snap_length) = match &config.evidence {
            Some(evidence) => (record_cost(evidence.budget), evidence.snap_length),
            None => (0, evidence::MIN_SNAP_LENGTH),
        };
        let level = log_level(config.kernel_log);
        let mut settings = EbpfLoader::new();
        settings
            .override_global(policy::MONITORED, &lookup.monitored, true)
            .override_global(policy::GATE, &*management.gate, true)
            .override_global(policy::OPEN_V4, &*management.open_v4, true)
            .override_global(policy::OPEN_V6, &*management.open_v6, true)
            .override_global(policy::NETWORKS_V4, &*management.networks_v4, true)
            .override_global(policy::NETWORKS_V6, &*management.networks_v6, true)
            .override_global(policy::CONSTITUENCIES, &has_constituencies, true)
            .override_global(policy::CONSTITUENT_NETWORKS_V4, &*constituents.networks_v4, true)
            .override_global(policy::CONSTITUENT_NETWORKS_V6, &*constituents.networks_v6, true)
            .override_global(policy::OBSERVE, &observe, true)
            .override_global(policy::GUARDED, &guarded, true)
            .override_global(policy::TOOLS, &tools, true)
            .override_global(policy::SINCE_1970, &since_1970, true)
            .override_global(evidence::RECORD_COST, &record_cost, true)
            .override_global(evidence::SNAP_LENGTH, &snap_length, true)
            .override_global(aya_log::LEVEL, &level, true);
        let mut ebpf = shared
            .load(config.evidence.is_some(), &mut settings, |loader| retried(|| Ok(loader.load(OBJECT)?)))
            .map_err(|error| explain(error, options))?;
        fill(&mut ebpf, policy::PREFIXES_V4, lookup.trie_v4, Ipv4Addr::octets)?;
        fill(&mut ebpf, policy::PREFIXES_V6, lookup.trie_v6, Ipv6Addr::octets)?;
        fill(&mut ebpf, policy::SOURCES_V4, management.sources_v4, Ipv4Addr::octets)?;
        fill(&mut ebpf, policy::SOURCES_V6, management.sources_v6, Ipv6Addr::octets)?;
        fill(&mut ebpf, policy::CONSTITUENTS_V4, constituents.members_v4, Ipv4Addr::octets)?;
        fill(&mut ebpf, policy::CONSTITUENTS_V6, constituents.members_v6, Ipv6Addr::octets)?;
        fill_services(&mut ebpf, management.services)?;
        let mut loaded = Self { ebpf, multi_buffer: host::has_multi_buffer() };
        loaded.xdp(Variant::Linear)?;
        let egress = loaded.egress()?;
        verified(EGRESS, retried(|| egress.load()))?;
        Ok(loaded)
    }

    /// Whether the kernel takes [`Variant::MultiBuffer`].
    #[must_use]
    pub const fn has_multi_buffer(&self) -> bool {
        self.multi_buffer
    }

    /// One of the XDP programs, loaded if it is not yet: few interfaces take [`Variant::MultiBuffer`], which
    /// the kernel verifies for several times as long as the other.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn xdp(&mut self, variant: Variant) -> Result<&mut Xdp> {
        let name = variant.program();
        let program: &mut Xdp = self.program(name)?;
        if program.fd().is_err() {
            verified(name, retried(|| program.load()))?;
        }
        Ok(program)
    }

    /// The program that remembers what the host sends.
    ///
    /// # Errors
    /// It is not in the object.
    pub fn egress(&mut self) -> Result<&mut SchedClassifier> {
        self.program(EGRESS)
    }

    /// One of the programs' maps.
    ///
    /// # Errors
    /// It is not in the object.
    pub fn map(&mut self, name: &str) -> Result<&mut Map> {
        self.ebpf.map_mut(name).with_context(|| format!("no map {name} in the object"))
    }

    fn program<'a, P>(&'a mut self, name: &str) -> Result<&'a mut P>
    where
        &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
    {
        let program =
            self.ebpf.program_mut(name).with_context(|| format!("no program {name} in the object"))?;
        program.try_into().with_context(|| format!("the program {name} is of another kind"))
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

/// What a record costs each CPU's bucket, in nanoseconds, where all of them together make so many a second.
fn record_cost(budget: NonZeroU32) -> u64 {
    // SAFETY: the call takes and gives numbers.
    let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    let a_second = 1_000_000_000 * u64::try_from(cpus).unwrap_or(1).max(1);
    (a_second / u64::from(budget.get())).max(1)
}

/// Says why the verifier refused a program.
fn verified(name: &str, loaded: Result<(), ProgramError>) -> Result<()> {
    loaded.map_err(|error| match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            tracing::debug!("{verifier_log}");
            refused(name, &io_error)
        }
        error => anyhow!(error).context(format!("cannot load the program {name}")),
    })
}

fn refused(name: &str, error: &io::Error) -> anyhow::Error {
    let cause = match error.kind() {
        // With its number it would be taken for that of a file.
        kind @ io::ErrorKind::PermissionDenied => kind.to_string(),
        _ => error.to_string(),
    };
    anyhow!("the kernel refuses the program {name}: {cause}; `--log debug` shows why")
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
fn explain(error: anyhow::Error, options: &Options) -> anyhow::Error {
    let out_of_memory = error
        .chain()
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| matches!(error.raw_os_error(), Some(libc::ENOMEM)));
    if out_of_memory {
        let sensors = u32::try_from(options.config.sensors.len()).unwrap_or(u32::MAX);
        let kib = layout::bytes(sensors.min(layout::MAX_SENSORS)) / 1024;
        return anyhow!(
            "no memory for the counters: {sensors} sensors take {kib} KiB for each CPU; configure fewer"
        );
    }
    error.context("cannot create the sensor's maps")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::obstacle::words;

    #[rstest]
    #[case::by_the_verifier(libc::EACCES, "permission denied")]
    #[case::for_a_capability(libc::EPERM, "permission denied")]
    #[case::otherwise(libc::EINVAL, "Invalid argument (os error 22)")]
    fn a_program_that_is_refused_is_no_file_that_is(#[case] number: i32, #[case] cause: &str) {
        let error = refused("sensor", &io::Error::from_raw_os_error(number));
        let expected = format!("the kernel refuses the program sensor: {cause}; `--log debug` shows why");
        assert_eq!(words(&error, true), expected);
    }
}
