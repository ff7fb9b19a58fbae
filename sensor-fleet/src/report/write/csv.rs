//! Tables for spreadsheets and programs (RFC 4180): plain numbers, points in fractions, days as `2023-10-01`.
//!
//! A spreadsheet takes text that begins like a formula for one, and runs it. Text that comes from elsewhere gets an
//! apostrophe in front of it then, which spreadsheets don't show.

use super::File;
use crate::report::model::{
    Average, Level, Ranked, Report, ShiftKind, Surge, SurgeKind, SurgeOnSensor, TOP_OF_A_SENSOR,
};
use crate::report::words::number;
use crate::vocabulary::names;
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

mod sources;

/// A table under way.
struct Table {
    text: String,
    fields: usize,
}

impl Table {
    fn new(headings: &[&str]) -> Self {
        let mut table = Self { text: String::new(), fields: 0 };
        for heading in headings {
            table.text(heading);
        }
        table.end();
        table
    }

    /// A field that nobody has to be protected from: a number, a day, a port.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and days, as they are written at the call")]
    fn plain(&mut self, value: impl ToString) -> &mut Self {
        if self.fields > 0 {
            self.text.push(',');
        }
        self.fields += 1;
        let value = value.to_string();
        if value.contains([',', '"', '\n', '\r']) {
            self.text.push('"');
            self.text.push_str(&value.replace('"', "\"\""));
            self.text.push('"');
        } else {
            self.text.push_str(&value);
        }
        self
    }

    /// A field that somebody else wrote.
    fn text(&mut self, value: &str) -> &mut Self {
        if value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
            self.plain(format!("'{value}"))
        } else {
            self.plain(value)
        }
    }

    /// A field that may have nothing in it.
    fn maybe(&mut self, value: Option<impl ToString>) -> &mut Self {
        self.plain(value.map(|value| value.to_string()).unwrap_or_default())
    }

    /// A service and what it is called.
    fn service(&mut self, service: &Service) -> &mut Self {
        self.text(&service.to_string()).plain(names::name(service).unwrap_or_default())
    }

    /// Ends the line.
    fn end(&mut self) {
        self.text.push_str("\r\n");
        self.fields = 0;
    }

    fn file(self, name: &'static str) -> File {
        (name, self.text.into_bytes())
    }
}

/// All tables.
pub fn tables(report: &Report) -> Vec<File> {
    let mut tables = vec![
        top(report),
        sensors(report),
        monthly(report),
        surges(report),
        surges_of_one(report),
        shifts(report),
        changes(report),
        coverage(report),
        curves(report),
    ];
    tables.extend(sources::tables(report));
    tables
}

/// A count without separators; `<10` if it is withheld.
fn count(packets: u64, report: &Report) -> String {
    match report.publication {
        Some(publication) if packets < publication.threshold => number::count(packets, Some(publication)),
        _ => packets.to_string(),
    }
}

fn top(report: &Report) -> File {
    let mut table = Table::new(&[
        "rank",
        "service",
        "name",
        "packets",
        "share",
        "previous_rank",
        "previous",
        "sensors",
        "mean_share",
        "mean_share_rank",
        "median_per_day",
    ]);
    for (at, row) in report.top.iter().enumerate() {
        table.plain(row.rank).service(&row.service).plain(count(row.packets, report));
        table.plain(row.share).maybe(row.previous_rank).plain(row.previous.name());
        let of = report.balance.top.get(at);
        table.maybe(of.map(|of| of.sensors)).maybe(of.map(|of| of.mean_share));
        table.maybe(of.map(|of| of.mean_share_rank)).maybe(of.map(|of| of.median_per_day)).end();
    }
    table.file("top.csv")
}

/// In the form of TSUBAME's own table.
fn sensors(report: &Report) -> File {
    let rows = report.sensors.iter();
    let rows = rows.map(|sensor| (sensor.name.as_str(), sensor.region.as_str(), sensor.top.as_slice()));
    sensors_table(rows).file("sensors.csv")
}

/// Sensors with their regions and first services.
fn sensors_table<'a>(rows: impl Iterator<Item = (&'a str, &'a str, &'a [Ranked])>) -> Table {
    let ranks: Vec<String> = (1..=TOP_OF_A_SENSOR).map(|rank| rank.to_string()).collect();
    let headings: Vec<&str> =
        ["sensor", "region"].into_iter().chain(ranks.iter().map(String::as_str)).collect();
    let mut table = Table::new(&headings);
    for (sensor, region, top) in rows {
        table.text(sensor).text(region);
        for at in 0..TOP_OF_A_SENSOR {
            table.text(&top.get(at).map(|row| row.service.to_string()).unwrap_or_default());
        }
        table.end();
    }
    table
}

fn monthly(report: &Report) -> File {
    let mut table =
        Table::new(&["month", "group", "region", "packets", "sensor_days", "packets_per_sensor_day"]);
    for month in &report.monthly {
        let mut row = |group: &str, region: &str, average: &Average| {
            table.plain(&month.month).plain(group).text(region).plain(count(average.packets, report));
            table.plain(average.sensor_days).plain(average.per_sensor_day).end();
        };
        for (group, average) in [("home", &month.home), ("overseas", &month.overseas), ("all", &month.all)] {
            if let Some(average) = average {
                row(group, "", average);
            }
        }
        for (region, average) in &month.regions {
            row("region", region, average);
        }
    }
    table.file("monthly.csv")
}

/// A line for each sensor that saw a surge.
fn surges(report: &Report) -> File {
    let mut table = Table::new(&SURGES);
    for (at, surge) in report.surges.iter().enumerate() {
        for seen in &surge.sensors {
            surge_on(&mut table, report, (at, surge), seen).end();
        }
    }
    table.file("surges.csv")
}

/// Likewise of those that one source or network made, and by whom.
fn surges_of_one(report: &Report) -> File {
    let headings: Vec<&str> =
        SURGES.into_iter().chain(["made_by", "made_share", "made_on_sensors"]).collect();
    let mut table = Table::new(&headings);
    for (at, surge) in report.surges_of_one.iter().enumerate() {
        let one = surge.maker();
        for seen in &surge.sensors {
            surge_on(&mut table, report, (at, surge), seen);
            table.text(one.map_or("", |one| &one.name));
            table.maybe(one.map(|one| one.share)).maybe(one.map(|one| one.sensors)).end();
        }
    }
    table.file("surges-of-one.csv")
}

/// What is told of each sensor that saw a surge.
const SURGES: [&str; 22] = [
    "surge",
    "service",
    "name",
    "kind",
    "from",
    "to",
    "continues",
    "peak",
    "level",
    "verdict",
    "sensors",
    "judged",
    "sensor",
    "region",
    "packets",
    "baseline",
    "p",
    "packets_looked_at",
    "source",
    "source_share",
    "network",
    "network_share",
];

fn surge_on<'t>(
    table: &'t mut Table,
    report: &Report,
    (at, surge): (usize, &Surge),
    seen: &SurgeOnSensor,
) -> &'t mut Table {
    table.plain(at + 1).service(&surge.service).plain(kind(surge.kind));
    table.plain(surge.from).plain(surge.to).plain(surge.continues).plain(surge.peak);
    table.plain(level(surge.level)).plain(surge.verdict).plain(surge.sensors.len()).plain(surge.judged);
    table.text(&seen.sensor).text(&seen.region).plain(count(seen.packets, report));
    table.plain(seen.baseline).plain(format!("{:e}", seen.p));
    let origin = surge.origin.as_ref();
    table.maybe(origin.map(|of| of.packets));
    for most in [origin.and_then(|of| of.source.as_ref()), origin.and_then(|of| of.network.as_ref())] {
        table.text(most.map_or("", |most| &most.name)).maybe(most.map(|most| most.share));
    }
    table
}

/// A line for each shift.
fn shifts(report: &Report) -> File {
    let mut table = Table::new(&[
        "kind",
        "service",
        "name",
        "place",
        "from",
        "to",
        "continues",
        "level",
        "verdict",
        "sensors",
        "now_per_day",
        "before_per_day",
    ]);
    for shift in &report.shifts {
        table.plain(shift_kind(shift.kind));
        match &shift.service {
            Some(service) => table.service(service),
            None => table.plain("").plain(""),
        };
        table.text(&shift.place).plain(shift.from).plain(shift.to).plain(shift.continues);
        table.plain(level(shift.level)).plain(shift.verdict.map_or("", SurgeVerdict::name));
        table.plain(shift.sensors.len()).plain(shift.now).plain(shift.before).end();
    }
    table.file("shifts.csv")
}

const fn kind(kind: SurgeKind) -> &'static str {
    match kind {
        SurgeKind::Surge => "surge",
        SurgeKind::Ramp => "ramp",
    }
}

const fn shift_kind(kind: ShiftKind) -> &'static str {
    match kind {
        ShiftKind::Fall => "fall",
        ShiftKind::Rise => "rise",
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Sensor => "sensor",
        Level::Region => "region",
        Level::Fleet => "fleet",
    }
}

fn changes(report: &Report) -> File {
    let mut table = Table::new(&["change", "service", "name", "now_per_sensor_day", "before_per_sensor_day"]);
    for (change, rows) in [("rose", &report.rose), ("fell", &report.fell), ("new", &report.new)] {
        for row in rows {
            table.plain(change).service(&row.service).plain(row.now).plain(row.before).end();
        }
    }
    table.file("changes.csv")
}

fn coverage(report: &Report) -> File {
    let mut table =
        Table::new(&["sensor", "region", "packets", "observed_days", "coverage", "gaps", "moves"]);
    for sensor in &report.sensors {
        let gaps: Vec<String> = sensor.gaps.iter().map(|gap| format!("{}/{}", gap.from, gap.to)).collect();
        table.text(&sensor.name).text(&sensor.region).plain(count(sensor.packets, report));
        let moves: Vec<String> =
            sensor.moves.iter().map(|it| format!("{} {}/{}", it.day, it.from, it.to)).collect();
        table.plain(sensor.observed_days).plain(sensor.coverage).plain(gaps.join(" "));
        table.text(&moves.join(" ")).end();
    }
    table.file("coverage.csv")
}

/// A line a day, a column a service.
fn curves(report: &Report) -> File {
    let services: Vec<String> = report.curves.iter().map(|curve| curve.service.to_string()).collect();
    let headings: Vec<&str> = std::iter::once("day").chain(services.iter().map(String::as_str)).collect();
    let mut table = Table::new(&headings);
    let days = report.curves.iter().map(|curve| curve.days.len()).max().unwrap_or_default();
    for (at, day) in report.period.from.series(jiff::Span::new().days(1)).take(days).enumerate() {
        table.plain(day);
        for curve in &report.curves {
            table.maybe(curve.days.get(at).copied().flatten());
        }
        table.end();
    }
    table.file("curves.csv")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("japan-1", "japan-1")]
    #[case::comma("a,b", "\"a,b\"")]
    #[case::quote("a\"b", "\"a\"\"b\"")]
    #[case::line("a\nb", "\"a\nb\"")]
    #[case::formula("=cmd()", "'=cmd()")]
    #[case::plus("+1", "'+1")]
    #[case::minus("-1", "'-1")]
    #[case::at("@SUM(A1)", "'@SUM(A1)")]
    #[case::formula_with_comma("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\"")]
    #[case::unicode("東京", "東京")]
    fn text_is_no_formula(#[case] text: &str, #[case] written: &str) {
        let mut table = Table { text: String::new(), fields: 0 };
        table.text(text).plain(-1.5).end();
        assert_eq!(table.text, format!("{written},-1.5\r\n"));
    }
}
