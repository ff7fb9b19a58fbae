//! The agent: loads the XDP program, attaches it, drains its counters and serves them to Prometheus.
//!
//! Data flows one way: [`cli`] → [`config`] → [`kernel`] → [`counters`] → [`export`]; [`run`] ties them
//! together.

pub mod cli;
pub mod config;
pub mod counters;
pub mod export;
pub mod kernel;
pub mod run;
