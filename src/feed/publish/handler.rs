//! The feed publishes what publishers send: at once, all events of a request or none.

use std::time::Duration;

use actix::{Handler, MessageResult};

use crate::domain::EventBody;
use crate::feed::publish::{CloseDoor, Door, Publish, PublishError, Published};
use crate::feed::{BATCH_EVENTS_MAX, Batch, Entry, Feed, Log, Source};
use crate::protocol::Publication;

impl<S: Source, L: Log> Handler<Publish> for Feed<S, L> {
    type Result = MessageResult<Publish>;

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) -> Self::Result {
        let reading = self.clock.read();
        self.source.tick(reading);
        let answer = self.publish(publish, reading.elapsed);
        if let Err(err) = &answer {
            self.metrics.count_publish_refused(match err {
                PublishError::OtherSource => "other_source",
                PublishError::Busy => "busy",
                PublishError::OtherRequest => "other_request",
            });
        }
        MessageResult(answer)
    }
}

impl<S: Source, L: Log> Handler<CloseDoor> for Feed<S, L> {
    type Result = ();

    fn handle(&mut self, _: CloseDoor, _: &mut Self::Context) {
        self.door.iter_mut().for_each(Door::close);
    }
}

impl<S: Source, L: Log> Feed<S, L> {
    fn publish(&mut self, Publish { events, request }: Publish, elapsed: Duration) -> Result<Published, PublishError> {
        let Some(door) = &mut self.door else { return Err(PublishError::OtherSource) };
        if let Some(request) = &request
            && let Some(answer) = door.answers().to(request, elapsed)?
        {
            self.metrics.publishes_repeated.inc();
            return Ok(answer);
        }
        if events.is_empty() {
            return Ok(Published::default());
        }
        if door.is_closed() || !self.flush() || self.must_wait() {
            return Err(PublishError::Busy);
        }
        let (now, mut due, mut answer) = (self.source.now(), Vec::with_capacity(events.len()), Published::default());
        let Some(door) = &mut self.door else { return Err(PublishError::OtherSource) };
        for event in &*events {
            let Some((id, body)) = door.admit(event, now, &self.sequencer) else {
                answer.late_dropped += 1;
                continue;
            };
            if matches!(&body, EventBody::Trade(trade) if self.sequencer.minutes_since(trade.ts) > 0) {
                self.metrics.late_trades.inc();
            }
            self.sequencer.push(id, body, &mut due);
            answer.add(self.sequencer.offset());
        }
        if let Some(request) = request {
            let forgotten = door.answers().remember(request, answer.clone(), elapsed);
            self.metrics.publish_keys_forgotten.inc_by(forgotten);
        }
        self.metrics.events_received.inc_by(answer.events as u64);
        self.metrics.late_dropped.inc_by(answer.late_dropped as u64);
        self.metrics.events_published.inc_by(due.len() as u64);
        for batch in batches(due) {
            // What the history does not take yet is kept.
            self.append(Entry::Batch(batch));
        }
        Ok(answer)
    }
}

/// Returns these events in batches of at most [`BATCH_EVENTS_MAX`].
fn batches(mut events: Vec<Publication>) -> impl Iterator<Item = Batch> {
    std::iter::from_fn(move || {
        let rest = events.split_off(events.len().min(BATCH_EVENTS_MAX));
        let batch = std::mem::replace(&mut events, rest);
        (!batch.is_empty()).then(|| Batch(batch.into()))
    })
}

impl Published {
    /// Adds the offset of the next event.
    fn add(&mut self, offset: u64) {
        self.events += 1;
        match self.offsets.last_mut() {
            Some((_, last)) if *last + 1 == offset => *last = offset,
            _ => self.offsets.push((offset, offset)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use actix::{Actor, Context};

    use super::*;
    use crate::domain::{EventBody, Instrument, ManualClock, Price, Size, SymbolId, SymbolTable, Timestamp, Trade};
    use crate::feed::publish::{NewEvent, PublishSource, RequestKey};
    use crate::feed::{FeedConfig, FeedParts, LocalLog, Receivers, Restart, Sequencer};

    /// A history that forgets.
    struct Sink;

    impl Actor for Sink {
        type Context = Context<Self>;
    }

    impl Handler<Batch> for Sink {
        type Result = ();

        fn handle(&mut self, _: Batch, _: &mut Self::Context) {}
    }

    impl Handler<Restart> for Sink {
        type Result = ();

        fn handle(&mut self, _: Restart, _: &mut Self::Context) {}
    }

    #[test]
    fn when_the_door_is_closed_nothing_is_published_and_repeated_requests_are_answered() {
        actix::System::new().block_on(close());
    }

    async fn close() {
        let now = Timestamp::from_micros(1_000_000);
        let instrument = Instrument { symbol: "AA".parse().unwrap(), name: String::new(), sector: String::new() };
        let (history, head) = (Sink.start(), Arc::new(AtomicU64::new(0)));
        let receivers = Receivers::new(history.clone().recipient(), history.recipient(), Vec::new(), Arc::default());
        let feed = Feed::new(FeedParts {
            source: PublishSource::new(now),
            sequencer: Sequencer::empty(Arc::new(SymbolTable::new(vec![instrument])), now),
            clock: Arc::new(ManualClock::new(now)),
            interval: Duration::from_millis(1),
            market: Arc::default(),
            log: LocalLog::new(receivers, head.clone(), Arc::default()),
            door: Some(Door::new(&FeedConfig::default(), &[])),
            metrics: Arc::default(),
        });
        let feed = feed.start();
        let body = EventBody::Trade(Trade { ts: now, price: Price::from_cents(100), size: Size::new(1) });
        let event = NewEvent { id: SymbolId(0), body, is_stamped_here: false };
        let publish = |name: &str| Publish {
            events: Arc::new([event.clone()]),
            request: Some(RequestKey { name: ("publisher".into(), name.into()), digest: [0; 32] }),
        };
        assert_eq!(feed.send(publish("a")).await.unwrap().unwrap().offsets, [(1, 1)]);
        feed.send(CloseDoor).await.unwrap();
        assert_eq!(feed.send(publish("b")).await.unwrap(), Err(PublishError::Busy));
        assert!(feed.send(publish("a")).await.unwrap().unwrap().is_repeat);
        assert_eq!(head.load(Ordering::Acquire), 1);
    }
}
