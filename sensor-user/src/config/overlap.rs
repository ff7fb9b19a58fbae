//! Which prefixes overlap.
//!
//! Two prefixes are either disjoint or one lies within the other. Sorted by first address, the wider first, all
//! that lie within a prefix follow it at once: so one pass with a stack of open prefixes finds every overlap.

use super::Prefix;

/// A prefix that lies within another, or is the same; numbers are places in the list that was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// The narrower, or the later of two equal ones.
    pub inner: usize,
    /// The narrowest prefix around it.
    pub outer: usize,
}

/// One overlap for each prefix that lies within another, in O(n log n).
pub(super) fn overlaps(prefixes: &[Prefix]) -> Vec<Overlap> {
    let mut order: Vec<usize> = (0..prefixes.len()).collect();
    order.sort_by_key(|&place| (prefixes[place], place));
    let mut open: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for inner in order {
        while open.pop_if(|outer| !prefixes[*outer].contains(prefixes[inner])).is_some() {}
        if let Some(&outer) = open.last() {
            found.push(Overlap { inner, outer });
        }
        open.push(inner);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::IpAddr};

    use proptest::{collection::vec, prelude::*};

    use super::{super::prefix::tests::any_prefix, *};

    /// Prefixes from a corner of the address space, so that many overlap.
    fn crowded_prefix() -> impl Strategy<Value = Prefix> {
        let crowded = (any::<bool>(), 0..16u32, 24..=32u8).prop_map(|(v4, host, length)| {
            if v4 {
                Prefix::around(IpAddr::from((0x0a00_0000 + host * 5).to_be_bytes()), length)
            } else {
                Prefix::around(IpAddr::V6((u128::from(host * 5) << 96).into()), length)
            }
        });
        prop_oneof![9 => crowded, 1 => any_prefix()]
    }

    proptest! {
        #[test]
        fn the_same_as_comparing_all_with_all(prefixes in vec(crowded_prefix(), 0..40)) {
            let found = overlaps(&prefixes);
            for Overlap { inner, outer } in &found {
                prop_assert!(inner != outer && prefixes[*outer].contains(prefixes[*inner]));
            }
            let within_another = |inner: usize| {
                (0..prefixes.len()).any(|outer| {
                    prefixes[outer].contains(prefixes[inner]) && (prefixes[outer] != prefixes[inner] || outer < inner)
                })
            };
            let expected: BTreeSet<_> = (0..prefixes.len()).filter(|&inner| within_another(inner)).collect();
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(found.iter().map(|overlap| overlap.inner).collect::<BTreeSet<_>>(), expected);
        }
    }
}
