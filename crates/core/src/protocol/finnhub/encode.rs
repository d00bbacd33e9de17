//! Encodes trades, as elements of the list `data`.

use crate::domain::{Event, EventBody};
use crate::protocol::identity;
use crate::protocol::json::{key, list, millis, price, size, text};

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
    size(trade.size, out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Size, SymbolId, Timestamp, Trade};

    fn encoded(size: Size) -> String {
        let ts = Timestamp::from_micros(1_772_463_845_123_456);
        let body = EventBody::Trade(Trade { ts, price: Price::from_cents(20_137), size });
        let event = Event { offset: 880_012, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), seq: 7_001, body };
        let mut out = Vec::new();
        encode_event(&event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_trade_is_encoded_as_in_the_transcript() {
        let transcript = include_str!("../../../../../tests/fixtures/finnhub/trade.json");
        assert_eq!(format!(r#"{{"type":"trade","data":[{}]}}"#, encoded(Size::new(40))), transcript.trim_end());
    }

    #[test]
    fn a_fraction_of_a_share_is_written_exactly() {
        assert!(encoded(Size::from_micros(500_000)).ends_with(r#","v":0.5}"#));
    }
}
