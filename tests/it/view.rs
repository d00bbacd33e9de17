//! The state of the market that a client derives from its messages: the protocol promises that it is exact.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A symbol and one of its channels.
pub(crate) type Key = (String, String);

/// Snapshots, updated by events, and the newest `seq` of each topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// By symbol; without `type`, and with the `offset` of the snapshot.
    snapshots: BTreeMap<String, Map<String, Value>>,
    seqs: BTreeMap<Key, u64>,
    /// Number of events.
    pub(crate) events: u64,
    /// Number of events missing between those that arrived.
    pub(crate) missing: u64,
    /// Number of events that the server announced as skipped.
    pub(crate) skipped: u64,
    /// Number of `lag` messages.
    pub(crate) lags: u64,
    /// Offset of the newest event or snapshot.
    pub(crate) offset: u64,
}

impl View {
    /// Applies a message.
    ///
    /// # Panics
    ///
    /// Panics if an event is repeated or out of order.
    pub(crate) fn apply(&mut self, message: &Value) {
        match message["type"].as_str().unwrap() {
            "snapshot" => self.begin(message),
            "lag" => {
                self.lags += 1;
                self.skipped += message["skipped"].as_u64().unwrap();
            }
            _ => {
                if let Some(key) = key_of(message) {
                    self.follow(key, message);
                }
            }
        }
    }

    fn begin(&mut self, message: &Value) {
        let symbol = message["symbol"].as_str().unwrap();
        let offset = message["offset"].as_u64().unwrap();
        assert!(offset >= self.offset, "a snapshot keeps its place: {message} after {}", self.offset);
        self.offset = offset;
        let mut snapshot = message.as_object().unwrap().clone();
        snapshot.remove("type");
        for (channel, seq) in message["seq"].as_object().unwrap() {
            self.seqs.insert((symbol.into(), channel.clone()), seq.as_u64().unwrap());
        }
        self.snapshots.insert(symbol.into(), snapshot);
    }

    fn follow(&mut self, key: Key, message: &Value) {
        let (seq, offset) = (message["seq"].as_u64().unwrap(), message["offset"].as_u64().unwrap());
        assert!(offset > self.offset, "offsets go up: {message} after {}", self.offset);
        self.offset = offset;
        self.events += 1;
        if let Some(snapshot) = self.snapshots.get_mut(&key.0) {
            assert!(offset > snapshot["offset"].as_u64().unwrap(), "known from the snapshot already: {message}");
            if let Some(newest) = snapshot["seq"].get_mut(&key.1) {
                *newest = seq.into();
            }
            update(snapshot, message);
        }
        if let Some(last) = self.seqs.insert(key, seq) {
            assert!(seq > last, "twice or out of order: {message} after {last}");
            self.missing += seq - last - 1;
        }
    }

    /// Returns the state of a symbol, as a snapshot without `type` and `offset`.
    pub(crate) fn snapshot(&self, symbol: &str) -> Value {
        let mut snapshot = self.snapshots[symbol].clone();
        snapshot.remove("offset");
        Value::Object(snapshot)
    }

    /// Returns the symbols with a snapshot.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &str> {
        self.snapshots.keys().map(String::as_str)
    }

    /// Returns the newest `seq` of every symbol and channel.
    pub(crate) fn seqs(&self) -> &BTreeMap<Key, u64> {
        &self.seqs
    }
}

/// Returns the content of a snapshot message, in the form of [`View::snapshot`].
pub(crate) fn said(message: &Value) -> Value {
    let mut snapshot = message.clone();
    let object = snapshot.as_object_mut().unwrap();
    object.remove("type");
    object.remove("offset");
    snapshot
}

/// Returns the symbol and channel of an event, and `None` for any other message.
pub(crate) fn key_of(message: &Value) -> Option<Key> {
    let channel = match message["type"].as_str()? {
        "trade" => "trades".into(),
        "quote" => "quotes".into(),
        "bar" => format!("bars.{}", message["interval"].as_str()?),
        "correction" => "corrections".into(),
        "cancel" => "cancels".into(),
        kind @ ("day" | "gap") => kind.into(),
        _ => return None,
    };
    Some((message["symbol"].as_str()?.into(), channel))
}

/// Returns whether the message is an event: a trade, a quote, a bar, the beginning of a day, or a gap.
pub(crate) fn is_event(message: &Value) -> bool {
    key_of(message).is_some()
}

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

fn update(snapshot: &mut Map<String, Value>, event: &Value) {
    let day = |message: &Value| message.as_i64().unwrap() / DAY_MICROS;
    if matches!(event["type"].as_str(), Some("trade" | "quote"))
        && snapshot.get("ts").is_some_and(|ts| day(&event["ts"]) < day(ts))
    {
        // An event held back over midnight belongs to the previous day.
        return;
    }
    let copied: &[&str] = match event["type"].as_str() {
        Some("trade") => &["ts", "price", "size"],
        Some("quote") => &["ts", "bid", "bid_size", "ask", "ask_size"],
        Some("day") => &["ts", "prev_close"],
        _ => &[],
    };
    for name in copied {
        snapshot.insert((*name).into(), event[*name].clone());
    }
    if event["type"] == "day" {
        for name in ["price", "open", "high", "low"] {
            snapshot.insert(name.into(), event["prev_close"].clone());
        }
        snapshot["volume"] = 0.into();
    }
    if event["type"] == "trade" {
        let price = &event["price"];
        if snapshot["volume"] == 0 {
            for name in ["open", "high", "low"] {
                snapshot.insert(name.into(), price.clone());
            }
        }
        if price.as_f64() > snapshot["high"].as_f64() {
            snapshot["high"] = price.clone();
        }
        if price.as_f64() < snapshot["low"].as_f64() {
            snapshot["low"] = price.clone();
        }
        let volume = snapshot["volume"].as_u64().unwrap() + event["size"].as_u64().unwrap();
        snapshot["volume"] = volume.into();
    }
}
