//! `/admin/sessions`: the sessions of the process, the slowest first, and their end.

use std::net::IpAddr;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;

use crate::hub::{EndOnRoll, Look, LookAtRoll, SessionStatus};
use crate::transport::admin::orders::answer;
use crate::transport::admin::{Admin, encode_row, note};
use crate::transport::pieces::Array;
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, pieces};

/// Sessions in an answer, unless the request says otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Most sessions before those of an answer: each hub orders so many.
const OFFSET_MAX: usize = 100_000;
/// Longest id of a key. Bytes.
const NAME_BYTES_MAX: usize = 256;

/// Responds to `GET /admin/sessions?limit=&offset=&name=`: the slowest sessions, of all clients or of those with the key of this id.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid.
pub(super) async fn list(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let admin = Admin::of(&request)?;
    let mut parameters = Parameters::of(&request)?;
    let limit = parameters.take_number("limit", 1..=admin.config.sessions_max)?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT.min(admin.config.sessions_max));
    let offset = parameters.take_number("offset", 0..=OFFSET_MAX)?.unwrap_or(0);
    let key = take_name(&mut parameters)?;
    parameters.finish()?;
    // All hubs at once: each answers when its thread has time.
    let wanted = LookAtRoll { sessions_max: offset + limit, key };
    let asked: Vec<_> = admin.hubs().iter().map(|hub| hub.send(wanted.clone())).collect();
    let mut looks: Vec<Look> = Vec::with_capacity(asked.len());
    for answered in asked {
        // A hub that has ended has no session.
        looks.extend(answered.await);
    }
    let matched = looks.iter().map(|look| look.matched).sum::<usize>();
    let sessions = Look::merge(looks, offset, limit).await;
    let worker = Worker::of(&request);
    let head = format!(
        r#"{{"ts":{},"offset":{offset},"matched":{matched},"total":{},"draining":{},"sessions":["#,
        worker.clock.now().micros(),
        worker.metrics().sessions.get(),
        worker.router.borrow().is_draining(),
    );
    let key_bytes = sessions.iter().map(|session| session.key.len()).sum();
    let rows = Array::new(head, sessions, |session, out| encode_row(&Row::of(session), out)).keeping(key_bytes);
    Ok(pieces::response(&request, pieces::begin(rows), None))
}

/// A session in the answer.
#[derive(Serialize)]
struct Row<'a> {
    session: String,
    name: Option<&'a str>,
    transport: &'a str,
    dialect: &'a str,
    address: Option<IpAddr>,
    age_s: u64,
    events: u64,
    rate: f64,
    bytes: u64,
    waiting_ms: u64,
    lag: u64,
    queue: usize,
    latency_ms: Option<f64>,
}

impl<'a> Row<'a> {
    fn of(session: &'a SessionStatus) -> Self {
        let SessionStatus { id, key, transport, dialect, address, age, rate, round_trip, figures } = session;
        Self {
            session: format!("{id:016x}"),
            name: Some(&**key).filter(|key| !key.is_empty()),
            transport,
            dialect,
            address: *address,
            age_s: age.as_secs(),
            events: figures.events,
            rate: (rate * 10.0).round() / 10.0,
            bytes: figures.bytes,
            waiting_ms: u64::try_from(figures.waiting.as_millis()).unwrap_or(u64::MAX),
            lag: figures.lag,
            queue: figures.queue,
            latency_ms: round_trip.map(|time| (time.as_secs_f64() * 1e5).round() / 100.0),
        }
    }
}

/// Responds to `DELETE /admin/sessions/{id}`: ends the session with this name.
///
/// # Errors
///
/// Returns 404 if there is no such session, or it ends already.
pub(super) async fn end(request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    let admin = Admin::of(&request)?;
    Parameters::of(&request)?.finish()?;
    let is_name = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(&id, 16).ok().filter(|_| is_name);
    let number = number.ok_or_else(|| Problem::bad_request("the name of a session has 16 hexadecimal digits"))?;
    let ended = end_sessions(admin, &EndOnRoll::Session(number)).await;
    if ended == 0 {
        return Err(Problem::no_such_session(&id));
    }
    note(&request, &format!("end session={number:016x}"));
    Ok(answer(&json!({ "ended": ended })))
}

/// Responds to `DELETE /admin/sessions?name=`: ends all sessions of the key with this id.
///
/// # Errors
///
/// Returns a problem document if the id is missing.
pub(super) async fn end_all(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let admin = Admin::of(&request)?;
    let mut parameters = Parameters::of(&request)?;
    let key = take_name(&mut parameters)?.ok_or_else(|| Problem::bad_request("'name' is missing: the id of a key"))?;
    parameters.finish()?;
    let ended = end_sessions(admin, &EndOnRoll::Key(key.clone())).await;
    note(&request, &format!("end sessions name={key:?} ended={ended}"));
    Ok(answer(&json!({ "ended": ended })))
}

fn take_name(parameters: &mut Parameters) -> Result<Option<String>, Problem> {
    let name = parameters.take("name")?;
    if name.as_ref().is_some_and(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        return Err(Problem::bad_request("'name' must be the id of a key, 1 to 256 bytes"));
    }
    Ok(name)
}

/// Returns how many were told to end.
async fn end_sessions(admin: &Admin, which: &EndOnRoll) -> usize {
    let asked: Vec<_> = admin.hubs().iter().map(|hub| hub.send(which.clone())).collect();
    let mut ended = 0;
    for answered in asked {
        ended += answered.await.unwrap_or(0);
    }
    ended
}
