//! `sensor report`: rankings and figures of a fleet for a period, from what Prometheus recorded.
//!
//! Data flows one way: [`request`] → [`period`] → [`client`] → [`history`] → [`tally`] and [`surge`] → [`model`] →
//! [`publish`] → [`write`]. Sensors are read one by one, several at once; what is computed of them does not depend
//! on the order in which they come.

pub mod client;
pub mod expression;
pub mod fleet;
pub mod history;
pub mod model;
pub mod names;
pub mod notes;
pub mod period;
pub mod publish;
pub mod request;
pub mod service;
pub mod tally;
pub mod write;

#[cfg(test)]
mod fixture;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::cli;
use client::{Client, Server};
use history::Reader;
use model::{Method, Report};
use period::{Asked, Plan};
use tally::Tally;

/// Days of a baseline.
const BASELINE: usize = 28;

/// Writes a report, and says where.
///
/// # Errors
/// The period, Prometheus or the directory does not serve; the error says which, and the mend.
pub fn run(arguments: &cli::Report) -> Result<()> {
    let cli::Report { prometheus, token_file, authority, timeout, .. } = arguments;
    let asked = match (arguments.quarter, arguments.from, arguments.to) {
        (Some(quarter), ..) => Asked::Quarter(quarter),
        (None, from, to) => {
            let (from, to) = from.zip(to).context("pass --quarter, or --from and --to")?;
            Asked::Days { from, to }
        }
    };
    let now = Timestamp::now();
    let plan = Plan::new(asked, &arguments.time_zone, BASELINE, now)?;
    let server = Server::new(prometheus, token_file.as_deref(), authority.as_deref(), *timeout)?;
    let client = Client::connect(server)?;
    let report = make(&plan, &client, now.as_second(), arguments)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// Reads a fleet's days and makes the report of them.
fn make(plan: &Plan, client: &Client, now: i64, arguments: &cli::Report) -> Result<Report> {
    let reader = Reader::new(client, &plan.days, now);
    let observers = reader.observers()?;
    let home = arguments.home.as_deref();
    notes::check_home(home, &observers)?;
    let mut tally = Tally::new(plan, home, now);
    fleet::read(&reader, &observers, |observer, counts| tally.add(observer, &counts))?;
    let tallied = tally.finish();
    let notes = notes::notes(plan, &tallied);
    Ok(Report {
        period: plan.period.clone(),
        previous: plan.previous.clone(),
        home: arguments.home.clone(),
        totals: tallied.totals,
        top: tallied.top,
        curves: tallied.curves,
        sensors: tallied.sensors,
        monthly: tallied.monthly,
        rose: tallied.rose,
        fell: tallied.fell,
        new: tallied.new,
        surges: Vec::new(),
        method: Method::default(),
        notes,
        publication: None,
    })
}
