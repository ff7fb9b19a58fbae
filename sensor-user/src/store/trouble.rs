//! What SQLite complains of, in words for who runs the sensor.

use std::path::Path;

use anyhow::{Error, anyhow};
use rusqlite::ErrorCode;

/// What is wrong with a database, and what to do about it.
pub(super) fn in_words(path: &Path, error: &rusqlite::Error) -> Error {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            anyhow!("cannot write {path}: its disk is full; make room, or lower max_size in [store]")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => anyhow!(
            "{path} is damaged or no database ({error}): move it away with its -wal and -shm, and another is begun, or \
             bring it back from a copy"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            anyhow!("another program holds {path}: end it; `fuser {path}` shows which")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            anyhow!("cannot write {path} ({error}): let the agent write there, or name another [store] path")
        }
        Some(ErrorCode::SystemIoFailure) => anyhow!(
            "cannot write {path} ({error}): its disk is full or fails; make room, or name a folder on another in [store] \
             path"
        ),
        Some(ErrorCode::OperationInterrupted) => {
            anyhow!("the answer takes too long: ask for less time, for one port or for one sensor")
        }
        _ => anyhow!("the store {path} does not work: {error}"),
    }
}
