//! Whether there are threads enough. Who starts the workers panics when there are not, so that is found out before.

use std::io;
use std::sync::{Mutex, PoisonError};

/// The threads of a server beside its workers: of the feed, of the history, of the reader of bars, and of what accepts
/// connections.
pub(super) const BESIDE_WORKERS: usize = 4;

/// Starts so many threads at the same time, and ends them.
///
/// # Errors
///
/// Returns what the system says when it has fewer.
pub(super) fn check(threads: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // All of them wait here until the last one is there, or one is not to be had.
        let _shut = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..threads {
            std::thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()))?;
        }
        Ok(())
    })
}
