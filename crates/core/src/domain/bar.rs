//! Aggregates of trades over time: `Bar`, its `Interval`, and the `BarBuilder` that makes a bar from trades.

use std::fmt;
use std::str::FromStr;

use crate::domain::{Price, Size, Timestamp, Trade};

/// The length of time that a bar covers. Intervals begin at whole multiples of their length since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// One second.
    S1,
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// One hour.
    H1,
    /// One day, from midnight UTC.
    D1,
}

impl Interval {
    /// How many intervals there are.
    pub const COUNT: usize = 6;
    /// Every interval, shortest first; each one divides the next.
    pub const ALL: [Self; Self::COUNT] = [Self::S1, Self::M1, Self::M5, Self::M15, Self::H1, Self::D1];

    /// Returns the length in microseconds.
    pub const fn micros(self) -> i64 {
        const SECOND: i64 = 1_000_000;
        match self {
            Self::S1 => SECOND,
            Self::M1 => 60 * SECOND,
            Self::M5 => 300 * SECOND,
            Self::M15 => 900 * SECOND,
            Self::H1 => 3_600 * SECOND,
            Self::D1 => 86_400 * SECOND,
        }
    }

    /// Returns the name, such as `1m`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1 => "1s",
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::D1 => "1d",
        }
    }

    /// Returns the start of the interval that contains `ts`.
    pub const fn start_of(self, ts: Timestamp) -> Timestamp {
        ts.floor_to(self.micros())
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Interval {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|interval| interval.name() == text).ok_or(())
    }
}

/// The trades of one symbol in one interval, aggregated. An interval without a trade has no bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bar {
    /// Start of the interval.
    pub ts: Timestamp,
    /// Price of the first trade.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Price of the last trade.
    pub close: Price,
    /// Shares traded.
    pub volume: Size,
    /// Number of trades, at least one.
    pub trades: u64,
    /// Volume-weighted average price, rounded to the nearest unit of 1e-4 USD.
    pub vwap: Price,
}

/// The open bar of one symbol and interval: trades go in, a [`Bar`] comes out.
///
/// ```
/// use tickcast_core::domain::{BarBuilder, Price, Size, Timestamp, Trade};
/// let trade = |cents, shares| Trade { ts: Timestamp::default(), price: Price::from_cents(cents), size: Size::new(shares) };
/// let mut builder = BarBuilder::default();
/// builder.add(Timestamp::default(), &trade(100, 10));
/// builder.add(Timestamp::default(), &trade(104, 30));
/// let bar = builder.bar().unwrap();
/// assert_eq!((bar.open, bar.high, bar.volume), (Price::from_cents(100), Price::from_cents(104), Size::new(40)));
/// assert_eq!(bar.vwap, Price::from_cents(103));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BarBuilder {
    bar: Option<Bar>,
    /// Sum of price and size of the trades, in 1e-10 US dollar.
    notional: i128,
    /// Time of the trade that has the first price.
    first: Timestamp,
    /// Time of the trade that has the last price.
    last: Timestamp,
}

/// Returns a price times a size, in 1e-10 US dollar.
fn notional(price: Price, size: Size) -> i128 {
    i128::from(price.units()) * i128::from(size.micros())
}

impl BarBuilder {
    /// Returns a builder that continues this bar, whose last trade is older than `until`: an older one changes neither the first nor the last
    /// price. The average price resumes from the rounded one.
    pub fn resume(bar: Bar, until: Timestamp) -> Self {
        Self { notional: notional(bar.vwap, bar.volume), first: bar.ts, last: until, bar: Some(bar) }
    }

    /// Adds a trade to the open bar; `start` is the start of its interval. The first and the last price are those of the earliest and the latest
    /// trade; of equal times, the order in which they are added counts. A trade of another interval replaces the
    /// open bar by a new one: call [`Self::take`] first, or the old bar is lost.
    pub fn add(&mut self, start: Timestamp, trade: &Trade) {
        let (price, size) = (trade.price, trade.size);
        match &mut self.bar {
            Some(bar) if bar.ts == start => {
                bar.high = bar.high.max(price);
                bar.low = bar.low.min(price);
                if trade.ts < self.first {
                    (self.first, bar.open) = (trade.ts, price);
                }
                if trade.ts >= self.last {
                    (self.last, bar.close) = (trade.ts, price);
                }
                bar.volume += size;
                bar.trades += 1;
                self.notional += notional(price, size);
            }
            bar => {
                self.notional = notional(price, size);
                (self.first, self.last) = (trade.ts, trade.ts);
                *bar = Some(Bar {
                    ts: start,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: size,
                    trades: 1,
                    vwap: price,
                });
            }
        }
    }

    /// Merges a shorter bar that follows the trades already in the open bar; `start` as for [`Self::append`].
    pub fn merge(&mut self, start: Timestamp, part: &Bar) {
        self.append(start, &Self::resume(*part, part.ts));
    }

    /// Adds a trade like [`Self::add`], but one of an earlier interval is ignored.
    pub fn include(&mut self, start: Timestamp, trade: &Trade) {
        if self.start().is_none_or(|open| open <= start) {
            self.add(start, trade);
        }
    }

    /// Adds the trades of another builder, which follow those already in the open bar; `start` as for [`Self::add`], but a part of an
    /// earlier interval is ignored. Exact, unlike [`Self::merge`].
    pub fn append(&mut self, start: Timestamp, part: &Self) {
        let Some(other) = part.bar else { return };
        match &mut self.bar {
            Some(bar) if bar.ts > start => {}
            Some(bar) if bar.ts == start => {
                bar.high = bar.high.max(other.high);
                bar.low = bar.low.min(other.low);
                bar.close = other.close;
                bar.volume += other.volume;
                bar.trades += other.trades;
                self.notional += part.notional;
                self.last = part.last;
            }
            _ => *self = Self { bar: Some(Bar { ts: start, ..other }), ..*part },
        }
    }

    /// Replaces a trade in the open bar by its right values, or removes it: number, volume and average follow. A right price beyond
    /// the extremes becomes one of them; a wrong price that was one of the four prices stays.
    pub fn amend(&mut self, wrong: &Trade, right: Option<&Trade>) {
        let Some(bar) = &mut self.bar else { return };
        bar.trades = bar.trades.saturating_sub(1);
        bar.volume = bar.volume.saturating_sub(wrong.size);
        self.notional -= notional(wrong.price, wrong.size);
        if let Some(right) = right {
            bar.trades += 1;
            bar.volume += right.size;
            self.notional += notional(right.price, right.size);
            bar.high = bar.high.max(right.price);
            bar.low = bar.low.min(right.price);
        }
        if bar.trades == 0 {
            *self = Self::default();
        }
    }

    /// Sets the extremes of the open bar after trades were amended. The first price stays, and is an extreme if it is outside; the
    /// last price is moved between them.
    pub fn set_extremes(&mut self, low: Price, high: Price) {
        if let Some(bar) = &mut self.bar {
            (bar.low, bar.high) = (low.min(bar.open), high.max(bar.open));
            bar.close = bar.close.clamp(bar.low, bar.high);
        }
    }

    /// Returns the open bar so far, or `None` before the first trade.
    pub fn bar(&self) -> Option<Bar> {
        self.bar.map(|bar| Bar { vwap: self.vwap(&bar), ..bar })
    }

    /// Returns the start of the open bar, or `None` before the first trade; cheaper than [`Self::bar`].
    pub fn start(&self) -> Option<Timestamp> {
        self.bar.map(|bar| bar.ts)
    }

    /// Returns the open bar and resets the builder.
    pub fn take(&mut self) -> Option<Bar> {
        let bar = self.bar();
        *self = Self::default();
        bar
    }

    fn vwap(&self, bar: &Bar) -> Price {
        let volume = i128::from(bar.volume.micros());
        if volume == 0 {
            return bar.close;
        }
        let units = (self.notional + volume / 2) / volume;
        Price::from_units(i64::try_from(units).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Size;

    fn trade(second: i64, cents: i64, shares: u32) -> Trade {
        Trade {
            ts: Timestamp::from_micros(second * 1_000_000),
            price: Price::from_cents(cents),
            size: Size::new(shares),
        }
    }

    fn build(interval: Interval, trades: &[Trade]) -> Vec<Bar> {
        let mut builder = BarBuilder::default();
        let mut bars = Vec::new();
        for trade in trades {
            let start = interval.start_of(trade.ts);
            if builder.start().is_some_and(|open| open != start) {
                bars.extend(builder.take());
            }
            builder.add(start, trade);
        }
        bars.extend(builder.take());
        bars
    }

    #[test]
    fn every_interval_divides_the_next_and_is_found_by_its_name() {
        for pair in Interval::ALL.windows(2) {
            assert_eq!(pair[1].micros() % pair[0].micros(), 0);
        }
        for interval in Interval::ALL {
            assert_eq!(interval.name().parse(), Ok(interval));
        }
        assert_eq!("2m".parse::<Interval>(), Err(()));
    }

    #[test]
    fn a_trade_on_the_boundary_belongs_to_the_new_bar() {
        let bars = build(Interval::M1, &[trade(59, 100, 1), trade(60, 200, 1)]);
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[1].ts.micros(), 60_000_000);
    }

    #[test]
    fn the_first_and_the_last_price_are_those_of_the_earliest_and_the_latest_trade() {
        let mut builder = BarBuilder::default();
        for late in [trade(20, 100, 1), trade(10, 101, 2), trade(30, 102, 4), trade(10, 103, 8), trade(25, 104, 16)] {
            builder.add(Timestamp::default(), &late);
        }
        let bar = builder.bar().unwrap();
        assert_eq!([bar.open, bar.close].map(|price| price.units() / 100), [101, 102]);
        let mut builder = BarBuilder::resume(bar, Timestamp::from_micros(40_000_000));
        for (second, close) in [(5, 102), (39, 102), (40, 900)] {
            builder.add(Timestamp::default(), &trade(second, 900, 1));
            let resumed = builder.bar().unwrap();
            assert_eq!([resumed.open, resumed.close].map(|price| price.units() / 100), [101, close]);
        }
        assert_eq!(builder.bar().unwrap().volume.shares(), 34);
    }

    #[test]
    fn merging_short_bars_gives_the_long_bar_of_the_same_trades() {
        let trades: Vec<_> =
            (0..300).map(|n| trade(n, 10_000 + (n * 7919) % 97, 1 + u32::try_from(n % 13).unwrap())).collect();
        let mut builder = BarBuilder::default();
        for bar in build(Interval::S1, &trades) {
            builder.merge(Interval::M5.start_of(bar.ts), &bar);
        }
        assert_eq!(builder.take(), build(Interval::M5, &trades).pop());
    }
}
