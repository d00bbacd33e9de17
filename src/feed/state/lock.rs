//! `StateLock`: two servers with the same file would replace each other's state.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::feed::state::{StateError, beside};

/// Keeps other servers away from a file until it is dropped, or the process ends. The lock is on a file of its own, because that of the
/// state is replaced by each new one; it stays there, empty.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Locks the file of the state at `path`.
    ///
    /// # Errors
    ///
    /// Returns an error if another server has locked it, or if the system cannot lock it.
    pub fn acquire(path: &Path) -> Result<Self, StateError> {
        let lock = beside(path, ".lock");
        let system = |source| StateError::System { path: path.into(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock).map_err(system)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: path.into(), lock }),
            Err(TryLockError::Error(source)) => Err(system(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_server_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let first = StateLock::acquire(&path).unwrap();
        let complaint = StateLock::acquire(&path).unwrap_err().to_string();
        assert!(complaint.ends_with("state.lock") && complaint.contains("another server uses it"), "{complaint}");
        StateLock::acquire(&directory.path().join("other")).unwrap();
        drop(first);
        StateLock::acquire(&path).unwrap();
    }
}
