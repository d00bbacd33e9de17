//! The watchdog: checks that the feed, the history, the hubs and the listeners live and make progress.
//!
//! A panic ends one task, not its thread: a worker without its hub would go on sending heartbeats. A new hub, feed or
//! history could not continue the stream of the old one, so the process ends if one of them has ended, and its
//! supervisor restarts it. If a part lives but makes no progress, `/readyz` fails. A part that is not an actor reports
//! its own end (`Health::end`).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::SharedMetrics;
use crate::rate::{LOOK_INTERVAL_MAX, Pauses};
use crate::transport::{Health, Hubs};

/// Number of checks within `server.behind_max_ms`, the time after which a part without progress counts as behind.
const LOOKS: u32 = 8;

/// Set if a thread that accepts connections has panicked, which actix-server does not report.
static ACCEPTOR_PANICKED: AtomicBool = AtomicBool::new(false);
/// Name of the threads that accept connections.
const ACCEPTOR: &str = "actix-server acceptor";

/// Logs every panic in one line, and lets [`crate::app::Application::run`] end if the panic has ended a listener. For
/// programs: it replaces the panic hook of the process, which writes to standard error and would block if no process
/// reads that.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        let message = info.to_string().replace('\n', " ");
        log::error!("thread '{name}' {message}");
        if name == ACCEPTOR {
            ACCEPTOR_PANICKED.store(true, Ordering::Release);
        }
    }));
}

/// A part of the server. If it ends, the process ends.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) is_alive: Box<dyn Fn() -> bool>,
}

/// See the module.
pub(super) struct Watchdog {
    pub(super) parts: Vec<Part>,
    pub(super) hubs: Hubs,
    pub(super) health: Arc<Health>,
    pub(super) metrics: SharedMetrics,
    /// Must be told at each check that the process runs.
    pub(super) pauses: Arc<Pauses>,
    /// Time that a part may be behind.
    pub(super) behind_max: Duration,
}

impl Watchdog {
    /// Watches until a part has ended; returns an error that names it.
    pub(super) async fn watch(self) -> io::Error {
        let interval = (self.behind_max / LOOKS).min(LOOK_INTERVAL_MAX).max(Duration::from_millis(1));
        // The number of checks is compared, not the time, so that no part counts as behind right after a pause of the
        // whole process.
        let looks = u32::try_from(self.behind_max.as_millis() / interval.as_millis().max(1)).unwrap_or(u32::MAX);
        let mut pace = Pace::default();
        self.pauses.look(Instant::now());
        loop {
            tokio::time::sleep(interval).await;
            self.pauses.look(Instant::now());
            if let Some(name) = self.ended() {
                return io::Error::other(format!("{name} has ended"));
            }
            let complaint = pace.look(&self.metrics, self.behind_max, looks);
            if let Some(change) = self.health.set(complaint) {
                match change {
                    Some(complaint) => log::error!("not ready: {complaint}"),
                    None => log::info!("ready again"),
                }
            }
        }
    }

    fn ended(&self) -> Option<String> {
        if let Some(part) = self.parts.iter().find(|part| !(part.is_alive)()) {
            return Some(part.name.clone());
        }
        let hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = hubs.iter().position(|hub| !hub.connected()) {
            return Some(format!("the hub of worker {index}"));
        }
        let ended = || ACCEPTOR_PANICKED.load(Ordering::Acquire).then_some("the thread that accepts connections");
        self.health.ended().or_else(ended).map(Into::into)
    }
}

/// For each part, the number of checks since its last progress.
#[derive(Debug, Default)]
struct Pace {
    hubs: Vec<Goal>,
    feed: Goal,
    late: u32,
}

impl Pace {
    /// Returns a description of the first part that has made no progress for `looks` checks, or that is late.
    fn look(&mut self, metrics: &SharedMetrics, behind_max: Duration, looks: u32) -> Option<String> {
        let steps = metrics.feed_steps.get();
        // The feed's goal is one step more than at the last check.
        if self.feed.look(steps, steps + 1) >= looks {
            return Some("the feed stands still".into());
        }
        let late = metrics.feed_lag();
        self.late = if late > behind_max { self.late + 1 } else { 0 };
        if self.late > 1 {
            return Some(format!("the feed is {} ms behind", late.as_millis()));
        }
        let (head, offsets) = (metrics.feed_offset(), metrics.hub_offsets());
        self.hubs.resize_with(offsets.len(), Goal::default);
        let behind = self.hubs.iter_mut().zip(&offsets).map(|(goal, offset)| goal.look(*offset, head));
        let (index, looked) = behind.enumerate().max_by_key(|(_, looks)| *looks)?;
        let events = head.saturating_sub(offsets[index]);
        (looked >= looks).then(|| format!("the hub of worker {index} is {events} events behind the feed"))
    }
}

/// The offset that a part has to reach, and the number of checks since it was set.
#[derive(Debug, Default)]
struct Goal {
    offset: u64,
    looks: u32,
}

impl Goal {
    /// Records that the part is at `here` while the feed is at `head`. If the part has reached its goal, `head` is the
    /// next one.
    fn look(&mut self, here: u64, head: u64) -> u32 {
        if here >= self.offset {
            (self.offset, self.looks) = (head, 0);
        } else {
            self.looks += 1;
        }
        self.looks
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler, Message};

    use super::*;

    struct Mortal;

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Die;

    impl Actor for Mortal {
        type Context = Context<Self>;
    }

    impl Handler<Die> for Mortal {
        type Result = ();

        fn handle(&mut self, _: Die, _: &mut Self::Context) {
            // Like a panic, but without the hook that prints it.
            std::panic::resume_unwind(Box::new("for the test"));
        }
    }

    fn watchdog(parts: Vec<Part>) -> Watchdog {
        let behind_max = Duration::from_millis(80);
        let (hubs, metrics) = (Hubs::default(), SharedMetrics::default());
        Watchdog { parts, hubs, health: Arc::default(), metrics, pauses: Arc::default(), behind_max }
    }

    #[actix_web::test]
    async fn a_part_that_panics_is_named() {
        let arbiter = actix::Arbiter::new();
        let [other, mortal] = [(); 2].map(|()| Mortal::start_in_arbiter(&arbiter.handle(), |_| Mortal));
        let dying = mortal.clone();
        let parts = vec![
            Part { name: "the other".into(), is_alive: Box::new(move || other.connected()) },
            Part { name: "the mortal".into(), is_alive: Box::new(move || mortal.connected()) },
        ];
        let watching = watchdog(parts);
        assert_eq!(watching.ended(), None);
        dying.try_send(Die).unwrap();
        assert_eq!(watching.watch().await.to_string(), "the mortal has ended");
        arbiter.stop();
    }

    #[actix_web::test]
    async fn a_part_that_reports_its_own_end_is_named() {
        let watching = watchdog(Vec::new());
        watching.health.end("the turnstile of a worker");
        watching.health.end("another part");
        assert_eq!(watching.watch().await.to_string(), "the turnstile of a worker has ended");
    }

    fn look(pace: &mut Pace, metrics: &SharedMetrics) -> Option<String> {
        pace.look(metrics, Duration::from_secs(1), 3)
    }

    #[test]
    fn a_feed_that_makes_no_step_or_is_late_is_detected() {
        let metrics = SharedMetrics::default();
        let mut pace = Pace::default();
        for _ in 0..10 {
            metrics.feed_steps.inc();
            assert_eq!(look(&mut pace, &metrics), None, "it has nothing to do");
        }
        metrics.set_feed_lag(Duration::from_secs(5));
        metrics.feed_steps.inc();
        assert_eq!(look(&mut pace, &metrics), None, "the first check after a pause of the whole process");
        metrics.feed_steps.inc();
        assert_eq!(look(&mut pace, &metrics), Some("the feed is 5000 ms behind".into()));
        metrics.set_feed_lag(Duration::ZERO);
        let seen: Vec<_> = (0..4).map(|_| look(&mut pace, &metrics)).collect();
        assert_eq!(seen[..2], [None, None]);
        assert_eq!(seen[3], Some("the feed stands still".into()));
        metrics.feed_steps.inc();
        assert_eq!(look(&mut pace, &metrics), None);
    }

    #[test]
    fn a_hub_without_progress_is_detected_and_one_that_follows_is_not() {
        let metrics = SharedMetrics::default();
        let hubs = [metrics.new_hub(), metrics.new_hub()];
        let mut pace = Pace::default();
        let mut seen = Vec::new();
        for step in 1..=10 {
            metrics.feed_steps.inc();
            metrics.set_feed_offset(step * 100);
            // Always a little behind, but with progress.
            hubs[0].set(i64::try_from(step * 100 - 30).unwrap());
            seen.push(look(&mut pace, &metrics));
        }
        assert_eq!(seen[..3], [None, None, None]);
        assert_eq!(seen[9], Some("the hub of worker 1 is 1000 events behind the feed".into()));
        hubs[1].set(1_000);
        metrics.feed_steps.inc();
        assert_eq!(look(&mut pace, &metrics), None);
    }
}
