//! The body of a request of a publisher: accepted events obey the rules, and are the same when they are written and read again, as an array
//! and as lines; a refused body has a place within it, and a reason in one line of bounded length.

use tickcast::domain::{EventBody, Price, Size, SymbolId, Timestamp};
use tickcast::feed::publish::{BadEvents, NewEvent, NoSymbol, PublishConfig, Rules, read_events};

const NOW: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);
const NAMES: [&str; 2] = ["SPY", "BTC-USD"];

fn read(body: &[u8]) -> Result<Vec<NewEvent>, BadEvents> {
    let rules = Rules::new(&PublishConfig { events_max: 8, ..PublishConfig::default() }, NOW);
    let id = |place| SymbolId(u32::try_from(place).unwrap());
    read_events(body, &rules, &|name| NAMES.iter().position(|known| *known == name).map(id).ok_or(NoSymbol::Unknown))
}

pub(super) fn run(data: &[u8]) {
    match read(data) {
        Ok(events) => {
            assert!((1..=8).contains(&events.len()));
            events.iter().for_each(check);
            let lines: Vec<_> = events.iter().map(written).collect();
            for body in [lines.join("\n"), format!("[{}]", lines.join(","))] {
                assert_eq!(read(body.as_bytes()).as_ref(), Ok(&events), "{body}");
            }
        }
        Err(BadEvents { index, reason, .. }) => {
            assert!(index.is_none_or(|index| index < 8));
            assert!((1..=300).contains(&reason.chars().count()) && !reason.contains(char::is_control), "{reason:?}");
        }
    }
}

fn check(event: &NewEvent) {
    let is_price = |price: Price| price > Price::default() && price.units() <= 10_000_000_000_000;
    let is_size = |size: Size| size <= Size::from_shares(1_000_000_000_000);
    let ts = match event.body {
        EventBody::Trade(trade) => {
            assert!(is_price(trade.price) && is_size(trade.size) && trade.size > Size::default());
            trade.ts
        }
        EventBody::Quote(quote) => {
            assert!(is_price(quote.bid) && is_price(quote.ask) && is_size(quote.bid_size) && is_size(quote.ask_size));
            quote.ts
        }
        _ => panic!("{event:?}"),
    };
    let age_s = (NOW.micros() - ts.micros()) / 1_000_000;
    assert!(event.is_stamped_here || (-5..=86_400).contains(&age_s), "{event:?}");
}

fn written(event: &NewEvent) -> String {
    let symbol = NAMES[event.id.index()];
    let ts = |ts: Timestamp| if event.is_stamped_here { String::new() } else { format!(r#","ts":{ts}"#) };
    match event.body {
        EventBody::Trade(trade) => format!(
            r#"{{"type":"trade","symbol":"{symbol}"{},"price":{},"size":{}}}"#,
            ts(trade.ts),
            trade.price,
            trade.size
        ),
        EventBody::Quote(quote) => format!(
            r#"{{"type":"quote","symbol":"{symbol}"{},"bid":{},"bid_size":{},"ask":{},"ask_size":{}}}"#,
            ts(quote.ts),
            quote.bid,
            quote.bid_size,
            quote.ask,
            quote.ask_size
        ),
        _ => panic!("{event:?}"),
    }
}
