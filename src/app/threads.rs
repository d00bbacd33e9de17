//! Checks before the start that the system has enough threads, because actix panics if a worker cannot be started.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::app::Settings;

/// Threads beside the workers: feed, history, reader of bars, and the thread that accepts connections.
const BESIDE_WORKERS: usize = 4;

/// Returns the number of threads beside the workers: one more if the keys of an issuer of tokens are read, and two if the stream is
/// recorded, one if the state is kept, and two for each replay for a client.
pub(super) fn beside_workers(settings: &Settings) -> usize {
    // Each replay for a client reads ahead, and seeks.
    let replays = if settings.feed.files_dir.is_empty() { 0 } else { 2 * settings.feed.replays_max };
    let read = usize::from(!settings.auth.jwt.jwks_url.is_empty());
    let state = usize::from(!settings.feed.state_file.is_empty());
    BESIDE_WORKERS + replays + read + state + 2 * usize::from(settings.feed.record.is_on())
}

/// Starts this many threads at the same time, and ends them.
///
/// # Errors
///
/// Returns the error of the operating system if it has fewer.
pub(super) fn check(threads: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // All threads wait for this lock until the last one has started or one has failed to start.
        let _shut = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..threads {
            std::thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()))?;
        }
        Ok(())
    })
}
