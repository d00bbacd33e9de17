//! Encodes events, `ev` first, then `sym`.

use crate::domain::{ClosedBar, Event, EventBody, Interval, Quote, Size, Trade};
use crate::protocol::identity;
use crate::protocol::json::{integer, key, list, millis, price, size, text};
use crate::protocol::massive::Topic;

/// Appends an event that the stream has.
pub(super) fn encode_event(event: &Event, out: &mut Vec<u8>) {
    match &event.body {
        EventBody::Trade(trade) => trade_fields(event, trade, out),
        EventBody::Quote(quote) => quote_fields(event, quote, out),
        EventBody::Bar(interval, closed) => bar_fields(event, *interval, closed, out),
        // They have no group.
        _ => return,
    }
    out.push(b'}');
}

fn begin(topic: Topic, event: &Event, out: &mut Vec<u8>) {
    out.push(b'{');
    key("ev", out);
    text(topic.name(), out);
    key("sym", out);
    text(event.symbol.as_str(), out);
}

fn trade_fields(event: &Event, trade: &Trade, out: &mut Vec<u8>) {
    begin(Topic::Trades, event, out);
    key("x", out);
    integer(identity::exchange(event.symbol, event.seq).massive, out);
    // A text of digits.
    key("i", out);
    out.push(b'"');
    integer(identity::trade_id(event.seq), out);
    out.push(b'"');
    key("z", out);
    integer(identity::tape(event.symbol).massive(), out);
    key("p", out);
    price(trade.price, out);
    shares("s", "ds", trade.size, out);
    key("c", out);
    list(identity::trade_conditions(event.symbol, event.seq, trade.size).massive(), out, integer);
    key("t", out);
    millis(trade.ts, out);
    sequence(event, out);
}

fn quote_fields(event: &Event, quote: &Quote, out: &mut Vec<u8>) {
    let [bid_exchange, ask_exchange] = identity::quote_exchanges(event.symbol, event.seq);
    begin(Topic::Quotes, event, out);
    key("bx", out);
    integer(bid_exchange.massive, out);
    key("bp", out);
    price(quote.bid, out);
    key("bs", out);
    integer(quote.bid_size.shares(), out);
    key("ax", out);
    integer(ask_exchange.massive, out);
    key("ap", out);
    price(quote.ask, out);
    key("as", out);
    integer(quote.ask_size.shares(), out);
    key("c", out);
    integer(identity::QUOTE_CONDITION_MASSIVE, out);
    // Indicators, which the market does not have.
    key("i", out);
    out.extend_from_slice(b"[]");
    key("t", out);
    millis(quote.ts, out);
    sequence(event, out);
    key("z", out);
    integer(identity::tape(event.symbol).massive(), out);
}

/// Appends a number of whole shares, and if it has a fraction the exact decimal number as a text, as the vendor does since 2026: its
/// clients read integers (massive.com/docs/websocket/stocks/trades, `ds`).
fn shares(name: &str, decimal: &str, value: Size, out: &mut Vec<u8>) {
    key(name, out);
    integer(value.shares(), out);
    if value.whole().is_none() {
        key(decimal, out);
        out.push(b'"');
        size(value, out);
        out.push(b'"');
    }
}

/// Appends the number of the event in the stream: it increases over trades and quotes of a symbol, with holes, as the vendor's does.
fn sequence(event: &Event, out: &mut Vec<u8>) {
    key("q", out);
    integer(event.offset, out);
}

fn bar_fields(event: &Event, interval: Interval, closed: &ClosedBar, out: &mut Vec<u8>) {
    let ClosedBar { bar, day } = closed;
    begin(if interval == Interval::S1 { Topic::SecondBars } else { Topic::MinuteBars }, event, out);
    shares("v", "dv", bar.volume, out);
    shares("av", "dav", day.volume, out);
    for (name, value) in [
        ("op", day.open),
        ("vw", bar.vwap),
        ("o", bar.open),
        ("c", bar.close),
        ("h", bar.high),
        ("l", bar.low),
        ("a", day.vwap),
    ] {
        key(name, out);
        price(value, out);
    }
    // Average size of a trade, in shares.
    key("z", out);
    integer(bar.volume.shares() / bar.trades.max(1), out);
    key("s", out);
    millis(bar.ts, out);
    key("e", out);
    millis(bar.ts.plus_micros(interval.micros()), out);
}
