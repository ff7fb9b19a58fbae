//! The Unix socket by which the agent is asked: `sensor status`, `sensor reload`, and whoever speaks its protocol.
//!
//! A request is one JSON object on a line, the answer JSON objects, a line each; `docs/socket.md` has them all. A peer
//! is bounded in what it sends, in how long it takes and in how many there are, and delays nothing else of the agent.

mod answer;
mod client;
mod door;
mod group;
mod path;
mod place;
mod question;
mod server;

use std::time::Duration;

pub use self::answer::Answer;
pub use self::client::{Client, Line, Said, detach, reload};
pub use self::door::{Door, PAGE, QUESTIONS};
pub(crate) use self::group::{GROUP, number as group};
pub(crate) use self::path::fnv1a;
pub use self::path::{MAX_PATH, default_page_path, default_path};
pub use self::place::{check, is_listening, obstacle};
pub use self::question::{Detach, LONGEST, Question, VERSION};
pub use self::server::{Change, Changing, Listener, Questions, Visit};

/// How long a peer may take to print what it has claimed, until it says that it is sent.
const CLAIMED: Duration = Duration::from_mins(10);
/// How long a peer may take to ask, to take each piece of the answer, and to ask again.
const PATIENCE: Duration = Duration::from_secs(10);
