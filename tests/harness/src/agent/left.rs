//! What an agent leaves in the folder of all agents' sockets: those that it listened on where it is killed, and their locks
//! always. Of [`pins`] in their usual place whoever made these removes them, when no agent is to come any more.

use std::collections::HashSet;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::pins;

/// What locks end with, behind the names of sockets.
const LOCKS: [&str; 2] = [".lock", ".page-lock"];

/// Sockets in that folder which a process has; none of one that is gone.
pub(super) fn sockets(process: u32) -> HashSet<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    let held: HashSet<String> = targets
        .filter_map(|to| Some(to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let all = fs::read_to_string(format!("/proc/{process}/net/unix")).unwrap_or_default();
    let own = all.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(6);
        let (inode, path) = (words.next()?, words.next()?);
        held.contains(inode).then(|| PathBuf::from(path))
    });
    own.filter(|path| path.parent().is_some_and(pins::has_sockets) && !pins::is_of_test(path)).collect()
}

/// Removes sockets that nobody listens on any more, and their locks.
pub(super) fn remove(sockets: &HashSet<PathBuf>) {
    // Another agent may have begun in the place of this one.
    for path in sockets.iter().filter(|path| UnixStream::connect(path).is_err()) {
        for lock in LOCKS {
            let mut name = path.clone().into_os_string();
            name.push(lock);
            drop(fs::remove_file(name));
        }
        drop(fs::remove_file(path));
    }
}
