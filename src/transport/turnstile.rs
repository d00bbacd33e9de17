//! How many connections begin and end in one turn of a worker thread: neither a storm of newcomers nor a crowd that leaves at
//! once must keep those that stream waiting.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::metrics::SharedMetrics;

/// Lets a few connections of one worker thread through, then all other tasks of the thread have their turn, then a few more.
///
/// The last to come is the first to go on: in a storm some wait for its end, but whoever comes meanwhile is served at once,
/// where first come, first served would make everybody wait for as long as the queue is (B. Maurer, "Fail at Scale", ACM
/// Queue 13.8, 2015, "adaptive LIFO").
#[derive(Debug)]
pub(super) struct Turnstile {
    per_turn: usize,
    /// Those that have gone through in this turn.
    passed: Cell<usize>,
    /// At most one for each connection.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    metrics: SharedMetrics,
}

impl Turnstile {
    /// Returns a turnstile that lets so many through in each turn, at least 1.
    pub(super) fn new(per_turn: usize, metrics: SharedMetrics) -> Rc<Self> {
        Rc::new(Self { per_turn, passed: Cell::new(0), waiting: RefCell::default(), metrics })
    }

    /// Waits until the connection may begin, or end.
    pub(super) async fn pass(self: Rc<Self>) {
        if self.passed.get() >= self.per_turn {
            self.metrics.connections_delayed.inc();
            let (go, gone) = oneshot::channel();
            self.waiting.borrow_mut().push(go);
            // It is counted by the turn that lets it through.
            let _ = gone.await;
            return;
        }
        if self.passed.replace(self.passed.get() + 1) == 0 {
            actix_web::rt::spawn(self.turn());
        }
    }

    /// Ends the turn, and begins others for as long as somebody waits.
    async fn turn(self: Rc<Self>) {
        loop {
            tokio::task::yield_now().await;
            let mut waiting = self.waiting.borrow_mut();
            let mut passed = 0;
            while passed < self.per_turn
                && let Some(next) = waiting.pop()
            {
                // Whoever has gone away meanwhile takes no place.
                passed += usize::from(next.send(()).is_ok());
            }
            self.passed.set(passed);
            if passed == 0 {
                return waiting.shrink_to_fit();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came about: `.` for a turn of those that stream, letters for those that went through.
    type Log = Rc<RefCell<String>>;

    fn newcomer(name: char, turnstile: &Rc<Turnstile>, log: &Log) -> actix_web::rt::task::JoinHandle<()> {
        let (turnstile, log) = (turnstile.clone(), log.clone());
        actix_web::rt::spawn(async move {
            turnstile.pass().await;
            log.borrow_mut().push(name);
        })
    }

    #[actix_web::test]
    async fn others_have_their_turn_between_a_few_newcomers_and_the_last_goes_first() {
        let turnstile = Turnstile::new(3, SharedMetrics::default());
        let log = Log::default();
        let stop = Rc::new(Cell::new(false));
        let streaming = {
            let (log, stop) = (log.clone(), stop.clone());
            actix_web::rt::spawn(async move {
                while !stop.get() {
                    log.borrow_mut().push('.');
                    tokio::task::yield_now().await;
                }
            })
        };
        let crowd: Vec<_> = ('a'..='z').map(|name| newcomer(name, &turnstile, &log)).collect();
        tokio::task::yield_now().await;
        crowd[4].abort();
        for newcomer in crowd {
            let _ = newcomer.await;
        }
        stop.set(true);
        streaming.await.unwrap();
        let log = log.borrow();
        let order: String = log.chars().filter(|each| *each != '.').collect();
        assert_eq!(order, "abczyxwvutsrqponmlkjihgfd", "{log}");
        assert!(log.split('.').all(|turn| turn.len() <= 3), "{log}");
        assert_eq!(turnstile.metrics.connections_delayed.get(), 23);
    }

    #[actix_web::test]
    async fn after_a_storm_newcomers_do_not_wait() {
        let turnstile = Turnstile::new(1, SharedMetrics::default());
        for _ in 0..3 {
            turnstile.clone().pass().await;
            // The turn ends, and finds nobody.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        assert_eq!(turnstile.metrics.connections_delayed.get(), 0);
        assert_eq!(turnstile.passed.get(), 0);
    }
}
