//! What is known of sources: how many, from where, by what.

use super::sensors::{self, Row};
use super::{Block, Cell, Figure, more, or_nothing, table};
use crate::report::model::{CountryMonths, Mean, MeanMonth, RankedOrigin, Report};
use crate::report::words::caption::Rest;
use crate::report::words::{Form, caption, heading, sources as said, verdict};

/// Rows of the table of what rose and fell; all are in the files.
const ROWS: usize = 30;

/// How many sources there were, by month and by service.
pub(super) fn numbers<'a>(form: Form, report: &Report, figure: Option<&'a Figure>) -> Vec<Block<'a>> {
    let sources = &report.sources;
    let mut blocks = vec![Block::Heading(heading::sources(form))];
    if !sources.is_told() {
        blocks.push(Block::Text(said::nothing(form).to_owned()));
        return blocks;
    }
    blocks.push(Block::Text(said::basis(form, report)));
    if !sources.monthly.is_empty() {
        blocks.push(monthly(form, report, &sources.monthly, said::monthly(form)));
    }
    blocks.extend(figure.map(Block::Figure));
    if !sources.services.is_empty() {
        blocks.push(services(form, report));
    }
    blocks
}

/// From where, and by what.
pub(super) fn origins<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let sources = &report.sources;
    let told = sources.told;
    let mut blocks = Vec::new();
    if told.countries > 0 {
        blocks.push(Block::Heading(heading::countries(form)));
        let rows = sources.countries.iter().map(|row| {
            let mut cells = named(form, row, form.country(&row.name));
            cells.push(form.maybe(row.sources_per_sensor_day).into());
            cells.push(before(form, report, row));
            cells
        });
        let previous = heading::previous_rank(form, report);
        let columns = [
            (heading::rank(form), true),
            (heading::country(form), false),
            (heading::packets(form), true),
            (heading::share(form), true),
            (heading::sources_a_day(form), true),
            (previous.as_str(), false),
        ];
        blocks.push(or_nothing(
            table(said::countries(form, report), &columns, rows.collect()),
            said::none(form),
        ));
    }
    if told.systems > 0 {
        let name = |row: &RankedOrigin| match &row.holder {
            Some(holder) => format!("AS{} {holder}", row.name),
            None => format!("AS{}", row.name),
        };
        blocks.push(Block::Heading(heading::systems(form)));
        blocks.push(ranking(
            form,
            report,
            heading::system(form),
            &sources.systems,
            said::systems(form, report),
            name,
        ));
    }
    if told.tools > 0 {
        blocks.push(Block::Heading(heading::tools(form)));
        blocks.push(tools(form, report));
        if !sources.mirai.is_empty() {
            blocks.push(monthly(form, report, &sources.mirai, said::mirai(form)));
        }
        blocks.push(match &sources.mirai_sources[..] {
            [] => Block::Small(said::no_mirai_countries(form).to_owned()),
            rows => mirai_sources(form, rows),
        });
    }
    if let Some(scanners) = &sources.scanners {
        blocks.push(Block::Heading(heading::scanners(form)));
        blocks.push(Block::Text(said::scanners(form, report, scanners)));
        let name = |row: &RankedOrigin| row.name.clone();
        let caption = said::scanners_caption(form).to_owned();
        blocks.push(ranking(form, report, heading::scanner(form), &scanners.top, caption, name));
        if !scanners.without.is_empty() {
            let rows = scanners.without.iter().map(|of| Row {
                name: &of.sensor,
                region: &of.region,
                top: &of.top,
                observed: true,
            });
            blocks.extend(sensors::table(form, report, rows, said::without(form).to_owned(), "without.csv"));
        }
    }
    if !sources.constituencies.is_empty() {
        let name = |row: &RankedOrigin| row.name.clone();
        let caption = said::constituencies(form).to_owned();
        blocks.push(Block::Heading(heading::constituencies(form)));
        blocks.push(ranking(
            form,
            report,
            heading::constituency(form),
            &sources.constituencies,
            caption,
            name,
        ));
    }
    blocks.extend(said::notices(form, report).map(Block::Text));
    if !sources.victims.is_empty() {
        blocks.push(Block::Heading(heading::victims(form)));
        blocks.push(monthly(form, report, &sources.victims, said::victims(form)));
    }
    blocks
}

/// What rose and fell among them.
pub(super) fn shifts<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let sources = &report.sources;
    if sources.told.sources + sources.told.countries == 0 {
        return Vec::new();
    }
    let rows = sources.shifts.iter().take(ROWS).map(|shift| {
        let seen = form.out_of(shift.sensors.len(), shift.judged);
        vec![
            Cell::from(verdict::days(form, shift.from, shift.to, shift.continues)),
            said::shifted(form, shift).into(),
            verdict::name(form, shift.verdict).into(),
            seen.into(),
            form.average(shift.now).into(),
            form.average(shift.before).into(),
            form.change(shift.now, shift.before).into(),
        ]
    });
    let columns = [
        (heading::days(form), false),
        (heading::what(form), false),
        (heading::verdict(form), false),
        (heading::seen(form), false),
        (heading::sources_in_a_day(form), true),
        (heading::before(form), true),
        (heading::change(form), true),
    ];
    let mut blocks = vec![
        Block::Heading(heading::source_shifts(form)),
        or_nothing(table(said::shifts(form), &columns, rows.collect()), caption::nothing(form)),
    ];
    blocks.extend(more(form, sources.shifts.len(), ROWS, Rest::Shifts, "source-shifts.csv"));
    blocks
}

/// Home, overseas and all, month by month.
fn monthly<'a>(form: Form, report: &Report, months: &[MeanMonth], caption: &str) -> Block<'a> {
    let shown = |mean: Option<Mean>| Cell::from(form.maybe(mean.map(|mean| mean.per_sensor_day)));
    let compares = months.iter().any(MeanMonth::compares);
    let home = report.home.as_deref().map(|home| form.region(home)).filter(|_| compares);
    let mut columns = vec![(heading::month(form), false)];
    if let Some(home) = &home {
        columns.extend([(home.as_str(), true), (form.overseas(), true)]);
    }
    columns.push((heading::all(form), true));
    let rows = months.iter().map(|month| {
        let mut cells = vec![Cell::from(form.month(&month.month))];
        if home.is_some() {
            cells.extend([shown(month.home), shown(month.overseas)]);
        }
        cells.push(shown(month.all));
        cells
    });
    or_nothing(table(caption, &columns, rows.collect()), said::none(form))
}

fn services<'a>(form: Form, report: &Report) -> Block<'a> {
    let rows = report.sources.services.iter().map(|row| {
        vec![
            row.rank.to_string().into(),
            Cell::Service(row.service.clone()),
            form.average(row.per_sensor_day).into(),
            row.packets_rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string()).into(),
            caption::rank_before(form, report, row.rank, (row.previous_rank, row.previous)).into(),
        ]
    });
    let previous = heading::previous_rank(form, report);
    let columns = [
        (heading::rank(form), true),
        (heading::service(form), false),
        (heading::sources_a_day(form), true),
        (heading::packets_rank(form), true),
        (previous.as_str(), false),
    ];
    or_nothing(table(said::services(form, report), &columns, rows.collect()), said::none(form))
}

fn tools<'a>(form: Form, report: &Report) -> Block<'a> {
    let rows = report.sources.tools.iter().map(|row| {
        let before = row.previous_share.map_or_else(|| "–".to_owned(), |share| form.percent(share));
        let mut cells = named(form, row, said::tool(form, &row.name));
        cells.remove(0);
        cells.push(before.into());
        cells
    });
    let previous = heading::previous_share(form, report);
    let columns = [
        (heading::tool(form), false),
        (heading::packets(form), true),
        (heading::share(form), true),
        (previous.as_str(), true),
    ];
    or_nothing(table(said::tools(form), &columns, rows.collect()), said::none(form))
}

/// Countries by month.
fn mirai_sources<'a>(form: Form, rows: &[CountryMonths]) -> Block<'a> {
    let months: Vec<String> =
        rows.first().iter().flat_map(|row| &row.months).map(|(month, _)| form.month(month)).collect();
    let mut columns = vec![(heading::country(form), false)];
    columns.extend(months.iter().map(|month| (month.as_str(), true)));
    let rows = rows.iter().map(|row| {
        let values = row.months.iter().map(|(_, value)| Cell::from(form.maybe(*value)));
        std::iter::once(Cell::from(form.country(&row.country))).chain(values).collect()
    });
    Block::Table(table(said::mirai_sources(form), &columns, rows.collect()))
}

/// A ranking by packets, with the ranks of before.
fn ranking<'a>(
    form: Form,
    report: &Report,
    what: &str,
    rows: &[RankedOrigin],
    caption: String,
    name: impl Fn(&RankedOrigin) -> String,
) -> Block<'a> {
    let rows = rows.iter().map(|row| {
        let mut cells = named(form, row, name(row));
        cells.push(before(form, report, row));
        cells
    });
    let previous = heading::previous_rank(form, report);
    let columns = [
        (heading::rank(form), true),
        (what, false),
        (heading::packets(form), true),
        (heading::share(form), true),
        (previous.as_str(), false),
    ];
    or_nothing(table(caption, &columns, rows.collect()), said::none(form))
}

fn named(form: Form, row: &RankedOrigin, name: String) -> Vec<Cell> {
    vec![
        row.rank.to_string().into(),
        name.into(),
        form.count(row.packets).into(),
        form.percent(row.share).into(),
    ]
}

fn before(form: Form, report: &Report, row: &RankedOrigin) -> Cell {
    if row.previous_share.is_none() {
        return "–".into();
    }
    caption::rank_before(form, report, row.rank, (row.previous_rank, row.previous)).into()
}
