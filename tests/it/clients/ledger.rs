//! Checks what a client library passes to its application: of each topic every event once and in order, and no hole that was not
//! announced.

use std::collections::HashMap;

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

/// The messages of one application so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The last `seq` of each topic.
    seqs: HashMap<(String, String), u64>,
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
                    self.seqs.retain(|(of, _), _| symbol != "*" && of != symbol);
                }
            }
            "hole" => {
                let topic = (text(message, "symbol"), text(message, "channel"));
                let seq = self.seqs.get_mut(&topic).expect("a hole is in a topic");
                assert_eq!(message["from"], *seq + 1, "{message}");
                *seq = message["to"].as_u64().unwrap();
            }
            "snapshot" => self.take_snapshot(message),
            _ => self.take_event(&kind, message),
        }
    }

    fn take_snapshot(&mut self, message: &Value) {
        for (channel, seq) in message["seq"].as_object().unwrap() {
            self.seqs.entry((text(message, "symbol"), channel.clone())).or_insert(seq.as_u64().unwrap());
        }
    }

    fn take_event(&mut self, kind: &str, message: &Value) {
        let Some((_, channel)) = NUMBERED.iter().find(|(name, _)| *name == kind) else { return };
        self.events += 1;
        let channel = if kind == "bar" { format!("bars.{}", text(message, "interval")) } else { (*channel).to_owned() };
        let seq = message["seq"].as_u64().unwrap();
        let Some(last) = self.seqs.insert((text(message, "symbol"), channel), seq) else {
            // The number of the last day or gap is not in a snapshot.
            assert!(["day", "gap"].contains(&kind), "an event before the snapshot of its symbol: {message}");
            return;
        };
        assert!(seq > last, "a repeat after {last}: {message}");
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

fn text(message: &Value, key: &str) -> String {
    message[key].as_str().unwrap_or_else(|| panic!("a {key} in {message}")).to_owned()
}

#[test]
#[should_panic(expected = "a repeat after 8")]
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
