//! Which sources sent most, of however many: in memory that does not grow with them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rusqlite::{Connection, ToSql, params_from_iter};

use super::super::flow::{self, count, time_of};
use super::Ask;
use super::source::{SourceRow, conditions, parameters};
use crate::sources::Source;

/// Rows that are put in order at once, at most, where sources are evenly spread: some 64 MiB.
const AT_ONCE: i64 = 1 << 20;

/// Those that sent most of all that are pushed.
#[derive(Debug)]
pub(crate) struct Heaviest {
    most: usize,
    /// The lightest on top; of those that sent as much the lower address stays.
    heap: BinaryHeap<Place>,
}

/// A source by its place among all: the heaviest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place(SourceRow);

impl Place {
    fn key(&self) -> (Reverse<u64>, Source) {
        (Reverse(self.0.packets), self.0.source)
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Heaviest {
    /// So many at most.
    pub(crate) const fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    pub(crate) fn push(&mut self, row: SourceRow) {
        let place = Place(row);
        if self.heap.len() < self.most || self.heap.peek().is_some_and(|lightest| place < *lightest) {
            self.heap.push(place);
            if self.heap.len() > self.most {
                self.heap.pop();
            }
        }
    }

    /// The heaviest first.
    pub(crate) fn rows(self) -> Vec<SourceRow> {
        self.heap.into_sorted_vec().into_iter().map(|Place(row)| row).collect()
    }
}

/// The heaviest sources, how many there are in all and how many packets they sent.
pub(super) fn heaviest(connection: &Connection, ask: &Ask) -> rusqlite::Result<(Vec<SourceRow>, u64, u64)> {
    let mut heaviest = Heaviest::new(ask.most());
    let (mut found, mut packets) = (0, 0);
    each_source(connection, ask, |row| {
        found += 1;
        packets += row.packets;
        heaviest.push(row);
    })?;
    Ok((heaviest.rows(), found, packets))
}

/// Gives `visit` each source that sent something of what is asked for, once: IPv4 addresses in their order, and those of IPv6
/// in theirs.
pub(super) fn each_source(
    connection: &Connection,
    ask: &Ask,
    visit: impl FnMut(SourceRow),
) -> rusqlite::Result<()> {
    in_parts(connection, ask, rows(connection, ask)?.div_euclid(AT_ONCE) + 1, visit)
}

/// Rows of flows of those hours and sensors.
fn rows(connection: &Connection, ask: &Ask) -> rusqlite::Result<i64> {
    let (conditions, values) = conditions(connection, &Ask { slot: None, tool: None, ..ask.clone() }, "h")?;
    let query = format!("SELECT coalesce(sum(h.rows), 0) FROM hour AS h WHERE {conditions}");
    connection.query_row(&query, params_from_iter(values), |row| row.get(0))
}

/// Likewise, so many parts of all addresses one after the other: memory is needed for one.
fn in_parts(
    connection: &Connection,
    ask: &Ask,
    parts: i64,
    mut visit: impl FnMut(SourceRow),
) -> rusqlite::Result<()> {
    let (conditions, values) = conditions(connection, ask, "h")?;
    let table = if ask.slot.is_some() { "flow" } else { "seen" };
    let at = values.len();
    let (first, behind) = (at + 1, at + 2);
    let mut query = connection.prepare(&format!(
        "SELECT f.source, sum(f.packets), sum(f.bytes), min(f.hour * 3600000 + f.first), \
             max(f.hour * 3600000 + f.last)
         FROM hour AS h CROSS JOIN {table} AS f ON f.hour = h.hour AND f.sensor = h.sensor
         WHERE {conditions} AND f.source >= ?{first} AND f.source < ?{behind} GROUP BY f.source ORDER BY f.source"
    ))?;
    for (first, behind) in first_bytes(parts) {
        let mut bounds = parameters(&values);
        bounds.extend([Box::new(first) as Box<dyn ToSql>, Box::new(behind)]);
        let mut rows = query.query(params_from_iter(bounds))?;
        while let Some(row) = rows.next()? {
            let Some(source) = flow::source(row.get_ref(0)?.as_blob()?) else { continue };
            visit(SourceRow {
                source,
                packets: count(row.get(1)?),
                bytes: count(row.get(2)?),
                first: time_of(0, row.get(3)?),
                last: time_of(0, row.get(4)?),
            });
        }
    }
    Ok(())
}

/// All sources in so many parts, by their first byte: where each begins, and where the next one does.
fn first_bytes(parts: i64) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).clamp(1, 256);
    // Behind the last one is what is longer than every source.
    let at = move |part: u32| {
        u8::try_from(part * 256 / parts).map_or_else(|_| vec![u8::MAX; 9], |byte| vec![byte])
    };
    (0..parts).map(move |part| (at(part), at(part + 1)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::flow::blob;
    use super::super::super::schema::bring_up_to_date;
    use super::*;

    #[test]
    fn parts_of_all_addresses_give_what_the_whole_gives() {
        let mut connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&mut connection, std::path::Path::new("s.db")).unwrap();
        connection.execute_batch("INSERT INTO hour (hour, sensor, rows, observed, missed, filed) VALUES (494000, 1, 600, 0, 0, 0)").unwrap();
        let mut insert =
            connection.prepare("INSERT INTO seen VALUES (494000, 1, ?1, -1, ?2, 60, 0, 0)").unwrap();
        let (six, last) = (Source::V6(u64::MAX), Source::V4(Ipv4Addr::BROADCAST));
        let sources = (0..512_u32).map(|number| Source::V4(Ipv4Addr::from(number << 23)));
        for (source, packets) in sources.chain([six, last]).zip(1_i64..) {
            insert.execute(rusqlite::params![blob(source), packets]).unwrap();
        }
        let hour = time_of(494_000, 0);
        let ask = Ask { most: 3, ..Ask::of(hour, hour + jiff::SignedDuration::from_hours(1)) };
        let all = |parts| {
            let mut all = Vec::new();
            in_parts(&connection, &ask, parts, |row| all.push((row.source, row.packets))).unwrap();
            let of_version =
                |is_v4: bool| all.iter().filter(move |(source, _)| matches!(source, Source::V4(_)) == is_v4);
            assert!(of_version(true).is_sorted() && of_version(false).is_sorted());
            all.sort_unstable();
            all
        };
        let whole = heaviest(&connection, &ask).unwrap();
        let told: Vec<_> = whole.0.iter().map(|row| (row.source, row.packets)).collect();
        let third = Source::V4(Ipv4Addr::from(511 << 23));
        assert_eq!(
            (told, whole.1, whole.2),
            (vec![(last, 514), (six, 513), (third, 512)], 514, (1..=514).sum())
        );
        for parts in [2, 7, 256, 1 << 40] {
            assert_eq!(all(parts), all(1), "{parts}");
        }
    }
}
