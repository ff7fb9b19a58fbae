//! Normal scores.

/// The value that a normal variable exceeds with this chance, at most one half (Acklam's approximation, good to nine
/// digits in the value).
pub(super) fn normal_score(ln_chance: f64) -> f64 {
    const CENTRE: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const BELOW_CENTRE: [f64; 6] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
        1.0,
    ];
    const TAIL: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const BELOW_TAIL: [f64; 5] = [
        0.007_784_695_709_041_462,
        0.322_467_129_070_039_8,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let polynomial = |of: &[f64], at: f64| of.iter().fold(0.0, |sum, coefficient| sum * at + coefficient);
    let chance = ln_chance.exp();
    if chance > 0.024_25 {
        let at = 0.5 - chance;
        at * polynomial(&CENTRE, at * at) / polynomial(&BELOW_CENTRE, at * at)
    } else {
        let at = (-2.0 * ln_chance).sqrt();
        -polynomial(&TAIL, at) / polynomial(&BELOW_TAIL, at)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // scipy 1.17.1, norm.isf
    #[rstest]
    #[case(0.5, 0.0)]
    #[case(0.1, 1.281_551_565_5)]
    #[case(0.001, 3.090_232_306_2)]
    #[case(1e-12, 7.034_483_825_3)]
    fn normal_scores(#[case] chance: f64, #[case] expected: f64) {
        assert!((normal_score(chance.ln()) - expected).abs() < 1e-7);
    }
}
