//! `/api/v1/publish`: the events of publishers. Over HTTP one request is answered with the offsets of its events, and by a
//! WebSocket each message (`publisher.rs`).

mod desk;
mod dialect;
mod publisher;

use actix_web::http::header::HeaderName;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use crate::feed::publish::{BadEvents, Publish, PublishError, Published, RequestKey};
use crate::session::byte_work;
use crate::transport::query::Parameters;
use crate::transport::second_look::within;
use crate::transport::{Problem, Worker, gate, operator, rest, websocket};

pub use desk::PublishDesk;

use desk::{Answer, Unread};
use publisher::Publisher;

/// The header with the name of a request (draft-ietf-httpapi-idempotency-key-header).
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest name of a request, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// The header of an answer to a repeated request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Responds to `POST /api/v1/publish`: publishes the events in the body, all or none, and answers with their offsets.
///
/// # Errors
///
/// Returns 400 for a bad event, with its index, 403 or 404 for who may not publish, 408 for a body that comes too slowly, 409 if the feed
/// has another source, 413 for too many events, 422 for the name of another request, and 429 if the publisher must wait.
pub(super) async fn publish(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    check(&request)?;
    Parameters::of(&request)?.finish()?;
    let (worker, name) = (Worker::of(&request), name_of(&request)?);
    let metrics = worker.metrics();
    let desk = worker.publish.clone();
    let Ok(_reading) = desk.reads.try_acquire() else {
        metrics.count_publish_refused("busy");
        return Err(Problem::rate_limited(
            "too many requests of publishers are being read (feed.publish.requests_max)",
        ));
    };
    let body = body_of(payload, &desk).await.inspect_err(|_| metrics.count_publish_refused("too_large"))?;
    gate::charge(&request, byte_work(body.len()));
    let name = name.map(|name| RequestKey {
        name: (gate::identity(&request).name().to_owned(), name),
        digest: Sha256::digest(&body).into(),
    });
    let terms = desk.terms(gate::visible(&request), worker.clock.now());
    let read = desk.away(body.len(), move || terms.read(&body)).await;
    let read = read.and_then(|read| read.map_err(Unread::Bad));
    let events = match read {
        Ok(events) => events,
        // The events of a repeated request may be too old by now, or their symbols no longer those of the key.
        Err(unread) => {
            let published = desk.repeated(name).await.ok_or_else(|| refuse(unread, &metrics))?;
            return Ok(answer(&published));
        }
    };
    gate::charge(&request, events.len() as u64);
    let answered = desk.feed.send(Publish { events, request: name }).await;
    let published = answered.map_err(|_| Problem::unavailable("the feed has ended"))?.map_err(problem)?;
    Ok(answer(&published))
}

/// Opens a WebSocket for the messages of a publisher.
///
/// # Errors
///
/// Returns a problem document if the client may not publish, the request opens no WebSocket, or no session may begin.
pub(super) async fn open(request: HttpRequest) -> Result<HttpResponse, Problem> {
    check(&request)?;
    websocket::open::<Publisher>(request).await
}

/// Responds to another method.
pub(super) async fn method_not_allowed(request: HttpRequest) -> Problem {
    Problem::method_not_allowed(&request, "GET, POST")
}

/// Checks that the client may publish: one with a key that has `publish`, or without keys a program or page of this machine.
fn check(request: &HttpRequest) -> Result<(), Problem> {
    gate::check_publisher(request)?;
    if gate::has_key(request) {
        return Worker::of(request).check_own_origin(request);
    }
    operator::check(request, "publish").map(drop)
}

/// Returns the name that the publisher has given the request.
fn name_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut names = request.headers().get_all(KEY);
    let (Some(name), None) = (names.next(), names.next()) else {
        let is_absent = !request.headers().contains_key(KEY);
        return if is_absent { Ok(None) } else { Err(Problem::bad_request("Idempotency-Key may come once")) };
    };
    let is_name = (1..=KEY_BYTES_MAX).contains(&name.len()) && name.as_bytes().iter().all(u8::is_ascii_graphic);
    let rule = "Idempotency-Key must be 1 to 255 letters, digits and signs of ASCII";
    name.to_str().ok().filter(|_| is_name).map(|name| Some(name.into())).ok_or_else(|| Problem::bad_request(rule))
}

/// Receives the body, within its time and its length.
async fn body_of(payload: Payload, desk: &PublishDesk) -> Result<Bytes, Problem> {
    let bytes_max = desk.config.body_bytes_max;
    let body = within(desk.body_timeout, payload.to_bytes_limited(bytes_max)).await;
    match body.map_err(|_| Problem::request_timeout().closing())? {
        Ok(body) => body.map_err(|err| Problem::bad_request(format!("no events arrived: {err}"))),
        Err(_) => Err(Problem::too_large(format!(
            "the body has more than {bytes_max} bytes (feed.publish.body_bytes_max): send several requests"
        ))),
    }
}

/// Counts events that were not read, and returns the response.
fn refuse(unread: Unread, metrics: &crate::metrics::Metrics) -> Problem {
    match unread {
        Unread::Bad(bad) => {
            metrics.count_publish_refused(reason_of(&bad));
            Problem::bad_events(bad)
        }
        Unread::Ending => Problem::unavailable("the server is shutting down"),
    }
}

/// Returns the label of a refusal in the metrics.
fn reason_of(bad: &BadEvents) -> &'static str {
    if bad.is_too_large() { "too_large" } else { "bad_event" }
}

fn problem(err: PublishError) -> Problem {
    match err {
        PublishError::OtherSource => Problem::conflict(err.to_string()),
        PublishError::Busy => Problem::rate_limited(err.to_string()),
        PublishError::OtherRequest => Problem::other_request(err.to_string()),
    }
}

fn answer(published: &Published) -> HttpResponse {
    let mut response = rest::json(Answer::new(published).encode());
    if published.is_repeat {
        response.headers_mut().insert(REPLAYED, actix_web::http::header::HeaderValue::from_static("true"));
    }
    response
}
