//! What people read, in its order, before it is HTML or Markdown.

use super::figures::{Figure, Figures};
use crate::report::model::{Average, Report, Surge};
use crate::report::words::caption::{self, Rest};
use crate::report::words::{Form, coverage as said, heading, method, sensors as tops, summary, verdict};
use crate::vocabulary::service::Service;

mod changes;
mod coverage;
mod sensors;
mod shifts;
mod sources;

pub use self::changes::ROWS as CHANGES;

/// Rows of the table of sensors; a browser takes seconds over many more, and nobody reads them.
const SENSORS: usize = 200;
/// Rows of the table of surges.
const SURGES: usize = 30;

/// A part of the page.
pub enum Block<'a> {
    /// A heading.
    Heading(&'static str),
    /// A paragraph.
    Text(String),
    /// A paragraph in small letters.
    Small(String),
    /// What stands first on the page: what matters most.
    Summary(String),
    /// What a reader must not miss.
    Warning(String),
    /// Sentences one below the other.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// A figure.
    Figure(&'a Figure),
}

/// A table.
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Rows under headings of their own; one group without a heading if there is nothing to part.
    pub groups: Vec<Group>,
    /// Whether its columns are many and narrow.
    pub dense: bool,
}

/// A column.
pub struct Column {
    /// Its heading.
    pub heading: String,
    /// Whether it holds numbers.
    pub numeric: bool,
}

/// Rows that belong together.
pub struct Group {
    /// What they have in common.
    pub heading: Option<String>,
    /// The rows, each with as many cells as there are columns; the first cell says what the row is about.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell.
pub enum Cell {
    /// Some text.
    Text(String),
    /// A service, shown with its name.
    Service(Service),
    /// A service without its name; whether it is shaded, as what others don't have.
    Short(Service, bool),
    /// Small bars from day to day; nothing for days of which nothing is known. The first of them is before an event,
    /// which begins at the place given.
    Days(Vec<Option<f64>>, usize),
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// All that is on the page below its title.
pub fn blocks<'a>(report: &Report, figures: &'a Figures) -> Vec<Block<'a>> {
    let form = Form::of(report);
    let mut page =
        vec![Block::Text(heading::period(report)), Block::Summary(form.text(&summary::sentences(report)))];
    page.extend(said::warning(form, report).map(Block::Warning));

    page.push(Block::Heading(heading::sensors(form)));
    page.extend(sensors::blocks(form, report));

    page.push(Block::Heading(heading::monthly(form)));
    page.push(monthly(form, report));
    page.push(Block::Figure(&figures.monthly));

    page.extend(sources::numbers(form, report, figures.sources.as_ref()));

    page.push(Block::Heading(heading::top(form)));
    page.push(top(form, report));
    page.extend(tops::loud(form, report).into_iter().map(Block::Text));
    page.push(Block::Figure(&figures.curves));

    page.extend(sources::origins(form, report));

    page.push(Block::Heading(heading::surges(form)));
    page.extend(surges(form, report));
    page.extend(surges_of_one(form, report));

    page.push(Block::Heading(heading::silent(form)));
    page.extend(shifts::blocks(form, report));
    page.extend(sources::shifts(form, report));

    page.push(Block::Heading(heading::changes(form)));
    page.push(Block::Figure(&figures.changes));
    page.extend(changes::blocks(form, report));

    page.push(Block::Heading(heading::new(form)));
    page.push(changes::new(form, report));

    page.push(Block::Heading(heading::coverage(form)));
    page.extend(coverage::blocks(form, report));

    page.push(Block::Heading(heading::method(form)));
    page.push(Block::List(method::sentences(report)));
    if !report.notes.is_empty() {
        page.push(Block::List(report.notes.clone()));
    }
    number(form, &mut page);
    page
}

/// Numbers the tables.
fn number(form: Form, page: &mut [Block<'_>]) {
    let tables = page.iter_mut().filter_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    for (at, table) in tables.enumerate() {
        table.caption = caption::table(form, at + 1, &table.caption);
    }
}

fn table(caption: impl Into<String>, columns: &[(&str, bool)], rows: Vec<Vec<Cell>>) -> Table {
    Table {
        caption: caption.into(),
        columns: columns
            .iter()
            .map(|(heading, numeric)| Column { heading: (*heading).to_owned(), numeric: *numeric })
            .collect(),
        groups: vec![Group { heading: None, rows }],
        dense: false,
    }
}

/// A table, or a sentence if it would be empty.
fn or_nothing<'a>(table: Table, nothing: impl Into<String>) -> Block<'a> {
    if table.groups.iter().all(|group| group.rows.is_empty()) {
        Block::Text(nothing.into())
    } else {
        Block::Table(table)
    }
}

/// Where to find what a table leaves out.
fn more<'a>(form: Form, there: usize, shown: usize, what: Rest, file: &str) -> Option<Block<'a>> {
    let rest = there.checked_sub(shown).filter(|rest| *rest > 0)?;
    Some(Block::Text(caption::more(form, rest, what, file)))
}

fn top<'a>(form: Form, report: &Report) -> Block<'a> {
    let balance = &report.balance.top;
    // Where each service's rank is the same by mean share, it isn't said twice.
    let differs = balance.iter().zip(&report.top).any(|(of, row)| of.mean_share_rank != row.rank);
    let rows = report.top.iter().enumerate().map(|(at, row)| {
        let mut cells: Vec<Cell> = vec![
            row.rank.to_string().into(),
            Cell::Service(row.service.clone()),
            form.count(row.packets).into(),
            form.percent(row.share).into(),
        ];
        if let Some(of) = balance.get(at) {
            cells.push(form.percent(of.mean_share).into());
            if differs {
                cells.push(of.mean_share_rank.to_string().into());
            }
            cells.push(form.average(of.median_per_day).into());
        }
        cells.push(caption::previous_rank(form, report, row).into());
        cells
    });
    let previous = heading::previous_rank(form, report);
    let mut columns = vec![
        (heading::rank(form), true),
        (heading::service(form), false),
        (heading::packets(form), true),
        (heading::share(form), true),
    ];
    if !balance.is_empty() {
        columns.push((heading::mean_share(form), true));
        if differs {
            columns.push((heading::mean_rank(form), true));
        }
        columns.push((heading::median(form), true));
    }
    columns.push((&previous, false));
    or_nothing(table(caption::top(form, report), &columns, rows.collect()), caption::no_packet(form))
}

fn monthly<'a>(form: Form, report: &Report) -> Block<'a> {
    let shown = |of: &Option<Average>| Cell::from(form.maybe(of.map(|of| of.per_sensor_day)));
    let medians = &report.balance.months;
    let overseas = form.overseas();
    let home = report.home.as_deref().map(|home| form.region(home)).filter(|_| report.compares());
    let mut columns = vec![(heading::month(form).to_owned(), false)];
    if let Some(home) = &home {
        columns.extend([
            (home.clone(), true),
            (overseas.to_owned(), true),
            (format!("{home} / {}", form.overseas()), true),
        ]);
    }
    columns.push((heading::all(form).to_owned(), true));
    if !medians.is_empty() {
        let named = [
            home.as_deref().map(|home| [home, overseas]).into_iter().flatten().collect(),
            vec![heading::all(form)],
        ];
        let of: Vec<&str> = named.into_iter().find(|names: &Vec<&str>| !names.is_empty()).unwrap_or_default();
        columns.extend(of.into_iter().map(|name| (heading::median_of(form, name), true)));
    }
    let rows = report.monthly.iter().enumerate().map(|(at, month)| {
        let mut cells = vec![Cell::from(form.month(&month.month))];
        if home.is_some() {
            let ratio = match (month.home, month.overseas) {
                (Some(home), Some(overseas)) if overseas.per_sensor_day > 0.0 => {
                    format!("{:.2}", home.per_sensor_day / overseas.per_sensor_day)
                }
                _ => form.maybe(None),
            };
            cells.extend([shown(&month.home), shown(&month.overseas), ratio.into()]);
        }
        cells.push(shown(&month.all));
        if let Some(of) = medians.get(at) {
            let middle = if home.is_some() { vec![of.home, of.overseas] } else { vec![of.all] };
            cells.extend(middle.into_iter().map(|middle| Cell::from(form.maybe(middle))));
        }
        cells
    });
    let rows = rows.collect();
    let columns: Vec<(&str, bool)> =
        columns.iter().map(|(name, numeric)| (name.as_str(), *numeric)).collect();
    let caption = caption::monthly(form, report.home.is_some());
    or_nothing(table(caption, &columns, rows), caption::no_month(form))
}

fn surges<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let table = surge_table(form, &report.surges, caption::surges);
    let mut blocks = vec![or_nothing(table, verdict::none(form, report))];
    blocks.extend(more(form, report.surges.len(), SURGES, Rest::Surges, "surges.csv"));
    blocks
}

/// Those that one source or network made, if there are any.
fn surges_of_one<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let surges = &report.surges_of_one;
    if surges.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![
        Block::Heading(heading::surges_of_one(form)),
        Block::Table(surge_table(form, surges, caption::surges_of_one)),
    ];
    blocks.extend(more(form, surges.len(), SURGES, Rest::Surges, "surges-of-one.csv"));
    blocks
}

fn surge_table(form: Form, surges: &[Surge], caption: fn(Form, bool) -> String) -> Table {
    let shown = || surges.iter().take(SURGES);
    let around = shown().any(|surge| !surge.days_around().is_empty());
    let origins = shown().any(|surge| surge.origin.is_some());
    let rows = shown().map(|surge| surge_row(form, surge, around, origins));
    let mut columns = vec![
        (heading::days(form), false),
        (heading::service(form), false),
        (heading::verdict(form), false),
        (heading::seen(form), false),
        (heading::times(form), true),
    ];
    if origins {
        columns.push((heading::origin(form), false));
    }
    if around {
        columns.push((heading::around(form), false));
    }
    table(caption(form, around), &columns, rows.collect())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn surge_row(form: Form, surge: &Surge, around: bool, origins: bool) -> Vec<Cell> {
    let packets = surge.sensors.iter().fold(0, |sum: u64, on| sum.saturating_add(on.packets));
    let baseline: f64 = surge.sensors.iter().map(|on| on.baseline).sum();
    let mut row = vec![
        verdict::days(form, surge.from, surge.to, surge.continues).into(),
        Cell::Service(surge.service.clone()),
        verdict::place(form, surge).into(),
        verdict::seen(form, surge).into(),
        form.times(packets as f64, baseline).into(),
    ];
    if origins {
        row.push(verdict::origin(form, surge).into());
    }
    if around {
        row.push(Cell::Days(surge.days_around(), surge.lead));
    }
    row
}

#[cfg(test)]
mod tests;
