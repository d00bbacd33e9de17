//! The section `[feed]` of the configuration.

use std::time::Duration;

use serde::Deserialize;
use tickcast_tape::BadRecord;

use crate::feed::publish::PublishConfig;
use crate::feed::record::RecordConfig;
use crate::feed::replay::ReplayConfig;

/// Source and speed of prices.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedConfig {
    /// The kind of feed.
    pub kind: FeedKind,
    /// Fixes the stream of prices: the same seed gives the same stream on every machine.
    pub seed: u64,
    /// Mean rate of trades plus quotes over all symbols, in events per second of the market; above 0, at most 1,000,000.
    pub events_per_second: f64,
    /// Mean number of quotes for each trade, 0 to 1,000; 0 gives trades only.
    pub quotes_per_trade: f64,
    /// Generated symbols beside the built-in ones, at most 10,000.
    pub extra_symbols: u32,
    /// How many of a million trades are corrected or cancelled, 0 to 100,000.
    pub amendments_per_million_trades: u32,
    /// How many trades that are reported late come with a million others, 0 to 100,000.
    pub late_per_million_trades: u32,
    /// Seconds of the market in one second of the clock; above 0, at most 1,000. In a replay also 0: as fast as the receivers take the
    /// events.
    pub speed: f64,
    /// Time between two steps of the feed, in milliseconds of the clock: 1 to 100. The events of a step are one batch.
    pub step_ms: u64,
    /// How much time a market that is late catches up, in milliseconds of the clock: 1,000 to 86,400,000.
    pub catch_up_max_ms: u64,
    /// Most symbols of a feed that meets new ones while it runs. 1 to 1,000,000.
    pub symbols_max: usize,
    /// Most events of each delayed stream (`auth.delays_ms`) that wait until they are due. 1 to 16,777,216.
    pub delay_events_max: usize,
    /// The folder of the files that clients may have played for themselves. Empty for none.
    pub files_dir: String,
    /// Most of them that are played at the same time: 1 to 256.
    pub replays_max: usize,
    /// The reaction to a record of a file with a mistake.
    pub bad_record: OnBadRecord,
    /// The reaction to a published trade that is too late for its bar.
    pub late: OnLate,
    /// The rules for publishers.
    pub publish: PublishConfig,
    /// The file that keeps the state of a published market. Empty for none.
    pub state_file: String,
    /// Time between two of its versions, in milliseconds: 100 to 3,600,000.
    pub state_interval_ms: u64,
    /// Most closed bars of each symbol and interval in it: 24 to 100,000.
    pub state_bars_max: usize,
    /// The files of a replay.
    pub replay: ReplayConfig,
    /// The recording of the stream.
    pub record: RecordConfig,
}

/// The reaction to a record of a file with a mistake, and to the end of a file that is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRecord {
    /// The replay ends there; at the start the server refuses the file.
    #[default]
    Stop,
    /// The record is left out and counted.
    Skip,
}

impl From<OnBadRecord> for BadRecord {
    fn from(reaction: OnBadRecord) -> Self {
        match reaction {
            OnBadRecord::Stop => Self::Stop,
            OnBadRecord::Skip => Self::Skip,
        }
    }
}

/// The reaction to a published trade that is older than the minute before the present one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLate {
    /// It is published, and counts in the bars of its time.
    #[default]
    Correct,
    /// It is dropped and counted.
    Drop,
}

/// A kind of feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedKind {
    /// The seeded simulator.
    Simulated,
    /// Files of trades, quotes and bars.
    Replay,
    /// Programs that publish events.
    Publish,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self {
            kind: FeedKind::Simulated,
            seed: 42,
            events_per_second: 200.0,
            quotes_per_trade: 2.0,
            extra_symbols: 0,
            amendments_per_million_trades: 200,
            late_per_million_trades: 0,
            speed: 1.0,
            step_ms: 1,
            catch_up_max_ms: 10_000,
            symbols_max: 16_000,
            delay_events_max: 262_144,
            files_dir: String::new(),
            replays_max: 8,
            bad_record: OnBadRecord::Stop,
            late: OnLate::Correct,
            publish: PublishConfig::default(),
            state_file: String::new(),
            state_interval_ms: 10_000,
            state_bars_max: 300,
            replay: ReplayConfig::default(),
            record: RecordConfig::default(),
        }
    }
}

impl FeedConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        let within = |value: f64, low: f64, high: f64| value > low && value <= high;
        if !within(self.events_per_second, 0.0, 1_000_000.0) {
            return Err(("feed.events_per_second", "must be above 0 and at most 1000000"));
        }
        if !(0.0..=1_000.0).contains(&self.quotes_per_trade) {
            return Err(("feed.quotes_per_trade", "must be 0 to 1000"));
        }
        if self.extra_symbols > 10_000 {
            return Err(("feed.extra_symbols", "must be at most 10000"));
        }
        if self.amendments_per_million_trades > 100_000 {
            return Err(("feed.amendments_per_million_trades", "must be at most 100000"));
        }
        if self.late_per_million_trades > 100_000 {
            return Err(("feed.late_per_million_trades", "must be at most 100000"));
        }
        let is_replay = self.kind == FeedKind::Replay;
        if is_replay && self.speed != 0.0 && !(0.01..=1_000.0).contains(&self.speed) {
            return Err(("feed.speed", "must be 0.01 to 1000 in a replay, or 0 for as fast as possible"));
        }
        if !is_replay && !within(self.speed, 0.0, 1_000.0) {
            return Err(("feed.speed", "must be above 0 and at most 1000"));
        }
        if !(1..=256).contains(&self.replays_max) {
            return Err(("feed.replays_max", "must be 1 to 256"));
        }
        self.replay.validate(is_replay)?;
        self.publish.validate(self.kind == FeedKind::Publish)?;
        if self.kind == FeedKind::Publish && self.publish.new_symbols && self.publish.symbols.len() > self.symbols_max {
            return Err(("feed.publish.symbols", "must be at most feed.symbols_max symbols"));
        }
        self.record.validate()?;
        self.validate_state()?;
        if !(1..=100).contains(&self.step_ms) {
            return Err(("feed.step_ms", "must be 1 to 100"));
        }
        if !(1_000..=86_400_000).contains(&self.catch_up_max_ms) {
            return Err(("feed.catch_up_max_ms", "must be 1000 to 86400000"));
        }
        if !(1..=1_000_000).contains(&self.symbols_max) {
            return Err(("feed.symbols_max", "must be 1 to 1000000"));
        }
        if !(1..=16_777_216).contains(&self.delay_events_max) {
            return Err(("feed.delay_events_max", "must be 1 to 16777216"));
        }
        Ok(())
    }

    fn validate_state(&self) -> Result<(), (&'static str, &'static str)> {
        if !self.state_file.is_empty() && self.kind != FeedKind::Publish {
            return Err(("feed.state_file", "must be empty, unless feed.kind is \"publish\""));
        }
        if !(100..=3_600_000).contains(&self.state_interval_ms) {
            return Err(("feed.state_interval_ms", "must be 100 to 3600000"));
        }
        if !(24..=100_000).contains(&self.state_bars_max) {
            return Err(("feed.state_bars_max", "must be 24 to 100000"));
        }
        Ok(())
    }

    /// Returns how many trades and quotes this many milliseconds of the clock have on average.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rough number"
    )]
    pub fn events_within(&self, ms: u64) -> usize {
        (self.events_per_second * self.speed * ms as f64 / 1_000.0) as usize
    }

    /// Returns the time between two steps.
    pub fn step(&self) -> Duration {
        Duration::from_millis(self.step_ms)
    }

    pub(super) fn catch_up_micros(&self) -> i64 {
        i64::try_from(self.catch_up_max_ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }
}
