//! Long and short polling: `/api/v1/poll`. A poll is a session that lives for one response.
//!
//! It subscribes after its cursor and responds with the events that are there, or else waits for the first ones. Beyond that it
//! costs one timer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::sleep;

use crate::hub::{Control, SharedOutbox, Sink};
use crate::protocol::native::Native;
use crate::protocol::{Cursor, Dialect, Mode, Publication, ServerMessage};
use crate::session::{Begun, Session};
use crate::transport::connection::state::{ConnectionState, half_closed};
use crate::transport::gate::{self, Place};
use crate::transport::pieces::{Array, Pieces};
use crate::transport::query::Parameters;
use crate::transport::second_look::within;
use crate::transport::traffic::{self, Account, Transport};
use crate::transport::{Problem, Worker, pieces, random_name};

/// The default and the longest wait of a poll.
const WAIT_MS_DEFAULT: u64 = 25_000;
const WAIT_MS_MAX: u64 = 60_000;
/// The most events of one response in mode `all`; the next poll continues at its cursor.
const EVENTS_MAX: usize = 1024;
/// About the memory that an event holds while it waits, with its share of a batch that the ring has evicted.
const EVENT_BYTES: usize = 256;
/// The length of the end of the document.
const TAIL_BYTES: usize = 2;

/// Answers `GET /api/v1/poll?symbols=&channels=&mode=&after=&wait_ms=`: see `docs/PROTOCOL.md`.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid or a symbol unknown.
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
    if let Some(refused) = worker.faults.refuse(&request, Native::NAME, "poll") {
        return Ok(refused);
    }
    worker.faults.break_poll(&request, Native::NAME).await;
    worker.admit(&request)?;
    let now = Instant::now();
    let (mut session, _) =
        worker.join::<Native>(&gate::identity(&request), &request, ("poll", &random_name()), None, None);
    poll_fn(|cx| session.poll_turn(cx, Instant::now())).await;
    let begun = session.answer(&wanted, Instant::now()).map_err(Problem::mistake)?;
    let place = Place::take(&request)?;
    worker.metrics().requests.inc();

    // In mode `latest` there is at most one event of each topic.
    let events_max = if wanted.mode == Mode::All { EVENTS_MAX } else { usize::MAX };
    let epoch = worker.router.borrow().epoch();
    let mut page = Page::new(session.outbox(), epoch, events_max);
    let mut cursor = page.read_missed(&session, begun).await;
    if wait_ms > 0 && page.elements.is_empty() && begun.recovered && cursor.is_some() {
        let waiting = Waiting::begin(worker);
        let first = within(Duration::from_millis(wait_ms), page.read_first(&session, begun));
        cursor = tokio::select! {
            // After the wait, or when the server shuts down, the response is empty and its cursor valid.
            first = first => first.unwrap_or_else(|_| session.cursor(begun)),
            // A client that has shut down its sending side may be gone. If it is not, it gets its response at once.
            () = half_closed(&request) => session.cursor(begun),
            reason = place.leash.pulled() => return Err(gate::ended(reason)),
        };
        drop(waiting);
    }
    if wait_ms > 0 && cursor.is_some() && page.events > 0 {
        let rest = Duration::from_millis(wait_ms).saturating_sub(now.elapsed());
        cursor = page.gather(&request, &session, begun, (cursor, rest)).await;
    }
    let offset = cursor.unwrap_or_else(|| {
        // The outbox has ended, so the events are incomplete.
        page.forget();
        begun.offset
    });
    worker.metrics().events_delivered.inc_by(page.events as u64);
    let head = head(&page.epoch, offset, begun.recovered);
    let answer = pieces::begin(page.into_pieces(head, account.clone()));
    pieces::json(&request, answer, account)
}

/// One message of an answer. A message is encoded when the socket takes it, an event at once, before the ring evicts it.
enum Element {
    Message(ServerMessage),
    Encoded(Box<[u8]>),
}

impl Element {
    /// Returns about how much memory it holds elsewhere.
    fn kept_bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.bytes() - size_of::<ServerMessage>(),
            Self::Encoded(bytes) => bytes.len(),
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Message(message) => Native::encode_message(message, bytes),
            Self::Encoded(encoded) => bytes.extend_from_slice(encoded),
        }
    }
}

/// The messages of one response.
struct Page {
    outbox: SharedOutbox,
    /// The name of the stream after the messages.
    epoch: Arc<str>,
    elements: Vec<Element>,
    events: usize,
    events_max: usize,
}

impl Page {
    fn new(outbox: &SharedOutbox, epoch: Arc<str>, events_max: usize) -> Self {
        Self { outbox: outbox.clone(), epoch, elements: Vec::new(), events: 0, events_max }
    }

    fn forget(&mut self) {
        self.elements = Vec::new();
        self.events = 0;
    }

    /// Returns the response with this head, which charges `account` while it is encoded.
    fn into_pieces(mut self, head: String, account: Option<Arc<Account>>) -> impl Pieces {
        if let Some(account) = &account {
            account.sent(self.events as u64, 0, head.len() + TAIL_BYTES);
        }
        let kept = self.elements.iter().map(Element::kept_bytes).sum();
        self.elements.shrink_to_fit();
        let mut framing = 0;
        let encode = move |element: &Element, bytes: &mut Vec<u8>| {
            let before = bytes.len();
            element.encode(bytes);
            if let Some(account) = &account {
                // A comma stands before each element but the first.
                account.sent(0, bytes.len() - before, framing);
                framing = 1;
            }
        };
        Array::new(head, self.elements, encode).keeping(kept)
    }

    /// Reads the events that are there. Returns the cursor after them, `None` if the outbox has ended.
    async fn read_missed(&mut self, session: &Session, begun: Begun) -> Option<u64> {
        poll_fn(|cx| match self.poll_drain(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            _ if self.is_full() || !self.outbox.borrow().is_behind() => Poll::Ready(session.cursor(begun)),
            // It has looked at many events that do not match, and continues after other tasks have run.
            Poll::Ready(Some(_)) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Waits for the first events. Returns the cursor after them, `None` if the outbox has ended.
    async fn read_first(&mut self, session: &Session, begun: Begun) -> Option<u64> {
        poll_fn(|cx| self.poll_drain(cx).map(|drained| drained.and_then(|_| session.cursor(begun)))).await
    }

    /// If a poll on this connection was answered less than a coalescing window ago, waits for the events of one more window,
    /// so that a fast stream does not cost a request for each event, but no longer than the poll may wait. Returns the cursor after
    /// them.
    async fn gather(
        &mut self,
        request: &HttpRequest,
        session: &Session,
        begun: Begun,
        (cursor, rest): (Option<u64>, Duration),
    ) -> Option<u64> {
        let worker = Worker::of(request);
        let window = worker.router.borrow().config().push.coalesce();
        let Some(connection) = ConnectionState::of(request) else { return cursor };
        let found = Instant::now();
        let is_repeated = connection.last_poll_answer().is_some_and(|answered| found < answered + window);
        let cursor = if is_repeated && !self.is_full() {
            let _waiting = Waiting::begin(worker);
            tokio::select! {
                () = sleep(window.min(rest)) => self.read_missed(session, begun).await,
                () = half_closed(request) => cursor,
            }
        } else {
            cursor
        };
        connection.record_poll_answer(Instant::now());
        cursor
    }

    fn poll_drain(&mut self, cx: &Context<'_>) -> Poll<Option<u64>> {
        let outbox = self.outbox.clone();
        let mut outbox = outbox.borrow_mut();
        outbox.poll_drain(cx, Instant::now(), self)
    }
}

impl Sink for Page {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, message: &ServerMessage) {
        if let ServerMessage::Epoch { epoch, .. } = message {
            self.epoch = epoch.clone();
        }
        self.elements.push(Element::Message(message.clone()));
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        let mut bytes = Vec::with_capacity(EVENT_BYTES);
        publication.write::<Native>(skipped, &mut bytes);
        self.elements.push(Element::Encoded(bytes.into()));
        self.events += 1;
    }

    fn is_full(&self) -> bool {
        self.events >= self.events_max
    }
}

/// Counts a poll as waiting until it is dropped, also by a disconnect.
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

fn head(epoch: &str, offset: u64, recovered: bool) -> String {
    let cursor = Cursor { epoch: epoch.into(), offset };
    format!(
        r#"{{"epoch":"{}","offset":{offset},"cursor":"{cursor}","recovered":{recovered},"messages":["#,
        cursor.epoch
    )
}
