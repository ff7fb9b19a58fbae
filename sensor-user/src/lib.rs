//! The agent: loads the XDP program, attaches it, drains its counters and serves them to Prometheus.
//!
//! Data flows one way: [`cli`] → [`config`] → [`kernel`] → [`counters`] → [`export`]; [`run`] ties them
//! together.

pub mod agent;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
pub mod counters;
pub mod doctor;
pub mod export;
pub mod kernel;
pub mod preflight;
pub mod run;
