//! All that a report says, in each language: words, sentences, and the forms of numbers and days.
//!
//! Nothing that people read is written elsewhere, but the names of services and of files. What programs read, CSV and
//! JSON, is the same in all languages, but for the notes.

pub mod caption;
pub mod coverage;
pub mod date;
pub mod figure;
pub mod form;
pub mod heading;
pub mod method;
pub mod note;
pub mod number;
pub mod publish;
pub mod sensors;
pub mod sources;
pub mod summary;
pub mod verdict;

pub use self::form::Form;
