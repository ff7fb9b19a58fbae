//! Records as blocks of a pcapng file, and back (IETF draft-ietf-opsawg-pcapng).
//!
//! Each interface and sensor has an interface block. A packet's comment says what it was counted as, what made it, and its
//! CPU and number there, as in `slot 23/tcp, tool mirai, record 3.1024, sensor japan-1`; its option `epb_dropcount` says
//! how many packets of its sensor that CPU skipped or lost since the one before.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{Block, PcapNgReader, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

/// A packet of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it was seen: since 1970 (POSIX).
    pub time: Duration,
    /// The name of the interface that it came in by.
    pub interface: Cow<'a, str>,
    /// The name of its sensor.
    pub sensor: Cow<'a, str>,
    /// What it was counted as, as in `23/tcp`.
    pub slot: Cow<'a, str>,
    /// What made it, if that is told.
    pub tool: Option<Cow<'a, str>>,
    /// The CPU that counted it.
    pub cpu: u16,
    /// Its number among those of its sensor and CPU.
    pub number: u64,
    /// Packets that were skipped or lost since the one before.
    pub dropped: u64,
    /// Length of the frame in bytes.
    pub length: u32,
    /// Its first bytes.
    pub bytes: Cow<'a, [u8]>,
}

impl Packet<'_> {
    fn comment(&self) -> String {
        let Self { slot, tool, cpu, number, sensor, .. } = self;
        let tool = tool.as_ref().map(|tool| format!("tool {tool}, ")).unwrap_or_default();
        format!("slot {slot}, {tool}record {cpu}.{number}, sensor {sensor}")
    }
}

/// What the comment of a file begins with that says which counters its records' numbers are of.
const LIFE: &str = "counters ";

/// Makes blocks of packets: in memory, to be written at once.
pub struct Blocks {
    writer: PcapNgWriter<Vec<u8>>,
    snap_length: u32,
    /// The numbers of interface blocks, by the names of interface and sensor.
    interfaces: HashMap<(String, String), u32>,
}

impl Blocks {
    /// The first block of a file, with which counters its records' numbers are of, if that is known.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(snap_length: u32, life: Option<&str>) -> io::Result<Self> {
        let application = format!("sensor {}", env!("CARGO_PKG_VERSION"));
        let mut options = vec![SectionHeaderOption::UserApplication(application.into())];
        options.extend(life.map(|life| SectionHeaderOption::Comment(format!("{LIFE}{life}").into())));
        let section =
            SectionHeaderBlock { endianness: Endianness::Little, options, ..SectionHeaderBlock::default() };
        let writer = PcapNgWriter::with_section_header(Vec::new(), section).map_err(io_error)?;
        Ok(Self { writer, snap_length, interfaces: HashMap::new() })
    }

    /// Adds a packet, after a block for its interface if there is none yet.
    ///
    /// # Errors
    /// There is no memory.
    pub fn add(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let interface_id = self.interface(&packet.interface, &packet.sensor)?;
        let mut options = vec![EnhancedPacketOption::Comment(packet.comment().into())];
        if packet.dropped > 0 {
            options.push(EnhancedPacketOption::DropCount(packet.dropped));
        }
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: packet.time,
            original_len: packet.length,
            data: Cow::Borrowed(&packet.bytes),
            options,
        };
        self.writer.write_pcapng_block(block).map(drop).map_err(io_error)
    }

    fn interface(&mut self, interface: &str, sensor: &str) -> io::Result<u32> {
        /// Nanoseconds: ten to the power of minus nine.
        const RESOLUTION: u8 = 9;
        let key = (interface.to_owned(), sensor.to_owned());
        if let Some(&number) = self.interfaces.get(&key) {
            return Ok(number);
        }
        let block = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: self.snap_length,
            options: vec![
                InterfaceDescriptionOption::IfName(interface.into()),
                InterfaceDescriptionOption::IfDescription(sensor.into()),
                InterfaceDescriptionOption::IfTsResol(RESOLUTION),
            ],
        };
        self.writer.write_pcapng_block(block).map_err(io_error)?;
        let number = u32::try_from(self.interfaces.len()).map_err(io::Error::other)?;
        self.interfaces.insert(key, number);
        Ok(number)
    }

    /// What was made since it was last taken.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }

    /// Forgets what was made since then; interface blocks among it are made again when they are needed.
    pub fn forget(&mut self, interfaces: usize) {
        self.writer.get_mut().clear();
        self.interfaces.retain(|_, number| (*number as usize) < interfaces);
    }

    /// How many interface blocks there are.
    #[must_use]
    pub fn interfaces(&self) -> usize {
        self.interfaces.len()
    }
}

/// A file of evidence that is read.
pub struct Reading<F: Read>(
    /// `None` if the file ends within its first block.
    Option<PcapNgReader<F>>,
);

impl<F: Read> Reading<F> {
    /// Reads its first block.
    ///
    /// # Errors
    /// The file cannot be read, or is none of evidence. What is cut off at its end is no error.
    pub fn new(file: F) -> io::Result<Self> {
        match PcapNgReader::new(file) {
            Ok(reader) => Ok(Self(Some(reader))),
            Err(error) if is_cut_off(&error) => Ok(Self(None)),
            Err(error) => Err(io_error(error)),
        }
    }

    /// Which counters the numbers of its records are of; `None` if it does not say.
    #[must_use]
    pub fn life(&self) -> Option<&str> {
        self.0.as_ref()?.section().options.iter().find_map(|option| match option {
            SectionHeaderOption::Comment(comment) => comment.strip_prefix(LIFE),
            _ => None,
        })
    }

    /// Gives `visit` each packet, until that says to stop.
    ///
    /// # Errors
    /// As [`Reading::new`].
    pub fn packets(self, mut visit: impl FnMut(Packet<'_>) -> bool) -> io::Result<()> {
        let Some(mut reader) = self.0 else { return Ok(()) };
        let mut names: Vec<(String, String)> = Vec::new();
        loop {
            match reader.next_block() {
                None => return Ok(()),
                Some(Err(error)) if is_cut_off(&error) => return Ok(()),
                Some(Err(error)) => return Err(io_error(error)),
                Some(Ok(Block::InterfaceDescription(block))) => names.push(interface_names(&block)),
                Some(Ok(Block::EnhancedPacket(block))) => {
                    let Some((interface, sensor)) = names.get(block.interface_id as usize) else {
                        return Err(io::Error::other(
                            "a packet is of an interface that the file does not have",
                        ));
                    };
                    if !visit(packet(&block, interface, sensor)) {
                        return Ok(());
                    }
                }
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Gives `visit` each packet of a file, until that says to stop.
///
/// # Errors
/// The file cannot be read, or is none of evidence. What is cut off at its end is no error.
pub fn read<F: Read>(file: F, visit: impl FnMut(Packet<'_>) -> bool) -> io::Result<()> {
    Reading::new(file)?.packets(visit)
}

/// How many bytes of a file are whole blocks: less than it has if writing it was cut off.
///
/// # Errors
/// The file cannot be read.
pub fn whole_blocks<F: Read + Seek>(file: F) -> io::Result<u64> {
    /// Type, length, and the length again.
    const LEAST: u32 = 12;
    let mut file = BufReader::new(file);
    let size = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut whole = 0;
    while size - whole >= LEAST.into() {
        let (mut header, mut trailer) = ([0; 8], [0; 4]);
        file.read_exact(&mut header)?;
        let [_, _, _, _, length @ ..] = header;
        let length = u32::from_le_bytes(length);
        if length < LEAST || u64::from(length) > size - whole {
            break;
        }
        file.seek_relative(i64::from(length) - i64::from(LEAST))?;
        file.read_exact(&mut trailer)?;
        if u32::from_le_bytes(trailer) != length {
            break;
        }
        whole += u64::from(length);
    }
    Ok(whole)
}

fn interface_names(block: &InterfaceDescriptionBlock<'_>) -> (String, String) {
    let (mut interface, mut sensor) = (String::new(), String::new());
    for option in &block.options {
        match option {
            InterfaceDescriptionOption::IfName(name) => interface = name.to_string(),
            InterfaceDescriptionOption::IfDescription(name) => sensor = name.to_string(),
            _ => {}
        }
    }
    (interface, sensor)
}

fn packet<'a>(block: &'a EnhancedPacketBlock<'_>, interface: &'a str, sensor: &'a str) -> Packet<'a> {
    let (mut dropped, mut comment) = (0, "");
    for option in &block.options {
        match option {
            EnhancedPacketOption::Comment(text) => comment = text,
            EnhancedPacketOption::DropCount(packets) => dropped = *packets,
            _ => {}
        }
    }
    let fields = comment.split_once(", sensor ").map_or(comment, |(fields, _sensor)| fields);
    let field = |name: &str| fields.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix(' '));
    let record = field("record").and_then(|record| record.split_once('.'));
    Packet {
        time: block.timestamp,
        interface: interface.into(),
        sensor: sensor.into(),
        slot: field("slot").unwrap_or_default().into(),
        tool: field("tool").map(Cow::from),
        cpu: record.and_then(|(cpu, _)| cpu.parse().ok()).unwrap_or_default(),
        number: record.and_then(|(_, number)| number.parse().ok()).unwrap_or_default(),
        dropped,
        length: block.original_len,
        bytes: block.data[..].into(),
    }
}

/// Whether a file ends within a block.
fn is_cut_off(error: &PcapError) -> bool {
    match error {
        PcapError::IncompleteBuffer => true,
        PcapError::IoError(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn packet(number: u64, sensor: &str, dropped: u64) -> Packet<'_> {
        Packet {
            time: Duration::new(1_800_000_000, 123_456_789),
            interface: "eth0".into(),
            sensor: sensor.into(),
            slot: "23/tcp".into(),
            tool: (dropped == 0).then_some("mirai".into()),
            cpu: 63,
            number,
            dropped,
            length: 1500,
            bytes: vec![7; 61].into(),
        }
    }

    fn packets(bytes: &[u8]) -> Vec<Packet<'static>> {
        let mut packets = Vec::new();
        read(bytes, |packet| {
            packets.push(Packet {
                interface: packet.interface.into_owned().into(),
                sensor: packet.sensor.into_owned().into(),
                slot: packet.slot.into_owned().into(),
                tool: packet.tool.map(|tool| tool.into_owned().into()),
                bytes: packet.bytes.into_owned().into(),
                ..packet
            });
            true
        })
        .unwrap();
        packets
    }

    #[test]
    fn what_is_written_is_read_and_a_cut_off_end_is_left_out() {
        let written = [packet(1, "a", 0), packet(u64::MAX, "b, sensor c", u64::MAX), packet(3, "a", 9)];
        let mut blocks = Blocks::new(128, Some("a-1")).unwrap();
        let mut file = blocks.take();
        let mut ends = vec![file.len()];
        for packet in &written {
            blocks.add(packet).unwrap();
            file.extend(blocks.take());
            ends.push(file.len());
        }
        assert_eq!(blocks.interfaces(), 2);
        assert_eq!(packets(&file), written);
        for length in 0..file.len() {
            let whole = ends.iter().filter(|&&end| end <= length).count();
            let cut = packets(&file[..length]);
            assert_eq!(cut, written[..whole.saturating_sub(1)], "{length}");
            let kept = whole_blocks(Cursor::new(&file[..length])).unwrap();
            assert_eq!(packets(&file[..usize::try_from(kept).unwrap()]), cut, "{length}");
        }
        assert_eq!(whole_blocks(Cursor::new(&file)).unwrap(), file.len() as u64);
        assert_eq!(Reading::new(&file[..]).unwrap().life(), Some("a-1"));
    }

    #[test]
    fn what_was_not_written_is_made_again() {
        let mut blocks = Blocks::new(128, Some("a-1")).unwrap();
        let mut file = blocks.take();
        let interfaces = blocks.interfaces();
        blocks.add(&packet(1, "a", 0)).unwrap();
        blocks.forget(interfaces);
        blocks.add(&packet(2, "a", 1)).unwrap();
        file.extend(blocks.take());
        assert_eq!(packets(&file), [packet(2, "a", 1)]);
    }

    #[test]
    fn no_bytes_panic() {
        let mut blocks = Blocks::new(128, Some("a-1")).unwrap();
        blocks.add(&packet(1, "a", 5)).unwrap();
        let file = blocks.take();
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = file.clone();
                broken[at] = value;
                drop(read(&broken[..], |_| true));
                drop(whole_blocks(Cursor::new(&broken)));
            }
        }
    }
}
