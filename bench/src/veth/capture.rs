//! A counter in userspace: a packet socket with a ring (`TPACKET_V3`), and a thread that reads it.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use sensor_harness::frame::ETHERNET;
use sensor_harness::sender::pin_to_cpu;

use super::bed::Bed;
use crate::clock::CpuClock;

/// A reader at work.
pub struct Capture {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Result<Read>>,
}

/// What a reader has done.
pub struct Read {
    /// Packets that it has counted.
    pub packets: u64,
    /// Its CPU time.
    pub time: Duration,
}

impl Capture {
    /// Starts one.
    ///
    /// # Errors
    /// There is no such ring.
    pub fn start(bed: &Bed) -> Result<Self> {
        let (near, cpu) = (bed.near, bed.reader);
        let ring = bed.wire.near.namespace.run(|| Ring::new(near))?.context("cannot make a packet ring")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let reader = thread::spawn(move || {
            pin_to_cpu(cpu)?;
            let clock = CpuClock::of_this_thread();
            let (time, packets) = clock.time(|| Ok(ring.count(&stopped)?))?;
            Ok(Read { packets, time })
        });
        Ok(Self { stop, reader })
    }

    /// Ends it.
    ///
    /// # Errors
    /// It failed.
    pub fn stop(self) -> Result<Read> {
        self.stop.store(true, Ordering::Relaxed);
        self.reader.join().map_err(|_| anyhow!("the reader panicked"))?
    }
}

const BLOCK: usize = 1 << 18;
const BLOCKS: usize = 32;

/// The ring, mapped.
struct Ring {
    socket: OwnedFd,
    start: NonNull<u8>,
}

// SAFETY: the mapping belongs to this value alone, whichever thread it is on.
unsafe impl Send for Ring {}

impl Ring {
    fn new(interface: u32) -> io::Result<Self> {
        const ALL: u16 = 3_u16.to_be();
        // SAFETY: no pointers are passed.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, i32::from(ALL)) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given this descriptor to us, and to no one else.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        set(&socket, libc::PACKET_VERSION, &libc::tpacket_versions::TPACKET_V3)?;
        let frame = 2_048;
        #[expect(clippy::cast_possible_truncation, reason = "the ring has 8 MiB")]
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK as u32,
            tp_block_nr: BLOCKS as u32,
            tp_frame_size: frame,
            tp_frame_nr: (BLOCK * BLOCKS) as u32 / frame,
            tp_retire_blk_tov: 20,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(&socket, libc::PACKET_RX_RING, &request)?;
        bind(&socket, interface, ALL)?;
        // SAFETY: the kernel chooses an unused place.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                BLOCK * BLOCKS,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("nothing is mapped"))?;
        Ok(Self { socket, start })
    }

    /// Counts packets by their TCP destination port until it is told to stop.
    fn count(&self, stop: &AtomicBool) -> io::Result<u64> {
        let mut ports = vec![0_u64; 1 << 16];
        for block in (0..BLOCKS).cycle() {
            while self.status(block).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                if stop.load(Ordering::Relaxed) {
                    return Ok(ports.iter().sum());
                }
                self.wait()?;
            }
            self.count_block(block, &mut ports);
            self.status(block).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        Ok(ports.iter().sum())
    }

    /// Where the kernel and the reader tell each other whose block it is.
    fn status(&self, block: usize) -> &AtomicU32 {
        let at = block * BLOCK + std::mem::offset_of!(libc::tpacket_hdr_v1, block_status) + DESCRIPTOR;
        // SAFETY: it lies within the mapping.
        let status = unsafe { self.start.add(at) };
        // SAFETY: it is aligned as blocks are, lives as long as the mapping, and both sides write it whole.
        unsafe { status.cast::<AtomicU32>().as_ref() }
    }

    fn count_block(&self, block: usize, ports: &mut [u64]) {
        let start = block * BLOCK;
        let header: libc::tpacket_hdr_v1 = self.read(start + DESCRIPTOR);
        let mut at = start + header.offset_to_first_pkt as usize;
        for _ in 0..header.num_pkts {
            let packet: libc::tpacket3_hdr = self.read(at);
            let port: [u8; 2] = self.read(at + usize::from(packet.tp_mac) + ETHERNET + 20 + 2);
            ports[usize::from(u16::from_be_bytes(port))] += 1;
            at += packet.tp_next_offset as usize;
        }
    }

    /// Plain data of the ring.
    fn read<T: Copy>(&self, at: usize) -> T {
        assert!(at + size_of::<T>() <= BLOCK * BLOCKS, "the kernel's offsets lie within the ring");
        // SAFETY: it lies within the mapping.
        let place = unsafe { self.start.add(at) };
        // SAFETY: it lies within the mapping, and is read only while the block is the reader's.
        unsafe { place.cast::<T>().read_unaligned() }
    }

    fn wait(&self) -> io::Result<()> {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure is passed, which outlives the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, 10) };
        if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// A block's version and the length of its private area come before its header.
const DESCRIPTOR: usize = 8;

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), BLOCK * BLOCKS) };
    }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the value is as long as said, and outlives the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            std::ptr::from_ref(value).cast(),
            length,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn bind(socket: &OwnedFd, interface: u32, protocol: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: protocol,
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the address is as long as said, and outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
