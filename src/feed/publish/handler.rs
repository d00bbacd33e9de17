//! The feed publishes what publishers send: at once, all events of a request or none.

use std::time::Duration;

use actix::{Handler, MessageResult};

use crate::feed::publish::{Publish, PublishError, Published};
use crate::feed::{BATCH_EVENTS_MAX, Batch, Feed, Source};
use crate::protocol::Publication;

impl<S: Source> Handler<Publish> for Feed<S> {
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

impl<S: Source> Feed<S> {
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
        if !self.flush() || self.must_wait() {
            return Err(PublishError::Busy);
        }
        let (now, mut due, mut answer) = (self.source.now(), Vec::with_capacity(events.len()), Published::default());
        let Some(door) = &mut self.door else { return Err(PublishError::OtherSource) };
        for event in &*events {
            let Some((id, body)) = door.admit(event, now, &self.sequencer) else {
                answer.late_dropped += 1;
                continue;
            };
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
            self.record(batch);
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
