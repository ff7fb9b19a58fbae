//! Sources: who sends what is counted, as far as evidence tells.
//!
//! Records that the kernel hands over as evidence become observations, on a thread of its own, in bounded memory. What
//! it has no time for is missed, and counted; behind it nothing waits. Without evidence none of it runs.

mod feed;
mod observation;
mod reader;
mod source;
mod tuple;

pub use self::feed::{Feed, Observer, Sink};
pub use self::observation::{Observation, Reply};
pub use self::source::{Source, SourceError};
pub use self::tuple::{OptionKinds, Tuple};
