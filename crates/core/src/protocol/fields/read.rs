//! Reads the messages of a frame, in JSON or MessagePack, one after another, so that a frame takes no more memory than its longest message.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::Unreadable;
use crate::protocol::alpaca::timestamp;
use crate::protocol::fields::{Field, Fields};

/// Fields of a message that are read; further ones are ignored. The longest messages of vendors have half as many.
const FIELDS_MAX: usize = 32;
/// How deep a message in MessagePack may be nested.
const DEPTH_MAX: usize = 16;

/// Reads the messages of a frame of JSON, an array of objects, each in its turn.
///
/// # Errors
///
/// Returns what is no array of values; the messages before it have been read.
pub(in crate::protocol) fn read_json<'a>(frame: &'a [u8], each: impl FnMut(Fields<'a>)) -> Result<(), Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(frame);
    let read = Deserializer::deserialize_seq(&mut reader, JsonFrame(each)).and_then(|()| reader.end());
    read.map_err(|err| Unreadable::new(&format!("no array of messages ({err})"), &beginning(frame)))
}

/// Reads the messages of a frame of MessagePack.
///
/// # Errors
///
/// Like [`read_json`].
pub(in crate::protocol) fn read_packed<'a>(frame: &'a [u8], each: impl FnMut(Fields<'a>)) -> Result<(), Unreadable> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(frame);
    reader.set_max_depth(DEPTH_MAX);
    let read = Deserializer::deserialize_seq(&mut reader, PackedFrame(each));
    read.map_err(|err| Unreadable::new(&format!("no array of messages in MessagePack ({err})"), &beginning(frame)))
}

/// Returns the beginning of a frame as a text.
fn beginning(frame: &[u8]) -> String {
    let part = &frame[..frame.len().min(1_024)];
    std::str::from_utf8(part).map_or_else(|_| part.escape_ascii().to_string(), str::to_owned)
}

struct JsonFrame<F>(F);

impl<'de, F: FnMut(Fields<'de>)> Visitor<'de> for JsonFrame<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(raw) = list.next_element::<&'de RawValue>()? {
            let raw = raw.get();
            let mut reader = serde_json::Deserializer::from_str(raw);
            // Anything but an object has no fields.
            let fields = Deserializer::deserialize_map(&mut reader, JsonMessage).unwrap_or_default();
            (self.0)(Fields { fields, raw: Some(raw) });
        }
        Ok(())
    }
}

struct JsonMessage;

impl<'de> Visitor<'de> for JsonMessage {
    type Value = Vec<(Cow<'de, str>, Field<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(12);
        while let Some((key, value)) = map.next_entry_seed(Value { is_message: false }, Raw)? {
            if let (Field::Text(key), true) = (key, fields.len() < FIELDS_MAX) {
                fields.push((key, field_of_json(value)));
            }
        }
        Ok(fields)
    }
}

/// A value of JSON as it is written.
struct Raw;

impl<'de> DeserializeSeed<'de> for Raw {
    type Value = &'de str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'de str, D::Error> {
        <&RawValue as Deserialize>::deserialize(deserializer).map(RawValue::get)
    }
}

/// Returns the value that is written so in valid JSON.
fn field_of_json(raw: &str) -> Field<'_> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Field::Text(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => serde_json::from_str(raw).map_or(Field::Other, |text: String| Field::Text(Cow::Owned(text))),
        Some(b'-' | b'0'..=b'9') => Field::Number(Cow::Borrowed(raw)),
        Some(b'n') => Field::Null,
        _ => Field::Other,
    }
}

struct PackedFrame<F>(F);

impl<'de, F: FnMut(Fields<'de>)> Visitor<'de> for PackedFrame<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element_seed(Value { is_message: true })? {
            let fields = if let Field::Message(fields) = value { fields } else { Vec::new() };
            (self.0)(Fields { fields, raw: None });
        }
        Ok(())
    }
}

/// Reads a value of any kind; the fields of an object only if it is a message.
#[derive(Clone, Copy)]
struct Value {
    is_message: bool,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Field<'de>, E> {
        Ok(Field::Number(Cow::Owned(value.to_string())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(Cow::Owned(value.to_string())))
    }

    fn visit_f32<E: Error>(self, value: f32) -> Result<Field<'de>, E> {
        Ok(Field::Number(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Field<'de>, E> {
        Ok(Field::Number(Cow::Owned(value.to_string())))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    /// An extension of MessagePack: its type, then its bytes.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Field<'de>, D::Error> {
        let (kind, bytes) = <(i8, &[u8]) as Deserialize>::deserialize(extension)?;
        Ok(timestamp(kind, bytes).map_or(Field::Other, Field::Time))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        let (value, mut fields) = (Self { is_message: false }, Vec::new());
        while let Some((key, field)) = map.next_entry_seed(value, value)? {
            if let (Field::Text(key), true) = (key, self.is_message && fields.len() < FIELDS_MAX) {
                fields.push((key, field));
            }
        }
        Ok(Field::Message(fields))
    }
}
