//! What the kernel says about the host: its interfaces, NICs, routes, sockets and version. Nothing is changed here.

mod ask;
mod ethtool;
mod netdev;
mod netlink;
mod requirements;
mod routes;
mod sockets;
mod version;

pub use ethtool::{Channels, Driver, Ethtool, Feature};
pub use netdev::XdpFeatures;
pub use netlink::{AttachedMode, AttachedXdp, Framing, Interface, Netlink};
pub use requirements::{check_capabilities, check_kernel};
pub(super) use requirements::{has_multi_buffer, lift_memory_limit};
pub use routes::{HostAddress, Links};
pub use sockets::{Socket, Sockets, State};
pub use version::Version;
