//! Whole reports: that chance is no surge, and that a surge is found.

mod calibration;
mod cells;
mod events;
mod loud;
pub(super) mod simulate;
mod sources;

use super::{Settings, number};

/// How many reports a test judges that speaks of so many: all of them with `SENSOR_TESTS_FULL` in the environment, and without it
/// two fifths, which take minutes less.
fn judged(all: u64) -> u64 {
    if std::env::var_os("SENSOR_TESTS_FULL").is_some() { all } else { all * 2 / 5 }
}

/// In how many of these reports something false may be: the 97.5 % point of a binomial distribution of them and the promised rate.
fn may_be_wrong(reports: u64) -> u64 {
    let rate = Settings::default().false_discovery_rate;
    let mut wrong = 0;
    let mut probability = (1.0 - rate).powf(number(reports));
    let mut at_most = probability;
    while at_most < 0.975 {
        probability *= number(reports - wrong) / number(wrong + 1) * rate / (1.0 - rate);
        wrong += 1;
        at_most += probability;
    }
    wrong
}

#[test]
fn more_reports_may_be_wrong_of_more() {
    assert_eq!([40, 100, 200, 400].map(may_be_wrong), [5, 10, 16, 29]);
}
