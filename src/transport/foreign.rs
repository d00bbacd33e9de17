//! Logs refused origins, each once a minute: an operator learns of a page that is missing in `server.allowed_origins`, and
//! clients cannot fill the log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one origin is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(1);
/// The most origins that are logged in this time.
const ORIGINS_MAX: usize = 64;

/// When each origin was logged last. Shared by all workers.
#[derive(Debug, Default)]
pub struct ForeignOrigins(Mutex<HashMap<String, Instant>>);

impl ForeignOrigins {
    /// Logs that a page of this origin was refused, unless that was logged within the last minute.
    pub(super) fn log(&self, origin: &str, now: Instant) {
        if self.is_due(origin, now) {
            log::warn!("page of another origin refused origin={origin:?} (server.allowed_origins)");
        }
    }

    fn is_due(&self, origin: &str, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now.saturating_duration_since(*at) < LOG_INTERVAL);
        if logged.len() >= ORIGINS_MAX || logged.contains_key(origin) {
            return false;
        }
        logged.insert(origin.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_is_logged_once_a_minute_and_not_too_many() {
        let (foreign, start) = (ForeignOrigins::default(), Instant::now());
        let due = |origin: &str, seconds| foreign.is_due(origin, start + Duration::from_secs(seconds));
        assert!(due("a", 0) && due("b", 30));
        assert!(!due("a", 59) && due("a", 60) && !due("b", 89) && due("b", 90));
        let logged = (0..1_000).filter(|number| due(&number.to_string(), 100)).count();
        assert_eq!(logged, ORIGINS_MAX - 2);
        assert!(due("c", 160));
    }
}
