//! Whether the programs are attached to an interface, and what is said of it.

use crate::kernel::host::AttachedMode;

/// Whether the programs are attached to an interface, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has looked yet.
    Unknown,
    /// They are.
    Attached(AttachedMode),
    /// There is no such interface.
    Missing,
    /// They are attached to what had the name, and has this one now.
    Renamed(String),
    /// A person detached them, and that is respected until a start or a reload.
    Detached,
    /// What stands in the way, with its remedy.
    Obstacle(String),
}

impl State {
    /// Logs what is so of the interface of this name. `is_held`: the XDP program is thought to be attached.
    pub fn log(&self, name: &str, is_held: bool) {
        match self {
            // Said by who attached.
            Self::Unknown | Self::Attached(_) => {}
            Self::Missing => {
                tracing::warn!("there is no interface {name}: it is attached to when it is there");
            }
            Self::Renamed(new) => {
                tracing::warn!(
                    "interface {name} is called {new} now: the program stays on it; name it so in the configuration"
                );
            }
            Self::Detached => {
                tracing::warn!(
                    "{name} was detached by `sensor detach`: it stays so until a reload or a restart"
                );
            }
            Self::Obstacle(obstacle) if is_held => {
                tracing::error!("cannot tell whether the programs are attached to {name}: {obstacle}");
            }
            Self::Obstacle(obstacle) => {
                tracing::error!("not attached to {name}: {obstacle}; it is tried again");
            }
        }
    }

    /// Why the programs are not attached to the interface of this name; `None` if they are.
    #[must_use]
    pub fn trouble(&self, name: &str) -> Option<String> {
        match self {
            Self::Unknown | Self::Attached(_) => None,
            Self::Missing => Some(format!("there is no interface {name}: `ip link` shows those there are")),
            Self::Renamed(new) => Some(format!(
                "interface {name} is called {new} now, where the program still is: name it so in the configuration"
            )),
            Self::Detached => Some(format!(
                "{name} was detached by `sensor detach`: a reload or a restart attaches to it again"
            )),
            Self::Obstacle(obstacle) => Some(obstacle.clone()),
        }
    }
}
