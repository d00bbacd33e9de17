//! A stream of server-sent events with faults on request. It meets the rules that exist when it begins.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::HttpRequest;
use bytes::{Bytes, BytesMut};

use crate::faults::Subject;
use crate::protocol::Dialect;
use crate::protocol::native::Native;
use crate::transport::Worker;
use crate::transport::connection::state::ConnectionState;
use crate::transport::faults::{Faulty, FaultySink, Step, WorkerFaults, client, reset};
use crate::transport::sse::writer::{LastId, SseWriter};
use crate::transport::sse::{Body, SCRATCH};
use crate::transport::traffic::{self, Meter};

/// The faults of one stream.
pub(super) struct StreamFaults {
    faulty: Box<Faulty>,
    rules: Rc<WorkerFaults>,
    connection: Option<Rc<ConnectionState>>,
    meter: Rc<Meter>,
}

impl StreamFaults {
    /// Returns the faults of a stream that begins with this request; `None` if no rule chooses it.
    pub(super) fn begin(worker: &Worker, request: &HttpRequest, name: &str, now: Instant) -> Option<Box<Self>> {
        if worker.faults.has_none() {
            return None;
        }
        worker.faults.refresh(now);
        let client = client(request);
        let session = u64::from_str_radix(name, 16).ok();
        let subject =
            Subject { dialect: Native::NAME, transport: "stream", session, client: client.as_deref(), key: None };
        let faulty = worker.faults.choose(&subject, now)?;
        let (connection, meter) = (ConnectionState::of(request), traffic::meter(request));
        Some(Box::new(Self { faulty, rules: worker.faults.clone(), connection, meter }))
    }
}

impl Body {
    /// Returns the next bytes of a stream with faults; `None` at its end.
    pub(super) fn poll_faulty(
        &mut self,
        faults: &mut StreamFaults,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Option<Bytes>> {
        faults.faulty.retain(&faults.rules.rules(), now);
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                match faults.faulty.step(now) {
                    Step::Continue => {}
                    Step::Reset | Step::End => {
                        reset(&faults.meter, faults.connection.as_deref());
                        return Poll::Pending;
                    }
                }
                if faults.faulty.give_due(scratch, self.bytes_max, now) {
                    return Poll::Ready(Some(scratch.split().freeze()));
                }
                let has_room = faults.faulty.has_room(now);
                let drained = if has_room { self.drain_faulty(faults, cx, now, scratch) } else { Poll::Pending };
                match drained {
                    Poll::Ready(true) => faults.faulty.take_write(scratch, now),
                    Poll::Ready(false) if !faults.faulty.is_holding() => return Poll::Ready(None),
                    Poll::Ready(false) | Poll::Pending => {
                        faults.faulty.arm(cx, now);
                        return Poll::Pending;
                    }
                }
                if !scratch.is_empty() {
                    return Poll::Ready(Some(scratch.split().freeze()));
                }
            }
        })
    }

    /// Drains the outbox into the buffer, which stays empty if a fault withholds everything. Returns false if the outbox is
    /// finished.
    fn drain_faulty(
        &mut self,
        faults: &mut StreamFaults,
        cx: &Context<'_>,
        now: Instant,
        scratch: &mut BytesMut,
    ) -> Poll<bool> {
        scratch.clear();
        let outbox = self.outbox.clone();
        let mut outbox = outbox.borrow_mut();
        let mut writer = SseWriter::new(scratch, faults.faulty.write_bytes_max(self.bytes_max, now));
        let mut sink = FaultySink::<Native, _>::new(&mut writer, &mut faults.faulty, now);
        let Poll::Ready(drained) = outbox.poll_drain(cx, now, &mut sink) else { return Poll::Pending };
        let Some(events) = drained else { return Poll::Ready(false) };
        if let Some(epoch) = writer.take_epoch() {
            self.epoch = epoch;
        }
        if writer.is_empty() {
            scratch.clear();
        } else {
            let id = if faults.faulty.is_quiet(now) { LastId::Unchanged } else { self.last_id(outbox.cursor()) };
            let payload = writer.finish(&id, self.retry_ms.take());
            self.count(events, payload, scratch.len());
        }
        Poll::Ready(true)
    }
}
