//! What of a report may leave the house.
//!
//! A monitored address is worth as much as it is unknown. Who sends packets that nobody else sends to many addresses,
//! and then finds them in a report, knows which of these addresses have a sensor. So a published report says only what
//! three sensors saw. Of each number, the two sensors with most count for no more than the third: what one or two alone
//! got moves nothing, and what they alone saw is not there.
//!
//! | in a report for the house | published |
//! | --- | --- |
//! | a sensor's name | an alias: the region and a letter, or what a file of aliases says |
//! | the order of sensors | by home, region and alias: it tells nothing of the names |
//! | regions, the period and its time zone | as they are |
//! | counts, ranks, curves, months, shares | of services that three sensors saw, each counting for no more than the third |
//! | numbers of sources and victims, packets by country, autonomous system, tool and known scanner | likewise: no sensor counts for more than the third |
//! | averages of sources, of Mirai and of victims | of home and overseas only if both have three sensors |
//! | constituencies | withheld: their names tell whose they are |
//! | tops without known scanners | withheld: beside the tops they would tell a part of a sensor's packets |
//! | packets to ports without a series of their own | in no sum: nobody knows how many sensors saw the port |
//! | the top 10 of a sensor | of services that three sensors have in theirs |
//! | averages of a region | withheld if fewer than three sensors are in it, and of another if the rest would tell them |
//! | counts below a threshold (10) | withheld: shown as `<10`, or without the row |
//! | other counts, averages and parts | rounded to a few digits (3), in sentences too |
//! | what rose, fell and is new | the first 10 of each |
//! | a sensor's coverage | in whole percent |
//! | the days of its gaps | withheld: an outage that others saw too would tell whose it was |
//! | the judgement of surges and falls | of days of services, each sensor counting for no more than the third of the day |
//! | when it moved to another region | withheld likewise |
//! | a surge or a fall of a service, a rise or a fall of a country's sources | withheld if fewer than three sensors saw it |
//! | who made a surge | withheld, and what one source made is among the surges: who sends to one sensor could decide it |
//! | the sensors that saw it | their regions, where three saw it, and coarse numbers, without aliases |
//! | a sensor that fell or rose as a whole | withheld; a region if it has fewer than three sensors |
//! | how many rows are withheld | not said: one more would tell that a probe had arrived |
//! | notes | those without such numbers, since none names a sensor |
//!
//! What this cannot hold back: who sends much to one address, to a port that is in the top 10 of three sensors anyway,
//! can move that port in that sensor's row; and who sends much from a country, or with a tool, that three sensors have
//! anyway, can move that sum, but from one of the two sensors that have most of it. Publish long periods, and late.
//!
//! Letters are given out in the order of a hash of the names, so that they don't follow the alphabet. The same fleet
//! gets the same aliases each time; when a sensor comes or goes, the others' letters may move. A file of aliases keeps
//! them for good, and keeps those who can guess the names from computing the letters.

mod aliases;
mod backed;
mod coarse;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

pub use self::aliases::{Aliases, read_aliases};
use self::coarse::Coarse;
use super::model::{Change, Level, Publication, Report, SensorReport, Shift, Surge, SurgeOnSensor};
use super::spread::{SENSORS, Spread};
use super::words;

/// Rows of each list of changes that are published. In longer ones, who sends a few packets to a port that nobody else
/// sends to would find it.
const CHANGES: usize = 10;

/// What is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// Counts below this are.
    pub threshold: u64,
    /// Significant digits that are left of other numbers: at least 1.
    pub digits: u8,
    /// Aliases; they are made up without.
    pub aliases: Option<Aliases>,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self { threshold: 10, digits: 3, aliases: None }
    }
}

/// The report that may leave the house: see the module's table. `spread` has what the report's sensors had.
///
/// # Errors
/// Fewer than three sensors observed; or the aliases don't fit the sensors: which one, and what to write.
pub fn publishable(report: &Report, spread: &Spread, options: &PublishOptions) -> Result<Report> {
    let observing = report.observing();
    ensure!(
        observing >= SENSORS,
        "only {observing} of the sensors observed, and what fewer than {SENSORS} saw is not published: leave --publish \
         out, or ask for days with more sensors"
    );
    let aliases = match &options.aliases {
        Some(given) => aliases::checked(report, given)?,
        None => aliases::made_up(report),
    };
    let coarse = Coarse { threshold: options.threshold, digits: options.digits.max(1) };
    let mut public = report.clone();
    backed::only(&mut public, spread);

    let days = report.totals;
    public.totals.packets = coarse.count(public.totals.packets);
    public.totals.previous_packets = coarse.count(public.totals.previous_packets);
    public.totals.sensor_days = coarse.number(days.sensor_days);
    public.totals.previous_sensor_days = coarse.number(days.previous_sensor_days);

    // One probe makes one more.
    public.method.tested = 0;
    public.top = coarse.ranking(&public.top);
    coarse.balance(&mut public.balance);
    coarse.sources(&mut public.sources);
    public.curves.retain(|curve| public.top.iter().any(|row| row.service == curve.service));
    #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 sensors")]
    let sensors = observing as f64;
    for value in public.curves.iter_mut().flat_map(|curve| &mut curve.days).flatten() {
        *value = coarse.average(*value, sensors);
    }

    for sensor in &mut public.sensors {
        coarse.sensor(sensor, &aliases, days_of(report));
    }
    let home = report.home.as_deref();
    public.sensors.sort_by(|a, b| {
        let order =
            |sensor: &SensorReport| (home != Some(&sensor.region), sensor.region.clone(), sensor.name.len());
        order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name))
    });

    for month in &mut public.monthly {
        month.home = month.home.and_then(|average| coarse.month(average));
        month.overseas = month.overseas.and_then(|average| coarse.month(average));
        month.all = month.all.and_then(|average| coarse.month(average));
        month.regions = std::mem::take(&mut month.regions)
            .into_iter()
            .filter_map(|(region, average)| Some((region, coarse.month(average)?)))
            .collect();
    }

    for changes in [&mut public.rose, &mut public.fell, &mut public.new] {
        changes.truncate(CHANGES);
        for change in &mut *changes {
            change.now = coarse.average(change.now, days.sensor_days);
            change.before = coarse.average(change.before, days.previous_sensor_days);
        }
        changes.retain(|Change { now, before, .. }| *now > 0.0 || *before > 0.0);
    }

    // Which list a surge is in would tell what one sensor got.
    public.surges.append(&mut public.surges_of_one);
    public.surges.retain(|surge| surge.sensors.len() >= SENSORS);
    for surge in &mut public.surges {
        saw(surge, coarse);
    }
    public.surges.sort_by(Surge::latest_first);
    let sensor = |shift: &Shift| shift.service.is_none() && shift.level == Level::Sensor;
    public.shifts.retain(|shift| shift.sensors.len() >= SENSORS && !sensor(shift));
    for shift in &mut public.shifts {
        shift.sensors.iter_mut().for_each(String::clear);
        shift.now = coarse.average(shift.now, 1.0);
        shift.before = coarse.average(shift.before, 1.0);
    }

    public.sources.shifts.retain(|shift| shift.sensors.len() >= SENSORS);
    for shift in &mut public.sources.shifts {
        shift.sensors.iter_mut().for_each(String::clear);
        shift.now = coarse.average(shift.now, 1.0);
        shift.before = coarse.average(shift.before, 1.0);
    }

    let publication = Publication { threshold: options.threshold, digits: coarse.digits, sensors: SENSORS };
    public.notes.extend(words::publish::notes(report.language, publication, CHANGES));
    public.publication = Some(publication);
    Ok(public)
}

/// Leaves of a surge what three sensors saw.
fn saw(surge: &mut Surge, coarse: Coarse) {
    surge.origin = None;
    // Those with most packets come first.
    let most = surge.sensors.get(SENSORS - 1).map_or(0, |third| third.packets);
    let mut baselines: Vec<f64> = surge.sensors.iter().map(|on| on.baseline).collect();
    baselines.sort_by(|a, b| b.total_cmp(a));
    let baseline = baselines.get(SENSORS - 1).copied().unwrap_or(0.0);
    let mut groups = BTreeMap::<String, BTreeSet<usize>>::new();
    for (place, on) in surge.sensors.iter().enumerate() {
        groups.entry(on.region.clone()).or_default().insert(place);
    }
    let told = backed::told(groups.into_iter().collect(), |_| false);
    let days = surge.sensors.iter().map(|on| on.around.len()).max().unwrap_or_default();
    for day in 0..days {
        let mut most: Vec<u64> =
            surge.sensors.iter().map(|on| on.around.get(day).copied().flatten().unwrap_or(0)).collect();
        most.sort_unstable_by(|a, b| b.cmp(a));
        let cap = most.get(SENSORS - 1).copied().unwrap_or(0);
        for packets in surge.sensors.iter_mut().filter_map(|on| on.around.get_mut(day)?.as_mut()) {
            *packets = (*packets).min(cap);
        }
    }
    for on in &mut surge.sensors {
        on.sensor.clear();
        if !told.contains(&on.region) {
            on.region.clear();
        }
        on.packets = coarse.count(on.packets.min(most));
        on.baseline = coarse.average(on.baseline.min(baseline), 1.0);
        on.p = Coarse { digits: 1, ..coarse }.number(on.p);
    }
    // The order tells nothing that does not stand in the rows.
    surge.sensors.sort_by(|a, b| {
        let order = |on: &SurgeOnSensor| (std::cmp::Reverse(on.packets), on.region.clone());
        order(a).cmp(&order(b)).then(b.baseline.total_cmp(&a.baseline)).then(a.p.total_cmp(&b.p))
    });
}

/// Days of the period.
fn days_of(report: &Report) -> f64 {
    let days = report.period.from.until(report.period.to).map_or(0, |span| span.get_days());
    f64::from(days) + 1.0
}

#[cfg(test)]
mod tests;
