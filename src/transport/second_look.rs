//! Confirms by a second check that a client is gone. After a pause of the process (SIGSTOP, a frozen container, a paused
//! virtual machine) all timers have expired, while bytes that clients sent meanwhile are unread in the sockets. So no client is
//! given up before the sockets have been read once more.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Time between the two checks: a worker thread that is not delayed has read its sockets by then.
pub(super) const SECOND_LOOK_DELAY: Duration = Duration::from_millis(50);

/// A check that is later than this was delayed.
const HELD_UP: Duration = Duration::from_millis(500);

/// Decides whether a client is gone: only if it still seems gone [`SECOND_LOOK_DELAY`] after a first
/// check, and the thread was not delayed meanwhile.
#[derive(Debug, Default)]
pub(super) struct SecondLook {
    /// When the second check is due, after a first one.
    due: Option<Instant>,
}

/// The decision about a client that seems to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// End its session or connection.
    Gone,
    /// Check again after this time.
    LookAgain(Duration),
}

impl SecondLook {
    /// Returns the verdict on a client that seems to be gone at `now`.
    pub(super) fn judge(&mut self, now: Instant) -> Verdict {
        match self.due {
            Some(due) if now < due => Verdict::LookAgain(due - now),
            Some(due) if now < due + HELD_UP => Verdict::Gone,
            _ => {
                self.due = Some(now + SECOND_LOOK_DELAY);
                Verdict::LookAgain(SECOND_LOOK_DELAY)
            }
        }
    }

    /// Returns when to check next whether a deadline has been met; `None` if it has passed and a second check confirms it.
    pub(super) fn next(&mut self, deadline: Instant, now: Instant) -> Option<Instant> {
        if now < deadline {
            self.clear();
            return Some(deadline);
        }
        match self.judge(now) {
            Verdict::LookAgain(wait) => Some(now + wait),
            Verdict::Gone => None,
        }
    }

    /// Records that the client is not gone.
    pub(super) fn clear(&mut self) {
        self.due = None;
    }
}

/// Waits until the sockets have been read once more.
pub(super) async fn sockets_read() {
    loop {
        let due = Instant::now() + SECOND_LOOK_DELAY;
        tokio::time::sleep(SECOND_LOOK_DELAY).await;
        if due.elapsed() < HELD_UP {
            return;
        }
    }
}

/// The time for a future has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeIsOver;

/// Waits for `future`, but no longer than `time`. When the time has passed, the sockets are read once more before the result is
/// an error. Time in which the thread did not run does not count.
///
/// # Errors
///
/// Returns [`TimeIsOver`] if the future is not ready by then.
pub(super) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, TimeIsOver> {
    let mut future = pin!(future);
    let mut wait = time;
    loop {
        let due = Instant::now() + wait;
        if let Ok(value) = tokio::time::timeout(wait, &mut future).await {
            return Ok(value);
        }
        if due.elapsed() < SECOND_LOOK_DELAY {
            return Err(TimeIsOver);
        }
        wait = SECOND_LOOK_DELAY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_given_up_by_a_second_check_that_is_not_delayed() {
        let start = Instant::now();
        let mut look = SecondLook::default();
        assert_eq!(look.judge(start), Verdict::LookAgain(SECOND_LOOK_DELAY));
        assert_eq!(look.judge(start + SECOND_LOOK_DELAY), Verdict::Gone);

        let mut look = SecondLook::default();
        assert_eq!(look.judge(start), Verdict::LookAgain(SECOND_LOOK_DELAY));
        let late = start + 100 * SECOND_LOOK_DELAY;
        assert_eq!(look.judge(late), Verdict::LookAgain(SECOND_LOOK_DELAY), "the thread was held up");
        assert_eq!(look.judge(late + SECOND_LOOK_DELAY), Verdict::Gone);
    }

    #[test]
    fn a_client_that_was_alive_in_between_is_checked_twice_again() {
        let start = Instant::now();
        let mut look = SecondLook::default();
        assert_eq!(look.judge(start), Verdict::LookAgain(SECOND_LOOK_DELAY));
        look.clear();
        assert_eq!(look.judge(start + SECOND_LOOK_DELAY), Verdict::LookAgain(SECOND_LOOK_DELAY));
    }

    #[actix_web::test]
    async fn time_in_which_the_thread_was_blocked_does_not_count() {
        let (send, receive) = tokio::sync::oneshot::channel();
        actix_web::rt::spawn(async move {
            // The thread is blocked, and the message then takes two turns to arrive.
            std::thread::sleep(SECOND_LOOK_DELAY * 3);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            let _ = send.send(());
        });
        assert_eq!(within(Duration::from_millis(1), receive).await, Ok(Ok(())));
        assert_eq!(within(Duration::from_millis(1), std::future::pending::<()>()).await, Err(TimeIsOver));
    }
}
