//! Which of many tests are news: Benjamini and Hochberg's procedure.
//!
//! With a million cells, a thousand have one chance in a thousand by chance alone. The procedure chooses the level
//! so that among what passes, the expected part that is chance stays below a given rate; where nothing is going
//! on at all, that rate is the chance of reporting anything.

/// The level at or below which a test passes: the largest `p` of rank k (1 is the smallest) that is at most
/// `k / tested × rate`. Nothing passes if there is none.
///
/// `chances` may leave out tests; they are taken to have a chance of 1, and count in `tested` all the same.
pub(super) fn level(mut chances: Vec<f64>, tested: u64, rate: f64) -> Option<f64> {
    chances.sort_by(f64::total_cmp);
    let tested = super::number(tested.max(chances.len() as u64));
    let mut passed = None;
    let mut rank = 0.0;
    for chance in chances {
        rank += 1.0;
        if chance <= rank / tested * rate {
            passed = Some(chance);
        }
    }
    passed
}

/// The chance that none of `tested` tests is news, by their smallest chances (Simes 1986); those that are left out
/// have a chance of 1.
pub(super) fn any(mut chances: Vec<f64>, tested: u32) -> f64 {
    chances.sort_by(f64::total_cmp);
    let ranks = (1..).map(f64::from);
    chances.into_iter().zip(ranks).map(|(chance, rank)| chance * f64::from(tested) / rank).fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The example of Benjamini and Hochberg (1995), section 3.3: fifteen endpoints of a trial of thrombolysis.
    const TRIAL: [f64; 15] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
        0.6528, 0.7590, 1.0,
    ];

    #[rstest]
    #[case::as_published(&TRIAL, 15, 0.05, Some(0.0095))]
    #[case::more_tests_with_a_chance_of_one(&TRIAL, 150, 0.05, Some(0.0004))]
    #[case::a_looser_rate(&TRIAL, 15, 0.1, Some(0.0459))]
    // The third is above its own step and passes by the fourth's.
    #[case::steps_up(&[0.01, 0.02, 0.045, 0.047], 4, 0.05, Some(0.047))]
    #[case::none(&[0.2, 0.6], 2, 0.05, None)]
    #[case::no_tests(&[], 0, 0.05, None)]
    #[case::ties(&[0.025, 0.025], 2, 0.05, Some(0.025))]
    fn passes_up_to(
        #[case] chances: &[f64],
        #[case] tested: u64,
        #[case] rate: f64,
        #[case] expected: Option<f64>,
    ) {
        let mut reversed = chances.to_vec();
        reversed.reverse();
        assert_eq!(level(reversed, tested, rate), expected);
    }

    #[rstest]
    #[case::one_of_many(&[0.001], 100, 0.1)]
    #[case::many(&[0.01, 0.01, 0.01, 0.01], 4, 0.01)]
    #[case::none(&[], 4, 1.0)]
    #[case::never_above_one(&[0.5], 4, 1.0)]
    fn somewhere(#[case] chances: &[f64], #[case] tested: u32, #[case] expected: f64) {
        assert!((any(chances.to_vec(), tested) - expected).abs() < 1e-12);
    }
}
