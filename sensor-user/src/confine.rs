//! What a running agent gives up by itself, whoever has started it: files that its configuration does not name, by
//! Landlock, and system calls that it does not make, by seccomp.
//!
//! Both hold for the thread that asks for them and for those that it starts, and cannot be taken back: so they are asked for
//! before there are others. Root's agent is left as it is: Landlock keeps a process from looking into those outside
//! of its domain, which root's does at a reload to tell an administrator's session from a stranger's.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod calls;
mod files;
mod needs;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls {
    //! There is no filter for this processor.

    /// Refuses nothing.
    ///
    /// # Errors
    /// Always.
    pub(super) fn restrict() -> anyhow::Result<()> {
        anyhow::bail!("there is no filter for this processor")
    }
}

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use self::needs::{Granted, needs, sockets, usual};
use crate::config::{Config, DEFAULT_STORE_PATH, Input};
use crate::kernel::AttachOptions;
use crate::status::ConfinementStatus;

pub use self::files::{Landlock, landlock};

/// Whether a filter of system calls can be had on this processor.
pub const HAS_FILTER: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

const NO_LANDLOCK: &str = "it may open what its user may, since the kernel has no Landlock: Linux 5.13 or newer has it, \
                           unless `lsm=` on its command line or SystemCallFilter= in the unit leaves it out";

/// Whether this process keeps to the files that it named when it started.
static KEEPS_TO_FILES: AtomicBool = AtomicBool::new(false);

/// How the agent of this process is confined.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    /// What it may read and write; `None` if all that its user may.
    granted: Option<Granted>,
    status: ConfinementStatus,
    /// What of it could not be had, and why.
    lacks: Vec<String>,
    is_root: bool,
}

impl Confinement {
    /// Confines this process, which must have no other thread yet, to what an agent with this configuration does. What
    /// the kernel does not have is left out.
    #[must_use]
    pub fn begin(config: &Config, input: &Input, options: &AttachOptions) -> Self {
        // SAFETY: geteuid takes no arguments, touches no memory and always succeeds.
        if unsafe { libc::geteuid() } == 0 {
            return Self { is_root: true, ..Self::default() };
        }
        let needs = needs(config, input, options).into_iter().chain(sockets(config, options));
        let needs = needs.chain(usual(DEFAULT_STORE_PATH.as_ref())).collect();
        let (granted, mut lacks) = (Granted::of(needs), Vec::new());
        let landlock = files::restrict(&granted, config.listen.port()).unwrap_or_else(|error| {
            lacks.push(format!("Landlock refuses: {error}"));
            None
        });
        if landlock.is_none() && lacks.is_empty() {
            lacks.push(NO_LANDLOCK.to_owned());
        }
        let refused = calls::restrict();
        if let Err(error) = &refused {
            lacks.push(format!("seccomp refuses no system calls: {error:#}"));
        }
        KEEPS_TO_FILES.store(landlock.is_some(), Ordering::Relaxed);
        Self {
            granted: landlock.is_some().then_some(granted),
            status: ConfinementStatus { landlock, seccomp: refused.is_ok() },
            lacks,
            is_root: false,
        }
    }

    /// Says in the log how it is confined.
    pub fn log(&self) {
        let Self { status, lacks, .. } = self;
        if self.is_root {
            tracing::info!("not confined: it runs as root");
        } else if lacks.is_empty() {
            tracing::info!("confined: {status}");
        } else {
            tracing::warn!("confined: {status}; {}", lacks.join("; "));
        }
    }

    /// The same, for whoever asks.
    #[must_use]
    pub const fn status(&self) -> ConfinementStatus {
        self.status
    }

    /// Whether another configuration keeps to what this process may read and write. Its sockets, which a reload leaves where they
    /// are, are not looked at.
    ///
    /// # Errors
    /// It names something else: what, and what to do.
    pub fn allows(&self, config: &Config, input: &Input, options: &AttachOptions) -> Result<()> {
        let Some(granted) = &self.granted else { return Ok(()) };
        if let Some(need) = needs(config, input, options).iter().find(|need| !granted.covers(need)) {
            bail!(
                "{} is beyond what the agent is confined to, the folders that its configuration named when it started: \
                 restart it, and it may use others",
                need.named.display()
            );
        }
        Ok(())
    }
}

/// Whether this process is refused files by Landlock, whatever its user may open.
#[must_use]
pub fn keeps_to_files() -> bool {
    KEEPS_TO_FILES.load(Ordering::Relaxed)
}
