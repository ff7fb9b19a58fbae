//! Files that others maintain: of which country an address is, of which autonomous system, of which known scanner.
//!
//! A thread of its own reads each whole, proves it, and exchanges it at once; one that is bad leaves the old in place, and
//! the log and a metric say so. A file may be replaced or rewritten at any time.

mod members;
mod mmdb;
mod scanners;
mod watched;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use self::members::Resolver;
pub use self::mmdb::System;
pub use crate::country::{Country, CountryError};

use self::mmdb::{Countries, Systems};
use self::scanners::Scanners;
use self::watched::Watched;
use crate::config::Sources;

/// How often it is looked whether a file has changed.
const LOOK: Duration = Duration::from_secs(5);
/// How long a start waits for the files: what is observed before they are read is of no country.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lists as they were read last.
#[derive(Clone, Default)]
pub(super) struct Lists {
    countries: Option<Arc<Countries>>,
    systems: Option<Arc<Systems>>,
    scanners: Option<Arc<Scanners>>,
}

impl Lists {
    /// Known scanners that a list may have.
    pub(super) const MOST_SCANNERS: usize = 1_000;

    /// The country of an address.
    pub(super) fn country(&self, address: IpAddr) -> Option<Country> {
        self.countries.as_ref()?.country(address)
    }

    /// The number of its autonomous system.
    pub(super) fn system_number(&self, address: IpAddr) -> Option<u32> {
        self.systems.as_ref()?.number(address)
    }

    /// Its autonomous system, with whose that is.
    pub(super) fn system(&self, address: IpAddr) -> Option<System> {
        self.systems.as_ref()?.system(address)
    }

    /// Which known scanner it belongs to.
    pub(super) fn scanner(&self, address: IpAddr) -> Option<&Arc<str>> {
        self.scanners.as_ref()?.of(address)
    }

    /// Whether there is a list of known scanners.
    pub(super) const fn know_scanners(&self) -> bool {
        self.scanners.is_some()
    }

    /// Whether there is a file that knows countries.
    pub(super) const fn know_countries(&self) -> bool {
        self.countries.is_some()
    }

    /// Whether there is a file that knows autonomous systems.
    pub(super) const fn know_systems(&self) -> bool {
        self.systems.is_some()
    }
}

/// How a list stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListStatus {
    /// Its key in the configuration.
    pub list: &'static str,
    /// Whether what is in use is the file as it is now.
    pub current: bool,
    /// Why not, in one line.
    pub trouble: Option<String>,
}

#[derive(Default)]
struct State {
    lists: Lists,
    status: Vec<ListStatus>,
}

/// What is read, for whoever asks; and the thread that reads it, until this is gone.
pub(super) struct Reader {
    state: Arc<Mutex<State>>,
    settings: Sender<Sources>,
}

impl Reader {
    /// Begins to read what the settings name, and waits a while until it is read.
    ///
    /// # Errors
    /// There are no threads left.
    pub(super) fn start(settings: &Sources) -> Result<Self> {
        let state = Arc::<Mutex<State>>::default();
        let (to_thread, from_agent) = channel();
        let (looked, first_look) = channel::<()>();
        let reader = Self { state: Arc::clone(&state), settings: to_thread };
        reader.settings(settings);
        thread::Builder::new()
            .name("lists".to_owned())
            .spawn(move || {
                let mut files = Files::default();
                let mut wait = Duration::MAX;
                let mut looked = Some(looked);
                loop {
                    match from_agent.recv_timeout(wait) {
                        Ok(settings) => files.settings(&settings),
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                    // A bug that one of them meets leaves what is in use.
                    let changed = catch_unwind(AssertUnwindSafe(|| files.look())).unwrap_or(true);
                    if changed {
                        *lock(&state) = files.state();
                    }
                    wait = LOOK;
                    drop(looked.take());
                }
            })
            .context("cannot start the thread that reads lists of countries and scanners")?;
        // Nothing comes: the other end goes once all of them are read.
        if first_look.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                "lists of countries, autonomous systems or scanners are still being read: until then nothing is known of \
                 whose sources are"
            );
        }
        Ok(reader)
    }

    /// Reads from now on what these settings name. What they name as before goes on.
    pub(super) fn settings(&self, settings: &Sources) {
        // The thread goes only after this.
        let _taken = self.settings.send(settings.clone());
    }

    /// The lists as they are now.
    pub(super) fn lists(&self) -> Lists {
        lock(&self.state).lists.clone()
    }

    /// How each list stands.
    pub(super) fn status(&self) -> Vec<ListStatus> {
        lock(&self.state).status.clone()
    }
}

/// What is wrong with the files that these settings name, each with its key.
pub(super) fn prove(settings: &Sources) -> Vec<anyhow::Error> {
    let countries = settings.countries.as_deref();
    let systems = settings.autonomous_systems.as_deref();
    let scanners = settings.known_scanners.as_deref();
    let troubles = [
        countries.and_then(|path| Watched::prove(path, "countries", Countries::read).err()),
        systems.and_then(|path| Watched::prove(path, "autonomous_systems", Systems::read).err()),
        scanners.and_then(|path| Watched::prove(path, "known_scanners", Scanners::read).err()),
    ];
    troubles.into_iter().flatten().collect()
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    // It is exchanged as a whole.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files that are read.
#[derive(Default)]
struct Files {
    countries: Option<Watched<Countries>>,
    systems: Option<Watched<Systems>>,
    scanners: Option<Watched<Scanners>>,
    changed: bool,
}

impl Files {
    fn settings(&mut self, settings: &Sources) {
        Watched::settle(&mut self.countries, settings.countries.as_deref(), "countries");
        Watched::settle(&mut self.systems, settings.autonomous_systems.as_deref(), "autonomous_systems");
        Watched::settle(&mut self.scanners, settings.known_scanners.as_deref(), "known_scanners");
        self.changed = true;
    }

    /// Reads what has changed, and says whether anything has.
    fn look(&mut self) -> bool {
        let countries = self.countries.as_mut().is_some_and(|file| file.look(Countries::read));
        let systems = self.systems.as_mut().is_some_and(|file| file.look(Systems::read));
        let scanners = self.scanners.as_mut().is_some_and(|file| file.look(Scanners::read));
        std::mem::take(&mut self.changed) | countries | systems | scanners
    }

    fn state(&self) -> State {
        let countries = self.countries.as_ref().map(Watched::status);
        let systems = self.systems.as_ref().map(Watched::status);
        let scanners = self.scanners.as_ref().map(Watched::status);
        State {
            lists: Lists {
                countries: self.countries.as_ref().and_then(Watched::used),
                systems: self.systems.as_ref().and_then(Watched::used),
                scanners: self.scanners.as_ref().and_then(Watched::used),
            },
            status: [countries, systems, scanners].into_iter().flatten().collect(),
        }
    }
}
