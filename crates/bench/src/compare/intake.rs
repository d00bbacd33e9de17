//! Received events of the clients: completeness by `seq`, latency, and the age of the prices they show. No socket.
//!
//! An event belongs to the window by its own time stamp, however late it arrived, so late events are included.

use std::collections::HashSet;

use hdrhistogram::Histogram;

use crate::compare::tail::{Tail, seq_of_snapshot};
use crate::scan::{Object, scan};

/// Latencies above ten minutes count as ten minutes.
const LATENCY_MICROS_MAX: u64 = 600_000_000;
/// Distinct events of the window are counted up to this number, which is enough for a percentile.
const DIFFERENT_MAX: usize = 1_000;
/// The initial value of the FNV-1a hash over the offsets of events.
const DIGEST_START: u64 = 0xCBF2_9CE4_8422_2325;
/// The prime of the FNV-1a hash.
const DIGEST_PRIME: u64 = 0x0100_0000_01B3;

/// The received events of all clients of one transport.
#[derive(Debug)]
pub(crate) struct Intake {
    /// Start and end of the window, in microseconds since 1970; empty before it begins.
    pub(crate) window: (i64, i64),
    /// Events received since the start.
    pub(crate) events: u64,
    /// Events with a time stamp in the window, and the microseconds from there to the read.
    pub(crate) due: u64,
    pub(crate) latency: Histogram<u64>,
    /// The offsets of the first distinct events of the window.
    pub(crate) different: HashSet<u64>,
    /// Events that were repeated or out of order.
    pub(crate) repeated: u64,
    /// Missing events, by the `seq` of their symbol from its snapshot on.
    pub(crate) missing: u64,
    /// Events without `seq`, `offset` or a snapshot before them, symbols without a snapshot, `lag`, `error`, and texts that are not
    /// JSON.
    pub(crate) faults: u64,
    pub(crate) ages: Ages,
}

/// Integrals over the window and all symbols of all clients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ages {
    /// Time for which a price was known, in microseconds.
    known_micros: f64,
    /// The age of the known price, integrated over time, in square microseconds.
    shown: f64,
    /// The same integral for a client without any delay.
    ideal: f64,
}

impl Ages {
    /// Returns the mean age of the last known price, in microseconds.
    pub(crate) fn mean_micros(&self) -> f64 {
        self.shown / self.known_micros.max(1.0)
    }

    /// Returns the mean age minus that of a client without any delay, in microseconds.
    pub(crate) fn behind_micros(&self) -> f64 {
        ((self.shown - self.ideal) / self.known_micros.max(1.0)).max(0.0)
    }
}

impl Default for Intake {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).expect("the bounds are in order");
        let (window, different, ages) = ((i64::MAX, i64::MAX), HashSet::new(), Ages::default());
        Self { window, events: 0, due: 0, latency, repeated: 0, different, missing: 0, faults: 0, ages }
    }
}

impl Intake {
    /// Returns the integral over the age of an event of `ts`, from `from` to `to` within the window, and the length of that time.
    #[expect(clippy::cast_precision_loss, reason = "differences of a run are far below 2^53")]
    fn integral(&self, ts: i64, from: i64, to: i64) -> (f64, f64) {
        let (from, to) = (from.max(self.window.0), to.min(self.window.1));
        if from >= to {
            return (0.0, 0.0);
        }
        let (first, last) = ((from - ts) as f64, (to - ts) as f64);
        ((last * last - first * first) / 2.0, last - first)
    }
}

/// The received events of one client.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    offset: u64,
    /// The time stamp of its newest event.
    pub(crate) newest: i64,
    /// Hash over the offsets of all events of the window, in their order.
    pub(crate) digest: u64,
    /// The number of events of the window.
    pub(crate) due: u64,
    shown: Vec<Shown>,
}

/// The last known price of a symbol.
#[derive(Clone, Debug)]
struct Shown {
    symbol: Box<[u8]>,
    /// The `seq` of the newest event, which arrived itself or is included in a snapshot.
    seq: u64,
    ts: i64,
    /// The time at which it arrived.
    read_at: i64,
    /// The time at which the first price of the symbol arrived.
    since: i64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { offset: 0, newest: 0, digest: DIGEST_START, due: 0, shown: Vec::new() }
    }
}

/// Contents of a text other than events.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Whether it contains the answer to the subscription, or a snapshot.
    pub(crate) is_subscribed: bool,
    /// The cursor of the answer to a poll.
    pub(crate) cursor: Option<String>,
}

impl Ledger {
    /// Takes a text that was read at `now`, in microseconds since 1970.
    pub(crate) fn take_text(&mut self, text: &[u8], now: i64, intake: &mut Intake) -> Said {
        let mut said = Said::default();
        let scanned = scan(text, &mut |object| match object.kind {
            b"trade" => self.take_event(object, now, intake),
            b"snapshot" => {
                said.is_subscribed = true;
                self.take_snapshot(object, now, intake);
            }
            b"subscribed" => said.is_subscribed = true,
            b"lag" | b"error" | b"goodbye" => intake.faults += 1,
            b"" if !object.cursor.is_empty() => {
                said.cursor = Some(String::from_utf8_lossy(object.cursor).into_owned());
            }
            _ => {}
        });
        intake.faults += u64::from(scanned.is_err());
        said
    }

    /// Takes the first price and `seq` of a symbol; the next event has the next `seq`. A later snapshot with a higher `seq` reveals
    /// missing events.
    fn take_snapshot(&mut self, object: &Object<'_>, now: i64, intake: &mut Intake) {
        let (Some(ts), Some(seq)) = (object.ts, seq_of_snapshot(object)) else {
            intake.faults += 1;
            return;
        };
        match self.shown.iter_mut().find(|shown| *shown.symbol == *object.symbol) {
            Some(shown) => {
                intake.missing += seq.saturating_sub(shown.seq);
                shown.seq = shown.seq.max(seq);
            }
            None => self.shown.push(Shown { symbol: object.symbol.into(), seq, ts, read_at: now, since: now }),
        }
    }

    fn take_event(&mut self, object: &Object<'_>, now: i64, intake: &mut Intake) {
        intake.events += 1;
        let (Some(offset), Some(seq), Some(ts)) = (object.offset, object.seq, object.ts) else {
            intake.faults += 1;
            return;
        };
        let Some(shown) = self.shown.iter_mut().find(|shown| *shown.symbol == *object.symbol) else {
            intake.faults += 1;
            return;
        };
        if offset <= self.offset || seq <= shown.seq {
            intake.repeated += 1;
            return;
        }
        self.offset = offset;
        self.newest = ts;
        intake.missing += seq - shown.seq - 1;
        shown.count(ts, now, intake);
        (shown.seq, shown.ts, shown.read_at) = (seq, ts, now);
        if (intake.window.0..intake.window.1).contains(&ts) {
            intake.due += 1;
            self.due += 1;
            self.digest = (self.digest ^ offset).wrapping_mul(DIGEST_PRIME);
            intake.latency.saturating_record(u64::try_from(now - ts).unwrap_or(0));
            if intake.different.len() < DIFFERENT_MAX {
                intake.different.insert(offset);
            }
        }
    }

    /// Returns the number of events of these symbols (separated by commas) up to `tail` that have not arrived; `None` if a symbol
    /// has no snapshot.
    pub(crate) fn lacks(&self, symbols: &str, tail: &Tail) -> Option<u64> {
        let lacking = symbols.split(',').map(|symbol| {
            let shown = self.shown.iter().find(|shown| *shown.symbol == *symbol.as_bytes())?;
            Some(tail.seq(symbol)?.saturating_sub(shown.seq))
        });
        lacking.sum()
    }

    /// Ends the measurement: events up to `tail` that have not arrived are missing, and the last prices count until the end of
    /// the window.
    pub(crate) fn finish(&self, symbols: &str, tail: &Tail, intake: &mut Intake) {
        match self.lacks(symbols, tail) {
            Some(lacking) => intake.missing += lacking,
            None => intake.faults += 1,
        }
        self.shown.iter().for_each(|shown| shown.count(i64::MAX, i64::MAX, intake));
    }
}

impl Shown {
    /// Adds the age of this price until the next event, which has the time stamp `ts` and arrived at `now`.
    fn count(&self, ts: i64, now: i64, intake: &mut Intake) {
        let (shown, known_micros) = intake.integral(self.ts, self.read_at, now);
        // Over the same time: from the arrival of the first price.
        let (ideal, _) = intake.integral(self.ts, self.ts.max(self.since), ts);
        intake.ages.known_micros += known_micros;
        intake.ages.shown += shown;
        intake.ages.ideal += ideal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(offset: u64, seq: u64, ts: i64) -> String {
        format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"offset":{offset},"ts":{ts}}}"#)
    }

    fn snapshot(seq: u64) -> String {
        format!(r#"{{"type":"snapshot","symbol":"A","offset":0,"ts":0,"seq":{{"trades":{seq},"quotes":9}}}}"#)
    }

    /// Takes a snapshot that ends before the first of these events, which are (offset, seq, ts, read), then the events; the server's
    /// last event is `last`.
    fn received_to(last: u64, events: &[(u64, u64, i64, i64)], window: (i64, i64)) -> (Ledger, Intake) {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        intake.window = window;
        let (_, first, ..) = events[0];
        ledger.take_text(format!("[{}]", snapshot(first - 1)).as_bytes(), events[0].3, &mut intake);
        for (offset, seq, ts, now) in events {
            ledger.take_text(format!("[{}]", trade(*offset, *seq, *ts)).as_bytes(), *now, &mut intake);
        }
        ledger.finish("A", &Tail::from([("A", last)]), &mut intake);
        (ledger, intake)
    }

    fn received(events: &[(u64, u64, i64, i64)], window: (i64, i64)) -> (Ledger, Intake) {
        received_to(0, events, window)
    }

    #[test]
    fn holes_and_repeats_are_counted() {
        let (ledger, intake) = received(&[(5, 1, 10, 11), (5, 1, 10, 12), (9, 4, 20, 21), (8, 3, 19, 22)], (0, 15));
        assert_eq!((intake.repeated, intake.missing, intake.due, intake.events), (2, 2, 1, 4));
        assert_eq!((ledger.due, ledger.newest), (1, 20));
    }

    #[test]
    fn a_hole_between_the_snapshot_and_the_first_event_is_counted() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(format!("[{},{}]", snapshot(7), trade(12, 10, 50)).as_bytes(), 60, &mut intake);
        assert_eq!((intake.missing, intake.repeated), (2, 0), "8 and 9");
        ledger.take_text(format!("[{}]", trade(13, 7, 55)).as_bytes(), 60, &mut intake);
        assert_eq!((intake.missing, intake.repeated), (2, 1), "the snapshot includes it");
        ledger.take_text(format!("[{}]", snapshot(15)).as_bytes(), 70, &mut intake);
        assert_eq!(intake.missing, 7, "11 to 15");
    }

    #[test]
    fn a_missing_event_at_the_end_is_counted() {
        let events = [(5, 3, 10, 11), (9, 4, 20, 21)];
        assert_eq!(received_to(4, &events, (0, 30)).1.missing, 0);
        assert_eq!(received_to(6, &events, (0, 30)).1.missing, 2);
        let (ledger, _) = received(&events, (0, 30));
        assert_eq!(ledger.lacks("A", &Tail::from([("A", 9)])), Some(5));
        assert_eq!(ledger.lacks("A,B", &Tail::from([("A", 9), ("B", 0)])), None, "B has no snapshot");
        let mut intake = Intake::default();
        Ledger::default().finish("A", &Tail::from([("A", 9)]), &mut intake);
        assert_eq!((intake.faults, intake.missing), (1, 0), "a client without any event is not clean");
    }

    #[test]
    fn an_event_without_a_snapshot_is_a_fault() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(format!("[{}]", trade(12, 10, 50)).as_bytes(), 60, &mut intake);
        ledger.take_text(br#"[{"type":"snapshot","symbol":"A","offset":9,"ts":5}]"#, 60, &mut intake);
        assert_eq!((intake.faults, intake.due), (2, 0));
    }

    #[test]
    fn the_same_event_for_two_clients_is_one_distinct_event() {
        let (mut intake, events) = (Intake::default(), [trade(5, 1, 10), trade(6, 2, 11)]);
        intake.window = (0, 100);
        for _ in 0..2 {
            let mut ledger = Ledger::default();
            ledger.take_text(format!("[{},{}]", snapshot(0), events.join(",")).as_bytes(), 20, &mut intake);
        }
        assert_eq!((intake.due, intake.different.len()), (4, 2));
    }

    #[test]
    fn the_digest_depends_on_the_events_and_their_order() {
        let digest = |events: &[(u64, u64, i64, i64)]| received(events, (0, 100)).0.digest;
        let events = [(1, 1, 10, 11), (2, 2, 20, 21)];
        assert_eq!(digest(&events), digest(&[(1, 1, 10, 50), (2, 2, 20, 60)]), "late is the same");
        assert_ne!(digest(&events), digest(&events[..1]));
        assert_ne!(digest(&events), digest(&[(1, 1, 10, 11), (3, 2, 20, 21)]));
    }

    #[test]
    fn a_price_is_behind_by_the_delay_of_its_event() {
        // One price every 100 µs, each 30 µs late, for a long time.
        let late: Vec<_> =
            (0..1_000_u64).map(|n| (n + 1, n + 1, n.cast_signed() * 100, n.cast_signed() * 100 + 30)).collect();
        let ages = received(&late, (1_000, 91_000)).1.ages;
        assert!((ages.mean_micros() - 80.0).abs() < 0.1, "half the gap and the delay: {ages:?}");
        assert!((ages.behind_micros() - 30.0).abs() < 0.1, "the delay: {ages:?}");
        let prompt: Vec<_> = late.iter().map(|(offset, seq, ts, _)| (*offset, *seq, *ts, *ts)).collect();
        assert!(received(&prompt, (1_000, 91_000)).1.ages.behind_micros() < 0.1);
    }

    #[test]
    fn a_price_is_known_from_its_snapshot() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        intake.window = (0, 100);
        assert!(ledger.take_text(format!("[{}]", snapshot(7)).as_bytes(), 0, &mut intake).is_subscribed);
        ledger.take_text(trade(12, 8, 50).as_bytes(), 100, &mut intake);
        ledger.finish("A", &Tail::from([("A", 8)]), &mut intake);
        assert!((intake.ages.mean_micros() - 50.0).abs() < 1e-6, "{:?}", intake.ages);
        assert!((intake.ages.behind_micros() - 25.0).abs() < 1e-6, "50 late for half of the time: {:?}", intake.ages);
        assert_eq!((intake.missing, intake.due), (0, 1));
    }

    #[test]
    fn the_cursor_of_a_poll_and_faults_are_found() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(snapshot(0).as_bytes(), 1, &mut intake);
        let poll =
            format!(r#"{{"epoch":"e","offset":3,"cursor":"e:3","recovered":true,"messages":[{}]}}"#, trade(3, 1, 5));
        let said = ledger.take_text(poll.as_bytes(), 9, &mut intake);
        assert_eq!((said.cursor.as_deref(), said.is_subscribed, intake.events), (Some("e:3"), false, 1));
        ledger.take_text(br#"[{"type":"lag","skipped":7},{"type":"trade","symbol":"A"},"#, 9, &mut intake);
        assert_eq!(intake.faults, 3, "the lag, the event without numbers, the end that is missing");
    }
}
