//! Encodes trades, as elements of the list `data`.

use crate::domain::{Event, EventBody};
use crate::protocol::identity;
use crate::protocol::json::{integer, key, list, millis, price, text};

/// Appends a trade; the stream has nothing else. `c` is always a list, because parsers differ in what else they accept.
pub(super) fn encode_event(event: &Event, out: &mut Vec<u8>) {
    let EventBody::Trade(trade) = &event.body else { return };
    let conditions = identity::trade_conditions(event.symbol, event.seq, trade.size);
    out.push(b'{');
    key("c", out);
    list(conditions.finnhub(), out, text);
    key("p", out);
    price(trade.price, out);
    key("s", out);
    text(event.symbol.as_str(), out);
    key("t", out);
    millis(trade.ts, out);
    key("v", out);
    integer(trade.size.shares(), out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Size, SymbolId, Timestamp, Trade};

    #[test]
    fn a_trade_is_encoded_as_in_the_transcript() {
        let ts = Timestamp::from_micros(1_772_463_845_123_456);
        let trade = Trade { ts, price: Price::from_cents(20_137), size: Size::new(40) };
        let body = EventBody::Trade(trade);
        let event = Event { offset: 880_012, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), seq: 7_001, body };
        let mut out = Vec::new();
        encode_event(&event, &mut out);
        let transcript = include_str!("../../../../../tests/fixtures/finnhub/trade.json");
        let frame = format!(r#"{{"type":"trade","data":[{}]}}"#, String::from_utf8(out).unwrap());
        assert_eq!(frame, transcript.trim_end());
    }
}
