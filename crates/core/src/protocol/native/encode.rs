//! Encodes events, bars and snapshots as JSON: by hand, because nearly all bytes sent are theirs.

use bytes::BufMut;

use crate::domain::{
    Bar, CancelKind, Channel, ChannelSet, Event, EventBody, Price, Size, Snapshot, Symbol, Timestamp, Trade,
};
use crate::protocol::json;

/// Appends an event as one JSON object.
pub(super) fn encode_event(event: &Event, out: &mut impl BufMut) {
    let kind: &[u8] = match &event.body {
        EventBody::Trade(_) => b"{\"type\":\"trade\",\"symbol\":\"",
        EventBody::Quote(_) => b"{\"type\":\"quote\",\"symbol\":\"",
        EventBody::Bar(..) | EventBody::UpdatedBar(_) | EventBody::DailyBar(_) => b"{\"type\":\"bar\",\"symbol\":\"",
        EventBody::Correction(_) => b"{\"type\":\"correction\",\"symbol\":\"",
        EventBody::Cancel(_) => b"{\"type\":\"cancel\",\"symbol\":\"",
        EventBody::Day(_) => b"{\"type\":\"day\",\"symbol\":\"",
        EventBody::Gap(_) => b"{\"type\":\"gap\",\"symbol\":\"",
    };
    out.put_slice(kind);
    out.put_slice(event.symbol.as_bytes());
    if let Some(channel) = event.channel().name().strip_prefix("bars.") {
        out.put_slice(b"\",\"interval\":\"");
        out.put_slice(channel.as_bytes());
    }
    integer(out, b"\",\"seq\":", event.seq);
    integer(out, b",\"offset\":", event.offset);
    integer(out, b",\"ts\":", event.ts().micros());
    match &event.body {
        EventBody::Trade(trade) => {
            price(out, b",\"price\":", trade.price);
            size(out, b",\"size\":", trade.size);
        }
        EventBody::Quote(quote) => {
            price(out, b",\"bid\":", quote.bid);
            size(out, b",\"bid_size\":", quote.bid_size);
            price(out, b",\"ask\":", quote.ask);
            size(out, b",\"ask_size\":", quote.ask_size);
        }
        EventBody::Bar(_, closed) | EventBody::UpdatedBar(closed) => bar_fields(out, &closed.bar, true),
        EventBody::DailyBar(bar) => bar_fields(out, bar, false),
        EventBody::Correction(correction) => {
            trade_fields(out, correction.trade_seq, &correction.trade);
            price(out, b",\"price\":", correction.price);
            size(out, b",\"size\":", correction.size);
        }
        EventBody::Cancel(cancel) => {
            trade_fields(out, cancel.trade_seq, &cancel.trade);
            out.put_slice(match cancel.kind {
                CancelKind::Cancelled => b",\"kind\":\"cancel\"",
                CancelKind::Error => b",\"kind\":\"error\"",
            });
        }
        EventBody::Day(day) => price(out, b",\"prev_close\":", day.prev_close),
        EventBody::Gap(gap) => integer(out, b",\"since\":", gap.since.micros()),
    }
    out.put_u8(b'}');
}

/// Appends the trade to which a correction or a cancellation refers.
fn trade_fields(out: &mut impl BufMut, seq: u64, trade: &Trade) {
    integer(out, b",\"trade_seq\":", seq);
    integer(out, b",\"trade_ts\":", trade.ts.micros());
    price(out, b",\"trade_price\":", trade.price);
    size(out, b",\"trade_size\":", trade.size);
}

/// Appends an encoded event, and how many others it stands for.
pub(super) fn encode_skipped(event: &[u8], skipped: u32, out: &mut impl BufMut) {
    // The bytes are shared by all sessions, so the key goes before their closing brace.
    out.put_slice(&event[..event.len() - 1]);
    integer(out, b",\"skipped\":", skipped);
    out.put_u8(b'}');
}

/// Appends a bar as the object in the REST answer: without symbol, `seq` and `offset`.
pub fn encode_bar_object(bar: &Bar, is_final: bool, out: &mut impl BufMut) {
    integer(out, b"{\"ts\":", bar.ts.micros());
    bar_fields(out, bar, is_final);
    out.put_u8(b'}');
}

fn bar_fields(out: &mut impl BufMut, bar: &Bar, is_final: bool) {
    price(out, b",\"open\":", bar.open);
    price(out, b",\"high\":", bar.high);
    price(out, b",\"low\":", bar.low);
    price(out, b",\"close\":", bar.close);
    size(out, b",\"volume\":", bar.volume);
    integer(out, b",\"trades\":", bar.trades);
    price(out, b",\"vwap\":", bar.vwap);
    out.put_slice(if is_final { b",\"final\":true" } else { b",\"final\":false" });
}

/// Appends a `snapshot` for a subscription to these channels. `seq` has the channels of the first version of the protocol, and
/// the newer ones among `channels`. Values of channels that are not among `shown` are left out; `prev_close` belongs to every
/// channel, as it comes with the event `day`. A value that the symbol does not have yet is absent.
pub(super) fn encode_snapshot(
    symbol: Symbol,
    offset: u64,
    snapshot: &Snapshot,
    (channels, shown): (ChannelSet, ChannelSet),
    out: &mut impl BufMut,
) {
    let (trades, quotes) = (shown.contains(Channel::Trades), shown.contains(Channel::Quotes));
    out.put_slice(b"{\"type\":\"snapshot\",\"symbol\":\"");
    out.put_slice(symbol.as_bytes());
    integer(out, b"\",\"offset\":", offset);
    if (trades || quotes) && snapshot.ts != Timestamp::default() {
        integer(out, b",\"ts\":", snapshot.ts.micros());
    }
    if let Some(last) = snapshot.last.filter(|_| trades) {
        price(out, b",\"price\":", last.price);
        size(out, b",\"size\":", last.size);
    }
    if let Some(quote) = snapshot.quote.filter(|_| quotes) {
        price(out, b",\"bid\":", quote.bid);
        size(out, b",\"bid_size\":", quote.bid_size);
        price(out, b",\"ask\":", quote.ask);
        size(out, b",\"ask_size\":", quote.ask_size);
    }
    if let Some(day) = snapshot.day.filter(|_| trades) {
        price(out, b",\"open\":", day.open);
        price(out, b",\"high\":", day.high);
        price(out, b",\"low\":", day.low);
    }
    if let Some(prev_close) = snapshot.prev_close {
        price(out, b",\"prev_close\":", prev_close);
    }
    if trades {
        size(out, b",\"volume\":", snapshot.volume);
    }
    out.put_slice(b",\"seq\":{");
    for (index, channel) in ChannelSet::PRIMARY.union(channels).intersection(shown).iter().enumerate() {
        out.put_slice(if index == 0 { b"\"" } else { b",\"" });
        out.put_slice(channel.name().as_bytes());
        integer(out, b"\":", snapshot.seq[channel.index()]);
    }
    out.put_slice(b"}}");
}

fn size(out: &mut impl BufMut, key: &[u8], value: Size) {
    out.put_slice(key);
    json::size(value, out);
}

fn integer(out: &mut impl BufMut, key: &[u8], value: impl itoa::Integer) {
    out.put_slice(key);
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a price with two to four decimals, like [`Price`]'s `Display` at a fraction of its cost.
fn price(out: &mut impl BufMut, key: &[u8], value: Price) {
    out.put_slice(key);
    if value.units() < 0 {
        out.put_u8(b'-');
    }
    let units = value.units().unsigned_abs();
    let digit = |power: u64| b"0123456789"[(units / power % 10) as usize];
    out.put_slice(itoa::Buffer::new().format(units / 10_000).as_bytes());
    out.put_slice(&[b'.', digit(1_000), digit(100)]);
    if !units.is_multiple_of(100) {
        out.put_u8(digit(10));
        if !units.is_multiple_of(10) {
            out.put_u8(digit(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Cancel, Channel, ClosedBar, Correction, Day, DayFigures, Gap, Interval, Quote, Size, SymbolId, Timestamp,
    };
    use proptest::prelude::*;
    use serde_json::Value;

    fn event(body: EventBody) -> Event {
        Event { offset: 48_214, seq: 58, id: SymbolId(0), symbol: "BRK.B".parse().unwrap(), body }
    }

    fn text(event: &Event) -> String {
        let mut out = Vec::new();
        encode_event(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn bar() -> Bar {
        let cents = Price::from_cents;
        Bar {
            ts: Timestamp::from_micros(60_000_000),
            open: cents(20_100),
            high: cents(20_211),
            low: cents(20_000),
            close: cents(20_138),
            volume: Size::new(900),
            trades: 12,
            vwap: Price::from_units(2_011_234),
        }
    }

    #[test]
    fn events_are_encoded_as_documented() {
        let ts = Timestamp::from_micros(1_772_463_845_123_456);
        let trade = Trade { ts, price: Price::from_cents(20_138), size: Size::new(25) };
        assert_eq!(
            text(&event(EventBody::Trade(trade))),
            r#"{"type":"trade","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"price":201.38,"size":25}"#
        );
        let quote = Quote {
            ts,
            bid: Price::from_cents(20_137),
            bid_size: Size::new(100),
            ask: Price::from_cents(20_139),
            ask_size: Size::new(400),
        };
        assert_eq!(
            text(&event(EventBody::Quote(quote))),
            r#"{"type":"quote","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"bid":201.37,"bid_size":100,"ask":201.39,"ask_size":400}"#
        );
        assert_eq!(
            text(&event(EventBody::Gap(Gap { since: Timestamp::from_micros(1_772_463_000_000_000), ts }))),
            r#"{"type":"gap","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"since":1772463000000000}"#
        );
        assert_eq!(
            text(&event(EventBody::Day(Day { ts, prev_close: Price::from_cents(20_137) }))),
            r#"{"type":"day","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"prev_close":201.37}"#
        );
        assert_eq!(
            text(&event(EventBody::Bar(Interval::M1, closed().into()))),
            r#"{"type":"bar","symbol":"BRK.B","interval":"1m","seq":58,"offset":48214,"ts":60000000,"open":201.00,"high":202.11,"low":200.00,"close":201.38,"volume":900,"trades":12,"vwap":201.1234,"final":true}"#
        );
    }

    #[test]
    fn fractions_of_shares_are_written_exactly() {
        let size = Size::from_micros(10_500_001);
        let trade = Trade { ts: Timestamp::from_micros(0), price: Price::from_cents(100), size };
        assert!(text(&event(EventBody::Trade(trade))).ends_with(r#""price":1.00,"size":10.500001}"#));
        let bar = Bar { volume: Size::from_micros(500_000), ..bar() };
        let closed = ClosedBar { bar, ..closed() };
        assert!(text(&event(EventBody::Bar(Interval::M1, closed.into()))).contains(r#""volume":0.5,"trades":12"#));
    }

    fn closed() -> ClosedBar {
        ClosedBar { bar: bar(), day: DayFigures::from(&bar()) }
    }

    #[test]
    fn amendments_and_their_bars_are_encoded_as_documented() {
        let ts = Timestamp::from_micros(1_772_463_845_123_456);
        let trade = Trade { ts: ts.plus_micros(-456), price: Price::from_cents(20_138), size: Size::new(25) };
        let (price, size) = (Price::from_cents(20_137), Size::new(30));
        let correction = Correction { ts, trade_seq: 57, trade, price, size };
        assert_eq!(
            text(&event(EventBody::Correction(correction.into()))),
            r#"{"type":"correction","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"trade_seq":57,"trade_ts":1772463845123000,"trade_price":201.38,"trade_size":25,"price":201.37,"size":30}"#
        );
        for (kind, name) in [(CancelKind::Cancelled, "cancel"), (CancelKind::Error, "error")] {
            assert_eq!(
                text(&event(EventBody::Cancel(Cancel { ts, trade_seq: 57, trade, kind }.into()))),
                format!(
                    r#"{{"type":"cancel","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"trade_seq":57,"trade_ts":1772463845123000,"trade_price":201.38,"trade_size":25,"kind":"{name}"}}"#
                )
            );
        }
        let bar_of = |body| {
            let value: Value = serde_json::from_str(&text(&event(body))).unwrap();
            (value["type"].clone(), value["interval"].clone(), value["final"].clone())
        };
        assert_eq!(bar_of(EventBody::UpdatedBar(closed().into())), ("bar".into(), "1m.updated".into(), true.into()));
        assert_eq!(bar_of(EventBody::DailyBar(bar().into())), ("bar".into(), "1d.ny".into(), false.into()));
    }

    #[test]
    fn a_snapshot_has_the_seq_of_every_primary_channel_and_of_those_subscribed_to() {
        let mut snapshot = Snapshot::new(&bar(), Price::from_cents(19_975), &quote(), Size::new(40));
        snapshot.seq[0] = 57;
        let mut out = Vec::new();
        let channels = ChannelSet::from_iter([Channel::Trades, Channel::Cancels]);
        encode_snapshot("AAPL".parse().unwrap(), 48_213, &snapshot, (channels, ChannelSet::ALL), &mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["type"], "snapshot");
        assert_eq!(value["seq"]["trades"], 57);
        assert_eq!(value["seq"]["cancels"], 0);
        assert_eq!(value["seq"].as_object().unwrap().len(), ChannelSet::PRIMARY.iter().count() + 1);
        assert!(String::from_utf8(out).unwrap().contains(r#""prev_close":199.75,"volume":900,"#));
    }

    fn quote() -> Quote {
        Quote {
            ts: Timestamp::default(),
            bid: Price::from_cents(1),
            bid_size: Size::new(1),
            ask: Price::from_cents(2),
            ask_size: Size::new(1),
        }
    }

    proptest! {
        #[test]
        fn sizes_are_encoded_as_they_display(micros in prop_oneof![any::<u64>(), (0..1_u64 << 40).prop_map(|shares| shares * 1_000_000)]) {
            let (size, mut out) = (Size::from_micros(micros), Vec::new());
            json::size(size, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), size.to_string());
        }

        #[test]
        fn prices_are_encoded_as_they_display(units: i64) {
            let mut out = Vec::new();
            price(&mut out, b"", Price::from_units(units));
            prop_assert_eq!(String::from_utf8(out).unwrap(), Price::from_units(units).to_string());
        }
    }
}
