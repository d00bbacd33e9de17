//! The beginning of a stream: its session, its actor and the head of its response.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, AsyncContext};
use actix_web::http::{Method, Version};
use actix_web::{HttpRequest, HttpResponse};

use crate::hub::SharedOutbox;
use crate::protocol::Subscribe;
use crate::protocol::native::Native;
use crate::session::{Begun, Session};
use crate::transport::audited::Audited;
use crate::transport::gate::{self, Place};
use crate::transport::liveness::Liveness;
use crate::transport::replay::Played;
use crate::transport::sse::faulty::StreamFaults;
use crate::transport::sse::{Body, RETRY_MS, SseSession, head_of};
use crate::transport::traffic::Account;
use crate::transport::{Problem, Worker, random_name};

/// The form of the messages of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Server-sent events.
    Events,
    /// A message on each line.
    Lines,
}

impl Form {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }
}

/// A stream that may begin.
pub(super) struct Asked {
    pub(super) wanted: Subscribe,
    pub(super) account: Option<Arc<Account>>,
    pub(super) form: Form,
    /// The replay that is played for it, or that of the market.
    pub(super) played: Option<Played>,
}

/// Begins the stream of a client whom the worker has admitted.
pub(super) fn open(request: &HttpRequest, asked: Asked) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(request);
    let Asked { wanted, account, form, played } = asked;
    let now = Instant::now();
    let name = random_name();
    // The rules of faults know no lines.
    let faults = if form == Form::Lines { None } else { StreamFaults::begin(worker, request, &name, now) };
    let router = played.as_ref().map_or(&worker.router, |played| &played.router).clone();
    let mut opened: Option<Result<(Begun, SharedOutbox), Problem>> = None;
    // The client must also reconnect late enough if the connection breaks while the server shuts down.
    let drain_ms = u64::try_from(worker.drain.as_millis()).unwrap_or(u64::MAX);
    let retry_ms = Rc::new(Cell::new(Some(drain_ms.saturating_add(rand::random_range(RETRY_MS)))));
    let actor = SseSession::create(|ctx| {
        let ender = Some(ctx.address().recipient());
        let identity = gate::identity(request);
        let (mut session, facts) = worker.join::<Native>(&identity, request, ("stream", &name), ender, played);
        // An empty outbox takes the first answer.
        let _ = session.welcome(&name, now);
        let outbox = session.outbox().clone();
        let placed = begin(&mut session, &wanted, request, now);
        let session = placed.is_ok().then_some(session);
        let mut taken = (None, None);
        opened = Some(placed.map(|(begun, place)| {
            place.leash.bind(ctx.address().recipient());
            taken = (place.seat, place.lodging);
            (begun, outbox.clone())
        }));
        SseSession {
            liveness: Liveness::new(request, outbox.clone(), worker.session.clone()),
            outbox,
            form,
            retry_ms: retry_ms.clone(),
            metrics: worker.metrics(),
            audited: session.is_some().then(|| Audited::begin(worker, facts)),
            session,
            places: taken,
        }
    });
    let (begun, outbox) = opened.expect("create has run its closure")?;
    worker.metrics().requests.inc();
    log::debug!("stream opened name={name}");
    // HTTP/1.0 has no transfer coding (RFC 9112 section 6.1). The stream ends with the connection anyway.
    let is_chunked = request.version() >= Version::HTTP_11;
    let body = Body {
        outbox,
        actor,
        is_chunked,
        metrics: worker.metrics(),
        epoch: router.borrow().epoch(),
        form,
        begun: begun.offset,
        is_void: !begun.recovered,
        retry_ms,
        account,
        bytes_max: worker.router.borrow().config().push.frame_bytes_max,
        faults,
    };
    let mut response = head_of(form);
    if request.method() == Method::HEAD {
        // HEAD has no body; dropping it ends the session.
        return Ok(response.finish());
    }
    let mut response = response.streaming(body);
    response.head_mut().no_chunking(!is_chunked);
    Ok(response)
}

/// Subscribes, and takes a place for the stream.
fn begin(
    session: &mut Session,
    wanted: &Subscribe,
    request: &HttpRequest,
    now: Instant,
) -> Result<(Begun, Place), Problem> {
    let begun = session.stream(wanted, now).map_err(Problem::mistake)?;
    Ok((begun, Place::take(request)?))
}
