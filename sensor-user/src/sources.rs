//! Sources: who sends what is counted, as far as evidence tells.
//!
//! Records that the kernel hands over as evidence become observations, on a thread of its own, in bounded memory. What
//! it has no time for is missed, and counted; behind it nothing waits. Without evidence none of it runs.

mod account;
pub mod answer;
mod ask;
mod clock;
mod counted;
mod distinct;
mod doing;
mod feed;
mod files;
mod labels;
mod lists;
mod memory;
mod observation;
mod over;
mod pair;
mod reader;
mod register;
mod restore;
mod scans;
mod seen;
mod sketch;
mod source;
mod told;
mod totals;
mod tuple;
mod victims;
mod window;

pub use self::ask::{Ask, AskCounts, AskEvents, AskSource, By, DEFAULT_LIMIT, MAX_LIMIT, Protocol};
pub use self::distinct::Count;
pub use self::feed::{Feed, Observer, Sink};
pub use self::files::file_troubles;
pub use self::lists::{Country, CountryError, ListStatus, Resolver, System};
pub use self::observation::{Observation, Position, Reply};
pub use self::register::Register;
pub use self::scans::{Definition, Scan};
pub use self::sketch::SketchParts;
pub use self::source::{Source, SourceError};
pub use self::told::{Labelled, Told, WindowTold};
pub use self::tuple::{OptionKinds, Tuple};
pub use self::victims::Victim;
pub use self::window::Span;
