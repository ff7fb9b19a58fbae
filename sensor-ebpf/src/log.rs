//! Says why a packet was called malformed, when the operator asks for it at load time.

use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::debug;
use sensor_common::layout::{Malformed, Slot};

use crate::verifier::below;

/// Longest label, in bytes.
const LABEL: usize = 24;

/// The reasons' labels, padded with spaces: a table of pointers would need relocations that BPF lacks.
static LABELS: [[u8; LABEL]; Malformed::ALL.len()] = labels();

const fn labels() -> [[u8; LABEL]; Malformed::ALL.len()] {
    let mut labels = [[b' '; LABEL]; Malformed::ALL.len()];
    let mut reason = 0;
    while reason < labels.len() {
        let label = Malformed::ALL[reason].label().as_bytes();
        let mut at = 0;
        while at < label.len() {
            labels[reason][at] = label[at];
            at += 1;
        }
        reason += 1;
    }
    labels
}

/// Logs the reason if `slot` counts malformed packets.
#[inline(always)]
pub fn malformed(ctx: &XdpContext, slot: Slot, length: usize) {
    if !slot.is_malformed() {
        return;
    }
    let reason = slot.index().wrapping_sub(Slot::malformed(Malformed::ALL[0]).index()) as usize;
    if let Some(reason) = below::<{ LABELS.len() }>(reason) {
        let label = &LABELS[reason];
        // SAFETY: labels and the padding are ASCII.
        let label = unsafe { core::str::from_utf8_unchecked(label) };
        debug!(ctx, "malformed packet of {} bytes: {}", length, label);
    }
}
