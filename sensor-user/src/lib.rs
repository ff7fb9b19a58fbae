//! The agent: loads the XDP program, attaches it, drains its counters and serves them to Prometheus.
//!
//! Data flows one way: [`cli`] → [`config`] → [`kernel`] → [`counters`] → [`export`]; [`agent`] ties them
//! together, and [`commands`] has an entry for each subcommand.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "`output` prints")]

pub mod agent;
pub mod capabilities;
pub mod cli;
pub mod commands;
pub mod conditions;
pub mod config;
pub mod confine;
pub mod counters;
pub mod country;
pub mod doctor;
pub mod evidence;
pub mod export;
pub mod kernel;
mod key_file;
pub mod lock;
pub mod log;
pub mod manager;
pub mod memory;
pub mod notices;
pub mod obstacle;
pub mod output;
pub mod page;
pub mod preflight;
mod printable;
pub mod repeated;
pub mod socket;
pub mod sources;
pub mod status;
pub mod store;
pub mod top;
pub mod typed;
pub mod view;
pub mod writable;
