//! The page: what there is to see of a sensor host, as HTML that a browser shows without anything else.
//!
//! It is made of [facts](crate::view) alone, escaped by its templates, and says nothing that whoever asks may not see. All of
//! it is there without a script; the script only puts in what is new.

pub mod asked;
mod chart;
mod frame;
mod now;
mod port;
mod ranking;
mod who;
mod world;

#[cfg(test)]
mod tests;

pub use self::asked::{Asked, What};
pub use self::frame::{CONTENT_SECURITY_POLICY, ICON, SCRIPT, STYLE, front, port_page};

use maud::Markup;

use crate::view::{View, form};

/// What changes slowly, and is large, comes with one of so many events.
const SLOWLY: u64 = 10;

/// What is new on the first page, as an event for a browser; `number` counts them.
#[must_use]
pub fn news(view: &View, asked: &Asked, number: u64) -> String {
    let is_due = |id: &str| id != "who" || number.is_multiple_of(SLOWLY);
    let parts = parts(view, asked).into_iter().filter(|(id, _)| is_due(id));
    let html: String = parts.map(|(_, markup)| markup.into_string()).collect();
    let mut event = "event: parts\n".to_owned();
    for line in html.lines() {
        event += "data: ";
        event += line;
        event.push('\n');
    }
    event + "\n"
}

/// The parts that change, each with the identifier of the element that it is.
#[must_use]
pub fn parts(view: &View, asked: &Asked) -> Vec<(&'static str, Markup)> {
    vec![
        ("health", now::health(view)),
        ("now", now::now(view, asked)),
        ("last", now::last(view)),
        ("ranking", ranking::ranking(view, asked)),
        ("made", frame::made(view.snapshot, view.time, Some(&view.agent))),
        ("who", who::who(view, asked)),
    ]
}
