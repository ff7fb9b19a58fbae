//! Notices: what is to be told to whoever is responsible for an address of a constituency, one a day.
//!
//! Packets from constituencies, and victims that lie in one, are summed up in bounded memory and go to the store; what is
//! told is read from there. The sensor's own address leaves only where somebody asks for it.

mod book;
mod conceal;
mod event;
mod gather;
mod log;
mod members;

pub mod intelmq;
pub mod shadowserver;
pub mod template;
pub mod text;

pub use self::book::{AskNotices, Book, Chunk, Claim};
pub use self::conceal::conceal;
pub use self::event::{Event, Head, Line, Over, Packet};
pub use self::log::{Logger, Stats as LogStats, obstacle};

#[cfg(test)]
mod tests;
