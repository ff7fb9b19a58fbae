//! Windows as the clock goes, and as it leaps.

use rstest::rstest;

use super::*;

const HOUR: i64 = 3_600;
/// 2023-11-14T22:00:00Z.
const START: i64 = 1_699_999_200;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

/// Ticks at these seconds; then the begins of the last and the current window, by the hour, and whether the last is full.
fn after(ticks: &[i64]) -> (Option<i64>, Option<i64>, bool) {
    let mut windows = Windows::new(Span::Hour, 1 << 20);
    for &second in ticks {
        windows.tick(at(second), None);
    }
    let begin = |window: &Option<Arc<Window>>| window.as_ref().map(|window| (window.start - START) / HOUR);
    (begin(&windows.last), begin(&windows.current), windows.last_full().is_some())
}

#[rstest]
#[case::first(&[7], None, Some(0), false)]
#[case::begun_in_the_middle(&[7, HOUR], Some(0), Some(1), false)]
#[case::full(&[7, HOUR, 2 * HOUR], Some(1), Some(2), true)]
#[case::from_the_begin(&[0, HOUR], Some(0), Some(1), true)]
#[case::a_little_back(&[0, HOUR, HOUR - 30, HOUR + 1], Some(0), Some(1), true)]
#[case::a_day_ahead(&[0, HOUR, 25 * HOUR], Some(1), Some(25), false)]
#[case::a_day_ahead_and_back(&[0, HOUR, 25 * HOUR, HOUR + 9, 2 * HOUR], Some(1), Some(2), false)]
#[case::a_day_back(&[0, HOUR, 2 * HOUR, -22 * HOUR], None, Some(-22), false)]
fn windows_follow_the_clock(
    #[case] ticks: &[i64],
    #[case] last: Option<i64>,
    #[case] current: Option<i64>,
    #[case] full: bool,
) {
    assert_eq!(after(ticks), (last, current, full));
}

#[test]
fn what_comes_late_is_of_its_own_hour() {
    let mut windows = Windows::new(Span::Hour, 1 << 20);
    windows.tick(at(0), None);
    windows.tick(at(HOUR), None);
    windows.at(at(HOUR - 1)).observed += 1;
    windows.at(at(HOUR)).observed += 2;
    // Hours late, as after a pause: nothing is lost, and nothing that is known goes.
    windows.at(at(-5 * HOUR)).observed += 4;
    let observed: Vec<_> = windows.both().map(|window| window.observed).collect();
    assert_eq!(observed, [5, 2]);
    assert!(windows.last_full().is_some());
}

#[test]
fn what_comes_late_of_an_hour_before_the_first_is_of_that_hour() {
    let mut windows = Windows::new(Span::Hour, 1 << 20);
    windows.tick(at(1), None);
    windows.at(at(-1)).observed += 1;
    let known: Vec<_> = windows.both().map(|window| (window.start - START, window.observed)).collect();
    assert_eq!(known, [(-HOUR, 1), (0, 0)]);
    assert!(windows.last_full().is_none());
}

/// Ticks each minute from the begin of an hour on, with a clock that leaps at some; the windows that are called full from
/// the leap on.
#[rstest]
#[case::as_usual(&[], &[0, 1, 2])]
#[case::within_an_hour(&[(30, 35)], &[1, 2])]
#[case::over_the_end_of_an_hour(&[(50, 61)], &[2])]
#[case::over_an_hour(&[(50, 121)], &[])]
#[case::back_within_an_hour(&[(30, 20)], &[1, 2])]
#[case::back_over_a_begin(&[(70, 50)], &[1, 2])]
fn a_clock_that_leaps_leaves_no_full_windows(#[case] leaps: &[(i64, i64)], #[case] full: &[i64]) {
    let mut windows = Windows::new(Span::Hour, 1 << 20);
    let (mut minute, mut leaps, mut found) = (0, leaps.iter().copied().peekable(), Vec::new());
    while minute <= 180 {
        windows.tick(at(60 * minute), None);
        if let Some((before, now)) = leaps.next_if(|(before, _)| *before == minute) {
            // What comes first after a leap is a record of the new time.
            windows.at(at(60 * now));
            windows.tick(at(60 * now), Some(Doubt { before: at(60 * before), now: at(60 * now) }));
            minute = now;
            found.clear();
        }
        let last = windows.last_full().map(|last| (last.start - START) / HOUR);
        found.extend(last.filter(|last| !found.contains(last)));
        minute += 1;
    }
    assert_eq!(found, full);
}

#[rstest]
#[case::of_the_hour_before(HOUR - 20, HOUR - 10, &[30, 0])]
#[case::of_this_hour(HOUR, HOUR + 10, &[0, 30])]
#[case::of_both(HOUR - 10, HOUR + 5, &[20, 10])]
#[case::of_before_both(-30, 30, &[15, 0])]
#[case::at_one_moment(HOUR - 1, HOUR - 1, &[30, 0])]
fn what_was_missed_is_of_the_hour_that_it_was_missed_in(
    #[case] from: i64,
    #[case] to: i64,
    #[case] expected: &[u64],
) {
    let mut windows = Windows::new(Span::Hour, 1 << 20);
    windows.tick(at(0), None);
    windows.tick(at(HOUR + 20), None);
    windows.miss(at(from), at(to), 30);
    assert_eq!(windows.both().map(|window| window.missed).collect::<Vec<_>>(), expected);
}

#[test]
fn every_table_has_its_part_of_the_least_memory() {
    let part = crate::sources::memory::window_bytes(crate::config::LEAST_MEMORY, 1) / PARTS;
    let least = [
        (Counted::<SlotKind>::LEAST, 3 * part),
        (Counted::<Option<Country>>::LEAST, part),
        (Counted::<Option<u32>>::LEAST, part),
        (Heavy::<Source, Doing>::least(0), 4 * part),
        (Heavy::<Pair, Seen>::least(0), 4 * part),
        (Heavy::<Prefix, Sent>::least(0), part),
        (Heavy::<Tuple, Shown>::least(Shown::MOST_BYTES), 4 * part),
    ];
    assert!(least.iter().all(|(least, bytes)| least <= bytes), "{least:?}");
}
