//! What keeps the programs attached to interfaces.

mod above;
mod attachment;
mod deployment;
mod egress;
mod explain;
mod options;
mod reconcile;
mod standing;
mod state;
mod watch;
mod xdp;

pub use above::Above;
pub use deployment::{Deployment, rules_in_effect};
pub use egress::detach as detach_egress;
pub use options::AttachOptions;
pub use reconcile::check_named_once;
pub use standing::Standing;
pub use watch::Watch;
pub use xdp::{SINGLE_BUFFER_MTU, check_interface, check_native};
