//! Long poll and short poll: `/api/v1/poll`. A poll is a session that lives for one answer.
//!
//! It reads what follows its cursor from the hub's newest events; when there is nothing, its empty outbox wakes it at the
//! first event that it wants. Beyond that it costs one timer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::SymbolId;
use crate::hub::{Control, SharedOutbox, Sink};
use crate::protocol::native::Cursor;
use crate::protocol::{Dialect, Publication};
use crate::session::Session;
use crate::transport::query::Parameters;
use crate::transport::traffic::{self, Account, Transport};
use crate::transport::{Problem, Worker, rest};

/// How long a poll waits when the client does not say, and at the most.
const WAIT_MS_DEFAULT: u64 = 25_000;
const WAIT_MS_MAX: u64 = 60_000;
/// The most events of one answer; its cursor tells where the next goes on.
const EVENTS_MAX: usize = 1024;

/// Answers `GET /api/v1/poll?symbols=&channels=&after=&wait_ms=`: see `docs/PROTOCOL.md`.
///
/// # Errors
///
/// Returns a problem document when a parameter is wrong or a symbol unknown.
pub(super) async fn poll(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let wait_ms = parameters.take_number("wait_ms", 0..=WAIT_MS_MAX)?.unwrap_or(WAIT_MS_DEFAULT);
    let transport = if wait_ms == 0 { Transport::ShortPoll } else { Transport::LongPoll };
    let account = traffic::charge(&request, &mut parameters, transport)?;
    let symbols = parameters.take_symbols()?.ok_or_else(|| Problem::bad_request("'symbols' is missing"))?;
    let channels = parameters.take_channels()?;
    let after = parameters.take("after")?;
    parameters.finish()?;
    let cursor =
        after.map(|text| Cursor::parse(&text).ok_or_else(|| Problem::bad_request("'after' must be epoch:offset")));
    let cursor = cursor.transpose()?;
    worker.admit()?;
    let now = Instant::now();
    let mut session = worker.join(None, now);
    let ids = session
        .subscribe_exactly(&symbols, channels)
        .map_err(|(code, detail, symbols)| Problem::client_error(code, detail, symbols))?;
    worker.metrics().requests.inc();

    let answer = Answer { worker, session: &session, ids: &ids, account };
    let Some(after) = cursor.and_then(|cursor| answer.known(&cursor)) else {
        return Ok(answer.afresh());
    };
    if let Some(response) = answer.events_after(after) {
        return Ok(response);
    }
    session.outbox().borrow_mut().pass_over(after);
    let waiting = Waiting::begin(worker);
    let woken = tokio::time::timeout(Duration::from_millis(wait_ms), wake(session.outbox()));
    // When time is up, or the server goes down, the answer is empty: the cursor stays good.
    let _ = woken.await;
    drop(waiting);
    Ok(answer.events_after(after).unwrap_or_else(|| answer.nothing_after(after)))
}

/// Waits until the outbox has something, or is finished.
async fn wake(outbox: &SharedOutbox) {
    poll_fn(|cx: &mut Context<'_>| {
        let drained = outbox.borrow_mut().poll_drain(cx, Instant::now(), &mut Forget);
        if drained.is_pending() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// A sink for an outbox that serves only to wake: the events are read by cursor.
struct Forget;

impl Sink for Forget {
    fn control(&mut self, _: Control) {}
    fn message(&mut self, _: &[u8]) {}
    fn event(&mut self, _: &Publication, _: u32) {}
    fn is_full(&self) -> bool {
        false
    }
}

/// Counts a poll as waiting until it is dropped, be it because its client is gone.
struct Waiting<'a>(&'a Worker);

impl<'a> Waiting<'a> {
    fn begin(worker: &'a Worker) -> Self {
        worker.metrics().polls_waiting.inc();
        Self(worker)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.metrics().polls_waiting.dec();
    }
}

/// What an answer contains.
#[derive(Clone, Copy, Default)]
struct Counted {
    events: usize,
    messages: usize,
}

struct Answer<'a> {
    worker: &'a Worker,
    session: &'a Session,
    ids: &'a [SymbolId],
    account: Option<Arc<Account>>,
}

impl Answer<'_> {
    /// Returns the cursor's offset when everything after it is still known.
    fn known(&self, cursor: &Cursor) -> Option<u64> {
        let router = self.worker.router.borrow();
        // A cursor may come from another worker that is a batch ahead of this one.
        let ours = *cursor.epoch == **router.epoch() && cursor.offset <= router.head();
        (ours && (cursor.offset >= router.offset() || router.events_after(cursor.offset).is_some()))
            .then_some(cursor.offset)
    }

    /// Answers with the events after `after` that the session wants; `None` when there are none.
    fn events_after(&self, after: u64) -> Option<HttpResponse> {
        let router = self.worker.router.borrow();
        let newest = router.offset();
        let (mut messages, mut count, mut reached) = (Vec::new(), 0, newest);
        let wanted = |publication: &&Publication| self.session.wants(&publication.event);
        for publication in router.events_after(after)?.filter(wanted) {
            if count == EVENTS_MAX {
                break;
            }
            if count > 0 {
                messages.push(b',');
            }
            messages.extend_from_slice(publication.encoded(Dialect::Native));
            count += 1;
            reached = if count == EVENTS_MAX { publication.event.offset } else { newest };
        }
        self.worker.metrics().events_delivered.inc_by(count as u64);
        (count > 0).then(|| self.respond(reached, true, &messages, Counted { events: count, messages: count }))
    }

    /// Answers that there is nothing new.
    fn nothing_after(&self, after: u64) -> HttpResponse {
        let offset = self.worker.router.borrow().offset().max(after);
        self.respond(offset, true, b"", Counted::default())
    }

    /// Answers with snapshots, to a client that has no cursor or one that is too old.
    fn afresh(&self) -> HttpResponse {
        let mut messages = Vec::new();
        let mut router = self.worker.router.borrow_mut();
        let offset = router.offset();
        rest::append_snapshots(&mut router, self.ids, &mut messages);
        drop(router);
        self.respond(offset, false, &messages, Counted { events: 0, messages: self.ids.len() })
    }

    fn respond(&self, offset: u64, recovered: bool, messages: &[u8], counted: Counted) -> HttpResponse {
        let epoch = self.worker.router.borrow().epoch().clone();
        let head = format!(
            r#"{{"epoch":"{epoch}","offset":{offset},"cursor":"{epoch}:{offset}","recovered":{recovered},"messages":["#
        );
        let mut body = head.into_bytes();
        body.extend_from_slice(messages);
        body.extend_from_slice(b"]}");
        if let Some(account) = &self.account {
            let commas = counted.messages.saturating_sub(1);
            let payload = messages.len() - commas;
            account.sent(counted.events as u64, payload, body.len() - payload);
        }
        rest::json(body)
    }
}
