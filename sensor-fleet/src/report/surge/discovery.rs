//! Which candidates are news: Benjamini and Hochberg's procedure, over events.
//!
//! With a million cells, a thousand have one chance in a thousand by chance alone. What a candidate *costs* is how
//! many false ones are expected among all that are as unlikely as it. The procedure chooses the level so that
//! the expected part that is false among what passes stays below a given rate; where nothing is going on at all, that
//! rate is the chance of reporting anything. What is counted are events, not the many days, sensors and sums on
//! which one event is found: a worm that a thousand sensors see makes room for one false event, not for a thousand.

/// The cost at or below which a candidate passes: the largest of rank k (1 is the least) that is at most `k × rate`.
/// Nothing passes if there is none.
pub(super) fn level(mut costs: Vec<f64>, rate: f64) -> Option<f64> {
    costs.sort_by(f64::total_cmp);
    let ranks = (1..).map(f64::from);
    costs.into_iter().zip(ranks).filter(|(cost, rank)| *cost <= rank * rate).map(|(cost, _)| cost).last()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The example of Benjamini and Hochberg (1995), section 3.3: fifteen endpoints of a trial of thrombolysis. The
    /// cost of a chance is the chance times the number of tests.
    const TRIAL: [f64; 15] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
        0.6528, 0.7590, 1.0,
    ];

    #[rstest]
    #[case::as_published(&TRIAL, 15.0, 0.05, Some(0.0095))]
    #[case::more_tests_with_a_chance_of_one(&TRIAL, 150.0, 0.05, Some(0.0004))]
    #[case::a_looser_rate(&TRIAL, 15.0, 0.1, Some(0.0459))]
    // The third is above its own step and passes by the fourth's.
    #[case::steps_up(&[0.01, 0.02, 0.045, 0.047], 4.0, 0.05, Some(0.047))]
    #[case::none(&[0.2, 0.6], 2.0, 0.05, None)]
    #[case::no_tests(&[], 0.0, 0.05, None)]
    #[case::ties(&[0.025, 0.025], 2.0, 0.05, Some(0.025))]
    fn passes_up_to(
        #[case] chances: &[f64],
        #[case] tested: f64,
        #[case] rate: f64,
        #[case] expected: Option<f64>,
    ) {
        let costs: Vec<f64> = chances.iter().rev().map(|chance| chance * tested).collect();
        assert_eq!(level(costs, rate), expected.map(|chance| chance * tested));
    }
}
