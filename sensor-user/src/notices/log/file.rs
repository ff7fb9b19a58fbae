//! The event log's file: whole lines, one agent's at a time, and the file before it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::super::intelmq::ID;
use crate::lock::Lock;
use crate::writable;

/// The file is for root, and for who is in its group.
const MODE: u32 = 0o640;
/// Longest line, in bytes: what has longer ones is another file.
const LONGEST: u64 = 1 << 20;

const REMEDY: &str = "name a file in a folder that is there, on a disk with room, as log in [notices]";

/// A log that one agent writes to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes of it: whole lines.
    length: u64,
    lock: Lock,
}

impl LogFile {
    /// Opens the log, and makes it where it is missing; gives the notices that are in it and in the one before it.
    ///
    /// # Errors
    /// It cannot be written to, is another file, or another agent has it.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<String>)> {
        let name = beside(path, ".lock");
        let lock = open(&name).with_context(|| failed(path))?;
        let lock = Lock::by(name, lock).with_context(|| failed(path))?.with_context(|| {
            format!(
                "another agent writes the event log {}: give this one another log in [notices]",
                path.display()
            )
        })?;
        let file = open(path).with_context(|| failed(path))?;
        let mut told = notices(&beside(path, ".1"))?;
        told.extend(notices(path)?);
        let length = whole(&file).with_context(|| failed(path))?;
        let Some(length) = length else {
            bail!(
                "{} is no event log, since it has lines of more than 1 MiB: name another log in [notices]",
                path.display()
            )
        };
        // What is behind it was written halfway.
        file.set_len(length).with_context(|| failed(path))?;
        Ok((Self { path: path.to_owned(), file, length, lock }, told))
    }

    /// Whether it is still where it was: others may have moved it away, as logrotate does.
    pub(super) fn is_there(&self) -> bool {
        let identity = |file: fs::Metadata| (file.dev(), file.ino(), file.len());
        let (held, found) = (self.file.metadata().map(identity), fs::metadata(&self.path).map(identity));
        self.lock.is_there()
            && matches!((held, found), (Ok(held), Ok(found)) if held == found && held.2 == self.length)
    }

    /// Adds lines, all or none; where it has more bytes than `most` by then, it becomes the one before, and another is begun.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub(super) fn append(&mut self, lines: &[u8], most: u64) -> Result<()> {
        if self.length > 0 && self.length + lines.len() as u64 > most {
            let before = beside(&self.path, ".1");
            fs::rename(&self.path, &before).with_context(|| failed(&self.path))?;
            self.file = open(&self.path).with_context(|| failed(&self.path))?;
            self.length = 0;
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(lines))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Who opens it next does so too, where this fails.
            drop(self.file.set_len(self.length));
            return Err(error).with_context(|| failed(&self.path));
        }
        self.length += lines.len() as u64;
        Ok(())
    }
}

/// What stands in the way of a log at this path, as far as can be seen without writing there.
pub(super) fn obstacle(path: &Path) -> Option<String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let why = match fs::metadata(path) {
        Ok(file) if !file.is_file() => "it is no file".to_owned(),
        _ if !folder.is_dir() => format!("there is no folder {}", folder.display()),
        _ => writable::refused(folder)?.to_string(),
    };
    Some(format!("{}: {why}", failed(path)))
}

fn failed(path: &Path) -> String {
    format!("cannot write the event log {} ({REMEDY})", path.display())
}

/// The path with an end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// A pipe or a device is none: writing to it may wait for ever.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(MODE).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// The notices that are in a file; of one that is not there, none.
fn notices(path: &Path) -> Result<Vec<String>> {
    let file = match File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| failed(path)),
    };
    let (mut reader, mut line, mut ids) = (BufReader::new(file), Vec::new(), Vec::new());
    loop {
        line.clear();
        let read =
            reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).with_context(|| failed(path))?;
        if read == 0 {
            return Ok(ids);
        }
        let event: Option<Value> = serde_json::from_slice(&line).ok().filter(|_| line.ends_with(b"\n"));
        ids.extend(event.and_then(|event| event.get(ID)?.as_str().map(str::to_owned)));
    }
}

/// Bytes of a file's whole lines; `None` if its last one is longer than any of ours.
fn whole(mut file: &File) -> io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LONGEST).read_to_end(&mut end)?;
    Ok(match end.iter().rposition(|&byte| byte == b'\n') {
        Some(at) => Some(from + at as u64 + 1),
        None if from == 0 => Some(0),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> String {
        format!("{}\n", serde_json::json!({ ID: id }))
    }

    #[test]
    fn what_is_there_is_known_and_what_is_halfway_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(beside(&path, ".1"), line("a")).unwrap();
        fs::write(&path, line("b") + "{}\nnot JSON\n" + &line("c") + &line("d")[..9]).unwrap();
        let (mut log, told) = LogFile::open(&path).unwrap();
        assert_eq!(told, ["a", "b", "c"]);
        log.append(line("d").as_bytes(), 1 << 20).unwrap();
        assert!(log.is_there());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, line("b") + "{}\nnot JSON\n" + &line("c") + &line("d"));
        let second = LogFile::open(&path).unwrap_err().to_string();
        assert!(second.contains("another agent writes the event log"), "{second}");
    }

    #[test]
    fn it_is_bounded_and_may_be_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut log, _) = LogFile::open(&path).unwrap();
        for number in 0..100 {
            log.append(line(&number.to_string()).as_bytes(), 300).unwrap();
            let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
            assert!(bytes(&path) <= 300 && bytes(&beside(&path, ".1")) <= 300);
        }
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        assert!(!log.is_there());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing/log");
        for path in [&missing, &folder.path().to_owned()] {
            assert!(LogFile::open(path).is_err());
            let said = obstacle(path).unwrap();
            assert!(said.contains("in [notices]"), "{said}");
        }
        let path = folder.path().join("log");
        assert_eq!(obstacle(&path), None);
        fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
        assert!(LogFile::open(&path).unwrap_err().to_string().contains("is no event log"));
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 << 20);
    }
}
