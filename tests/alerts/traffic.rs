//! Packets to the sensors: those of every day.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use sensor_harness::frame::frame;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;

use super::{BUSY, FILTERED, Fleet, PORTS, SELDOM, SENSORS, STEADY};

/// Known scanners, of which the last stops everywhere with the silence.
pub const SCANNERS: [(&str, Ipv4Addr); 4] = [
    ("Alpha", Ipv4Addr::new(203, 0, 113, 1)),
    ("Beta", Ipv4Addr::new(203, 0, 113, 2)),
    ("Gamma", Ipv4Addr::new(203, 0, 113, 3)),
    ("Quits", Ipv4Addr::new(203, 0, 113, 4)),
];
/// Every so many rounds of packets they are there, each on every sensor.
const SWEEP: u32 = 3;

pub fn address(sensor: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, u8::try_from(sensor).unwrap_or(u8::MAX))
}

pub fn syn(sensor: usize, port: u16) -> Vec<u8> {
    frame().ipv4().to(address(sensor)).tcp(port).syn().bytes()
}

/// With Mirai's mark.
pub fn mirai(sensor: usize, port: u16) -> Vec<u8> {
    let address = address(sensor);
    frame().ipv4().to(address).tcp(port).syn().sequence(address.to_bits()).bytes()
}

/// Of the constituency.
const CONSTITUENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

/// From an address of the constituency.
pub fn constituents(sensor: usize, port: u16) -> Vec<u8> {
    frame().ipv4().from(CONSTITUENT).to(address(sensor)).tcp(port).syn().bytes()
}

/// An answer of an address of the constituency to what the sensor never sent.
pub fn attacked(sensor: usize, port: u16) -> Vec<u8> {
    frame().ipv4().from(CONSTITUENT).to(address(sensor)).tcp(port).rst().bytes()
}

/// From more addresses of the constituency than there is memory for until the store is next written.
pub fn crowd(sensor: usize, port: u16) -> Vec<Vec<u8>> {
    let from = |number: u16| Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() | u32::from(number));
    let syn = |number| frame().ipv4().from(from(number)).to(address(sensor)).tcp(port).syn().bytes();
    (0..=u16::MAX).map(syn).collect()
}

/// All that these known scanners send to a sensor in a sweep.
fn swept(sensor: usize, by: &[(&str, Ipv4Addr)]) -> Vec<Vec<u8>> {
    let probe =
        |&(_, from): &(_, Ipv4Addr)| frame().ipv4().from(from).to(address(sensor)).tcp(9).syn().bytes();
    by.iter().map(probe).collect()
}

pub fn rst(sensor: usize, port: u16) -> Vec<u8> {
    frame().ipv4().to(address(sensor)).tcp(port).rst().bytes()
}

/// A packet to every sensor and port, again and again.
pub struct Traffic {
    busy: Arc<Wire>,
    others: Vec<Arc<Wire>>,
    /// From now on none come to the last sensor of `busy`, few to the two before it, and to [`FILTERED`] only what a filter
    /// lets pass.
    pub silence: AtomicBool,
    pub stop: AtomicBool,
}

impl Traffic {
    pub fn to(fleet: &Fleet) -> Self {
        let others = fleet.hosts.iter().map(|host| Arc::clone(&host.wire)).collect();
        let [silence, stop] = [false; 2].map(AtomicBool::new);
        Self { busy: Arc::clone(&fleet.busy.wire), others, silence, stop }
    }

    pub fn send(&self) -> Result<()> {
        let to = |sensors: usize| -> Vec<_> {
            (0..sensors).flat_map(|sensor| PORTS.map(|port| syn(sensor, port))).collect()
        };
        let shut = syn(FILTERED, PORTS[0]);
        let filtered =
            |sensors: usize| -> Vec<_> { to(sensors).into_iter().filter(|it| *it != shut).collect() };
        let (all, but_one, steady, one) = (to(SENSORS.len()), filtered(BUSY), filtered(STEADY), to(1));
        let sweep: Vec<_> = (0..SENSORS.len()).flat_map(|sensor| swept(sensor, &SCANNERS)).collect();
        let open = (0..BUSY).filter(|sensor| *sensor != FILTERED);
        let filtered_sweep: Vec<_> = open.flat_map(|sensor| swept(sensor, &SCANNERS[..3])).collect();
        let mut round = 0_u32;
        let busy = Sender::new(&self.busy)?;
        let others = self.others.iter().map(|wire| Sender::new(wire)).collect::<Result<Vec<_>>>()?;
        while !self.stop.load(Ordering::SeqCst) {
            let silence = self.silence.load(Ordering::SeqCst);
            busy.send(match silence {
                false => &all,
                true if round.is_multiple_of(SELDOM) => &but_one,
                true => &steady,
            })?;
            if round.is_multiple_of(SWEEP) {
                busy.send(if silence { &filtered_sweep } else { &sweep })?;
            }
            round = round.wrapping_add(1);
            others.iter().try_for_each(|other| other.send(&one))?;
            thread::sleep(Duration::from_millis(250));
        }
        Ok(())
    }
}

/// Ends traffic when it is dropped, in a panic too: the thread that sends would be waited for for ever.
pub struct EndOf<'a>(pub &'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
