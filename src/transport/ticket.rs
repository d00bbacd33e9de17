//! `POST /api/v1/ticket`: a ticket for an address, for clients that can send their key in no other way.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, gate, rest};

/// The cost of a ticket beside that of its request, in units of work. The server keeps something of it until it ends, so that one client
/// must not get very many.
const TICKET_WORK: u64 = 3_200;

/// Responds to `POST /api/v1/ticket` with `{"ticket":…,"expires_at":…}`: a ticket of the client's key, good once. A page of this server
/// whose visitor has no key gets one of `auth.page_key`, good until its end. A client that needs no key gets 204.
///
/// # Errors
///
/// Returns a problem document if there are too many tickets.
pub(super) async fn issue(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish()?;
    let keys = &Worker::of(&request).keys;
    let identity = gate::identity(&request);
    let ticket = if identity.has_key() {
        gate::charge(&request, TICKET_WORK);
        keys.ticket(&identity).ok_or_else(|| Problem::unavailable("too many tickets are unused (auth.tickets_max)"))?
    } else if !keys.are_required() {
        return Ok(HttpResponse::NoContent().finish());
    } else {
        let page_ticket = if gate::is_of_own_page(&request) { keys.page_ticket() } else { None };
        page_ticket.ok_or_else(|| Problem::unauthorized("a key is needed for a ticket", false))?
    };
    let body = json!({ "ticket": ticket.text, "expires_at": ticket.expires_at.micros() });
    Ok(rest::json(body.to_string().into_bytes()))
}

/// Responds to another method.
pub(super) async fn method_not_allowed(request: HttpRequest) -> Problem {
    Problem::method_not_allowed(&request, "POST")
}
