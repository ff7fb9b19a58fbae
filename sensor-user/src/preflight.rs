//! Who would be cut off by attaching, found out before anything is attached.
//!
//! Once attached, a packet to a monitored address passes only if it is link control, if a rule allows it, or
//! if it answers what the host itself began. So a session that somebody else began, and that no rule allows,
//! is about to end: if it may be an administrator's, the agent refuses, and prints the rule to add.

mod facts;
mod finding;
mod judge;
mod login;
mod reach;
mod rule;

#[cfg(test)]
mod tests;

use anyhow::{Result, anyhow};

use crate::config::Config;
use crate::kernel::{AttachOptions, Interface};

pub use self::facts::{Ends, Facts};
pub use self::finding::{Finding, Session, Who};
pub use self::judge::judge;
pub use self::login::{Hidden, Login, Logins};
pub use self::reach::{Dark, Service, is_monitored, lets_in};
pub use self::rule::{Rule, SSH};

/// What is found before attaching: most pressing first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why not to attach.
    pub refusals: Vec<Finding>,
    /// What the operator should know all the same.
    pub warnings: Vec<Finding>,
}

impl Findings {
    /// Whether to go ahead.
    ///
    /// # Errors
    /// There is a refusal: the error is for the operator, and ends with the rule to add, on lines of its own.
    pub fn allow(&self) -> Result<()> {
        self.refusals.first().map_or(Ok(()), |refusal| Err(anyhow!("{}", refusal.refusal())))
    }

    /// Logs the warnings, if there is no refusal.
    ///
    /// # Errors
    /// As [`Findings::allow`].
    pub fn enforce(&self) -> Result<()> {
        self.allow()?;
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
        Ok(())
    }
}

/// Whether `config` may be put into effect on the interfaces. What `running` cuts off, if that is in effect already,
/// is not laid to it. Nothing is refused under `--observe`, which drops nothing; with `--i-have-console-access` or
/// `--confirm-within` a refusal is only a warning.
///
/// # Errors
/// The kernel does not answer.
pub fn check(
    config: &Config,
    options: &AttachOptions,
    running: Option<&Config>,
    interfaces: &[Interface],
) -> Result<Findings> {
    let facts = Facts::gather(config, interfaces)?;
    Ok(judge(config, options, running, &facts))
}
