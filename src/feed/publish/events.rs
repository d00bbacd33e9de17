//! Reads the events of a publisher: a JSON array, or one JSON object on each line. Each event is checked by itself; what depends on other
//! events is decided by the `Door`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::{EventBody, Price, PriceError, Quote, Size, SizeError, SymbolId, Timestamp, Trade};
use crate::feed::publish::{NewEvent, NoSymbol, PublishConfig};
use crate::protocol::ErrorCode;

/// Highest price, as for files: a billion.
const PRICE_MAX: Price = Price::from_units(1_000_000_000 * Price::UNITS_PER_DOLLAR);
/// Greatest size: 10^12 shares.
const SIZE_MAX: Size = Size::from_shares(1_000_000_000_000);
/// Longest message about a mistake, in characters.
const REASON_CHARS_MAX: usize = 300;
/// Longest part of a publisher's text that a message quotes, in characters.
const QUOTED_CHARS_MAX: usize = 64;

/// The rules that every event must obey.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Most events of a request.
    pub events_max: usize,
    /// The oldest and the newest time of an event.
    pub times: (Timestamp, Timestamp),
}

impl Rules {
    /// Returns the rules at this time of the wall clock.
    pub fn new(config: &PublishConfig, now: Timestamp) -> Self {
        let micros = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let oldest = now.plus_micros(-micros(config.ts_off_max_ms));
        Self { events_max: config.events_max, times: (oldest, now.plus_micros(micros(config.ts_ahead_max_ms))) }
    }
}

/// Why the events of a request are refused. Nothing of it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvents {
    /// The code for the publisher.
    pub code: ErrorCode,
    /// The place of the event that is not valid, from 0; `None` if it is the request as a whole.
    pub index: Option<usize>,
    /// The mistake in one line.
    pub reason: String,
}

impl BadEvents {
    fn new(code: ErrorCode, index: Option<usize>, reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX);
        Self { code, index, reason: reason.collect() }
    }

    /// Returns whether the request as a whole is too large.
    pub fn is_too_large(&self) -> bool {
        self.code == ErrorCode::LimitExceeded && self.index.is_none()
    }

    /// Returns the mistake of an event whose symbol is not there.
    pub(super) fn no_symbol(why: NoSymbol, index: usize, name: &str) -> Self {
        Self::new(why.code(), Some(index), format!("{why}: {}", quoted(name)))
    }
}

/// The mistake in one event.
type Mistake = (ErrorCode, String);

fn bad(reason: impl Into<String>) -> Mistake {
    (ErrorCode::BadRequest, reason.into())
}

/// Returns the events in the body of a request. `find` returns a symbol that the publisher may use.
///
/// # Errors
///
/// Returns the first mistake.
pub fn read_events(
    body: &[u8],
    rules: &Rules,
    find: &dyn Fn(&str) -> Result<SymbolId, NoSymbol>,
) -> Result<Vec<NewEvent>, BadEvents> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let mut reader = EventReader { rules, find, events: Vec::new(), mistake: None };
    let read = match body.trim_ascii_start().first() {
        Some(b'[') => reader.read_array(body),
        _ => reader.read_lines(body),
    };
    match (reader.mistake, read) {
        (Some(mistake), _) => Err(mistake),
        (None, Err(err)) => Err(BadEvents::new(ErrorCode::BadJson, None, format!("not JSON: {err}"))),
        (None, Ok(())) if reader.events.is_empty() => {
            Err(BadEvents::new(ErrorCode::BadRequest, None, "there are no events"))
        }
        (None, Ok(())) => Ok(reader.events),
    }
}

struct EventReader<'r> {
    rules: &'r Rules,
    find: &'r dyn Fn(&str) -> Result<SymbolId, NoSymbol>,
    events: Vec<NewEvent>,
    mistake: Option<BadEvents>,
}

impl EventReader<'_> {
    fn read_array(&mut self, body: &[u8]) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_slice(body);
        (&mut *self).deserialize(&mut json)?;
        json.end()
    }

    fn read_lines(&mut self, body: &[u8]) -> Result<(), serde_json::Error> {
        for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            self.add(serde_json::from_slice(line))?;
        }
        Ok(())
    }

    /// Adds the next event, or keeps its mistake.
    fn add<E: Error>(&mut self, line: Result<Line<'_>, E>) -> Result<(), E> {
        let index = self.events.len();
        let stop = |reader: &mut Self, mistake: BadEvents| {
            reader.mistake = Some(mistake);
            Err(E::custom("a bad event"))
        };
        if index >= self.rules.events_max {
            let reason = format!("more than {index} events (feed.publish.events_max): send several requests");
            return stop(self, BadEvents::new(ErrorCode::LimitExceeded, None, reason));
        }
        match line.map(|line| line.event(self.rules, self.find)) {
            Ok(Ok(event)) => self.events.push(event),
            Ok(Err((code, reason))) => return stop(self, BadEvents::new(code, Some(index), reason)),
            Err(err) => return stop(self, BadEvents::new(ErrorCode::BadRequest, Some(index), err)),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut EventReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut EventReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(line) = seq.next_element::<Line<'de>>().transpose() {
            self.add(line)?;
        }
        Ok(())
    }
}

/// An event as a publisher writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object of an event")]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    ts: Option<i64>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    size: Option<&'a RawValue>,
    #[serde(borrow)]
    bid: Option<&'a RawValue>,
    #[serde(borrow)]
    bid_size: Option<&'a RawValue>,
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
    #[serde(borrow)]
    ask_size: Option<&'a RawValue>,
}

impl Line<'_> {
    fn event(&self, rules: &Rules, find: &dyn Fn(&str) -> Result<SymbolId, NoSymbol>) -> Result<NewEvent, Mistake> {
        let of_trade = [("price", self.price), ("size", self.size)];
        let of_quote = [("bid", self.bid), ("bid_size", self.bid_size), ("ask", self.ask), ("ask_size", self.ask_size)];
        let is_trade = match &*self.kind {
            "trade" => true,
            "quote" => false,
            other => return Err(bad(format!("type must be trade or quote, not {:?}", quoted(other)))),
        };
        let foreign = if is_trade { &of_quote[..] } else { &of_trade };
        if let Some((name, _)) = foreign.iter().find(|(_, value)| value.is_some()) {
            return Err(bad(format!("a {} has no {name}", self.kind)));
        }
        let id = find(&self.symbol).map_err(|why| (why.code(), format!("{why}: {}", quoted(&self.symbol))))?;
        let ts = self.time(rules)?;
        let body = if is_trade {
            let size = size("size", self.size)?;
            if size == Size::default() {
                return Err(bad("size must be above 0"));
            }
            EventBody::Trade(Trade { ts, price: price("price", self.price)?, size })
        } else {
            // A quote may be crossed: that happens.
            EventBody::Quote(Quote {
                ts,
                bid: price("bid", self.bid)?,
                bid_size: size("bid_size", self.bid_size)?,
                ask: price("ask", self.ask)?,
                ask_size: size("ask_size", self.ask_size)?,
            })
        };
        Ok(NewEvent { id, body, is_stamped_here: self.ts.is_none() })
    }

    fn time(&self, rules: &Rules) -> Result<Timestamp, Mistake> {
        let Some(micros) = self.ts else { return Ok(Timestamp::default()) };
        let (ts, (oldest, newest)) = (Timestamp::from_micros(micros), rules.times);
        if ts < oldest {
            return Err(bad(format!(
                "ts, in microseconds since 1970, is too long ago: {ts}, before {oldest} (feed.publish.ts_off_max_ms)"
            )));
        }
        if ts > newest {
            return Err(bad(format!(
                "ts, in microseconds since 1970, is in the future: {ts}, after {newest} (feed.publish.ts_ahead_max_ms)"
            )));
        }
        Ok(ts)
    }
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

/// Returns the text of a number without an exponent and without zeros at its end; `None` if it is no number.
fn plain(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    if text.contains(['e', 'E']) {
        let number: f64 = text.parse().ok()?;
        return number.is_finite().then(|| number.to_string().into());
    }
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    Some(text.into())
}

fn price(name: &str, value: Option<&RawValue>) -> Result<Price, Mistake> {
    let value = value.ok_or_else(|| bad(format!("{name} is missing")))?;
    let text = plain(value).ok_or_else(|| bad(format!("{name} must be a number")))?;
    let price: Result<Price, _> = text.parse();
    match price {
        Ok(price) if price > Price::default() && price <= PRICE_MAX => Ok(price),
        Err(PriceError::TooPrecise) => Err(bad(format!("{name} has more than four decimals"))),
        _ => Err(bad(format!("{name} must be above 0 and at most 1000000000"))),
    }
}

fn size(name: &str, value: Option<&RawValue>) -> Result<Size, Mistake> {
    let value = value.ok_or_else(|| bad(format!("{name} is missing")))?;
    let text = plain(value).ok_or_else(|| bad(format!("{name} must be a number")))?;
    match text.parse() {
        Ok(size) if size <= SIZE_MAX => Ok(size),
        Err(SizeError::TooPrecise) => Err(bad(format!("{name} has more than six decimals"))),
        _ => Err(bad(format!("{name} must be 0 to 1000000000000"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_463_845_123_456;

    fn read(body: &str) -> Result<Vec<NewEvent>, (Option<usize>, String)> {
        let rules =
            Rules::new(&PublishConfig { events_max: 3, ..PublishConfig::default() }, Timestamp::from_micros(NOW));
        let find = |name: &str| (name == "SPY").then_some(SymbolId(7)).ok_or(NoSymbol::Unknown);
        read_events(body.as_bytes(), &rules, &find).map_err(|bad| (bad.index, bad.reason))
    }

    fn trade(price: &str, size: &str) -> String {
        format!(r#"{{"type":"trade","symbol":"SPY","ts":{NOW},"price":{price},"size":{size}}}"#)
    }

    #[test]
    fn an_array_and_lines_are_the_same_events() {
        let (trade, quote) =
            (trade("201.37", "0.5"), r#"{"symbol":"SPY","type":"quote","bid":2,"bid_size":0,"ask":1,"ask_size":3}"#);
        let events = read(&format!("[{trade},{quote}]")).unwrap();
        assert_eq!(read(&format!("\n{trade}\r\n\n {quote}")).unwrap(), events);
        assert_eq!(read(&format!("\u{feff} [ {trade} ,\n{quote}]\n")).unwrap(), events);
        let [first, second] = events.as_slice() else { panic!("{events:?}") };
        let EventBody::Trade(trade) = first.body else { panic!() };
        assert_eq!((trade.ts.micros(), trade.price.units(), trade.size.micros()), (NOW, 2_013_700, 500_000));
        assert!(!first.is_stamped_here && second.is_stamped_here && second.id == SymbolId(7));
        let EventBody::Quote(quote) = second.body else { panic!() };
        assert!(quote.bid > quote.ask, "a crossed quote passes");
    }

    #[test]
    fn numbers_are_exact_in_every_form() {
        for (text, units) in
            [("1e2", 1_000_000), ("2.0100000", 20_100), ("1E-04", 1), ("922337203.5807", 9_223_372_035_807)]
        {
            let events = read(&trade(text, "1e-6")).unwrap();
            let EventBody::Trade(trade) = events[0].body else { panic!() };
            assert_eq!((trade.price.units(), trade.size.micros()), (units, 1), "{text}");
        }
    }

    #[test]
    fn a_bad_event_is_named_by_its_place_and_its_mistake() {
        let good = trade("1", "1");
        let with = |change: &str, value: &str| good.replace(change, value);
        let (symbol, ts) = (r#""symbol":"SPY""#, format!(r#""ts":{NOW}"#));
        for (bad, reason) in [
            (trade("0", "1"), "price must be above 0"),
            (trade("0.0", "1"), "price must be above 0"),
            (trade("-1", "1"), "price must be above 0"),
            (trade("1000000000.1", "1"), "price must be above 0"),
            (trade("1e300", "1"), "price must be above 0"),
            (trade("1.23456", "1"), "price has more than four decimals"),
            (trade("5e-5", "1"), "price has more than four decimals"),
            (trade("NaN", "1"), "expected value"),
            (trade("\"1\"", "1"), "price must be a number"),
            (trade("true", "1"), "price must be a number"),
            (trade("[1]", "1"), "price must be a number"),
            (trade("null", "1"), "price is missing"),
            (trade("1", "0"), "size must be above 0"),
            (trade("1", "-1"), "size must be 0 to"),
            (trade("1", "0.0000001"), "size has more than six decimals"),
            (trade("1", "1000000000001"), "size must be 0 to"),
            (with(symbol, r#""symbol":"QQQ""#), "no such symbol: QQQ"),
            (with(symbol, r#""symbol":7"#), "expected a string"),
            (with(symbol, r#""colour":7"#), "unknown field `colour`"),
            (with(&format!("{symbol},"), ""), "missing field `symbol`"),
            (with(symbol, &format!("{symbol},{symbol}")), "duplicate field `symbol`"),
            (with("trade", "bar"), "type must be trade or quote"),
            (with("trade", "quote"), "a quote has no price"),
            (with(r#""size":1"#, r#""size":1,"bid":1"#), "a trade has no bid"),
            (
                with(&ts, &format!(r#""ts":{}"#, NOW - 365 * 86_400_000_000)),
                "ts, in microseconds since 1970, is too long ago",
            ),
            (with(&ts, &format!(r#""ts":{}"#, NOW + 365 * 86_400_000_000)), "is in the future"),
            (with(&ts, &format!(r#""ts":{}"#, NOW / 1_000)), "is too long ago"),
            (with(&ts, r#""ts":1.5"#), "invalid type: floating point"),
            ("7".into(), "an object of an event"),
        ] {
            for body in [format!("[{good},{bad},{good}]"), format!("{good}\n{bad}\n{good}")] {
                let (index, said) = read(&body).unwrap_err();
                assert!(index == Some(1) && said.contains(reason), "{body}: {index:?} {said}");
            }
        }
    }

    #[test]
    fn a_bad_request_has_no_index() {
        let good = trade("1", "1");
        for (body, reason) in [
            (String::new(), "no events"),
            ("[]".into(), "no events"),
            ("\n\n".into(), "no events"),
            (format!("[{good}] x"), "not JSON"),
            (format!("[{good},{good},{good},{good}]"), "more than 3 events"),
            ([&*good; 4].join("\n"), "more than 3 events"),
        ] {
            let (index, said) = read(&body).unwrap_err();
            assert!(index.is_none() && said.contains(reason), "{body}: {index:?} {said}");
        }
    }
}
