//! The costs of each client over each transport, as the server counts them: `/api/v1/traffic`.
//!
//! A request with `?client=NAME` is charged to the account of that client; other requests are not counted here.
//! docs/PROTOCOL.md defines the figures. `connection/socket.rs` counts the bytes at the socket, `meter.rs` assigns them to an
//! account, and each transport reports the payload and framing among them.

mod account;
mod clients;
mod cpu;
mod meter;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::rate::network_of;
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, forwarded, gate, rest};

use account::Figures;

pub(super) use account::{Account, Transport};
pub use clients::Traffic;
pub(super) use cpu::ThreadTime;
pub(super) use meter::Meter;

/// The longest name of a client, in characters.
const NAME_LEN_MAX: usize = 64;

/// Takes the parameter `client`. If it is present, the request and its response are charged to the account of that client,
/// which is returned for the handler to report payload and framing. If there is no place for another account, returns `None`.
///
/// # Errors
///
/// Returns a problem document if the name is malformed.
pub(super) fn charge(
    request: &HttpRequest,
    parameters: &mut Parameters,
    transport: Transport,
) -> Result<Option<Arc<Account>>, Problem> {
    let Some(name) = take_name(parameters)? else { return Ok(None) };
    let worker = Worker::of(request);
    let now = worker.clock.read().elapsed;
    let Some(account) =
        worker.traffic.account(&scoped(request, &name), forwarded::address(request).map(network_of), transport, now)
    else {
        return Ok(None);
    };
    if let Some(meter) = request.conn_data::<Rc<Meter>>() {
        meter.charge(&account);
    }
    // A response to HEAD has no body to account for (RFC 9110 section 9.3.2).
    Ok((request.method() != Method::HEAD).then_some(account))
}

/// Returns the name of the account: each key has accounts of its own.
fn scoped(request: &HttpRequest, name: &str) -> String {
    let identity = gate::identity(request);
    if identity.has_key() { format!("{}:{name}", identity.name()) } else { name.to_owned() }
}

/// Returns the meter of the connection of this request; a new one in tests without a connection.
pub(super) fn meter(request: &HttpRequest) -> Rc<Meter> {
    request.conn_data::<Rc<Meter>>().cloned().unwrap_or_default()
}

/// Makes all further bytes of the client belong to this request: it has opened a WebSocket.
pub(super) fn upgrade(request: &HttpRequest) {
    if let Some(meter) = request.conn_data::<Rc<Meter>>() {
        meter.upgrade();
    }
}

fn take_name(parameters: &mut Parameters) -> Result<Option<String>, Problem> {
    let Some(name) = parameters.take("client")? else { return Ok(None) };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(fits) {
        return Err(Problem::bad_request("'client' must be 1 to 64 letters, digits, '_' or '-'"));
    }
    Ok(Some(name))
}

#[derive(Serialize)]
struct Answer<'a> {
    client: &'a str,
    transports: Transports,
}

#[derive(Serialize)]
struct Transports {
    websocket: Figures,
    sse: Figures,
    long_poll: Figures,
    short_poll: Figures,
}

/// Responds to `GET /api/v1/traffic?client=`: the costs of this client so far. This request is charged to nobody.
///
/// # Errors
///
/// Returns a problem document if the name is missing or malformed, or the client unknown.
pub(super) async fn traffic(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut parameters = Parameters::of(&request)?;
    let client = take_name(&mut parameters)?.ok_or_else(|| Problem::bad_request("'client' is missing"))?;
    parameters.finish()?;
    let worker = Worker::of(&request);
    let figures = worker.traffic.figures(&scoped(&request, &client), worker.clock.read().elapsed);
    let [websocket, sse, long_poll, short_poll] = figures.ok_or_else(|| Problem::no_such_client(&client))?;
    let transports = Transports { websocket, sse, long_poll, short_poll };
    let body = serde_json::to_vec(&Answer { client: &client, transports }).expect("numbers become JSON");
    Ok(rest::json(body))
}
