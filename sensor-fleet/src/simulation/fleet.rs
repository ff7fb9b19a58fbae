//! The sensors, and what befalls them whether or not anything surges.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::SplitMix64;

use super::noise::{factor, stream};
use super::options::Options;
use super::presence::{Down, Presence, REBOOT};

/// The regions: the first is home.
pub const REGIONS: [&str; 4] = ["japan", "overseas-europe", "overseas-americas", "overseas-asia"];

/// Minutes of a day.
pub const DAY: usize = 1_440;

/// A sensor.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Such as `sim-0001`.
    pub name: String,
    /// Its place in [`REGIONS`].
    pub region: usize,
    /// How many addresses it has: 1 to 8.
    pub addresses: u32,
    /// How much more than others it sees on each address.
    pub scale: f64,
    /// When it counts.
    pub presence: Presence,
    /// When in each minute it is scraped, in milliseconds: 1,000 to 58,999.
    pub phase: u32,
}

/// Who has which part in what happens.
#[derive(Clone, Debug)]
pub struct Roles {
    /// Sees something alone.
    pub alone: usize,
    /// Has one loud source.
    pub loud: usize,
    /// See something together that others of their regions don't; may be empty.
    pub some: Vec<usize>,
    /// All others: they have outages, births and the like.
    pub troubled: Vec<usize>,
}

/// All sensors, with no trouble yet, and their roles.
#[must_use]
pub fn sensors(options: &Options) -> (Vec<Sensor>, Roles) {
    let span = options.span() * DAY;
    let count = options.sensors as usize;
    let sensors: Vec<Sensor> = (0..count)
        .map(|at| {
            let mut random = stream(options.seed, [3, at as u64, 0]);
            Sensor {
                name: format!("sim-{:04}", at + 1),
                // Every second one is at home, so two sensors are in two regions.
                region: if at % 2 == 0 { 0 } else { 1 + at / 2 % (REGIONS.len() - 1) },
                addresses: 1 << random.random_range(0..4),
                scale: factor(&mut random, 0.15),
                presence: Presence { live: 0..span, down: Vec::new(), restarts: Vec::new(), moved: None },
                phase: 1_000 + random.random_range(0..58_000),
            }
        })
        .collect();
    let roles = roles(options.seed, &sensors);
    (sensors, roles)
}

fn roles(seed: u64, sensors: &[Sensor]) -> Roles {
    let mut order: Vec<usize> = (0..sensors.len()).collect();
    let mut random = stream(seed, [4, 0, 0]);
    order.shuffle(&mut random);
    let (alone, loud) = (order[0], order[1 % order.len()]);
    let mut rest: Vec<usize> = order.into_iter().skip(2).collect();
    let wanted = if sensors.len() < 8 { 0 } else { (sensors.len() * 15 / 100).max(3) };
    let mut some = Vec::new();
    // A region in turn, so that those who see something together are not of one region.
    for turn in 0..wanted * REGIONS.len() {
        let next = rest.iter().position(|at| sensors[*at].region == turn % REGIONS.len());
        if let Some(next) = next.filter(|_| some.len() < wanted) {
            some.push(rest.remove(next));
        }
    }
    Roles { alone, loud, some, troubled: rest }
}

/// Gives the troubled their troubles.
pub fn trouble(options: &Options, sensors: &mut [Sensor], roles: &Roles) {
    let span = options.span() * DAY;
    for (turn, &at) in roles.troubled.iter().enumerate() {
        let mut random = stream(options.seed, [5, at as u64, 0]);
        let presence = &mut sensors[at].presence;
        // The first of them have one thing each for sure, whatever the size of the fleet.
        if turn == 1 || turn > 3 && random.random_range(0..25) == 0 {
            presence.live.start = within(&mut random, span, 0.4, 0.6);
        }
        if turn == 2 || turn > 3 && random.random_range(0..100) == 0 {
            presence.live.end = within(&mut random, span, 0.8, 0.9);
        }
        if turn == 3 || turn > 3 && random.random_range(0..100) == 0 {
            let minute = within(&mut random, span, 0.3, 0.7);
            presence.moved = presence.is_calm(&(minute..minute + 1)).then_some(minute);
        }
        if turn == 0 || random.random_range(0..8) == 0 {
            let longest = (span / 8).min(6 * DAY);
            // The first has whole days without anything.
            let lengths = [40, 7 * 60, DAY + 300, 3 * DAY, longest];
            let length = if turn == 0 {
                longest
            } else {
                (lengths[random.random_range(0..lengths.len())]).min(longest)
            };
            let reset = random.random_range(0..2) == 0;
            add(presence, &mut random, span, length, reset);
        }
        if turn == 0 || random.random_range(0..20) == 0 {
            add(presence, &mut random, span, REBOOT, true);
        }
    }
    for (at, sensor) in sensors.iter_mut().enumerate() {
        let mut random = stream(options.seed, [6, at as u64, 0]);
        if at == 0 || random.random_range(0..5) == 0 {
            let minute = within(&mut random, span, 0.1, 0.9);
            if sensor.presence.is_calm(&(minute..minute + 2)) {
                sensor.presence.restarts.push(minute);
            }
        }
    }
}

fn add(presence: &mut Presence, random: &mut SplitMix64, span: usize, length: usize, reset: bool) {
    // Something may be there already: one of some places is free.
    for _ in 0..20 {
        let start = within(random, span, 0.1, 0.95);
        let minutes = start..start + length;
        if presence.is_calm(&minutes) {
            presence.down.push(Down { minutes, reset });
            presence.down.sort_by_key(|it| it.minutes.start);
            return;
        }
    }
}

fn within(random: &mut SplitMix64, span: usize, from: f64, to: f64) -> usize {
    let (from, to) = ((span as f64 * from) as usize, (span as f64 * to) as usize);
    random.random_range(from..to.max(from + 1))
}
