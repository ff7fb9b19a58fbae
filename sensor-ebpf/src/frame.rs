//! Bounded reads of a frame, in the form that the verifier can follow.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::XdpContext;
use sensor_common::parse::{Read, Wire};

/// A frame that lies in one buffer.
pub struct Linear {
    data: usize,
    end: usize,
    length: usize,
}

impl Linear {
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        // The length comes from reads of its own, and all of them are volatile: a compiler that sees how
        // it relates to `end` proves the comparison in `read` superfluous, and the verifier, which does
        // not, refuses the program.
        let length = end(ctx) - start(ctx);
        Self { data: start(ctx), end: end(ctx), length }
    }
}

impl Read for Linear {
    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        let start = self.data + at;
        if start + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: `start..start + size_of::<T>()` lies within the packet, as the comparison above shows to
        // the verifier too, and any bytes are a valid `T: Wire`. Frames start at an even address and the
        // parser asks at even offsets, which is the alignment that `Wire` bounds.
        Some(unsafe { (start as *const T).read() })
    }
}

#[inline(always)]
fn start(ctx: &XdpContext) -> usize {
    // SAFETY: the kernel hands over a valid context.
    let start = unsafe { &raw const (*ctx.ctx).data };
    // SAFETY: it points to an initialised field of that context.
    let start = unsafe { start.read_volatile() };
    start as usize
}

#[inline(always)]
fn end(ctx: &XdpContext) -> usize {
    // SAFETY: the kernel hands over a valid context.
    let end = unsafe { &raw const (*ctx.ctx).data_end };
    // SAFETY: it points to an initialised field of that context.
    let end = unsafe { end.read_volatile() };
    end as usize
}

/// A frame whose first buffer is at hand and whose others are reached through a helper.
pub struct MultiBuffer<'a> {
    first: Linear,
    ctx: &'a XdpContext,
    length: usize,
}

impl<'a> MultiBuffer<'a> {
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext) -> Self {
        // SAFETY: the helper only reads the context that the kernel handed over.
        let length = unsafe { bpf_xdp_get_buff_len(ctx.ctx) };
        Self { first: Linear::new(ctx), ctx, length: length as usize }
    }
}

impl Read for MultiBuffer<'_> {
    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        if let Some(header) = self.first.read(at) {
            return Some(header);
        }
        let mut header = MaybeUninit::<T>::uninit();
        // SAFETY: the helper writes exactly `size_of::<T>()` bytes to the stack, or fails.
        let failed = unsafe {
            bpf_xdp_load_bytes(self.ctx.ctx, at as u32, header.as_mut_ptr().cast(), size_of::<T>() as u32)
        };
        if failed != 0 {
            return None;
        }
        // SAFETY: the helper has written every byte, and any bytes are a valid `T: Wire`.
        Some(unsafe { header.assume_init() })
    }
}
