//! Every moment at which a reader may look, and what it then says.
//!
//! A program is recorded: how a slot stands after each of its stores. A reader is six moments, each not before
//! the last. It must never say less than was counted when it began, nor more than when it ended; so what it says
//! never goes backwards, and is exact while nothing arrives.

extern crate std;

use core::cell::{Cell, RefCell};
use std::vec::Vec;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// Words that turn over after eight packets, or 16 bytes.
type SmallWord = Word<3, 4>;

/// How a slot stands between two stores.
#[derive(Clone, Copy, Debug)]
struct Moment<W> {
    settings: u64,
    word: W,
    counter: Counter,
    /// What was counted: a packet is, once its word is stored.
    truth: Counter,
}

/// When the program raises the count of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Raises {
    First,
    /// As it must not.
    Last,
}

/// A slot that remembers how it stood after each store.
struct Recorder<W> {
    raises: Raises,
    arrived: Cell<Counter>,
    moments: RefCell<Vec<Moment<W>>>,
}

impl<W: Copy + Default> Recorder<W> {
    fn now(&self) -> Moment<W> {
        *self.moments.borrow().last().expect("it stands somehow from the start")
    }

    fn store(&self, store: impl FnOnce(&mut Moment<W>)) {
        let mut moment = self.now();
        store(&mut moment);
        self.moments.borrow_mut().push(moment);
    }
}

impl<'a, const P: u32, const B: u32> Place<P, B> for &'a Recorder<Word<P, B>> {
    type Behind = Self;

    fn word(&self) -> Word<P, B> {
        self.now().word
    }

    fn set_word(&self, word: Word<P, B>) {
        let truth = self.arrived.get();
        self.store(|moment| (moment.word, moment.truth) = (word, truth));
    }

    fn behind(&self) -> Option<&'a Recorder<Word<P, B>>> {
        Some(self)
    }
}

impl<W: Copy + Default> Behind for &Recorder<W> {
    fn counter(&self) -> Counter {
        self.now().counter
    }

    fn raise_settings(&self) {
        if self.raises == Raises::First {
            self.store(|moment| moment.settings += 1);
        }
    }

    fn set_packets(&self, packets: u64) {
        self.store(|moment| moment.counter.packets = packets);
    }

    fn set_bytes(&self, bytes: u64) {
        self.store(|moment| moment.counter.bytes = bytes);
        if self.raises == Raises::Last {
            self.store(|moment| moment.settings += 1);
        }
    }
}

/// How a slot stands while packets of these lengths are counted.
fn record<const P: u32, const B: u32>(raises: Raises, lengths: &[u32]) -> Vec<Moment<Word<P, B>>> {
    let start =
        Moment { settings: 0, word: Word::default(), counter: Counter::default(), truth: Counter::default() };
    let recorder = Recorder { raises, arrived: Cell::default(), moments: RefCell::new(std::vec![start]) };
    for &length in lengths {
        let Counter { packets, bytes } = recorder.arrived.get();
        recorder.arrived.set(Counter { packets: packets + 1, bytes: bytes + u64::from(length) });
        add(&&recorder, length);
    }
    recorder.moments.into_inner()
}

/// Whether the reader looks again where the count of settings has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    Twice,
    /// As it must not.
    Once,
}

/// What a reader says that looks at the settings, the word, the counter, the settings, the word and the counter
/// at these moments; and when it has ended.
fn reads<const P: u32, const B: u32>(
    looks: Looks,
    moments: &[Moment<Word<P, B>>],
    at: [usize; 6],
) -> (Counter, usize) {
    let [settings, word, counter, settings_again, word_again, counter_again] = at;
    let first = moments[counter].counter;
    if looks == Looks::Once || moments[settings].settings == moments[settings_again].settings {
        return (moments[word].word.read(first), settings_again);
    }
    (moments[word_again].word.read_again(first, moments[counter_again].counter), counter_again)
}

/// Whether a reader says what it may.
fn is_true<W>(moments: &[Moment<W>], began: usize, (said, ended): (Counter, usize)) -> bool {
    let (least, most) = (moments[began].truth, moments[ended].truth);
    (least.packets..=most.packets).contains(&said.packets) && (least.bytes..=most.bytes).contains(&said.bytes)
}

/// How many of all readers say what they may not.
fn liars<const P: u32, const B: u32>(looks: Looks, moments: &[Moment<Word<P, B>>]) -> usize {
    let count = moments.len();
    let mut liars = 0;
    for a in 0..count {
        for b in a..count {
            for c in b..count {
                for d in c..count {
                    // Who does not look again is one reader, whatever comes after.
                    let again = if looks == Looks::Once || moments[a].settings == moments[d].settings {
                        d + 1
                    } else {
                        count
                    };
                    for e in d..again {
                        for f in e..again {
                            let read = reads(looks, moments, [a, b, c, d, e, f]);
                            liars += usize::from(!is_true(moments, a, read));
                        }
                    }
                }
            }
        }
    }
    liars
}

#[rstest]
#[case::shortest(&[1; 20])]
#[case::longest(&[3; 12])]
#[case::both_fields_turn_over_at_once(&[2; 16])]
#[case::longer_and_longer(&[1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 1, 3, 2])]
#[case::mixed(&[3, 1, 1, 2, 3, 3, 1, 1, 1, 2, 1, 3, 1, 2])]
#[case::empty_ones(&[0, 0, 3, 0, 0, 0, 0, 3, 3, 0, 0, 0, 3, 3])]
fn no_reader_is_wrong_whenever_it_looks(#[case] lengths: &[u32]) {
    let moments = record::<3, 4>(Raises::First, lengths);
    assert!(moments.iter().any(|moment| moment.settings > 3), "the counter is set several times");
    assert_eq!(liars(Looks::Twice, &moments), 0);
}

/// The controls: what the order and the second look are for.
#[rstest]
#[case::without_the_second_look(Raises::First, Looks::Once)]
#[case::settings_raised_last(Raises::Last, Looks::Twice)]
fn a_wrong_order_is_seen(#[case] raises: Raises, #[case] looks: Looks) {
    let moments = record::<3, 4>(raises, &[1; 20]);
    assert!(liars(looks, &moments) > 0);
}

#[test]
fn a_word_and_a_counter_tell_every_value() {
    const TURN: u64 = SmallWord::PACKETS_MODULUS as u64;
    for truth in 0..4 * TURN {
        let word = Word::<3, 4>(u32::try_from(truth % TURN).expect("three bits"));
        for behind in 0..=truth.min(TURN / 2) {
            let counter = Counter { packets: truth - behind, bytes: 0 };
            assert_eq!(word.read(counter).packets, truth);
            assert_eq!(word.exact(counter).packets, truth);
        }
        // Set after the word was read.
        for ahead in 0..TURN / 4 {
            assert_eq!(word.read(Counter { packets: truth + ahead, bytes: 0 }).packets, truth + ahead);
        }
    }
}

/// Lengths of frames, the longest included.
fn lengths() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        prop::collection::vec(60..61_u32, 1_000..4_000),
        prop::collection::vec(60..1_515_u32, 1_000..4_000),
        prop::collection::vec(prop_oneof![Just(65_535), 0..65_536_u32], 1_000..4_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nor_with_words_of_full_width(
        lengths in lengths(),
        readers in prop::collection::vec((any::<prop::sample::Index>(), prop::array::uniform5(0..1_200_usize)), 500),
    ) {
        let moments = record::<10, 22>(Raises::First, &lengths);
        for (start, steps) in readers {
            let mut at = [start.index(moments.len()); 6];
            for (place, step) in (1..).zip(steps) {
                // Some steps are long, and others none: what is rare is in between two stores.
                let step = if step > 600 { step } else { step % 4 };
                at[place] = (at[place - 1] + step).min(moments.len() - 1);
            }
            prop_assert!(is_true(&moments, at[0], reads(Looks::Twice, &moments, at)), "{:?}", at);
        }
        let quiet = [moments.len() - 1; 6];
        let (said, end) = reads(Looks::Twice, &moments, quiet);
        prop_assert_eq!(said, moments[end].truth);
    }
}
