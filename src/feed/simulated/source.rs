//! The simulator as a source of the feed: its time follows the wall clock (`pace.rs`).

use crate::domain::{EventBody, Reading, SymbolId, Timestamp};
use crate::feed::control::FeedStatus;
use crate::feed::simulated::Simulator;
use crate::feed::simulated::pace::Pace;
use crate::feed::{FeedConfig, Source};
use crate::metrics::SharedMetrics;

/// Events of a simulator when they are due.
pub struct SimulatedSource {
    simulator: Simulator,
    pace: Pace,
    speed: f64,
    /// Whether the log has already reported that the market is far ahead of the wall clock.
    is_far_ahead: bool,
    metrics: SharedMetrics,
}

impl SimulatedSource {
    /// Returns a source that begins at `start` with the clocks at `reading`.
    pub fn new(
        simulator: Simulator,
        start: Timestamp,
        reading: Reading,
        config: &FeedConfig,
        metrics: SharedMetrics,
    ) -> Self {
        let pace = Pace::new(start, reading, config.speed, config.catch_up_micros());
        Self { simulator, pace, speed: config.speed, is_far_ahead: false, metrics }
    }

    /// Logs when the wall clock was set back so far that the market is far ahead of it, and when the market has met it
    /// again.
    fn watch_wall_clock(&mut self) {
        let ahead_ms = self.pace.ahead_ms();
        self.metrics.feed_ahead_ms.set(ahead_ms);
        if self.pace.is_far_ahead() && !self.is_far_ahead {
            self.is_far_ahead = true;
            self.metrics.feed_clock_set_back.inc();
            log::warn!("the wall clock was set back: the market goes slower until it is met ahead_ms={ahead_ms}");
        } else if self.is_far_ahead && ahead_ms <= 0 {
            self.is_far_ahead = false;
            log::info!("the market has met the wall clock");
        }
    }
}

impl Source for SimulatedSource {
    fn tick(&mut self, reading: Reading) {
        self.pace.tick(reading);
        self.watch_wall_clock();
    }

    fn now(&self) -> Timestamp {
        self.pace.now()
    }

    fn held(&self) -> Timestamp {
        self.pace.held()
    }

    fn speed(&self) -> f64 {
        self.speed
    }

    fn take(&mut self) -> Option<(SymbolId, EventBody)> {
        (self.simulator.peek_ts() <= self.pace.now()).then(|| {
            let event = self.simulator.next_event();
            (event.id, event.body)
        })
    }

    fn next_ts(&mut self) -> Option<Timestamp> {
        Some(self.simulator.peek_ts())
    }

    fn leave_out(&mut self) -> Option<Timestamp> {
        let since = self.simulator.peek_ts();
        self.pace.is_too_late(since).then(|| {
            self.simulator.postpone(self.pace.now().micros() - since.micros());
            since
        })
    }

    fn status(&self) -> FeedStatus {
        FeedStatus {
            kind: "simulated",
            state: "running",
            market_ts: self.now().micros(),
            speed: self.speed,
            paused: false,
            replay: None,
        }
    }
}
