//! What of a report may leave the house.
//!
//! A monitored address is worth as much as it is unknown. Who sends packets that nobody else sends to many addresses,
//! and then finds them in a report, knows which of these addresses have a sensor. So a published report says less.
//!
//! | in a report for the house | published |
//! | --- | --- |
//! | a sensor's name | an alias: the region and a letter, or what a file of aliases says |
//! | the order of sensors | by home, region and alias: it tells nothing of the names |
//! | regions, the period and its time zone | as they are |
//! | counts below a threshold (10) | withheld: shown as `<10`, or without the row |
//! | other counts, averages and parts | rounded to a few digits (3) |
//! | what rose, fell and is new | the first 10 of each |
//! | a sensor's coverage | in whole percent |
//! | the days of its gaps | withheld: an outage that others saw too would tell whose it was |
//! | when it moved to another region | withheld likewise |
//! | a surge that few sensors (fewer than 3) saw | withheld, only how many there were is said |
//! | the sensors that saw another surge | their regions and coarse numbers, without aliases |
//! | notes | as they are, since none names a sensor; what is withheld is said |
//!
//! What this cannot hold back: who sends so much to one address that its port enters a ranking may find it there.
//! Publish long periods, and late.
//!
//! Letters are given out in the order of a hash of the names, so that they don't follow the alphabet. The same fleet
//! gets the same aliases each time; when a sensor comes or goes, the others' letters may move. A file of aliases keeps
//! them for good, and keeps those who can guess the names from computing the letters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::model::{Average, Change, Publication, Ranked, Report, SensorReport, Surge};

/// Rows of each list of changes that are published. In longer ones, who sends a few packets to a port that nobody else
/// sends to would find it.
const CHANGES: usize = 10;

/// What a sensor is called outside, by its name.
pub type Aliases = BTreeMap<String, String>;

/// What is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Counts below this are.
    pub threshold: u64,
    /// Significant digits that are left of other numbers: at least 1.
    pub digits: u8,
    /// Surges that fewer sensors saw are.
    pub surge_sensors: usize,
    /// Aliases; they are made up without.
    pub aliases: Option<Aliases>,
}

impl Default for Options {
    fn default() -> Self {
        Self { threshold: 10, digits: 3, surge_sensors: 3, aliases: None }
    }
}

/// Reads a file of aliases: TOML with a line `"name" = "alias"` for each sensor.
///
/// # Errors
/// If it cannot be read or isn't such a file: where, and what to write.
pub fn read_aliases(path: &Path) -> Result<Aliases> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the aliases in {}: see that the file is there", path.display())
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow::anyhow!(
            "{}:{line}: {}: write a line such as \"japan-1\" = \"japan-A\" for each sensor",
            path.display(),
            error.message()
        )
    })
}

/// The report that may leave the house: see the module's table.
///
/// # Errors
/// If the aliases don't fit the sensors: which one, and what to write.
pub fn publishable(report: &Report, options: &Options) -> Result<Report> {
    let aliases = match &options.aliases {
        Some(given) => checked(report, given)?,
        None => made_up(report),
    };
    let coarse = Coarse { threshold: options.threshold, digits: options.digits.max(1) };
    let mut public = report.clone();

    public.totals.packets = coarse.count(report.totals.packets);
    public.totals.unranked = coarse.count(report.totals.unranked);
    public.totals.previous_packets = coarse.count(report.totals.previous_packets);
    public.totals.sensor_days = coarse.number(report.totals.sensor_days);
    public.totals.previous_sensor_days = coarse.number(report.totals.previous_sensor_days);

    public.top = coarse.ranking(&report.top);
    public.curves.retain(|curve| public.top.iter().any(|row| row.service == curve.service));
    #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 sensors")]
    let sensors = report.observing() as f64;
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
            change.now = coarse.average(change.now, report.totals.sensor_days);
            change.before = coarse.average(change.before, report.totals.previous_sensor_days);
        }
        changes.retain(|Change { now, before, .. }| *now > 0.0 || *before > 0.0);
    }

    public.surges.retain(|surge| surge.sensors.len() >= options.surge_sensors);
    for surge in &mut public.surges {
        coarse.surge(surge);
    }
    public.method.tested = coarse.count(report.method.tested);

    let publication = Publication {
        threshold: options.threshold,
        digits: coarse.digits,
        surge_sensors: options.surge_sensors,
        surges_withheld: report.surges.len() - public.surges.len(),
    };
    public.notes.extend(notes(publication));
    public.publication = Some(publication);
    Ok(public)
}

/// What a reader of a published report must know.
fn notes(publication: Publication) -> Vec<String> {
    let Publication { threshold, digits, surge_sensors, surges_withheld } = publication;
    let mut notes = vec![
        "Sensors have aliases, and their order tells nothing.".to_owned(),
        format!(
            "Counts below {threshold} are withheld; other numbers are rounded to {digits} significant digits, so sums \
             may differ from their parts."
        ),
        "When sensors did not observe is withheld; how much they observed is given in whole percent."
            .to_owned(),
        format!("Of what rose, fell and is new, the first {CHANGES} each are given at most."),
    ];
    if surges_withheld > 0 {
        notes.push(format!(
            "Surges that fewer than {surge_sensors} sensors saw are withheld: {surges_withheld}."
        ));
    }
    notes
}

/// Days of the period.
fn days_of(report: &Report) -> f64 {
    let days = report.period.from.until(report.period.to).map_or(0, |span| span.get_days());
    f64::from(days) + 1.0
}

/// Makes numbers coarse.
#[derive(Clone, Copy)]
struct Coarse {
    threshold: u64,
    digits: u8,
}

impl Coarse {
    /// 0 below the threshold.
    fn count(self, packets: u64) -> u64 {
        if packets < self.threshold {
            return 0;
        }
        let length = packets.ilog10() + 1;
        let unit = 10_u64.pow(length.saturating_sub(u32::from(self.digits)));
        let low = packets - packets % unit;
        // Up only where it fits: the largest numbers stay below 2^64.
        if packets - low >= unit.div_ceil(2) { low.checked_add(unit).unwrap_or(low) } else { low }
    }

    fn number(self, number: f64) -> f64 {
        let digits = usize::from(self.digits) - 1;
        // Through text, which rounds the decimal digits that are shown.
        format!("{number:.digits$e}").parse().unwrap_or(number)
    }

    /// An average over some days; 0 if the count it comes from is below the threshold.
    fn average(self, average: f64, days: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a threshold is small")]
        let threshold = self.threshold as f64;
        if average * days + 1e-6 < threshold { 0.0 } else { self.number(average) }
    }

    fn month(self, average: Average) -> Option<Average> {
        (average.packets >= self.threshold).then(|| Average {
            packets: self.count(average.packets),
            sensor_days: self.number(average.sensor_days),
            per_sensor_day: self.number(average.per_sensor_day),
        })
    }

    fn ranking(self, rows: &[Ranked]) -> Vec<Ranked> {
        let rows = rows.iter().filter(|row| row.packets >= self.threshold);
        rows.map(|row| Ranked {
            packets: self.count(row.packets),
            share: self.number(row.share),
            ..row.clone()
        })
        .collect()
    }

    fn sensor(self, sensor: &mut SensorReport, aliases: &Aliases, days: f64) {
        // Without an alias there is no name at all: better nameless than named.
        sensor.name = aliases.get(&sensor.name).cloned().unwrap_or_default();
        sensor.packets = self.count(sensor.packets);
        sensor.top = self.ranking(&sensor.top);
        sensor.coverage = (sensor.coverage * 100.0).round() / 100.0;
        sensor.observed_days = (sensor.coverage * days).round();
        sensor.gaps.clear();
        sensor.moves.clear();
    }

    fn surge(self, surge: &mut Surge) {
        for on in &mut surge.sensors {
            on.sensor.clear();
            on.packets = self.count(on.packets);
            on.baseline = self.average(on.baseline, 1.0);
            on.p = Self { digits: 1, ..self }.number(on.p);
        }
    }
}

/// The names of all sensors that the report tells of.
fn names(report: &Report) -> BTreeSet<&str> {
    let surges = report.surges.iter().flat_map(|surge| &surge.sensors);
    report
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .chain(surges.map(|on| on.sensor.as_str()))
        .collect()
}

/// Aliases from a file, if there is one for each sensor and none tells a name.
fn checked(report: &Report, given: &Aliases) -> Result<Aliases> {
    let names = names(report);
    let lacking: Vec<&str> = report
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .filter(|name| !given.contains_key(*name))
        .collect();
    if let Some(first) = lacking.first() {
        let more = match lacking.len() - 1 {
            0 => String::new(),
            more => format!(", nor have {more} more"),
        };
        bail!(
            "the sensor \"{first}\" has no alias{more}: add a line \"{first}\" = \"…\" to the file of aliases"
        );
    }
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, alias) in given {
        if alias.trim().is_empty() {
            bail!("the alias of \"{name}\" is empty: write one");
        }
        if names.contains(alias.as_str()) {
            bail!("the alias of \"{name}\", \"{alias}\", is the name of a sensor: choose another");
        }
        if let Some(other) = taken.insert(alias, name) {
            bail!(
                "\"{other}\" and \"{name}\" have the same alias, \"{alias}\": choose another for one of them"
            );
        }
    }
    Ok(given.clone())
}

/// Aliases by region, in an order that looks random and is always the same.
fn made_up(report: &Report) -> Aliases {
    let names = names(report);
    let mut regions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for sensor in &report.sensors {
        regions.entry(&sensor.region).or_default().push(&sensor.name);
    }
    let mut aliases = Aliases::new();
    for (region, mut members) in regions {
        members.sort_by_key(|name| (hash(name), *name));
        let prefix = if region.is_empty() { "sensor" } else { region };
        let free = (0_usize..)
            .map(|at| format!("{prefix}-{}", letters(at)))
            .filter(|alias| !names.contains(alias.as_str()));
        aliases.extend(members.into_iter().map(str::to_owned).zip(free));
    }
    aliases
}

/// `A` to `Z`, then `AA`, `AB` and so on.
fn letters(mut at: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[at % 26]));
        at /= 26;
        if at == 0 {
            return letters.into_iter().rev().collect();
        }
        at -= 1;
    }
}

/// FNV-1a, stirred once more as in `SplitMix64`, since names that differ in their last letter stay close otherwise.
fn hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;
