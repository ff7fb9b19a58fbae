//! The BPF programs that the kernel has, whoever loaded them.

use std::io;

use aya::programs::{self, ProgramError, ProgramInfo};

/// All of them. One that is unloaded while they are gone through is none, and no error: others come and go at any time.
///
/// # Errors
/// Each item: this user may not know.
pub(in crate::kernel) fn loaded_programs() -> impl Iterator<Item = Result<ProgramInfo, ProgramError>> {
    programs::loaded_programs().filter(|program| !program.as_ref().is_err_and(is_gone))
}

fn is_gone(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.kind() == io::ErrorKind::NotFound)
}
