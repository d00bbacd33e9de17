//! The knowledge of a client of the small market of `cursor_world`, and the check that every missing event was
//! announced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tickcast::protocol::Cursor;

use crate::cursor_world::Process;
use crate::view::{Key, is_event, key_of};

/// Events announced as skipped.
struct Announced {
    /// Smallest possible offset.
    from: u64,
    /// Largest possible offset.
    to: u64,
    count: u64,
}

/// Returns whether each missing event can be assigned to one of those announced, and to no other event's.
fn is_announced(missing: &BTreeSet<u64>, announced: &[Announced]) -> bool {
    let mut left: Vec<_> = announced.iter().map(|each| (each.to, each.from, each.count)).collect();
    left.sort_unstable();
    // Greedy: the announcement that ends first is the least useful for later events.
    missing.iter().all(|offset| {
        let fits = |(to, from, count): &&mut (u64, u64, u64)| *count > 0 && (*from..=*to).contains(offset);
        left.iter_mut().find(fits).map(|(.., count)| *count -= 1).is_some()
    })
}

/// Returns whether the events of the topic are days or gaps: no client subscribes to them, they come with every channel.
pub(crate) fn is_day((_, channel): &Key) -> bool {
    channel == "day" || channel == "gap"
}

/// The newest `seq` of each topic, and the events that may be missing because they were announced.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) epoch: String,
    pub(crate) seqs: BTreeMap<Key, u64>,
    /// Cursor of each topic: its newest message.
    pub(crate) cursors: BTreeMap<Key, Cursor>,
    /// By topic, the ranges of offsets in which no event may be skipped, because the session was answered `recovered`.
    pub(crate) vouched: BTreeMap<Key, Vec<(u64, u64)>>,
    missing: BTreeSet<u64>,
    announced: Vec<Announced>,
    pub(crate) lags: u64,
    /// Newest missing event of each topic.
    pub(crate) missed: BTreeMap<Key, u64>,
    /// The topics of the snapshots that arrive, if the client has several subscriptions.
    pub(crate) begun: Option<Vec<Key>>,
    /// In mode `latest` a stream's cursor may be older than the newest value received: after a reconnect the same value
    /// may be repeated, until a newer one arrives.
    may_repeat: bool,
    /// Topics with a newer event in the present session.
    renewed: BTreeSet<Key>,
    /// Of a client with several subscriptions: the offset after which each topic has no hole, that of a snapshot.
    since: BTreeMap<Key, u64>,
    /// The days and gaps that such a client has received, and those of the present session.
    days: BTreeSet<(Key, u64)>,
    days_of_session: BTreeSet<(Key, u64)>,
}

impl Knowledge {
    /// Returns the knowledge of a client without any.
    pub(crate) fn new(may_repeat: bool) -> Self {
        Self { may_repeat, ..Self::default() }
    }

    /// Applies a message from a hub at this offset, and checks it.
    pub(crate) fn apply(&mut self, message: &Value, process: &Process, position: u64) {
        match message["type"].as_str().unwrap() {
            "lag" => {
                let [from, count] = ["since_offset", "skipped"].map(|key| message[key].as_u64().unwrap());
                self.announced.push(Announced { from, to: position, count });
                self.lags += 1;
            }
            "snapshot" => {
                for (channel, seq) in message["seq"].as_object().unwrap() {
                    let key = (message["symbol"].as_str().unwrap().into(), channel.clone());
                    // The snapshot's other values may be newer than the cursor of another subscription that is being
                    // recovered.
                    if self.begun.as_ref().is_some_and(|begun| !begun.contains(&key)) {
                        continue;
                    }
                    self.cursors.insert(key.clone(), self.cursor_at(message));
                    // A newer event arrives although it was counted as missing on another hub that was further on.
                    self.missed.retain(|topic, missed| *topic != key || *missed <= message["offset"].as_u64().unwrap());
                    self.since.insert(key.clone(), message["offset"].as_u64().unwrap());
                    self.seqs.insert(key, seq.as_u64().unwrap());
                }
                for channel in ["day", "gap"] {
                    let key = (message["symbol"].as_str().unwrap().into(), channel.into());
                    let seq = process.seq_at(&key, message["offset"].as_u64().unwrap());
                    self.cursors.insert(key.clone(), self.cursor_at(message));
                    self.seqs.insert(key, seq);
                }
            }
            _ if is_event(message) => self.follow(message, process),
            _ => {}
        }
    }

    fn follow(&mut self, message: &Value, process: &Process) {
        let key = key_of(message).unwrap();
        let seq = message["seq"].as_u64().unwrap();
        if self.begun.is_some() && is_day(&key) {
            self.days.insert((key.clone(), seq));
            assert!(self.days_of_session.insert((key, seq)), "repeated: {message}");
            return;
        }
        let last = self.seqs.get(&key).copied().unwrap_or_else(|| process.seq_without_snapshot(&key));
        if seq <= last && self.may_repeat && !self.renewed.contains(&key) {
            return;
        }
        assert!(seq > last, "repeated or out of order: {message} after {last}");
        let offset = message["offset"].as_u64().unwrap();
        let cursor = self.cursors.get(&key).map_or(0, |cursor| cursor.offset);
        assert!(
            offset > cursor || self.may_repeat,
            "a cursor passed an event that was still to be sent: {message} after {cursor}"
        );
        self.renewed.insert(key.clone());
        let skipped = message["skipped"].as_u64().unwrap();
        let hole = seq - last - 1;
        // After a reconnect, part of the events that this one stands for may be known.
        assert!(
            skipped <= hole || self.may_repeat,
            "more events announced as skipped than missing: {message} after {last}"
        );
        let missing: Vec<_> = (last + 1..seq).map(|seq| process.offset_of(&key, seq)).collect();
        if let ([from, ..], [.., to]) = (&missing[..], &missing[..]) {
            self.announced.push(Announced { from: *from, to: *to, count: skipped.min(hole) });
        }
        for (after, to) in self.vouched.get(&key).into_iter().flatten() {
            let broken = missing.iter().find(|offset| *after < **offset && **offset <= *to);
            assert_eq!(broken, None, "skipped, after it was recovered from {after} to {to}: {message} after {last}");
        }
        self.missing.extend(&missing);
        assert!(is_announced(&self.missing, &self.announced), "a hole that was not announced: {message} after {last}");
        if hole > 0 {
            self.missed.insert(key.clone(), process.offset_of(&key, seq - 1));
        }
        self.cursors.insert(key.clone(), self.cursor_at(message));
        self.seqs.insert(key, seq);
    }

    /// Goes back to a cursor, after which every event of the topic arrives again.
    pub(crate) fn rewind(&mut self, topic: &Key, cursor: &Cursor, process: &Process) {
        if self.cursors.get(topic).is_some_and(|newest| cursor.offset < newest.offset) {
            self.seqs.insert(topic.clone(), process.seq_at(topic, cursor.offset));
            self.cursors.insert(topic.clone(), cursor.clone());
            self.missed.remove(topic);
        }
    }

    /// Asserts that every day and gap of a topic's symbol has come or was announced as skipped, since the topic has no hole.
    pub(crate) fn check_days(&mut self, topic: &Key, process: &Process) {
        let since = self.since[topic];
        for channel in ["day", "gap"] {
            let key = (topic.0.clone(), channel.to_owned());
            for seq in process.seq_at(&key, since) + 1..=process.seq(&key) {
                if !self.days.contains(&(key.clone(), seq)) {
                    self.missing.insert(process.offset_of(&key, seq));
                }
            }
            assert!(
                is_announced(&self.missing, &self.announced),
                "a {channel} of {topic:?} has not come since {since}"
            );
        }
    }

    /// Ends a subscription, by a request or its answer: another channel may recover what only this one has sent of days and gaps.
    pub(crate) fn unsubscribed(&mut self, part: &Key) {
        self.days_of_session.retain(|((symbol, _), _)| part.0 != "*" && *symbol != part.0);
    }

    /// Forgets the values: snapshots follow of the symbols that there are.
    pub(crate) fn begin_anew(&mut self) {
        self.seqs.clear();
        self.cursors.clear();
    }

    /// Forgets the missing events of a process that has ended.
    pub(crate) fn restart(&mut self) {
        self.days.clear();
        self.missed.clear();
        self.missing.clear();
        self.announced.clear();
    }

    /// Begins another session.
    pub(crate) fn reconnect(&mut self) {
        self.renewed.clear();
        self.vouched.clear();
        self.days_of_session.clear();
    }

    fn cursor_at(&self, message: &Value) -> Cursor {
        Cursor { epoch: self.epoch.clone(), offset: message["offset"].as_u64().unwrap() }
    }
}
