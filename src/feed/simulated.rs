//! The simulated market: an endless stream of trades and quotes, generated from one seed.
//!
//! Pure: no clock, no actor, no randomness but the seed's. The sequence of (symbol, kind, prices, sizes, time since the
//! previous event) depends on the configuration alone; the start only shifts the timestamps. The feed actor paces it by
//! a clock, `backfill` generates the time before the start.

use thiserror::Error;

use crate::domain::{EventBody, Instrument, Quote, SymbolId, SymbolTable, Timestamp};
use crate::feed::arrivals::{Arrival, Arrivals};
use crate::feed::book::Book;
use crate::feed::instruments::{Listing, ListingError, listings};
use crate::feed::market::Market;
use crate::feed::noise::Noise;

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
}

impl SimulatorConfig {
    /// Highest mean rate, in events per second.
    pub const EVENTS_PER_SECOND_MAX: f64 = 1e6;
    /// Most quotes per trade.
    pub const QUOTES_PER_TRADE_MAX: f64 = 1_000.0;
    /// Most generated symbols.
    pub const EXTRA_SYMBOLS_MAX: u32 = 10_000;

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
        Self { seed: 42, events_per_second: 200.0, quotes_per_trade: 2.0, extra_symbols: 0 }
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
    /// The symbols cannot be used.
    #[error(transparent)]
    Listings(#[from] ListingError),
}

/// One trade or quote, not numbered yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawEvent {
    /// Index of the symbol.
    pub id: SymbolId,
    /// A trade or a quote, never a bar.
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
    trades_only: bool,
    table: SymbolTable,
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
            trades_only: config.quotes_per_trade <= 0.0,
            table: SymbolTable::new(instruments),
        })
    }

    /// Returns the symbols: the built-in ones in the order of `config/symbols.toml`, then the generated ones.
    pub fn table(&self) -> &SymbolTable {
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

    /// Returns the time of the next event, which is never before the start or before an earlier event.
    pub fn peek_ts(&self) -> Timestamp {
        self.start.plus_micros(self.next.elapsed_micros)
    }

    /// Returns the next event and advances.
    ///
    /// # Panics
    ///
    /// Never: there are fewer than 2^32 symbols.
    pub fn next_event(&mut self) -> RawEvent {
        let ts = self.peek_ts();
        let Arrival { elapsed_micros, index, is_quote } = std::mem::replace(&mut self.next, self.arrivals.draw());
        let book = &mut self.books[index];
        if is_quote || self.trades_only {
            book.requote(self.market.mid_cents(index, elapsed_micros), ts, &mut self.orders);
        }
        let body =
            if is_quote { EventBody::Quote(book.quote) } else { EventBody::Trade(book.trade(ts, &mut self.orders)) };
        RawEvent { id: SymbolId(u32::try_from(index).expect("fewer than 2^32 symbols")), body }
    }

    /// Moves every future event this many microseconds later.
    pub fn postpone(&mut self, micros: i64) {
        self.start = self.start.plus_micros(micros);
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
mod tests {
    use super::*;
    use crate::domain::{Price, Trade};

    const DEFAULT: SimulatorConfig =
        SimulatorConfig { seed: 42, events_per_second: 200.0, quotes_per_trade: 2.0, extra_symbols: 0 };

    /// Expected result of [`hash`]: if it changes, the stream of every seed has changed.
    const GOLDEN: u64 = 0xf081_f181_ce70_8466;
    const GOLDEN_TRADES_ONLY: u64 = 0x1727_ed11_138c_ce5f;

    fn simulator(config: &SimulatorConfig) -> Simulator {
        Simulator::new(config, Timestamp::default()).unwrap()
    }

    /// FNV-1a hash of everything that a seed determines: symbols, kinds, prices, sizes and gaps.
    fn hash(config: &SimulatorConfig, start: Timestamp, count: usize) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut feed = |value: i64| {
            for byte in value.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        let mut last = start;
        for RawEvent { id, body } in Simulator::new(config, start).unwrap().take(count) {
            feed(i64::from(id.0));
            let ts = match body {
                EventBody::Trade(Trade { ts, price, size }) => {
                    [0, price.units(), i64::from(size.shares())].into_iter().for_each(&mut feed);
                    ts
                }
                EventBody::Quote(Quote { ts, bid, bid_size, ask, ask_size }) => {
                    let sizes = [bid_size, ask_size].map(|size| i64::from(size.shares()));
                    [1, bid.units(), ask.units(), sizes[0], sizes[1]].into_iter().for_each(&mut feed);
                    ts
                }
                _ => panic!("the market makes trades and quotes alone"),
            };
            feed(ts.micros() - last.micros());
            last = ts;
        }
        hash
    }

    #[test]
    fn one_seed_gives_the_same_million_events_on_every_machine() {
        assert_eq!(hash(&DEFAULT, Timestamp::default(), 1_000_000), GOLDEN);
        let trades_only = SimulatorConfig { quotes_per_trade: 0.0, extra_symbols: 500, ..DEFAULT };
        assert_eq!(hash(&trades_only, Timestamp::default(), 100_000), GOLDEN_TRADES_ONLY);
    }

    #[test]
    fn the_start_only_shifts_the_stream_and_another_seed_changes_it() {
        let start = Timestamp::from_micros(1_772_463_845_123_456);
        assert_eq!(hash(&DEFAULT, start, 10_000), hash(&DEFAULT, Timestamp::default(), 10_000));
        assert_ne!(hash(&SimulatorConfig { seed: 43, ..DEFAULT }, start, 10_000), hash(&DEFAULT, start, 10_000));
    }

    #[test]
    fn events_come_at_the_mean_rate_split_over_kinds_and_symbols() {
        let count = 1_000_000;
        let config = SimulatorConfig { extra_symbols: 500, events_per_second: 5_300.0, ..DEFAULT };
        let (mut quotes, mut per_symbol, mut last) = (0, vec![0; 530], Timestamp::default());
        for event in simulator(&config).take(count) {
            quotes += i32::from(matches!(event.body, EventBody::Quote(_)));
            per_symbol[event.id.index()] += 1;
            let (EventBody::Trade(Trade { ts, .. }) | EventBody::Quote(Quote { ts, .. })) = event.body else {
                panic!()
            };
            assert!(ts >= last);
            last = ts;
        }
        let seconds = Price::from_units(last.micros()).to_dollars() / 100.0;
        assert!((1e6 / seconds / 5_300.0 - 1.0).abs() < 0.005, "{seconds}");
        assert!((f64::from(quotes) / 1e6 - 2.0 / 3.0).abs() < 0.003, "{quotes}");
        let listings = listings(500).unwrap();
        let total: f64 = listings.iter().map(|listing| listing.weight).sum();
        for (listing, count) in listings.iter().zip(&per_symbol) {
            let expected = 1e6 * listing.weight / total;
            let deviations = (f64::from(*count) - expected) / expected.sqrt();
            assert!(deviations.abs() < 5.0, "{} {count} {expected}", listing.instrument.symbol);
        }
        let generated: i32 = per_symbol[30..].iter().sum();
        assert!((f64::from(generated) / 1e6 - 5_000.0 / 5_300.0).abs() < 0.002, "{generated}");
    }

    #[test]
    fn every_trade_is_at_the_bid_or_ask_of_the_last_quote() {
        for quotes_per_trade in [0.1, 2.0, 20.0] {
            let mut market = simulator(&SimulatorConfig { quotes_per_trade, ..DEFAULT });
            let mut seen: Vec<Quote> = market.table().ids().map(|id| market.standing_quote(id)).collect();
            for RawEvent { id, body } in market.by_ref().take(100_000) {
                let seen = &mut seen[id.index()];
                match body {
                    EventBody::Trade(trade) => assert!(trade.price == seen.bid || trade.price == seen.ask),
                    EventBody::Quote(quote) => *seen = quote,
                    _ => panic!("the market makes trades and quotes alone"),
                }
                assert!(seen.bid < seen.ask);
            }
        }
    }

    #[test]
    fn without_quotes_there_are_only_trades_and_the_book_changes_unseen() {
        let mut market = simulator(&SimulatorConfig { quotes_per_trade: 0.0, ..DEFAULT });
        let first = market.standing_quote(SymbolId(0));
        assert!(market.by_ref().take(10_000).all(|event| matches!(event.body, EventBody::Trade(_))));
        assert_ne!(market.standing_quote(SymbolId(0)), first);
    }

    #[test]
    fn events_until_returns_exactly_the_due_events() {
        let (mut all, mut due) = (simulator(&DEFAULT), simulator(&DEFAULT));
        let mut out = Vec::new();
        for millisecond in 0..5_000 {
            due.events_until(Timestamp::from_micros(millisecond * 1_000), &mut out);
            assert!(due.peek_ts() > Timestamp::from_micros(millisecond * 1_000));
        }
        assert!((900..1_100).contains(&out.len()), "{}", out.len());
        assert!(out.iter().all(|event| Some(event) == all.next().as_ref()));
    }

    /// The watchlist must look alive: at the default rate each of its first ten prices changes within three seconds.
    #[test]
    fn the_prices_of_the_watchlist_move_within_three_seconds() {
        let mut market = simulator(&DEFAULT);
        let (mut last, mut windows, mut still) = ([Price::default(); 10], 0, 0);
        for window in 1..=1_000 {
            let mut out = Vec::new();
            market.events_until(Timestamp::from_micros(window * 3_000_000), &mut out);
            let mut moved = [false; 10];
            for RawEvent { id, body } in out {
                if let (EventBody::Trade(trade), 0..10) = (body, id.index()) {
                    moved[id.index()] |= trade.price != last[id.index()];
                    last[id.index()] = trade.price;
                }
            }
            windows += 10;
            still += moved.iter().filter(|moved| !**moved).count();
        }
        assert!(still * 100 < windows, "{still} of {windows} windows without a new price");
    }

    #[test]
    fn the_stream_has_the_volatility_of_its_listing() {
        let config = SimulatorConfig { events_per_second: 1.0, ..DEFAULT };
        let mut market = simulator(&config);
        let (mut last, mut sum, hours) = (None, 0.0, 2_000);
        for hour in 1..=hours {
            let until = Timestamp::from_micros(hour * 3_600_000_000);
            while market.peek_ts() <= until {
                market.next_event();
            }
            let Quote { bid, ask, .. } = market.standing_quote(SymbolId(0));
            let ln = libm::log(bid.to_dollars() + ask.to_dollars());
            sum += last.map_or(0.0, |last: f64| (ln - last) * (ln - last));
            last = Some(ln);
        }
        let volatility = (sum / 1_999.0 * 365.0 * 24.0).sqrt();
        assert!((volatility / 0.28 - 1.0).abs() < 0.06, "{volatility}");
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (config, name) in [
            (SimulatorConfig { events_per_second: 0.0, ..DEFAULT }, "events_per_second"),
            (SimulatorConfig { events_per_second: f64::NAN, ..DEFAULT }, "events_per_second"),
            (SimulatorConfig { quotes_per_trade: -1.0, ..DEFAULT }, "quotes_per_trade"),
            (SimulatorConfig { extra_symbols: 10_001, ..DEFAULT }, "extra_symbols"),
        ] {
            let err = Simulator::new(&config, Timestamp::default()).unwrap_err().to_string();
            assert!(err.starts_with(name), "{err}");
        }
        assert!(simulator(&SimulatorConfig { extra_symbols: 10_000, ..DEFAULT }).table().find("SYM9999").is_some());
    }
}
