//! Orders to a feed, and its state: `/api/v1/feed`.

use serde::Serialize;

use crate::domain::Timestamp;

/// An order to the feed. Answered with the state after it; a step with the state before its events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FeedOrder {
    /// Tells the state.
    Tell,
    /// Stops the time of the market.
    Pause,
    /// Lets it go on.
    Resume,
    /// Publishes the next events of a paused replay, this many.
    Step(u32),
    /// Changes the speed: seconds of the market per second of the clock, 0.01 to 1,000; 0 for as fast as the receivers take the events.
    Speed(f64),
    /// Goes to this time of the files, forward or back.
    Seek(Timestamp),
}

/// Why an order is not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Only a replay has these orders.
    #[error("only a replay (feed.kind = \"replay\") can be paused, stepped, sought, or change its speed")]
    NotAReplay,
    /// The speed is out of range.
    #[error("a speed is 0.01 to 1000, or 0 for as fast as possible")]
    Speed,
    /// A step of a replay that is not paused.
    #[error("only a paused replay can be stepped")]
    NotPaused,
    /// The time is outside of the files.
    #[error("the files have no such time")]
    OutOfRange,
    /// Another seek is not finished.
    #[error("the replay is being sought already")]
    Seeking,
    /// Delayed streams cannot go back.
    #[error("a replay with delayed streams (auth.delays_ms) cannot be sought")]
    Delayed,
}

/// The state of a feed. Serialized, it is the answer of `/api/v1/feed`. Times in microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeedStatus {
    /// `simulated`, `replay` or `publish`.
    pub kind: &'static str,
    /// `running`, `paused`, `seeking`, `ended`, or `failed` if a file could not be read on; in a notice also `gap`.
    pub state: &'static str,
    /// Time of the market.
    pub market_ts: i64,
    /// Seconds of the market per second of the clock; 0 for as fast as the receivers take the events.
    pub speed: f64,
    /// Whether the time of the market stands still.
    pub paused: bool,
    /// The replay; absent with another kind.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayStatus>,
}

/// The state of a replay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReplayStatus {
    /// Time of the files: the recorded time of what is published now.
    pub file_ts: i64,
    /// Time of the first event of the files, or `feed.replay.start` if that is later.
    pub from: i64,
    /// Time of the last event of the files, or `feed.replay.end` if that is earlier.
    pub to: i64,
    /// Where `file_ts` lies between both, 0 to 1.
    pub position: f64,
    /// Names of the files, without directories.
    pub files: Vec<String>,
    /// Whether it begins again at its end.
    #[serde(rename = "loop")]
    pub is_loop: bool,
    /// Why the replay has failed; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
    /// Rows that the readers have changed or left out since the start or the last seek.
    pub counted: Counted,
}

/// Counters of the readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Prices and sizes rounded to the decimals that prices and sizes have.
    pub rounded: u64,
    /// Records that became no event.
    pub skipped: u64,
    /// Rows out of order, sorted or moved.
    pub reordered: u64,
}
