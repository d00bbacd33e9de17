//! Limits work per turn of a worker thread: connections that begin or end, and pieces of long responses. Without it, a mass
//! connect or disconnect would block the sessions of the thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::oneshot;

use crate::rate::RateLimiter;
use crate::transport::Health;

/// The least average time between two turns of a paced turnstile, so that a crowd does not use the whole thread; and how many
/// turns may follow each other without a pause after a quiet time.
const TURN_INTERVAL: Duration = Duration::from_millis(1);
const TURNS_SAVED_MAX: u32 = 32;

/// The order of waiting tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest first. In a mass connect some clients wait until its end, and the others are served at once; first come,
    /// first served would make all of them wait for the length of the queue (B. Maurer, "Fail at Scale", ACM Queue 13.8, 2015,
    /// "adaptive LIFO").
    NewestFirst,
    /// The oldest first, so that all make progress at the same rate.
    OldestFirst,
}

/// Passes a few tasks of one worker thread per turn, and lets all other tasks of the thread run before the next turn.
#[derive(Debug)]
pub struct Turnstile {
    per_turn: usize,
    order: Order,
    pace: Option<RefCell<RateLimiter>>,
    /// Tasks that have passed in this turn.
    passed: Cell<usize>,
    /// At most one for each connection.
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    delayed: Counter,
    health: Arc<Health>,
}

/// Reports a panic of the task that ends the turns; without it, waiting tasks would wait forever.
struct Watched(Rc<Turnstile>);

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.health.end("the turnstile of a worker");
        }
    }
}

impl Turnstile {
    /// Returns a turnstile that passes `per_turn` tasks per turn, at least 1, and counts in `delayed` those that had to wait.
    pub fn new(per_turn: usize, order: Order, delayed: Counter, health: Arc<Health>) -> Rc<Self> {
        Self::with_pace(per_turn, order, None, delayed, health)
    }

    /// Returns a turnstile with at least a millisecond between turns, once there have been many.
    pub fn paced(per_turn: usize, order: Order, delayed: Counter, health: Arc<Health>) -> Rc<Self> {
        let pace = RateLimiter::every(TURN_INTERVAL, TURNS_SAVED_MAX, Instant::now());
        Self::with_pace(per_turn, order, Some(RefCell::new(pace)), delayed, health)
    }

    fn with_pace(
        per_turn: usize,
        order: Order,
        pace: Option<RefCell<RateLimiter>>,
        delayed: Counter,
        health: Arc<Health>,
    ) -> Rc<Self> {
        Rc::new(Self { per_turn, order, pace, passed: Cell::new(0), waiting: RefCell::default(), delayed, health })
    }

    /// Waits until the task may proceed.
    pub(super) async fn pass(self: Rc<Self>) {
        if self.passed.get() >= self.per_turn {
            self.delayed.inc();
            let (go, gone) = oneshot::channel();
            self.waiting.borrow_mut().push_back(go);
            // The turn that passes this task counts it.
            let _ = gone.await;
            return;
        }
        if self.passed.replace(self.passed.get() + 1) == 0 {
            actix_web::rt::spawn(self.turn());
        }
    }

    /// Ends the turn, and begins further turns while tasks wait.
    async fn turn(self: Rc<Self>) {
        let watched = Watched(self);
        let turnstile = &watched.0;
        loop {
            tokio::task::yield_now().await;
            let pause = turnstile.pause(Instant::now());
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let mut waiting = turnstile.waiting.borrow_mut();
            let mut passed = 0;
            while passed < turnstile.per_turn
                && let Some(next) = turnstile.next(&mut waiting)
            {
                // A task that was dropped meanwhile does not count.
                passed += usize::from(next.send(()).is_ok());
            }
            turnstile.passed.set(passed);
            if passed == 0 {
                return waiting.shrink_to_fit();
            }
        }
    }

    /// Records the end of a turn; returns the time until the next one.
    fn pause(&self, now: Instant) -> Duration {
        let Some(pace) = &self.pace else { return Duration::ZERO };
        let mut pace = pace.borrow_mut();
        pace.charge(1, now);
        pace.wait(0, now)
    }

    fn next(&self, waiting: &mut VecDeque<oneshot::Sender<()>>) -> Option<oneshot::Sender<()>> {
        match self.order {
            Order::NewestFirst => waiting.pop_back(),
            Order::OldestFirst => waiting.pop_front(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Wake, Waker};

    use super::*;

    /// The sequence of runs: `.` for a run of the streaming task, a letter for each task that passes.
    type Log = Rc<RefCell<String>>;

    fn newcomer(name: char, turnstile: &Rc<Turnstile>, log: &Log) -> actix_web::rt::task::JoinHandle<()> {
        let (turnstile, log) = (turnstile.clone(), log.clone());
        actix_web::rt::spawn(async move {
            turnstile.pass().await;
            log.borrow_mut().push(name);
        })
    }

    /// Returns the log of 26 tasks that arrive at once, the fifth of which is then aborted.
    async fn storm(order: Order) -> String {
        let turnstile = Turnstile::new(3, order, Counter::default(), Arc::default());
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
        assert_eq!(turnstile.delayed.get(), 23);
        log.take()
    }

    #[actix_web::test]
    async fn other_tasks_run_between_a_few_and_the_order_is_as_chosen() {
        for (order, expected) in
            [(Order::NewestFirst, "abczyxwvutsrqponmlkjihgfd"), (Order::OldestFirst, "abcdfghijklmnopqrstuvwxyz")]
        {
            let log = storm(order).await;
            assert_eq!(log.replace('.', ""), expected, "{log}");
            assert!(log.split('.').all(|turn| turn.len() <= 3), "{log}");
        }
    }

    #[test]
    fn many_turns_are_a_millisecond_apart_and_a_few_are_not() {
        let turnstile = Turnstile::paced(1, Order::OldestFirst, Counter::default(), Arc::default());
        let now = Instant::now() + Duration::from_secs(1);
        let pauses: Vec<_> = (0..34).map(|_| turnstile.pause(now).as_millis()).collect();
        assert_eq!(pauses, [vec![0; 32], vec![1, 2]].concat());
        let rested = now + Duration::from_millis(12);
        let pauses: Vec<_> = (0..11).map(|_| turnstile.pause(rested).as_millis()).collect();
        assert_eq!(pauses, [vec![0; 10], vec![1]].concat());
        let unpaced = Turnstile::new(1, Order::OldestFirst, Counter::default(), Arc::default());
        assert!((0..100).all(|_| unpaced.pause(now).is_zero()));
    }

    /// The waker of a task that panics when it is woken.
    struct Deadly;

    impl Wake for Deadly {
        fn wake(self: Arc<Self>) {
            // Unwinds without calling the panic hook, which would print it.
            std::panic::resume_unwind(Box::new("for the test"));
        }
    }

    #[actix_web::test]
    async fn a_turn_that_panics_says_so_and_one_that_is_dropped_does_not() {
        let turnstile = Turnstile::new(1, Order::NewestFirst, Counter::default(), Arc::default());
        turnstile.clone().pass().await;
        let mut waiting = Box::pin(turnstile.clone().pass());
        let waker = Waker::from(Arc::new(Deadly));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(Watched(turnstile.clone()));
        assert_eq!(turnstile.health.ended(), None);
        while turnstile.health.ended().is_none() {
            tokio::task::yield_now().await;
        }
    }

    #[actix_web::test]
    async fn after_a_mass_connect_new_connections_do_not_wait() {
        let turnstile = Turnstile::new(1, Order::NewestFirst, Counter::default(), Arc::default());
        for _ in 0..3 {
            turnstile.clone().pass().await;
            // The turn ends without a waiting task.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        assert_eq!(turnstile.delayed.get(), 0);
        assert_eq!(turnstile.passed.get(), 0);
    }
}
