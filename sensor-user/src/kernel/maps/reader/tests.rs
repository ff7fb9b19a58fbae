//! The reader against programs that store while it reads: each read takes a little at a time, and between any two
//! a program may have got on, or not.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use sensor_common::hot::{self, Behind, Place};
use sensor_common::layout::{SLOT_PAGES, WORDS_LENGTH};

use super::*;

const CPUS: usize = 2;
const PAGES: usize = WORDS_PAGES as usize;

/// One store of a program.
#[derive(Clone, Copy, Debug)]
enum Store {
    Settings(usize),
    Word { slot: usize, word: HotWord, length: u32 },
    Packets(usize, u64),
    Bytes(usize, u64),
}

/// One CPU's maps.
struct Memory {
    settings: Settings,
    words: Box<[Words]>,
    pages: Vec<Page>,
    /// What was counted: a packet is, once its word is stored.
    truth: Vec<Counter>,
}

impl Memory {
    fn new() -> Self {
        let words = vec![Words::ZERO].into();
        let truth = vec![Counter::default(); WORDS_LENGTH as usize];
        Self { settings: Settings::default(), words, pages: vec![Page::ZERO; PAGES], truth }
    }

    fn store(&mut self, store: Store) {
        const LENGTH: usize = PAGE_SLOTS as usize;
        match store {
            Store::Settings(slot) => self.settings.0[slot / LENGTH] += 1,
            Store::Word { slot, word, length } => {
                self.words[0].0[slot] = word;
                add(&mut self.truth[slot], Counter { packets: 1, bytes: length.into() });
            }
            Store::Packets(slot, packets) => self.pages[slot / LENGTH].0[slot % LENGTH].packets = packets,
            Store::Bytes(slot, bytes) => self.pages[slot / LENGTH].0[slot % LENGTH].bytes = bytes,
        }
    }
}

/// What the program of the kernel does for some packets, as a list of stores.
#[derive(Clone)]
struct Recorder {
    memory: Rc<RefCell<(Memory, Vec<Store>)>>,
    slot: usize,
    length: u32,
}

impl Recorder {
    fn store(&self, store: Store) {
        let (memory, stores) = &mut *self.memory.borrow_mut();
        memory.store(store);
        stores.push(store);
    }
}

impl Place<10, 22> for Recorder {
    type Behind = Self;

    fn word(&self) -> HotWord {
        self.memory.borrow().0.words[0].0[self.slot]
    }

    fn set_word(&self, word: HotWord) {
        self.store(Store::Word { slot: self.slot, word, length: self.length });
    }

    fn behind(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Behind for Recorder {
    fn counter(&self) -> Counter {
        const LENGTH: usize = PAGE_SLOTS as usize;
        self.memory.borrow().0.pages[self.slot / LENGTH].0[self.slot % LENGTH]
    }

    fn raise_settings(&self) {
        self.store(Store::Settings(self.slot));
    }

    fn set_packets(&self, packets: u64) {
        self.store(Store::Packets(self.slot, packets));
    }

    fn set_bytes(&self, bytes: u64) {
        self.store(Store::Bytes(self.slot, bytes));
    }
}

fn stores_of(packets: &[(usize, u32)]) -> Vec<Store> {
    let memory = Rc::new(RefCell::new((Memory::new(), Vec::new())));
    for &(slot, length) in packets {
        hot::add(&Recorder { memory: Rc::clone(&memory), slot, length }, length);
    }
    let (_, stores) = &mut *memory.borrow_mut();
    std::mem::take(stores)
}

/// Programs on several CPUs that get on while they are looked at.
struct Racing {
    memories: Vec<Memory>,
    stores: Vec<std::vec::IntoIter<Store>>,
    /// How far they get between two looks: some numbers, again and again.
    steps: std::iter::Cycle<std::vec::IntoIter<usize>>,
    /// Whether the reader is shown, again and again, the settings that it saw first.
    shows_old_settings: bool,
    shown: Vec<Settings>,
}

impl Racing {
    fn get_on(&mut self) {
        for (memory, stores) in self.memories.iter_mut().zip(&mut self.stores) {
            let step = self.steps.next().expect("it goes on for ever");
            stores.by_ref().take(step).for_each(|store| memory.store(store));
        }
    }

    fn truth(&self) -> Vec<Counter> {
        let mut sums = vec![Counter::default(); WORDS_LENGTH as usize];
        for memory in &self.memories {
            sums.iter_mut().zip(&memory.truth).for_each(|(sum, &counter)| add(sum, counter));
        }
        sums
    }
}

/// Slots that are copied between two moments at which the programs may get on.
const AT_ONCE: usize = 64;

impl Source for &mut Racing {
    fn settings(&mut self, _element: u32, per_cpu: &mut [Settings]) -> io::Result<()> {
        for (cpu, shown) in per_cpu.iter_mut().enumerate() {
            self.get_on();
            let now = self.memories[cpu].settings;
            if self.shown.len() < CPUS {
                self.shown.push(now);
            }
            *shown = if self.shows_old_settings { self.shown[cpu] } else { now };
        }
        Ok(())
    }

    fn words(&mut self, _element: u32, per_cpu: &mut [Words]) -> io::Result<()> {
        for (cpu, words) in per_cpu.iter_mut().enumerate() {
            for start in (0..WORDS_LENGTH as usize).step_by(AT_ONCE) {
                self.get_on();
                let range = start..start + AT_ONCE;
                words.0[range.clone()].copy_from_slice(&self.memories[cpu].words[0].0[range]);
            }
        }
        Ok(())
    }

    fn page(&mut self, page: u32, per_cpu: &mut [Page]) -> io::Result<()> {
        for (cpu, counters) in per_cpu.iter_mut().enumerate() {
            for start in (0..PAGE_SLOTS as usize).step_by(AT_ONCE) {
                self.get_on();
                let range = start..start + AT_ONCE;
                let from = &self.memories[cpu].pages[page as usize].0[range.clone()];
                counters.0[range].copy_from_slice(from);
            }
        }
        Ok(())
    }
}

/// Reads again and again until all is stored and nothing comes any more. Gives how many values were too low, and
/// how many too high.
fn race(packets: &[Vec<(usize, u32)>], steps: Vec<usize>, shows_old_settings: bool) -> (usize, usize) {
    let mut racing = Racing {
        memories: (0..CPUS).map(|_| Memory::new()).collect(),
        stores: packets.iter().map(|packets| stores_of(packets).into_iter()).collect(),
        steps: steps.into_iter().cycle(),
        shows_old_settings,
        shown: Vec::new(),
    };
    let mut reader = Reader::new(CPUS);
    let (mut low, mut high) = (0, 0);
    loop {
        let is_last = racing.stores.iter().all(|stores| stores.len() == 0);
        racing.shown.clear();
        let least = racing.truth();
        let mut sums = vec![Counter::default(); WORDS_LENGTH as usize];
        let pages = sums.chunks_exact_mut(PAGE_SLOTS as usize);
        reader.add(&mut &mut racing, 0, pages).expect("memory can be read");
        let most = racing.truth();
        for ((sum, least), most) in sums.iter().zip(&least).zip(&most) {
            low += usize::from(sum.packets < least.packets || sum.bytes < least.bytes);
            high += usize::from(sum.packets > most.packets || sum.bytes > most.bytes);
        }
        if is_last {
            assert_eq!(sums, most, "nothing came meanwhile");
            return (low, high);
        }
    }
}

/// Packets to few slots of all pages, so that each counter is set many times.
fn packets(count: usize) -> impl Strategy<Value = Vec<(usize, u32)>> {
    let slot = prop_oneof![Just(23), Just(2_047), Just(2_048), Just(8_191), 0..WORDS_LENGTH as usize];
    let length = prop_oneof![Just(60), 60..1_515_u32, Just(65_535)];
    prop::collection::vec((slot, length), count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_is_too_low_or_too_high(
        packets in prop::collection::vec(packets(6_000), CPUS),
        steps in prop::collection::vec(prop_oneof![8 => 1..5_usize, 1 => 0..600_usize], 50..60),
    ) {
        prop_assert_eq!(race(&packets, steps, false), (0, 0));
    }
}

/// The control: a reader that believes that nothing was set looks once, and is wrong.
#[test]
fn without_the_second_look_values_are_wrong() {
    let packets = vec![vec![(23, 60); 40_000]; CPUS];
    let (low, high) = race(&packets, vec![0, 3, 0, 7, 1, 0, 11], true);
    assert!(low + high > 0);
}

#[test]
fn sums_that_are_not_there_are_not_read() {
    let mut racing = Racing {
        memories: (0..CPUS).map(|_| Memory::new()).collect(),
        stores: vec![stores_of(&[(1, 60)]).into_iter(), stores_of(&[(1, 61)]).into_iter()],
        steps: vec![1].into_iter().cycle(),
        shows_old_settings: false,
        shown: Vec::new(),
    };
    let mut sums = vec![Counter::default(); PAGE_SLOTS as usize];
    let first = SLOT_PAGES / WORDS_PAGES * WORDS_PAGES;
    assert_eq!(SLOT_PAGES - first, 1, "the last element has one page of slots");
    let pages = sums.chunks_exact_mut(PAGE_SLOTS as usize);
    Reader::new(CPUS).add(&mut &mut racing, 0, pages).expect("memory can be read");
    assert_eq!(sums[1], Counter { packets: 2, bytes: 121 });
}
