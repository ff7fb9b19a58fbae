//! What looks at many sensors: reports, dashboards, and made-up histories to try them on.
//!
//! It knows sensors by what Prometheus says of them, and by what their agents say and have written; it needs no privileges, and
//! runs anywhere.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "`output` prints")]

pub mod calibrate;
pub mod cli;
pub mod dashboards;
pub mod output;
mod place;
pub mod report;
pub mod simulate;
pub mod simulation;
pub mod sources;
pub mod vocabulary;
