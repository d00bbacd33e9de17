//! Changes the values of an event: wrong prices, and wrong times.

use crate::domain::{Bar, Event, EventBody, Price, Timestamp};
use crate::faults::rule::BadPrice;

/// A price that is ten times as high is a spike.
const SPIKE: i64 = 10;

/// Returns the event with wrong prices; `None` if it has no prices of this kind.
pub(super) fn with_bad_price(event: &Event, bad: BadPrice) -> Option<Event> {
    let mut event = event.clone();
    let wrong = |price: Price| match bad {
        BadPrice::Crossed => price,
        BadPrice::Zero => Price::from_units(0),
        BadPrice::Spike => Price::from_units(price.units().saturating_mul(SPIKE)),
    };
    match &mut event.body {
        EventBody::Quote(quote) if bad == BadPrice::Crossed => std::mem::swap(&mut quote.bid, &mut quote.ask),
        _ if bad == BadPrice::Crossed => return None,
        EventBody::Quote(quote) => (quote.bid, quote.ask) = (wrong(quote.bid), wrong(quote.ask)),
        EventBody::Trade(trade) => trade.price = wrong(trade.price),
        EventBody::Bar(_, closed) | EventBody::UpdatedBar(closed) => change_prices(&mut closed.bar, wrong),
        EventBody::DailyBar(bar) => change_prices(bar, wrong),
        _ => return None,
    }
    Some(event)
}

fn change_prices(bar: &mut Bar, wrong: impl Fn(Price) -> Price) {
    for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close, &mut bar.vwap] {
        *price = wrong(*price);
    }
}

/// Returns the event with its time moved by so many microseconds; `None` for a day and a gap.
pub(super) fn with_skew(event: &Event, micros: i64) -> Option<Event> {
    let mut event = event.clone();
    let moved = |ts: &mut Timestamp| *ts = Timestamp::from_micros(ts.micros().saturating_add(micros));
    match &mut event.body {
        EventBody::Trade(trade) => moved(&mut trade.ts),
        EventBody::Quote(quote) => moved(&mut quote.ts),
        EventBody::Bar(_, closed) | EventBody::UpdatedBar(closed) => moved(&mut closed.bar.ts),
        EventBody::DailyBar(bar) => moved(&mut bar.ts),
        EventBody::Correction(correction) => moved(&mut correction.ts),
        EventBody::Cancel(cancel) => moved(&mut cancel.ts),
        EventBody::Day(_) | EventBody::Gap(_) => return None,
    }
    Some(event)
}
