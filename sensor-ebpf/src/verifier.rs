//! Keeps the compiler from optimising away what the verifier has to see.

/// `value`, of which the compiler no longer knows anything.
///
/// An index compared after this is compared in the register that is then added to the address. Otherwise the
/// compiler may compare one register and compute the address from another; that they are equal, the verifiers
/// of 5.10 and 6.1 do not find out.
#[inline(always)]
pub fn opaque<T: Copy>(value: T) -> T {
    // SAFETY: it is a local variable, and initialised.
    unsafe { core::ptr::read_volatile(&raw const value) }
}
