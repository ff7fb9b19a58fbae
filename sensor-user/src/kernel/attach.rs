//! What keeps the programs attached to interfaces.

mod deployment;
mod egress;
mod xdp;

pub use deployment::{Attachment, Deployment};
pub use egress::detach as detach_egress;
pub use xdp::{SINGLE_BUFFER_MTU, check_interface};
