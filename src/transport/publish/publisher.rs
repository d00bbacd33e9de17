//! `Publisher`: the messages of one publisher over a WebSocket. Each is answered before the next one is read, so that a server which is
//! behind stops the sending of its publishers.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::{Payer, VisibleTable};
use crate::domain::Clock;
use crate::feed::publish::{BadEvents, NewEvent, Publish, PublishError, Published, RequestKey};
use crate::hub::{Control, End, Ender, SharedOutbox};
use crate::metrics::SharedMetrics;
use crate::protocol::{CloseReason, ErrorCode};
use crate::session::{Session, SessionConfig, byte_work};
use crate::transport::publish::desk::{Answer, PublishDesk, Terms, Unread};
use crate::transport::publish::dialect::Publishing;
use crate::transport::publish::{KEY_BYTES_MAX, reason_of};
use crate::transport::{MessageHandler, Opening, Reading, gate};

/// Time between two attempts while the server is behind.
const BUSY_WAIT: Duration = Duration::from_millis(20);
/// Cost of a message beside that of its bytes and events, in units of one event read.
const MESSAGE_WORK: u64 = 16;
/// Longest `id` that is echoed, in bytes of JSON.
const ID_BYTES_MAX: usize = 130;

/// Serves one publisher.
pub(super) struct Publisher {
    session: Session,
    post: Rc<Post>,
    /// Dropped with the session: an answer that comes later is for nobody.
    alive: Rc<()>,
}

/// The means to publish a message, beside the session.
struct Post {
    desk: Rc<PublishDesk>,
    symbols: VisibleTable,
    /// The name of the key.
    name: String,
    payer: Option<Box<Payer>>,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
    outbox: SharedOutbox,
    reading: Rc<dyn Reading>,
    ender: Ender,
    /// Whether a message is not answered yet.
    is_busy: Cell<bool>,
}

impl MessageHandler for Publisher {
    type Dialect = Publishing;

    const BINARY: bool = false;

    fn message_bytes_max(config: &SessionConfig) -> usize {
        config.vendor_message_bytes_max
    }

    fn open(session: Session, opening: Opening<'_>, _: Instant) -> Self {
        let Opening { request, worker, ender, reading, .. } = opening;
        let post = Post {
            desk: worker.publish.clone(),
            symbols: gate::visible(request),
            name: gate::identity(request).name().to_owned(),
            payer: gate::payer(request),
            clock: worker.clock.clone(),
            metrics: worker.metrics(),
            outbox: session.outbox().clone(),
            reading,
            ender,
            is_busy: Cell::default(),
        };
        Self { session, post: Rc::new(post), alive: Rc::default() }
    }

    fn text(&mut self, text: &str, _: Instant) -> Result<(), CloseReason> {
        let (post, alive) = (self.post.clone(), Rc::downgrade(&self.alive));
        post.metrics.requests.inc();
        post.is_busy.set(true);
        post.reading.hold();
        let text = Bytes::copy_from_slice(text.as_bytes());
        actix_web::rt::spawn(async move { post.serve(text, &alive).await });
        Ok(())
    }

    fn binary(&mut self, _: &[u8], _: Instant) -> Result<(), CloseReason> {
        Err(CloseReason::UnsupportedData)
    }

    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason> {
        self.session.keep_alive(now)
    }

    fn pause(&mut self, _: Instant) -> Duration {
        Duration::ZERO
    }

    fn is_holding(&self) -> bool {
        self.post.is_busy.get()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // The client's answer to a close frame is read.
        self.post.reading.resume();
    }
}

impl Post {
    /// Publishes the events of a message, answers it, and lets the next one be read.
    async fn serve(&self, text: Bytes, alive: &Weak<()>) {
        let answer = self.answer(text, alive).await;
        if alive.upgrade().is_none() {
            return;
        }
        if let Some(answer) = answer {
            let answer = Control::Text(answer.to_string().into());
            if let Err(reason) = self.outbox.borrow_mut().push_control(answer, Instant::now()) {
                // If the mailbox is closed or full, the session is ending already.
                let _ = self.ender.try_send(End { reason, retry_after_ms: None });
            }
        }
        self.is_busy.set(false);
        self.reading.resume();
    }

    /// Returns the answer to a message; `None` if nobody waits for it any more.
    async fn answer(&self, text: Bytes, alive: &Weak<()>) -> Option<Value> {
        self.pay(MESSAGE_WORK + byte_work(text.len())).await;
        let terms = self.desk.terms(self.symbols.clone(), self.clock.now());
        let read = self.desk.away(text.len(), move || read(&text, &terms)).await;
        let Message { id, name, events } = match read {
            Ok(message) => message,
            Err(Unread::Ending | Unread::Bad(_)) => return None,
        };
        let request = name.map(|(name, digest)| RequestKey { name: (self.name.clone(), name), digest });
        let events = match events {
            Ok(events) => events,
            Err(bad) => {
                // The events of a repeated message may be too old by now.
                if let Some(published) = self.desk.repeated(request).await {
                    return Some(acknowledgement(id, &published));
                }
                self.metrics.count_publish_refused(reason_of(&bad));
                return Some(refusal(id, &bad));
            }
        };
        self.pay(events.len() as u64).await;
        let answered = self.publish(&Publish { events, request }, alive).await?;
        Some(match answered {
            Ok(published) => acknowledgement(id, &published),
            Err(err) => {
                let code = if err == PublishError::OtherRequest { "other_request" } else { "conflict" };
                with_id(id, json!({ "type": "error", "code": code, "message": err.to_string() }))
            }
        })
    }

    /// Charges work to the publisher, and waits while it owes too much.
    async fn pay(&self, work: u64) {
        let Some(payer) = &self.payer else { return };
        payer.charge(work, Instant::now());
        let wait = payer.wait(Instant::now());
        if !wait.is_zero() {
            self.metrics.requests_slowed.inc();
            tokio::time::sleep(wait).await;
        }
    }

    /// Publishes, as soon as the server is no longer behind; `None` if the session or the feed has ended.
    async fn publish(&self, publish: &Publish, alive: &Weak<()>) -> Option<Result<Published, PublishError>> {
        loop {
            match self.desk.feed.send(publish.clone()).await.ok()? {
                Err(PublishError::Busy) => tokio::time::sleep(BUSY_WAIT).await,
                answered => return Some(answered),
            }
            alive.upgrade()?;
        }
    }
}

/// A message of a publisher as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with id and events")]
struct Frame<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    /// The name of the request, as in `Idempotency-Key`.
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    events: &'a RawValue,
}

/// A message that was read.
struct Message {
    id: Option<Value>,
    /// The name of the request, and the digest of its events.
    name: Option<(String, [u8; 32])>,
    events: Result<Arc<[NewEvent]>, BadEvents>,
}

fn read(text: &[u8], terms: &Terms) -> Message {
    let refused = |id, code, reason: String| {
        let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Message { id, name: None, events: Err(BadEvents { code, index: None, reason }) }
    };
    let frame: Frame<'_> = match serde_json::from_slice(text) {
        Ok(frame) => frame,
        Err(err) if err.is_data() => return refused(None, ErrorCode::BadRequest, err.to_string()),
        Err(err) => return refused(None, ErrorCode::BadJson, format!("not JSON: {err}")),
    };
    let id = match frame.id.map(|id| serde_json::from_str(id.get()).ok().filter(is_id)) {
        Some(None) => {
            let rule = "'id' must be an integer of 64 bits or a string of at most 128 bytes";
            return refused(None, ErrorCode::BadRequest, rule.into());
        }
        id => id.flatten(),
    };
    let is_name =
        |name: &str| (1..=KEY_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if frame.key.as_deref().is_some_and(|name| !is_name(name)) {
        let rule = "'key' must be 1 to 255 letters, digits and signs of ASCII";
        return refused(id, ErrorCode::BadRequest, rule.into());
    }
    let events = frame.events.get();
    if !events.starts_with('[') {
        return refused(id, ErrorCode::BadRequest, "'events' must be an array".into());
    }
    let name = frame.key.map(|name| (name.into_owned(), Sha256::digest(events).into()));
    Message { id, name, events: terms.read(events.as_bytes()) }
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(text) => text.len() + 2 <= ID_BYTES_MAX,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

fn refusal(id: Option<Value>, BadEvents { code, index, reason }: &BadEvents) -> Value {
    let mut answer = json!({ "type": "error", "code": code.name(), "message": reason });
    if let Some(index) = index {
        answer["index"] = json!(index);
    }
    with_id(id, answer)
}

fn acknowledgement(id: Option<Value>, published: &Published) -> Value {
    let mut answer = serde_json::to_value(Answer::new(published)).expect("numbers are JSON");
    answer["type"] = "published".into();
    if published.is_repeat {
        answer["repeated"] = true.into();
    }
    with_id(id, answer)
}

fn with_id(id: Option<Value>, mut answer: Value) -> Value {
    if let Some(id) = id {
        answer["id"] = id;
    }
    answer
}
