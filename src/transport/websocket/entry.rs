//! The beginning of a session over WebSocket: the checks of its request, and its actor.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, AsyncContext};
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{HttpRequest, HttpResponse};

use crate::protocol::Dialect;
use crate::rate::RateLimiter;
use crate::transport::audited::Audited;
use crate::transport::connection::SilentBody;
use crate::transport::faults;
use crate::transport::gate::{self, Place};
use crate::transport::liveness::Liveness;
use crate::transport::problem::Problem;
use crate::transport::query::Parameters;
use crate::transport::replay::{self, Played};
use crate::transport::traffic::{self, Account, Transport};
use crate::transport::websocket::awaited::stranger;
use crate::transport::websocket::budget::FrameBudget;
use crate::transport::websocket::identity::Identity;
use crate::transport::websocket::reader::{Assembler, FrameReader};
use crate::transport::websocket::socket::SessionSocket;
use crate::transport::websocket::upgrade::{accept, check, lists};
use crate::transport::websocket::{MessageHandler, Opening, Recorder, WebSocketSession};
use crate::transport::{Worker, random_name};

/// Opens a WebSocket and gives its messages to an `H`.
///
/// # Errors
///
/// Returns a problem document if the request does not open a WebSocket, or no session may begin.
pub(in crate::transport) async fn open<H: MessageHandler>(request: HttpRequest) -> Result<HttpResponse, Problem> {
    // First: an account is only for who opens a WebSocket.
    check(&request)?;
    let account = traffic::charge(&request, &mut Parameters::of(&request)?, Transport::WebSocket)?;
    let worker = Worker::of(&request);
    if let Some(refused) = refuse::<H>(worker, &request) {
        return Ok(refused);
    }
    worker.admit(&request)?;
    let place = Place::take(&request)?;
    Ok(open_admitted::<H>(worker, &request, account, None, place))
}

/// Opens a WebSocket with a replay of the file in the parameter `name`, and gives its messages to an `H`.
///
/// # Errors
///
/// Returns a problem document if the request does not open a WebSocket, the file cannot be played, or no session may begin.
pub(in crate::transport) async fn open_replay<H: MessageHandler>(
    request: HttpRequest,
    name: &str,
) -> Result<HttpResponse, Problem> {
    check(&request)?;
    let mut parameters = Parameters::of(&request)?;
    let wanted = replay::take(&mut parameters, name)?;
    let account = traffic::charge(&request, &mut parameters, Transport::WebSocket)?;
    parameters.finish_with_ticket()?;
    let worker = Worker::of(&request);
    if let Some(refused) = refuse::<H>(worker, &request) {
        return Ok(refused);
    }
    worker.admit(&request)?;
    if H::SIGNS_IN && worker.keys.are_required() && !gate::has_key(&request) {
        let detail = "a replay needs the key with the request, and not in the first message";
        return Err(Problem::unauthorized(detail, false));
    }
    let played = replay::open(&request, wanted).await?;
    let place = Place::take(&request)?;
    Ok(open_on::<H>(worker, &request, account, None, place, Some(played)))
}

/// Returns the response with which a rule of faults refuses the request, if there is one.
fn refuse<H: MessageHandler>(worker: &Worker, request: &HttpRequest) -> Option<HttpResponse> {
    let key = if worker.faults.has_none() { None } else { H::presented_key(request, worker) };
    worker.faults.refuse_key(request, H::Dialect::NAME, "websocket", key.as_deref())
}

/// Opens a session for a checked and admitted request, with the limits of this worker; charges its bytes to `account` and copies them
/// to `recorder`.
pub(in crate::transport) fn open_admitted<H: MessageHandler>(
    worker: &Worker,
    request: &HttpRequest,
    account: Option<Arc<Account>>,
    recorder: Option<Box<dyn Recorder>>,
    place: Place,
) -> HttpResponse {
    open_on::<H>(worker, request, account, recorder, place, None)
}

/// Does the same with a replay, if there is one.
fn open_on<H: MessageHandler>(
    worker: &Worker,
    request: &HttpRequest,
    account: Option<Arc<Account>>,
    recorder: Option<Box<dyn Recorder>>,
    mut place: Place,
    played: Option<Played>,
) -> HttpResponse {
    let mut response = accept(request);
    if let Some(name) = H::Dialect::SUBPROTOCOL
        && lists(request.head(), SEC_WEBSOCKET_PROTOCOL, |offered| offered == name)
    {
        response.insert_header((SEC_WEBSOCKET_PROTOCOL, name));
    }
    traffic::upgrade(request);
    let now = Instant::now();
    let name = random_name();
    // The rest of a write that the socket does not accept is kept.
    let frame_bytes_max = worker.router.borrow().config().push.frame_bytes_max;
    let write_bytes_max = frame_bytes_max.min(worker.write_buffer_bytes);
    let mut opened = None;
    WebSocketSession::create(|ctx| {
        let ender = ctx.address().recipient();
        place.leash.bind(ender.clone());
        let way = ("websocket", &*name);
        let (mut session, facts) =
            worker.join::<H::Dialect>(&place.identity, request, way, Some(ender.clone()), played);
        let (lodging, mut seat) = (place.lodging.take(), None);
        if H::SIGNS_IN {
            let until = now + worker.keys.first_message().unwrap_or_default();
            session.hold(place.into_pass(request, facts.id), &name, until);
        } else {
            seat = place.seat;
        }
        let outbox = session.outbox().clone();
        let metrics = worker.metrics();
        let socket = SessionSocket::<H::Dialect>::new(
            outbox.clone(),
            metrics.clone(),
            write_bytes_max,
            account,
            recorder,
            Identity::new(worker.faults.clone(), &name, faults::client(request)),
        );
        opened = Some((socket.clone(), session.router().clone(), session.key()));
        let control_frames_per_second_max = worker.session.control_frames_per_second_max;
        let message_bytes_max = H::message_bytes_max(&worker.session);
        let pauses = worker.router.borrow().config().pauses.clone();
        let budget = FrameBudget(RateLimiter::per_second(control_frames_per_second_max, now).with_pauses(pauses));
        let frames = FrameReader::new(socket.clone(), message_bytes_max, budget);
        ctx.add_stream(frames);
        let opening = Opening { name: &name, request, worker, ender: ender.clone(), reading: socket.clone() };
        let handler = H::open(session, opening, now);
        let mut session = WebSocketSession {
            stranger: stranger(worker, request, &handler, ender),
            session: Some(handler),
            liveness: Liveness::new(request, outbox.clone(), worker.session.clone()).with_pings(now),
            config: worker.session.clone(),
            metrics,
            assembler: Assembler::default(),
            ignored: 0,
            was_spared: false,
            socket,
            audited: Audited::begin(worker, facts),
            seat,
            lodging,
        };
        // A client may have authenticated with its request.
        session.tell_key();
        session
    });
    log::debug!("session opened name={name}");
    let mut response = response.message_body(SilentBody).expect("the headers are valid");
    let (socket, router, key) = opened.expect("create has run its closure");
    response.extensions_mut().insert(socket.handover(router, key, worker.session.close_timeout()));
    response.map_into_boxed_body()
}
