//! All that touches the kernel: loading the program, attaching it, draining its counters.

mod attach;
mod drain;
mod host;
mod load;
mod log;
mod management;
mod monitored;
mod netlink;
mod routes;

pub use attach::{Attached, AttachedMode, attach};
pub use drain::Counters;
pub use host::{check_capabilities, check_kernel};
pub use load::{Loaded, Options, Variant};
pub use log::RateLimited;
pub use netlink::{AttachedXdp, Framing, Interface, Netlink};
pub use routes::below_default_routes;
