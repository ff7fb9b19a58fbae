//! `sensor top`: what there is to see, in a terminal.
//!
//! The agent is asked for its [view](crate::view) again and again. What is drawn is made of what it said, of what was typed and
//! of the screen's size alone, and what a key does is known without a terminal.

pub mod ask;
pub mod draw;
pub mod events;
pub mod facts;
mod fit;
pub mod rows;
pub mod screen;
pub mod state;
pub mod table;
#[cfg(test)]
mod tests;
