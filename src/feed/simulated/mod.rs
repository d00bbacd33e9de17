//! The simulated market: an endless stream of trades and quotes, generated from one seed.
//!
//! Pure: no clock, no actor, no randomness but the seed's. The sequence of (symbol, kind, prices, sizes, time since the
//! previous event) depends on the configuration alone; the start only shifts the timestamps. The feed actor paces it by
//! a clock, `backfill` generates the time before the start.

mod amendments;
mod arrivals;
pub mod backfill;
mod book;
mod bridge;
mod calendar;
pub mod instruments;
mod ladder;
mod market;
mod noise;
mod pace;
mod source;

use thiserror::Error;

use std::sync::Arc;

use crate::domain::{EventBody, Instrument, Quote, SymbolId, SymbolTable, Timestamp};
use crate::feed::simulated::amendments::Amendments;
use crate::feed::simulated::arrivals::{Arrival, Arrivals};
use crate::feed::simulated::book::Book;
use crate::feed::simulated::instruments::{Listing, ListingError, listings};
use crate::feed::simulated::market::Market;
use crate::feed::simulated::noise::Noise;

pub use source::SimulatedSource;

/// The parameters of a simulated market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatorConfig {
    /// Seed of the stream.
    pub seed: u64,
    /// Mean rate of trades plus quotes over all symbols, above 0 and at most [`Self::EVENTS_PER_SECOND_MAX`].
    pub events_per_second: f64,
    /// Mean number of quotes per trade, from 0 (trades only) to [`Self::QUOTES_PER_TRADE_MAX`].
    pub quotes_per_trade: f64,
    /// Generated symbols beside the built-in ones, at most [`Self::EXTRA_SYMBOLS_MAX`].
    pub extra_symbols: u32,
    /// How many of a million trades are corrected or cancelled, at most [`Self::AMENDMENTS_MAX`].
    pub amendments_per_million_trades: u32,
    /// How many trades that are reported late come with a million others, at most [`Self::LATE_MAX`].
    pub late_per_million_trades: u32,
}

impl SimulatorConfig {
    /// Highest mean rate, in events per second.
    pub const EVENTS_PER_SECOND_MAX: f64 = 1e6;
    /// Most quotes per trade.
    pub const QUOTES_PER_TRADE_MAX: f64 = 1_000.0;
    /// Most generated symbols.
    pub const EXTRA_SYMBOLS_MAX: u32 = 10_000;
    /// Most trades of a million that are corrected or cancelled.
    pub const AMENDMENTS_MAX: u32 = 100_000;
    /// Most late trades with a million others.
    pub const LATE_MAX: u32 = 100_000;

    /// Checks every value against its range.
    ///
    /// # Errors
    ///
    /// Returns the first value that is out of its range.
    pub fn validate(&self) -> Result<(), SimulatorError> {
        let rate = self.events_per_second;
        if !(rate > 0.0 && rate <= Self::EVENTS_PER_SECOND_MAX) {
            return Err(SimulatorError::EventsPerSecond(self.events_per_second));
        }
        if !(0.0..=Self::QUOTES_PER_TRADE_MAX).contains(&self.quotes_per_trade) {
            return Err(SimulatorError::QuotesPerTrade(self.quotes_per_trade));
        }
        if self.extra_symbols > Self::EXTRA_SYMBOLS_MAX {
            return Err(SimulatorError::ExtraSymbols(self.extra_symbols));
        }
        if self.amendments_per_million_trades > Self::AMENDMENTS_MAX {
            return Err(SimulatorError::Amendments(self.amendments_per_million_trades));
        }
        if self.late_per_million_trades > Self::LATE_MAX {
            return Err(SimulatorError::LateTrades(self.late_per_million_trades));
        }
        Ok(())
    }

    /// Returns the checked listings of the market.
    pub(super) fn listings(&self) -> Result<Vec<Listing>, SimulatorError> {
        self.validate()?;
        Ok(listings(self.extra_symbols)?)
    }
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 42,
            events_per_second: 200.0,
            quotes_per_trade: 2.0,
            extra_symbols: 0,
            amendments_per_million_trades: 200,
            late_per_million_trades: 0,
        }
    }
}

/// The reason why a configuration is refused. The messages begin with the name of the key.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// The mean rate is out of its range.
    #[error("events_per_second must be above 0 and at most 1000000, not {0}")]
    EventsPerSecond(f64),
    /// The mean number of quotes per trade is out of its range.
    #[error("quotes_per_trade must be from 0 to 1000, not {0}")]
    QuotesPerTrade(f64),
    /// There are too many generated symbols.
    #[error("extra_symbols must be from 0 to 10000, not {0}")]
    ExtraSymbols(u32),
    /// There are too many corrections and cancellations.
    #[error("amendments_per_million_trades must be from 0 to 100000, not {0}")]
    Amendments(u32),
    /// There are too many late trades.
    #[error("late_per_million_trades must be from 0 to 100000, not {0}")]
    LateTrades(u32),
    /// The symbols cannot be used.
    #[error(transparent)]
    Listings(#[from] ListingError),
}

/// One event, not numbered yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawEvent {
    /// Index of the symbol.
    pub id: SymbolId,
    /// A trade, a quote, a correction or a cancellation, never a bar.
    pub body: EventBody,
}

/// The live market, an endless iterator.
///
/// A trade is always at the bid or the ask of the last quote of its symbol in the stream. With `quotes_per_trade = 0`
/// the stream has no quotes, and the book changes unseen before each trade.
///
/// ```
/// use tickcast::domain::Timestamp;
/// use tickcast::feed::simulated::{Simulator, SimulatorConfig};
/// let mut market = Simulator::new(&SimulatorConfig::default(), Timestamp::from_micros(0))?;
/// assert_eq!(market.table().len(), 30);
/// let mut events = Vec::new();
/// market.events_until(Timestamp::from_micros(1_000_000), &mut events);
/// assert!((100..300).contains(&events.len()));
/// assert!(market.peek_ts() > Timestamp::from_micros(1_000_000));
/// # Ok::<(), tickcast::feed::simulated::SimulatorError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Simulator {
    start: Timestamp,
    arrivals: Arrivals,
    next: Arrival,
    market: Market,
    books: Vec<Book>,
    orders: Noise,
    amendments: Amendments,
    /// The amendment, or the trade that is reported late, that follows the last trade at once; with the time at which it does.
    follower: Option<(Timestamp, RawEvent)>,
    trades_only: bool,
    table: Arc<SymbolTable>,
}

impl Simulator {
    /// Returns the market at its start.
    ///
    /// # Errors
    ///
    /// Returns the first value of the configuration that is out of its range.
    pub fn new(config: &SimulatorConfig, start: Timestamp) -> Result<Self, SimulatorError> {
        let listings = config.listings()?;
        let (books, orders) = Book::all(&listings, config.seed, start);
        let mut arrivals = Arrivals::new(&listings, config.seed, config.events_per_second, config.quotes_per_trade);
        let instruments: Vec<Instrument> = listings.iter().map(|listing| listing.instrument.clone()).collect();
        Ok(Self {
            start,
            next: arrivals.draw(),
            arrivals,
            market: Market::new(&listings, config.seed),
            books,
            orders,
            amendments: Amendments::new(
                listings.len(),
                config.seed,
                config.amendments_per_million_trades,
                config.late_per_million_trades,
            ),
            follower: None,
            trades_only: config.quotes_per_trade <= 0.0,
            table: Arc::new(SymbolTable::new(instruments)),
        })
    }

    /// Returns the symbols: the built-in ones in the order of `config/symbols.toml`, then the generated ones. There will be no others.
    pub fn table(&self) -> &Arc<SymbolTable> {
        &self.table
    }

    /// Returns the present quote of a symbol, even if the stream has no quotes; its `ts` is the time of the last
    /// change.
    ///
    /// # Panics
    ///
    /// Panics if the index is not of this market's table.
    pub fn standing_quote(&self, id: SymbolId) -> Quote {
        self.books[id.index()].quote
    }

    /// Returns the time at which the next event is due, which is never before the start or before that of an earlier event. It is
    /// the event's own time, except for a trade that is reported late.
    pub fn peek_ts(&self) -> Timestamp {
        let next = || self.start.plus_micros(self.next.elapsed_micros);
        self.follower.as_ref().map_or_else(next, |(due, _)| *due)
    }

    /// Returns the next event and advances.
    ///
    /// # Panics
    ///
    /// Never: there are fewer than 2^32 symbols.
    pub fn next_event(&mut self) -> RawEvent {
        if let Some((_, follower)) = self.follower.take() {
            return follower;
        }
        let ts = self.peek_ts();
        let Arrival { elapsed_micros, index, is_quote } = std::mem::replace(&mut self.next, self.arrivals.draw());
        let book = &mut self.books[index];
        if is_quote || self.trades_only {
            book.requote(self.market.mid_cents(index, elapsed_micros), ts, &mut self.orders);
        }
        let id = SymbolId(u32::try_from(index).expect("fewer than 2^32 symbols"));
        if is_quote {
            return RawEvent { id, body: EventBody::Quote(book.quote) };
        }
        let trade = book.trade(ts, &mut self.orders);
        self.follower = self.amendments.after(index, &trade).map(|body| (ts, RawEvent { id, body }));
        RawEvent { id, body: EventBody::Trade(trade) }
    }

    /// Moves every future event this many microseconds later.
    pub fn postpone(&mut self, micros: i64) {
        self.start = self.start.plus_micros(micros);
        let Some((due, follower)) = &mut self.follower else { return };
        *due = due.plus_micros(micros);
        match &mut follower.body {
            EventBody::Correction(correction) => correction.ts = correction.ts.plus_micros(micros),
            EventBody::Cancel(cancel) => cancel.ts = cancel.ts.plus_micros(micros),
            EventBody::Trade(late) => late.ts = late.ts.plus_micros(micros),
            _ => {}
        }
    }

    /// Appends every event up to and including the time `until` to `out`. Only the length of that time bounds their
    /// number.
    pub fn events_until(&mut self, until: Timestamp, out: &mut Vec<RawEvent>) {
        while self.peek_ts() <= until {
            out.push(self.next_event());
        }
    }
}

impl Iterator for Simulator {
    type Item = RawEvent;

    fn next(&mut self) -> Option<RawEvent> {
        Some(self.next_event())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

#[cfg(test)]
mod simulated_test;
