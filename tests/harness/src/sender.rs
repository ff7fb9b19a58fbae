//! Sends frames over a [`Wire`], as they are, and knows exactly how many.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::skip::Missing;
use crate::wire::{Flow, Wire};

/// Frames in one call to the kernel.
const BATCH: usize = 32;

/// An `AF_PACKET` socket at the far end of a wire.
#[derive(Debug)]
pub struct Sender<'wire> {
    socket: OwnedFd,
    flow: &'wire Flow,
}

impl<'wire> Sender<'wire> {
    /// Opens a socket; any number may send over a wire at once.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub fn new(wire: &'wire Wire) -> Result<Self> {
        let socket = wire
            .far
            .namespace
            .run(|| packet_socket(&wire.far.name))?
            .with_context(|| format!("cannot open a packet socket on {}", wire.far.name))?;
        Ok(Self { socket, flow: &wire.flow })
    }

    /// Sends every frame once, in order. When this returns, all of them have been through the XDP program
    /// of the near end.
    ///
    /// # Errors
    /// If the kernel refuses a frame, or a frame gets lost on the way.
    pub fn send<F: AsRef<[u8]>>(&self, frames: &[F]) -> Result<()> {
        for batch in frames.chunks(BATCH) {
            self.send_batch(batch)?;
        }
        self.flow.settle()
    }

    fn send_batch<F: AsRef<[u8]>>(&self, batch: &[F]) -> Result<()> {
        let mut unsent = batch;
        while !unsent.is_empty() {
            self.flow.reserve(unsent.len() as u64)?;
            let result = send_some(&self.socket, unsent);
            let sent = *result.as_ref().unwrap_or(&0);
            self.flow.release((unsent.len() - sent) as u64);
            match result {
                Ok(sent) => unsent = &unsent[sent..],
                // The first frame found no room, and the kernel said so: it goes again.
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR)) =>
                {
                    std::thread::yield_now();
                }
                Err(error) => {
                    let length = unsent[0].as_ref().len();
                    return Err(error).with_context(|| format!("cannot send a frame of {length} bytes"));
                }
            }
        }
        Ok(())
    }
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// If there is no such CPU.
pub fn pin_to_cpu(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).with_context(|| format!("cannot run on CPU {cpu}"))
}

/// CPUs that this process may use.
///
/// # Errors
/// If the kernel doesn't tell.
pub fn cpus() -> Result<Vec<usize>> {
    let allowed = nix::sched::sched_getaffinity(Pid::from_raw(0))?;
    let cpus: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    ensure!(!cpus.is_empty(), "the kernel lists no CPU");
    Ok(cpus)
}

/// Two CPUs that this process may use.
///
/// # Errors
/// If the kernel doesn't tell; inside, if there is only one.
pub fn two_cpus() -> Result<Result<[usize; 2], Missing>> {
    let cpus = cpus()?;
    let two = cpus.first_chunk().copied();
    Ok(two.ok_or_else(|| Missing::new("this machine has one CPU")))
}

/// A socket that sends to the interface and receives nothing: its protocol is 0.
///
/// # Errors
/// Without `CAP_NET_RAW`, or when there is no such interface.
pub fn packet_socket(interface: &str) -> io::Result<OwnedFd> {
    #[expect(clippy::cast_possible_truncation, reason = "address families are small numbers")]
    const FAMILY: libc::sa_family_t = libc::AF_PACKET.cast_unsigned() as libc::sa_family_t;
    #[expect(clippy::cast_possible_truncation, reason = "an address has 20 bytes")]
    const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    let index = nix::net::if_::if_nametoindex(interface)?;
    // SAFETY: no pointers are passed.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us, and to no one else.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let address = libc::sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: 0,
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the address is as long as said, and outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), LENGTH) };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

/// Hands at most [`BATCH`] frames to the kernel; how many it took, at least one.
fn send_some<F: AsRef<[u8]>>(socket: &OwnedFd, frames: &[F]) -> io::Result<usize> {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    // SAFETY: `mmsghdr` is plain data of integers and pointers, for which zero is a value.
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    let mut count = 0;
    for ((frame, vector), message) in frames.iter().zip(&mut vectors).zip(&mut messages) {
        let frame = frame.as_ref();
        // The kernel only reads what it sends; `iovec` serves both directions.
        *vector = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: `messages` has `count` valid headers, each with one vector, and all outlive the call.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
