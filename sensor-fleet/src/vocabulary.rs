//! The words that all parts of a fleet share: what the rules record and when, what packets are sent to and how that is
//! called, who saw a surge, and which colour stands for what.
//!
//! The report reads by them, the dashboards show by them, the simulation writes by them, and the tests of
//! `fleet/rules` hold the rules to them. What the agents' metrics are called is the agents' business.

pub mod countries;
pub mod names;
pub mod palette;
pub mod series;
pub mod service;
pub mod verdict;
