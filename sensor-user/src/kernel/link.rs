//! BPF links: what keeps a program attached to an interface.
//!
//! A link is detached when nobody holds it any more, neither by a descriptor nor by a pin; its program can
//! be replaced without a packet passing by neither. Here instead of in aya because aya turns an attachment
//! that the kernel refuses into one through netlink, which nothing would undo when the agent dies, and
//! because it can neither tell a link's interface nor detach one that somebody else holds.

use std::ffi::CString;
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::host::AttachedMode;
use super::syscall::{bpf, descriptor, split};

/// Where on an interface a program is attached (`enum bpf_attach_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// In the driver.
    XdpNative,
    /// Behind the driver.
    XdpGeneric,
    /// On the way out (Linux 6.6, kernel commit e420bed02507).
    TcxEgress,
}

impl Hook {
    /// Where an XDP program runs that is attached there; one of TCX runs in the stack.
    #[must_use]
    pub const fn mode(self) -> AttachedMode {
        match self {
            Self::XdpNative => AttachedMode::Native,
            Self::XdpGeneric | Self::TcxEgress => AttachedMode::Generic,
        }
    }

    /// `attach_type` and `flags` of `BPF_LINK_CREATE`.
    const fn numbers(self) -> (u32, u32) {
        const BPF_XDP: u32 = 37;
        const BPF_TCX_EGRESS: u32 = 47;
        // Before all others: one of them might end the chain.
        const BPF_F_BEFORE: u32 = 1 << 3;
        const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
        const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
        match self {
            Self::XdpNative => (BPF_XDP, XDP_FLAGS_DRV_MODE),
            Self::XdpGeneric => (BPF_XDP, XDP_FLAGS_SKB_MODE),
            Self::TcxEgress => (BPF_TCX_EGRESS, BPF_F_BEFORE),
        }
    }
}

/// The numbers of the programs on what an interface sends, as TCX has them (Linux 6.6). `CAP_NET_ADMIN` is enough; what
/// else is to be known of them, root alone may ask.
///
/// # Errors
/// The kernel does not know the question, or refuses it.
pub fn on_the_way_out(interface: u32) -> io::Result<Vec<u32>> {
    /// As many as the kernel takes (`BPF_MPROG_MAX`).
    const MOST: u32 = 64;
    let mut programs = [0_u32; MOST as usize];
    let [first, second] = split(programs.as_mut_ptr() as u64);
    // struct { target_ifindex; attach_type; query_flags; attach_flags; __aligned_u64 prog_ids; count; … } query
    let mut attributes = [interface, Hook::TcxEgress.numbers().0, 0, 0, first, second, MOST, 0];
    bpf(PROG_QUERY, &mut attributes)?;
    Ok(programs.into_iter().take(attributes[6] as usize).collect())
}

/// A link, held by a descriptor.
#[derive(Debug)]
pub struct Link(OwnedFd);

/// What the kernel says of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// The link's number.
    pub id: u32,
    /// The number of the program that it attaches.
    pub program: u32,
    /// The interface's number; 0 when the link is detached, as it is when the interface is gone.
    pub interface: u32,
}

// Commands of bpf(2) (`enum bpf_cmd`).
const OBJ_PIN: u32 = 6;
const OBJ_GET: u32 = 7;
const OBJ_GET_INFO_BY_FD: u32 = 15;
const PROG_QUERY: u32 = 16;
const LINK_CREATE: u32 = 28;
const LINK_UPDATE: u32 = 29;
const LINK_GET_FD_BY_ID: u32 = 30;
const LINK_GET_NEXT_ID: u32 = 31;
const LINK_DETACH: u32 = 34;

// Link types (`enum bpf_link_type`).
const TYPE_XDP: u32 = 6;
const TYPE_TCX: u32 = 11;

impl Link {
    /// Attaches a program.
    ///
    /// # Errors
    /// What the kernel or the driver says against it.
    pub fn create(program: BorrowedFd<'_>, interface: u32, hook: Hook) -> io::Result<Self> {
        let (attach_type, flags) = hook.numbers();
        // struct { prog_fd; target_ifindex; attach_type; flags; … } link_create
        let mut attributes = [0_u32; 16];
        attributes[..4].copy_from_slice(&[descriptor(program), interface, attach_type, flags]);
        bpf(LINK_CREATE, &mut attributes).map(Self::owning)
    }

    /// Replaces the program: every packet sees the old or the new one.
    ///
    /// # Errors
    /// What the kernel or the driver says against it; `ENOLINK` when the link is detached. The old program
    /// stays.
    pub fn update(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        // struct { link_fd; new_prog_fd; flags; old_prog_fd; } link_update
        bpf(LINK_UPDATE, &mut [descriptor_of(&self.0), descriptor(program), 0, 0]).map(drop)
    }

    /// Detaches it, whoever else holds it (Linux 5.9, kernel commit 73b11c2ab072).
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach(&self) -> io::Result<()> {
        bpf(LINK_DETACH, &mut [descriptor_of(&self.0)]).map(drop)
    }

    /// What the kernel says of it.
    ///
    /// # Errors
    /// It does not say.
    pub fn info(&self) -> io::Result<LinkInfo> {
        let info = self.raw_info()?;
        Ok(LinkInfo { id: info[1], program: info[2], interface: info[4] })
    }

    /// The start of `struct bpf_link_info`: type, id, `prog_id`, padding, then what depends on the type; for
    /// XDP and TCX that is the interface's number.
    fn raw_info(&self) -> io::Result<[u32; 16]> {
        let mut info = [0_u32; 16];
        let length = u32::try_from(size_of_val(&info)).expect("64 fits");
        let [first, second] = split(info.as_mut_ptr() as u64);
        // struct { bpf_fd; info_len; __aligned_u64 info; } info
        bpf(OBJ_GET_INFO_BY_FD, &mut [descriptor_of(&self.0), length, first, second])?;
        Ok(info)
    }

    /// Pins it: it outlives its descriptors until the file is removed.
    ///
    /// # Errors
    /// The path is taken, or not on a BPF file system.
    pub fn pin(&self, path: &Path) -> io::Result<()> {
        let path = c_string(path)?;
        let [first, second] = split(path.as_ptr() as u64);
        // struct { __aligned_u64 pathname; bpf_fd; file_flags; … } obj
        bpf(OBJ_PIN, &mut [first, second, descriptor_of(&self.0), 0]).map(drop)
    }

    /// The link that is pinned at `path`.
    ///
    /// # Errors
    /// There is none.
    pub fn from_pin(path: &Path) -> io::Result<Self> {
        let path = c_string(path)?;
        let [first, second] = split(path.as_ptr() as u64);
        bpf(OBJ_GET, &mut [first, second, 0, 0]).map(Self::owning)
    }

    /// Every XDP and TCX link on this interface that attaches this program.
    ///
    /// The kernel numbers interfaces anew in every network namespace: only together with a program that is
    /// attached in this one does an interface's number mean anything.
    ///
    /// # Errors
    /// Without `CAP_SYS_ADMIN`.
    pub fn all_of(program: u32, interface: u32) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        let mut previous = 0;
        loop {
            // struct { start_id; next_id; open_flags; }
            let mut attributes = [previous, 0, 0];
            match bpf(LINK_GET_NEXT_ID, &mut attributes) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(found),
                Err(error) => return Err(error),
                Ok(_) => previous = attributes[1],
            }
            match bpf(LINK_GET_FD_BY_ID, &mut [previous, 0, 0]).map(Self::owning) {
                Ok(link) => {
                    let info = link.raw_info()?;
                    let of_a_device = matches!(info[0], TYPE_XDP | TYPE_TCX);
                    if of_a_device && info[2] == program && info[4] == interface {
                        found.push(link);
                    }
                }
                // It went away between the two calls.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn owning(descriptor: i32) -> Self {
        // SAFETY: the kernel has just handed out the descriptor, and nobody else knows of it.
        Self(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

fn descriptor_of(of: &OwnedFd) -> u32 {
    descriptor(of.as_fd())
}

fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
