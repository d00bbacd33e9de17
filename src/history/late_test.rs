//! The bars of the history are those of the trades in the order of time, also if publishers send the trades in another order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::{
    Bar, BarBuilder, EventBody, Instrument, Interval, Price, Size, SymbolId, SymbolTable, Timestamp, Trade,
};
use crate::feed::state::MarketState;
use crate::history::saved_test::{MINUTE, Market, NOW, SECOND, beginning};

/// A trade, and the time of the market when it was published.
type Arrived = (Timestamp, Trade);

/// One trade of a random market.
#[derive(Clone, Debug)]
struct Step {
    /// Microseconds before it.
    wait: i64,
    /// Microseconds by which it is late.
    back: i64,
    cents: i64,
    shares: u32,
    symbol: u32,
    /// Whether the market is restarted before it.
    is_restart: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![4 => 0..2 * SECOND, 3 => 0..90 * SECOND, 1 => 0..70 * MINUTE];
    let back = prop_oneof![3 => -SECOND..1, 3 => 0..3 * SECOND, 3 => 0..150 * SECOND, 2 => 0..200 * MINUTE];
    (wait, back, 90_i64..110, 1_u32..1_000, 0_u32..2, prop::bool::weighted(0.1)).prop_map(
        |(wait, back, cents, shares, symbol, is_restart)| Step { wait, back, cents, shares, symbol, is_restart },
    )
}

/// A market, and what was published there.
struct Run {
    market: Market,
    table: Arc<SymbolTable>,
    kept_max: usize,
    now: Timestamp,
    arrived: [Vec<Arrived>; 2],
    /// Whether it has been restarted: a file does not have the times of first and last trades.
    is_resumed: bool,
}

impl Run {
    fn new(kept_max: usize) -> Self {
        let instrument =
            |symbol: &str| Instrument { symbol: symbol.parse().unwrap(), name: String::new(), sector: String::new() };
        let table = Arc::new(SymbolTable::new(["AA", "BB"].map(instrument).to_vec()));
        let now = Timestamp::from_micros(NOW);
        let market = Market::new(beginning(now, table.len()), table.clone(), kept_max);
        Self { market, table, kept_max, now, arrived: Default::default(), is_resumed: false }
    }

    /// Lets time pass like the feed, which closes bars in each step.
    fn wait(&mut self, micros: i64) {
        let end = self.now.plus_micros(micros);
        for _ in 0..100 {
            if self.now < end {
                self.now = self.now.plus_micros(SECOND).min(end);
                self.pass(self.now);
            }
        }
        self.now = end;
        self.pass(end);
    }

    fn pass(&mut self, now: Timestamp) {
        let mut due = Vec::new();
        self.market.sequencer.close_bars(now, &mut due);
        self.check_pushed(&due);
        self.market.apply(due);
    }

    fn trade(&mut self, step: &Step, oldest: Timestamp) {
        let ts = self.now.plus_micros(-step.back).max(oldest);
        let trade = Trade { ts, price: Price::from_cents(step.cents), size: Size::new(step.shares) };
        self.now = self.now.max(ts);
        let mut due = Vec::new();
        self.market.sequencer.push(SymbolId(step.symbol), EventBody::Trade(trade), &mut due);
        // Bars that close before the trade do not have it.
        self.check_pushed(&due);
        self.market.apply(due);
        self.arrived[step.symbol as usize].push((self.now, trade));
    }

    fn restart(&mut self) {
        let text = self.market.file(self.now.micros());
        self.now = self.now.plus_micros(7 * SECOND);
        let state = MarketState::parse(text.as_bytes(), Path::new("state"), self.now).unwrap();
        let start = state.start(self.now);
        let opening = state.opening(&self.table, start).unwrap();
        self.market = Market::new(opening, self.table.clone(), self.kept_max);
        self.is_resumed = true;
    }

    /// Checks that the published bars are those of the trades so far.
    fn check_pushed(&self, due: &[crate::protocol::Publication]) {
        for event in due.iter().map(|publication| &publication.event) {
            let (interval, bar) = match &event.body {
                EventBody::Bar(interval, closed) => (*interval, closed.bar),
                EventBody::UpdatedBar(closed) => (Interval::M1, closed.bar),
                _ => continue,
            };
            let expected = self.expected(event.id, interval);
            self.check(interval, &bar, expected.get(&bar.ts), true);
        }
    }

    /// Checks what a client can read: the newest bars, of which none is missing.
    fn check_read(&self) {
        for id in self.table.ids() {
            for interval in Interval::ALL {
                let (_, read) = self.market.archive.read(id, interval, 100_000, None);
                let bars: Vec<_> = read.closed.iter().map(Bar::from).chain(read.open).collect();
                let expected = self.expected(id, interval);
                let starts: Vec<_> = bars.iter().map(|bar| bar.ts).collect();
                let newest = expected.keys().skip(expected.len().saturating_sub(bars.len()));
                assert_eq!(starts, newest.copied().collect::<Vec<_>>(), "{interval}");
                assert!(bars.len() >= expected.len().min(self.kept_max), "{interval}: {} bars", bars.len());
                for bar in &bars {
                    // An update of the last minute may follow.
                    let end = bar.ts.plus_micros(interval.micros());
                    let is_final = self.now < end || self.now >= Interval::M1.start_of(end).plus_micros(2 * MINUTE);
                    self.check(interval, bar, expected.get(&bar.ts), is_final);
                }
            }
        }
    }

    /// Returns the trades of each bar, in the order of time.
    fn expected(&self, id: SymbolId, interval: Interval) -> BTreeMap<Timestamp, Vec<Arrived>> {
        let mut bars = BTreeMap::<_, Vec<_>>::new();
        for arrived in &self.arrived[id.index()] {
            bars.entry(interval.start_of(arrived.1.ts)).or_default().push(*arrived);
        }
        for trades in bars.values_mut() {
            trades.sort_by_key(|(_, trade)| trade.ts);
        }
        bars
    }

    fn check(&self, interval: Interval, bar: &Bar, trades: Option<&Vec<Arrived>>, is_final: bool) {
        let trades = trades.unwrap_or_else(|| panic!("a bar of no trade: {interval} {bar:?}"));
        let mut builder = BarBuilder::default();
        for (_, trade) in trades {
            builder.add(bar.ts, trade);
        }
        let expected = builder.bar().unwrap();
        let figures = |bar: &Bar| (bar.high, bar.low, bar.volume, bar.trades);
        assert_eq!(figures(bar), figures(&expected), "{interval} {bar:?} {trades:#?}");
        let off = (bar.vwap.units() - expected.vwap.units()).unsigned_abs();
        assert!(off <= bar.trades, "{interval} {bar:?} {expected:?}: only rounded");
        assert!((bar.low..=bar.high).contains(&bar.open) && (bar.low..=bar.high).contains(&bar.close));
        // The first and the last price stay if a trade is late for them.
        let end = bar.ts.plus_micros(interval.micros());
        let is_late = |(now, trade): &Arrived| {
            let minutes = (Interval::M1.start_of(*now).micros() - Interval::M1.start_of(trade.ts).micros()) / MINUTE;
            *now >= end && (interval == Interval::S1 || minutes > 1)
        };
        if !self.is_resumed && is_final && !trades.iter().any(is_late) {
            assert_eq!((bar.open, bar.close), (expected.open, expected.close), "{interval} {bar:?} {trades:#?}");
        }
    }
}

fn run(steps: &[Step], kept_max: usize, with_restarts: bool) {
    let mut run = Run::new(kept_max);
    // A market that goes on does not know what was before its oldest bar.
    let oldest = if with_restarts { run.now } else { Timestamp::from_micros(NOW - 400 * MINUTE) };
    for symbol in 0..2 {
        let first = Step { wait: 0, back: 0, cents: 100, shares: 1, symbol, is_restart: false };
        run.trade(&first, oldest);
    }
    for (number, step) in steps.iter().enumerate() {
        run.wait(step.wait);
        if step.is_restart && with_restarts {
            run.restart();
        }
        run.trade(step, oldest);
        if number % 8 == 0 {
            run.check_read();
        }
    }
    run.check_read();
    run.wait(3 * MINUTE);
    run.check_read();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bars_are_those_of_the_trades_in_the_order_of_time(steps in prop::collection::vec(step(), 1..80)) {
        run(&steps, 10_000, false);
    }

    #[test]
    fn the_newest_bars_are_those_of_the_trades_in_the_order_of_time(steps in prop::collection::vec(step(), 1..80)) {
        run(&steps, 4, false);
    }

    #[test]
    fn bars_are_those_of_all_trades_after_restarts(steps in prop::collection::vec(step(), 1..80)) {
        run(&steps, 10_000, true);
    }
}

#[test]
fn the_bar_of_a_late_trade_that_is_the_newest_one_closes_at_the_next_minute() {
    let mut run = Run::new(10);
    let oldest = run.now;
    let trade = |back: i64, run: &mut Run| {
        run.trade(&Step { wait: 0, back, cents: 100, shares: 1, symbol: 0, is_restart: false }, oldest);
    };
    trade(0, &mut run);
    run.wait(10 * MINUTE);
    trade(5 * MINUTE, &mut run);
    run.wait(MINUTE);
    let (_, read) = run.market.archive.read(SymbolId(0), Interval::M1, 10, None);
    assert_eq!((read.closed.len(), read.open), (2, None), "nothing has told the history of the time between");
}
