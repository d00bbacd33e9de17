//! One client session: counts the events of received messages, checks their `seq`, and chooses the requests. No socket.
//!
//! A tickcast server is recognized by its `welcome`. The session then sends `list` after the subscription. Answers keep the order of
//! the stream, so every snapshot has arrived before the answer to `list`. At the end the session subscribes again and sends another
//! `list`; the snapshots before its answer contain the last `seq` of each stream at that position.

use memchr::memmem;
use serde_json::Value;
use tickcast_core::domain::Channel;

use crate::load::tally::Tally;
use crate::scan::{Object, scan};
use crate::sequence::SequenceTable;

/// The request whose answer follows the first snapshots.
pub(crate) const LIST_READY: &str = r#"{"action":"list","id":"tickcast-load:ready"}"#;
/// The request whose answer follows the final snapshots.
pub(crate) const LIST_VERIFIED: &str = r#"{"action":"list","id":"tickcast-load:verified"}"#;

/// The state of the verification of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The server has not sent the `welcome` of a tickcast server.
    #[default]
    Foreign,
    /// Subscribed; not all snapshots have arrived.
    Subscribing,
    /// All snapshots have arrived.
    Ready,
    /// Subscribed again; not all final snapshots have arrived.
    Verifying,
    /// All final snapshots have arrived: `Completeness` includes every event before them.
    Verified,
}

/// One client.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The state of its verification.
    pub(crate) standing: Standing,
    /// Its subscribe messages.
    pub(crate) subscribe: Vec<String>,
    /// A request to send once.
    pub(crate) question: Option<&'static str>,
    /// Events that the server announced as skipped.
    pub(crate) lag_skipped: u64,
    pub(crate) sequences: SequenceTable,
}

impl Session {
    /// Starts the verification; returns whether to send the subscribe messages again and then [`LIST_VERIFIED`].
    pub(crate) fn verify(&mut self) -> bool {
        let is_asking = self.standing == Standing::Ready && !self.subscribe.is_empty();
        if is_asking {
            self.standing = Standing::Verifying;
        }
        is_asking
    }

    /// Takes a message of the server that was read at `now` (microseconds since 1970).
    #[inline]
    pub(crate) fn take_message(&mut self, text: &[u8], now: i64, tally: &mut Tally) {
        if let Some(marker) = &tally.marker {
            tally.events += memmem::find_iter(text, marker).count() as u64;
            return;
        }
        let is_json = scan(text, &mut |object| match (object.kind, object.ts) {
            (b"snapshot" | b"subscribed" | b"lag" | b"welcome" | b"error" | b"heartbeat" | b"pong" | b"goodbye", _) => {
                self.take_control(object, tally);
            }
            (_, None) => {}
            (b"bar", Some(_)) => self.take_event(object, tally),
            (_, Some(ts)) => {
                tally.take_latency(ts, now);
                self.take_event(object, tally);
            }
        });
        tally.malformed += u64::from(!is_json);
    }

    #[inline]
    fn take_event(&mut self, object: &Object<'_>, tally: &mut Tally) {
        tally.events += 1;
        let Some(seq) = object.seq else { return };
        let channel = match object.kind {
            b"quote" => Channel::Quotes,
            b"bar" => bar_channel(object.interval),
            _ => Channel::Trades,
        };
        if let Some(stream) = tally.symbols.stream(object.symbol, channel) {
            self.sequences.take_event(stream, seq, object.skipped);
        }
    }

    #[cold]
    fn take_control(&mut self, object: &Object<'_>, tally: &mut Tally) {
        match (object.kind, self.standing) {
            (b"snapshot", _) => self.take_snapshot(object, tally),
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
                tally.lags += 1;
                tally.lag_skipped += object.skipped;
            }
            (b"error", _) => tally.take_error(object.raw),
            _ => {}
        }
    }

    fn take_snapshot(&mut self, object: &Object<'_>, tally: &mut Tally) {
        let Ok(snapshot) = serde_json::from_slice::<Value>(object.raw) else { return };
        for channel in &tally.channels {
            let seq = snapshot["seq"][channel.name()].as_u64();
            if let Some((seq, stream)) = seq.zip(tally.symbols.stream(object.symbol, *channel)) {
                self.sequences.take_snapshot(stream, seq);
            }
        }
    }
}

fn is_tickcast(welcome: &Object<'_>) -> bool {
    let welcome: Value = serde_json::from_slice(welcome.raw).unwrap_or_default();
    welcome["protocol"].as_str().is_some_and(|protocol| protocol.starts_with("tickcast."))
}

fn bar_channel(interval: &[u8]) -> Channel {
    let named = |channel: &Channel| channel.name().strip_prefix("bars.").map(str::as_bytes) == Some(interval);
    Channel::ALL.into_iter().find(named).unwrap_or(Channel::Trades)
}

#[cfg(test)]
mod tests {
    use super::*;

    use hyper::body::Bytes;

    fn run(texts: &[&str]) -> (Session, Tally) {
        let mut session = Session { subscribe: vec!["hello".into()], ..Session::default() };
        let mut tally = Tally { channels: vec![Channel::Trades], ..Tally::default() };
        for text in texts {
            session.take_message(text.as_bytes(), 1_000, &mut tally);
        }
        (session, tally)
    }

    fn trade(seq: u64) -> String {
        format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"ts":900}}"#)
    }

    #[test]
    fn lag_and_errors_are_counted() {
        let text =
            r#"[{"type":"lag","skipped":7,"since_offset":3},{"type":"error","code":"flood","message":"m"},nonsense"#;
        let (session, tally) = run(&[text, r#"{"type":"heartbeat","ts":1}"#]);
        assert_eq!((tally.lags, tally.lag_skipped, tally.errors, tally.malformed), (1, 7, 1, 1));
        assert_eq!((tally.events, session.lag_skipped), (0, 7));
        assert!(tally.first_error.is_some_and(|text| text.contains("flood")));
    }

    #[test]
    fn other_servers_need_no_seq_and_no_type() {
        let nested = r#"{"stream":"x","data":[{"s":"A","ts":400},{"s":"B","ts":500}]}"#;
        let (session, tally) = run(&[nested, r#"{"ts":600}"#, "\"hello\""]);
        assert_eq!((tally.events, session.sequences.completeness().streams), (3, 0));
        assert_eq!(session.standing, Standing::Foreign);
    }

    #[test]
    fn events_are_counted_by_their_marker_in_any_codec() {
        let mut tally = Tally { marker: Some(Bytes::from_static(b"\xa1T\xa1t")), ..Tally::default() };
        let packed = b"\x93\x82\xa1T\xa1t\xa1p\xcb\0\0\0\0\0\0\0\0\x81\xa1T\xa1q\x81\xa1T\xa1t";
        Session::default().take_message(packed, 0, &mut tally);
        assert_eq!((tally.events, tally.malformed), (2, 0));
    }

    #[test]
    fn bars_are_separate_streams_without_latency() {
        let bar = |interval| format!(r#"{{"type":"bar","symbol":"A","interval":"{interval}","seq":4,"ts":0}}"#);
        let (session, tally) = run(&[&bar("1m"), &bar("1s"), &trade(4)]);
        assert_eq!(session.sequences.completeness().streams, 3);
        assert_eq!((session.sequences.completeness().repeated, tally.latency.len()), (0, 0));
    }
}
