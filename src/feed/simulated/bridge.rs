//! One bar of the past, computed directly instead of from its trades: a Brownian bridge between two known mid prices.
//!
//! The result is close to that of the live market over the same time: the number of trades has the exact distribution,
//! extremes and volume have distributions fitted to those of single trades. `backfill` divides the past into spans and
//! computes their ends.

use crate::domain::{Bar, Interval, Price, Size, Timestamp};
use crate::feed::simulated::book::{Book, SHARES_LN_DEVIATION, nearest};
use crate::feed::simulated::noise::Noise;

/// Largest distance of a trade from the mid price, in mean spreads: half a spread, and the flicker of quotes. A little
/// less, because the first and the last trade of a short bar may meet the same quote.
const TRADE_SPREADS: f64 = 0.9;
/// Distance between the extremes of the trades and those of the mid price, in mean spreads.
const EXTREME_SPREADS: f64 = 0.6;
/// How much smaller the extremes of a motion are if it is sampled at moments instead of continuously, in standard
/// deviations of one step (Broadie, Glasserman and Kou, "A continuity correction for discrete barrier options", 1997).
const DISCRETE_SHIFT: f64 = 0.5826;
/// Up to this mean the number of trades is drawn from the exact distribution, above it from the normal distribution.
const COUNT_EXACT_MEAN_MAX: f64 = 16.0;
/// Largest number of trades in the table of the exact distribution; more happen less than once in 1e15 bars.
const COUNT_EXACT_MAX: usize = 64;
/// Up to this number of trades the distribution of their volume is skewed; above it the normal distribution is good
/// enough.
const VOLUME_SKEWED_MAX: u64 = 64;
/// Number of equally likely reaches of a bridge in the table, as a power of 2.
const REACH_BITS: u32 = 10;
/// Smallest price, in cents.
const PRICE_CENTS_MIN: i64 = 10;

/// The time covered by one bar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Start of the time.
    pub(super) start: Timestamp,
    /// Interval of the bar.
    pub(super) interval: Interval,
    /// Length. Shorter than the interval only in the last span of the past.
    pub(super) seconds: f64,
    /// Standard deviation, over the span, of a Brownian motion with standard deviation 1 over a year.
    pub(super) deviation: f64,
}

/// Draws the bars of one symbol.
#[derive(Debug)]
pub(super) struct Sampler<'past> {
    book: &'past Book,
    volatility: f64,
    trades_per_second: f64,
    /// Median size of a trade, in shares.
    shares_median: f64,
    /// By `Interval as usize`: the number of trades in a whole interval.
    counts: [TradeCount; Interval::COUNT],
    tables: &'past BarTables,
    noise: Noise,
}

impl<'past> Sampler<'past> {
    /// Returns a sampler for a symbol with this book, yearly volatility and mean rate of trades.
    pub(super) fn new(
        book: &'past Book,
        volatility: f64,
        trades_per_second: f64,
        tables: &'past BarTables,
        noise: Noise,
    ) -> Self {
        let counts = Interval::ALL.map(|interval| TradeCount::new(trades_per_second * seconds(interval)));
        let shares_median = libm::exp(book.shares_median_ln);
        Self { book, volatility, trades_per_second, shares_median, counts, tables, noise }
    }

    /// Continues with other random numbers.
    pub(super) fn reseed(&mut self, noise: Noise) {
        self.noise = noise;
    }

    /// Returns the bar between the mid prices (in cents) at the begin and at the end of the span, or `None` if there is
    /// no trade in it.
    pub(super) fn bar(&mut self, span: &Span, mids: [f64; 2]) -> Option<Bar> {
        let trades = self.counts[span.interval as usize].draw(&mut self.noise);
        if trades == 0 {
            return None;
        }
        let mids = seen_between(mids, trades);
        let ends = [self.trade_cents(mids[0]), self.trade_cents(mids[1])];
        Some(self.bar_between(span, mids, ends, trades))
    }

    /// Returns the bar of the last span, with at least one trade and this last price, and the size of the last trade.
    pub(super) fn last_bar(&mut self, span: &Span, mid: f64, price: Price) -> (Bar, Size) {
        let trades = TradeCount::new(self.trades_per_second * span.seconds).draw(&mut self.noise).max(1);
        let close = price.units() / Price::UNITS_PER_CENT;
        let ends = [self.trade_cents(mid), close];
        let bar = self.bar_between(span, [mid, price.to_dollars() * 100.0], ends, trades);
        // The rest of the volume if every other trade had one share; all of it if there was no other trade.
        let size_max = bar.volume.saturating_sub(Size::from_shares(trades - 1));
        let size = if trades == 1 { size_max } else { self.book.trade_size(&mut self.noise) };
        (bar, size.min(size_max))
    }

    /// Returns the price of a trade at a bid or an ask around this mid price, in cents.
    fn trade_cents(&mut self, mid: f64) -> i64 {
        let distance = TRADE_SPREADS * (2.0 * self.noise.uniform() - 1.0);
        nearest(mid + distance * self.book.spread_cents(mid)).max(PRICE_CENTS_MIN)
    }

    fn bar_between(&mut self, span: &Span, mids: [f64; 2], ends: [i64; 2], trades: u64) -> Bar {
        let [open, close] = if trades == 1 { [ends[1]; 2] } else { ends };
        let (mut high, mut low) = (open.max(close), open.min(close));
        if trades > 2 {
            let [highest, lowest] = self.extremes(span, mids, trades);
            high = high.max(nearest(highest));
            low = low.min(nearest(lowest).max(PRICE_CENTS_MIN));
        }
        let units = (open + high + low + close) * Price::UNITS_PER_CENT;
        Bar {
            ts: span.start,
            open: Price::from_cents(open),
            high: Price::from_cents(high),
            low: Price::from_cents(low),
            close: Price::from_cents(close),
            volume: Size::from_shares(self.tables.volume(self.shares_median, trades, &mut self.noise)),
            trades,
            vwap: Price::from_units((units + 2) / 4),
        }
    }

    /// Returns the highest and the lowest price in cents: the extremes of the bridge, reduced by what happens unseen
    /// between trades, and extended by half a spread. The two are drawn independently.
    fn extremes(&mut self, span: &Span, [from, to]: [f64; 2], trades: u64) -> [f64; 2] {
        let seen = seen_part(trades);
        let deviation = self.volatility * span.deviation * seen.sqrt() * to;
        let (change, variance) = (to - from, deviation * deviation);
        let bits = self.noise.bits();
        let reaches =
            [bits, bits << REACH_BITS].map(|bits| (change * change + variance * self.tables.reach(bits)).sqrt());
        let beyond =
            EXTREME_SPREADS * seen * self.book.spread_cents(to) - DISCRETE_SHIFT * deviation / count(trades - 1).sqrt();
        [(from + to + reaches[0]) / 2.0 + beyond, (from + to - reaches[1]) / 2.0 - beyond]
    }
}

/// Returns the mean part of a span between its first and its last trade.
fn seen_part(trades: u64) -> f64 {
    count(trades - 1) / count(trades + 1)
}

/// Returns the mid prices at the first and at the last trade of a span, on the straight line between those at its ends.
fn seen_between([from, to]: [f64; 2], trades: u64) -> [f64; 2] {
    let unseen = (to - from) * (1.0 - seen_part(trades)) / 2.0;
    [from + unseen, to - unseen]
}

/// Tables shared by the samplers of all symbols, computed once.
#[derive(Debug)]
pub(super) struct BarTables {
    /// By the number of trades less one: the sum of log-normal sizes, approximated as log-normal with the same mean and
    /// variance.
    volumes: Vec<Volume>,
    /// The term that a bridge of variance 1 adds to the square of its change, under the root: twice an exponential
    /// variate, as quantiles in the middle of equally likely parts.
    reaches: Vec<f64>,
    /// Mean size of a trade if the median is one share.
    size_mean: f64,
    /// Variance of the size of a trade if the mean is one share.
    size_variance: f64,
}

/// The log-normal distribution of the volume of a number of trades.
#[derive(Clone, Copy, Debug)]
struct Volume {
    /// In shares, if the median size of a trade is one share.
    median: f64,
    /// The standard deviation of the logarithm.
    deviation: f64,
}

impl BarTables {
    /// Returns the tables.
    pub(super) fn new() -> Self {
        let size_mean = libm::exp(SHARES_LN_DEVIATION * SHARES_LN_DEVIATION / 2.0);
        let size_variance = libm::expm1(SHARES_LN_DEVIATION * SHARES_LN_DEVIATION);
        let volume = |trades: u64| {
            let variance = libm::log1p(size_variance / count(trades));
            Volume { median: count(trades) * size_mean * libm::exp(-variance / 2.0), deviation: variance.sqrt() }
        };
        let middle = |index: u64| (count(index) + 0.5) / count(1 << REACH_BITS);
        Self {
            volumes: (1..=VOLUME_SKEWED_MAX).map(volume).collect(),
            reaches: (0..1 << REACH_BITS).map(|index| -2.0 * libm::log(middle(index))).collect(),
            size_mean,
            size_variance,
        }
    }

    /// Returns the reach for the highest bits.
    fn reach(&self, bits: u64) -> f64 {
        self.reaches[(bits >> (u64::BITS - REACH_BITS)) as usize]
    }

    /// Returns the volume of one or more trades, in shares: at least one per trade.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; too low is raised after")]
    fn volume(&self, shares_median: f64, trades: u64, noise: &mut Noise) -> u64 {
        let normal = noise.normal();
        let skewed = usize::try_from(trades - 1).ok().and_then(|index| self.volumes.get(index));
        let volume = match skewed {
            Some(volume) => volume.median * libm::exp(volume.deviation * normal),
            None => count(trades) * self.size_mean * (1.0 + (self.size_variance / count(trades)).sqrt() * normal),
        };
        ((shares_median * volume + 0.5) as u64).max(trades)
    }
}

/// The Poisson distribution of the number of trades in some time.
#[derive(Debug)]
struct TradeCount {
    mean: f64,
    /// The probabilities of at most 0, 1, 2 and so on; empty if the mean is too large for a table.
    cumulative: Vec<f64>,
}

impl TradeCount {
    fn new(mean: f64) -> Self {
        let mut cumulative = Vec::new();
        if mean <= COUNT_EXACT_MEAN_MAX {
            let mut probability = libm::exp(-mean);
            let mut sum = probability;
            while cumulative.len() < COUNT_EXACT_MAX {
                cumulative.push(sum);
                probability *= mean / count(cumulative.len() as u64);
                sum += probability;
            }
        }
        Self { mean, cumulative }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and above 2^53 it saturates"
    )]
    fn draw(&self, noise: &mut Noise) -> u64 {
        if self.cumulative.is_empty() {
            return (self.mean + self.mean.sqrt() * noise.normal() + 0.5).max(0.0) as u64;
        }
        let uniform = noise.uniform();
        self.cumulative.iter().take_while(|probability| uniform >= **probability).count() as u64
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a day of microseconds")]
fn seconds(interval: Interval) -> f64 {
    interval.micros() as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a number of trades is far below 2^53")]
fn count(trades: u64) -> f64 {
    trades as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SymbolId;
    use crate::domain::{BarBuilder, EventBody};
    use crate::feed::simulated::backfill::Backfill;
    use crate::feed::simulated::ladder::Ladder;
    use crate::feed::simulated::market::deviation;
    use crate::feed::simulated::noise::Stream;
    use crate::feed::simulated::{RawEvent, Simulator, SimulatorConfig};

    const START: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

    /// Returns the closed bars of each symbol.
    fn past(config: &SimulatorConfig, interval: Interval) -> impl Iterator<Item = Vec<Bar>> {
        let past = Backfill::new(config, START).unwrap();
        (0..past.symbols()).map(move |id| past.bars(SymbolId(id), interval))
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn the_number_of_trades_has_mean_and_variance_of_a_poisson_distribution() {
        let mut noise = Noise::new(1, Stream::PastSymbol(0));
        for mean in [0.1, 2.2, 15.0, 17.0, 400.0] {
            let count = TradeCount::new(mean);
            let numbers: Vec<f64> = (0..100_000).map(|_| count.draw(&mut noise) as f64).collect();
            let average = numbers.iter().sum::<f64>() / 1e5;
            let variance = numbers.iter().map(|number| (number - average) * (number - average)).sum::<f64>() / 1e5;
            assert!((average / mean - 1.0).abs() < 0.05, "{mean} {average}");
            assert!((variance / mean - 1.0).abs() < 0.05, "{mean} {variance}");
        }
        assert_eq!(TradeCount::new(0.0).draw(&mut noise), 0);
    }

    /// Returns means over the bars: of trades, of volume, and of the distance from low to high in dollars.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand bars")]
    fn means(bars: &[Bar]) -> [f64; 3] {
        let mean = |value: fn(&Bar) -> f64| bars.iter().map(value).sum::<f64>() / bars.len() as f64;
        [
            mean(|bar| bar.trades as f64),
            mean(|bar| bar.volume.shares() as f64),
            mean(|bar| bar.high.to_dollars() - bar.low.to_dollars()),
        ]
    }

    #[test]
    fn bars_of_the_past_have_the_statistics_of_the_live_market() {
        let config = SimulatorConfig::default();
        let mut market = Simulator::new(&config, START).unwrap();
        let mut live: Vec<Ladder> = (0..30).map(|_| Ladder::new(Interval::S1)).collect();
        let mut seconds = vec![BarBuilder::default(); 30];
        while market.peek_ts() < START.plus_micros(4 * Interval::H1.micros()) {
            let RawEvent { id, body: EventBody::Trade(trade) } = market.next_event() else { continue };
            let (builder, start) = (&mut seconds[id.index()], Interval::S1.start_of(trade.ts));
            if builder.start().is_some_and(|open| open != start) {
                live[id.index()].push(Interval::S1, builder.take().unwrap());
            }
            builder.add(start, &trade);
        }
        let mut totals = [[0.0; 3]; 2];
        let live: Vec<_> = live.into_iter().map(Ladder::into_bars).collect();
        for (row, interval) in [Interval::S1, Interval::M1].into_iter().enumerate() {
            for (past, live) in past(&config, interval).zip(&live) {
                let [past, live] = [&past, &live[interval as usize]].map(|bars| means(bars));
                (0..3).for_each(|column| totals[row][column] += past[column] / live[column] / 30.0);
            }
        }
        for [trades, volume, range] in totals {
            assert!((trades - 1.0).abs() < 0.02 && (volume - 1.0).abs() < 0.03, "{totals:?}");
            assert!((range - 1.0).abs() < 0.06, "{totals:?}");
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand bars")]
    fn the_past_has_the_volatility_of_its_listing() {
        let config = SimulatorConfig::default();
        // The distance of a trade from the mid price is visible in a minute, not in an hour.
        for (interval, highest) in [(Interval::M1, 1.4), (Interval::H1, 1.1)] {
            for (past, listing) in past(&config, interval).zip(config.listings().unwrap()) {
                let closes = past.iter().map(|bar| libm::log(bar.close.to_dollars()));
                let closes: Vec<f64> = closes.collect();
                let square: f64 = closes.windows(2).map(|pair| (pair[1] - pair[0]) * (pair[1] - pair[0])).sum();
                let volatility = (square / (closes.len() - 1) as f64).sqrt() / deviation(interval.micros());
                let ratio = volatility / listing.volatility;
                assert!((0.9..highest).contains(&ratio), "{} {interval} {ratio}", listing.instrument.symbol);
            }
        }
    }
}
