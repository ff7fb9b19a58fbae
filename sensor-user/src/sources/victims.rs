//! Addresses under denial of service, told from what they answer: backscatter.
//!
//! Whoever floods a victim with forged sources has it answer to all of them, and so to a sensor. The definition is that
//! of corsaro, the tool of CAIDA's telescope: at least 25 packets, over at least 60 s, of which at least 30 in some minute.
//! After five minutes without one it is over.

use jiff::Timestamp;
use sensor_common::heavy::{Heavy, Place};
use sensor_common::layout::side::Backscatter;
use serde::{Deserialize, Serialize};

use super::account::{Account, Accounts};
use super::observation::{Observation, Reply};
use super::over::Over;
use super::source::Source;
use crate::config::{Port, VictimDefinition};

/// So long a silence ends it, in seconds.
pub const SILENCE: i64 = 300;
/// A minute is counted in so many parts, each of ten seconds: any six in a row are one.
const PARTS: usize = 6;
const PARTS_OF_MINUTE: i64 = 6;
const PART: i64 = 10;
/// So many ports of a victim are named.
const NAMED: usize = 4;

/// An address that was, or is, under denial of service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Victim {
    /// Whose answers came.
    pub victim: Source,
    /// When the first came.
    pub start: Timestamp,
    /// When the last came.
    pub end: Timestamp,
    /// Whether more may come.
    pub ongoing: bool,
    /// Packets that were observed.
    pub packets: u64,
    /// Which share of what the sensor counted meanwhile was observed: below 1, all numbers are at least so many.
    pub share: f64,
    /// Most packets in a minute, by tens of seconds.
    pub peak_per_minute: u64,
    /// Its ports that were attacked, those that were seen first; there may be more.
    pub ports: Vec<String>,
    /// Kinds of backscatter.
    pub kinds: Vec<String>,
}

/// What is known of one that may be under attack.
#[derive(Clone)]
struct Attack {
    start: Timestamp,
    last: Timestamp,
    packets: u64,
    /// Packets in the last minute, the latest part at `latest`.
    parts: [u32; PARTS],
    latest: i64,
    peak: u64,
    ports: [Option<Port>; NAMED],
    kinds: u8,
    /// What the sensor had counted by then, as far as was known.
    begun: Account,
}

/// Those of a sensor.
pub(super) struct Victims {
    definition: VictimDefinition,
    attacks: Heavy<Source, Attack>,
    over: Over<Victim>,
    looked: i64,
}

impl Victims {
    /// In so many bytes.
    pub(super) fn new(definition: VictimDefinition, bytes: usize) -> Self {
        Self {
            definition,
            attacks: Heavy::within(bytes / 4 * 3, 0),
            // What one takes with its texts.
            over: Over::within(bytes / 4, 256),
            looked: i64::MIN,
        }
    }

    /// Goes by this definition from now on, in so many bytes.
    pub(super) fn bound(&mut self, definition: VictimDefinition, bytes: usize, accounts: &Accounts) {
        self.definition = definition;
        let Self { attacks, over, .. } = self;
        over.bound(bytes / 4);
        attacks.bound(bytes / 4 * 3, 0, |victim, attack| attack.ended(victim, &definition, accounts, over));
    }

    /// Notes a reply, and says whether its victim is under denial of service by now; `accounts` are the sensor's.
    pub(super) fn add(&mut self, it: &Observation, reply: Reply, accounts: &Accounts) -> bool {
        let Self { definition, attacks, over, .. } = self;
        let victim = Source::of(reply.victim);
        let new = || Attack::since(it.time, accounts.begun());
        // Who is none yet makes room first; a victim that has to is known as it was until then.
        let is_one = |_: &Source, attack: &Attack| attack.fulfils(definition);
        let attack = attacks.add_keeping(victim, new, is_one, |victim, attack| {
            attack.ended(victim, definition, accounts, over);
        });
        if attack.is_over(it.time) {
            attack.ended(victim, definition, accounts, over);
            *attack = new();
        }
        attack.add(it.time, reply);
        attack.fulfils(definition)
    }

    /// Looks now and then which are over.
    pub(super) fn tick(&mut self, now: Timestamp, accounts: &Accounts) {
        if now.as_second().abs_diff(self.looked) >= PART.unsigned_abs() {
            self.looked = now.as_second();
            let Self { definition, attacks, over, .. } = self;
            attacks.remove(
                |_, attack| attack.is_over(now),
                |victim, attack| attack.ended(victim, definition, accounts, over),
            );
        }
    }

    /// Who is one.
    pub(super) const fn definition(&self) -> VictimDefinition {
        self.definition
    }

    /// How many older ones there was no more room for.
    pub(super) const fn forgotten(&self) -> u64 {
        self.over.forgotten()
    }

    /// All that there were, as far as there is room, and that are.
    pub(super) fn all<'a>(&'a self, accounts: &'a Accounts) -> impl Iterator<Item = Victim> + 'a {
        let ongoing = self.attacks.iter().filter(|(_, place)| place.value.fulfils(&self.definition));
        let told = move |(victim, place): &(Source, Place<Attack>)| place.value.told(*victim, accounts, true);
        self.over.iter().cloned().chain(ongoing.map(told))
    }
}

impl Attack {
    fn since(time: Timestamp, begun: Account) -> Self {
        Self {
            start: time,
            last: time,
            packets: 0,
            parts: [0; PARTS],
            latest: time.as_second().div_euclid(PART),
            peak: 0,
            ports: [None; NAMED],
            kinds: 0,
            begun,
        }
    }

    fn add(&mut self, time: Timestamp, reply: Reply) {
        self.start = self.start.min(time);
        self.last = self.last.max(time);
        self.packets += 1;
        let part = time.as_second().div_euclid(PART);
        while self.latest < part {
            if part - self.latest > PARTS_OF_MINUTE {
                self.parts = [0; PARTS];
                self.latest = part;
                break;
            }
            self.latest += 1;
            self.parts[Self::place(self.latest)] = 0;
        }
        // What comes a little late is of its own part, while that is there.
        if self.latest - part < PARTS_OF_MINUTE {
            let count = &mut self.parts[Self::place(part)];
            *count = count.saturating_add(1);
        }
        self.peak = self.peak.max(self.parts.iter().copied().map(u64::from).sum());
        self.kinds |= 1 << reply.kind as u32;
        if let Some(port) = reply.port
            && !self.ports.contains(&Some(port))
            && let Some(place) = self.ports.iter_mut().find(|place| place.is_none())
        {
            *place = Some(port);
        }
    }

    fn place(part: i64) -> usize {
        usize::try_from(part.rem_euclid(PARTS_OF_MINUTE)).unwrap_or_default()
    }

    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set far back ends it too.
        (now.as_second() - self.last.as_second()).abs() > SILENCE
    }

    fn fulfils(&self, definition: &VictimDefinition) -> bool {
        let lasted = self.last.duration_since(self.start).unsigned_abs();
        self.packets >= u64::from(definition.packets)
            && lasted >= definition.time
            && self.peak >= u64::from(definition.packets_per_minute)
    }

    /// Is over: is remembered, if it was under denial of service.
    fn ended(
        &self,
        victim: Source,
        definition: &VictimDefinition,
        accounts: &Accounts,
        over: &mut Over<Victim>,
    ) {
        if self.fulfils(definition) {
            over.push(self.told(victim, accounts, false));
        }
    }

    fn told(&self, victim: Source, accounts: &Accounts, ongoing: bool) -> Victim {
        let kinds = Backscatter::ALL.iter().filter(|&&kind| self.kinds & (1 << kind as u32) != 0);
        Victim {
            victim,
            start: self.start,
            end: self.last,
            ongoing,
            packets: self.packets,
            share: accounts.share(self.begun, self.last),
            peak_per_minute: self.peak,
            ports: self.ports.iter().flatten().map(Port::to_string).collect(),
            kinds: kinds.map(|kind| kind.label().to_owned()).collect(),
        }
    }
}
