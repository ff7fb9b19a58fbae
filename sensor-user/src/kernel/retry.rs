//! Calls that a signal came in between, or that the kernel is not ready for: made again.
//!
//! The verifier gives up with `EAGAIN` when a signal is pending (kernel commit c3494801cd17), and a wait for an answer
//! with `EINTR`. A link that is just being attached is there with `EAGAIN` too, for as long as that takes
//! (`bpf_link_by_id`).

use std::error::Error;
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

use aya::programs::ProgramError;

/// More signals than this in a row are no accident.
const ATTEMPTS: u32 = 1_000;

/// A signal seldom comes in between so often: from then on there is a pause between two attempts.
const AT_ONCE: u32 = 10;

/// Between two attempts, so that all of them take a second.
const PAUSE: Duration = Duration::from_millis(1);

/// Makes a call until no signal comes in between and the kernel is ready, or for once too often.
///
/// # Errors
/// What the call says last.
pub(super) fn retried<T, E: Interrupted>(mut call: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    for attempt in 1..ATTEMPTS {
        match call() {
            Err(error) if error.is_interrupted() => {
                if attempt >= AT_ONCE {
                    thread::sleep(PAUSE);
                }
            }
            result => return result,
        }
    }
    call()
}

/// An error that may say that a signal came in between.
pub(super) trait Interrupted {
    /// Whether it does.
    fn is_interrupted(&self) -> bool;
}

impl Interrupted for io::Error {
    fn is_interrupted(&self) -> bool {
        matches!(self.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
    }
}

impl Interrupted for anyhow::Error {
    fn is_interrupted(&self) -> bool {
        self.chain().any(is_interrupted)
    }
}

impl Interrupted for ProgramError {
    fn is_interrupted(&self) -> bool {
        matches!(self, Self::LoadError { io_error, .. } if io_error.is_interrupted())
    }
}

/// Whether this error, and not one that it comes from, says so.
fn is_interrupted(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(Interrupted::is_interrupted)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, Result};
    use rstest::rstest;

    use super::*;

    /// Fails with this code as often, then succeeds; how often it was called.
    fn calls(code: i32, failures: u32) -> (u32, Result<()>) {
        let mut calls = 0;
        let result = retried(|| {
            calls += 1;
            if calls > failures { Ok(()) } else { Err(io::Error::from_raw_os_error(code)).context("cannot") }
        });
        (calls, result)
    }

    #[rstest]
    #[case::interrupted(libc::EINTR, 3, 4, true)]
    #[case::asked_to_try_again(libc::EAGAIN, 3, 4, true)]
    #[case::for_good(libc::EPERM, 3, 1, false)]
    #[case::without_end(libc::EAGAIN, u32::MAX, ATTEMPTS, false)]
    fn only_what_a_signal_interrupts_is_tried_again(
        #[case] code: i32,
        #[case] failures: u32,
        #[case] attempts: u32,
        #[case] succeeds: bool,
    ) {
        let (calls, result) = calls(code, failures);
        assert_eq!((calls, result.is_ok()), (attempts, succeeds));
    }
}
