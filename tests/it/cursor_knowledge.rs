//! What a client of the small market of `cursor_world` knows of it, and whether all that it misses was announced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tickcast::protocol::native::Cursor;

use crate::cursor_world::Process;
use crate::view::{Key, is_event, key_of};

/// Events that were said to be skipped.
struct Announced {
    /// None of them is older.
    from: u64,
    /// None is newer.
    to: u64,
    count: u64,
}

/// Returns whether each missing event can be one of those announced, and none is two of them.
fn is_announced(missing: &BTreeSet<u64>, announced: &[Announced]) -> bool {
    let mut left: Vec<_> = announced.iter().map(|each| (each.to, each.from, each.count)).collect();
    left.sort_unstable();
    // The one that ends first cannot serve a later event so well.
    missing.iter().all(|offset| {
        let fits = |(to, from, count): &&mut (u64, u64, u64)| *count > 0 && (*from..=*to).contains(offset);
        left.iter_mut().find(fits).map(|(.., count)| *count -= 1).is_some()
    })
}

/// What a client knows: the newest `seq` of each topic, and what it may miss because it was told so.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) epoch: String,
    pub(crate) seqs: BTreeMap<Key, u64>,
    /// The cursor of each topic: its newest message.
    pub(crate) cursors: BTreeMap<Key, Cursor>,
    /// Of each topic, between which offsets nothing may be skipped, as the session was told.
    pub(crate) vouched: BTreeMap<Key, Vec<(u64, u64)>>,
    missing: BTreeSet<u64>,
    announced: Vec<Announced>,
    pub(crate) lags: u64,
    /// The newest event of each topic that has not come.
    pub(crate) missed: BTreeMap<Key, u64>,
    /// What the snapshots that come belong to, when the client has a subscription for each topic.
    pub(crate) begun: Option<Key>,
    /// In mode `latest` a stream's cursor may be older than the newest value that came: what comes after a break may be what
    /// has come already, until something newer does.
    may_repeat: bool,
    /// The topics of which something newer has come in this session.
    renewed: BTreeSet<Key>,
}

impl Knowledge {
    /// Returns the knowledge of a client that knows nothing yet.
    pub(crate) fn new(may_repeat: bool) -> Self {
        Self { may_repeat, ..Self::default() }
    }

    /// Takes a message from a hub at this position, and checks it.
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
                    // What else it says may be newer than what another subscription is just going back to.
                    if self.begun.as_ref().is_some_and(|begun| *begun != key) {
                        continue;
                    }
                    self.cursors.insert(key.clone(), self.cursor_at(message));
                    // What is newer comes, although it may have been missed before: on a hub that is further on than this.
                    self.missed.retain(|topic, missed| *topic != key || *missed <= message["offset"].as_u64().unwrap());
                    self.seqs.insert(key, seq.as_u64().unwrap());
                }
            }
            _ if is_event(message) => self.follow(message, process),
            _ => {}
        }
    }

    fn follow(&mut self, message: &Value, process: &Process) {
        let key = key_of(message).unwrap();
        let seq = message["seq"].as_u64().unwrap();
        let last = self.seqs[&key];
        if seq <= last && self.may_repeat && !self.renewed.contains(&key) {
            return;
        }
        assert!(seq > last, "none twice, none too late: {message} after {last}");
        let offset = message["offset"].as_u64().unwrap();
        let cursor = self.cursors.get(&key).map_or(0, |cursor| cursor.offset);
        assert!(
            offset > cursor || self.may_repeat,
            "a cursor has gone past what was to come: {message} after {cursor}"
        );
        self.renewed.insert(key.clone());
        let skipped = message["skipped"].as_u64().unwrap();
        let hole = seq - last - 1;
        // After a break what it stands for may be known in part.
        assert!(
            skipped <= hole || self.may_repeat,
            "more are said to be skipped than are missing: {message} after {last}"
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
        assert!(
            is_announced(&self.missing, &self.announced),
            "a hole that nobody has announced: {message} after {last}"
        );
        if hole > 0 {
            self.missed.insert(key.clone(), process.offset_of(&key, seq - 1));
        }
        self.cursors.insert(key.clone(), self.cursor_at(message));
        self.seqs.insert(key, seq);
    }

    /// Forgets what was missing in a process that has ended.
    pub(crate) fn restart(&mut self) {
        self.missed.clear();
        self.missing.clear();
        self.announced.clear();
    }

    /// Begins another session.
    pub(crate) fn reconnect(&mut self) {
        self.renewed.clear();
        self.vouched.clear();
    }

    fn cursor_at(&self, message: &Value) -> Cursor {
        Cursor { epoch: self.epoch.clone(), offset: message["offset"].as_u64().unwrap() }
    }
}
