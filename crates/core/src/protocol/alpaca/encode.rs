//! Encodes events, `T` first, then `S`; and the same objects without the two, for answers over HTTP.

use crate::domain::{Bar, Cancel, CancelKind, Correction, Event, EventBody, Quote, Size, Symbol, Trade};
use crate::protocol::alpaca::codec::Codec;
use crate::protocol::alpaca::kind;
use crate::protocol::identity;

/// The fields `T` and `S`.
const HEAD: u8 = 2;
const TRADE: u8 = 7;
const QUOTE: u8 = 9;
const BAR: u8 = 8;
const CORRECTION: u8 = 11;
const CANCEL: u8 = 7;

/// Appends an event that the stream has; `name` is the symbol's name on this stream.
pub(super) fn encode_event<C: Codec>(event: &Event, name: &str, out: &mut Vec<u8>) {
    let (symbol, seq) = (event.symbol, event.seq);
    match &event.body {
        EventBody::Trade(trade) => {
            begin::<C>(kind::TRADE, name, TRADE, out);
            trade_fields::<C>(symbol, seq, trade, out);
        }
        EventBody::Quote(quote) => {
            begin::<C>(kind::QUOTE, name, QUOTE, out);
            quote_fields::<C>(symbol, seq, quote, out);
        }
        EventBody::Bar(_, closed) => {
            begin::<C>(kind::MINUTE_BAR, name, BAR, out);
            bar_fields::<C>(&closed.bar, out);
        }
        EventBody::UpdatedBar(closed) => {
            begin::<C>(kind::UPDATED_BAR, name, BAR, out);
            bar_fields::<C>(&closed.bar, out);
        }
        EventBody::DailyBar(bar) => {
            begin::<C>(kind::DAILY_BAR, name, BAR, out);
            bar_fields::<C>(bar, out);
        }
        EventBody::Correction(correction) => {
            begin::<C>(kind::CORRECTION, name, CORRECTION, out);
            correction_fields::<C>(symbol, seq, correction, out);
        }
        EventBody::Cancel(cancel) => {
            begin::<C>(kind::CANCEL, name, CANCEL, out);
            cancel_fields::<C>(symbol, cancel, out);
        }
        // They have no group.
        EventBody::Day(_) | EventBody::Gap(_) => return,
    }
    C::end_object(out);
}

/// The field `u` of a trade over HTTP that does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It was cancelled.
    Cancelled,
    /// It was corrected: another trade stands for it.
    Incorrect,
}

/// Appends the trade with this `seq` as an object without `T` and `S`.
pub fn write_trade<C: Codec>(symbol: Symbol, seq: u64, trade: &Trade, update: Option<Update>, out: &mut Vec<u8>) {
    C::begin_object(TRADE + u8::from(update.is_some()), out);
    trade_fields::<C>(symbol, seq, trade, out);
    match update {
        None => {}
        Some(Update::Cancelled) => text::<C>("u", "canceled", out),
        Some(Update::Incorrect) => text::<C>("u", "incorrect", out),
    }
    C::end_object(out);
}

/// Appends the trade that the correction with this `seq` has made, as an object without `T` and `S`: at the time of the trade, under the
/// id that the stream gives it.
pub fn write_corrected<C: Codec>(symbol: Symbol, seq: u64, correction: &Correction, out: &mut Vec<u8>) {
    C::begin_object(TRADE + 1, out);
    let (id, trade_seq) = (identity::corrected_trade_id(seq), correction.trade_seq);
    numbered_trade_fields::<C>(symbol, id, trade_seq, &correction.corrected(), out);
    text::<C>("u", "corrected", out);
    C::end_object(out);
}

/// Appends the quote with this `seq` as an object without `T` and `S`.
pub fn write_quote<C: Codec>(symbol: Symbol, seq: u64, quote: &Quote, out: &mut Vec<u8>) {
    C::begin_object(QUOTE, out);
    quote_fields::<C>(symbol, seq, quote, out);
    C::end_object(out);
}

/// Appends a bar as an object without `T` and `S`.
pub fn write_bar<C: Codec>(bar: &Bar, out: &mut Vec<u8>) {
    C::begin_object(BAR, out);
    bar_fields::<C>(bar, out);
    C::end_object(out);
}

fn begin<C: Codec>(kind: &str, name: &str, fields: u8, out: &mut Vec<u8>) {
    C::begin_object(HEAD + fields, out);
    text::<C>("T", kind, out);
    text::<C>("S", name, out);
}

fn trade_fields<C: Codec>(symbol: Symbol, seq: u64, trade: &Trade, out: &mut Vec<u8>) {
    numbered_trade_fields::<C>(symbol, identity::trade_id(seq), seq, trade, out);
}

fn numbered_trade_fields<C: Codec>(symbol: Symbol, number: i64, seq: u64, trade: &Trade, out: &mut Vec<u8>) {
    id::<C>("i", number, out);
    text::<C>("x", identity::exchange(symbol, seq).letter, out);
    C::key("p", out);
    C::price(trade.price, out);
    size::<C>("s", trade.size, out);
    conditions::<C>("c", symbol, seq, trade.size, out);
    text::<C>("z", identity::tape(symbol).letter(), out);
    C::key("t", out);
    C::time(trade.ts, out);
}

fn quote_fields<C: Codec>(symbol: Symbol, seq: u64, quote: &Quote, out: &mut Vec<u8>) {
    let [bid_exchange, ask_exchange] = identity::quote_exchanges(symbol, seq);
    text::<C>("bx", bid_exchange.letter, out);
    C::key("bp", out);
    C::price(quote.bid, out);
    size::<C>("bs", quote.bid_size, out);
    text::<C>("ax", ask_exchange.letter, out);
    C::key("ap", out);
    C::price(quote.ask, out);
    size::<C>("as", quote.ask_size, out);
    C::key("c", out);
    C::texts(std::iter::once(identity::QUOTE_CONDITION), out);
    text::<C>("z", identity::tape(symbol).letter(), out);
    C::key("t", out);
    C::time(quote.ts, out);
}

fn bar_fields<C: Codec>(bar: &Bar, out: &mut Vec<u8>) {
    for (key, price) in [("o", bar.open), ("h", bar.high), ("l", bar.low), ("c", bar.close)] {
        C::key(key, out);
        C::price(price, out);
    }
    C::key("v", out);
    C::size(bar.volume, out);
    C::key("n", out);
    C::integer(bar.trades, out);
    C::key("vw", out);
    C::price(bar.vwap, out);
    C::key("t", out);
    C::time(bar.ts, out);
}

fn correction_fields<C: Codec>(symbol: Symbol, seq: u64, correction: &Correction, out: &mut Vec<u8>) {
    let trade_seq = correction.trade_seq;
    text::<C>("x", identity::exchange(symbol, trade_seq).letter, out);
    id::<C>("oi", identity::trade_id(trade_seq), out);
    C::key("op", out);
    C::price(correction.trade.price, out);
    size::<C>("os", correction.trade.size, out);
    conditions::<C>("oc", symbol, trade_seq, correction.trade.size, out);
    id::<C>("ci", identity::corrected_trade_id(seq), out);
    C::key("cp", out);
    C::price(correction.price, out);
    size::<C>("cs", correction.size, out);
    conditions::<C>("cc", symbol, trade_seq, correction.size, out);
    C::key("t", out);
    C::time(correction.ts, out);
    text::<C>("z", identity::tape(symbol).letter(), out);
}

fn cancel_fields<C: Codec>(symbol: Symbol, cancel: &Cancel, out: &mut Vec<u8>) {
    id::<C>("i", identity::trade_id(cancel.trade_seq), out);
    text::<C>("x", identity::exchange(symbol, cancel.trade_seq).letter, out);
    C::key("p", out);
    C::price(cancel.trade.price, out);
    size::<C>("s", cancel.trade.size, out);
    let action = match cancel.kind {
        CancelKind::Cancelled => kind::TAKEN_BACK,
        CancelKind::Error => kind::BY_MISTAKE,
    };
    text::<C>("a", action, out);
    C::key("t", out);
    C::time(cancel.ts, out);
    text::<C>("z", identity::tape(symbol).letter(), out);
}

fn text<C: Codec>(key: &'static str, value: &str, out: &mut Vec<u8>) {
    C::key(key, out);
    C::text(value, out);
}

fn size<C: Codec>(key: &'static str, value: Size, out: &mut Vec<u8>) {
    C::key(key, out);
    C::size(value, out);
}

fn id<C: Codec>(key: &'static str, value: i64, out: &mut Vec<u8>) {
    C::key(key, out);
    C::integer(value.unsigned_abs(), out);
}

fn conditions<C: Codec>(key: &'static str, symbol: Symbol, trade_seq: u64, size: Size, out: &mut Vec<u8>) {
    C::key(key, out);
    C::texts(identity::trade_conditions(symbol, trade_seq, size).letters(), out);
}
