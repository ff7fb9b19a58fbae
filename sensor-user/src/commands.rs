//! The subcommands, a file each.

pub mod check;
pub mod confirm;
pub mod detach;
pub mod doctor;
pub mod evidence;
pub mod notices;
pub mod reload;
pub mod run;
pub mod setup;
pub mod sources;
pub mod status;
mod tables;
pub mod top;
