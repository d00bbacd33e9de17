//! The side of a client: reads the messages of a server, and writes requests. Its names and forms are those of `encode`, `message` and
//! `decode` beside it; the tests read whatever those write.

use serde_json::json;

use crate::domain::{Bar, ClosedBar, DayFigures, EventBody, Interval, Size, Trade};
use crate::protocol::fields::{Fields, Mistake, read_json};
use crate::protocol::massive::{Item, Request, Topic, message};
use crate::protocol::vendor::shown;
use crate::protocol::{LeftOut, Refusal, Unreadable, VendorBody, VendorEvent, VendorMessage};

/// Reads the messages of a frame, and passes each one on in its turn. A message that cannot be read does not change how the others are read.
///
/// # Errors
///
/// Returns why the frame is no array of messages. Those before the mistake have been passed on.
pub fn listen(frame: &[u8], mut each: impl FnMut(Result<VendorMessage, Unreadable>)) -> Result<(), Unreadable> {
    read_json(frame, |fields| each(read(&fields).map_err(|mistake| fields.unreadable(&mistake))))
}

fn read(fields: &Fields<'_>) -> Result<VendorMessage, Mistake> {
    let kind = fields.text("ev")?;
    if kind == message::STATUS {
        return Ok(status(fields));
    }
    match Topic::ALL.into_iter().find(|topic| topic.name() == kind) {
        Some(topic @ (Topic::Trades | Topic::Quotes | Topic::SecondBars | Topic::MinuteBars)) => event(topic, fields),
        _ => Ok(VendorMessage::Unknown(shown(&fields.shown()))),
    }
}

fn status(fields: &Fields<'_>) -> VendorMessage {
    let [status, text] = ["status", "message"].map(|key| fields.optional_text(key).unwrap_or_default());
    match status {
        message::CONNECTED => VendorMessage::Connected,
        message::AUTHENTICATED => VendorMessage::Authenticated,
        message::SUCCESS => VendorMessage::Subscribed,
        _ => {
            let known = || Refusal::ALL.into_iter().filter_map(|each| Some((each, message::status(each)?)));
            let exact = known().find(|(_, known)| *known == (status, text));
            let refusal =
                exact.or_else(|| known().find(|(_, (known, _))| *known == status)).map(|(refusal, _)| refusal);
            VendorMessage::Refused { refusal, text: shown(&format!("{status}: {text}")) }
        }
    }
}

fn event(topic: Topic, fields: &Fields<'_>) -> Result<VendorMessage, Mistake> {
    let Ok(symbol) = fields.text("sym")?.parse() else { return Ok(VendorMessage::LeftOut(LeftOut::Name)) };
    let mut is_rounded = false;
    let body = match topic {
        Topic::Trades => {
            let ts = fields.millis("t")?;
            let (price, size) = (fields.price("p", &mut is_rounded)?, shares("s", "ds", fields, &mut is_rounded)?);
            if size == Size::default() {
                return Ok(VendorMessage::LeftOut(LeftOut::NoVolume));
            }
            VendorBody::Trade { trade: Trade { ts, price, size }, id: None }
        }
        Topic::Quotes => {
            let ts = fields.millis("t")?;
            // A side that is empty has the price 0, or is missing.
            let quote = if fields.has("bp") && fields.has("ap") { fields.quote(ts, &mut is_rounded)? } else { None };
            let Some(quote) = quote else { return Ok(VendorMessage::LeftOut(LeftOut::OneSided)) };
            VendorBody::Other(EventBody::Quote(quote))
        }
        topic => {
            let volume = shares("v", "dv", fields, &mut is_rounded)?;
            let bar = fields.bar(fields.millis("s")?, volume, 0, &mut is_rounded)?;
            if volume == Size::default() {
                return Ok(VendorMessage::LeftOut(LeftOut::NoVolume));
            }
            let interval = if topic == Topic::SecondBars { Interval::S1 } else { Interval::M1 };
            let closed = ClosedBar { bar, day: day(fields, &bar, &mut is_rounded) };
            VendorBody::Other(EventBody::Bar(interval, Box::new(closed)))
        }
    };
    Ok(VendorMessage::Event(VendorEvent { symbol, body, is_rounded }))
}

/// Reads a number of shares: the exact one of the text `decimal`, if there is one.
fn shares(
    name: &'static str,
    decimal: &'static str,
    fields: &Fields<'_>,
    is_rounded: &mut bool,
) -> Result<Size, Mistake> {
    fields.size(if fields.has(decimal) { decimal } else { name }, is_rounded)
}

/// Returns the figures of the day, those of the bar where the message has none.
fn day(fields: &Fields<'_>, bar: &Bar, is_rounded: &mut bool) -> DayFigures {
    let day = DayFigures::from(bar);
    DayFigures {
        open: fields.price("op", is_rounded).unwrap_or(day.open),
        volume: shares("av", "dav", fields, is_rounded).unwrap_or(day.volume),
        vwap: fields.price("a", is_rounded).unwrap_or(day.vwap),
    }
}

impl Request {
    /// Returns the request as a client sends it.
    pub fn to_text(&self) -> String {
        let list = |items: &[Item]| items.iter().map(Item::name).collect::<Vec<_>>().join(",");
        let (action, params) = match self {
            Self::Auth(key) => ("auth", key.clone()),
            Self::Subscribe(items) => ("subscribe", list(items)),
            Self::Unsubscribe(items) => ("unsubscribe", list(items)),
        };
        json!({"action": action, "params": params}).to_string()
    }
}
