//! All that touches the kernel: loading the programs, attaching them, draining their counters.
//!
//! Each room leans only on those below it: `attach`, `program`, `maps`, `host`, and at the bottom the
//! system call itself. `foreign` stands beside them: it looks at what others have put on an interface.

mod attach;
mod clock;
mod foreign;
mod host;
mod link;
mod maps;
mod program;
mod retry;
mod syscall;

pub use attach::{
    Above, AttachOptions, Deployment, SINGLE_BUFFER_MTU, Standing, Watch, check_interface, check_named_once,
    check_native, detach_egress, rules_in_effect,
};
pub use clock::since_1970;
pub use foreign::{TcProgram, may_list_programs, program_name, tc_programs};
pub use host::{
    AttachedMode, AttachedXdp, Carrier, Channels, Driver, Ethtool, Feature, Framing, HostAddress, Interface,
    LinkEvents, Links, Nature, Socket, Sockets, State, Tunnel, Version, WayOut, XdpFeatures, above_with_xdp,
    check_capabilities, check_kernel, check_privileges, stacked,
};
pub use link::Link;
pub use maps::{
    Cleaned, Confirmation, Counters, DEFAULT_PINS, Guard, KernelSeries, Ledger, Pins, Ring, Root, Shared,
    bpf_mount, check_names, clean, detach_command, detach_command_of, typed_detach,
};
pub use program::{Loaded, OBJECT, Options, RateLimited, Variant, guard_of, is_ours, is_sensors};
