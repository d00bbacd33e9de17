//! A file of the state with any mistake is refused, or begins a market that goes on without a panic, and whose own file is read again.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::{
    EventBody, Instrument, Interval, Price, Quote, Size, Snapshot, SymbolId, SymbolTable, Timestamp, Trade,
};
use crate::feed::state::MarketState;
use crate::feed::{Opening, Sequencer};
use crate::history::saved::symbol_state;
use crate::history::{Archive, BarBounds, LastValues, PastSource, Timeframe, Window, past_of};
use crate::metrics::Metrics;
use crate::protocol::Publication;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 1_440 * MINUTE;
/// Monday 2026-03-02, 15:04:05.123456 UTC.
pub(super) const NOW: i64 = 1_772_463_845_123_456;
/// Times of a market whose files are read: the first days of 1970, and nearly two days ahead of the clock, so that bars end later.
const OLDEST: i64 = DAY;
const NEWEST: i64 = NOW + 2 * DAY - 10 * MINUTE;
/// The greatest values of a publisher.
const GREATEST: (i64, u64) = (10_000_000_000_000, 1_000_000_000_000_000_000);

/// Returns a market without an event.
pub(super) fn beginning(start: Timestamp, symbols: usize) -> Opening {
    Opening {
        start,
        snapshots: vec![Snapshot::default(); symbols],
        open: vec![Default::default(); symbols],
        days: vec![None; symbols],
        past: vec![Default::default(); symbols],
    }
}

/// A market without actors.
pub(super) struct Market {
    table: Arc<SymbolTable>,
    pub(super) sequencer: Sequencer,
    values: LastValues,
    pub(super) archive: Archive,
    kept_max: usize,
}

impl Market {
    pub(super) fn new(opening: Opening, table: Arc<SymbolTable>, kept_max: usize) -> Self {
        let (sequencer, values) = (opening.sequencer(table.clone()), LastValues::new(opening.snapshots.clone()));
        let (open, start, opening) = (opening.open.clone(), opening.start, Arc::new(opening));
        let past: PastSource = Box::new(move |id, series| past_of(&opening, id, series));
        let bounds = BarBounds { bars_max: kept_max, kept_max };
        let none: PastSource = Box::new(|_, _| Vec::new());
        let archive = Archive::new(open, start, bounds, none, (1_000, 1_000), Arc::new(Metrics::default()));
        archive.restore(&past, kept_max);
        Self { table, sequencer, values, archive, kept_max }
    }

    pub(super) fn apply(&mut self, due: Vec<Publication>) {
        for publication in &due {
            self.values.apply(publication);
        }
        self.archive.apply(due.into());
    }

    fn publish(&mut self, id: SymbolId, body: EventBody) {
        let mut due = Vec::new();
        self.sequencer.push(id, body, &mut due);
        self.apply(due);
    }

    fn trade(&mut self, id: SymbolId, micros: i64, (units, size): (i64, u64)) {
        let (price, size) = (Price::from_units(units), Size::from_micros(size));
        self.publish(id, EventBody::Trade(Trade { ts: Timestamp::from_micros(micros), price, size }));
    }

    fn quote(&mut self, id: SymbolId, micros: i64, (units, size): (i64, u64)) {
        let (price, size) = (Price::from_units(units), Size::from_micros(size));
        let quote =
            Quote { ts: Timestamp::from_micros(micros), bid: price, bid_size: size, ask: price, ask_size: size };
        self.publish(id, EventBody::Quote(quote));
    }

    /// Lets the time of the market come.
    fn pass(&mut self, micros: i64) {
        let mut due = Vec::new();
        self.sequencer.close_bars(Timestamp::from_micros(micros), &mut due);
        self.apply(due);
    }

    /// Returns the file of the market at this time.
    pub(super) fn file(&self, micros: i64) -> String {
        let mut text =
            format!("{{\"type\":\"state\",\"version\":1,\"ts\":{micros},\"symbols\":{}}}\n", self.table.len());
        for id in self.table.ids() {
            let state = symbol_state(id, &self.table, &self.values, &self.archive, self.kept_max);
            text += &(serde_json::to_string(&state).unwrap() + "\n");
        }
        text
    }

    /// Reads everything of a symbol.
    fn read(&self, id: SymbolId) {
        for interval in Interval::ALL {
            let (_, read) = self.archive.read(id, interval, 1_000, None);
            let starts: Vec<_> =
                read.closed.iter().map(crate::history::CompactBar::ts).chain(read.open.map(|bar| bar.ts)).collect();
            assert!(starts.is_sorted_by(|bar, next| bar < next), "{interval}: {starts:?}");
        }
        let (from, to) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        for timeframe in
            [Timeframe::Minute(1), Timeframe::Hour(4), Timeframe::Day(1), Timeframe::Week(1), Timeframe::Month(12)]
        {
            self.archive.bars(id, timeframe, &Window { from, to, descends: false }, None, 1_000);
        }
        self.archive.last_minute(id);
        self.archive.last_days(id);
    }
}

/// Returns the file of a market at this time whose symbols have traded for some minutes.
fn file(now: i64) -> String {
    let instrument =
        |symbol: &str| Instrument { symbol: symbol.parse().unwrap(), name: String::new(), sector: String::new() };
    let table = Arc::new(SymbolTable::new(["AA", "BB-USD", "C"].map(instrument).to_vec()));
    let mut market = Market::new(beginning(Timestamp::from_micros(now - DAY), table.len()), table, 100);
    for (number, units) in (0_i64..3).zip([20_000, 10_000, 30_000]) {
        market.trade(SymbolId(0), now - DAY / 2 + number * DAY / 6, (units, 5_000_000));
        market.quote(SymbolId(0), now - DAY / 2 + number * DAY / 6, (units, 0));
    }
    // So that a sum is the greatest one.
    (0..20).for_each(|_| market.trade(SymbolId(1), now, GREATEST));
    market.quote(SymbolId(1), now, GREATEST);
    market.file(now)
}

/// Reads this file, and lets its market go on; returns false if it is refused.
fn goes_on(text: &[u8]) -> bool {
    let read = |text: &[u8], now: i64| MarketState::parse(text, Path::new("state"), Timestamp::from_micros(now));
    let Ok(state) = read(text, NOW) else { return false };
    let table = Arc::new(SymbolTable::growing(Vec::new(), 10));
    let start = state.start(Timestamp::from_micros(NOW));
    let mut market = Market::new(state.opening(&table, start).expect("a table with room"), table.clone(), 100);
    let mut now = start.micros();
    read(market.file(now).as_bytes(), now).expect("a file that it writes at once");
    table.ids().for_each(|id| market.read(id));
    for pause in [SECOND, MINUTE, DAY] {
        for id in table.ids() {
            for figures in [GREATEST, (1, 1)] {
                market.trade(id, now, figures);
                market.trade(id, now - MINUTE, figures);
                market.trade(id, now - DAY, figures);
                market.quote(id, now, figures);
            }
        }
        now += pause;
        market.pass(now);
        table.ids().for_each(|id| market.read(id));
        read(market.file(now).as_bytes(), now).expect("a file that it writes later");
    }
    true
}

/// Returns the places of all numbers of a text.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let begins = (1..bytes.len()).filter(|place| is_digit(bytes[*place]) && !is_digit(bytes[place - 1]));
    let sign = |place: usize| place - usize::from(bytes[place - 1] == b'-');
    begins
        .map(|place| (sign(place), place + bytes[place..].iter().take_while(|byte| is_digit(**byte)).count()))
        .collect()
}

fn with_number(text: &str, (begin, end): (usize, usize), number: &str) -> String {
    format!("{}{number}{}", &text[..begin], &text[end..])
}

/// Numbers at which something may overflow, beginning with those that are never right.
const EXTREMES: [&str; 15] = [
    "-9223372036854775809",
    "9223372036854775808e1",
    "1e308",
    "0",
    "-1",
    "1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "10000000000000",
    "1000000000000",
    "1000000000000000000",
    "-691200000000",
    "1772636645123456",
];

#[test]
fn a_file_of_any_time_and_of_the_greatest_values_goes_on() {
    for now in [NOW, OLDEST, NEWEST, 0] {
        let text = file(now);
        assert!(
            goes_on(text.as_bytes()),
            "{now}: {:?}",
            MarketState::parse(text.as_bytes(), Path::new("state"), Timestamp::from_micros(NOW))
        );
    }
    assert!(!goes_on(file(NOW + 3 * DAY).as_bytes()) && !goes_on(file(OLDEST - 12 * DAY).as_bytes()));
    let text = file(NOW);
    assert!(text.contains("[[[") && text.contains(",18446744073709551615,"), "bars, and the greatest sum: {text}");
}

#[test]
fn a_file_with_a_changed_byte_or_a_missing_line_is_refused_or_goes_on() {
    let text = file(NOW);
    let (mut refused, mut accepted) = (0, 0);
    let mut count = |is_accepted: bool| if is_accepted { accepted += 1 } else { refused += 1 };
    for place in 0..text.len() {
        for flip in [1, 4, 128] {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= flip;
            count(goes_on(&bytes));
        }
        assert!(!goes_on(&text.as_bytes()[..place]), "cut off after {place} bytes");
        let mut bytes = text.clone().into_bytes();
        bytes.remove(place);
        count(goes_on(&bytes));
    }
    assert!(refused > 1_000 && accepted > 100, "{refused} {accepted}");
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    for place in 0..lines.len() {
        for copies in [0, 2] {
            let copied = lines[..place].concat() + &lines[place].repeat(copies) + &lines[place + 1..].concat();
            assert!(!goes_on(copied.as_bytes()), "line {place} is there {copies} times");
        }
    }
}

#[test]
fn a_file_with_any_number_in_place_of_another_is_refused_or_goes_on() {
    let text = file(NOW);
    let mut accepted = 0;
    for place in numbers(&text) {
        for (number, extreme) in EXTREMES.into_iter().enumerate() {
            let is_accepted = goes_on(with_number(&text, place, extreme).as_bytes());
            assert!(!is_accepted || number > 2, "{extreme} for {}", &text[place.0..place.1]);
            accepted += usize::from(is_accepted);
        }
    }
    assert!(accepted > 50, "{accepted}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_file_with_several_other_numbers_is_refused_or_goes_on(
        now in prop::sample::select(vec![NOW, OLDEST, NEWEST]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..EXTREMES.len()), 1..4),
    ) {
        let mut text = file(now);
        for (place, extreme) in changes {
            let places = numbers(&text);
            text = with_number(&text, places[place.index(places.len())], EXTREMES[extreme]);
        }
        goes_on(text.as_bytes());
    }
}
