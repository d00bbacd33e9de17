//! Waiting: how long a test waits for what must happen, and waiting for a condition.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Only a bound: a machine that is slow enough to need it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks at a condition.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits for `future`.
///
/// # Panics
///
/// Panics, saying `what` was waited for, when that takes too long.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(elapsed) => panic!("waited in vain for {what}: {elapsed}"),
    }
}

/// Waits until `value` gives what is expected.
///
/// # Panics
///
/// Panics, saying what it gives instead, when that takes too long.
pub(crate) async fn wait_until<T: PartialEq + Debug>(what: &str, expected: T, mut value: impl FnMut() -> T) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = value();
        if now == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: expected {expected:?}, still {now:?}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
