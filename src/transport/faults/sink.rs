//! `FaultySink`: changes, repeats, swaps and leaves out messages on their way from an outbox to the writer of a transport.

use std::marker::PhantomData;
use std::time::Instant;

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::faults::{Treatment, Way};
use crate::hub::{Control, Sink};
use crate::protocol::{Dialect, Publication, ServerMessage};
use crate::transport::faults::Faulty;

/// First byte of a broken binary message: no type of `MessagePack` has it.
const INVALID: u8 = 0xC1;

/// A sink with faults around that of a transport.
pub(in crate::transport) struct FaultySink<'a, D, S> {
    sink: &'a mut S,
    faulty: &'a mut Faulty,
    now: Instant,
    dialect: PhantomData<D>,
}

impl<'a, D: Dialect, S: Sink> FaultySink<'a, D, S> {
    /// Returns the sink with these faults, at the time `now`.
    pub(in crate::transport) fn new(sink: &'a mut S, faulty: &'a mut Faulty, now: Instant) -> Self {
        Self { sink, faulty, now, dialect: PhantomData }
    }

    /// Counts a message; returns whether it is to be sent.
    fn passes(&mut self) -> bool {
        let passes = !self.faulty.is_silent() && !self.faulty.chosen().is_mute(self.now);
        self.faulty.chosen().count_message();
        passes
    }

    /// Sends the first half of the event.
    fn send_broken(&mut self, publication: &Publication) {
        let Some(group) = D::event_group(&publication.event) else { return };
        let encoded = publication.encoded::<D>();
        let half = &encoded[..encoded.len() / 2];
        let mut payload = BytesMut::new();
        if D::IS_TEXT {
            D::begin_frame(group, &mut payload);
            payload.extend_from_slice(half);
            self.sink.control(Control::Text(payload.freeze()));
        } else {
            payload.put_u8(INVALID);
            payload.extend_from_slice(half);
            self.sink.control(Control::Binary(payload.freeze()));
        }
    }
}

impl<D: Dialect, S: Sink> Sink for FaultySink<'_, D, S> {
    fn control(&mut self, control: Control) {
        let is_data = matches!(control, Control::Message(_) | Control::Text(_) | Control::Binary(_));
        if if is_data { self.passes() } else { !self.faulty.is_silent() } {
            self.sink.control(control);
        }
    }

    fn message(&mut self, message: &ServerMessage) {
        if self.passes() {
            self.sink.message(message);
        }
    }

    fn has(&self, event: &Event) -> bool {
        self.sink.has(event)
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        let topic = publication.event.topic();
        let may_be_late = self.faulty.may_be_late(topic);
        let is_silent = self.faulty.is_silent() || self.faulty.chosen().is_mute(self.now);
        if is_silent {
            return self.faulty.chosen().count_message();
        }
        let Treatment { edited, way } = self.faulty.chosen().treat(&publication.event, may_be_late, self.now);
        self.faulty.chosen().count_message();
        let edited = edited.map(Publication::new);
        let publication = edited.as_ref().unwrap_or(publication);
        match way {
            Way::LeftOut => return,
            Way::Broken => return self.send_broken(publication),
            Way::Late => return self.faulty.keep_late(publication.detached(), skipped),
            Way::Twice => self.sink.event(publication, skipped),
            Way::Usual => {}
        }
        self.sink.event(publication, skipped);
        if let Some((late, skipped)) = self.faulty.take_late(topic) {
            self.sink.event(&late, skipped);
        }
    }

    fn is_full(&self) -> bool {
        self.sink.is_full() || self.faulty.must_break(self.now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{EventBody, Price, Quote, Size, SymbolId, Timestamp, Trade};
    use crate::faults::{Chosen, FaultLimits, Faults, Subject};
    use crate::metrics::SharedMetrics;
    use crate::protocol::CloseReason;
    use crate::protocol::native::Native;

    /// Records events and texts.
    #[derive(Default)]
    struct Record {
        events: Vec<Event>,
        texts: Vec<String>,
        messages: usize,
        controls: usize,
    }

    impl Sink for Record {
        fn control(&mut self, control: Control) {
            match control {
                Control::Text(text) => self.texts.push(String::from_utf8(text.to_vec()).unwrap()),
                _ => self.controls += 1,
            }
        }

        fn message(&mut self, _: &ServerMessage) {
            self.messages += 1;
        }

        fn event(&mut self, publication: &Publication, _: u32) {
            self.events.push(publication.event.clone());
        }

        fn is_full(&self) -> bool {
            false
        }
    }

    /// Returns the faults of a session chosen by these rules, and the counters.
    fn faulty(rules: &[String], now: Instant) -> (Faulty, SharedMetrics) {
        let metrics = SharedMetrics::default();
        let rules: Vec<_> = rules.iter().map(|rule| serde_json::from_str(rule).unwrap()).collect();
        let faults = Arc::new(Faults::new(&rules, FaultLimits::default(), metrics.clone(), now));
        let subject = Subject { dialect: "native", transport: "websocket", session: Some(1), client: None, key: None };
        let mut chosen = Chosen::new(&subject);
        chosen.add(&faults.rules(), &subject, now);
        (Faulty::new(chosen, faults, Duration::from_secs(1)), metrics)
    }

    /// Returns events of these symbols, trades and quotes, numbered as a stream numbers them.
    fn stream(symbols: &[(u8, bool)]) -> Vec<Event> {
        let mut seqs = std::collections::HashMap::new();
        let number = |(offset, &(id, is_trade)): (usize, &(u8, bool))| {
            let (ts, price, size) = (Timestamp::from_micros(5), Price::from_cents(100), Size::new(1));
            let quote = Quote { ts, bid: price, bid_size: size, ask: Price::from_cents(101), ask_size: size };
            let body = if is_trade { EventBody::Trade(Trade { ts, price, size }) } else { EventBody::Quote(quote) };
            let seq = seqs.entry((id, is_trade)).or_insert(0);
            *seq += 1;
            let symbol = format!("S{id}").parse().unwrap();
            Event { offset: offset as u64 + 1, seq: *seq, id: SymbolId(id.into()), symbol, body }
        };
        symbols.iter().enumerate().map(number).collect()
    }

    /// Sends events through a sink with these faults.
    fn sent(rules: &[String], events: &[Event], now: Instant) -> (Record, SharedMetrics) {
        let (mut faulty, metrics) = faulty(rules, now);
        let mut record = Record::default();
        for event in events {
            FaultySink::<Native, _>::new(&mut record, &mut faulty, now).event(&Publication::new(event.clone()), 0);
        }
        (record, metrics)
    }

    fn offsets(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.offset).collect()
    }

    proptest! {
        #[test]
        fn gap_and_duplicate_and_reorder_change_nothing_else(
            symbols in prop::collection::vec((0..4_u8, any::<bool>()), 0..200),
            seed: u32,
            chance in 0.01..1.0_f64,
        ) {
            let now = Instant::now();
            let events = stream(&symbols);
            let run = |kind: &str| {
                let rule = format!(r#"{{"kind":"{kind}","seed":{seed},"chance":{chance}}}"#);
                let (record, metrics) = sent(std::slice::from_ref(&rule), &events, now);
                assert_eq!(record.events, sent(&[rule], &events, now).0.events, "the seed decides");
                let kind = crate::metrics::FAULT_KINDS.into_iter().find(|each| *each == kind).unwrap();
                (record.events, usize::try_from(metrics.faults(kind)).unwrap())
            };
            let is_original = |event: &Event| events[usize::try_from(event.offset).unwrap() - 1] == *event;

            let (given, struck) = run("gap");
            prop_assert!(given.iter().all(is_original) && offsets(&given).is_sorted_by(|one, next| one < next));
            prop_assert_eq!(given.len() + struck, events.len());

            let (mut given, struck) = run("duplicate");
            prop_assert_eq!(given.len(), events.len() + struck);
            given.dedup();
            prop_assert_eq!(&given, &events);

            let (given, struck) = run("reorder");
            prop_assert!(given.iter().all(is_original));
            let mut sorted = offsets(&given);
            sorted.sort_unstable();
            prop_assert!(sorted.is_sorted_by(|one, next| one < next), "none twice");
            // An event that is late comes directly after its successor in the topic, or waits for it at the end.
            let mut swapped = 0;
            for topic in events.iter().map(Event::topic) {
                let seqs: Vec<_> = given.iter().filter(|event| event.topic() == topic).map(|event| event.seq).collect();
                for (place, seq) in seqs.iter().enumerate() {
                    let expected = place as u64 + 1;
                    prop_assert!(*seq >= expected - 1 && *seq <= expected + 1, "{seqs:?}");
                }
            }
            swapped += given.windows(2).filter(|pair| pair[0].topic() == pair[1].topic() && pair[0].seq > pair[1].seq).count();
            prop_assert!(swapped <= struck && events.len() - given.len() <= struck);
        }
    }

    #[test]
    fn a_mute_session_gets_pongs_and_close_frames_only_and_a_broken_event_is_cut() {
        let now = Instant::now();
        let (mut silent, _) = faulty(&[r#"{"kind":"mute"}"#.into()], now);
        let mut record = Record::default();
        let mut sink = FaultySink::<Native, _>::new(&mut record, &mut silent, now);
        sink.control(Control::Pong("".into()));
        sink.control(Control::Close(CloseReason::Shutdown));
        sink.control(Control::Message(ServerMessage::Heartbeat { ts: Timestamp::default(), offset: 1 }));
        sink.message(&ServerMessage::Lag { skipped: 1, since_offset: 1 });
        sink.event(&Publication::new(stream(&[(1, true)])[0].clone()), 0);
        assert_eq!((record.controls, record.messages, record.events.len()), (2, 0, 0));
        let (record, _) = sent(&[r#"{"kind":"garbage"}"#.into()], &stream(&[(1, true)]), now);
        assert!(record.texts[0].starts_with("[{\"type\":\"trade\"") && !record.texts[0].ends_with(']'));
        assert!(record.events.is_empty());
    }

    #[test]
    fn values_are_changed_by_every_rule_and_the_first_decides_the_way() {
        let now = Instant::now();
        let rules = [
            r#"{"kind":"bad_price","price":"spike"}"#,
            r#"{"kind":"time_skew","ms":1}"#,
            r#"{"kind":"duplicate"}"#,
            r#"{"kind":"gap"}"#,
        ];
        let (record, metrics) = sent(&rules.map(String::from), &stream(&[(1, true)]), now);
        let EventBody::Trade(trade) = &record.events[0].body else { panic!() };
        assert_eq!((trade.price, trade.ts.micros()), (Price::from_cents(1_000), 1_005));
        assert_eq!((record.events.len(), metrics.faults("gap")), (2, 0));
    }
}
