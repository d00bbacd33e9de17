//! Tests of the simulated market.

use super::*;
use crate::domain::{Price, Trade};

/// The default market, without amendments.
const DEFAULT: SimulatorConfig = SimulatorConfig {
    seed: 42,
    events_per_second: 200.0,
    quotes_per_trade: 2.0,
    extra_symbols: 0,
    amendments_per_million_trades: 0,
    late_per_million_trades: 0,
};

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
                [0, price.units(), size.shares().cast_signed()].into_iter().for_each(&mut feed);
                ts
            }
            EventBody::Quote(Quote { ts, bid, bid_size, ask, ask_size }) => {
                let sizes = [bid_size, ask_size].map(|size| size.shares().cast_signed());
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
fn amendments_are_the_same_every_time_and_change_neither_trades_nor_quotes() {
    let config = SimulatorConfig { amendments_per_million_trades: 10_000, ..DEFAULT };
    let all: Vec<_> = simulator(&config).take(100_000).collect();
    assert_eq!(all, simulator(&config).take(100_000).collect::<Vec<_>>());
    let is_amendment = |event: &&RawEvent| matches!(event.body, EventBody::Correction(_) | EventBody::Cancel(_));
    assert!((250..420).contains(&all.iter().filter(is_amendment).count()));
    let mut plain = simulator(&DEFAULT);
    assert!(all.iter().filter(|event| !is_amendment(event)).all(|event| Some(event) == plain.next().as_ref()));
    let (mut trades, mut last) = (vec![Vec::new(); 30], Timestamp::default());
    for RawEvent { id, body } in &all {
        let (ts, seq, wrong) = match body {
            EventBody::Trade(trade) => {
                trades[id.index()].push(*trade);
                continue;
            }
            EventBody::Correction(correction) => (correction.ts, correction.trade_seq, correction.trade),
            EventBody::Cancel(cancel) => (cancel.ts, cancel.trade_seq, cancel.trade),
            _ => continue,
        };
        assert_eq!(trades[id.index()][usize::try_from(seq).unwrap() - 1], wrong, "of the same symbol");
        assert!(ts >= wrong.ts && ts >= last);
        last = ts;
    }
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
        let (EventBody::Trade(Trade { ts, .. }) | EventBody::Quote(Quote { ts, .. })) = event.body else { panic!() };
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
fn late_trades_are_the_same_every_time_are_due_in_order_and_change_no_other_event() {
    let config = SimulatorConfig { late_per_million_trades: 20_000, ..DEFAULT };
    let all: Vec<_> = simulator(&config).take(100_000).collect();
    assert_eq!(all, simulator(&config).take(100_000).collect::<Vec<_>>());
    let (mut market, mut plain, mut late, mut last) =
        (simulator(&config), simulator(&DEFAULT), 0, Timestamp::default());
    for event in &all {
        let due = market.peek_ts();
        assert!(due >= last);
        last = due;
        assert_eq!(*event, market.next_event());
        match &event.body {
            EventBody::Trade(trade) if trade.ts < due => late += 1,
            _ => assert_eq!(Some(event), plain.next().as_ref()),
        }
    }
    assert!((500..800).contains(&late), "{late} of 33,000 trades");
    let mut postponed = simulator(&config);
    while postponed.peek_ts() == Timestamp::default()
        || !matches!(postponed.follower, Some((_, RawEvent { body: EventBody::Trade(_), .. })))
    {
        postponed.next_event();
    }
    let (due, mut moved) = (postponed.peek_ts(), postponed.clone());
    moved.postpone(5_000_000);
    assert_eq!(moved.peek_ts(), due.plus_micros(5_000_000));
    let [EventBody::Trade(one), EventBody::Trade(other)] =
        [postponed, moved].map(|mut market| market.next_event().body)
    else {
        panic!("late trades")
    };
    assert_eq!(other.ts, one.ts.plus_micros(5_000_000));
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (config, name) in [
        (SimulatorConfig { events_per_second: 0.0, ..DEFAULT }, "events_per_second"),
        (SimulatorConfig { events_per_second: f64::NAN, ..DEFAULT }, "events_per_second"),
        (SimulatorConfig { quotes_per_trade: -1.0, ..DEFAULT }, "quotes_per_trade"),
        (SimulatorConfig { extra_symbols: 10_001, ..DEFAULT }, "extra_symbols"),
        (SimulatorConfig { amendments_per_million_trades: 100_001, ..DEFAULT }, "amendments_per_million_trades"),
        (SimulatorConfig { late_per_million_trades: 100_001, ..DEFAULT }, "late_per_million_trades"),
    ] {
        let err = Simulator::new(&config, Timestamp::default()).unwrap_err().to_string();
        assert!(err.starts_with(name), "{err}");
    }
    assert!(simulator(&SimulatorConfig { extra_symbols: 10_000, ..DEFAULT }).table().find("SYM9999").is_some());
}
