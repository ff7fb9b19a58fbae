//! What the kernel and the host share: where each counter lives ([`layout`]), how bytes become a packet, and
//! which counter it belongs to ([`parse`]), how it adds to that ([`hot`]), whether it is let through instead
//! ([`classify`]), what made it ([`fingerprint`]), what is kept of it ([`evidence`]), and what is remembered of what the
//! host itself sends ([`flow`]); and for who shows counts, what ports and countries are called
//! ([`service`], [`country`]), and how a number is written ([`grouped`]) and the word behind it ([`noun`]).
//!
//! Everything here is plain `no_std` code without allocation, so that the very functions that run in the
//! kernel are tested on the host; but for `hyperloglog` and `heavy`, a feature for programs of the host: the agent makes
//! sketches, and whoever looks at many agents merges them, and makes others of what they wrote.

#![no_std]
#![expect(
    clippy::inline_always,
    reason = "a call that is not inlined becomes a BPF function, which the verifier checks without its caller's bounds"
)]

pub mod classify;
pub mod country;
pub mod evidence;
pub mod fingerprint;
pub mod flow;
pub mod grouped;
#[cfg(feature = "sketch")]
pub mod heavy;
pub mod hot;
#[cfg(feature = "sketch")]
pub mod hyperloglog;
pub mod layout;
pub mod noun;
pub mod parse;
pub mod policy;
pub mod port;
pub mod service;
pub mod time_span;
