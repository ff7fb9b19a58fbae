//! What the kernel remembers of what the host itself sends, so that the answers to it pass.
//!
//! Only the host's own packets make entries ([`remember`]), so no scan or flood can fill the tables; what
//! arrives can only keep an entry alive ([`is_reply`]). A [`Stamp`] for each port says whether the host has
//! used it lately: what arrives at any other port never costs a lookup.

mod entry;
mod fragment;
mod key;
mod memory;
mod packet;
mod stamp;

pub use entry::{Flow, Sent, timeout};
pub use fragment::{FRAGMENT_TIMEOUT_V4, FRAGMENT_TIMEOUT_V6, Fragment, FragmentKey, admit_rest, admitted};
pub use key::FlowKey;
pub use memory::{Forgetful, Memory, is_about_flow, is_reply, remember};
pub use stamp::{Stamp, USES_LENGTH, Use, Uses};

/// Name of the table of TCP flows: an LRU hash of [`FlowKey`] → [`Flow`]. It is a table of its own so that
/// many short exchanges over UDP push out no connection that is idle.
pub const FLOWS_TCP: &str = "FLOWS_TCP";
/// Name of the table of all other flows: an LRU hash of [`FlowKey`] → [`Flow`].
pub const FLOWS: &str = "FLOWS";
/// Name of the array whose one element is [`Uses`].
pub const USES: &str = "USES";
/// Name of the table of datagrams whose first fragment was let through: an LRU hash of [`FragmentKey`] →
/// [`Fragment`].
pub const FRAGMENTS: &str = "FRAGMENTS";

/// Most flows in either table; beyond it those go that were not used for longest.
pub const MAX_FLOWS: u32 = 65_536;
/// Most datagrams whose later fragments are awaited.
pub const MAX_FRAGMENTS: u32 = 4_096;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;
