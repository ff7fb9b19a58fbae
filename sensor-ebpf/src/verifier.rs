//! Keeps the compiler from optimising away what the verifier has to see.

/// `index`, if it is below `LENGTH`; it must be below twice that.
///
/// The compiler must know nothing of the value: it would leave out a comparison whose outcome it knows, or
/// compare one register and compute the address from another, which the verifiers of 5.10 and 6.1 do not see to
/// be equal. And the verifier must not know too much: some versions follow a branch that contradicts what they
/// know, and refuse the index, of which no value is left. The mask gives it values again; it is so wide that
/// the comparison cannot become one of equality, which tells the older versions nothing.
#[inline(always)]
pub fn below<const LENGTH: usize>(index: usize) -> Option<usize> {
    // SAFETY: it is a local variable, and initialised.
    let index = unsafe { core::ptr::read_volatile(&raw const index) } & (2 * LENGTH.next_power_of_two() - 1);
    (index < LENGTH).then_some(index)
}
