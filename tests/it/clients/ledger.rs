//! Checks what a client library passes to its application: of each topic every event once and in order, and no hole that was not
//! announced.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// The kinds of numbered messages, and the channel of each in the `seq` of a snapshot; that of a bar has its interval.
const NUMBERED: [(&str, &str); 7] = [
    ("trade", "trades"),
    ("quote", "quotes"),
    ("bar", "bars"),
    ("correction", "corrections"),
    ("cancel", "cancels"),
    ("day", "day"),
    ("gap", "gap"),
];

/// A symbol and a channel.
type Topic = (String, String);

/// How far a topic is.
#[derive(Debug)]
enum Place {
    /// It begins behind one of these numbers: those of the snapshots so far that may be of its request.
    Begun(Vec<u64>),
    /// The `seq` of its last event.
    At(u64),
}

/// The messages of one application so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    places: HashMap<Topic, Place>,
    /// The subscriptions of the connection as its last `subscribed` lists them, which comes before the snapshots of its request. `None` over
    /// HTTP, where the application is not told which request a snapshot answers.
    subscribed: Option<HashSet<Topic>>,
    /// Events announced by `lag` whose hole has not come yet.
    excused: u64,
    /// Numbered messages.
    pub(crate) events: u64,
    /// How often each kind of message came.
    pub(crate) counts: HashMap<String, u64>,
}

impl Ledger {
    /// Takes a message.
    ///
    /// # Panics
    ///
    /// Panics if it is a repeat, or comes after a hole that was not announced.
    pub(crate) fn take(&mut self, message: &Value) {
        let kind = message["type"].as_str().expect("a message has a type").to_owned();
        *self.counts.entry(kind.clone()).or_default() += 1;
        match kind.as_str() {
            "lag" => self.excused += message["skipped"].as_u64().unwrap(),
            "reset" => {
                for symbol in message["symbols"].as_array().unwrap() {
                    let symbol = symbol.as_str().unwrap();
                    self.places.retain(|(of, _), _| symbol != "*" && of != symbol);
                }
            }
            "hole" => {
                let topic = (text(message, "symbol"), text(message, "channel"));
                let to = message["to"].as_u64().unwrap();
                let last = self.places.insert(topic, Place::At(to)).expect("a hole is in a topic");
                assert!(last.numbers().any(|last| message["from"] == last + 1), "{message} after {last:?}");
            }
            "open" => self.subscribed = None,
            "subscribed" => self.subscribed = Some(topics(message)),
            "snapshot" => self.take_snapshot(message),
            _ => self.take_event(&kind, message),
        }
    }

    fn take_snapshot(&mut self, message: &Value) {
        let symbol = text(message, "symbol");
        for (channel, seq) in message["seq"].as_object().unwrap() {
            let (topic, seq) = ((symbol.clone(), channel.clone()), seq.as_u64().unwrap());
            let is_subscribed = self
                .subscribed
                .as_ref()
                .map(|all| all.contains(&topic) || all.contains(&("*".to_owned(), channel.clone())));
            match (is_subscribed, self.places.get_mut(&topic)) {
                // It is of another request, and may be older than the subscription.
                (Some(false), _) | (_, Some(Place::At(_))) | (Some(true), Some(Place::Begun(_))) => {}
                (None, Some(Place::Begun(seqs))) => seqs.push(seq),
                (_, None) => _ = self.places.insert(topic, Place::Begun(vec![seq])),
            }
        }
    }

    fn take_event(&mut self, kind: &str, message: &Value) {
        let Some((_, channel)) = NUMBERED.iter().find(|(name, _)| *name == kind) else { return };
        self.events += 1;
        let channel = if kind == "bar" { format!("bars.{}", text(message, "interval")) } else { (*channel).to_owned() };
        let seq = message["seq"].as_u64().unwrap();
        let Some(last) = self.places.insert((text(message, "symbol"), channel), Place::At(seq)) else {
            // The number of the last day or gap is not in a snapshot.
            assert!(["day", "gap"].contains(&kind), "an event before the snapshot of its symbol: {message}");
            return;
        };
        let last = last.numbers().filter(|last| *last < seq).max();
        let last = last.unwrap_or_else(|| panic!("a repeat: {message}"));
        let missing = seq - last - 1;
        let missing = missing.saturating_sub(message["skipped"].as_u64().unwrap_or(0));
        assert!(
            missing <= self.excused,
            "{missing} events are missing before {message}; {} are announced",
            self.excused
        );
        self.excused -= missing;
    }

    /// Returns how many messages of a kind came.
    pub(crate) fn count(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }
}

impl Place {
    /// Returns the numbers after which the next event may come.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        match self {
            Self::Begun(seqs) => seqs.as_slice(),
            Self::At(seq) => std::slice::from_ref(seq),
        }
        .iter()
        .copied()
    }
}

/// Returns the topics of a `subscribed`; the symbol of every symbol is `*`.
fn topics(subscribed: &Value) -> HashSet<Topic> {
    let each = |of: &Value| {
        let symbol = text(of, "symbol");
        let channels = of["channels"].as_array().unwrap().clone();
        channels.into_iter().map(move |channel| (symbol.clone(), channel.as_str().unwrap().to_owned()))
    };
    subscribed["subscriptions"].as_array().unwrap().iter().flat_map(each).collect()
}

fn text(message: &Value, key: &str) -> String {
    message[key].as_str().unwrap_or_else(|| panic!("a {key} in {message}")).to_owned()
}

#[test]
#[should_panic(expected = "a repeat")]
fn a_repeat_is_found() {
    let mut ledger = Ledger::default();
    ledger.take(&serde_json::json!({ "type": "snapshot", "symbol": "A", "seq": { "trades": 7 } }));
    ledger.take(&serde_json::json!({ "type": "trade", "symbol": "A", "seq": 8 }));
    ledger.take(&serde_json::json!({ "type": "trade", "symbol": "A", "seq": 8 }));
}

#[test]
#[should_panic(expected = "1 events are missing")]
fn a_hole_is_found() {
    let mut ledger = Ledger::default();
    ledger.take(&serde_json::json!({ "type": "snapshot", "symbol": "A", "seq": { "trades": 7 } }));
    ledger.take(&serde_json::json!({ "type": "lag", "skipped": 2, "since_offset": 1 }));
    ledger.take(&serde_json::json!({ "type": "trade", "symbol": "A", "seq": 10 }));
    ledger.take(&serde_json::json!({ "type": "trade", "symbol": "A", "seq": 12 }));
}

/// Returns a ledger after the answer to a subscription to trades, and a snapshot with these numbers of trades and quotes.
#[cfg(test)]
fn subscribed(seq: [u64; 2]) -> Ledger {
    let mut ledger = Ledger::default();
    let trades =
        serde_json::json!({ "type": "subscribed", "subscriptions": [{ "symbol": "*", "channels": ["trades"] }] });
    ledger.take(&trades);
    ledger.take(&snapshot(seq));
    ledger
}

#[cfg(test)]
fn snapshot([trades, quotes]: [u64; 2]) -> Value {
    serde_json::json!({ "type": "snapshot", "symbol": "A", "seq": { "trades": trades, "quotes": quotes } })
}

#[cfg(test)]
fn quotes(ledger: &mut Ledger) {
    let both = [("*", "trades"), ("A", "quotes")];
    let both = both.map(|(symbol, channel)| serde_json::json!({ "symbol": symbol, "channels": [channel] }));
    ledger.take(&serde_json::json!({ "type": "subscribed", "subscriptions": both }));
    ledger.take(&snapshot([9, 20]));
}

#[test]
fn a_topic_begins_at_the_snapshot_of_its_own_request() {
    let mut ledger = subscribed([7, 10]);
    ledger.take(&serde_json::json!({ "type": "trade", "symbol": "A", "seq": 8 }));
    quotes(&mut ledger);
    ledger.take(&serde_json::json!({ "type": "quote", "symbol": "A", "seq": 21 }));
    ledger.take(&serde_json::json!({ "type": "trade", "symbol": "A", "seq": 9 }));
}

#[test]
#[should_panic(expected = "an event before the snapshot of its symbol")]
fn an_event_before_the_snapshot_of_its_own_request_is_found() {
    subscribed([7, 10]).take(&serde_json::json!({ "type": "quote", "symbol": "A", "seq": 11 }));
}

#[test]
#[should_panic(expected = "a repeat")]
fn an_event_that_its_own_snapshot_includes_is_found() {
    let mut ledger = subscribed([7, 10]);
    quotes(&mut ledger);
    ledger.take(&serde_json::json!({ "type": "quote", "symbol": "A", "seq": 11 }));
}

#[test]
#[should_panic(expected = "1 events are missing")]
fn over_http_a_topic_begins_directly_behind_one_of_its_snapshots() {
    let mut ledger = Ledger::default();
    ledger.take(&snapshot([7, 10]));
    ledger.take(&snapshot([9, 20]));
    ledger.take(&serde_json::json!({ "type": "quote", "symbol": "A", "seq": 22 }));
}
