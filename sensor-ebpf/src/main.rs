//! The XDP programs: parse a frame, decide, count it, drop it. The egress program: remember what the host
//! sends, so that the answers pass.
//!
//! What a packet is and which slot it belongs to is decided by `sensor-common`, the same code that the host
//! tests run. Here are only the entry points, the bounded reader, the maps and the load-time constants.

// Lints and documentation are checked on the host, where std may come in through a shared dependency.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![expect(
    clippy::inline_always,
    reason = "a call that is not inlined becomes a BPF function, which the verifier checks without its caller's bounds"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "helpers take 32-bit lengths and offsets; a frame is shorter than 64 KiB"
)]
#![expect(clippy::needless_pass_by_value, reason = "the macros hand their contexts over by value")]
#![expect(missing_docs, reason = "the entry points' documentation does not survive the macros")]

mod count;
mod evidence;
mod frame;
mod guard;
mod log;
mod memory;
mod policy;
mod verifier;

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use sensor_common::classify::{
    Judgement, Verdict, general_judgement, second_short_judgement, short_judgement,
};
use sensor_common::evidence::Budget;
use sensor_common::flow::remember;
use sensor_common::layout::Passed;
use sensor_common::layout::side::Side;

use evidence::Counted;
use frame::{Capture, Linear, MultiBuffer, Outgoing};
use memory::Maps;
use policy::LoadTime;

/// For frames that lie in one buffer: every MTU that a driver takes without multi-buffer support.
#[xdp]
#[inline(always)]
pub fn sensor(ctx: XdpContext) -> u32 {
    handle::<Linear>(&ctx)
}

/// For frames that may lie in several buffers (Linux 5.18, commit 2e88d4ff0301): jumbo frames.
#[xdp(frags)]
#[inline(always)]
pub fn sensor_frags(ctx: XdpContext) -> u32 {
    handle::<MultiBuffer>(&ctx)
}

/// On what the host sends. Whatever it is, it goes on its way, and to the next filter.
#[classifier]
#[inline(always)]
pub fn sensor_egress(ctx: TcContext) -> i32 {
    remember(&Outgoing::new(&ctx), &Maps);
    TC_ACT_UNSPEC
}

/// Decides by the short way, if the frame is of the most common kind.
///
/// All ways are one BPF function. Where the kernel guards returns (SRSO, Linux 6.5, commit fb3bd914b3ec), returning from
/// another costs more than the whole short way.
#[inline(always)]
fn handle<F: Capture>(ctx: &XdpContext) -> u32 {
    let frame = F::new(ctx);
    if guard::is_unconfirmed() {
        count::passed(Passed::Unconfirmed, frame.length());
        return XDP_PASS;
    }
    match short_judgement(&frame, &LoadTime, &Maps) {
        Some(judgement) => carry_out(ctx, &frame, judgement),
        None => handle_others(ctx, &frame.again(ctx)),
    }
}

#[inline(always)]
fn handle_others<F: Capture>(ctx: &XdpContext, frame: &F) -> u32 {
    match second_short_judgement(frame, &LoadTime, &Maps) {
        Some(judgement) => carry_out(ctx, frame, judgement),
        None => carry_out(ctx, frame, general_judgement(frame, &LoadTime, &Maps)),
    }
}

#[inline(always)]
fn carry_out<F: Capture>(ctx: &XdpContext, frame: &F, Judgement { verdict, side }: Judgement) -> u32 {
    match verdict {
        Verdict::Pass(reason) => {
            count::passed(reason, frame.length());
            XDP_PASS
        }
        Verdict::Count { sensor, slot } => {
            log::malformed(ctx, slot, frame.length());
            count::slot(sensor, slot, frame.length());
            let constituency = policy::constituency(frame);
            if (side != Side::NONE || evidence::is_kept() || constituency.is_some())
                && let Some(counters) = count::side_counters(sensor)
            {
                // The verifier would walk on with each side counter that it has seen come about.
                let side = Side::at(frame.blurred(side.offset() as usize) as u32);
                counters.add(side);
                if let Some(number) = constituency {
                    counters.add(Side::constituency(number));
                }
                if evidence::is_kept() {
                    let budget = Budget::of(constituency.is_some());
                    evidence::hand_over(ctx, frame, Counted { sensor, slot, side, budget }, &counters);
                }
            }
            if policy::observing() { XDP_PASS } else { XDP_DROP }
        }
    }
}

/// The programs run in the kernel only.
#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// The license that the kernel is told: some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
