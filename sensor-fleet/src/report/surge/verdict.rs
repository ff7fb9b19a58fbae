//! Who saw a surge, out of those who could have seen it.

use std::collections::BTreeMap;

use crate::vocabulary::verdict::SurgeVerdict;

/// The sensors of a region on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Region {
    /// Those that observed, and have a baseline.
    pub(super) judged: usize,
    /// Those of them that saw the surge.
    pub(super) saw: usize,
}

/// The verdict over the regions; `new` says that the baselines of all sensors that saw it were empty.
///
/// In this order:
/// - `NewPort`, if they were. How many sensors of how many is said beside it.
/// - `SensorOnly`: one sensor saw it, and at least one other, wherever it is, could have. An only sensor can't
///   tell a local event from a worldwide one.
/// - `RegionOnly`: several sensors of one region, and another region could have seen it.
/// - `Global`: sensors of every region that was judged, and at least half of all sensors. With a single region
///   that is half of it.
/// - `Mixed`: anything else, and an only sensor.
pub(super) fn verdict(regions: &BTreeMap<&str, Region>, new: bool) -> SurgeVerdict {
    let judged: usize = regions.values().map(|region| region.judged).sum();
    let saw: usize = regions.values().map(|region| region.saw).sum();
    let able = regions.values().filter(|region| region.judged > 0).count();
    let seeing = regions.values().filter(|region| region.saw > 0).count();
    if new {
        SurgeVerdict::NewPort
    } else if judged < 2 {
        SurgeVerdict::Mixed
    } else if saw == 1 {
        SurgeVerdict::SensorOnly
    } else if seeing == 1 && able > 1 {
        SurgeVerdict::RegionOnly
    } else if seeing == able && 2 * saw >= judged {
        SurgeVerdict::Global
    } else {
        SurgeVerdict::Mixed
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_of_many(&[(1, 10), (0, 10)], SurgeVerdict::SensorOnly)]
    #[case::one_of_two(&[(1, 2)], SurgeVerdict::SensorOnly)]
    #[case::one_of_two_in_two_regions(&[(1, 1), (0, 1)], SurgeVerdict::SensorOnly)]
    #[case::the_only_one_of_its_region(&[(1, 1), (0, 3), (0, 2)], SurgeVerdict::SensorOnly)]
    #[case::nobody_else_could_be_judged(&[(1, 1), (0, 0)], SurgeVerdict::Mixed)]
    #[case::an_only_sensor(&[(1, 1)], SurgeVerdict::Mixed)]
    #[case::two_of_a_region(&[(2, 10), (0, 10)], SurgeVerdict::RegionOnly)]
    #[case::all_of_a_region(&[(10, 10), (0, 1)], SurgeVerdict::RegionOnly)]
    #[case::the_other_region_is_out(&[(10, 10), (0, 0)], SurgeVerdict::Global)]
    #[case::all(&[(10, 10), (10, 10)], SurgeVerdict::Global)]
    #[case::both_of_two(&[(1, 1), (1, 1)], SurgeVerdict::Global)]
    #[case::half(&[(9, 10), (1, 10)], SurgeVerdict::Global)]
    #[case::less_than_half(&[(8, 10), (1, 10)], SurgeVerdict::Mixed)]
    #[case::a_region_did_not(&[(10, 10), (10, 10), (0, 1)], SurgeVerdict::Mixed)]
    #[case::all_of_a_single_region(&[(5, 5)], SurgeVerdict::Global)]
    #[case::half_of_a_single_region(&[(5, 10)], SurgeVerdict::Global)]
    #[case::some_of_a_single_region(&[(2, 10)], SurgeVerdict::Mixed)]
    fn verdicts(#[case] regions: &[(usize, usize)], #[case] expected: SurgeVerdict) {
        let names = ["a", "b", "c"];
        let regions: BTreeMap<_, _> =
            names.into_iter().zip(regions.iter().map(|&(saw, judged)| Region { judged, saw })).collect();
        assert_eq!(verdict(&regions, false), expected);
        assert_eq!(verdict(&regions, true), SurgeVerdict::NewPort);
    }
}
