//! Long poll and short poll: `/api/v1/poll`. A poll is a session that lives for one answer.
//!
//! It subscribes after its cursor, and answers with what its outbox gives at once; when that is nothing, with what comes
//! first. Beyond that it costs one timer.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use bytes::BytesMut;

use crate::hub::{Control, SharedOutbox, Sink};
use crate::protocol::native::Cursor;
use crate::protocol::{Mode, Publication};
use crate::session::{Begun, Session};
use crate::transport::activity::half_closed;
use crate::transport::array::MessageArray;
use crate::transport::query::Parameters;
use crate::transport::traffic::{self, Transport};
use crate::transport::watch::within;
use crate::transport::{Problem, Worker, pieces};

/// How long a poll waits when the client does not say, and at the most.
const WAIT_MS_DEFAULT: u64 = 25_000;
const WAIT_MS_MAX: u64 = 60_000;
/// The most events of one answer in mode `all`; its cursor tells where the next goes on.
const EVENTS_MAX: usize = 1024;

/// Answers `GET /api/v1/poll?symbols=&channels=&mode=&after=&wait_ms=`: see `docs/PROTOCOL.md`.
///
/// # Errors
///
/// Returns a problem document when a parameter is wrong or a symbol unknown.
pub(super) async fn poll(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let mut wait_ms = parameters.take_number("wait_ms", 0..=WAIT_MS_MAX)?.unwrap_or(WAIT_MS_DEFAULT);
    let transport = if wait_ms == 0 { Transport::ShortPoll } else { Transport::LongPoll };
    let account = traffic::charge(&request, &mut parameters, transport)?;
    let wanted = parameters.take_subscribe(false)?;
    parameters.finish()?;
    if request.method() == Method::HEAD {
        wait_ms = 0;
    }
    worker.admit(&request)?;
    let now = Instant::now();
    let mut session = worker.join(None, now);
    poll_fn(|cx| session.poll_turn(cx, Instant::now())).await;
    let begun = session.answer(&wanted, Instant::now()).map_err(Problem::mistake)?;
    worker.metrics().requests.inc();

    // In mode `latest` there is one event of each symbol and channel at the most.
    let events_max = if wanted.mode == Mode::All { EVENTS_MAX } else { usize::MAX };
    let mut buffer = BytesMut::new();
    let mut page = Page::new(&mut buffer, session.outbox(), events_max);
    let mut cursor = page.read_missed(&session, begun).await;
    if wait_ms > 0 && page.is_empty() && begun.recovered && cursor.is_some() {
        let waiting = Waiting::begin(worker);
        let first = within(Duration::from_millis(wait_ms), page.read_first(&session, begun));
        cursor = tokio::select! {
            // When time is up, or the server goes down, the answer is empty: the cursor stays good.
            first = first => first.unwrap_or_else(|_| session.cursor(begun)),
            // A client that sends nothing more may be gone. One that is not gets its answer at once.
            () = half_closed(&request) => session.cursor(begun),
        };
        drop(waiting);
    }
    let (mut events, mut payload) = (page.events, page.messages.payload());
    let offset = cursor.unwrap_or_else(|| {
        // What was read is incomplete.
        buffer.clear();
        (events, payload) = (0, 0);
        begun.offset
    });
    worker.metrics().events_delivered.inc_by(events as u64);
    let body = body(worker, offset, begun.recovered, &buffer);
    if let Some(account) = account {
        account.sent(events as u64, payload, body.len() - payload);
    }
    pieces::whole_json(&request, body)
}

/// The messages of one answer.
struct Page<'a> {
    outbox: SharedOutbox,
    messages: MessageArray<'a>,
    events: usize,
    events_max: usize,
}

impl<'a> Page<'a> {
    fn new(buffer: &'a mut BytesMut, outbox: &SharedOutbox, events_max: usize) -> Self {
        let messages = MessageArray::new(buffer, outbox.borrow().dialect());
        Self { outbox: outbox.clone(), messages, events: 0, events_max }
    }

    fn is_empty(&self) -> bool {
        self.messages.len() == 0
    }

    /// Reads what is there. Returns the cursor after it, `None` when the outbox has ended.
    async fn read_missed(&mut self, session: &Session, begun: Begun) -> Option<u64> {
        poll_fn(|cx| match self.poll_drain(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            _ if self.is_full() || !self.outbox.borrow().is_behind() => Poll::Ready(session.cursor(begun)),
            // It has looked at many events that are not wanted, and goes on when others have had their turn.
            Poll::Ready(Some(_)) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Waits for the first events. Returns the cursor after them, `None` when the outbox has ended.
    async fn read_first(&mut self, session: &Session, begun: Begun) -> Option<u64> {
        poll_fn(|cx| self.poll_drain(cx).map(|drained| drained.and_then(|_| session.cursor(begun)))).await
    }

    fn poll_drain(&mut self, cx: &Context<'_>) -> Poll<Option<u64>> {
        let outbox = self.outbox.clone();
        let mut outbox = outbox.borrow_mut();
        outbox.poll_drain(cx, Instant::now(), self)
    }
}

impl Sink for Page<'_> {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, bytes: &[u8]) {
        self.messages.message(bytes);
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        self.messages.event(publication, skipped);
        self.events += 1;
    }

    fn is_full(&self) -> bool {
        self.events >= self.events_max
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

fn body(worker: &Worker, offset: u64, recovered: bool, messages: &[u8]) -> Vec<u8> {
    let epoch = worker.router.borrow().epoch().to_string();
    let cursor = Cursor { epoch, offset };
    let head = format!(
        r#"{{"epoch":"{}","offset":{offset},"cursor":"{cursor}","recovered":{recovered},"messages":["#,
        cursor.epoch
    );
    [head.as_bytes(), messages, b"]}"].concat()
}
