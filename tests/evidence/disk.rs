//! Evidence on a disk that is full, stalls or goes: it is lost, counted, and goes on; counts never suffer.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::Signal;
use sensor_harness::cli::{self, Said};
use sensor_harness::disk::SmallDisk;
use sensor_harness::pace::until;
use sensor_harness::sender::Sender;
use sensor_harness::skip::{Missing, program};
use sensor_harness::wire::Wire;
use sensor_harness::{built, needs, needs_root};
use serde_json::Value;

use super::{Account, check_others_count, counted, files, frames, kept, launch, on_one_cpu};

/// How `sensor status` ends, and what it says is wrong with evidence.
fn trouble(wire: &Wire) -> Result<(i32, String)> {
    let mut command = Command::new(built::sensor()?);
    command.args(["status", "--json"]).args(wire.near.namespace.pins());
    let said = cli::run(&wire.near.namespace, &mut command)?;
    let lines = said.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let evidence = lines.into_iter().find_map(|line| line.get("evidence").cloned());
    let evidence = evidence.with_context(|| format!("{said:?}"))?;
    Ok((said.code, evidence["trouble"].as_str().unwrap_or_default().to_owned()))
}

#[test]
fn a_full_disk_costs_evidence_until_there_is_room() -> Result<()> {
    needs_root!();
    on_one_cpu()?;
    let wire = Wire::new()?;
    let disk = SmallDisk::new("256k")?;
    let folder = disk.path().join("evidence");
    let mut agent = launch(&wire, &folder, "budget = 1000000\nmax_size = \"32MiB\"").start()?;
    let sender = Sender::new(&wire)?;
    sender.send(&frames(4_000))?;
    counted(&agent, 4_000)?;
    until(|| Ok(Account::of(&agent)?.lost["disk"] > 0), || format!("{:?}", Account::of(&agent)))?;
    assert!(agent.stderr().contains("No space left on device"), "{}", agent.stderr());
    let (code, trouble) = trouble(&wire)?;
    assert!(code == 1 && trouble.contains("No space left on device"), "{code}: {trouble:?}");
    disk.grow("64m")?;
    let lost = Account::of(&agent)?.lost["disk"];
    sender.send(&frames(1_000))?;
    counted(&agent, 5_000)?;
    until(|| Ok(agent.stderr().contains("evidence is written again")), || agent.stderr())?;
    assert_eq!(self::trouble(&wire)?.1, "");
    let account = Account::of(&agent)?;
    assert_eq!((account.lost(), account.handed_over), (lost, 5_000), "{account:?}");
    agent.stop(Signal::SIGTERM)?;
    let (packets, dropped) = kept(&folder)?;
    assert_eq!((packets, dropped), (5_000 - lost, lost), "written, and said to be missing between");
    Ok(())
}

#[test]
fn a_file_that_cannot_be_begun_is_not_left() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let disk = SmallDisk::new("4k")?;
    let folder = disk.path().join("evidence");
    let mut agent = launch(&wire, &folder, "max_size = \"32MiB\"").start()?;
    let sender = Sender::new(&wire)?;
    sender.send(&frames(500))?;
    // A first batch may be so small that there is room for it.
    let lost = || -> Result<u64> { Ok(Account::of(&agent)?.lost["disk"]) };
    until(|| Ok(lost()? > 0 && lost()? + kept(&folder)?.0 == 500), || format!("{:?}", Account::of(&agent)))?;
    assert!(files(&folder)?.len() <= 1, "nothing is left of what was not begun: {:?}", files(&folder)?);
    let kept_before = kept(&folder)?.0;
    disk.grow("64m")?;
    sender.send(&frames(100))?;
    until(|| Ok(agent.stderr().contains("evidence is written again")), || agent.stderr())?;
    agent.stop(Signal::SIGTERM)?;
    assert_eq!(kept(&folder)?.0, kept_before + 100);
    Ok(())
}

/// ext4 in a file, which the kernel stalls when it is told to.
struct Ext4(tempfile::TempDir);

impl Ext4 {
    fn new() -> Result<Result<Self, Missing>> {
        for needed in ["mkfs.ext4", "fsfreeze", "timeout"] {
            if let Err(missing) = program(needed) {
                return Ok(Err(missing));
            }
        }
        let disk = Self(tempfile::tempdir()?);
        let image = disk.0.path().join("image");
        File::create(&image)?.set_len(128 << 20)?;
        fs::create_dir(disk.place())?;
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status()?;
        ensure!(made.success(), "mkfs.ext4 ended by {made}");
        let mounted = Command::new("mount").args(["-o", "loop"]).args([&image, &disk.place()]).output()?;
        if mounted.status.success() {
            return Ok(Ok(disk));
        }
        let why = String::from_utf8_lossy(&mounted.stderr).trim().to_owned();
        Ok(Err(Missing::new(format!("no file can be mounted here: {why}"))))
    }

    fn place(&self) -> PathBuf {
        self.0.path().join("disk")
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _gone_with_the_machine = umount2(&self.place(), MntFlags::MNT_DETACH);
    }
}

/// A file system that takes no writes until this is dropped; if the test is killed, the process thaws it by itself.
struct Frozen(Child);

impl Frozen {
    fn new(place: &Path) -> Result<Self> {
        let mut freezer = Command::new("sh");
        freezer
            .args(["-c", "fsfreeze -f \"$0\" && echo frozen && read -r end; fsfreeze -u \"$0\""])
            .arg(place);
        let mut frozen = Self(freezer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut said = String::new();
        BufReader::new(frozen.0.stdout.as_mut().context("no output")?).read_line(&mut said)?;
        ensure!(said == "frozen\n", "{} cannot be frozen", place.display());
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _thawed = self.0.wait();
    }
}

/// The most memory that a process has had at once, in MiB.
fn peak(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

/// A disk that takes nothing for a while, and says nothing either.
#[test]
fn a_stalled_disk_costs_evidence_and_nothing_else() -> Result<()> {
    needs_root!();
    let disk = needs!(Ext4::new()?);
    on_one_cpu()?;
    let wire = Wire::new()?;
    let folder = disk.place().join("evidence");
    let mut agent = launch(&wire, &folder, "budget = 1000000\nmax_size = \"96MiB\"").start()?;
    let sender = Sender::new(&wire)?;
    let ask = |arguments: &[&str]| -> Result<Said> {
        let mut command = Command::new("timeout");
        command.arg("60").arg(built::sensor()?).args(arguments).args(wire.near.namespace.pins());
        cli::run(&wire.near.namespace, &mut command)
    };
    sender.send(&frames(1_000))?;
    counted(&agent, 1_000)?;
    until(|| Ok(folder.exists() && kept(&folder)?.0 == 1_000), || agent.stderr())?;
    let before = peak(agent.pid())?;

    let frozen = Frozen::new(&disk.place())?;
    // More than fits into the buffer and into what may wait for the disk.
    let flood = frames(100_000);
    for sent in [101_000, 201_000] {
        sender.send(&flood)?;
        counted(&agent, sent)?;
    }
    let grown = peak(agent.pid())? - before;
    assert!(grown <= 40, "{grown} MiB more than before");
    // What was written before can be read, by who asks now.
    let said = ask(&["evidence", "--port", "53/udp", "--json"])?;
    let basis = said.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let basis =
        basis.into_iter().find_map(|line| line.get("basis").cloned()).with_context(|| format!("{said:?}"))?;
    assert_eq!((said.code, &basis["packets"], &basis["kept"]), (0, &200.into(), &1_000.into()), "{basis}");
    let said = ask(&["status"])?;
    assert_eq!(said.code, 0, "{said:?}");
    drop(frozen);

    let settled = || -> Result<bool> {
        let account = Account::of(&agent)?;
        Ok(account.lost() > 0 && kept(&folder)?.0 + account.lost() == account.handed_over)
    };
    until(settled, || format!("{:?}, kept {:?}", Account::of(&agent), kept(&folder)))?;
    sender.send(&frames(500))?;
    let account = counted(&agent, 201_500)?;
    assert_eq!(account.lost["disk"] + account.lost["ended"], 0, "{account:?}");
    agent.stop(Signal::SIGTERM)?;
    let (packets, dropped) = kept(&folder)?;
    assert_eq!(packets + account.lost["stalled"], account.handed_over, "{account:?}");
    assert_eq!(packets + dropped, 201_500, "written, and said to be missing between");
    check_others_count(&folder, packets)
}

#[test]
fn a_folder_that_is_removed_is_made_again() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let root = tempfile::tempdir()?;
    let folder = root.path().join("evidence");
    let mut agent = launch(&wire, &folder, "").start()?;
    let sender = Sender::new(&wire)?;
    sender.send(&frames(100))?;
    until(|| Ok(folder.exists() && kept(&folder)?.0 == 100), || agent.stderr())?;
    fs::remove_dir_all(&folder)?;
    sender.send(&frames(50))?;
    until(|| Ok(folder.exists() && kept(&folder)?.0 == 50), || agent.stderr())?;
    assert_eq!(Account::of(&agent)?.lost(), 0);
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}
