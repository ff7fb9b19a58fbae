//! `sensor-fleet report`: rankings and figures of a fleet for a period, from what Prometheus recorded.
//!
//! Data flows one way: [`request`] → [`period`] → [`client`] → [`history`] → [`tally`] and [`surge`] → [`model`] →
//! [`publish`] → [`mod@write`]. Sensors are read one by one, several at once; what is computed of them does not depend
//! on the order in which they come.

pub mod arguments;
pub mod client;
pub mod expression;
pub mod fleet;
pub mod history;
pub mod model;
pub mod moves;
pub mod notes;
pub mod period;
pub mod publish;
pub mod request;
pub mod surge;
pub mod tally;
pub mod unrecorded;
pub mod write;

#[cfg(test)]
mod fixture;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use self::arguments::ReportArgs;
use self::client::{Client, Server};
use self::history::{EXACT, Reader};
use self::model::{Report, Totals};
use self::period::{Asked, Plan};
use self::surge::{Detector, Settings};
use self::tally::Tally;
use crate::output;
use crate::place::Place;

/// Writes a report, and says where.
///
/// # Errors
/// The period, Prometheus or the directory does not serve; the error says which, and the remedy.
pub fn run(arguments: &ReportArgs) -> Result<()> {
    let ReportArgs { prometheus, token_file, authority, timeout, .. } = arguments;
    let place = Place::try_out(&arguments.output, write::WHAT)?;
    let asked = match (arguments.quarter, arguments.from, arguments.to) {
        (Some(quarter), ..) => Asked::Quarter(quarter),
        (None, from, to) => {
            let (from, to) = from.zip(to).context("pass --quarter, or --from and --to")?;
            Asked::Days { from, to }
        }
    };
    let now = Timestamp::now();
    let baseline = Settings::default().baseline_days;
    let plan = Plan::new(asked, &arguments.time_zone, baseline, now)?;
    let server = Server::new(prometheus, token_file.as_deref(), authority.as_deref(), *timeout)?;
    let client = Client::connect(server)?;
    // The second in progress included, or what was scraped in it would be left out.
    let report = make(&plan, &client, now.as_second() + 1, arguments)?;
    let report = if arguments.publish {
        let aliases = arguments.aliases.as_deref().map(publish::read_aliases).transpose()?;
        publish::publishable(&report, &publish::Options { aliases, ..publish::Options::default() })?
    } else {
        report
    };
    for path in place.write(&write::files(&report)?)? {
        output::say(&path.display().to_string());
    }
    Ok(())
}

/// Reads a fleet's days and makes the report of them.
fn make(plan: &Plan, client: &Client, now: i64, arguments: &ReportArgs) -> Result<Report> {
    let reader = Reader::new(client, &plan.days, now)?;
    let (observers, moved) = reader.observers()?;
    let home = arguments.home.as_deref();
    notes::check_home(home, &observers, &moved)?;
    let mut tally = Tally::new(plan, home, now).with_moved(moved);
    let settings = Settings { false_discovery_rate: arguments.false_discovery_rate, ..Settings::default() };
    let mut detector = Detector::new(settings, tally.period().start, plan.days.dates.clone());
    fleet::read(&reader, &observers, |observer, counts| {
        tally.add(observer, &counts);
        detector.sensor(observer, &counts);
    })?;
    let (surges, method) = detector.finish();
    let (report, coverage) = tally.finish();
    let Totals { packets, previous_packets, .. } = report.totals;
    ensure!(
        packets.max(previous_packets) <= EXACT,
        "the sensors have counted more than 2^53 packets, of which no sum is exact: ask for fewer days"
    );
    let mut notes = notes::notes(plan, &report, coverage);
    notes.extend(reader.unrecorded().note(&arguments.time_zone));
    Ok(Report { surges, method, notes, ..report })
}
