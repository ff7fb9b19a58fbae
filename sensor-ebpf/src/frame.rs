//! Bounded reads of a frame, in the form that the verifier can follow.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::XdpContext;
use sensor_common::parse::{Read, Wire};

/// A frame that lies in one buffer.
pub struct Linear {
    data: usize,
    end: usize,
}

impl Linear {
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        Self { data: ctx.data(), end: ctx.data_end() }
    }
}

impl Read for Linear {
    #[inline(always)]
    fn length(&self) -> usize {
        self.end - self.data
    }

    #[inline(always)]
    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        let start = self.data + at;
        if start + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: `start..start + size_of::<T>()` lies within the packet, as the comparison above shows to
        // the verifier too, and any bytes are a valid `T: Wire`, which has alignment 1.
        Some(unsafe { (start as *const T).read() })
    }
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
