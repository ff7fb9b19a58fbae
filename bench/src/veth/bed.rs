//! A wire whose receiving end works in a thread of the kernel of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::thread;
use std::time::Duration;
use std::{io, process};

use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MsFlags, mount};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;
use sensor_harness::bpf;
use sensor_harness::frame::frame;
use sensor_harness::namespace::Namespace;
use sensor_harness::sender::{cpus, pin_to_cpu};
use sensor_harness::wire::{Interface, MTU, Wire};

use crate::arrived::arrived;
use crate::clock::CpuClock;
use crate::effort::BURST;
use crate::programs::{Destination, Draw, Source};
use crate::statistics::from_u64;

/// The wire, what sends, and what receives.
pub struct Bed {
    /// The wire; its near end receives.
    pub wire: Wire,
    /// The near end's number.
    pub near: u32,
    /// The CPU for a program that reads: the sender's if there are only two.
    pub reader: usize,
    sender: usize,
    receiver: CpuClock,
    /// The thread of the kernel that receives.
    thread: u32,
    sources: Vec<(Destination, Source)>,
    frame: Vec<u8>,
}

/// How live frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// So many without a pause, after half as many that fill the caches: in one call to the kernel, since each one
    /// takes some time to begin and to end, in which nothing is sent.
    Sustained(u32),
    /// So many bursts, each after a while without any packet.
    Bursts(u32),
}

/// What has arrived of a flood.
pub struct Arrived {
    /// Packets that the receiving end took in, those that filled the caches too.
    pub packets: u64,
    /// How many of them came to its IP stack.
    pub delivered: u64,
    /// CPU time of the receiver for a packet, in nanoseconds; without those that filled the caches.
    pub each: f64,
}

/// What has arrived of one call.
struct Taken {
    packets: u64,
    delivered: u64,
    time: Duration,
}

/// How long nothing arrives before a burst.
const IDLE: Duration = Duration::from_millis(10);

impl Bed {
    /// Makes it.
    ///
    /// # Errors
    /// There is one CPU only, or the kernel is older than 5.18.
    pub fn new() -> Result<Self> {
        let cpus = cpus()?;
        let [sender, .., receiver] = cpus[..] else {
            bail!("there is one CPU only: one sends, one receives")
        };
        // The kernel names the thread after the interface: its name is the benchmark's own.
        let name = format!("b{}", process::id());
        let wire = Wire::between(Namespace::new()?, &name, Namespace::new()?, MTU)?;
        let near = wire.near.namespace.run(|| if_nametoindex(name.as_str()))??;
        let far = wire.far.namespace.run(|| if_nametoindex(name.as_str()))??;

        // Without an XDP program, only a veth that merges packets receives as a NIC does (Linux 5.13).
        merge_packets(&wire.near).context("the veth does not receive as a NIC does (Linux 5.13)")?;
        receive_in_a_thread(&wire.near)
            .context("the veth does not receive in a thread of its own (Linux 5.12)")?;
        let thread = receiving_thread(&name)?;
        let mut only = CpuSet::new();
        only.set(receiver)?;
        sched_setaffinity(Pid::from_raw(thread.cast_signed()), &only).context("cannot pin the receiver")?;
        prefer(thread).context("cannot raise the receiver's priority")?;

        let source = |draw: Draw| Source::new(draw.with_checksums(), far);
        let bed = Self {
            near,
            reader: cpus[(cpus.len() - 1) / 2],
            sender,
            receiver: CpuClock::of_process(thread)?,
            thread,
            sources: [Destination::Random, Destination::Skewed, Destination::One]
                .into_iter()
                .map(|destination| Ok((destination, source(Draw::ipv4().to(destination))?)))
                .collect::<Result<_>>()?,
            frame: template(&wire.near)?,
            wire,
        };
        ensure!(bed.call(Destination::Random, BURST)?.packets > 0, "no live frame arrives (Linux 5.18)");
        Ok(bed)
    }

    /// Sends a flood.
    ///
    /// # Errors
    /// The kernel cannot send live frames, or none arrives.
    pub fn flood(&self, flood: Flood, destination: Destination) -> Result<Arrived> {
        let (first, measured) = match flood {
            Flood::Sustained(packets) => {
                (self.call(destination, packets / 2)?, vec![self.call(destination, packets)?])
            }
            Flood::Bursts(bursts) => {
                let burst = || {
                    thread::sleep(IDLE);
                    self.call(destination, BURST)
                };
                (burst()?, (0..bursts).map(|_| burst()).collect::<Result<_>>()?)
            }
        };
        let time: Duration = measured.iter().map(|taken| taken.time).sum();
        let packets: u64 = measured.iter().map(|taken| taken.packets).sum();
        ensure!(packets > 0, "no packet arrived");
        Ok(Arrived {
            packets: first.packets + packets,
            delivered: first.delivered + measured.iter().map(|taken| taken.delivered).sum::<u64>(),
            each: time.as_secs_f64() * 1e9 / from_u64(packets),
        })
    }

    /// Sends packets in one call to the kernel, and waits until the receiver has done with them.
    fn call(&self, destination: Destination, packets: u32) -> Result<Taken> {
        let (_, source) = self
            .sources
            .iter()
            .find(|(draws, _)| *draws == destination)
            .context("nothing draws such ports")?;
        let (before, delivered, time) = (arrived(&self.wire.near)?, self.delivered()?, self.receiver.now()?);
        self.wire.far.namespace.run(|| {
            pin_to_cpu(self.sender)?;
            prefer(0)?;
            bpf::send_live(source.program(), &self.frame, packets)
        })??;
        let after = self.settle()?;
        Ok(Taken {
            packets: after - before,
            delivered: self.delivered()? - delivered,
            time: self.receiver.now()?.saturating_sub(time),
        })
    }

    /// Waits until the receiver sleeps: a running thread's clock is only read at the kernel's next tick.
    fn settle(&self) -> Result<u64> {
        let mut before = arrived(&self.wire.near)?;
        loop {
            thread::sleep(Duration::from_millis(5));
            let now = arrived(&self.wire.near)?;
            if now == before && self.sleeps()? {
                return Ok(now);
            }
            before = now;
        }
    }

    fn sleeps(&self) -> Result<bool> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.thread))
            .context("the kernel's thread that receives is gone")?;
        Ok(!status.contains("State:\tR"))
    }

    /// The third number of the IP stack's statistics (RFC 4293, `ipSystemStatsInReceives`).
    fn delivered(&self) -> Result<u64> {
        let read = || fs::read_to_string("/proc/thread-self/net/snmp");
        let text = self.wire.near.namespace.run(read)??;
        let numbers = text.lines().filter(|line| line.starts_with("Ip: ")).nth(1);
        let number = numbers.and_then(|numbers| numbers.split(' ').nth(3)?.parse().ok());
        number.context("/proc/net/snmp does not say how many packets the IP stack has received")
    }
}

/// A bare SYN to the near end, 0 in all fields that are drawn and in those that make up for it.
fn template(near: &Interface) -> Result<Vec<u8>> {
    let listed = near.namespace.ip(&format!("-o link show {}", near.name))?;
    let address = listed.split("link/ether ").nth(1).and_then(|rest| rest.get(..17));
    let address = address.with_context(|| format!("{} has no Ethernet address", near.name))?;
    let mut frame = frame()
        .ipv4()
        .from(Ipv4Addr::UNSPECIFIED)
        .ip_id(0)
        .tcp(0)
        .source_port(0)
        .sequence(0)
        .syn()
        .padded(60)
        .bytes();
    for (byte, text) in frame.iter_mut().zip(address.split(':')) {
        *byte = u8::from_str_radix(text, 16)?;
    }
    Ok(frame)
}

/// The fields of `struct ifreq` that `SIOCETHTOOL` reads.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    value: *const [u32; 2],
    rest: [u64; 2],
}

/// Turns generic receive offload on: the driver is asked as `ethtool -K` would.
fn merge_packets(interface: &Interface) -> Result<()> {
    const ETHTOOL_SGRO: u32 = 0x2c;
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    let value = [ETHTOOL_SGRO, 1];
    let mut request = Request { name: [0; libc::IFNAMSIZ], value: &raw const value, rest: [0; 2] };
    for (byte, of) in request.name.iter_mut().zip(interface.name.bytes()) {
        *byte = of;
    }
    let asked = interface.namespace.run(|| {
        // SAFETY: no pointers are passed.
        let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given this descriptor to us, and to no one else.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let request = request;
        // SAFETY: the request is as long as the kernel reads, and points to a value; both outlive the call.
        let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw const request) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    })?;
    asked.context("generic receive offload cannot be turned on")
}

// SAFETY: the pointer is only followed by the kernel, while what it points to lives.
unsafe impl Send for Request {}

/// The file that says so is in a sysfs of the interface's own namespace.
fn receive_in_a_thread(interface: &Interface) -> Result<()> {
    interface.namespace.run(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), nothing)?;
        let path = format!("/sys/class/net/{}/threaded", interface.name);
        fs::write(&path, "1").with_context(|| format!("cannot write {path}"))
    })?
}

/// Lets a thread run before all that others do here; 0 is the calling one.
fn prefer(thread: u32) -> io::Result<()> {
    const MOST: libc::c_int = -20;
    // SAFETY: no pointers are passed.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, thread, MOST) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn receiving_thread(interface: &str) -> Result<u32> {
    let prefix = format!("napi/{interface}");
    fs::read_dir("/proc")?
        .flatten()
        .find_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            // A long name is cut off.
            name.trim_end().starts_with(&prefix[..prefix.len().min(15)]).then_some(number)
        })
        .with_context(|| format!("the kernel has no thread called {prefix}"))
}
