//! What a system needs before programs can run: file systems, modules, and the loopback interface.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use sensor_guest::path;

/// Where, which, and how.
const MOUNTS: &[(&str, &str, Option<&str>)] = &[
    ("/proc", "proc", None),
    ("/sys", "sysfs", None),
    ("/dev", "devtmpfs", None),
    ("/run", "tmpfs", Some("mode=755")),
    ("/sys/fs/bpf", "bpf", Some("mode=700")),
    ("/sys/fs/cgroup", "cgroup2", None),
    ("/sys/kernel/tracing", "tracefs", None),
];

/// Mounts every file system that programs expect; what failed. /tmp is in memory as the rest is, and may hold files
/// of the host's: it only has to be everybody's.
pub fn mount_all() -> Vec<String> {
    let one = |&(place, kind, options): &(&str, &str, Option<&str>)| {
        // A folder below /sys is there or cannot be made: mounting tells.
        let _ = fs::create_dir_all(place);
        mount(Some(kind), place, Some(kind), MsFlags::empty(), options)
            .err()
            .map(|error| format!("cannot mount {kind} at {place}: {error}"))
    };
    let everybodys = fs::create_dir_all("/tmp")
        .and_then(|()| fs::set_permissions("/tmp", Permissions::from_mode(0o1777)))
        .err()
        .map(|error| format!("cannot make /tmp everybody's: {error}"));
    MOUNTS.iter().filter_map(one).chain(everybodys).collect()
}

/// The kernel's release, as `uname -r` says it.
pub fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(|_| "unknown".to_owned(), |release| release.trim().to_owned())
}

/// Loads the modules that the host sent along, in its order; what failed.
pub fn load_modules() -> Vec<String> {
    let one = |path: &String| {
        let loaded = File::open(path).map_err(|error| error.to_string()).and_then(|file| {
            finit_module(file, c"", ModuleInitFlags::empty()).map_err(|error| error.to_string())
        });
        loaded.err().map(|error| format!("cannot load {path}: {error}"))
    };
    crate::lines(path::MODULES).iter().filter_map(one).collect()
}

/// Sets the loopback interface up; what went wrong.
pub fn loopback_up() -> Option<String> {
    let mut ip = Command::new("ip");
    match ip.args(["link", "set", "lo", "up"]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").status() {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("`ip link set lo up` failed: {status}")),
        Err(error) => Some(format!("cannot run ip: {error}")),
    }
}
