//! What holds for the host, whatever the interface: its kernel, privileges, memory and clock.

use std::path::Path;
use std::{fs, io};

use sensor_common::layout;

use super::Finding;
use crate::confine::{HAS_FILTER, Landlock, landlock};
use crate::kernel::{Sockets, Version, bpf_mount, check_capabilities, check_kernel};
use crate::obstacle::Obstacle;

/// Kernel features by the version that brought them, and what it costs to do without.
const FEATURES: [(&str, Version, &str); 4] = [
    ("ring_buffer", Version::RING_BUFFER, "boot Linux 5.10 or newer: the programs cannot log without it"),
    (
        "xdp_links",
        Version::XDP_LINKS,
        "boot Linux 5.10 or newer: the sensor cannot outlive its agent without it",
    ),
    (
        "multi_buffer_xdp",
        Version::MULTI_BUFFER,
        "nothing for an MTU up to 3498; above, native mode needs Linux 5.18 or newer, and generic mode costs \
         several times more a packet",
    ),
    (
        "tcx",
        Version::TCX,
        "nothing: what the host sends is watched by a clsact filter instead, which `tc filter` shows and others \
         may remove; Linux 6.6 or newer has links for it",
    ),
];

/// All findings.
pub(super) fn findings(pins: &Path) -> Vec<Finding> {
    let version = Version::running().ok();
    let mut findings = vec![kernel()];
    findings.extend(version.into_iter().flat_map(features));
    findings.extend([
        btf(),
        jit(&fs::read_to_string("/proc/sys/net/core/bpf_jit_enable")),
        unprivileged(&fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled")),
        capabilities(),
        bpf_file_system(pins),
        sockets(),
        landlocked(landlock()),
        filter(&fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")),
    ]);
    findings.extend(version.and_then(locked_memory));
    findings.extend([memory(), clock()]);
    findings
}

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    let found = release.map_or_else(|_| "unknown".to_owned(), |release| release.trim().to_owned());
    match check_kernel() {
        Ok(()) => Finding::ok("kernel", found),
        Err(obstacle) => Finding::problem("kernel", found, obstacle.to_string()),
    }
}

fn features(version: Version) -> impl Iterator<Item = Finding> {
    FEATURES.into_iter().map(move |(check, since, remedy)| {
        if version >= since { Finding::ok(check, "there") } else { Finding::note(check, "missing", remedy) }
    })
}

fn btf() -> Finding {
    if Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Finding::ok("btf", "there");
    }
    Finding::note("btf", "missing", "nothing: the sensor does not need it; only `bpftool` shows less")
}

fn jit(setting: &io::Result<String>) -> Finding {
    match setting.as_deref().map(str::trim) {
        Ok("0") => Finding::note(
            "bpf_jit",
            "off",
            "run `sysctl -w net.core.bpf_jit_enable=1`: without it each packet costs several times more",
        ),
        Ok(_) => Finding::ok("bpf_jit", "on"),
        // Only the first network namespace has the setting, and some kernels are built with the JIT alone.
        Err(_) => Finding::ok("bpf_jit", "unknown: not to be seen from here"),
    }
}

fn unprivileged(setting: &io::Result<String>) -> Finding {
    match setting.as_deref().map(str::trim) {
        Ok("0") => Finding::note(
            "unprivileged_bpf",
            "everybody may load programs",
            "run `sysctl -w kernel.unprivileged_bpf_disabled=1`: the sensor does not need it, attackers might",
        ),
        Ok(_) => Finding::ok("unprivileged_bpf", "off"),
        Err(_) => Finding::ok("unprivileged_bpf", "unknown: the kernel has no such setting"),
    }
}

fn capabilities() -> Finding {
    match check_capabilities() {
        Ok(()) => Finding::ok("capabilities", "all that are needed"),
        Err(Obstacle { found, remedy }) => Finding::problem("capabilities", found, remedy),
    }
}

/// Whether there is a BPF file system where the program is pinned, or above.
fn bpf_file_system(pins: &Path) -> Finding {
    if let Some(mount) = bpf_mount(pins) {
        return Finding::ok("bpf_file_system", format!("mounted at {}", mount.display()));
    }
    Finding::note(
        "bpf_file_system",
        format!("not mounted at {}", pins.parent().unwrap_or(pins).display()),
        "run `mount -t bpf bpf /sys/fs/bpf`, which `sensor run` does too if it may; without it the sensor ends with \
         its agent",
    )
}

fn sockets() -> Finding {
    match Sockets::now() {
        Ok(_) => Finding::ok("sockets", "can be listed"),
        Err(error) => Finding::problem(
            "sockets",
            format!("{error:#}"),
            "mount /proc: they tell who attaching would cut off",
        ),
    }
}

/// Whether an agent that is not root can be confined to its files.
fn landlocked(landlock: Landlock) -> Finding {
    let check = "landlock";
    let without = "without it an agent may open whatever its user may";
    match landlock {
        Landlock::Version(version) => Finding::ok(check, format!("there, ABI {version}")),
        Landlock::Off => Finding::note(
            check,
            "switched off",
            format!("add landlock to `lsm=` on the kernel's command line: {without}"),
        ),
        Landlock::Missing => Finding::note(
            check,
            "missing",
            format!("boot Linux 5.13 or newer, built with Landlock: {without}"),
        ),
    }
}

/// Whether it can be refused system calls.
fn filter(actions: &io::Result<String>) -> Finding {
    let check = "seccomp";
    let without = "without it an agent may make whatever system calls its user may";
    match actions.as_deref() {
        _ if !HAS_FILTER => {
            Finding::note(check, "no filter for this processor", format!("nothing: {without}"))
        }
        Ok(actions) if actions.split_whitespace().any(|action| action == "errno") => {
            Finding::ok(check, "there")
        }
        Ok(_) => Finding::note(check, "cannot refuse", format!("boot another kernel: {without}")),
        Err(_) => Finding::note(
            check,
            "not to be seen",
            format!("mount /proc, or boot a kernel with seccomp: {without}"),
        ),
    }
}

/// What old kernels charge maps to.
fn locked_memory(version: Version) -> Option<Finding> {
    if version >= Version::CGROUP_ACCOUNTING {
        return None;
    }
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes the struct, which outlives it.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } != 0;
    Some(if !failed && limit.rlim_max == libc::RLIM_INFINITY {
        Finding::ok("locked_memory", "unlimited")
    } else {
        Finding::note(
            "locked_memory",
            format!("limited to {} KiB", limit.rlim_max / 1024),
            "`sensor run` lifts it if it has CAP_SYS_RESOURCE; a service needs LimitMEMLOCK=infinity",
        )
    })
}

fn memory() -> Finding {
    let processors = aya::util::nr_cpus().unwrap_or(1) as u64;
    let needed = layout::bytes(1) as u64 * processors / 1024;
    let found = |free: u64| {
        format!("{} MiB free; the counters take {} MiB for each sensor", free / 1024, needed.div_ceil(1024))
    };
    match available_memory() {
        Some(free) if free < needed => {
            Finding::problem("memory", found(free), "give the host more memory, or end other programs")
        }
        Some(free) => Finding::ok("memory", found(free)),
        None => Finding::note("memory", "unknown", "mount /proc"),
    }
}

/// In KiB.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn clock() -> Finding {
    // SAFETY: all-zero is a valid value of this plain C struct, and asks for no change.
    let mut status: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes the struct, which outlives it.
    let state = unsafe { libc::adjtimex(&raw mut status) };
    if state >= 0 && status.status & libc::STA_UNSYNC == 0 {
        return Finding::ok("clock", "synchronised");
    }
    Finding::note(
        "clock",
        "not synchronised, as far as the kernel knows",
        "run chrony or systemd-timesyncd: times of different sensors cannot be compared without",
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Severity;
    use super::*;

    #[rstest]
    #[case::oldest(5, 10, &["multi_buffer_xdp", "tcx"])]
    #[case::debian_12(6, 1, &["tcx"])]
    #[case::newest(6, 18, &[])]
    #[case::too_old(5, 4, &["ring_buffer", "xdp_links", "multi_buffer_xdp", "tcx"])]
    fn each_kernel_lacks_what_it_is_too_old_for(
        #[case] major: u16,
        #[case] minor: u16,
        #[case] missing: &[&str],
    ) {
        let findings = features(Version::new(major, minor, 0));
        let notes: Vec<_> =
            findings.filter(|it| it.severity != Severity::Ok).map(|it| (it.check, it.remedy)).collect();
        assert_eq!(notes.iter().map(|(check, _)| *check).collect::<Vec<_>>(), missing);
        assert!(notes.iter().all(|(_, remedy)| remedy.is_some()));
    }

    #[rstest]
    #[case::off("0\n", Severity::Note)]
    #[case::on("1\n", Severity::Ok)]
    #[case::debugging("2\n", Severity::Ok)]
    fn the_jit_is_worth_having(#[case] setting: &str, #[case] severity: Severity) {
        assert_eq!(jit(&Ok(setting.to_owned())).severity, severity);
        assert_eq!(jit(&Err(io::ErrorKind::NotFound.into())).severity, Severity::Ok);
    }

    #[rstest]
    #[case::for_everybody("0\n", Severity::Note)]
    #[case::off_for_good("1\n", Severity::Ok)]
    #[case::off("2\n", Severity::Ok)]
    fn programs_of_everybody_are_noted(#[case] setting: &str, #[case] severity: Severity) {
        assert_eq!(unprivileged(&Ok(setting.to_owned())).severity, severity);
    }

    #[rstest]
    #[case::there(Landlock::Version(4), Severity::Ok, "ABI 4")]
    #[case::off(Landlock::Off, Severity::Note, "switched off")]
    #[case::missing(Landlock::Missing, Severity::Note, "missing")]
    fn what_confines_an_agent_is_told(
        #[case] landlock: Landlock,
        #[case] severity: Severity,
        #[case] words: &str,
    ) {
        let finding = landlocked(landlock);
        assert_eq!((finding.severity, finding.found.contains(words)), (severity, true), "{finding:?}");
    }

    #[rstest]
    #[case::there(Ok("kill_process errno allow\n"), if HAS_FILTER { Severity::Ok } else { Severity::Note })]
    #[case::others_alone(Ok("kill_process allow\n"), Severity::Note)]
    #[case::unknown(Err(()), Severity::Note)]
    fn a_kernel_that_refuses_calls_is_told(#[case] actions: Result<&str, ()>, #[case] severity: Severity) {
        let actions = actions.map(str::to_owned).map_err(|()| io::ErrorKind::NotFound.into());
        assert_eq!(filter(&actions).severity, severity);
    }

    #[test]
    fn pins_need_a_bpf_file_system() {
        let elsewhere = tempfile::tempdir().unwrap();
        let finding = bpf_file_system(&elsewhere.path().join("sensor"));
        assert_eq!(finding.severity, Severity::Note);
        assert!(finding.found.contains(&elsewhere.path().display().to_string()), "{finding:?}");
    }

    #[test]
    fn every_check_is_named_once() {
        let findings = findings(Path::new("/sys/fs/bpf/sensor"));
        let names: std::collections::HashSet<_> = findings.iter().map(|finding| finding.check).collect();
        assert_eq!(names.len(), findings.len());
        assert!(
            findings.iter().all(|finding| (finding.severity == Severity::Ok) == finding.remedy.is_none())
        );
    }
}
