//! `sensor-fleet report`: rankings and figures of a fleet for a period, from what Prometheus recorded.
//!
//! Data flows one way: [`request`] → [`period`] → [`client`] → [`history`] → [`tally`], [`spread`], [`known`] and [`surge`],
//! and of its [`origin`] → [`model`] → [`publish`] → [`mod@write`], in [`words`] of its language. Sensors are read one by one, several at once; what is computed of them does not depend
//! on the order in which they come.

pub mod arguments;
pub mod client;
pub mod expression;
pub mod fleet;
pub mod history;
pub mod home;
pub mod known;
pub mod language;
pub mod model;
pub mod moves;
pub mod origin;
pub mod period;
pub mod publish;
pub mod request;
pub mod spread;
pub mod surge;
pub mod tally;
pub mod unrecorded;
pub mod words;
pub mod write;

#[cfg(test)]
mod fixture;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use self::arguments::ReportArgs;
use self::client::{Client, Server};
use self::history::{Counts, EXACT, Observer, Reader};
use self::known::{Caps, Gatherer, Known};
use self::model::{Notices, Report, SourcesReport, Totals};
use self::moves::Moved;
use self::origin::Untold;
use self::period::{Asked, Plan};
use self::publish::Aliases;
use self::spread::Spread;
use self::spread::balance::balance;
use self::surge::{Detector, Findings, Settings};
use self::tally::Tally;
use self::words::note::notes;
use crate::output;
use crate::place::Place;

/// Writes a report, and says where.
///
/// # Errors
/// The period, Prometheus or the directory does not serve; the error says which, and the remedy.
pub fn run(arguments: &ReportArgs) -> Result<()> {
    let ReportArgs { prometheus, token_file, authority, timeout, .. } = arguments;
    let place = Place::try_out(&arguments.output, write::WHAT)?;
    write::has_letters(arguments.language)?;
    let asked = match (arguments.quarter, arguments.from, arguments.to) {
        (Some(quarter), ..) => Asked::Quarter(quarter),
        (None, from, to) => {
            let (from, to) = from.zip(to).context("pass --quarter, or --from and --to")?;
            Asked::Days { from, to }
        }
    };
    let now = Timestamp::now();
    let baseline = Settings::BASELINE_DAYS;
    let plan = Plan::new(asked, &arguments.time_zone, baseline, now)?;
    let aliases = arguments.aliases.as_deref().map(publish::read_aliases).transpose()?;
    let server = Server::new(prometheus, token_file.as_deref(), authority.as_deref(), *timeout)?;
    let client = Client::connect(server)?;
    // The second in progress included, or what was scraped in it would be left out.
    let now = now.as_second() + 1;
    let reader = Reader::new(&client, &plan.days, now)?;
    let (observers, moved) = reader.observers()?;
    home::check(arguments.home.as_deref(), &observers, &moved)?;
    let mut gathering = Gathering::new(&plan, arguments, now, moved);
    fleet::read(&reader, &observers, |observer, counts, known| gathering.add(observer, counts, &known))?;
    let (period, _) = plan.places();
    let mut report = gathering.report(aliases, reader.notices(&period)?)?;
    if report.publication.is_none() && !report.sources.systems.is_empty() {
        report.sources.name_holders(&reader.holders()?);
    }
    report.notes.extend(reader.unrecorded().note(report.language, &arguments.time_zone));
    for path in place.write(&write::files(&report)?)? {
        output::say(&path.display().to_string());
    }
    Ok(())
}

/// What is gathered of sensors, one after the other.
struct Gathering<'a> {
    plan: &'a Plan,
    arguments: &'a ReportArgs,
    tally: Tally<'a>,
    spread: Spread,
    gatherer: Gatherer<'a>,
    detector: Detector,
    /// Of a report to be published, what is judged once all sensors are known.
    waiting: Vec<(Observer, Counts, Known)>,
    caps: Caps,
}

impl<'a> Gathering<'a> {
    fn new(plan: &'a Plan, arguments: &'a ReportArgs, now: i64, moved: Moved) -> Self {
        let spread = Spread::new(plan, arguments.publish).with_moved(moved.clone());
        let home = arguments.home.as_deref();
        let gatherer = Gatherer::new(plan, home, moved.clone());
        let tally = Tally::new(plan, home, now).with_moved(moved);
        let settings =
            Settings { false_discovery_rate: arguments.false_discovery_rate, ..Settings::default() };
        let detector = Detector::new(settings, tally.period().start, plan.days.dates.clone());
        Self {
            plan,
            arguments,
            tally,
            spread,
            gatherer,
            detector,
            waiting: Vec::new(),
            caps: Caps::default(),
        }
    }

    fn add(&mut self, observer: &Observer, counts: Counts, known: &Known) {
        self.gatherer.add(observer, &counts, known);
        self.tally.add(observer, &counts);
        self.spread.add(observer, &counts);
        if self.arguments.publish {
            self.caps.add(known);
            self.waiting.push((observer.clone(), counts, known.clone()));
        } else {
            self.detector.sensor(observer, &counts, known);
        }
    }

    /// The report, for the house or to be published.
    fn report(self, aliases: Option<Aliases>, notices: Notices) -> Result<Report> {
        let Self { plan, arguments, tally, spread, gatherer, mut detector, waiting, caps } = self;
        let sources = gatherer.finish(arguments.publish);
        for (observer, counts, known) in waiting {
            detector.sensor(&observer, &spread.capped(counts), &caps.capped(&known));
        }
        let mut findings = detector.finish();
        let (report, coverage) = tally.finish();
        let untold = origins(plan, arguments, &report, &mut findings)?;
        let Findings { surges, surges_of_one, shifts, sources: source_shifts, method } = findings;
        let sources = SourcesReport { shifts: source_shifts, notices, ..sources };
        let Totals { packets, previous_packets, .. } = report.totals;
        ensure!(
            packets.max(previous_packets) <= EXACT,
            "the sensors have counted more than 2^53 packets, of which no sum is exact: ask for fewer days"
        );
        let balance = balance(&spread, &report.top, &report.monthly, report.home.as_deref());
        let language = arguments.language;
        let mut report =
            Report { language, balance, surges, surges_of_one, shifts, sources, method, ..report };
        report.notes = notes(plan, &report, coverage, arguments.publish);
        report.notes.extend(words::note::untold(language, untold.files));
        if arguments.publish {
            let options = publish::PublishOptions { aliases, ..publish::PublishOptions::default() };
            return publish::publishable(&report, &spread, &options);
        }
        Ok(report)
    }
}

/// Says of surges who made them, if there are files to tell it, and sets those of one source or network apart. Not of what is
/// to be published: which list a surge is in would tell what one sensor got.
fn origins(plan: &Plan, arguments: &ReportArgs, report: &Report, findings: &mut Findings) -> Result<Untold> {
    let Some(folder) = arguments.files.as_deref().filter(|_| !arguments.publish) else {
        return Ok(Untold::default());
    };
    let sensors = report.sensors.iter().map(|sensor| sensor.name.as_str());
    let untold = origin::tell(folder, &plan.days, sensors, &mut findings.surges)?;
    if let Some((file, cause)) = &untold.broken {
        output::complain(&format!("{file} is left out: {cause}; copy it anew from its sensor"));
    }
    findings.set_apart();
    Ok(untold)
}
