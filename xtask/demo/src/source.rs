//! Where the demo's packets come from, and what the agent must be told about them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use sensor_common::classify::{Verdict, verdict};
use sensor_common::flow::Forgetful;
use sensor_common::layout::{Slot, SlotKind};
use sensor_common::parse::Everything;
use sensor_common::port::Port;
use sensor_harness::frame::frame;
use sensor_harness::mix::{self, Mix, Sample};
use sensor_harness::table::WithoutRules;
use sensor_harness::wire::MTU;

use crate::capture::{self, Survey};

/// Made-up scans, or a capture.
pub enum Source {
    /// The mix of scans.
    Mix,
    /// A capture, replayed once or over and over.
    Capture { path: PathBuf, over_and_over: bool, survey: Survey, ports: BTreeSet<Port> },
}

/// The samples of a source, in order; the mix has no end.
pub type Samples = Box<dyn Iterator<Item = Result<Sample>>>;

impl Source {
    pub const fn mix() -> Self {
        Self::Mix
    }

    /// Reads the capture once, to know what is in it.
    pub fn capture(path: &Path, over_and_over: bool) -> Result<Self> {
        let mut survey = Survey::default();
        let mut ports = BTreeSet::new();
        for frame in capture::read(path)? {
            let frame = frame?;
            survey.add(&frame);
            ports.extend(frame.bytes.as_deref().and_then(port));
        }
        ensure!(survey.packets > 0, "{}: no packet in it can be replayed", path.display());
        Ok(Self::Capture { path: path.to_owned(), over_and_over, survey, ports })
    }

    /// Whether sources are those that the demo has made up.
    pub const fn is_made_up(&self) -> bool {
        matches!(self, Self::Mix)
    }

    /// What is about to happen, in words.
    pub fn introduction(&self, rate: u32) -> String {
        match self {
            Self::Mix => format!(
                "This sends made-up scans, such as any address on the Internet gets, through the real XDP path: \
                 {rate} packets a second. Nothing leaves this machine."
            ),
            Self::Capture { path, survey, .. } => format!(
                "This replays {} through the real XDP path: {survey}. Nothing leaves this machine.",
                path.display()
            ),
        }
    }

    /// The longest packet behind the Ethernet header, at least what Ethernet has.
    pub fn mtu(&self) -> u32 {
        match self {
            Self::Mix => MTU,
            Self::Capture { survey, .. } => MTU.max(survey.longest_packet),
        }
    }

    /// The agent's configuration. Every port is listed, so that each has its own series from its first packet.
    pub fn config(&self) -> String {
        let (sensor, ports): (_, Vec<Port>) = match self {
            Self::Mix => (mix::SENSOR, Mix::ports()),
            Self::Capture { ports, .. } => {
                ("[[sensor]]\nname = \"capture\"\n", ports.iter().copied().collect())
            }
        };
        let mut config = format!("{sensor}\n[export]\nmax_ports = {}\nports = [\n", ports.len().max(1));
        for port in ports {
            // Writing to a string cannot fail.
            let _ = writeln!(config, "  \"{port}\",");
        }
        config.push_str("]\n");
        config
    }

    /// Its packets.
    pub fn samples(self) -> Result<Samples> {
        Ok(match self {
            Self::Mix => Box::new(mixed().map(Ok)),
            Self::Capture { path, over_and_over: false, .. } => Box::new(replay(&path)?),
            Self::Capture { path, over_and_over: true, .. } => {
                let again = std::iter::repeat_with(move || replay(&path));
                Box::new(again.flat_map(|replay| -> Samples {
                    match replay {
                        Ok(samples) => Box::new(samples),
                        Err(error) => Box::new(std::iter::once(Err(error))),
                    }
                }))
            }
        })
    }
}

/// The mix, with a few who send more than others among it: scanners, and a server that is under denial of service, whose
/// answers to forged SYNs come here.
fn mixed() -> impl Iterator<Item = Sample> {
    let mut number = 0_u32;
    Mix::new(1).map(move |sample| {
        number = number.wrapping_add(1);
        let to = [198, 51, 100, u8::try_from(number / 40 % 256).unwrap_or_default()];
        let (frame, port) = match number % 40 {
            7 | 14 => (
                frame().ipv4().from([198, 18, 5, 77]).to(to).tcp(23).syn().sequence(u32::from_be_bytes(to)),
                23,
            ),
            21 => (frame().ipv4().from([203, 0, 113, 9]).to(to).ip_id(54_321).tcp(443).syn(), 443),
            28 => (frame().ipv4().from([198, 18, 130, 4]).to(to).tcp(6379).syn().window(1024), 6379),
            35 => (frame().ipv4().from([198, 19, 200, 80]).to(to).tcp(80).source_port(443).syn_ack(), 80),
            _ => return sample,
        };
        Sample {
            frame: frame.padded(60).bytes(),
            verdict: Verdict::Count { sensor: 0, slot: Slot::tcp(port) },
        }
    })
}

fn replay(path: &Path) -> Result<impl Iterator<Item = Result<Sample>> + use<>> {
    let frames = capture::read(path)?;
    Ok(frames.filter_map(|frame| match frame {
        Err(error) => Some(Err(error)),
        Ok(frame) => frame.bytes.map(|frame| Ok(Sample { verdict: judge(&frame), frame })),
    }))
}

/// What must become of a frame: the same code as in the kernel, built for the host.
fn judge(frame: &[u8]) -> Verdict {
    verdict(frame, &WithoutRules(Everything), &Forgetful)
}

fn port(frame: &[u8]) -> Option<Port> {
    let Verdict::Count { slot, .. } = judge(frame) else { return None };
    match Slot::describe(slot.index())? {
        SlotKind::Tcp(port) => Some(Port::tcp(port)),
        SlotKind::Udp(port) => Some(Port::udp(port)),
        _ => None,
    }
}
