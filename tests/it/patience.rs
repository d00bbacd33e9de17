//! Waiting for conditions, up to a limit.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// Longest time for anything before a test fails. Only a bound: a machine that needs this long is broken.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Time between two checks of a condition.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits for `future`.
///
/// # Panics
///
/// Panics with `what` if that takes too long.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(elapsed) => panic!("timed out waiting for {what}: {elapsed}"),
    }
}

/// Waits until `value` returns the expected value.
///
/// # Panics
///
/// Panics with the last value if that takes too long.
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
