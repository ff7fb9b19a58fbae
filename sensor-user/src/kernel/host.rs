//! What the kernel says about the host: its interfaces, NICs, routes, sockets and version. Nothing is changed here.

mod above;
mod ask;
mod ethtool;
mod events;
mod interface;
mod nature;
mod netdev;
mod programs;
mod requirements;
mod routes;
mod sockets;
mod tunnel;
mod version;

pub use above::{above_with_xdp, stacked};
pub(super) use ask::ask;
pub use ethtool::{Channels, Driver, Ethtool, Feature};
pub use events::LinkEvents;
pub use interface::{AttachedMode, AttachedXdp, Framing, Interface};
pub use nature::Nature;
pub use netdev::XdpFeatures;
pub(super) use programs::loaded_programs;
pub use requirements::{check_capabilities, check_kernel, check_privileges};
pub(super) use requirements::{has_multi_buffer, lift_memory_limit};
pub use routes::{HostAddress, Links, WayOut};
pub use sockets::{Socket, Sockets, State};
pub use tunnel::{Carrier, Tunnel};
pub use version::Version;
