//! `SymbolState`: the last values and bars of one symbol, as a line of the file.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Bar, BarBuilder, BestQuote, Channel, DayPrices, Interval, Last, Price, Size, Snapshot, Symbol, Timestamp, day_start,
};

/// Highest price in a file, in units: a billion dollars, as for publishers.
const PRICE_UNITS_MAX: i64 = 1_000_000_000 * Price::UNITS_PER_DOLLAR;
/// Greatest size of a trade or a quote, in millionths of a share: 10^12 shares, as for publishers. A sum may be any number.
const SIZE_MICROS_MAX: u64 = 1_000_000_000_000 * Size::MICROS_PER_SHARE;
/// Most trades of a bar: a million a second for eleven days. A hundred thousand such bars can be merged. A greater number is written as that.
const TRADES_MAX: u64 = 1_000_000_000_000;
/// Oldest time of a file: an event may be a week old when it is published (`feed.publish.ts_off_max_ms`), and the clock of a machine
/// without a battery begins in 1970. The bar of such an event may begin a day before.
const OLDEST_MICROS: i64 = -8 * Interval::D1.micros();
/// How much ahead of the clock a time may be. An event may be a day ahead when it is published (`feed.publish.ts_ahead_max_ms`), and the
/// clock may have been set back since.
const AHEAD_MICROS_MAX: i64 = 2 * Interval::D1.micros();

/// The times that a file may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    newest: Timestamp,
}

impl Times {
    /// Returns those of a file that is read at this time.
    pub(super) const fn at(now: Timestamp) -> Self {
        Self { newest: now.plus_micros(AHEAD_MICROS_MAX) }
    }

    fn has(self, micros: i64) -> bool {
        (OLDEST_MICROS..=self.newest.micros()).contains(&micros)
    }

    /// Checks a time, in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns the rule.
    pub(super) fn check(self, micros: i64) -> Result<(), &'static str> {
        if self.has(micros) {
            return Ok(());
        }
        Err("a time is in microseconds since 1970, and at most two days ahead of the clock of this machine")
    }
}

/// A bar: start, open, high, low, close, volume, number of trades, average price.
pub type SavedBar = (i64, i64, i64, i64, i64, u64, u64, i64);

/// The state of one symbol. Times are in microseconds since 1970, prices in units of 1e-4, sizes in millionths of a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolState {
    pub(super) symbol: String,
    ts: i64,
    traded_at: i64,
    quoted_at: i64,
    /// Price and size of the last trade.
    last: Option<(i64, u64)>,
    /// Bid and its size, ask and its size.
    quote: Option<(i64, u64, i64, u64)>,
    /// Open, high and low of the day.
    day: Option<(i64, i64, i64)>,
    prev_close: Option<i64>,
    volume: u64,
    /// Closed bars, oldest first, by interval from one second to one day.
    pub(super) closed: [Vec<SavedBar>; Interval::COUNT],
    /// Open bars, likewise.
    pub(super) open: [Option<SavedBar>; Interval::COUNT],
}

impl SymbolState {
    /// Returns the line of a symbol.
    pub fn new(
        symbol: Symbol,
        snapshot: &Snapshot,
        closed: [Vec<SavedBar>; Interval::COUNT],
        open: [Option<SavedBar>; Interval::COUNT],
    ) -> Self {
        let quote =
            |quote: BestQuote| (quote.bid.units(), quote.bid_size.micros(), quote.ask.units(), quote.ask_size.micros());
        Self {
            symbol: symbol.to_string(),
            ts: snapshot.ts.micros(),
            traded_at: snapshot.traded_at.micros(),
            quoted_at: snapshot.quoted_at.micros(),
            last: snapshot.last.map(|last| (last.price.units(), last.size.micros())),
            quote: snapshot.quote.map(quote),
            day: snapshot.day.map(|day| (day.open.units(), day.high.units(), day.low.units())),
            prev_close: snapshot.prev_close.map(Price::units),
            volume: snapshot.volume.micros(),
            closed,
            open,
        }
    }

    /// Returns the line's form of a bar.
    pub fn bar(bar: &Bar) -> SavedBar {
        // A volume beyond the greatest size is that, and the average with it may then be outside.
        let vwap = bar.vwap.min(bar.high).max(bar.low);
        let [open, high, low, close, vwap] = [bar.open, bar.high, bar.low, bar.close, vwap].map(Price::units);
        (bar.ts.micros(), open, high, low, close, bar.volume.micros(), bar.trades.min(TRADES_MAX), vwap)
    }

    /// Returns the last values, without the numbers of a stream.
    pub(super) fn snapshot(&self) -> Snapshot {
        let price = Price::from_units;
        Snapshot {
            ts: Timestamp::from_micros(self.ts),
            traded_at: Timestamp::from_micros(self.traded_at),
            quoted_at: Timestamp::from_micros(self.quoted_at),
            last: self.last.map(|(units, size)| Last { price: price(units), size: Size::from_micros(size) }),
            quote: self.quote.map(|(bid, bid_size, ask, ask_size)| BestQuote {
                bid: price(bid),
                bid_size: Size::from_micros(bid_size),
                ask: price(ask),
                ask_size: Size::from_micros(ask_size),
            }),
            day: self.day.map(|(open, high, low)| DayPrices { open: price(open), high: price(high), low: price(low) }),
            prev_close: self.prev_close.map(price),
            volume: Size::from_micros(self.volume),
            seq: [0; Channel::COUNT],
        }
    }

    /// Returns the open bars.
    pub(super) fn open(&self) -> [Option<Bar>; Interval::COUNT] {
        self.open.map(|bar| bar.as_ref().map(bar_of))
    }

    /// Returns the bar of the newest day of New York, from its hours.
    pub(super) fn day(&self) -> Option<Bar> {
        let hour = Interval::H1 as usize;
        let hours = || self.closed[hour].iter().chain(&self.open[hour]).map(bar_of);
        let day = day_start(hours().next_back()?.ts);
        let mut builder = BarBuilder::default();
        hours().filter(|hour| hour.ts >= day).for_each(|hour| builder.merge(day, &hour));
        builder.bar()
    }

    /// Checks the values; returns the symbol.
    ///
    /// # Errors
    ///
    /// Returns the rule that one of them breaks.
    pub(super) fn check(&self, times: Times) -> Result<Symbol, String> {
        let symbol = self.symbol.parse().map_err(|_| format!("'{}' is no symbol", self.symbol.escape_debug()))?;
        for micros in [self.ts, self.traded_at, self.quoted_at] {
            times.check(micros)?;
        }
        self.check_values()?;
        for interval in Interval::ALL {
            let bars = || self.closed[interval as usize].iter().chain(&self.open[interval as usize]);
            if !bars().all(|bar| is_bar(bar, interval) && times.has(bar.0)) {
                return Err(format!(
                    "a bar of {interval} must have a start that is a multiple of its length and a time of the market, prices within its \
                     extremes, a volume, and 1 to {TRADES_MAX} trades"
                ));
            }
            if !bars().zip(bars().skip(1)).all(|(bar, next)| bar.0 < next.0) {
                return Err(format!("the bars of {interval} must ascend"));
            }
        }
        Ok(symbol)
    }

    /// Checks prices and sizes of the last values.
    fn check_values(&self) -> Result<(), String> {
        let quote = self.quote.iter().flat_map(|(bid, _, ask, _)| [*bid, *ask]);
        let day = self.day.iter().flat_map(|(open, high, low)| [*open, *high, *low]);
        let mut prices = self.last.iter().map(|(price, _)| *price).chain(quote).chain(day).chain(self.prev_close);
        if !prices.all(|price| (1..=PRICE_UNITS_MAX).contains(&price)) {
            return Err(format!("a price must be 1 to {PRICE_UNITS_MAX}"));
        }
        // Without a trade of its own a price has the size 0.
        let sizes = self.quote.iter().flat_map(|(_, bid, _, ask)| [*bid, *ask]);
        if !self.last.iter().map(|(_, size)| *size).chain(sizes).all(|size| size <= SIZE_MICROS_MAX) {
            return Err(format!("a size must be at most {SIZE_MICROS_MAX}"));
        }
        if !self.day.iter().all(|(open, high, low)| (low..=high).contains(&open)) {
            return Err("a day must have an open within its extremes".into());
        }
        Ok(())
    }
}

/// Returns the bar of a line.
pub(super) fn bar_of(&(ts, open, high, low, close, volume, trades, vwap): &SavedBar) -> Bar {
    let [open, high, low, close, vwap] = [open, high, low, close, vwap].map(Price::from_units);
    Bar { ts: Timestamp::from_micros(ts), open, high, low, close, volume: Size::from_micros(volume), trades, vwap }
}

fn is_bar(bar: &SavedBar, interval: Interval) -> bool {
    let &(ts, open, high, low, close, volume, trades, vwap) = bar;
    let is_within = [open, close, vwap].iter().all(|price| (low..=high).contains(price));
    let is_traded = volume > 0 && (1..=TRADES_MAX).contains(&trades);
    ts % interval.micros() == 0 && 0 < low && high <= PRICE_UNITS_MAX && is_within && is_traded
}
