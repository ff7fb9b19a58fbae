//! What people read, in its order, before it is HTML or Markdown.

use super::figures::{Figure, Figures};
use super::number::{average, change, count, days, percent, probability, thousands};
use super::summary;
use crate::report::model::{Average, Change, Report, SensorReport, Surge, TOP_OF_A_SENSOR};
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

mod coverage;
mod method;

/// Rows of the table of sensors; a browser takes seconds over many more, and nobody reads them.
const SENSORS: usize = 200;
/// Rows of the table of surges.
const SURGES: usize = 30;
/// Rows of other tables.
const ROWS: usize = 20;

/// A part of the page.
pub enum Block<'a> {
    /// A heading.
    Heading(&'static str),
    /// A paragraph.
    Text(String),
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
    /// Whether services are shown without their names where there is little room.
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
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// The page's title.
pub fn title(report: &Report) -> String {
    format!("Internet threat monitoring: {}", report.period.name)
}

/// All that is on the page below its title.
pub fn blocks<'a>(report: &Report, figures: &'a Figures) -> Vec<Block<'a>> {
    let mut page = vec![Block::Text(period(report)), Block::Summary(summary::sentences(report).join(" "))];
    page.extend(coverage::warning(report).map(Block::Warning));

    page.push(Block::Heading("Top services"));
    page.push(top(report));
    page.push(Block::Figure(&figures.curves));

    page.push(Block::Heading("Top 10 of each sensor"));
    page.extend(sensors(report));

    page.push(Block::Heading("Packets per sensor and day, month by month"));
    page.push(monthly(report));
    page.push(Block::Figure(&figures.monthly));

    page.push(Block::Heading("Surges"));
    page.extend(surges(report));

    page.push(Block::Heading("What rose and fell most"));
    page.extend(changes(report));

    page.push(Block::Heading("New services"));
    page.push(new(report));

    page.push(Block::Heading("Coverage"));
    page.extend(coverage::blocks(report));

    page.push(Block::Heading("Method and notes"));
    page.push(Block::List(method::sentences(report)));
    if !report.notes.is_empty() {
        page.push(Block::List(report.notes.clone()));
    }
    page
}

fn period(report: &Report) -> String {
    let days = days(report.period.from, report.period.to);
    format!("{days}, days of {}. Compared with {}.", report.period.zone, previous(report))
}

/// The previous period by its name and days.
fn previous(report: &Report) -> String {
    format!("{} ({})", report.previous.name, days(report.previous.from, report.previous.to))
}

fn table<const N: usize>(
    caption: impl Into<String>,
    columns: [(&str, bool); N],
    rows: Vec<[Cell; N]>,
) -> Table {
    Table {
        caption: caption.into(),
        columns: columns.map(|(heading, numeric)| Column { heading: heading.to_owned(), numeric }).into(),
        groups: vec![Group { heading: None, rows: rows.into_iter().map(Vec::from).collect() }],
        dense: false,
    }
}

/// A table, or a sentence if it would be empty.
fn or_nothing<'a>(table: Table, nothing: &str) -> Block<'a> {
    if table.groups.iter().all(|group| group.rows.is_empty()) {
        Block::Text(nothing.to_owned())
    } else {
        Block::Table(table)
    }
}

fn top<'a>(report: &Report) -> Block<'a> {
    let rows = report.top.iter().map(|row| {
        [
            row.rank.to_string().into(),
            Cell::Service(row.service.clone()),
            count(row.packets, report.publication).into(),
            percent(row.share).into(),
            match row.previous_rank {
                Some(rank) => rank.to_string().into(),
                None if summary::unknown_before(report) => "–".into(),
                None => format!("outside top {TOP_OF_A_SENSOR}").into(),
            },
        ]
    });
    let caption = format!(
        "The services that got most packets, all sensors together, and their ranks in {}",
        report.previous.name
    );
    let columns =
        [("Rank", true), ("Service", false), ("Packets", true), ("Share", true), ("Previous rank", true)];
    or_nothing(table(caption, columns, rows.collect()), "No packet was counted.")
}

fn sensors<'a>(report: &Report) -> Vec<Block<'a>> {
    let mut columns = vec![Column { heading: "Sensor".to_owned(), numeric: false }];
    columns.extend((1..=TOP_OF_A_SENSOR).map(|rank| Column { heading: format!("#{rank}"), numeric: false }));
    let mut groups: Vec<Group> = Vec::new();
    for sensor in report.sensors.iter().take(SENSORS) {
        let heading = Some(group(report, sensor));
        if groups.last().is_none_or(|group| group.heading != heading) {
            groups.push(Group { heading, rows: Vec::new() });
        }
        let mut row = vec![Cell::from(sensor.name.as_str())];
        row.extend((0..TOP_OF_A_SENSOR).map(|at| match sensor.top.get(at) {
            Some(ranked) => Cell::Service(ranked.service.clone()),
            None => Cell::from(""),
        }));
        if let Some(group) = groups.last_mut() {
            group.rows.push(row);
        }
    }
    let caption = format!("The {TOP_OF_A_SENSOR} services that got most packets at each sensor").to_owned();
    let table = Table { caption, columns, groups, dense: true };
    let mut blocks = vec![or_nothing(table, "No sensor was seen in the period.")];
    blocks.extend(more(report.sensors.len(), SENSORS, "sensors", "sensors.csv"));
    blocks
}

/// Whether a sensor is at home, and its region.
fn group(report: &Report, sensor: &SensorReport) -> String {
    let region = if sensor.region.is_empty() { "no region" } else { &sensor.region };
    match &report.home {
        Some(home) if *home == sensor.region => format!("Home: {region}"),
        Some(_) => format!("Overseas: {region}"),
        None => format!("Region: {region}"),
    }
}

/// Where to find what a table leaves out.
fn more<'a>(there: usize, shown: usize, what: &str, file: &str) -> Option<Block<'a>> {
    let rest = there.checked_sub(shown).filter(|rest| *rest > 0)?;
    Some(Block::Text(format!("{} more {what} are in {file}.", thousands(rest as u64))))
}

fn monthly<'a>(report: &Report) -> Block<'a> {
    let shown =
        |of: &Option<Average>| Cell::from(of.map_or_else(|| "–".to_owned(), |of| average(of.per_sensor_day)));
    let table = if let Some(home) = &report.home {
        let rows = report.monthly.iter().map(|month| {
            let ratio = match (month.home, month.overseas) {
                (Some(home), Some(overseas)) if overseas.per_sensor_day > 0.0 => {
                    format!("{:.2}", home.per_sensor_day / overseas.per_sensor_day)
                }
                _ => "–".to_owned(),
            };
            [
                month.month.as_str().into(),
                shown(&month.home),
                shown(&month.overseas),
                ratio.into(),
                shown(&month.all),
            ]
        });
        let home = format!("Home ({home})");
        let columns =
            [("Month", false), (&home, true), ("Overseas", true), ("Home / overseas", true), ("All", true)];
        table("Packets per sensor and day, over the days that sensors observed", columns, rows.collect())
    } else {
        let rows = report.monthly.iter().map(|month| [month.month.as_str().into(), shown(&month.all)]);
        let caption =
            "Packets per sensor and day, over the days that sensors observed (no home region was named)";
        table(caption, [("Month", false), ("All", true)], rows.collect())
    };
    or_nothing(table, "No sensor observed in any month.")
}

fn surges<'a>(report: &Report) -> Vec<Block<'a>> {
    let rows = report.surges.iter().take(SURGES).map(|surge| surge_row(report, surge));
    let columns = [
        ("Days", false),
        ("Service", false),
        ("SurgeVerdict", false),
        ("Sensors", true),
        ("Packets", true),
        ("Baseline", true),
        ("p", true),
    ];
    let caption = "Traffic well above its baseline, the latest first: on how many of the sensors that could be judged, \
                   with the packets, the baseline and the smallest p of these sensors on the peak day";
    let mut blocks = vec![or_nothing(table(caption, columns, rows.collect()), &no_surges(report))];
    blocks.extend(more(report.surges.len(), SURGES, "surges", "surges.csv"));
    blocks
}

fn no_surges(report: &Report) -> String {
    match report.publication {
        Some(publication) if publication.surges_withheld > 0 => {
            format!("No surge was seen by {} sensors or more.", publication.surge_sensors)
        }
        _ => "None.".to_owned(),
    }
}

fn surge_row(report: &Report, surge: &Surge) -> [Cell; 7] {
    let seen = &surge.sensors;
    let place = match (surge.verdict, seen.first()) {
        (SurgeVerdict::SensorOnly, Some(on)) if !on.sensor.is_empty() => {
            format!("{}: {}", surge.verdict, on.sensor)
        }
        (SurgeVerdict::RegionOnly, Some(on)) if !on.region.is_empty() => {
            format!("{}: {}", surge.verdict, on.region)
        }
        _ => surge.verdict.to_string(),
    };
    [
        days(surge.from, surge.to).into(),
        Cell::Service(surge.service.clone()),
        place.into(),
        format!("{} of {}", thousands(seen.len() as u64), thousands(surge.judged as u64)).into(),
        count(seen.iter().map(|on| on.packets).sum(), report.publication).into(),
        average(seen.iter().map(|on| on.baseline).sum()).into(),
        probability(seen.iter().map(|on| on.p).fold(1.0, f64::min)).into(),
    ]
}

fn changes<'a>(report: &Report) -> Vec<Block<'a>> {
    let table = |what: &str, rows: &[Change]| {
        let rows = rows.iter().take(ROWS).map(|row| {
            // Nothing before means few, in a published report: what is new has a table of its own.
            let change = if row.before > 0.0 { change(row.now, row.before) } else { "–".to_owned() };
            [
                Cell::Service(row.service.clone()),
                average(row.now).into(),
                average(row.before).into(),
                change.into(),
            ]
        });
        let caption = format!("{what}, in packets per sensor and day");
        let before = report.previous.name.as_str();
        let columns =
            [("Service", false), (report.period.name.as_str(), true), (before, true), ("Change", true)];
        table(caption, columns, rows.collect())
    };
    let mut blocks = vec![or_nothing(table("Rose most", &report.rose), "Nothing rose.")];
    blocks.extend(more(report.rose.len(), ROWS, "that rose", "changes.csv"));
    blocks.push(or_nothing(table("Fell most", &report.fell), "Nothing fell."));
    blocks.extend(more(report.fell.len(), ROWS, "that fell", "changes.csv"));
    blocks
}

fn new<'a>(report: &Report) -> Block<'a> {
    let rows =
        report.new.iter().take(ROWS).map(|row| [Cell::Service(row.service.clone()), average(row.now).into()]);
    let rest = report.new.len().saturating_sub(ROWS);
    let rest = if rest > 0 {
        format!("; {} more are in changes.csv", thousands(rest as u64))
    } else {
        String::new()
    };
    let caption = format!("Services of which nothing is recorded in {}{rest}", report.previous.name);
    let columns = [("Service", false), ("Packets per sensor and day", true)];
    or_nothing(table(caption, columns, rows.collect()), "None.")
}
