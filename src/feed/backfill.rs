//! The past of the simulated market: bars of every interval up to the start of the stream, and the state at the start.
//!
//! Made backward from the start prices, so that the live stream depends on the seed alone and not on the second of the
//! launch, and bar by bar rather than trade by trade: the ends of a bar are points of the same Brownian motions as the
//! live prices', its extremes those of a Brownian bridge between them. The past has random streams of its own. What
//! happens from the start on is `simulated`'s business.

use crate::domain::{Bar, Interval, Price, Quote, Size, Snapshot, SymbolId, Timestamp};
use crate::feed::book::Book;
use crate::feed::bridge::{BarTables, Sampler, Span};
use crate::feed::instruments::{Listing, sectors};
use crate::feed::ladder::Ladder;
use crate::feed::market::{Loadings, cents_ln, deviation, mid_cents};
use crate::feed::noise::{Noise, Stream};
use crate::feed::simulated::{SimulatorConfig, SimulatorError};

/// How far back bars are made one minute at a time, in microseconds: two days.
const MINUTES_MICROS: i64 = 2 * Interval::D1.micros();
/// How far back bars are made one hour at a time, in microseconds: thirty days.
const HOURS_MICROS: i64 = 30 * Interval::D1.micros();
/// How far back bars are made at all, in microseconds: 250 days.
const DAYS_MICROS: i64 = 250 * Interval::D1.micros();
/// The most bars of one resolution over all symbols. With more than about 650 symbols the past gets shorter, so that
/// neither the launch nor the memory grows with their number.
const RESOLUTION_BARS_MAX: i64 = 2_000_000;

/// The past of one symbol and its state at the start of the stream.
#[derive(Clone, Debug)]
pub struct SymbolPast {
    /// The symbol's number.
    pub id: SymbolId,
    /// The bars that have closed, oldest first, by `Interval as usize`; at most `bars_max` of each interval.
    pub bars: [Vec<Bar>; Interval::COUNT],
    /// The bars that are open at the start, by `Interval as usize`: the live trades go on with them. Each has at least one
    /// trade, because the last trade of the past happens at the start, at the start price.
    pub open: [Bar; Interval::COUNT],
    /// The last price of the day before, or the first of this day when there was no trade before it.
    pub prev_close: Price,
    /// The quote that stands when the live stream begins.
    pub quote: Quote,
    /// Shares of the last trade.
    pub last_size: Size,
}

impl SymbolPast {
    /// Returns the state at the start of the stream.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.open[Interval::D1 as usize], self.prev_close, &self.quote, self.last_size)
    }
}

/// Makes the past of one symbol after the other, in the order of their numbers, so that not all of it need be in memory.
///
/// Bars are made one second at a time for the last `bars_max` seconds, one minute at a time for two days, one hour for
/// thirty and one day for 250, each somewhat longer so as to begin with a whole longer bar. Where shorter bars exist, the
/// longer ones are merged from the next shorter; so every interval goes back as far as any bar that it divides into.
///
/// ```
/// use tickcast::domain::{Interval, Timestamp};
/// use tickcast::feed::backfill::Backfill;
/// use tickcast::feed::simulated::SimulatorConfig;
/// let start = Timestamp::from_micros(1_772_463_845_123_456);
/// let apple = Backfill::new(&SimulatorConfig::default(), start, 3_000)?.next().expect("there are 30 symbols");
/// assert!(apple.bars[Interval::M1 as usize].len() >= 2_880);
/// assert_eq!(apple.snapshot().price.to_string(), "201.37");
/// # Ok::<(), tickcast::feed::simulated::SimulatorError>(())
/// ```
#[derive(Debug)]
pub struct Backfill {
    seed: u64,
    start: Timestamp,
    bars_max: usize,
    listings: Vec<Listing>,
    sectors: Vec<usize>,
    books: Vec<Book>,
    /// Trades per second of a symbol of weight 1.
    trades_per_weight: f64,
    spans: Vec<Span>,
    /// The most closed bars of each interval, by `Interval as usize`.
    room: [usize; Interval::COUNT],
    /// By sector, at the beginning of each span: what the market and the sector add to the logarithm of the price of a
    /// symbol of volatility 1.
    factors: Vec<Vec<f64>>,
    tables: BarTables,
    mids: Vec<f64>,
    next: usize,
}

impl Backfill {
    /// Returns the past before `start` of the market of this configuration, with at most `bars_max` bars of each interval.
    ///
    /// # Errors
    ///
    /// Names the value of the configuration that is out of its range.
    pub fn new(config: &SimulatorConfig, start: Timestamp, bars_max: usize) -> Result<Self, SimulatorError> {
        let listings = config.listings()?;
        let (books, _) = Book::all(&listings, config.seed, start);
        let (sectors, names) = sectors(&listings);
        let spans = spans(start, bars_max, listings.len());
        let trades_per_second = config.events_per_second / (1.0 + config.quotes_per_trade);
        let weights: f64 = listings.iter().map(|listing| listing.weight).sum();
        Ok(Self {
            seed: config.seed,
            start,
            bars_max,
            factors: factors(&spans, names.len(), config.seed),
            room: room(&spans, start),
            mids: vec![0.0; spans.len() + 1],
            tables: BarTables::new(),
            trades_per_weight: trades_per_second / weights,
            listings,
            sectors,
            books,
            spans,
            next: 0,
        })
    }

    /// Fills `mids` with the mid price of a symbol, in cents, at the beginning of each span and at the start.
    fn walk(&mut self, index: usize, noise: &mut Noise) {
        let listing = &self.listings[index];
        let factors = &self.factors[self.sectors[index]];
        let start_cents_ln = cents_ln(listing.start_price);
        let own_loading = Loadings::new(listing.volatility).own;
        let (mut own, mut at) = (0.0, self.spans.len());
        self.mids[at] = libm::exp(start_cents_ln);
        while at > 0 {
            at -= 1;
            own += own_loading * noise.normal() * self.spans[at].deviation;
            self.mids[at] = mid_cents(start_cents_ln, listing.volatility * factors[at] + own);
        }
    }

    fn symbol_past(&mut self, index: usize, id: SymbolId) -> SymbolPast {
        let mut noise = Noise::new(self.seed, Stream::PastSymbol(id.0));
        self.walk(index, &mut noise);
        let (listing, book) = (&self.listings[index], &self.books[index]);
        let trades_per_second = listing.weight * self.trades_per_weight;
        let mut sampler = Sampler::new(book, listing.volatility, trades_per_second, &self.tables, noise);
        let mut ladder = Ladder::new(self.room);
        let last = self.spans.len() - 1;
        for (span, mids) in self.spans[..last].iter().zip(self.mids.windows(2)) {
            if let Some(bar) = sampler.bar(span, [mids[0], mids[1]]) {
                ladder.push(span.interval, bar);
            }
        }
        let (bar, last_size) = sampler.last_bar(&self.spans[last], self.mids[last], listing.start_price);
        let open = ladder.finish(bar, self.start);
        let bars = ladder.into_bars(self.bars_max);
        let prev_close = bars[Interval::D1 as usize].last().map_or(open[Interval::D1 as usize].open, |bar| bar.close);
        SymbolPast { id, bars, open, prev_close, quote: book.quote, last_size }
    }
}

impl Iterator for Backfill {
    type Item = SymbolPast;

    fn next(&mut self) -> Option<SymbolPast> {
        let index = self.next;
        if index == self.listings.len() {
            return None;
        }
        self.next += 1;
        let id = SymbolId(u32::try_from(index).expect("fewer than 2^32 symbols"));
        Some(self.symbol_past(index, id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.listings.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Backfill {}

/// Returns the spans of the past, oldest first; each ends where the next begins, the last at `start`.
#[expect(clippy::cast_precision_loss, reason = "a span is at most a day of microseconds")]
fn spans(start: Timestamp, bars_max: usize, symbols: usize) -> Vec<Span> {
    let bars_most = RESOLUTION_BARS_MAX / i64::try_from(symbols).unwrap_or(i64::MAX).max(1);
    let back = |micros: i64, of: Interval| start.plus_micros(-micros.min(of.micros().saturating_mul(bars_most)));
    let seconds = i64::try_from(bars_max).unwrap_or(i64::MAX).saturating_mul(Interval::S1.micros());
    // Each resolution begins where a bar of the next longer one does.
    let seconds_from = Interval::M1.start_of(back(seconds.min(MINUTES_MICROS), Interval::S1));
    let minutes_from = Interval::H1.start_of(back(MINUTES_MICROS, Interval::M1).min(seconds_from));
    let hours_from = Interval::D1.start_of(back(HOURS_MICROS, Interval::H1).min(minutes_from));
    let days_from = Interval::D1.start_of(back(DAYS_MICROS, Interval::D1).min(hours_from));
    let mut spans = Vec::new();
    for (interval, from, to) in [
        (Interval::D1, days_from, hours_from),
        (Interval::H1, hours_from, minutes_from),
        (Interval::M1, minutes_from, seconds_from),
        (Interval::S1, seconds_from, start.plus_micros(1)),
    ] {
        let mut at = from;
        while at < to {
            let micros = interval.micros().min(start.micros() - at.micros());
            spans.push(Span { start: at, interval, seconds: micros as f64 / 1e6, deviation: deviation(micros) });
            at = at.plus_micros(interval.micros());
        }
    }
    spans
}

/// Returns the most bars of each interval that can close between the first span that is short enough and the start.
fn room(spans: &[Span], start: Timestamp) -> [usize; Interval::COUNT] {
    Interval::ALL.map(|interval| {
        let first = spans.iter().find(|span| span.interval <= interval).map_or(start, |span| span.start);
        usize::try_from((start.micros() - first.micros()) / interval.micros()).unwrap_or(0)
    })
}

/// Returns what the market and each sector add, see the field of the same name.
fn factors(spans: &[Span], sectors: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut noise = Noise::new(seed, Stream::PastFactors);
    let loadings = Loadings::new(1.0);
    let mut path = |loading: f64| {
        let (mut values, mut value) = (vec![0.0; spans.len()], 0.0);
        for (place, span) in values.iter_mut().zip(spans).rev() {
            value += loading * noise.normal() * span.deviation;
            *place = value;
        }
        values
    };
    let market = path(loadings.market);
    let paths = (0..sectors).map(|_| path(loadings.sector).iter().zip(&market).map(|(own, all)| own + all).collect());
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BarBuilder, Channel};
    use crate::feed::simulated::Simulator;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);
    const BARS_MAX: usize = 3_000;

    fn past(config: &SimulatorConfig, start: Timestamp, bars_max: usize) -> Vec<SymbolPast> {
        Backfill::new(config, start, bars_max).unwrap().collect()
    }

    fn check(past: &SymbolPast, start: Timestamp, bars_max: usize) {
        for interval in Interval::ALL {
            let (bars, open) = (&past.bars[interval as usize], past.open[interval as usize]);
            assert!(bars.len() <= bars_max);
            assert_eq!(open.ts, interval.start_of(start));
            for bar in bars.iter().chain([&open]) {
                assert_eq!(bar.ts, interval.start_of(bar.ts));
                assert!(bar.low <= bar.open.min(bar.close) && bar.open.max(bar.close) <= bar.high, "{bar:?}");
                assert!((bar.low..=bar.high).contains(&bar.vwap) && bar.low > Price::default(), "{bar:?}");
                assert!(bar.trades >= 1 && bar.volume >= bar.trades, "{bar:?}");
                for price in [bar.open, bar.high, bar.low, bar.close] {
                    assert_eq!(price.units() % Price::UNITS_PER_CENT, 0);
                }
            }
            assert!(bars.iter().chain([&open]).is_sorted_by(|bar, next| bar.ts < next.ts));
        }
        for pair in Interval::ALL.windows(2) {
            check_merges(past, pair[0], pair[1]);
        }
        let today = past.open[Interval::D1 as usize];
        assert!(past.bars[Interval::D1 as usize].last().is_none_or(|bar| bar.close == past.prev_close));
        assert!((1..=past.open[0].volume).contains(&u64::from(past.last_size.shares())));
        assert_eq!(past.snapshot().price, today.close);
    }

    /// Every longer bar is the merge of the shorter ones, from the first that begins with the oldest shorter one.
    fn check_merges(past: &SymbolPast, shorter: Interval, longer: Interval) {
        let all = |interval: Interval| {
            let bars = past.bars[interval as usize].iter().copied();
            bars.chain([past.open[interval as usize]]).collect::<Vec<Bar>>()
        };
        let parts = all(shorter);
        let from = longer.start_of(parts[0].ts).plus_micros(longer.micros());
        let mut merged: Vec<Bar> = Vec::new();
        let mut builder = BarBuilder::default();
        for part in parts.iter().filter(|part| part.ts >= from) {
            let start = longer.start_of(part.ts);
            if builder.start().is_some_and(|open| open != start) {
                merged.extend(builder.take());
            }
            builder.merge(start, part);
        }
        merged.extend(builder.take());
        let mut longer = all(longer);
        longer.retain(|bar| bar.ts >= from);
        assert_eq!(merged[merged.len() - longer.len().min(merged.len())..], longer[..]);
    }

    #[test]
    fn the_past_is_sound_full_and_ends_where_the_live_stream_begins() {
        let config = SimulatorConfig::default();
        let market = Simulator::new(&config, START).unwrap();
        let listings = config.listings().unwrap();
        for (past, listing) in past(&config, START, BARS_MAX).iter().zip(&listings) {
            check(past, START, BARS_MAX);
            assert_eq!(past.quote, market.standing_quote(past.id));
            assert!(past.open.iter().all(|bar| bar.close == listing.start_price));
            let (middle, price) =
                (past.quote.bid.units().midpoint(past.quote.ask.units()), listing.start_price.units());
            assert!((middle - price).abs() <= 100 + price / 5_000, "{}", listing.instrument.symbol);
            let counts = Interval::ALL.map(|interval| past.bars[interval as usize].len());
            let least = [1_000, 2_870, 576, 192, 720, 250];
            assert!(counts.iter().zip(least).all(|(count, least)| *count >= least), "{counts:?}");
        }
    }

    #[test]
    fn a_candle_opens_near_the_close_of_the_one_before() {
        for (past, listing) in past(&SimulatorConfig::default(), START, BARS_MAX)
            .iter()
            .zip(SimulatorConfig::default().listings().unwrap())
        {
            for interval in Interval::ALL {
                for pair in past.bars[interval as usize].windows(2) {
                    let gap = (pair[1].open.to_dollars() - pair[0].close.to_dollars()).abs();
                    // Where the book is wide a trade at the bid follows one at the ask.
                    let wide = listing.start_price.to_dollars() * 10e-4 + 0.05;
                    assert!(gap <= wide, "{} {interval} {gap} {pair:?}", listing.instrument.symbol);
                }
            }
        }
    }

    #[test]
    fn the_past_repeats_itself_and_generated_symbols_do_not_change_its_random_streams() {
        let config = SimulatorConfig { extra_symbols: 2, ..SimulatorConfig::default() };
        let (one, two) = (past(&config, START, 100), past(&config, START, 100));
        assert!(one.iter().zip(&two).all(|(one, two)| one.bars == two.bars && one.open == two.open));
        let other = past(&SimulatorConfig { seed: 43, ..config }, START, 100);
        assert!(one.iter().zip(&other).all(|(one, other)| one.bars != other.bars));
    }

    #[test]
    fn the_snapshot_goes_on_with_the_live_stream() {
        let config = SimulatorConfig::default();
        let past = past(&config, START, 10);
        let snapshot = past[0].snapshot();
        assert_eq!(snapshot.ts, START);
        assert_eq!(snapshot.seq, [0; Channel::COUNT]);
        assert_eq!((snapshot.bid, snapshot.ask), (past[0].quote.bid, past[0].quote.ask));
        assert_eq!(snapshot.price.to_string(), "201.37");
    }

    #[test]
    fn very_many_symbols_have_a_shorter_past() {
        let config = SimulatorConfig { extra_symbols: 10_000, events_per_second: 1e5, ..SimulatorConfig::default() };
        let past = Backfill::new(&config, START, BARS_MAX).unwrap().next().unwrap();
        assert!(past.bars.iter().map(Vec::len).sum::<usize>() < 1_200);
        check(&past, START, BARS_MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_past_is_sound_at_any_start_and_rate(
            seconds in 100_000_000_i64..4_000_000_000,
            micros in prop::sample::select(vec![0_i64, 1, 999_999, 500_000]),
            alignment in prop::sample::select(Interval::ALL.to_vec()),
            events_per_second in prop::sample::select(vec![0.001, 0.5, 200.0, 1e6]),
            bars_max in prop::sample::select(vec![0_usize, 1, 70, 3_000]),
            seed: u64,
        ) {
            let start = alignment.start_of(Timestamp::from_micros(seconds * 1_000_000)).plus_micros(micros);
            let config = SimulatorConfig { seed, events_per_second, ..SimulatorConfig::default() };
            for past in Backfill::new(&config, start, bars_max).unwrap().take(2) {
                check(&past, start, bars_max);
            }
        }
    }
}
