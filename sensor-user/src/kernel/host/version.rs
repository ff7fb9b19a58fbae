//! Which kernel runs, and what its version brings.
//!
//! Distributions keep `uname -r` still while they take in stable releases, and say the true version elsewhere.

use std::fs;

use anyhow::{Context, Result};

/// A kernel's version, as `6.12.117`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Version {
    /// The oldest that is tested: XDP links (5.9) and ring buffers (5.8) are there.
    pub const OLDEST: Self = Self::new(5, 10, 0);
    /// Ring buffers from programs to the agent (kernel commit 457f44363a88).
    pub const RING_BUFFER: Self = Self::new(5, 8, 0);
    /// Attachments of XDP programs that can be pinned (kernel commit aa8d3a716b59).
    pub const XDP_LINKS: Self = Self::new(5, 9, 0);
    /// Map memory is charged to the cgroup instead of `RLIMIT_MEMLOCK` (kernel commit 97306be45fbe).
    pub const CGROUP_ACCOUNTING: Self = Self::new(5, 11, 0);
    /// No XDP program below an interface that has one (kernel commit 879af96ffd72).
    pub const NONE_BELOW_XDP: Self = Self::new(5, 15, 0);
    /// XDP programs for frames in several buffers (kernel commit 2e88d4ff0301).
    pub const MULTI_BUFFER: Self = Self::new(5, 18, 0);
    /// Attachments of traffic-control programs that can be pinned (kernel commit e420bed02507).
    pub const TCX: Self = Self::new(6, 6, 0);

    /// The version of these numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// The version of the kernel that runs.
    ///
    /// # Errors
    /// `/proc` cannot be read, or what it says is no version.
    pub fn running() -> Result<Self> {
        let read = |name: &str| fs::read_to_string(name).with_context(|| format!("cannot read {name}"));
        // Ubuntu's own; others have no such file.
        let signature = fs::read_to_string("/proc/version_signature").unwrap_or_default();
        let (build, release) = (read("/proc/sys/kernel/version")?, read("/proc/sys/kernel/osrelease")?);
        Self::find(&signature, &build, &release).with_context(|| {
            format!("the kernel's release, {:?}, does not begin with a version", release.trim())
        })
    }

    /// Ubuntu ends its signature with the version, Debian has it in the build, everybody else in the release.
    fn find(signature: &str, build: &str, release: &str) -> Option<Self> {
        let ubuntu = signature.split_whitespace().nth(2);
        let debian = build.split_once("Debian ").map(|(_, version)| version);
        [ubuntu, debian, Some(release)].into_iter().flatten().find_map(Self::parse)
    }

    /// The version that `text` begins with. Before a series' first release there is no third number.
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(|letter: char| letter != '.' && !letter.is_ascii_digit()).unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse);
        let mut next = || numbers.next().and_then(Result::ok);
        Some(Self::new(next()?, next()?, next().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Version;

    #[rstest]
    #[case::plain("", "#1 SMP Tue Nov 24 2026", "6.18.2", Some((6, 18, 2)))]
    #[case::debian("", "#1 SMP Debian 5.10.223-1 (2024-08-10)", "5.10.0-32-cloud-amd64", Some((5, 10, 223)))]
    #[case::debian_first("", "#1 SMP PREEMPT Debian 7.3~rc7-1~exp1 (2026-11-20)", "7.3-cloud-amd64", Some((7, 3, 0)))]
    #[case::ubuntu("Ubuntu 5.15.0-82.91-generic 5.15.111", "#91-Ubuntu SMP", "5.15.0-82-generic", Some((5, 15, 111)))]
    #[case::fedora("", "#1 SMP PREEMPT_DYNAMIC", "6.12.4-200.fc41.x86_64", Some((6, 12, 4)))]
    #[case::candidate("", "#1 SMP", "6.19.0-rc3+", Some((6, 19, 0)))]
    #[case::two_numbers("", "#1 SMP", "7.3-cloud-amd64\n", Some((7, 3, 0)))]
    #[case::debian_without_a_version("", "#1 SMP Debian unstable", "6.1.0-50-amd64", Some((6, 1, 0)))]
    #[case::one_number("", "", "7", None)]
    #[case::no_number("", "", "linux", None)]
    #[case::too_large("", "", "70000.1.2", None)]
    #[case::empty("", "", "", None)]
    fn is_found_where_the_distribution_keeps_it(
        #[case] signature: &str,
        #[case] build: &str,
        #[case] release: &str,
        #[case] version: Option<(u16, u16, u16)>,
    ) {
        let version = version.map(|(major, minor, patch)| Version::new(major, minor, patch));
        assert_eq!(Version::find(signature, build, release), version);
    }

    #[test]
    fn is_known_here() {
        assert!(Version::running().unwrap() >= Version::OLDEST);
    }
}
