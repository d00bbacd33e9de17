//! The side of a client: reads the messages of a server, and writes requests. Its names and forms are those of `encode`, `message` and
//! `decode` beside it; the tests read whatever those write.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::domain::{CancelKind, ClosedBar, DayFigures, EventBody, Interval, Size, Trade};
use crate::protocol::alpaca::{Codec, Lists, Request, Stream, kind, message};
use crate::protocol::fields::{Fields, Mistake, read_json, read_packed};
use crate::protocol::vendor::shown;
use crate::protocol::{
    LeftOut, Refusal, Unreadable, VendorBody, VendorCancel, VendorCorrection, VendorEvent, VendorMessage, WILDCARD,
};

/// Reads the messages of a frame, JSON in a text frame and MessagePack in another, and passes each one on in its turn. A message that cannot
/// be read does not change how the others are read.
///
/// # Errors
///
/// Returns why the frame is no array of messages. Those before the mistake have been passed on.
pub fn listen(
    frame: &[u8],
    is_text: bool,
    mut each: impl FnMut(Result<VendorMessage, Unreadable>),
) -> Result<(), Unreadable> {
    let each = |fields: Fields<'_>| each(read(&fields).map_err(|mistake| fields.unreadable(&mistake)));
    if is_text { read_json(frame, each) } else { read_packed(frame, each) }
}

fn read(fields: &Fields<'_>) -> Result<VendorMessage, Mistake> {
    let kind = fields.text("T")?;
    match kind {
        kind::SUCCESS => Ok(match fields.optional_text("msg") {
            Some(kind::CONNECTED) => VendorMessage::Connected,
            Some(kind::AUTHENTICATED) => VendorMessage::Authenticated,
            _ => VendorMessage::Unknown(shown(&fields.shown())),
        }),
        kind::SUBSCRIPTION => Ok(VendorMessage::Subscribed),
        kind::ERROR => {
            let code = fields.integer("code")?;
            let is_code =
                |refusal: &Refusal| message::code(*refusal).is_some_and(|(known, _)| u64::from(known) == code);
            let refusal = Refusal::ALL.into_iter().find(is_code);
            let text = format!("{code} {}", shown(fields.optional_text("msg").unwrap_or_default()));
            Ok(VendorMessage::Refused { refusal, text })
        }
        kind::TRADE
        | kind::QUOTE
        | kind::MINUTE_BAR
        | kind::UPDATED_BAR
        | kind::DAILY_BAR
        | kind::CORRECTION
        | kind::CANCEL => event(kind, fields),
        _ => Ok(VendorMessage::Unknown(shown(&fields.shown()))),
    }
}

fn event(kind: &str, fields: &Fields<'_>) -> Result<VendorMessage, Mistake> {
    let Ok(symbol) = fields.text("S")?.parse() else { return Ok(VendorMessage::LeftOut(LeftOut::Name)) };
    let (ts, mut is_rounded) = (fields.time("t")?, false);
    let body = match kind {
        kind::TRADE => {
            let (price, size) = (fields.price("p", &mut is_rounded)?, fields.size("s", &mut is_rounded)?);
            if size == Size::default() {
                return Ok(VendorMessage::LeftOut(LeftOut::NoVolume));
            }
            VendorBody::Trade { trade: Trade { ts, price, size }, id: fields.optional_integer("i") }
        }
        kind::QUOTE => match fields.quote(ts, &mut is_rounded)? {
            Some(quote) => VendorBody::Other(EventBody::Quote(quote)),
            None => return Ok(VendorMessage::LeftOut(LeftOut::OneSided)),
        },
        kind::CORRECTION => VendorBody::Correction(VendorCorrection {
            ts,
            id: fields.integer("oi")?,
            price: fields.price("op", &mut is_rounded)?,
            size: fields.size("os", &mut is_rounded)?,
            right_id: fields.optional_integer("ci"),
            right_price: fields.price("cp", &mut is_rounded)?,
            right_size: fields.size("cs", &mut is_rounded)?,
        }),
        kind::CANCEL => {
            let (id, price) = (fields.integer("i")?, fields.price("p", &mut is_rounded)?);
            let is_error = fields.optional_text("a") == Some(kind::BY_MISTAKE);
            let kind = if is_error { CancelKind::Error } else { CancelKind::Cancelled };
            VendorBody::Cancel(VendorCancel { ts, id, price, size: fields.size("s", &mut is_rounded)?, kind })
        }
        kind => {
            let volume = fields.size("v", &mut is_rounded)?;
            let bar = fields.bar(ts, volume, fields.optional_integer("n").unwrap_or_default(), &mut is_rounded)?;
            if volume == Size::default() {
                return Ok(VendorMessage::LeftOut(LeftOut::NoVolume));
            }
            let closed = || Box::new(ClosedBar { bar, day: DayFigures::from(&bar) });
            VendorBody::Other(match kind {
                kind::UPDATED_BAR => EventBody::UpdatedBar(closed()),
                kind::DAILY_BAR => EventBody::DailyBar(Box::new(bar)),
                _ => EventBody::Bar(Interval::M1, closed()),
            })
        }
    };
    Ok(VendorMessage::Event(VendorEvent { symbol, body, is_rounded }))
}

impl Request {
    /// Returns the request as a client sends it.
    pub fn to_bytes<C: Codec>(&self) -> Vec<u8> {
        let mut out = Vec::new();
        C::write(self, &mut out);
        out
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auth { key, secret } => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("action", "auth")?;
                map.serialize_entry("key", key)?;
                map.serialize_entry("secret", secret)?;
                map.end()
            }
            Self::Subscribe(lists) => serialize("subscribe", lists, serializer),
            Self::Unsubscribe(lists) => serialize("unsubscribe", lists, serializer),
        }
    }
}

/// Writes the channels that have names.
fn serialize<S: Serializer>(action: &str, lists: &Lists, serializer: S) -> Result<S::Ok, S::Error> {
    let lists = || Stream::ALL.into_iter().zip(&lists.names).filter(|(_, names)| !names.is_empty());
    let mut map = serializer.serialize_map(Some(1 + lists().count()))?;
    map.serialize_entry("action", action)?;
    for (stream, names) in lists() {
        let names: Vec<_> = names.iter().map(|name| name.as_ref().map_or(WILDCARD, |symbol| symbol.as_str())).collect();
        map.serialize_entry(stream.name(), &names)?;
    }
    map.end()
}
