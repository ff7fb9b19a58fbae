//! Evidence: packets that were counted, kept on disk while a budget lasts.
//!
//! The kernel hands records over in a ring buffer. A task takes them out of it, a thread writes them to
//! pcapng files and keeps account of what became of each. Whatever fails or stalls costs evidence, which is
//! counted; never counts, never memory.

mod accounts;
mod captured;
mod find;
mod folder;
mod pcapng;
mod take;
mod write;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

pub use self::captured::Captured;
pub use self::find::{Basis, Found, Search, find};
pub use self::pcapng::{Blocks, Packet, read};
pub(crate) use self::write::each;

use self::accounts::Accounts;
use self::write::Writer;
use crate::config::{Evidence, NumberedSensor};
use crate::kernel::{Ledger, Ring};
use crate::repeated::Trouble;
use crate::sources::Feed;

/// Batches that wait to be written, at most: 8 MiB.
const WAITING: usize = 32;
/// How long a stop waits for the disk.
const PATIENCE: Duration = Duration::from_secs(3);

/// What keeps evidence, until it is stopped.
#[derive(Debug)]
pub struct Keeper {
    stop: watch::Sender<bool>,
    /// Nothing comes here; it is closed when everything is written.
    written: Receiver<()>,
}

impl Keeper {
    /// Begins to keep evidence of these sensors, to say why it is not written where it is not, and to offer it to who looks
    /// at sources. The task that it starts runs on the runtime that it is called within.
    ///
    /// # Errors
    /// The kernel does not give the maps, or there are no descriptors or threads left.
    pub fn start(
        evidence: &Evidence,
        sensors: &[NumberedSensor],
        ring: Ring,
        ledger: Ledger,
        sources: Feed,
        trouble: Trouble,
    ) -> Result<Self> {
        let accounts = Accounts::new(ledger, sensors.iter().map(|sensor| sensor.number))?;
        let before = accounts.before().map(|(sensor, cpu, number)| ((sensor, cpu), number)).collect();
        // SAFETY: the ring owns the buffer's descriptor and gives that one, open, as long as it lives.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .context("cannot wait for evidence")?;
        let (batches, waiting) = sync_channel(WAITING);
        let (at_work, written) = channel();
        let writer = Writer::new(evidence.clone(), sensors, accounts, trouble);
        thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || {
                writer.run(&waiting);
                drop::<Sender<()>>(at_work);
            })
            .context("cannot start the thread that writes evidence")?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(take::take(ring, batches, sources, before, stopped));
        Ok(Self { stop, written })
    }

    /// Writes what there is, and ends. Gives itself back where the disk does not take it in time: until it has ended, no
    /// other may begin.
    ///
    /// # Errors
    /// It has not ended yet.
    pub fn stop(self) -> Result<(), Self> {
        // Who takes records is gone only where the runtime is.
        let _nobody_takes = self.stop.send(true);
        match self.written.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Timeout) => Err(self),
            _ => Ok(()),
        }
    }

    /// Whether it has ended, after it was to stop.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.written.try_recv() == Err(TryRecvError::Disconnected)
    }
}

/// Notes that nobody will take what was handed over: it is lost.
///
/// # Errors
/// The kernel does not give the accounts, or does not take them.
pub fn forgo(sensors: &[NumberedSensor], ledger: Ledger) -> Result<()> {
    let mut accounts = Accounts::new(ledger, sensors.iter().map(|sensor| sensor.number))?;
    accounts.close();
    accounts.remember()
}
