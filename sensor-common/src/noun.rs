//! The word behind a number: 1 packet, 2 packets.

/// `one` of a single thing, else `many`.
#[must_use]
pub const fn noun<'a>(things: u64, one: &'a str, many: &'a str) -> &'a str {
    if things == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_two() {
        assert_eq!([0, 1, 2].map(|things| noun(things, "mouse", "mice")), ["mice", "mouse", "mice"]);
    }
}
