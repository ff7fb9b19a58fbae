//! `sensor report`: rankings and figures of a fleet for a period, from what Prometheus recorded.

pub mod model;
pub mod service;
