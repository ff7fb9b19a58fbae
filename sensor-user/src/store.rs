//! The store: what was seen, kept where an analyst can ask: a database of SQLite, and a file for each full hour.
//!
//! Observations are summed up in bounded memory and written once a minute, in one transaction, on a thread of its own.
//! Nobody waits for it: what it cannot take is counted, and counting itself goes on whatever becomes of it.

mod age;
mod bounded;
mod counting;
mod database;
mod event;
mod feed;
mod flow;
mod forget;
mod gather;
mod hourly;
mod keeper;
mod notice;
mod notices;
mod place;
mod read;
mod schema;
mod stats;
mod trouble;
mod window;
mod write;

#[cfg(test)]
mod tests;

pub use self::database::Database;
pub use self::event::{Event, EventKind};
pub use self::feed::Feed;
pub use self::gather::MOST_FLOWS;
pub use self::keeper::{Keeper, Schedule};
pub use self::notice::{About, Attack, NoticeKey, Noticed, Sample};
pub use self::place::{DATABASE, bytes_in};
pub(crate) use self::read::Heaviest;
pub use self::read::{
    Ask, AskCounted, AskNoticed, Basis, Counted, FlowRow, Flowed, HourRow, Kept, NoticeRow, NoticedOver,
    Reader, SourceRow, Step, TopSources, What,
};
pub use self::stats::{Refused, Stats};
#[cfg(test)]
pub(crate) use self::tests::observation;
pub use self::window::Window;
