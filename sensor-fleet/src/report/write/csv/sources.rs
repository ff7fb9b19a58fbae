//! Tables of what is known of sources.

use super::{File, Table, count, level, sensors_table, shift_kind};
use crate::report::model::{Mean, MeanMonth, RankedOrigin, Report};

/// All of them; each is there, if only with its headings.
pub(super) fn tables(report: &Report) -> Vec<File> {
    vec![
        monthly(report),
        services(report),
        origins(report),
        notices(report),
        mirai(report),
        without(report),
        shifts(report),
    ]
}

/// Distinct sources, Mirai's packets and victims per sensor and day, by month.
fn monthly(report: &Report) -> File {
    let mut table = Table::new(&["what", "month", "group", "sum", "sensor_days", "per_sensor_day"]);
    let sources = &report.sources;
    let all: [(&str, &[MeanMonth]); 3] =
        [("sources", &sources.monthly), ("mirai_packets", &sources.mirai), ("victims", &sources.victims)];
    for (what, months) in all {
        for month in months {
            let groups = [("home", month.home), ("overseas", month.overseas), ("all", month.all)];
            for (group, mean) in groups {
                let Some(Mean { sum, sensor_days, per_sensor_day }) = mean else { continue };
                table.plain(what).plain(&month.month).plain(group).plain(count(sum, report));
                table.plain(sensor_days).plain(per_sensor_day).end();
            }
        }
    }
    table.file("sources-monthly.csv")
}

fn services(report: &Report) -> File {
    let headings =
        ["rank", "service", "name", "sources_per_sensor_day", "packets_rank", "previous_rank", "previous"];
    let mut table = Table::new(&headings);
    for row in &report.sources.services {
        table.plain(row.rank).service(&row.service).plain(row.per_sensor_day).maybe(row.packets_rank);
        table.maybe(row.previous_rank).plain(row.previous.name()).end();
    }
    table.file("sources-services.csv")
}

/// By country, autonomous system, tool, known scanner and constituency.
fn origins(report: &Report) -> File {
    let mut table = Table::new(&[
        "by",
        "rank",
        "name",
        "packets",
        "share",
        "previous_share",
        "sources_per_sensor_day",
        "previous_rank",
        "previous",
        "holder",
    ]);
    let sources = &report.sources;
    let scanners = sources.scanners.as_ref().map_or(&[][..], |scanners| &scanners.top);
    let all: [(&str, &[RankedOrigin]); 5] = [
        ("country", &sources.countries),
        ("as", &sources.systems),
        ("tool", &sources.tools),
        ("scanner", scanners),
        ("constituency", &sources.constituencies),
    ];
    for (by, rows) in all {
        for row in rows {
            table.plain(by).plain(row.rank).text(&row.name).plain(count(row.packets, report));
            table.plain(row.share).maybe(row.previous_share).maybe(row.sources_per_sensor_day);
            table.maybe(row.previous_rank).plain(row.previous.name());
            table.text(row.holder.as_deref().unwrap_or_default()).end();
        }
    }
    table.file("origins.csv")
}

/// Notices, by constituency.
fn notices(report: &Report) -> File {
    let mut table = Table::new(&["constituency", "notices"]);
    for (constituency, notices) in &report.sources.notices.constituencies {
        table.text(constituency).plain(*notices).end();
    }
    table.file("notices.csv")
}

/// Sources with Mirai's mark per sensor and day, by country and month.
fn mirai(report: &Report) -> File {
    let mut table = Table::new(&["country", "month", "sources_per_sensor_day"]);
    for row in &report.sources.mirai_sources {
        for (month, value) in &row.months {
            table.text(&row.country).plain(month).maybe(*value).end();
        }
    }
    table.file("mirai-sources.csv")
}

/// The tops of sensors without known scanners.
fn without(report: &Report) -> File {
    let tops = report.sources.scanners.iter().flat_map(|scanners| &scanners.without);
    let rows = tops.map(|of| (of.sensor.as_str(), of.region.as_str(), of.top.as_slice()));
    sensors_table(rows).file("without.csv")
}

/// A line for each rise or fall; no country stands for all of them.
fn shifts(report: &Report) -> File {
    let headings = [
        "kind",
        "country",
        "from",
        "to",
        "continues",
        "level",
        "verdict",
        "sensors",
        "judged",
        "now_per_day",
        "before_per_day",
    ];
    let mut table = Table::new(&headings);
    for shift in &report.sources.shifts {
        table.plain(shift_kind(shift.kind)).text(shift.country.as_deref().unwrap_or_default());
        table.plain(shift.from).plain(shift.to).plain(shift.continues).plain(level(shift.level));
        table.plain(shift.verdict).plain(shift.sensors.len()).plain(shift.judged);
        table.plain(shift.now).plain(shift.before).end();
    }
    table.file("source-shifts.csv")
}
