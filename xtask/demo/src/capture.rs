//! Reads a capture, pcap or pcapng, as Ethernet frames.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError};
use sensor_common::grouped::Grouped;

/// Length of an Ethernet header.
const ETHERNET: usize = 14;
/// The longest packet that an interface can be made to take behind the Ethernet header.
const LONGEST: usize = 65_535;

/// One packet of a capture.
pub struct Frame {
    /// As an Ethernet frame; `None` if it can't be made one.
    pub bytes: Option<Vec<u8>>,
    /// The capture holds only its beginning; the rest is filled up with zeros.
    pub cut: bool,
}

/// What is in a capture.
#[derive(Default)]
pub struct Survey {
    /// Packets that can be replayed.
    pub packets: u64,
    /// Of those, packets of which the capture holds only the beginning.
    cut: u64,
    /// Packets that can't be replayed.
    unusable: u64,
    /// Length of the longest packet behind the Ethernet header, in bytes.
    pub longest_packet: u32,
}

impl Survey {
    /// Takes in a packet.
    pub fn add(&mut self, frame: &Frame) {
        let Some(bytes) = &frame.bytes else {
            self.unusable += 1;
            return;
        };
        self.packets += 1;
        self.cut += u64::from(frame.cut);
        let length = u32::try_from(bytes.len() - ETHERNET).unwrap_or(u32::MAX);
        self.longest_packet = self.longest_packet.max(length);
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packets", Grouped(self.packets))?;
        if self.cut > 0 {
            write!(f, ", {} of them cut short by the capture and filled up with zeros", Grouped(self.cut))?;
        }
        if self.unusable > 0 {
            write!(
                f,
                ", and {} left out for being no whole frame or of a link type not known here",
                Grouped(self.unusable)
            )?;
        }
        Ok(())
    }
}

/// The packets of a capture, in order.
pub type Frames = Box<dyn Iterator<Item = Result<Frame>>>;

/// Opens a capture.
pub fn read(path: &Path) -> Result<Frames> {
    let name = path.display().to_string();
    let mut file = File::open(path).with_context(|| format!("cannot open the capture {name}"))?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic).with_context(|| format!("{name} is too short for a capture"))?;
    file.rewind()?;
    let file = BufReader::new(file);
    let packets: Frames = if magic == [0x0a, 0x0d, 0x0d, 0x0a] {
        let reader = PcapNgReader::new(file).with_context(|| format!("{name} is no valid pcapng"))?;
        Box::new(pcapng(reader))
    } else {
        let reader = PcapReader::new(file).with_context(|| format!("{name} is neither pcap nor pcapng"))?;
        Box::new(pcap(reader))
    };
    // Numbered, so that an error says where. After an error nothing more can be read.
    let mut number = 0;
    let mut broken = false;
    Ok(Box::new(packets.map_while(move |packet| {
        if broken {
            return None;
        }
        number += 1;
        broken = packet.is_err();
        let packet = match packet {
            // As tcpdump leaves it when it is killed.
            Err(error) if breaks_off(&error) => Ok(Frame { bytes: None, cut: false }),
            other => other.with_context(|| format!("{name}: packet {number} cannot be read")),
        };
        Some(packet)
    })))
}

/// Whether the file ends within a packet.
fn breaks_off(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(PcapError::IncompleteBuffer) => true,
        Some(PcapError::IoError(error)) => error.kind() == ErrorKind::UnexpectedEof,
        _ => false,
    }
}

fn pcap(mut reader: PcapReader<impl Read>) -> impl Iterator<Item = Result<Frame>> {
    let link = reader.header().datalink;
    std::iter::from_fn(move || {
        let packet = reader.next_raw_packet()?;
        Some(packet.map_err(|error| anyhow!(error)).map(|packet| frame(link, &packet.data, packet.orig_len)))
    })
}

fn pcapng(mut reader: PcapNgReader<impl Read>) -> impl Iterator<Item = Result<Frame>> {
    std::iter::from_fn(move || {
        loop {
            let (interface, data, original) = match reader.next_block()? {
                Err(error) => return Some(Err(anyhow!(error))),
                Ok(Block::EnhancedPacket(packet)) => {
                    (packet.interface_id as usize, packet.data.into_owned(), packet.original_len)
                }
                Ok(Block::SimplePacket(packet)) => (0, packet.data.into_owned(), packet.original_len),
                // Statistics, names, comments.
                Ok(_) => continue,
            };
            let Some(interface) = reader.interfaces().get(interface) else {
                return Some(Err(anyhow!(
                    "it names interface {interface}, which the capture does not describe"
                )));
            };
            return Some(Ok(frame(interface.linktype, &data, original)));
        }
    })
}

/// Makes an Ethernet frame, as long as the packet was on the wire.
fn frame(link: DataLink, data: &[u8], original: u32) -> Frame {
    let cut = data.len() < original as usize;
    let bytes = ethernet(link, data).map(|mut bytes| {
        let missing = (original as usize).saturating_sub(data.len());
        bytes.resize((bytes.len() + missing).min(ETHERNET + LONGEST), 0);
        bytes
    });
    Frame { bytes, cut }
}

fn ethernet(link: DataLink, data: &[u8]) -> Option<Vec<u8>> {
    let (ether_type, packet) = match link {
        DataLink::ETHERNET => return (data.len() >= ETHERNET).then(|| data.to_vec()),
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => match data.first()? >> 4 {
            4 => ([0x08, 0x00], data),
            6 => ([0x86, 0xdd], data),
            _ => return None,
        },
        DataLink::LINUX_SLL => ([*data.get(14)?, *data.get(15)?], data.get(16..)?),
        // What `tcpdump -i any` writes.
        DataLink::LINUX_SLL2 => ([*data.first()?, *data.get(1)?], data.get(20..)?),
        _ => return None,
    };
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(ether_type);
    frame.extend(packet);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ethernet(DataLink::ETHERNET, vec![7; 60], Some(60))]
    #[case::ethernet_too_short(DataLink::ETHERNET, vec![7; 13], None)]
    #[case::raw_ipv4(DataLink::RAW, vec![0x45; 40], Some(54))]
    #[case::raw_ipv6(DataLink::RAW, vec![0x60; 40], Some(54))]
    #[case::raw_neither(DataLink::RAW, vec![0x70; 40], None)]
    #[case::linux_cooked(DataLink::LINUX_SLL, vec![0; 56], Some(54))]
    #[case::linux_cooked_too_short(DataLink::LINUX_SLL, vec![0; 15], None)]
    #[case::linux_cooked_2(DataLink::LINUX_SLL2, vec![0; 60], Some(54))]
    #[case::something_else(DataLink::NULL, vec![0; 60], None)]
    fn a_packet_becomes_a_frame(
        #[case] link: DataLink,
        #[case] data: Vec<u8>,
        #[case] length: Option<usize>,
    ) {
        let original = u32::try_from(data.len()).expect("short");
        let made = frame(link, &data, original);
        assert_eq!(made.bytes.map(|bytes| bytes.len()), length);
        assert!(!made.cut);
    }

    fn survey(path: &Path) -> Result<Survey> {
        let mut survey = Survey::default();
        for frame in read(path)? {
            survey.add(&frame?);
        }
        Ok(survey)
    }

    fn written(write: impl FnOnce(&File)) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        write(file.as_file());
        file
    }

    #[test]
    fn a_pcap_is_read() {
        let file = written(|file| {
            let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
            let mut writer = PcapWriter::with_header(file, header).expect("a header");
            for (data, original) in [([0x45; 40], 40), ([0x60; 40], 1_500), ([0x00; 40], 40)] {
                writer.write_packet(&PcapPacket::new(Duration::ZERO, original, &data)).expect("a packet");
            }
        });
        let survey = survey(file.path()).expect("a valid pcap");
        assert_eq!((survey.packets, survey.cut, survey.unusable, survey.longest_packet), (2, 1, 1, 1_500));
    }

    #[test]
    fn a_pcapng_is_read() {
        let file = written(|file| {
            let mut writer = PcapNgWriter::new(file).expect("a section");
            for linktype in [DataLink::ETHERNET, DataLink::IPV4] {
                let interface = InterfaceDescriptionBlock { linktype, snaplen: 0, options: Vec::new() };
                writer.write_pcapng_block(interface).expect("an interface");
            }
            for (interface_id, data) in [(0, vec![1; 60]), (1, vec![0x45; 90]), (0, vec![1; 13])] {
                let block = EnhancedPacketBlock {
                    interface_id,
                    timestamp: Duration::ZERO,
                    original_len: u32::try_from(data.len()).expect("short"),
                    data: data.into(),
                    options: Vec::new(),
                };
                writer.write_pcapng_block(block).expect("a packet");
            }
        });
        let survey = survey(file.path()).expect("a valid pcapng");
        assert_eq!((survey.packets, survey.cut, survey.unusable, survey.longest_packet), (2, 0, 1, 90));
    }

    #[rstest]
    #[case::empty(b"", "too short")]
    #[case::something_else(b"#!/bin/sh\necho this is no capture at all\n", "neither pcap nor pcapng")]
    #[case::half_a_header(b"\xd4\xc3\xb2\xa1\x02\x00", "neither pcap nor pcapng")]
    fn what_is_no_capture_is_refused(#[case] bytes: &[u8], #[case] reason: &str) {
        let file = written(|mut file| file.write_all(bytes).expect("a write"));
        let error = survey(file.path()).err().expect("not a capture");
        assert!(error.to_string().contains(reason), "{error:#}");
    }

    #[test]
    fn a_capture_that_breaks_off_is_used_as_far_as_it_goes() {
        let file = written(|file| {
            let mut writer = PcapWriter::new(file).expect("a header");
            for _ in 0..2 {
                writer.write_packet(&PcapPacket::new(Duration::ZERO, 60, &[1; 60])).expect("a packet");
            }
            let length = file.metadata().expect("metadata").len();
            file.set_len(length - 5).expect("cut");
        });
        let survey = survey(file.path()).expect("a pcap");
        assert_eq!((survey.packets, survey.cut, survey.unusable, survey.longest_packet), (1, 0, 1, 46));
    }

    #[test]
    fn a_cut_packet_gets_its_length_back() {
        let made = frame(DataLink::ETHERNET, &[7; 64], 1_514);
        assert_eq!(made.bytes.map(|bytes| bytes.len()), Some(1_514));
        assert!(made.cut);
    }
}
