//! Symbols that are added to the table while the sequencer runs.

use std::sync::Arc;

use crate::domain::{Channel, EventBody, Instrument, Interval, Price, Size, Snapshot, SymbolTable, Timestamp, Trade};
use crate::feed::{Opening, Restart, Sequencer};
use crate::protocol::Publication;

fn trade(ms: i64) -> EventBody {
    let ts = Timestamp::from_micros(ms * 1_000);
    EventBody::Trade(Trade { ts, price: Price::from_cents(100), size: Size::new(1) })
}

#[test]
fn a_symbol_that_is_added_is_numbered_from_one_and_has_bars_and_gaps_from_its_first_event_on() {
    let instrument =
        |symbol: &str| Instrument { symbol: symbol.parse().unwrap(), name: String::new(), sector: String::new() };
    let table = Arc::new(SymbolTable::growing(Vec::new(), 3));
    let mut sequencer = Sequencer::new(table.clone(), Vec::new(), Vec::new(), Vec::new(), Timestamp::default());
    let mut out = Vec::new();
    let ids = ["AAPL", "IBM", "MSFT"].map(|symbol| table.add(instrument(symbol)).unwrap());
    sequencer.leave_out(Timestamp::default(), Timestamp::default(), &mut out);
    assert!(out.is_empty(), "no symbol has had an event");
    sequencer.push(ids[2], trade(61_000), &mut out);
    // A trade of the minute before, the first one of its symbol.
    sequencer.push(ids[0], trade(59_000), &mut out);
    sequencer.close_bars(Timestamp::from_micros(90_000_000), &mut out);
    let of = |out: &[Publication]| {
        let described = |each: &Publication| (each.event.symbol.to_string(), each.event.channel(), each.event.seq);
        out.iter().map(described).collect::<Vec<_>>()
    };
    let [first, second] = ["MSFT", "AAPL"].map(String::from);
    assert_eq!(
        of(&out),
        [
            (first.clone(), Channel::Trades, 1),
            (second.clone(), Channel::Trades, 1),
            (second.clone(), Channel::UpdatedBars, 1),
            (second, Channel::Bars(Interval::S1), 1),
            (first, Channel::Bars(Interval::S1), 1),
        ]
    );
    out.clear();
    sequencer.leave_out(Timestamp::from_micros(90_000_000), Timestamp::from_micros(91_000_000), &mut out);
    let gaps = of(&out).into_iter().filter(|(_, channel, _)| *channel == Channel::Gap).map(|(symbol, ..)| symbol);
    // IBM has a place beside the others. A gap of a symbol without events does no harm.
    assert_eq!(gaps.collect::<Vec<_>>(), ["AAPL", "IBM", "MSFT"]);
    // After a seek to a state that does not know them, their numbers go on.
    let (offset, seq) = sequencer.restart(&Opening::default());
    let restart = Restart::new((offset, seq), Opening::default());
    let trades = |snapshot: &Snapshot| (snapshot.last, snapshot.seq[Channel::Trades.index()]);
    assert_eq!(restart.opening.snapshots.iter().map(trades).collect::<Vec<_>>(), [(None, 1), (None, 0), (None, 1)]);
    out.clear();
    sequencer.push(ids[2], trade(1), &mut out);
    assert_eq!(of(&out), [("MSFT".into(), Channel::Trades, 2)]);
}
