//! The scanner of received messages: finds the few keys that are measured in JSON text, without building a value.
//!
//! It reads each byte once and copies nothing. It checks the nesting only; the server's own tests check that messages are valid
//! JSON.

/// How deep objects and lists may be nested.
const DEPTH_MAX: usize = 16;

/// The measured keys of one JSON object; strings keep their escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object<'a> {
    /// The object's own text, braces included.
    pub(crate) raw: &'a [u8],
    /// `type`, or empty.
    pub(crate) kind: &'a [u8],
    /// `symbol`, or empty.
    pub(crate) symbol: &'a [u8],
    /// `interval` of a bar, or empty.
    pub(crate) interval: &'a [u8],
    /// `id` when it is a string, or empty.
    pub(crate) id: &'a [u8],
    /// `ts` if it is an integer, in microseconds since 1970.
    pub(crate) ts: Option<i64>,
    /// `seq` when it is a number.
    pub(crate) seq: Option<u64>,
    /// `offset` when it is a number.
    pub(crate) offset: Option<u64>,
    /// `cursor` of the answer to a poll, or empty.
    pub(crate) cursor: &'a [u8],
    /// `skipped`, or 0.
    pub(crate) skipped: u64,
}

/// Calls `visit` with every object in the text, inner objects before outer ones, up to the first syntax error. Returns whether the
/// text is JSON.
pub(crate) fn scan<'a>(text: &'a [u8], visit: &mut impl FnMut(&Object<'a>)) -> bool {
    let mut cursor = Cursor { text, at: 0 };
    let is_value = cursor.value(0, visit).is_some();
    cursor.skip_space();
    is_value && cursor.at == text.len()
}

enum Value<'a> {
    Text(&'a [u8]),
    Integer(i64),
    Other,
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Consumes white space and returns the next byte.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn value<F: FnMut(&Object<'a>)>(&mut self, depth: usize, visit: &mut F) -> Option<Value<'a>> {
        let start = self.at;
        match self.next()? {
            b'"' => Some(Value::Text(self.string()?)),
            b'-' => self.number(-1),
            b'0'..=b'9' => {
                self.at -= 1;
                self.number(1)
            }
            b'{' if depth < DEPTH_MAX => self.object(depth + 1, visit),
            b'[' if depth < DEPTH_MAX => self.list(depth + 1, visit),
            b't' | b'f' | b'n' => {
                while let Some(b'a'..=b'z') = self.peek() {
                    self.at += 1;
                }
                Some(Value::Other)
            }
            _ => {
                self.at = start;
                None
            }
        }
    }

    /// Reads the items of a list or the pairs of an object, separated by commas, up to `end`.
    #[inline]
    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.skip_space();
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            match self.next()? {
                b',' => {}
                byte => return (byte == end).then_some(()),
            }
        }
    }

    fn list<F: FnMut(&Object<'a>)>(&mut self, depth: usize, visit: &mut F) -> Option<Value<'a>> {
        self.items(b']', |cursor| cursor.value(depth, visit).map(drop))?;
        Some(Value::Other)
    }

    fn object<F: FnMut(&Object<'a>)>(&mut self, depth: usize, visit: &mut F) -> Option<Value<'a>> {
        let start = self.at - 1;
        let mut object = Object::default();
        self.items(b'}', |cursor| cursor.pair(depth, &mut object, visit))?;
        object.raw = &self.text[start..self.at];
        visit(&object);
        Some(Value::Other)
    }

    #[inline]
    fn pair<F: FnMut(&Object<'a>)>(&mut self, depth: usize, object: &mut Object<'a>, visit: &mut F) -> Option<()> {
        if self.next()? != b'"' {
            return None;
        }
        let key = self.string()?;
        if self.next()? != b':' {
            return None;
        }
        match self.value(depth, visit)? {
            Value::Integer(value) => match key {
                b"ts" => object.ts = Some(value),
                b"seq" => object.seq = u64::try_from(value).ok(),
                b"offset" => object.offset = u64::try_from(value).ok(),
                b"skipped" => object.skipped = u64::try_from(value).unwrap_or(0),
                _ => {}
            },
            Value::Text(text) => match key {
                b"type" => object.kind = text,
                b"symbol" => object.symbol = text,
                b"interval" => object.interval = text,
                b"id" => object.id = text,
                b"cursor" => object.cursor = text,
                _ => {}
            },
            Value::Other => {}
        }
        Some(())
    }

    /// Reads a string whose opening quote has been read.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some(text)
    }

    /// Reads a number after its sign; returns its integer part if that fits.
    #[inline]
    fn number(&mut self, sign: i64) -> Option<Value<'a>> {
        let start = self.at;
        let mut value = Some(0_i64);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let append = |value: i64| value.checked_mul(10)?.checked_add(i64::from(digit - b'0'));
            value = value.and_then(append);
            self.at += 1;
        }
        if self.at == start {
            return None;
        }
        while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') = self.peek() {
            self.at += 1;
        }
        Some(value.map_or(Value::Other, |value| Value::Integer(sign * value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn objects(text: &str) -> Option<Vec<Object<'_>>> {
        let mut found = Vec::new();
        scan(text.as_bytes(), &mut |object| found.push(*object)).then_some(found)
    }

    #[test]
    fn nested_objects_and_white_space_are_parsed() {
        let text =
            r#" { "type" : "trade" , "data" : [ { "s" : "A\"}" , "ts" : -5 , "seq" : 1.75e3 } , null ] , "id":"x" } "#;
        let found = objects(text).unwrap();
        assert_eq!(found.len(), 2, "the inner one first");
        assert_eq!((found[0].ts, found[0].seq), (Some(-5), Some(1)));
        assert_eq!((found[1].kind, found[1].id, found[1].ts), (&b"trade"[..], &b"x"[..], None));
        let found = objects(r#"{"seq":{"trades":7},"ts":99999999999999999999}"#).unwrap();
        assert_eq!((found[1].seq, found[1].ts), (None, None), "not an integer that fits");
    }

    #[test]
    fn invalid_json_is_malformed() {
        for text in ["", "{", "}", "[1,", "{\"a\":}", "{\"a\" 1}", "{1:2}", "[1]]", "x", "-", "\"a", "\"\\", "[1 2]"] {
            assert_eq!(objects(text), None, "{text}");
        }
        assert_eq!(objects(&"[".repeat(1_000_000)), None, "deep nesting must not exhaust the stack");
        assert_eq!(objects("[]"), Some(vec![]));
        assert_eq!(objects("{}").map(|found| found.len()), Some(1));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_filter("fits with its sign", |value| *value > i64::MIN).prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
        ];
        let key = prop_oneof![Just("ts".to_owned()), Just("seq".to_owned()), Just("type".to_owned()), ".{0,6}"];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    /// The time stamps of all objects, inner ones first, as a complete parser finds them.
    fn stamps(value: &serde_json::Value, out: &mut Vec<Option<i64>>) {
        match value {
            serde_json::Value::Array(list) => list.iter().for_each(|value| stamps(value, out)),
            serde_json::Value::Object(object) => {
                object.values().for_each(|value| stamps(value, out));
                out.push(object.get("ts").and_then(serde_json::Value::as_i64));
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn a_complete_parser_finds_the_same_time_stamps(value in json()) {
            let text = value.to_string();
            let mut expected = Vec::new();
            stamps(&value, &mut expected);
            let found = objects(&text).unwrap();
            prop_assert_eq!(found.len(), expected.len());
            for (object, expected) in found.iter().zip(expected).filter(|(_, expected)| expected.is_some()) {
                prop_assert_eq!(object.ts, expected);
            }
        }

        #[test]
        fn no_input_panics(text in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\-19.e tsnul"[..]), 0..60)) {
            let _ = scan(&text, &mut |_| {});
        }
    }
}
