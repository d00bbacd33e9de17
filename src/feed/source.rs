//! `Source`: where the events of a feed come from, and the time of its market.

use crate::domain::{EventBody, Reading, SymbolId, Timestamp};
use crate::feed::control::{FeedError, FeedOrder, FeedStatus};
use crate::feed::opening::Opening;
use crate::metrics::ReplayCounts;

/// A source of events, and its time: [`Self::tick`], then [`Self::take`] until nothing more is due.
pub trait Source: Unpin + 'static {
    /// Lets time pass: the clocks are at `reading`.
    fn tick(&mut self, reading: Reading);

    /// Returns the time of the market after the last tick. It never goes back, except by a seek.
    fn now(&self) -> Timestamp;

    /// Returns the time of the market as if it had never jumped, so that it tells how much time has passed.
    fn held(&self) -> Timestamp {
        self.now()
    }

    /// Returns how many seconds the market's time advances per second of the clock; 0 if only events move it.
    fn speed(&self) -> f64;

    /// Returns the next event if it is due, and advances. Its symbol is in the table: a source adds it before
    /// ([`Newcomers`](crate::feed::Newcomers)). A correction or a cancellation names a trade by its number among the trades
    /// of its symbol that the source has returned, counted from 1.
    fn take(&mut self) -> Option<(SymbolId, EventBody)>;

    /// Returns the time of the next event, as far as it is known.
    fn next_ts(&mut self) -> Option<Timestamp>;

    /// If the source is later than it may catch up, leaves out the events up to now, and returns the time of the first one.
    fn leave_out(&mut self) -> Option<Timestamp> {
        None
    }

    /// Returns whether events come as fast as the receivers take them.
    fn is_unpaced(&self) -> bool {
        false
    }

    /// Returns whether the feed waits for hubs that are far behind; otherwise they lose their place.
    fn waits(&self) -> bool {
        false
    }

    /// Returns the state from which the market goes on after a seek, once.
    fn take_opening(&mut self) -> Option<Opening> {
        None
    }

    /// Returns the silence that was left out last, once: `gap` with its beginning and end.
    fn take_gap(&mut self) -> Option<FeedStatus> {
        None
    }

    /// Returns what has been counted of the files of a replay; `None` for another feed.
    fn counted(&self) -> Option<ReplayCounts> {
        None
    }

    /// Returns the state and the speed of which clients are told when they change; `None` if there is nothing to tell.
    fn told_state(&mut self) -> Option<(&'static str, f64)> {
        None
    }

    /// Obeys an order.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be obeyed.
    fn obey(&mut self, order: FeedOrder) -> Result<(), FeedError> {
        let _ = order;
        Err(FeedError::NotAReplay)
    }

    /// Returns the state for `/api/v1/feed`.
    fn status(&self) -> FeedStatus;
}
