//! The demo, run as a newcomer runs it: it ends well, each packet is accounted for, and the host is as it was.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor_harness::built;
use sensor_harness::frame::ETHERNET;
use sensor_harness::mix::Mix;
use sensor_harness::namespace::Namespace;
use sensor_harness::table::table;
use sensor_harness::{needs, needs_root};

/// A demo's interface is on the host, where one demo would see the other's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Far longer than a demo is silent: it only keeps a test from hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// A demo that runs; dropping it kills it, and with it goes all that it has set up.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Demo {
    fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.arg("--agent").arg(built::sensor()?);
        command.arg("--listen").arg(port.to_string()).args(arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot run {}", program.display()))?;
        let pipe = child.stdout.take().context("stdout is piped")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut said = BufReader::new(pipe).lines().map_while(Result::ok);
            said.try_for_each(|line| sender.send(line))
        });
        Ok(Self { child, lines, said: String::new() })
    }

    /// The next line that it prints; none when it has ended.
    fn line(&mut self) -> Result<Option<String>> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.said += &line;
                self.said.push('\n');
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("it says no more, and runs on: {}", self.said),
        }
    }

    fn interrupt(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT)?)
    }

    /// Everything that it has printed, once it has ended well.
    fn finish(&mut self) -> Result<&str> {
        while self.line()?.is_some() {}
        let status = self.child.wait()?;
        ensure!(status.success(), "the demo ended ({status}): {}", self.said);
        Ok(&self.said)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a demo might leave behind: interfaces, and namespaces with a name.
fn host() -> Result<(Vec<String>, String)> {
    let host = Namespace::current()?;
    Ok((host.interfaces()?, host.ip("netns list")?))
}

/// Runs a demo, and gives what it has printed.
fn demo(program: &Path, arguments: &[&str], meanwhile: fn(&mut Demo) -> Result<()>) -> Result<String> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = host()?;
    let mut demo = Demo::start(program, arguments)?;
    meanwhile(&mut demo)?;
    let said = demo.finish()?.to_owned();
    assert_eq!(host()?, before, "left: interfaces and namespaces after the demo; right: before it");
    Ok(said)
}

#[test]
fn made_up_scans_are_all_accounted_for() -> Result<()> {
    needs_root!();
    let said = demo(&needs!(built::demo()?), &["--seconds", "2"], |_| Ok(()))?;
    ensure!(said.contains(" packets sent: difference 0\n"), "{said}");
    ensure!(!said.contains("\n0 packets sent"), "nothing was sent: {said}");
    Ok(())
}

#[test]
fn a_capture_is_all_accounted_for() -> Result<()> {
    needs_root!();
    let program = needs!(built::demo()?);
    let mut frames: Vec<Vec<u8>> = table().into_iter().map(|case| case.frame).collect();
    frames.retain(|frame| frame.len() >= ETHERNET);
    frames.extend(Mix::new(5).take(500).map(|sample| sample.frame));
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&pcap(&frames)?)?;
    let path = file.path().to_str().context("the path is not text")?;
    let said = demo(&program, &["--seconds", "2", "--pcap", path], |_| Ok(()))?;
    let account = format!("\n{} packets sent: difference 0\n", frames.len());
    ensure!(said.contains(&account), "not {account:?}: {said}");
    Ok(())
}

/// A capture of Ethernet frames, in the format of libpcap.
fn pcap(frames: &[Vec<u8>]) -> Result<Vec<u8>> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const LONGEST: u32 = 65_535;
    const LINK_ETHERNET: u32 = 1;
    let mut capture = MAGIC.to_ne_bytes().to_vec();
    for version in [2_u16, 4] {
        capture.extend(version.to_ne_bytes());
    }
    // Time zone and accuracy, which nobody fills in.
    for field in [0, 0, LONGEST, LINK_ETHERNET] {
        capture.extend(field.to_ne_bytes());
    }
    for frame in frames {
        let length = u32::try_from(frame.len())?;
        for field in [0, 0, length, length] {
            capture.extend(field.to_ne_bytes());
        }
        capture.extend(frame);
    }
    Ok(capture)
}

#[test]
fn an_interrupt_ends_it_well() -> Result<()> {
    needs_root!();
    let said = demo(&needs!(built::demo()?), &[], |demo| {
        // By then it sends; a second later it shows the first numbers.
        while let Some(line) = demo.line()? {
            if line.contains("Ctrl-C ends it") {
                break;
            }
        }
        demo.line()?;
        demo.line()?;
        demo.interrupt()
    })?;
    ensure!(said.contains(" packets sent: difference 0\n"), "{said}");
    ensure!(said.ends_with("are gone.\n"), "{said}");
    Ok(())
}
