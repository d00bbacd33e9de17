//! File descriptors: how many the settings need, how many the system permits, and how the server reduces its limits if
//! they are too few.
//!
//! Each connection takes one. Without a free one no connection can be accepted, not even for `/healthz`. So the number
//! of sessions is kept below the limit, and some connections beyond them are always possible.

use std::io;

use rlimit::Resource;

use crate::app::{ServerConfig, Settings, StartError};
use crate::transport::ConnectionLimits;

/// Descriptors of the process itself: standard streams, listeners, log and certificate files, and a reserve.
const PROCESS: usize = 64;
/// Descriptors of each worker thread: its poll instances and their wakers.
const PER_WORKER: usize = 4;
/// If descriptors are short, one in this many connections is reserved for those without a session.
const SPARE_PART: usize = 4;

/// Limits of connections: sessions of the whole process, and further connections of each worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    sessions: usize,
    spare: usize,
    limits: ConnectionLimits,
}

/// Raises the soft limit of open files to the hard limit, which needs no privilege. Returns the new limit.
///
/// # Errors
///
/// Returns the error of the operating system if it refuses.
pub fn raise_open_files() -> io::Result<u64> {
    let (_, hard) = Resource::NOFILE.get()?;
    Resource::NOFILE.set(hard, hard)?;
    Ok(hard)
}

/// Checks that the limit of open files suffices for all connections in the settings.
///
/// # Errors
///
/// Returns [`StartError::OpenFiles`] if it does not.
pub fn check_open_files(settings: &Settings) -> Result<(), StartError> {
    let (needed, allowed) = (needed(settings), allowed());
    if allowed >= needed {
        return Ok(());
    }
    Err(StartError::OpenFiles { needed, allowed, connections_max: settings.server.connections_max })
}

/// Returns the settings with as many connections as the limit of open files permits, the spread of the connections over
/// the workers, and a warning for the log if the limits were reduced.
///
/// # Errors
///
/// Returns [`StartError::OpenFiles`] if the limit leaves no room for a single session.
pub(super) fn fitted(settings: &Settings) -> Result<(Settings, ConnectionLimits, Option<String>), StartError> {
    let (needed, allowed, connections_max) = (needed(settings), allowed(), settings.server.connections_max);
    let places = fit(settings, allowed).ok_or(StartError::OpenFiles { needed, allowed, connections_max })?;
    let mut settings = settings.clone();
    (settings.server.connections_max, settings.server.connections_spare_max) = (places.sessions, places.spare);
    let shortage = (allowed < needed).then(|| {
        format!(
            "; too few open files: server.connections_max={connections_max} needs {needed}, {allowed} are allowed (ulimit \
             -n): at most {} sessions are served",
            places.sessions
        )
    });
    Ok((settings, places.limits, shortage))
}

/// Returns the soft limit.
fn allowed() -> usize {
    let soft = Resource::NOFILE.get().map_or(rlimit::INFINITY, |(soft, _)| soft);
    usize::try_from(soft).unwrap_or(usize::MAX)
}

fn needed(settings: &Settings) -> usize {
    let ServerConfig { connections_max, connections_spare_max, .. } = &settings.server;
    let spare = connections_spare_max.saturating_mul(settings.server.worker_threads());
    own(settings).saturating_add(*connections_max).saturating_add(spare)
}

/// Descriptors that are not for lasting connections: a worker exceeds its limit for a moment before it closes others,
/// and an inspected handshake takes a second connection, from the server to itself.
fn own(settings: &Settings) -> usize {
    let per_worker = (PER_WORKER + 1).saturating_add(settings.server.turn_connections_max);
    per_worker
        .saturating_mul(settings.server.worker_threads())
        .saturating_add(PROCESS)
        .saturating_add(settings.handshake.attempts_max)
}

/// Returns the limits for `allowed` descriptors; `None` if no session fits.
fn fit(settings: &Settings, allowed: usize) -> Option<Places> {
    let workers = settings.server.worker_threads();
    let ServerConfig { connections_max, connections_spare_max, .. } = settings.server;
    let connections = allowed.saturating_sub(own(settings));
    let spare = if allowed >= needed(settings) {
        connections_spare_max
    } else {
        connections_spare_max.min(connections / SPARE_PART / workers).max(1)
    };
    let sessions = connections.saturating_sub(spare.saturating_mul(workers)).min(connections_max);
    let all = sessions.saturating_add(spare.saturating_mul(workers));
    // The kernel spreads connections unevenly. A worker accepts only as many at once as leave every other worker the
    // same number of descriptors, so that a burst of connections never takes the last one.
    let each = (connections / workers).min(all).max(sessions.div_ceil(workers).saturating_add(spare));
    let of_address = settings.limits.address_sockets_max;
    (sessions > 0).then_some(Places { sessions, spare, limits: ConnectionLimits { all, each, of_address } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(workers: usize, connections_max: usize, connections_spare_max: usize) -> Settings {
        let mut settings = Settings::default();
        settings.server.workers = workers;
        settings.server.connections_max = connections_max;
        settings.server.connections_spare_max = connections_spare_max;
        settings
    }

    #[test]
    fn all_connections_of_all_workers_fit_below_the_limit() {
        for workers in [1, 2, 7] {
            for (connections_max, spare) in [(1, 1), (3_000, 256), (20_000, 256), (usize::MAX, usize::MAX)] {
                let settings = settings(workers, connections_max, spare);
                for allowed in [0, 50, 120, 256, 1_024, 4_096, 65_536, 1 << 20, usize::MAX] {
                    let Some(places) = fit(&settings, allowed) else { continue };
                    let (limits, connections) = (places.limits, allowed - own(&settings));
                    assert_eq!(limits.all, places.sessions.saturating_add(places.spare.saturating_mul(workers)));
                    assert!(limits.all <= connections, "{places:?} of {allowed} on {workers}");
                    assert!(
                        limits.each <= limits.all
                            && limits.each.saturating_mul(workers) < connections.saturating_add(workers)
                    );
                    assert!(
                        limits.each.saturating_mul(workers) >= limits.all,
                        "all connections fit, on whichever workers they are"
                    );
                    assert!(places.sessions > 0 && places.spare > 0, "sessions and spare connections fit: {places:?}");
                    assert!(places.sessions <= connections_max && places.spare <= spare);
                }
            }
        }
    }

    #[test]
    fn the_limit_of_open_files_matters_only_if_it_is_too_low() {
        let settings = settings(2, 3_000, 256);
        let all = 3_000 + 2 * 256;
        let even =
            Places { sessions: 3_000, spare: 256, limits: ConnectionLimits { all, each: all / 2, of_address: 128 } };
        let whole = Places { limits: ConnectionLimits { all, each: all, of_address: 128 }, ..even };
        assert_eq!(needed(&settings), 3_000 + 2 * 256 + 64 + 2 * (4 + 1 + 8) + 16);
        assert_eq!(fit(&settings, needed(&settings)), Some(even));
        assert_eq!(fit(&settings, needed(&settings) + all), Some(whole));
        assert_eq!(fit(&settings, usize::MAX), Some(whole));
        let short = fit(&settings, 1_024).unwrap();
        assert_eq!(
            short,
            Places { sessions: 690, spare: 114, limits: ConnectionLimits { all: 918, each: 459, of_address: 128 } }
        );
        assert_eq!(fit(&settings, 80), None);
    }
}
