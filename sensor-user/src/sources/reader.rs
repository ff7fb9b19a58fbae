//! Records → observations, with what was missed in between.

use std::collections::HashMap;

use jiff::Timestamp;
use sensor_common::evidence::Record;

use super::observation::{Gap, Observation, Position};
use crate::config::SensorNumber;
use crate::evidence::each;

/// How far the records of each sensor and CPU have come.
#[derive(Debug, Default)]
pub(super) struct Reader {
    last: HashMap<(SensorNumber, u16), Last>,
    /// How far those had come that an earlier agent has looked at and kept.
    before: HashMap<(SensorNumber, u16), Position>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    skipped: u64,
    /// What was missed since then, and no observation has said yet.
    gap: Gap,
}

impl Reader {
    /// One that goes on from where an earlier agent had come, by sensor and CPU: what came since and does not come again was
    /// missed.
    pub(super) fn new(before: Vec<Position>) -> Self {
        let before = before.into_iter().map(|position| ((position.sensor, position.cpu), position)).collect();
        Self { last: HashMap::new(), before }
    }

    /// How far the records have come of which all is given that they tell, by this agent or an earlier one.
    pub(super) fn positions(&self) -> Vec<Position> {
        let position = |(&(sensor, cpu), last): (&(SensorNumber, u16), &Last)| Position {
            sensor,
            cpu,
            number: last.number,
            skipped: last.skipped,
            is_old: false,
        };
        // Old ones would not be known for such any more.
        let is_new = |of_cpu, it: &Position| !it.is_old && !self.last.contains_key(of_cpu);
        let earlier = self.before.iter().filter(|(of_cpu, it)| is_new(of_cpu, it));
        self.last.iter().map(position).chain(earlier.map(|(_, position)| *position)).collect()
    }

    /// How far those of a sensor and CPU had come before this agent, as far as that is known and of use. Where it is known of
    /// another CPU and not of this one, none of this one was kept.
    fn before(&self, sensor: SensorNumber, cpu: u16) -> Option<Position> {
        let of_sensor = || self.before.iter().any(|((known, _), it)| *known == sensor && !it.is_old);
        let none = || of_sensor().then_some(Position { sensor, cpu, number: 0, skipped: 0, is_old: false });
        self.before.get(&(sensor, cpu)).copied().or_else(none).filter(|before| !before.is_old)
    }

    /// Gives `visit` what a batch of records tells, with the first bytes of each frame; `since_1970` is what to add to the monotonic clock for the time, in
    /// nanoseconds.
    pub(super) fn read(
        &mut self,
        records: &[u8],
        since_1970: u64,
        mut visit: impl FnMut(Observation, &[u8]),
    ) {
        for (record, frame) in each(records) {
            let time = i128::from(record.time.wrapping_add(since_1970));
            let Ok(time) = Timestamp::from_nanosecond(time) else { continue };
            let gap = self.reach(&record, time);
            if let Some(observation) = Observation::of(&record, frame, time, *gap) {
                *gap = Gap { missed: 0, lost: 0, since: time };
                visit(observation, frame);
            }
        }
    }

    /// What was missed since the last observation of the record's sensor and CPU.
    fn reach(&mut self, record: &Record, time: Timestamp) -> &mut Gap {
        let &Record { number, skipped, .. } = record;
        let of_cpu = (SensorNumber(record.sensor), record.cpu);
        let before = if self.last.contains_key(&of_cpu) { None } else { self.before(of_cpu.0, of_cpu.1) };
        let before = before.filter(|before| before.number < number && before.skipped <= skipped);
        let last = self.last.entry(of_cpu).or_insert_with(|| {
            let gap = Gap { missed: 0, lost: 0, since: time };
            if let Some(before) = before {
                return Last { number: before.number, skipped: before.skipped, gap };
            }
            match number {
                // All that was skipped so far was skipped before it.
                1 => Last { number: 0, skipped: 0, gap },
                // What was before it was before this agent.
                _ => Last { number: number - 1, skipped, gap },
            }
        });
        // Counters that were made anew begin from 0.
        let between = number.checked_sub(last.number + 1).unwrap_or(number - 1);
        let skipped_since = skipped.checked_sub(last.skipped).unwrap_or(skipped);
        let Gap { missed, lost, since } = last.gap;
        let gap = Gap { missed: missed + between + skipped_since, lost: lost + between, since };
        *last = Last { number, skipped, gap };
        &mut last.gap
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::IpAddr;

    use sensor_common::layout::side::{Backscatter, Side, TcpKind, Tool};
    use sensor_common::layout::{Slot, SlotKind};

    use super::super::observation::Reply;
    use super::super::source::Source;
    use super::*;
    use crate::config::{Port, Transport};

    const SECOND: u64 = 1_000_000_000;

    /// What the kernel hands over of a frame.
    pub(in super::super) fn record(
        number: u64,
        skipped: u64,
        cpu: u16,
        slot: Slot,
        side: Side,
        frame: &[u8],
    ) -> Vec<u8> {
        let captured = u32::try_from(frame.len()).unwrap();
        let record = Record {
            number,
            skipped,
            time: 7 * SECOND,
            sensor: 3,
            slot: slot.index(),
            interface: 1,
            length: captured,
            captured,
            side: u16::try_from(side.offset()).unwrap(),
            cpu,
            flags: 0,
        };
        // SAFETY: a record is integers without padding, all of them initialised.
        let header: [u8; size_of::<Record>()] = unsafe { std::mem::transmute(record) };
        [&header, frame].concat()
    }

    /// An IPv4 packet from 203.0.113.9 to 198.51.100.7.
    fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0]);
        frame.extend(header(protocol, [203, 0, 113, 9], [198, 51, 100, 7], payload.len()));
        frame.extend(payload);
        frame
    }

    fn header(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: usize) -> Vec<u8> {
        let length = u16::try_from(20 + payload).unwrap().to_be_bytes();
        let fixed = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 57, protocol, 0, 0];
        [&fixed[..], &source, &destination].concat()
    }

    fn tcp(from: u16, to: u16, flags: u8) -> Vec<u8> {
        let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
        [&ports[..], &[0; 8], &[0x50, flags, 4, 0, 0, 0, 0, 0]].concat()
    }

    fn read(reader: &mut Reader, records: &[u8]) -> Vec<Observation> {
        let mut observations = Vec::new();
        reader.read(records, 1_700_000_000 * SECOND, |observation, _| observations.push(observation));
        observations
    }

    #[test]
    fn a_record_becomes_an_observation() {
        let frame = ipv4(6, &tcp(40_000, 23, 2));
        let syn = record(1, 0, 0, Slot::tcp(23), Side::tool(Tool::Mirai), &frame);
        let [found] = read(&mut Reader::default(), &syn)[..] else { panic!("one record") };
        let address: IpAddr = "203.0.113.9".parse().unwrap();
        assert_eq!(found.time, Timestamp::from_second(1_700_000_007).unwrap());
        assert_eq!((found.sensor, found.source), (SensorNumber(3), Source::of(address)));
        assert_eq!((found.address, found.destination.to_string().as_str()), (address, "198.51.100.7"));
        assert_eq!((found.slot, found.tool), (SlotKind::Tcp(23), Some(Tool::Mirai)));
        assert_eq!((found.kind, found.reply), (Some(TcpKind::Syn), None));
        assert_eq!((found.length, found.missed), (54, 0));
        let tuple = found.tuple.unwrap();
        assert_eq!((tuple.window, tuple.ttl, tuple.options.kinds()), (1024, 64, &[][..]));
    }

    #[test]
    fn backscatter_names_its_victim() {
        let quoted = [
            &[3, 1, 0, 0, 0, 0, 0, 0][..],
            &header(17, [198, 51, 100, 7], [192, 0, 2, 5], 8),
            &[156, 64, 0, 53, 0, 8, 0, 0],
        ]
        .concat();
        let frames = [
            (Slot::tcp(9), Side::tcp(TcpKind::SynAck), ipv4(6, &tcp(443, 9, 0x12))),
            (Slot::tcp(9), Side::tcp(TcpKind::Rst), ipv4(6, &tcp(80, 9, 4))),
            (Slot::udp(9), Side::UDP_REFLECTOR, ipv4(17, &[0, 123, 0, 9, 0, 8, 0, 0])),
            (Slot::icmp(3, 1), Side::NONE, ipv4(1, &quoted)),
            (Slot::icmp(3, 1), Side::NONE, ipv4(1, &quoted[..30])),
            (Slot::icmp(0, 0), Side::NONE, ipv4(1, &[0; 8])),
            (Slot::tcp(9), Side::tcp(TcpKind::Ack), ipv4(6, &tcp(443, 9, 0x10))),
        ];
        let records: Vec<_> = frames
            .iter()
            .zip(1..)
            .flat_map(|((slot, side, frame), number)| record(number, 0, 0, *slot, *side, frame))
            .collect();
        let replies: Vec<_> =
            read(&mut Reader::default(), &records).into_iter().map(|found| found.reply).collect();
        let port = |transport, number| Some(Port { transport, number });
        let source: IpAddr = "203.0.113.9".parse().unwrap();
        let expected = [
            Some((Backscatter::SynAck, source, port(Transport::Tcp, 443))),
            Some((Backscatter::Rst, source, port(Transport::Tcp, 80))),
            Some((Backscatter::UdpReflector, source, port(Transport::Udp, 123))),
            Some((Backscatter::IcmpError, "192.0.2.5".parse().unwrap(), port(Transport::Udp, 53))),
            Some((Backscatter::IcmpError, source, None)),
            Some((Backscatter::IcmpReply, source, None)),
            None,
        ]
        .map(|reply| reply.map(|(kind, victim, port)| Reply { kind, victim, port }));
        assert_eq!(replies, expected);
    }

    #[test]
    fn observed_and_missed_are_all_that_was_counted() {
        let frame = ipv4(6, &tcp(1, 23, 2));
        let of = |number, skipped, cpu, frame: &[u8]| {
            record(number, skipped, cpu, Slot::tcp(23), Side::tool(Tool::Other), frame)
        };
        let mut reader = Reader::default();
        let mut missed = |records: &[Vec<u8>]| -> Vec<_> {
            read(&mut reader, &records.concat()).into_iter().map(|found| found.missed).collect()
        };
        // The first of all, after 5 that were skipped; on another CPU, what was before is not known.
        assert_eq!(missed(&[of(1, 5, 0, &frame), of(9, 70, 1, &frame)]), [5, 0]);
        // Two lost and one skipped; then one too broken to have a source, whose misses the next one says.
        assert_eq!(missed(&[of(4, 6, 0, &frame), of(5, 16, 0, &frame[..20]), of(6, 17, 0, &frame)]), [3, 11]);
        assert_eq!(missed(&[of(10, 70, 1, &frame)]), [0]);
        // Counters that were made anew.
        assert_eq!(missed(&[of(2, 3, 0, &frame)]), [4]);
    }

    #[test]
    fn what_an_earlier_agent_took_and_has_not_kept_was_missed() {
        let frame = ipv4(6, &tcp(1, 23, 2));
        let of = |number, skipped, cpu| {
            record(number, skipped, cpu, Slot::tcp(23), Side::tool(Tool::Other), &frame)
        };
        let position =
            |cpu, number| Position { sensor: SensorNumber(3), cpu, number, skipped: 5, is_old: false };
        let mut reader = Reader::new(vec![position(0, 10), position(1, 20)]);
        let mut missed = |records: &[Vec<u8>]| -> Vec<_> {
            read(&mut reader, &records.concat()).into_iter().map(|found| found.missed).collect()
        };
        // Of a CPU that nothing is known of, nothing was kept.
        assert_eq!(missed(&[of(14, 8, 0), of(15, 8, 0), of(7, 1, 2)]), [6, 0, 7]);
        let mut reached = reader.positions();
        reached.sort_by_key(|position| position.cpu);
        let at = |cpu, number, skipped| Position { skipped, ..position(cpu, number) };
        assert_eq!(reached, [at(0, 15, 8), position(1, 20), at(2, 7, 1)], "one has none yet");
        // Of a CPU whose records were kept long ago, what was before this agent is not known; and they stay old.
        let old = Position { is_old: true, ..position(1, 20) };
        let mut reader = Reader::new(vec![position(0, 10), old]);
        assert_eq!(reader.positions(), [position(0, 10)]);
        assert_eq!(read(&mut reader, &of(5_000, 300, 1))[0].missed, 0);
        // Counters that were made anew have not come so far.
        let mut reader = Reader::new(vec![position(0, 10)]);
        assert_eq!(read(&mut reader, &of(1, 0, 0))[0].missed, 0);
    }
}
