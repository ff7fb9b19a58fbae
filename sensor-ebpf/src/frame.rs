//! Bounded reads of a frame, in the form that the verifier can follow.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use sensor_common::evidence::MAX_SNAP_LENGTH;
use sensor_common::parse::{ETHERNET_LENGTH, Read, Wire};

/// Reads a field of a context that the kernel handed over.
macro_rules! context {
    ($ctx:expr, $field:ident) => {{
        // SAFETY: the kernel hands over a valid context.
        let field = unsafe { &raw const (*$ctx).$field };
        // SAFETY: it points to an initialised field of that context.
        (unsafe { field.read_volatile() }) as usize
    }};
}

/// Offsets that the parser leaves are below this: Ethernet with two tags, and IPv6 with as many extension
/// headers as it follows, each of at most 2,048 bytes.
const OFFSETS: usize = 0x8000;

/// Which pair of a number's bytes has the bits above its lowest 16. Chosen here, and no bytes swapped: the
/// compiler swaps after it has masked, and the verifier then knows no bound.
const PAIR: usize = if cfg!(target_endian = "little") { 1 } else { 2 };

/// Hides an offset from the verifier, which knows what it has seen stored in eight bytes of the stack if it
/// is loaded from their start (Linux 6.8, commit c1e6148cb4f8), and from nowhere else.
#[inline(always)]
fn blurred(at: usize) -> usize {
    let mut stored = 0_u64;
    // SAFETY: it is a local variable.
    unsafe { (&raw mut stored).write_volatile((at as u64) << u16::BITS) };
    // SAFETY: a pair of its bytes.
    let pair = unsafe { (&raw const stored).cast::<u16>().add(PAIR) };
    // SAFETY: likewise.
    let at = unsafe { pair.read_volatile() };
    usize::from(at) & (OFFSETS - 1)
}

/// A frame whose bytes can be copied.
pub trait Capture: Read {
    /// The frame that the kernel hands over.
    fn new(ctx: &XdpContext) -> Self;

    /// The same frame, from its context again, so that little of this one has to be kept until then.
    fn again(&self, ctx: &XdpContext) -> Self;

    /// Copies its first bytes, as many as `most` says, and says how many there were.
    ///
    /// # Safety
    /// There is room for as many as `most` says, rounded up to eight.
    unsafe fn capture(&self, to: *mut u64, most: usize) -> usize;
}

/// A frame that lies in one buffer.
pub struct Linear {
    data: usize,
    end: usize,
    length: usize,
}

impl Read for Linear {
    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        self.look_at(at, |header| *header)
    }

    #[inline(always)]
    fn look_at<T: Wire, L>(&self, at: usize, look: impl FnOnce(&T) -> L) -> Option<L> {
        let start = self.data + at;
        if start + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: `start..start + size_of::<T>()` lies within the packet, as the comparison above shows to
        // the verifier too, nothing writes to it meanwhile, and any bytes are a valid `T: Wire`. Frames start at an
        // even address and the parser asks at even offsets, which is the alignment that `Wire` bounds.
        Some(look(unsafe { &*(start as *const T) }))
    }

    #[inline(always)]
    fn blurred(&self, at: usize) -> usize {
        blurred(at)
    }
}

/// Words of eight bytes in the longest capture.
const WORDS: usize = (MAX_SNAP_LENGTH as usize).div_ceil(8);

impl Capture for Linear {
    #[inline(always)]
    fn new(ctx: &XdpContext) -> Self {
        // The length comes from reads of its own, and all of them are volatile: a compiler that sees how
        // it relates to `end` proves the comparison in `read` superfluous, and the verifier, which does
        // not, refuses the program.
        let length = context!(ctx.ctx, data_end) - context!(ctx.ctx, data);
        Self { data: context!(ctx.ctx, data), end: context!(ctx.ctx, data_end), length }
    }

    #[inline(always)]
    fn again(&self, ctx: &XdpContext) -> Self {
        Self::new(ctx)
    }

    // Each word's bounds are compared, since 5.10 has no helper that copies.
    #[inline(always)]
    unsafe fn capture(&self, to: *mut u64, most: usize) -> usize {
        let mut copied = 0;
        for word in 0..WORDS {
            let start = self.data + word * 8;
            if word * 8 >= most || start + 8 > self.end {
                break;
            }
            // SAFETY: these bytes are within the packet. Loads need no alignment in BPF: the verifier refuses this
            // one where the CPU's do (`CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS`).
            let eight = unsafe { (start as *const u64).read_volatile() };
            // SAFETY: there is room for whole words, as the caller vouches.
            unsafe { to.wrapping_add(word).write_volatile(eight) };
            copied = word * 8 + 8;
        }
        for _ in 0..7 {
            let start = self.data + copied;
            if copied >= most || start + 1 > self.end {
                break;
            }
            // SAFETY: this byte is within the packet.
            let byte = unsafe { (start as *const u8).read_volatile() };
            // SAFETY: there is room for it, as the caller vouches.
            unsafe { to.cast::<u8>().wrapping_add(copied).write_volatile(byte) };
            copied += 1;
        }
        if copied < most { copied } else { most }
    }
}

/// A header that a helper copies to the stack.
///
/// # Safety
/// The helper, which is given where to and how many bytes, has written them all if it returns 0.
#[inline(always)]
unsafe fn copied<T: Wire>(helper: impl FnOnce(*mut c_void, u32) -> i64) -> Option<T> {
    let mut header = MaybeUninit::<T>::uninit();
    if helper(header.as_mut_ptr().cast(), size_of::<T>() as u32) != 0 {
        return None;
    }
    // SAFETY: every byte was written, as the caller vouches, and any bytes are a valid `T: Wire`.
    Some(unsafe { header.assume_init() })
}

/// A frame whose first buffer is at hand and whose others are reached through a helper.
pub struct MultiBuffer {
    first: Linear,
    ctx: *mut xdp_md,
    length: usize,
}

impl Read for MultiBuffer {
    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        if let Some(header) = self.first.read(at) {
            return Some(header);
        }
        // SAFETY: the context is the kernel's, and `copied` gives room for what it asks for.
        let helper = |to, length| unsafe { bpf_xdp_load_bytes(self.ctx, at as u32, to, length) };
        // SAFETY: this helper writes as many bytes as it is told, or fails.
        unsafe { copied(helper) }
    }

    #[inline(always)]
    fn look_at<T: Wire, L>(&self, at: usize, look: impl FnOnce(&T) -> L) -> Option<L> {
        self.first.look_at(at, look)
    }

    #[inline(always)]
    fn blurred(&self, at: usize) -> usize {
        blurred(at)
    }
}

impl Capture for MultiBuffer {
    #[inline(always)]
    fn new(ctx: &XdpContext) -> Self {
        // SAFETY: the helper only reads the context that the kernel handed over.
        let length = unsafe { bpf_xdp_get_buff_len(ctx.ctx) };
        Self { first: Linear::new(ctx), ctx: ctx.ctx, length: length as usize }
    }

    #[inline(always)]
    fn again(&self, ctx: &XdpContext) -> Self {
        // Not its length, for which the helper would be called again.
        Self { first: Linear::new(ctx), ctx: ctx.ctx, length: self.length }
    }

    // By a helper, whichever buffer the bytes lie in: some drivers leave nothing in the first.
    #[inline(always)]
    unsafe fn capture(&self, to: *mut u64, most: usize) -> usize {
        let length = if self.length < most { self.length } else { most };
        // No frame has less. Of what is not 0 the verifiers before Linux 6.8 do not learn that it is more.
        if length < ETHERNET_LENGTH {
            return 0;
        }
        // SAFETY: the context is the kernel's, and there is room for `most`, as the caller vouches.
        let failed = unsafe { bpf_xdp_load_bytes(self.ctx, 0, to.cast(), length as u32) } != 0;
        if failed { 0 } else { length }
    }
}

/// A frame that the host sends: its headers are at hand, and the rest is reached through a helper.
pub struct Outgoing<'a> {
    first: Linear,
    ctx: &'a TcContext,
}

impl<'a> Outgoing<'a> {
    #[inline(always)]
    pub fn new(ctx: &'a TcContext) -> Self {
        let skb = ctx.skb.skb;
        let (data, end) = (context!(skb, data), context!(skb, data_end));
        Self { first: Linear { data, end, length: context!(skb, len) }, ctx }
    }
}

impl Read for Outgoing<'_> {
    #[inline(always)]
    fn length(&self) -> usize {
        self.first.length
    }

    #[inline(always)]
    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        if let Some(header) = self.first.read(at) {
            return Some(header);
        }
        // SAFETY: the context is the kernel's, and `copied` gives room for what it asks for.
        let helper =
            |to, length| unsafe { bpf_skb_load_bytes(self.ctx.skb.skb.cast(), at as u32, to, length) };
        // SAFETY: this helper writes as many bytes as it is told, or fails.
        unsafe { copied(helper) }
    }

    #[inline(always)]
    fn blurred(&self, at: usize) -> usize {
        blurred(at)
    }
}
