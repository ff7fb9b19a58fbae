//! The machine: its NICs, of which one can be plugged in later, and the cables that packets come by.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::disk::Disk;
use super::host::{Host, PORT};
use crate::shell;
use crate::vm::qemu::{Accelerator, CHEAP, QEMU, TRIAL};

/// A NIC.
pub struct Nic {
    /// What it is called in the machine.
    pub name: &'static str,
    /// Its address, by which it is called so.
    pub mac: &'static str,
    /// How it is configured (`systemd.network(5)`).
    pub network: &'static str,
    /// The address that packets are sent to; the first has one from QEMU.
    address: Option<[u8; 4]>,
}

/// The NICs: one to log in by, one that packets come by, and one that is plugged in later.
pub const NICS: [Nic; 3] = [
    Nic { name: "admin0", mac: "52:54:00:00:00:01", network: "[Network]\nDHCP=ipv4\n", address: None },
    Nic {
        name: "sensor0",
        mac: "52:54:00:00:00:02",
        network: "[Link]\nRequiredForOnline=no\n\n[Network]\nAddress=198.51.100.7/25\nLinkLocalAddressing=no\n",
        address: Some([198, 51, 100, 7]),
    },
    Nic {
        name: "late0",
        mac: "52:54:00:00:00:03",
        network: "[Link]\nRequiredForOnline=no\n\n[Network]\nAddress=198.51.100.200/25\nLinkLocalAddressing=no\n",
        address: Some([198, 51, 100, 8]),
    },
];

/// Where what the machine says is kept, in its folder.
const CONSOLE: &str = "console.log";

/// Where what QEMU complains of is kept, likewise.
const COMPLAINTS: &str = "qemu.log";

/// The socket by which QEMU is told what to do, in the same folder.
const CONTROL: &str = "qmp";

/// Where what is plugged in later is plugged in.
const LATE_SLOT: &str = "late-slot";

/// Megabytes of memory.
const MEMORY: &str = "1024";

/// Without large receive offload, which native XDP does not go with.
const DEVICE: &str = "romfile=,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off";

/// A running machine; dropping it ends it.
pub struct Machine {
    /// How one logs in.
    pub host: Host,
    /// How its processors come about.
    pub accelerator: Accelerator,
    qemu: Child,
    folder: PathBuf,
}

impl Machine {
    /// Starts it, with all NICs but the last: on the host's processors if they run it, else on emulated ones.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(disk: &Disk, folder: &Path) -> Result<Self> {
        let hoped_for = Accelerator::hoped_for();
        let mut machine = Self::with(hoped_for, disk, folder)?;
        if hoped_for == Accelerator::Tcg || machine.has_begun() {
            return Ok(machine);
        }
        drop(machine);
        Self::with(Accelerator::Tcg, disk, folder)
    }

    /// Waits until one can log in.
    ///
    /// # Errors
    /// One cannot, or the machine has ended.
    pub fn wait(&mut self) -> Result<()> {
        let Self { host, qemu, folder, .. } = self;
        host.wait(|| runs(qemu, folder))
    }

    /// Begins it anew, and waits until one can log in to what has begun since.
    ///
    /// # Errors
    /// As [`Machine::wait`].
    pub fn reboot(&mut self) -> Result<()> {
        let Self { host, qemu, folder, .. } = self;
        host.reboot(|| runs(qemu, folder))
    }

    /// Whether the kernel says anything soon. Nothing is written to the disk before.
    fn has_begun(&mut self) -> bool {
        const GLANCE: Duration = Duration::from_millis(200);
        let begun = Instant::now();
        while begun.elapsed() < TRIAL && runs(&mut self.qemu, &self.folder).is_ok() {
            let said = fs::read(self.folder.join(CONSOLE)).unwrap_or_default();
            if String::from_utf8_lossy(&said).contains("Linux version") {
                return true;
            }
            thread::sleep(GLANCE);
        }
        false
    }

    fn with(accelerator: Accelerator, disk: &Disk, folder: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = |name: &str| folder.join(name);
        let _ = fs::remove_file(path(CONSOLE));
        let mut qemu = Command::new("nice");
        // Even when this process is killed, no machine stays behind.
        qemu.args(["-n", "5", "setpriv", "--pdeathsig", "KILL", QEMU]);
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-m", MEMORY, "-smp", "2"]);
        qemu.args(accelerator.arguments());
        qemu.arg("-kernel").arg(&disk.kernel).arg("-initrd").arg(&disk.initrd);
        let words = "root=/dev/vda rw console=ttyS0 panic=-1 random.trust_cpu=on";
        let words = match accelerator {
            Accelerator::Kvm => words.to_owned(),
            Accelerator::Tcg => format!("{words} {CHEAP}"),
        };
        qemu.args(["-append", &words]);
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", disk.image.display()));
        qemu.arg("-serial").arg(format!("file:{}", path(CONSOLE).display()));
        qemu.arg("-qmp").arg(format!("unix:{},server=on,wait=off", path(CONTROL).display()));
        // A slot for what is plugged in later.
        qemu.args(["-device", &format!("pcie-root-port,id={LATE_SLOT},chassis=1")]);
        // Nothing but this host's SSH leads in, and nothing leads out.
        qemu.args(["-netdev", &format!("user,id=admin0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22")]);
        for nic in &NICS[1..] {
            let socket = path(nic.name);
            let _ = fs::remove_file(&socket);
            qemu.arg("-netdev").arg(format!(
                "stream,id={},server=on,addr.type=unix,addr.path={}",
                nic.name,
                socket.display()
            ));
        }
        for nic in &NICS[..2] {
            qemu.args(["-device", &format!("virtio-net-pci,netdev={},mac={},{DEVICE}", nic.name, nic.mac)]);
        }
        let complaints = File::create(path(COMPLAINTS)).context("cannot write what QEMU complains of")?;
        let qemu = qemu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints).spawn();
        let qemu = qemu.with_context(|| format!("cannot run {QEMU}"))?;
        let host = Host { user: "root", port, key: disk.key.clone(), console: path(CONSOLE) };
        Ok(Self { host, accelerator, qemu, folder: folder.to_owned() })
    }

    /// The far end of a NIC's cable.
    ///
    /// # Errors
    /// There is none.
    pub fn cable(&self, name: &str) -> Result<Cable> {
        let nic = NICS.iter().find(|nic| nic.name == name).context("no such NIC")?;
        let stream = UnixStream::connect(self.folder.join(name)).context("QEMU has no such cable")?;
        Ok(Cable { stream, frame: frame(nic)? })
    }

    /// Plugs a NIC in, and gives the far end of its cable.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn plug_in(&self, name: &str) -> Result<Cable> {
        let nic = NICS.iter().find(|nic| nic.name == name).context("no such NIC")?;
        let mut control =
            UnixStream::connect(self.folder.join(CONTROL)).context("QEMU cannot be told anything")?;
        let mut answers = BufReader::new(control.try_clone()?).lines();
        let device = json!({"driver": "virtio-net-pci", "netdev": name, "mac": nic.mac, "bus": LATE_SLOT, "romfile": "",
            "guest_tso4": false, "guest_tso6": false, "guest_ecn": false, "guest_ufo": false});
        for command in
            [json!({"execute": "qmp_capabilities"}), json!({"execute": "device_add", "arguments": device})]
        {
            writeln!(control, "{command}")?;
            loop {
                let answer = answers.next().context("QEMU has gone")??;
                let answer: Value = serde_json::from_str(&answer)?;
                ensure!(answer["error"].is_null(), "QEMU refuses {command}: {}", answer["error"]);
                if !answer["return"].is_null() {
                    break;
                }
            }
        }
        self.cable(name)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Whether the machine's process still runs.
///
/// # Errors
/// It has ended: how, and what QEMU has complained of last.
fn runs(qemu: &mut Child, folder: &Path) -> Result<()> {
    let Some(status) = qemu.try_wait().context("cannot wait for QEMU")? else { return Ok(()) };
    let complaints = fs::read(folder.join(COMPLAINTS)).unwrap_or_default();
    bail!("QEMU has ended ({status}): {}", shell::last_words(&complaints))
}

/// A UDP packet to the address of a NIC, from a documentation address (RFC 5737).
fn frame(nic: &Nic) -> Result<Vec<u8>> {
    let to = nic.address.context("nothing is sent to the NIC that one logs in by")?;
    let mac: Vec<u8> =
        nic.mac.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>()?;
    let mut frame = [&mac[..], &[0x52, 0x54, 0, 0, 0, 0x63], &[0x08, 0x00]].concat();
    let mut ip = vec![0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 203, 0, 113, 66];
    ip.extend(to);
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !u16::try_from((sum & 0xFFFF) + (sum >> 16))?;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(ip);
    for half in [40_000, PORT, 26, 0] {
        frame.extend(half.to_be_bytes());
    }
    frame.resize(60, 0);
    Ok(frame)
}

/// The far end of a NIC's cable.
pub struct Cable {
    stream: UnixStream,
    frame: Vec<u8>,
}

impl Cable {
    /// Sends so many packets. QEMU takes none while the machine has no room for them, so none is lost.
    ///
    /// # Errors
    /// QEMU has gone.
    pub fn send(&mut self, packets: u64) -> Result<()> {
        // QEMU's stream: the length, then the frame.
        let length = u32::try_from(self.frame.len())?.to_be_bytes();
        let packet = [&length[..], &self.frame].concat();
        for _ in 0..packets {
            self.stream.write_all(&packet).context("the cable is cut")?;
        }
        Ok(())
    }

    /// Begins to send without end.
    ///
    /// # Errors
    /// The cable has no second end to hold.
    pub fn flood(&self) -> Result<Flood> {
        /// Packets between two pauses.
        const BATCH: u64 = 20;
        const PAUSE: Duration = Duration::from_millis(20);
        let mut cable = Self { stream: self.stream.try_clone()?, frame: self.frame.clone() };
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        let sender = thread::spawn(move || {
            let mut sent = 0;
            while !told.load(Ordering::Relaxed) {
                cable.send(BATCH)?;
                sent += BATCH;
                thread::sleep(PAUSE);
            }
            Ok(sent)
        });
        Ok(Flood { enough, sender })
    }
}

/// A flood that goes on.
pub struct Flood {
    enough: Arc<AtomicBool>,
    sender: JoinHandle<Result<u64>>,
}

impl Flood {
    /// Ends it, and tells how many packets were sent.
    ///
    /// # Errors
    /// The cable was cut meanwhile.
    pub fn end(self) -> Result<u64> {
        self.enough.store(true, Ordering::Relaxed);
        self.sender.join().map_err(|_| anyhow!("the sender has a bug"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_has_ended_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(COMPLAINTS), "qemu: could not set up host forwarding rule\n").unwrap();
        let mut lasting = Command::new("sleep").arg("600").spawn().unwrap();
        runs(&mut lasting, folder.path()).unwrap();
        lasting.kill().unwrap();
        lasting.wait().unwrap();
        let (key, console) = (folder.path().join("key"), folder.path().join(CONSOLE));
        let host = Host { user: "root", port: 1, key, console };
        let error = host.wait(|| runs(&mut lasting, folder.path())).unwrap_err().to_string();
        assert!(error.contains("signal: 9") && error.contains("host forwarding rule"), "{error}");
    }
}
