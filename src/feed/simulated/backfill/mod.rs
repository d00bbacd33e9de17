//! The past of the simulated market: bars of every interval before the start of the stream, and the state at the start.
//!
//! Bars of the past are not stored. They are computed on request, from seed and calendar alone, hour by hour, so that
//! every start of the same market has the same past (`calendar`). Only the last hours before the start lead to the
//! start prices, with which every live stream of a seed begins. A bar is computed directly rather than from trades: its
//! ends are points of a random walk, its extremes those of a Brownian bridge between them (`bridge`). `simulated`
//! generates the events after the start.

use crate::domain::{Bar, BarBuilder, Interval, Price, Quote, Size, Snapshot, SymbolId, Timestamp, day_start};
use crate::feed::simulated::book::Book;
use crate::feed::simulated::bridge::{BarTables, Sampler, Span};
use crate::feed::simulated::calendar::{Day, HOURS, bridge, days};
use crate::feed::simulated::instruments::{Listing, sectors};
use crate::feed::simulated::ladder::Ladder;
use crate::feed::simulated::market::{Loadings, cents_ln, deviation, mid_cents};
use crate::feed::simulated::noise::{Noise, Stream};
use crate::feed::simulated::{SimulatorConfig, SimulatorError};

/// Whole days before the day of the start with bars of one, five and fifteen minutes.
const MINUTES_DAYS: i64 = 2;
/// The same for bars of one hour.
const HOURS_DAYS: i64 = 30;
/// The same for bars of one day.
const DAYS_DAYS: i64 = 250;
/// How long before the start the prices begin to move towards the start price, in microseconds, rounded to a full hour:
/// six hours. Never before midnight, so that all previous days are the same at every start.
const LEAD_MICROS: i64 = 6 * Interval::H1.micros();
/// How far back bars of one second reach, in microseconds: one hour, within the lead.
const SECONDS_MICROS: i64 = Interval::H1.micros();
/// Most bars of one second over all symbols. With more than 1,111 symbols each has fewer, so that the start takes no
/// longer.
const SECONDS_BARS_MAX: i64 = 4_000_000;
/// Minutes of an hour, both ends included.
const MINUTES: usize = 61;
/// Index of the first symbol's own motion; the market's is 0, followed by those of the sectors.
const SYMBOL_MOTION: u32 = 1 << 16;

/// The state of one symbol at the start of the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Index of the symbol.
    pub id: SymbolId,
    /// The bars that are open at the start, by `Interval as usize`; live trades continue them. Each has at least one
    /// trade, because the last trade of the past happens at the start, at the start price.
    pub open: [Bar; Interval::COUNT],
    /// Last price of the previous days, or the first price of this day if no trade came before.
    pub prev_close: Price,
    /// The day of New York so far.
    pub day: Bar,
    /// The quote at the start of the live stream.
    pub quote: Quote,
    /// Shares of the last trade.
    pub last_size: Size,
}

impl Opening {
    /// Returns the state at the start of the stream.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.open[Interval::D1 as usize], self.prev_close, &self.quote, self.last_size)
    }
}

/// Computes the past of any symbol; the result is the same every time.
///
/// Bars of one second cover the last hour (less with very many symbols), bars of one, five and fifteen minutes this day
/// and the two days before, bars of one hour thirty days, and bars of one day 250 days. A longer bar is always the
/// merge of the shorter ones, even where these are no longer available.
///
/// ```
/// use tickcast::domain::{Interval, SymbolId, Timestamp};
/// use tickcast::feed::simulated::backfill::Backfill;
/// use tickcast::feed::simulated::SimulatorConfig;
/// let start = Timestamp::from_micros(1_772_463_845_123_456);
/// let past = Backfill::new(&SimulatorConfig::default(), start)?;
/// assert!(past.bars(SymbolId(0), Interval::M1).len() >= 2_880);
/// assert_eq!(past.opening(SymbolId(0)).snapshot().last.map_or(String::new(), |last| last.price.to_string()), "201.37");
/// # Ok::<(), tickcast::feed::simulated::SimulatorError>(())
/// ```
#[derive(Debug)]
pub struct Backfill {
    seed: u64,
    start: Timestamp,
    /// Day of the start, in days since 1970-01-01.
    today: i64,
    /// Whole hours of the present day before the lead.
    hours: usize,
    listings: Vec<Listing>,
    sectors: Vec<usize>,
    books: Vec<Book>,
    /// Trades per second of a symbol of weight 1.
    trades_per_weight: f64,
    /// By sector, by day up to today: the contribution of market and sector to the logarithm of the price of a symbol
    /// with volatility 1.
    factors: Vec<Vec<Day>>,
    /// The bars of the lead, oldest first; each ends where the next begins, the last one at the start.
    lead: Vec<Span>,
    /// Like `factors`, at the beginning of each bar of the lead, relative to the start.
    lead_factors: Vec<Vec<f64>>,
    tables: BarTables,
}

impl Backfill {
    /// Returns the past before `start` of the market with this configuration.
    ///
    /// # Errors
    ///
    /// Returns the first value that is out of its range.
    pub fn new(config: &SimulatorConfig, start: Timestamp) -> Result<Self, SimulatorError> {
        let listings = config.listings()?;
        let (books, _) = Book::all(&listings, config.seed, start);
        let (sectors, names) = sectors(&listings);
        let midnight = Interval::D1.start_of(start);
        let today = midnight.micros() / Interval::D1.micros();
        let lead_from = Interval::H1.start_of(start.plus_micros(-LEAD_MICROS)).max(midnight);
        let lead = spans(lead_from, start, listings.len());
        let trades_per_second = config.events_per_second / (1.0 + config.quotes_per_trade);
        let weights: f64 = listings.iter().map(|listing| listing.weight).sum();
        Ok(Self {
            seed: config.seed,
            start,
            today,
            hours: usize::try_from((lead_from.micros() - midnight.micros()) / Interval::H1.micros()).unwrap_or(0),
            factors: factors(config.seed, today, names.len()),
            lead_factors: lead_factors(&lead, names.len(), config.seed),
            lead,
            tables: BarTables::new(),
            trades_per_weight: trades_per_second / weights,
            listings,
            sectors,
            books,
        })
    }

    /// Returns the number of symbols; their indices count from 0.
    pub fn symbols(&self) -> u32 {
        u32::try_from(self.listings.len()).unwrap_or(u32::MAX)
    }

    /// Returns the state of the symbol at the start of the stream.
    ///
    /// # Panics
    ///
    /// Panics if there is no such symbol.
    pub fn opening(&self, id: SymbolId) -> Opening {
        let day_start = day_start(self.start);
        let yesterday = i64::from(day_start < Interval::D1.start_of(self.start));
        let (ladder, open, last_size) = self.walk(id, self.today - yesterday, Interval::H1);
        let hours = &ladder.into_bars()[Interval::H1 as usize];
        let mut day = BarBuilder::default();
        for bar in hours.iter().filter(|bar| bar.ts >= day_start).chain([&open[Interval::H1 as usize]]) {
            day.merge(day_start, bar);
        }
        let day = day.bar().unwrap_or(open[Interval::H1 as usize]);
        let prev_close = self.prev_close(id).unwrap_or(open[Interval::D1 as usize].open);
        Opening { id, open, prev_close, day, quote: self.books[id.index()].quote, last_size }
    }

    /// Returns the bars of this symbol and interval that closed before the start, oldest first. The time that this
    /// takes grows with the number of days: some ten milliseconds for bars of one day.
    ///
    /// # Panics
    ///
    /// Panics if there is no such symbol.
    pub fn bars(&self, id: SymbolId, interval: Interval) -> Vec<Bar> {
        let days = match interval {
            Interval::S1 => 0,
            Interval::M1 | Interval::M5 | Interval::M15 => MINUTES_DAYS,
            Interval::H1 => HOURS_DAYS,
            Interval::D1 => DAYS_DAYS,
        };
        let (ladder, ..) = self.walk(id, self.today - days, interval);
        std::mem::take(&mut ladder.into_bars()[interval as usize])
    }

    /// Returns the bars of one hour of this symbol that closed before the start, as far back as those of one day: days of other
    /// time zones are merged from them. Takes as long as the bars of one day.
    ///
    /// # Panics
    ///
    /// Panics if there is no such symbol.
    pub fn hours(&self, id: SymbolId) -> Vec<Bar> {
        let (ladder, ..) = self.walk(id, self.today - DAYS_DAYS, Interval::H1);
        std::mem::take(&mut ladder.into_bars()[Interval::H1 as usize])
    }

    /// Returns the bars of one hour of this symbol that closed before the start, of the present day of New York and the one before,
    /// and after them the newest closed bar of one minute, if there is any. Takes less time than the bars of one minute.
    ///
    /// # Panics
    ///
    /// Panics if there is no such symbol.
    pub fn newest(&self, id: SymbolId) -> Vec<Bar> {
        let from = day_start(day_start(self.start).plus_micros(-1));
        let day = Interval::D1.start_of(from);
        let skipped = usize::try_from((from.micros() - day.micros()) / Interval::H1.micros()).unwrap_or(0);
        let (ladder, ..) = self.walk_from(id, day.micros() / Interval::D1.micros(), skipped, Interval::M1);
        let mut bars = ladder.into_bars();
        let minute = bars[Interval::M1 as usize].pop();
        let mut newest = std::mem::take(&mut bars[Interval::H1 as usize]);
        newest.extend(minute);
        newest
    }

    /// Computes all bars from the beginning of `first_day` to the start. Returns the closed bars of `kept` and longer
    /// intervals, the open bars, and the size of the last trade.
    fn walk(&self, id: SymbolId, first_day: i64, kept: Interval) -> (Ladder, [Bar; Interval::COUNT], Size) {
        self.walk_from(id, first_day, 0, kept)
    }

    /// Computes bars like [`Self::walk`], without the first hours of the first day.
    fn walk_from(
        &self,
        id: SymbolId,
        first_day: i64,
        skipped: usize,
        kept: Interval,
    ) -> (Ladder, [Bar; Interval::COUNT], Size) {
        let mut sampler = self.sampler(id);
        let mut ladder = Ladder::new(kept);
        let days = self.days(id, first_day, self.today);
        for (number, day) in (first_day..).zip(&days) {
            let hours = if number == self.today { self.hours } else { HOURS - 1 };
            let skipped = if number == first_day { skipped } else { 0 };
            for (hour, ends) in day.windows(2).enumerate().take(hours).skip(skipped) {
                self.hour(id, number, hour, [ends[0], ends[1]], &mut sampler, |bar| ladder.push(Interval::M1, bar));
            }
        }
        let lead_from = days.last().map_or(0.0, |today| today[self.hours]);
        let (last, last_size) = self.lead(id, lead_from, &mut sampler, &mut ladder);
        let open = ladder.finish(last, self.start);
        (ladder, open, last_size)
    }

    /// Returns the last price before today, or `None` if there was no trade on any of the days that have bars.
    fn prev_close(&self, id: SymbolId) -> Option<Price> {
        let mut sampler = self.sampler(id);
        for number in (self.today - DAYS_DAYS..self.today).rev() {
            let day = self.days(id, number, number)[0];
            for (hour, ends) in day.windows(2).enumerate().rev() {
                let mut close = None;
                self.hour(id, number, hour, [ends[0], ends[1]], &mut sampler, |bar| close = Some(bar.close));
                if close.is_some() {
                    return close;
                }
            }
        }
        None
    }

    fn sampler(&self, id: SymbolId) -> Sampler<'_> {
        let (listing, book) = (&self.listings[id.index()], &self.books[id.index()]);
        let trades_per_second = listing.weight * self.trades_per_weight;
        let noise = Noise::new(self.seed, Stream::PastSymbol(id.0));
        Sampler::new(book, listing.volatility, trades_per_second, &self.tables, noise)
    }

    /// Returns the difference between the logarithm of the price on these days and that of the start price.
    fn days(&self, id: SymbolId, first: i64, last: i64) -> Vec<Day> {
        let (index, volatility) = (id.index(), self.listings[id.index()].volatility);
        let own_loading = Loadings::new(volatility).own;
        let mut days = days(self.seed, SYMBOL_MOTION + id.0, first..=last);
        let skipped = usize::try_from(first - (self.today - DAYS_DAYS)).unwrap_or(0);
        for (day, factors) in days.iter_mut().zip(&self.factors[self.sectors[index]][skipped..]) {
            for (own, factor) in day.iter_mut().zip(factors) {
                *own = volatility * factor + own_loading * *own;
            }
        }
        days
    }

    /// Computes the minutes of one hour. `ends` are the differences between the logarithm of the price at both ends and
    /// that of the start price. Within an hour, symbols move independently.
    fn hour(
        &self,
        id: SymbolId,
        day: i64,
        hour: usize,
        ends: [f64; 2],
        sampler: &mut Sampler<'_>,
        mut made: impl FnMut(Bar),
    ) {
        let listing = &self.listings[id.index()];
        let hour = day * 24 + i64::try_from(hour).unwrap_or(0);
        let mut noise = Noise::new(self.seed, Stream::PastHour { symbol: id.0, hour });
        let step = listing.volatility * deviation(Interval::M1.micros());
        let mut path = [0.0; MINUTES];
        for minute in 1..MINUTES {
            path[minute] = path[minute - 1] + step * noise.normal();
        }
        bridge(&mut path, ends);
        let start_cents_ln = cents_ln(listing.start_price);
        let mids = path.map(|change_ln| mid_cents(start_cents_ln, change_ln));
        sampler.reseed(noise);
        let mut start = Timestamp::from_micros(hour.saturating_mul(Interval::H1.micros()));
        for mids in mids.windows(2) {
            let span =
                Span { start, interval: Interval::M1, seconds: 60.0, deviation: deviation(Interval::M1.micros()) };
            if let Some(bar) = sampler.bar(&span, [mids[0], mids[1]]) {
                made(bar);
            }
            start = start.plus_micros(Interval::M1.micros());
        }
    }

    /// Computes the bars of the lead, from a price whose logarithm differs by `from` from that of the start price, to
    /// the start price. Returns the bar of the shortest interval that is open at the start, and the size of the last
    /// trade.
    fn lead(&self, id: SymbolId, from: f64, sampler: &mut Sampler<'_>, ladder: &mut Ladder) -> (Bar, Size) {
        let (index, listing) = (id.index(), &self.listings[id.index()]);
        let factors = &self.lead_factors[self.sectors[index]];
        let own_loading = Loadings::new(listing.volatility).own;
        let mut noise = Noise::new(self.seed, Stream::PastSymbol(id.0));
        // A random walk backward from the start, bent so that it begins at `from`.
        let (mut changes, mut own) = (vec![0.0; self.lead.len() + 1], 0.0);
        for (at, span) in self.lead.iter().enumerate().rev() {
            own += own_loading * noise.normal() * span.deviation;
            changes[at] = listing.volatility * factors[at] + own;
        }
        let seconds: f64 = self.lead.iter().map(|span| span.seconds).sum();
        let (turn, mut left) = (from - changes[0], seconds);
        for (change, span) in changes.iter_mut().zip(&self.lead) {
            // A lead of zero length (a start at midnight) cannot connect the two prices: the price jumps.
            *change += if seconds > 0.0 { turn * left / seconds } else { 0.0 };
            left -= span.seconds;
        }
        sampler.reseed(noise);
        let start_cents_ln = cents_ln(listing.start_price);
        let mids: Vec<f64> = changes.into_iter().map(|change_ln| mid_cents(start_cents_ln, change_ln)).collect();
        let last = self.lead.len() - 1;
        for (span, mids) in self.lead[..last].iter().zip(mids.windows(2)) {
            if let Some(bar) = sampler.bar(span, [mids[0], mids[1]]) {
                ladder.push(span.interval, bar);
            }
        }
        sampler.last_bar(&self.lead[last], mids[last], listing.start_price)
    }
}

/// Returns the bars of the lead: minutes, then seconds. The last one contains the start.
#[expect(clippy::cast_precision_loss, reason = "a span is at most a minute of microseconds")]
fn spans(from: Timestamp, start: Timestamp, symbols: usize) -> Vec<Span> {
    let bars_most = SECONDS_BARS_MAX / i64::try_from(symbols).unwrap_or(i64::MAX).max(1);
    let seconds_micros = SECONDS_MICROS.min(bars_most.saturating_mul(Interval::S1.micros()));
    let seconds_from = Interval::M1.start_of(start.plus_micros(-seconds_micros)).max(from);
    let mut spans = Vec::new();
    for (interval, from, to) in [(Interval::M1, from, seconds_from), (Interval::S1, seconds_from, start.plus_micros(1))]
    {
        let mut at = from;
        while at < to {
            let micros = interval.micros().min(start.micros() - at.micros());
            spans.push(Span { start: at, interval, seconds: micros as f64 / 1e6, deviation: deviation(micros) });
            at = at.plus_micros(interval.micros());
        }
    }
    spans
}

/// Returns the contributions of market and sectors on each day, see the field of the same name.
fn factors(seed: u64, today: i64, sectors: usize) -> Vec<Vec<Day>> {
    let loadings = Loadings::new(1.0);
    let of = |motion: u32| days(seed, motion, today - DAYS_DAYS..=today);
    let market = of(0);
    let sector = |motion: u32| {
        let mut days = of(motion);
        for (own, all) in days.iter_mut().flatten().zip(market.iter().flatten()) {
            *own = loadings.sector * *own + loadings.market * all;
        }
        days
    };
    (1..).take(sectors).map(sector).collect()
}

/// Returns the contributions of market and sectors during the lead, see the field of the same name.
fn lead_factors(lead: &[Span], sectors: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut noise = Noise::new(seed, Stream::PastFactors);
    let loadings = Loadings::new(1.0);
    let mut path = |loading: f64| {
        let (mut values, mut value) = (vec![0.0; lead.len()], 0.0);
        for (place, span) in values.iter_mut().zip(lead).rev() {
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
mod backfill_test;
