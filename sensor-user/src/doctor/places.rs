//! What an agent writes to: its pins, its socket, the folders of evidence and of the store. Nothing is written to find out.

use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use super::disk::Disk;
use crate::config::{Config, Evidence, Store};
use crate::kernel::Root;
use crate::obstacle::Obstacle;
use crate::{socket, writable};

/// Where an agent would be asked, and where it would pin and keep what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pins: PathBuf,
    socket: PathBuf,
    evidence: Option<PathBuf>,
    store: Option<Store>,
}

impl Places {
    /// Those of the agent with these pins, as its configuration says, or as they are without one.
    #[must_use]
    pub fn of(pins: &Path, config: Option<&Config>) -> Self {
        let pins = pins.to_owned();
        let Some(config) = config else {
            let socket = socket::default_path(&pins);
            return Self {
                pins,
                socket,
                evidence: Some(Evidence::default().path),
                store: Some(Store::default()),
            };
        };
        let evidence = config.evidence.as_ref().map(|evidence| evidence.path.clone());
        Self { socket: config.socket_path(&pins), pins, evidence, store: config.store.clone() }
    }

    /// Where programs and counters are pinned.
    pub(super) fn pins(&self) -> &Path {
        &self.pins
    }

    /// All findings.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![
            pinned(&self.pins),
            listens(&self.socket),
            group(&socket::group()),
            evidence(self.evidence.as_deref()),
        ];
        findings.extend(store(self.store.as_ref()));
        findings
    }
}

/// What is attached by what is pinned there, and whether an agent works with it.
fn pinned(pins: &Path) -> Finding {
    let check = "pins";
    let root = Root::at(pins);
    let place = pins.display();
    if !root.is_at_work {
        return Finding::ok(check, format!("nothing is attached by what is pinned at {place}"));
    }
    let names: Vec<_> = root.interfaces.iter().map(|interface| &*interface.name).collect();
    let names = match names.join(" and ") {
        names if names.is_empty() => "interfaces of another network namespace".to_owned(),
        names => names,
    };
    let found = format!("attached to {names} by what is pinned at {place}");
    if root.has_agent() {
        return Finding::ok(check, format!("{found}, and an agent works with it"));
    }
    Finding::note(
        check,
        format!("{found}, and no agent works with it"),
        format!(
            "start the agent, which goes on with its counts, or remove it with {}: until then nobody reads what is counted",
            root.detach_command()
        ),
    )
}

fn listens(path: &Path) -> Finding {
    let check = "socket";
    if socket::is_listening(path) {
        return Finding::ok(check, format!("an agent listens on {}", path.display()));
    }
    match socket::obstacle(path, socket::QUESTIONS) {
        Some(Obstacle { found, remedy }) => {
            Finding::note(check, found, format!("{remedy}; until then no command can ask the agent"))
        }
        None => Finding::ok(check, format!("{} can be used", path.display())),
    }
}

/// Who may ask beside root.
fn group(number: &io::Result<Option<u32>>) -> Finding {
    let (check, name) = ("socket_group", socket::GROUP);
    match number {
        Ok(Some(number)) => Finding::ok(check, format!("members of {name} ({number}) may ask the agent")),
        Ok(None) => Finding::ok(check, format!("there is no group {name}: root alone may ask the agent")),
        Err(error) => Finding::note(
            check,
            format!("/etc/group cannot be read: {error}"),
            "let the agent read it: until then root alone may ask",
        ),
    }
}

fn evidence(folder: Option<&Path>) -> Finding {
    let check = "evidence_folder";
    let Some(folder) = folder else {
        return Finding::ok(check, "none: the configuration keeps no evidence");
    };
    match writable::refused(folder) {
        Some(error) => Finding::note(
            check,
            format!("cannot write to {}: {error}", folder.display()),
            "name a folder on a disk with room with `path` in [evidence]; until then evidence is lost, and counting goes on",
        ),
        None if folder.exists() => Finding::ok(check, format!("{} can be written to", folder.display())),
        None => Finding::ok(check, format!("{} can be made", folder.display())),
    }
}

/// Kinds of file systems where a database that is written while others read it does not work, or is not safe.
const REMOTE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "fuse"];
/// Kinds of file systems whose content goes with the host's memory, or with its container.
const FLEETING: [&str; 3] = ["tmpfs", "ramfs", "overlay"];

/// Whether the store's folder can be written to, what it is on, and how much room is left.
fn store(settings: Option<&Store>) -> Vec<Finding> {
    let Some(Store { path, max_size, .. }) = settings else {
        return vec![Finding::ok("store_folder", "none: the configuration stores nothing")];
    };
    let place = path.display();
    if let Some(error) = writable::refused(path) {
        return vec![Finding::note(
            "store_folder",
            format!("cannot write to {place}: {error}"),
            "name a folder on a disk with room with `path` in [store]; until then nothing is stored, and counting goes on",
        )];
    }
    let found = if path.exists() { "can be written to" } else { "can be made" };
    let mut findings = vec![Finding::ok("store_folder", format!("{place} {found}"))];
    match Disk::of(path) {
        Ok(disk) => findings
            .extend([file_system(&disk.kind), room(disk.free, crate::store::bytes_in(path), *max_size)]),
        Err(error) => findings.push(Finding::note(
            "store_file_system",
            format!("the disk of {place} cannot be looked at: {error}"),
            "see that it is mounted and works",
        )),
    }
    findings
}

fn file_system(kind: &str) -> Finding {
    let check = "store_file_system";
    let of_a_fuse = kind.starts_with("fuse.");
    if of_a_fuse || REMOTE.contains(&kind) {
        let remedy = "name a folder on a disk of this host with `path` in [store]: a database that is read while it is \
                      written may be damaged elsewhere";
        return Finding::note(check, format!("{kind}, which other hosts or programs serve"), remedy);
    }
    if FLEETING.contains(&kind) {
        let remedy = "name a folder that outlives a restart with `path` in [store]: what is stored there goes with the \
                      host's memory, or with its container";
        return Finding::note(check, kind, remedy);
    }
    Finding::ok(check, if kind.is_empty() { "unknown: /proc does not say" } else { kind })
}

/// Whether a store that has so much can get as large as it may.
fn room(free: u64, has: u64, may: u64) -> Finding {
    let check = "store_room";
    let mebibytes = |bytes: u64| bytes >> 20;
    let found = format!(
        "{} MiB free; the store has {} of at most {} MiB",
        mebibytes(free),
        mebibytes(has),
        mebibytes(may)
    );
    if free.saturating_add(has) >= may {
        return Finding::ok(check, found);
    }
    Finding::note(
        check,
        found,
        "make room, or lower `max_size` in [store]: once the disk is full nothing is stored any more, and old hours stay",
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Severity;
    use super::*;

    #[rstest]
    #[case::there(Ok(Some(998)), Severity::Ok, "members of sensor (998)")]
    #[case::missing(Ok(None), Severity::Ok, "root alone")]
    #[case::unknown(Err(io::ErrorKind::PermissionDenied.into()), Severity::Note, "cannot be read")]
    fn who_may_ask_is_said(
        #[case] number: io::Result<Option<u32>>,
        #[case] severity: Severity,
        #[case] words: &str,
    ) {
        let finding = group(&number);
        assert_eq!((finding.severity, finding.found.contains(words)), (severity, true), "{finding:?}");
    }

    #[rstest]
    #[case::disk("ext4", Severity::Ok)]
    #[case::unknown("", Severity::Ok)]
    #[case::remote("nfs4", Severity::Note)]
    #[case::of_a_program("fuse.sshfs", Severity::Note)]
    #[case::memory("tmpfs", Severity::Note)]
    fn a_store_belongs_on_a_disk_of_the_host(#[case] kind: &str, #[case] severity: Severity) {
        assert_eq!(file_system(kind).severity, severity);
    }

    #[rstest]
    #[case::new(100 << 20, 0, 64 << 20, Severity::Ok)]
    #[case::grown(10 << 20, 60 << 20, 64 << 20, Severity::Ok)]
    #[case::too_little(10 << 20, 50 << 20, 64 << 20, Severity::Note)]
    fn a_store_has_room_to_grow(
        #[case] free: u64,
        #[case] has: u64,
        #[case] may: u64,
        #[case] severity: Severity,
    ) {
        let finding = room(free, has, may);
        assert_eq!(finding.severity, severity, "{finding:?}");
    }
}
