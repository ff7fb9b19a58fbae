//! Network namespaces that nobody has to clean up.
//!
//! A namespace here has no name: it lives as long as its file descriptor or a process in it, so even a
//! killed test leaves nothing. Needs `CAP_SYS_ADMIN` and iproute2's `ip`.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::{panic, thread};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::pins;

const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace; clones are the same one.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    /// Where agents in it have their pins, unless they are told otherwise; `None` for the usual place.
    pins: Option<PathBuf>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(pins) = &self.pins {
            pins::remove_traces(pins);
        }
    }
}

impl Namespace {
    /// A namespace of its own with nothing in it but loopback, which is up. IPv6 is off for interfaces to
    /// come, so that none sends packets by itself; [`Namespace::enable_ipv6`] turns it on.
    ///
    /// # Errors
    /// Without `CAP_SYS_ADMIN`, or without `ip`.
    pub fn new() -> Result<Self> {
        let file = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace: run this as root")?;
            File::open(OWN).context("cannot open the new network namespace")
        })
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that makes a network namespace panicked"))??;
        let namespace = Self(Arc::new(Inner { file, pins: Some(pins::unused()) }));
        namespace.sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// `--pins` for an agent that is told no other, and for commands that ask it: a host has one socket for pins,
    /// and many namespaces of tests. Nothing for the namespace of [`Namespace::current`].
    #[must_use]
    pub fn pins(&self) -> Vec<String> {
        let pins = self.0.pins.iter().map(|pins| pins.display().to_string());
        pins.flat_map(|pins| ["--pins".to_owned(), pins]).collect()
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// If /proc is not mounted.
    pub fn current() -> Result<Self> {
        let file = File::open(OWN).with_context(|| format!("cannot open {OWN}"))?;
        Ok(Self(Arc::new(Inner { file, pins: None })))
    }

    /// Runs `work` on a thread inside the namespace; a panic goes on in the caller.
    ///
    /// # Errors
    /// If the namespace cannot be entered, for want of `CAP_SYS_ADMIN`.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let joined = thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.enter()?;
                    Ok(work())
                })
                .join()
        });
        joined.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Moves the calling thread into the namespace.
    ///
    /// # Errors
    /// Without `CAP_SYS_ADMIN`.
    pub fn enter(&self) -> Result<()> {
        setns(self.as_fd(), CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")
    }

    /// Has a program run inside the namespace, once it is started, and get this signal when the thread that starts it
    /// ends: even if that is killed, nothing stays behind.
    pub fn start_in(&self, command: &mut Command, end: Signal) {
        let namespace = self.clone();
        let enter_and_die_with_parent = move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            Ok(prctl::set_pdeathsig(end)?)
        };
        // SAFETY: between fork and exec only two system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(enter_and_die_with_parent) };
    }

    /// Runs `ip` with these blank-separated arguments inside the namespace and gives its output.
    ///
    /// # Errors
    /// If `ip` is missing or fails; the error has its message.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        self.command("ip", arguments)
    }

    /// Runs a program with these blank-separated arguments inside the namespace and gives its output.
    ///
    /// # Errors
    /// If the program is missing or fails; the error has its message.
    pub fn command(&self, program: &str, arguments: &str) -> Result<String> {
        let output =
            self.run(|| Command::new(program).args(arguments.split_whitespace()).output())?.with_context(
                || format!("cannot run `{program}`: install the package that has it (ip: iproute2)"),
            )?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{program} {arguments}` failed: {}", said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Sets the kernel parameter `net/NAME` of the namespace; a kernel without it needs no setting.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = PathBuf::from("/proc/sys/net").join(name);
        self.run(|| {
            if !path.exists() {
                return Ok(());
            }
            std::fs::write(&path, value)
                .with_context(|| format!("cannot write {value} to {}", path.display()))
        })?
    }

    /// Lets the namespace's interfaces have IPv6.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn enable_ipv6(&self) -> Result<()> {
        self.sysctl("ipv6/conf/default/disable_ipv6", "0")?;
        self.sysctl("ipv6/conf/all/disable_ipv6", "0")
    }

    /// Adds an interface whose driver has no native XDP, and sets it up: of the kinds that have none, the
    /// first that this kernel has.
    ///
    /// # Errors
    /// If it has none of them.
    pub fn add_interface_without_native_xdp(&self, name: &str) -> Result<()> {
        for kind in ["dummy", "ifb", "bridge"] {
            if self.ip(&format!("link add {name} type {kind}")).is_ok() {
                return self.ip(&format!("link set {name} up")).map(drop);
            }
        }
        bail!("this kernel has neither dummy, ifb nor bridge interfaces")
    }

    /// Names of the namespace's interfaces, `lo` left out.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn interfaces(&self) -> Result<Vec<String>> {
        let listed = self.ip("-o link show")?;
        let mut names = Vec::new();
        for line in listed.lines() {
            let name = line.split(": ").nth(1);
            ensure!(name.is_some(), "`ip -o link show` printed {line:?}");
            names.extend(name.map(|it| it.split('@').next().unwrap_or(it).to_owned()));
        }
        names.retain(|name| name != "lo");
        Ok(names)
    }

    /// A path by which other programs can open the namespace while this process lives.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let descriptor = self.0.file.as_raw_fd();
        PathBuf::from(format!("/proc/{}/fd/{descriptor}", std::process::id()))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}
