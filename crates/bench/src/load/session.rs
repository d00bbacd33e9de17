//! One session as its client sees it: takes whole messages, counts events, follows their `seq`, and says what a client
//! has to say. No socket.
//!
//! A tickcast server is known by its `welcome`. It is then asked for a `list` behind the subscription, whose answer keeps
//! its place in the stream: when it comes, every snapshot has come. At the end the session subscribes again and asks for
//! another `list`; the snapshots between tell where each stream stands at that very place.

use std::collections::HashMap;

use serde::Deserialize;
use tickcast_core::domain::Channel;

use crate::load::sequence::{Completeness, SequenceTable, SymbolNumbers};
use crate::load::tally::Tally;
use crate::scan::{Object, scan};

/// Asks for an answer behind the first snapshots.
pub(crate) const LIST_READY: &str = r#"{"action":"list","id":"tickcast-load:ready"}"#;
/// Asks for an answer behind the final snapshots.
pub(crate) const LIST_VERIFIED: &str = r#"{"action":"list","id":"tickcast-load:verified"}"#;

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known of the server's protocol.
    #[default]
    Foreign,
    /// Subscribed, not all snapshots are there.
    Subscribing,
    /// Every snapshot is there.
    Ready,
    /// Asked for the final snapshots.
    Verifying,
    /// Has them: [`Completeness`] is complete to the end.
    Verified,
}

/// What all sessions share while they read.
#[derive(Debug)]
pub(crate) struct Reception {
    /// What has come.
    pub(crate) tally: Tally,
    /// The numbers of the symbols.
    pub(crate) symbols: SymbolNumbers,
    /// The channels whose `seq` a snapshot vouches for.
    pub(crate) channels: Vec<Channel>,
}

/// One client.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// How far it has come.
    pub(crate) standing: Standing,
    /// What it says to subscribe.
    pub(crate) subscribe: Vec<String>,
    /// A question that is to be sent, once.
    pub(crate) question: Option<&'static str>,
    /// How much the server has announced as skipped.
    pub(crate) lag_skipped: u64,
    sequences: SequenceTable,
    events: u64,
    events_before: u64,
}

impl Session {
    /// Returns a session that will subscribe with these messages.
    pub(crate) fn new(subscribe: Vec<String>) -> Self {
        Self { subscribe, ..Self::default() }
    }

    /// Returns whether a tickcast server is to be asked now where every stream stands: by subscribing again, and
    /// [`LIST_VERIFIED`].
    pub(crate) fn verify(&mut self) -> bool {
        let is_asking = self.standing == Standing::Ready && !self.subscribe.is_empty();
        if is_asking {
            self.standing = Standing::Verifying;
        }
        is_asking
    }

    /// Begins the count of [`events_in_window`](Self::events_in_window).
    pub(crate) fn begin_window(&mut self) {
        self.events_before = self.events;
    }

    /// Returns how many events have come since the window began.
    pub(crate) fn events_in_window(&self) -> u64 {
        self.events - self.events_before
    }

    /// Returns what is known of its streams.
    pub(crate) fn completeness(&self) -> Completeness {
        self.sequences.completeness()
    }

    /// Takes a message of the server, read at `now` (microseconds since 1970).
    #[inline]
    pub(crate) fn take_message(&mut self, text: &[u8], now: i64, reception: &mut Reception) {
        let Reception { tally, symbols, channels } = reception;
        let scanned = scan(text, &mut |object| match (object.kind, object.ts) {
            (b"snapshot" | b"subscribed" | b"lag" | b"welcome" | b"error" | b"heartbeat" | b"pong" | b"goodbye", _) => {
                self.take_control(object, tally, symbols, channels);
            }
            (_, None) => {}
            (b"bar", Some(_)) => self.take_event(object, tally, symbols),
            (_, Some(ts)) => {
                tally.take_latency(ts, now);
                self.take_event(object, tally, symbols);
            }
        });
        tally.counters.malformed += u64::from(scanned.is_err());
    }

    #[inline]
    fn take_event(&mut self, object: &Object<'_>, tally: &mut Tally, symbols: &mut SymbolNumbers) {
        tally.counters.events += 1;
        self.events += 1;
        let Some(seq) = object.seq else { return };
        let channel = match object.kind {
            b"quote" => Channel::Quotes,
            b"bar" => bar_channel(object.interval),
            _ => Channel::Trades,
        };
        if let Some(stream) = symbols.stream(object.symbol, channel) {
            self.sequences.take_event(stream, seq, object.skipped);
        }
    }

    #[cold]
    fn take_control(
        &mut self,
        object: &Object<'_>,
        tally: &mut Tally,
        symbols: &mut SymbolNumbers,
        channels: &[Channel],
    ) {
        match (object.kind, self.standing) {
            (b"snapshot", _) => self.take_snapshot(object, symbols, channels),
            (b"welcome", Standing::Foreign) if is_tickcast(object) => {
                self.standing = Standing::Ready;
                if !self.subscribe.is_empty() {
                    self.standing = Standing::Subscribing;
                    self.question = Some(LIST_READY);
                }
            }
            (b"subscribed", Standing::Subscribing) if object.id == b"tickcast-load:ready" => {
                self.standing = Standing::Ready;
            }
            (b"subscribed", Standing::Verifying) if object.id == b"tickcast-load:verified" => {
                self.standing = Standing::Verified;
            }
            (b"lag", _) => {
                self.lag_skipped += object.skipped;
                tally.counters.lags += 1;
                tally.counters.lag_skipped += object.skipped;
            }
            (b"error", _) => tally.take_error(object.raw),
            _ => {}
        }
    }

    fn take_snapshot(&mut self, object: &Object<'_>, symbols: &mut SymbolNumbers, channels: &[Channel]) {
        let Ok(Snapshot { seq }) = serde_json::from_slice(object.raw) else { return };
        for channel in channels {
            let seq = seq.get(channel.name()).copied();
            if let Some((seq, stream)) = seq.zip(symbols.stream(object.symbol, *channel)) {
                self.sequences.take_snapshot(stream, seq);
            }
        }
    }
}

#[derive(Deserialize)]
struct Snapshot {
    seq: HashMap<String, u64>,
}

#[derive(Deserialize)]
struct Welcome<'a> {
    protocol: &'a str,
}

fn is_tickcast(object: &Object<'_>) -> bool {
    serde_json::from_slice::<Welcome<'_>>(object.raw).is_ok_and(|welcome| welcome.protocol.starts_with("tickcast."))
}

fn bar_channel(interval: &[u8]) -> Channel {
    let named = |channel: &Channel| channel.name().strip_prefix("bars.").map(str::as_bytes) == Some(interval);
    Channel::ALL.into_iter().find(named).unwrap_or(Channel::Trades)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELCOME: &str = r#"[{"type":"welcome","protocol":"tickcast.v1","session":"a","epoch":"b","offset":1}]"#;

    fn run(texts: &[&str]) -> (Session, Reception) {
        let mut session = Session::new(vec!["hello".into()]);
        let (tally, symbols) = (Tally::default(), SymbolNumbers::default());
        let mut reception = Reception { tally, symbols, channels: vec![Channel::Trades] };
        for text in texts {
            session.take_message(text.as_bytes(), 1_000, &mut reception);
            if session.standing == Standing::Ready {
                session.verify();
            }
        }
        (session, reception)
    }

    fn snapshot(seq: u64) -> String {
        format!(r#"{{"type":"snapshot","symbol":"A","offset":1,"ts":900,"seq":{{"trades":{seq},"quotes":99}}}}"#)
    }

    fn trade(seq: u64) -> String {
        format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"ts":900}}"#)
    }

    #[test]
    fn a_tickcast_session_is_verified_by_the_snapshots_at_its_end() {
        let first = format!(r#"[{{"type":"subscribed","id":0,"subscriptions":[{{"symbol":"A"}}]}},{}]"#, snapshot(5));
        let ready = format!(r#"[{{"type":"subscribed","id":"tickcast-load:ready","subscriptions":[]}},{}]"#, trade(6));
        let last = format!(r#"[{},{},{{"type":"subscribed","id":"tickcast-load:verified"}}]"#, trade(7), snapshot(8));
        let (session, reception) = run(&[WELCOME, &first, &ready, &last]);
        assert_eq!(session.standing, Standing::Verified);
        let counts = session.completeness();
        assert_eq!((counts.streams, counts.due, counts.arrived, counts.missing), (1, 3, 2, 1), "number 8 never came");
        assert_eq!((reception.tally.counters.events, session.events_in_window()), (2, 2));
    }

    #[test]
    fn lag_and_errors_are_taken_note_of() {
        let text =
            r#"[{"type":"lag","skipped":7,"since_offset":3},{"type":"error","code":"flood","message":"m"},nonsense"#;
        let (session, reception) = run(&[text, r#"{"type":"heartbeat","ts":1}"#]);
        let counters = reception.tally.counters;
        assert_eq!((counters.lags, counters.lag_skipped, counters.errors, counters.malformed), (1, 7, 1, 1));
        assert_eq!((counters.events, session.lag_skipped), (0, 7));
        assert!(reception.tally.first_error.is_some_and(|text| text.contains("flood")));
    }

    #[test]
    fn other_servers_need_no_seq_and_no_type() {
        let nested = r#"{"stream":"x","data":[{"s":"A","ts":400},{"s":"B","ts":500}]}"#;
        let (session, reception) = run(&[nested, r#"{"ts":600}"#, "\"hello\""]);
        assert_eq!((reception.tally.counters.events, session.completeness().streams), (3, 0));
        assert_eq!(session.standing, Standing::Foreign);
    }

    #[test]
    fn bars_are_streams_of_their_own_and_have_no_latency() {
        let bar = |interval| format!(r#"{{"type":"bar","symbol":"A","interval":"{interval}","seq":4,"ts":0}}"#);
        let (session, reception) = run(&[&bar("1m"), &bar("1s"), &trade(4)]);
        assert_eq!(session.completeness().streams, 3);
        assert_eq!((session.completeness().repeated, reception.tally.latency.len()), (0, 0));
    }
}
