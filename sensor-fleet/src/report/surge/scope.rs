//! Which sensors saw an event: the likeliest of all accounts of it.
//!
//! Each sensor's level during the event tells something, and the less the more it varies. Asked one by one,
//! some of many would be put on the wrong side, and a worldwide event look local or a local one mixed. So
//! what is weighed are whole accounts: it was on one sensor, in one region, everywhere, or on any sensors; the first
//! three as likely as each other, the last less. Within the best account each sensor is asked in its light.

/// A sensor that could have seen the event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lift {
    /// Its region, by number.
    pub(super) region: usize,
    /// The logarithm of its packets during the event to its baseline, positive in the event's direction.
    pub(super) away: f32,
    /// The standard error of that.
    pub(super) error: f32,
}

/// The chance that a sensor within a region or fleet that saw an event saw it, and that one outside did.
const WITHIN: f64 = 0.9;
const OUTSIDE: f64 = 0.01;
/// Logarithm of how much less likely it is beforehand that an event is on any sensors.
const ANYWHERE: f64 = -4.0;
/// An event's levels differ from sensor to sensor by this part.
const VARIATION: f32 = 0.35;
/// Who has less than this of an event's level did not see it, whatever the error.
const LEAST: f32 = 0.4;
/// Degrees of freedom of the errors.
const FREEDOM: f64 = 5.0;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Account {
    One(usize),
    Region(usize),
    Everywhere,
    Anywhere,
}

/// Whether each saw it; one at least, if there are any. `least` is the smallest level that is an event.
pub(super) fn saw(levels: &[Lift], least: f32) -> Vec<bool> {
    let Some(highest) =
        (0..levels.len()).max_by(|a, b| strength(levels[*a]).total_cmp(&strength(levels[*b])))
    else {
        return Vec::new();
    };
    let regions: std::collections::BTreeSet<usize> = levels.iter().map(|level| level.region).collect();
    let accounts = [Account::Anywhere, Account::One(highest)]
        .into_iter()
        .chain((levels.len() > 1).then_some(Account::Everywhere))
        .chain(regions.iter().filter(|_| regions.len() > 1).map(|region| Account::Region(*region)));
    let judged = accounts.map(|account| {
        let event = height(levels, account, least);
        let before = match account {
            Account::One(_) => -count(levels.len()).ln(),
            Account::Region(_) => -count(regions.len()).ln(),
            Account::Everywhere => 0.0,
            Account::Anywhere => ANYWHERE,
        };
        let likely = |(at, level): (usize, &Lift)| {
            let part = part(levels, account, at);
            (part * evidence(*level, event).exp() + 1.0 - part).ln()
        };
        (before + levels.iter().enumerate().map(likely).sum::<f64>(), account, event)
    });
    let Some((_, account, event)) = judged.max_by(|a, b| a.0.total_cmp(&b.0)) else { return Vec::new() };
    let mut saw: Vec<bool> = levels
        .iter()
        .enumerate()
        .map(|(at, level)| {
            let part = part(levels, account, at);
            level.away > LEAST * event && part * evidence(*level, event).exp() > 1.0 - part
        })
        .collect();
    if !saw.contains(&true) {
        saw[highest] = true;
    }
    saw
}

fn strength(level: Lift) -> f32 {
    level.away / level.error
}

/// How likely it is, in this account, that a sensor saw it.
fn part(levels: &[Lift], account: Account, at: usize) -> f64 {
    let within = match account {
        Account::One(one) => at == one,
        Account::Region(region) => levels[at].region == region,
        Account::Everywhere => true,
        Account::Anywhere => return 0.5,
    };
    if within { WITHIN } else { OUTSIDE }
}

/// An event's level in this account: the middle of those who saw it.
fn height(levels: &[Lift], account: Account, least: f32) -> f32 {
    let mut lifts: Vec<f32> = levels
        .iter()
        .enumerate()
        .filter(|(at, level)| match account {
            Account::One(one) => *at == one,
            Account::Region(region) => level.region == region,
            Account::Everywhere => true,
            Account::Anywhere => level.away > least / 2.0,
        })
        .map(|(_, level)| level.away)
        .collect();
    lifts.sort_by(f32::total_cmp);
    lifts.get(lifts.len() / 2).copied().unwrap_or(least).max(least)
}

/// The logarithm of how much better the event explains this level than nothing does.
fn evidence(level: Lift, event: f32) -> f64 {
    let Lift { away: lift, error, .. } = level;
    let wide = error.hypot(VARIATION * event);
    let density = |away: f32, scale: f32| {
        let away = f64::from(away / scale);
        -(FREEDOM + 1.0) / 2.0 * (away * away / FREEDOM).ln_1p() - f64::from(scale).ln()
    };
    density(lift - event, wide) - density(lift, error)
}

#[expect(clippy::cast_precision_loss, reason = "sensors")]
const fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Lifts of three sensors in each of three regions, as logarithms; the last of a triple is its error.
    #[rstest]
    #[case::one(&[(0, 1.1, 0.2), (0, 0.1, 0.2), (0, -0.2, 0.2), (1, 0.3, 0.2), (1, 0.0, 0.2), (2, 0.1, 0.2)], "#.....")]
    #[case::a_region(&[(0, 1.1, 0.2), (0, 0.9, 0.2), (0, 1.4, 0.2), (1, 0.3, 0.2), (1, 0.0, 0.2), (2, 0.1, 0.2)], "###...")]
    #[case::everywhere(&[(0, 1.1, 0.2), (0, 0.9, 0.2), (1, 1.4, 0.2), (1, 0.7, 0.2), (2, 0.8, 0.2), (2, 1.2, 0.2)], "######")]
    #[case::two_regions(&[(0, 1.4, 0.1), (0, 0.0, 0.1), (0, 0.1, 0.1), (1, 1.3, 0.1), (1, 0.0, 0.1), (2, 0.0, 0.1)], "#..#..")]
    #[case::uncertain_outside(&[(0, 1.1, 0.2), (0, 1.2, 0.2), (1, 0.45, 0.25), (1, 0.0, 0.2), (2, 0.1, 0.2), (2, 0.2, 0.2)], "##....")]
    #[case::an_only_sensor(&[(0, 1.1, 0.2)], "#")]
    #[case::nobody_much(&[(0, 0.1, 0.2), (0, 0.2, 0.2)], ".#")]
    #[case::no_sensor(&[], "")]
    fn who_saw_it(#[case] levels: &[(usize, f32, f32)], #[case] expected: &str) {
        let levels: Vec<Lift> =
            levels.iter().map(|&(region, away, error)| Lift { region, away, error }).collect();
        let shown: String = saw(&levels, 0.7).into_iter().map(|saw| if saw { '#' } else { '.' }).collect();
        assert_eq!(shown, expected);
    }
}
