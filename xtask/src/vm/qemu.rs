//! Runs a virtual machine to its end, which comes by itself, by silence or by the clock.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sensor_guest::Line;

use super::watch::{Ended, News, Watch};
use crate::architecture::Architecture;

/// The program, of machines with processors as this host's.
pub const QEMU: &str = "qemu-system-x86_64";

/// A machine that lives says so every few seconds; emulated on a busy host, it may be late.
const SILENCE: Duration = Duration::from_mins(2);

/// No run takes longer.
const LIMIT: Duration = Duration::from_hours(1);

/// A processor that works starts the first process within seconds.
pub const TRIAL: Duration = Duration::from_secs(15);

/// Megabytes of memory: the file system, twice while it is unpacked, and counters for every processor.
const MEMORY: &str = "3072";

/// What emulation need not spend its time on.
pub const CHEAP: &str = "mitigations=off tsc=reliable rcupdate.rcu_expedited=1";

/// How the processors come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// By the host's own.
    Kvm,
    /// By emulation.
    Tcg,
}

impl Accelerator {
    /// As the table says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// What QEMU is told of it.
    pub const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kvm => &["-machine", "q35,accel=kvm", "-cpu", "host"],
            // One thread for all CPUs, which take turns: with one for each, a CPU may translate a breakpoint that the
            // other has just replaced, and run it later. Linux patches its code so where XDP programs are called
            // (bpf_dispatcher_xdp_func), and panics. AVX and instructions that copy byte by byte, of newer models, cost
            // more than they save.
            Self::Tcg => &["-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "Nehalem"],
        }
    }

    /// KVM, if there is such a device; whether it runs a guest only a guest tells.
    pub fn hoped_for() -> Self {
        let there = File::options().read(true).write(true).open("/dev/kvm").is_ok();
        if there { Self::Kvm } else { Self::Tcg }
    }
}

/// A machine to run.
pub struct Machine<'a> {
    /// The kind of its processors.
    pub architecture: Architecture,
    /// The kernel's image.
    pub kernel: &'a Path,
    /// The first file system.
    pub initramfs: &'a Path,
    /// The program at the far end of its network cable.
    pub cable: &'a Path,
    /// How many processors it has.
    pub cpus: usize,
    /// Where what it says is kept.
    pub folder: &'a Path,
}

impl Machine<'_> {
    /// KVM, if it starts this machine; a device that is there may still not run a guest.
    pub fn accelerator(&self) -> Accelerator {
        if self.architecture != Architecture::Amd64 || Accelerator::hoped_for() == Accelerator::Tcg {
            return Accelerator::Tcg;
        }
        let mut started = false;
        let seen = self.follow(Accelerator::Kvm, TRIAL, TRIAL, |line| {
            started = matches!(line, Line::Ready(_));
            !started
        });
        if seen.is_ok() && started { Accelerator::Kvm } else { Accelerator::Tcg }
    }

    /// Runs it; `news` hears how it goes.
    ///
    /// # Errors
    /// When it cannot even be started.
    pub fn run(&self, accelerator: Accelerator, watch: &mut Watch, news: impl Fn(&News)) -> Result<Ended> {
        self.follow(accelerator, SILENCE, LIMIT, |line| {
            if let Some(heard) = watch.line(line) {
                news(&heard);
            }
            true
        })
    }

    /// Where the kernel's messages are.
    pub fn console(&self) -> PathBuf {
        self.folder.join("kernel.log")
    }

    /// Starts the machine and hands its lines over, until `hear` has had enough or the machine ends.
    fn follow(
        &self,
        accelerator: Accelerator,
        silence: Duration,
        limit: Duration,
        mut hear: impl FnMut(Line) -> bool,
    ) -> Result<Ended> {
        let (ours, theirs) = UnixStream::pair().context("cannot make a socket")?;
        let cable = Command::new(self.cable).stdin(OwnedFd::from(ours)).stdout(Stdio::piped()).spawn();
        let cable = cable.with_context(|| format!("cannot run {}", self.cable.display()))?;
        // The machine's end is handed down to QEMU: it stays open across `exec`.
        fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).context("cannot hand down a socket")?;
        let complaints = self.folder.join("qemu.log");
        let stderr =
            File::create(&complaints).with_context(|| format!("cannot write {}", complaints.display()))?;
        let mut log = File::create(self.folder.join("tests.log")).context("cannot write tests.log")?;
        let mut command = self.command(accelerator, &theirs);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut running = Running(child.with_context(|| format!("cannot run {}", self.architecture.qemu()))?);
        drop(theirs);
        let lines = read(running.0.stdout.take().context("stdout is piped")?);
        let start = Instant::now();
        let mut enough = false;
        let ended = loop {
            let left = limit.saturating_sub(start.elapsed());
            match lines.recv_timeout(silence.min(left)) {
                Ok(text) => {
                    // The log is for people; without it the verdict is the same.
                    let _ = writeln!(log, "{text}");
                    if Line::parse(&text).is_some_and(|line| !hear(line)) {
                        enough = true;
                        break Ended::Off;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break Ended::Off,
                Err(RecvTimeoutError::Timeout) if start.elapsed() >= limit => {
                    break Ended::Badly(format!("still running after {} s", limit.as_secs()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    break Ended::Badly(format!("silent for {} s", silence.as_secs()));
                }
            }
        };
        let status = running.end(ended == Ended::Off && !enough)?;
        let cable = cable.wait_with_output().context("cannot wait for the cable to the machine")?;
        ensure!(cable.status.success(), "the cable to the machine broke ({})", cable.status);
        let _ = writeln!(log, "cable: {} frames sent", String::from_utf8_lossy(&cable.stdout).trim());
        match (ended, status) {
            (Ended::Off, Some(code)) if code != 0 => {
                let said = fs::read_to_string(&complaints).unwrap_or_default();
                let said = said.trim().replace('\n', "; ");
                Ok(Ended::Badly(format!("{} failed ({code}): {said}", self.architecture.qemu())))
            }
            (ended, _) => Ok(ended),
        }
    }

    fn command(&self, accelerator: Accelerator, cable: &UnixStream) -> Command {
        // It gives way to whatever else runs. Even when this process is killed, no machine stays behind.
        let mut command = Command::new("nice");
        command.args(["-n", "10", "setpriv", "--pdeathsig", "KILL", self.architecture.qemu()]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", MEMORY]);
        command.args(self.architecture.board(accelerator));
        command.arg("-smp").arg(self.cpus.to_string());
        command.arg("-kernel").arg(self.kernel).arg("-initrd").arg(self.initramfs);
        command.args(["-append", &self.architecture.words(accelerator)]);
        command.args(self.architecture.ports(&self.console()));
        // As a VPS's: no large receive offload, which native XDP does not go with.
        command.arg("-netdev").arg(format!("socket,id=cable,fd={}", cable.as_raw_fd()));
        command.args([
            "-device",
            "virtio-net-pci,netdev=cable,romfile=,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off",
        ]);
        command
    }
}

/// A QEMU that does not outlive us.
struct Running(Child);

impl Running {
    /// Its exit code, once it has ended: by itself, if that is to be expected within moments.
    fn end(&mut self, by_itself: bool) -> Result<Option<i32>> {
        let deadline = Instant::now() + Duration::from_secs(if by_itself { 10 } else { 0 });
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.code());
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok(None)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless something went wrong on the way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a pipe, as they come.
fn read(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
            if sender.send(line).is_err() {
                return;
            }
            bytes.clear();
        }
    });
    lines
}
