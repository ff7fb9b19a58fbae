//! Writes records to files, on a thread of its own: a disk that stalls holds up nobody else.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use bytes::Bytes;
use jiff::Timestamp;
use sensor_common::evidence::{Lost, Record};

use super::accounts::Accounts;
use super::folder::Folder;
use super::pcapng::{Blocks, Packet, Reading, whole_blocks};
use crate::config::{Evidence, NumberedSensor, SensorNumber};
use crate::counters::names::slot_name;
use crate::kernel::{Interface, since_1970};
use crate::repeated::{Repeated, Trouble};

/// A file is at most about as large as this, or an eighth of all.
const FILE_BYTES: u64 = 64 << 20;
/// A file has at most the packets of so much time.
const FILE_TIME: Duration = Duration::from_hours(1);
/// How often it is looked whether a file is old, while nothing arrives.
const LOOK: Duration = Duration::from_secs(10);

/// What was taken out of the ring buffer at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Records with what they have of their frames, one after another.
    pub records: Bytes,
    /// Up to which numbers records have been taken that are not among them.
    pub taken: Vec<(SensorNumber, usize, u64)>,
}

impl Batch {
    /// Its records, with what they have of their frames.
    pub(super) fn records(&self) -> impl Iterator<Item = (Record, &[u8])> {
        each(&self.records)
    }
}

/// What writes.
pub(super) struct Writer {
    evidence: Evidence,
    /// `None` until it could be opened.
    folder: Option<Folder>,
    accounts: Accounts,
    sensors: HashMap<SensorNumber, String>,
    interfaces: HashMap<u32, String>,
    open: Option<Open>,
    /// Attempts to write evidence that failed.
    failing: Repeated,
    /// Attempts to note for a successor what was taken that failed.
    forgetting: Repeated,
}

/// A file that is written to.
struct Open {
    file: File,
    path: PathBuf,
    blocks: Blocks,
    /// Bytes of its whole blocks.
    length: u64,
    since: Instant,
}

impl Writer {
    /// Writes evidence of these sensors.
    pub(super) fn new(
        evidence: Evidence,
        sensors: &[NumberedSensor],
        accounts: Accounts,
        trouble: Trouble,
    ) -> Self {
        let sensors = sensors.iter().map(|it| (it.number, it.sensor.name.clone())).collect();
        Self {
            evidence,
            folder: None,
            accounts,
            sensors,
            interfaces: HashMap::new(),
            open: None,
            failing: Repeated::said_by(trouble),
            forgetting: Repeated::default(),
        }
    }

    /// Writes what comes, until nobody is left who could send more.
    pub(super) fn run(mut self, batches: &Receiver<Batch>) {
        if let Err(error) = self.folder().map(drop) {
            self.tell(&error);
        }
        loop {
            match batches.recv_timeout(LOOK) {
                Ok(batch) => self.take(&batch),
                Err(RecvTimeoutError::Timeout) => self.open = self.open.take().filter(Open::is_young),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, batch: &Batch) {
        if !batch.records.is_empty() {
            self.write(&batch.records);
        }
        for &(sensor, cpu, number) in &batch.taken {
            self.accounts.taken(sensor, cpu, number);
        }
        match self.accounts.remember() {
            Ok(()) => {
                if let Some(times) = self.forgetting.worked() {
                    tracing::info!("records of evidence are remembered again: {times} attempts had failed");
                }
            }
            Err(error) => {
                if let Some(reason) = self.forgetting.failed(&error) {
                    tracing::error!(
                        "{reason}: after a restart some records of evidence will be counted wrongly"
                    );
                }
            }
        }
    }

    fn write(&mut self, records: &[u8]) {
        // What a file tells of records that an earlier agent has written stays known, whatever fails next.
        let opened = self.folder().map(drop);
        let before = self.accounts.keep();
        match opened.and_then(|()| self.write_to_folder(records).with_context(|| failed(&self.evidence.path)))
        {
            Ok(()) => {
                if let Some(times) = self.failing.worked() {
                    tracing::info!("evidence is written again: {times} attempts had failed");
                }
            }
            Err(error) => {
                self.accounts.go_back(before);
                for (record, _) in each(records) {
                    self.accounts.lost(&record, Lost::Disk);
                }
                self.tell(&error);
            }
        }
    }

    fn tell(&mut self, error: &Error) {
        if let Some(reason) = self.failing.failed(error) {
            tracing::error!("{reason}; evidence is lost until that works, and counting goes on");
        }
    }

    /// The folder, in which is mended what an agent left that did not end by itself.
    ///
    /// # Errors
    /// It cannot be made, read or written to, or another agent writes there.
    fn folder(&mut self) -> Result<&Folder> {
        if let Some(folder) = self.folder.take() {
            if folder.is_there() {
                return Ok(self.folder.insert(folder));
            }
            tracing::warn!(
                "somebody has removed {}: evidence begins anew there",
                self.evidence.path.display()
            );
            self.open = None;
        }
        let folder = Folder::open(&self.evidence.path)?;
        if let Some(newest) = folder.files().with_context(|| failed(&self.evidence.path))?.last() {
            let mended = mend(&newest.path).and_then(|is_there| {
                if is_there { recall(&newest.path, &self.sensors, &mut self.accounts) } else { Ok(()) }
            });
            if let Err(error) = mended {
                // Nothing is written to it any more.
                tracing::warn!("cannot read {}: {error}; what it has stays as it is", newest.path.display());
            }
            // Before another file is the newest, which is the one that a successor reads.
            self.accounts.remember()?;
        }
        Ok(self.folder.insert(folder))
    }

    fn write_to_folder(&mut self, records: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let largest = FILE_BYTES.min(self.evidence.max_size / 8);
        let open = match self.open.take() {
            Some(open) if open.is_young() && open.is_there() && open.length < largest => {
                self.open.insert(open)
            }
            _ => {
                folder.make_room(self.evidence.max_size - largest)?;
                let (file, path) = folder.create(&utc_now())?;
                let blocks = Blocks::new(self.evidence.snap_length, self.accounts.life())?;
                // Interfaces may have other names by now.
                self.interfaces.clear();
                self.open.insert(Open { file, path, blocks, length: 0, since: Instant::now() })
            }
        };
        let interfaces = open.blocks.interfaces();
        let since_1970 = since_1970();
        for (record, frame) in each(records) {
            let Some(dropped) = self.accounts.written(&record) else { continue };
            let sensor = match self.sensors.get(&SensorNumber(record.sensor)) {
                Some(name) => name.into(),
                None => format!("number {}", record.sensor).into(),
            };
            let interface = self.interfaces.entry(record.interface).or_insert_with(|| {
                let found = Interface::of_number(record.interface).ok().flatten();
                found.map_or_else(|| format!("number {}", record.interface), |interface| interface.name)
            });
            open.blocks.add(&Packet {
                time: Duration::from_nanos(record.time.wrapping_add(since_1970)),
                interface: interface.as_str().into(),
                sensor,
                slot: record.slot().map(slot_name).unwrap_or_default().into(),
                tool: record.side().made_by().map(|tool| tool.label().into()),
                cpu: record.cpu,
                number: record.number,
                dropped,
                length: record.length,
                bytes: frame.into(),
            })?;
        }
        let bytes = open.blocks.take();
        if let Err(error) = open.file.write_all(&bytes) {
            open.blocks.forget(interfaces);
            if open.length == 0 {
                // What is not even begun is no file of evidence.
                drop(fs::remove_file(&open.path));
                self.open = None;
            } else if open.file.set_len(open.length).is_err() {
                // Its end cannot be cut off: it is not written to any more.
                self.open = None;
            }
            return Err(error);
        }
        open.length += bytes.len() as u64;
        Ok(())
    }
}

impl Open {
    fn is_young(&self) -> bool {
        self.since.elapsed() < FILE_TIME
    }

    /// Whether nobody has removed it.
    fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }
}

/// Records one after another, with what they have of their frames.
pub(crate) fn each(mut records: &[u8]) -> impl Iterator<Item = (Record, &[u8])> {
    std::iter::from_fn(move || {
        let (record, frame) = Record::parse(records)?;
        records = &records[size_of::<Record>() + frame.len()..];
        Some((record, frame))
    })
}

/// Cuts a file back to its whole blocks, and removes one that has none; says whether there is still a file.
fn mend(path: &Path) -> io::Result<bool> {
    let file = File::options().read(true).write(true).open(path)?;
    let whole = whole_blocks(&file)?;
    let length = file.metadata()?.len();
    if whole == 0 {
        tracing::info!("{} was not begun: it goes", path.display());
        fs::remove_file(path)?;
        return Ok(false);
    }
    if whole < length {
        tracing::info!("{} ends within a block: its last {} bytes go", path.display(), length - whole);
        file.set_len(whole)?;
    }
    Ok(true)
}

/// Notes what is in a file though the last agent did not get to remember that it had written it.
fn recall(path: &Path, sensors: &HashMap<SensorNumber, String>, accounts: &mut Accounts) -> io::Result<()> {
    let file = Reading::new(File::open(path)?)?;
    // Those of other counters have numbers of their own.
    if accounts.life().is_none() || file.life() != accounts.life() {
        return Ok(());
    }
    let numbers: HashMap<&str, SensorNumber> =
        sensors.iter().map(|(&number, name)| (name.as_str(), number)).collect();
    file.packets(|packet| {
        if let Some(&sensor) = numbers.get(&*packet.sensor) {
            accounts.recall(sensor, packet.cpu.into(), packet.number, packet.dropped);
        }
        true
    })
}

fn failed(path: &Path) -> String {
    format!("cannot write evidence to {}", path.display())
}

/// The time, as it stands in names of files.
fn utc_now() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent that is killed between making a file and writing its first block leaves what others' programs refuse.
    #[test]
    fn what_was_not_begun_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence");
        let whole = Blocks::new(128, None).unwrap().take();
        for length in [0, 1, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(!mend(&path).unwrap() && !path.exists(), "{length} bytes");
        }
        fs::write(&path, [&whole[..], &[6]].concat()).unwrap();
        assert!(mend(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}
