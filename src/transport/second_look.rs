//! When a client that seems to be gone may be given up. A process that was stopped (SIGSTOP, a frozen container, a paused
//! virtual machine) or kept from running finds all its timers over when it goes on, while what its clients sent meanwhile is
//! still unread in their sockets. So nobody is given up before the sockets have been read once more.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// The time in which a worker thread that is not held up reads what waits in its sockets.
pub(super) const TURN: Duration = Duration::from_millis(50);

/// A look that comes so late has been held up.
const HELD_UP: Duration = Duration::from_millis(500);

/// Decides whether a client that seems to be gone is: only when it still seems so one turn later, and that turn was not held
/// up itself.
#[derive(Debug, Default)]
pub(super) struct SecondLook {
    /// When the next look is due, after a first one.
    due: Option<Instant>,
}

/// What is to be done about a client that seems to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Give it up.
    Gone,
    /// Look again after this time.
    LookAgain(Duration),
}

impl SecondLook {
    /// Returns the verdict on a client that seems to be gone at `now`.
    pub(super) fn judge(&mut self, now: Instant) -> Verdict {
        match self.due {
            Some(due) if now < due => Verdict::LookAgain(due - now),
            Some(due) if now < due + HELD_UP => Verdict::Gone,
            _ => {
                self.due = Some(now + TURN);
                Verdict::LookAgain(TURN)
            }
        }
    }

    /// Returns when to look next at what must have happened by `deadline`; `None` when it has not, by a second look either.
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

    /// Takes note that the client is there.
    pub(super) fn clear(&mut self) {
        self.due = None;
    }
}

/// Waits until the sockets have been read once more.
pub(super) async fn another_turn() {
    loop {
        let due = Instant::now() + TURN;
        tokio::time::sleep(TURN).await;
        if due.elapsed() < HELD_UP {
            return;
        }
    }
}

/// The time given to a future is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeIsOver;

/// Waits for `future`, for `time` at most; when that is over, the sockets are read once more before it is given up. Time in
/// which the thread did not run does not count.
///
/// # Errors
///
/// Returns [`TimeIsOver`] when the future is not ready by then.
pub(super) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, TimeIsOver> {
    let mut future = pin!(future);
    let mut wait = time;
    loop {
        let due = Instant::now() + wait;
        if let Ok(value) = tokio::time::timeout(wait, &mut future).await {
            return Ok(value);
        }
        if due.elapsed() < TURN {
            return Err(TimeIsOver);
        }
        wait = TURN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_given_up_by_a_second_look_that_comes_in_time() {
        let start = Instant::now();
        let mut look = SecondLook::default();
        assert_eq!(look.judge(start), Verdict::LookAgain(TURN));
        assert_eq!(look.judge(start + TURN), Verdict::Gone);

        let mut look = SecondLook::default();
        assert_eq!(look.judge(start), Verdict::LookAgain(TURN));
        let late = start + 100 * TURN;
        assert_eq!(look.judge(late), Verdict::LookAgain(TURN), "the thread was held up");
        assert_eq!(look.judge(late + TURN), Verdict::Gone);
    }

    #[test]
    fn a_client_that_has_come_back_is_looked_at_twice_again() {
        let start = Instant::now();
        let mut look = SecondLook::default();
        assert_eq!(look.judge(start), Verdict::LookAgain(TURN));
        look.clear();
        assert_eq!(look.judge(start + TURN), Verdict::LookAgain(TURN));
    }

    #[actix_web::test]
    async fn time_in_which_the_thread_was_held_up_does_not_count() {
        let (send, receive) = tokio::sync::oneshot::channel();
        actix_web::rt::spawn(async move {
            // The whole thread stands still, then what has come meanwhile takes two turns to get through.
            std::thread::sleep(TURN * 3);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            let _ = send.send(());
        });
        assert_eq!(within(Duration::from_millis(1), receive).await, Ok(Ok(())));
        assert_eq!(within(Duration::from_millis(1), std::future::pending::<()>()).await, Err(TimeIsOver));
    }
}
