//! The entrance of every request: which client it comes from, or why it is refused.
//!
//! [`guard`] runs before every handler, and lets a request through to an address only if its client may come there (`way.rs`).
//! Handlers ask [`identity`] who it is; without an answer of `guard` they get nobody, who may have nothing. The checks come in this
//! order: host (421), origin of the page that opens a WebSocket (403), new sessions of the address and the cost of its requests (429),
//! credentials (401, or 429 after many wrong ones of the address), rights (403), the cost of the key's requests (429); and in the handlers of sessions room for another one (503), connections of the address and of the key (429).

mod costs;
mod leash;
mod operators;
mod own_pages;
mod presented;
mod way;

use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue, ORIGIN, VARY};
use actix_web::{Error, HttpMessage, HttpRequest};

use crate::access::{
    AtExcess, Caller, Crowded, Denied, Identity, KeyError, Lodging, NoSeat, Pass, Seat, TokenError, VisibleTable,
};
use crate::audit::Event;
use crate::protocol::CloseReason;
use crate::transport::admin::Site;
use crate::transport::vendor::credentials::Presented;
use crate::transport::websocket::upgrade::opens_websocket;
use crate::transport::{Problem, Worker, forwarded, inspect};

pub(super) use costs::{charge, charge_read, payer, spend};
pub(super) use leash::Leash;
pub(super) use own_pages::is_of_own_page;
#[cfg(any(test, fuzzing))]
pub(super) use presented::of as presented;
pub(super) use presented::{TICKET, shown_offers, shown_target};
use way::Way;

/// Longest time over which clients whose sessions end at once should come back. Milliseconds.
pub(super) const RETURN_MS: std::ops::Range<u64> = 500..1_500;

/// Answers a request that may not come to its address, and passes on all others.
pub(super) fn guard<S>(
    request: ServiceRequest,
    app: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: 'static,
{
    let answer = match enter(request.request()) {
        Ok(()) => Ok(app.call(request)),
        Err(problem) => Err(refuse(request, problem)),
    };
    async move {
        match answer {
            Ok(answer) => answer.await,
            Err(refused) => Ok(refused),
        }
    }
}

/// Lets a request through, or says why not. Remembers who sent it.
///
/// # Errors
///
/// Returns the problem document.
fn enter(request: &HttpRequest) -> Result<(), Problem> {
    let worker = Worker::of(request);
    if Site::of(request) == Site::Operators {
        return operators::enter(worker, request);
    }
    if !way::is_probe_for_all(request.path()) && worker.hosts.check(request).is_err() {
        return Err(refuse_host(worker, request, "server.hosts"));
    }
    forwarded::check(request)?;
    let way = Way::of(worker, request);
    let opens = opens_websocket(request.head());
    if way == Way::Admin && worker.keys.are_required() {
        return Err(Problem::for_operators(request.path()));
    }
    // Over HTTP the addresses of vendors do the same, and answer in the form of the vendor.
    if way == Way::Open || (way == Way::Vendor && !opens) {
        return Ok(());
    }
    if opens {
        worker.check_origin(request).inspect_err(|problem| inspect::report_refusal(request, problem))?;
    }
    if opens || way::begins_stream(worker, request) {
        knock(worker, request)?;
    }
    // Before the credentials, whoever comes from there.
    costs::admit(request, forwarded::address(request), &Identity::anybody())?;
    if way == Way::Vendor || !worker.keys.is_guarded() {
        return Ok(());
    }
    let identity = identify(worker, request, way)?;
    // Where no key is needed, anybody without one may read the metrics, as without a key file.
    match way {
        Way::Admin | Way::Control => permit_operator(&identity)?,
        Way::Publish => permit_publisher(&identity)?,
        _ => {}
    }
    costs::admit(request, None, &identity)?;
    request.extensions_mut().insert(identity);
    Ok(())
}

/// Returns who sends a request, by its credentials. A refusal is in the audit log.
fn identify(worker: &Worker, request: &HttpRequest, way: Way) -> Result<Identity, Problem> {
    let presented = presented::of(request, way.takes_tickets());
    let presented = presented.inspect_err(|_| worker.record(request, Event::Refused, "", "malformed"))?;
    let credentials = presented.as_ref().map(|presented| presented.credentials());
    match credentials {
        // It says who it is by its first message, and may have nothing until then.
        None if way == Way::Socket && worker.keys.first_message().is_some() => Ok(Identity::nobody()),
        // It gets a ticket of the key of the pages.
        None if way == Way::Ticket && worker.keys.have_page_key() && is_of_own_page(request) => Ok(Identity::nobody()),
        credentials => {
            if presented.as_ref().is_some_and(Presented::is_page_ticket) {
                own_pages::check(worker, request)?;
            }
            let identity = worker.keys.identify(credentials, &caller(request));
            let identity = identity.map_err(|denied| refuse_key(worker, request, &denied))?;
            // One that was made for a page of this server, also if it is good once only.
            if matches!(presented, Some(Presented::Ticket(_))) && worker.keys.is_page_key(&identity) {
                own_pages::check(worker, request)?;
            }
            Ok(identity)
        }
    }
}

/// Returns the response to a client that is refused, and writes that into the audit log.
fn refuse_key(worker: &Worker, request: &HttpRequest, Denied { why, name }: &Denied) -> Problem {
    worker.record(request, Event::Refused, name, why.name());
    refusal(*why)
}

/// Returns the response to a request to another host, and writes that into the audit log.
fn refuse_host(worker: &Worker, request: &HttpRequest, setting: &str) -> Problem {
    worker.metrics().hosts_refused.inc();
    worker.record(request, Event::HostRefused, "", "unknown_host");
    Problem::unknown_host(setting)
}

/// Counts a session that the client of the request is about to begin.
///
/// # Errors
///
/// Returns 429 if its address begins too many.
fn knock(worker: &Worker, request: &HttpRequest) -> Result<(), Problem> {
    worker.keys.knock(forwarded::address(request), Instant::now()).map_err(|wait| {
        let detail = "the address begins too many sessions a second (limits.address_handshakes_per_second)";
        Problem::rate_limited(detail).after(wait).closing()
    })
}

fn permit_operator(identity: &Identity) -> Result<(), Problem> {
    let is_operator = identity.entitlement().admin;
    if is_operator { Ok(()) } else { Err(Problem::forbidden("this address is for keys with admin = true")) }
}

fn permit_publisher(identity: &Identity) -> Result<(), Problem> {
    let may = identity.entitlement().publish;
    if may { Ok(()) } else { Err(Problem::forbidden("this address is for keys with publish = true")) }
}

/// Checks once more, in the handler of an address for publishers, that the request comes from one, see [`check_operator`].
///
/// # Errors
///
/// Returns 403.
pub(super) fn check_publisher(request: &HttpRequest) -> Result<(), Problem> {
    permit_publisher(&identity(request))
}

/// Checks once more, in the handler of an address for operators, that the request comes from one: the address is judged by its name
/// before, and this does not depend on its spelling.
///
/// # Errors
///
/// Returns 403.
pub(super) fn check_operator(request: &HttpRequest) -> Result<(), Problem> {
    permit_operator(&identity(request))
}

/// Returns the response to a request that was not let through. Pages that may read responses may read this one, too.
fn refuse(request: ServiceRequest, problem: Problem) -> ServiceResponse {
    let allowed = Worker::of(request.request()).allowed_origins.readers(request.headers().get(ORIGIN));
    let mut response = request.error_response(problem);
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// Returns who sent the request: anybody if nobody is asked; nobody if [`guard`] has not said who it is, as at the addresses of
/// vendors.
pub(super) fn identity(request: &HttpRequest) -> Identity {
    let known = request.extensions().get::<Identity>().cloned();
    known
        .unwrap_or_else(|| if Worker::of(request).keys.is_guarded() { Identity::nobody() } else { Identity::anybody() })
}

/// Returns whether [`guard`] has let the request through because of a key.
pub(super) fn has_key(request: &HttpRequest) -> bool {
    request.extensions().get::<Identity>().is_some_and(Identity::has_key)
}

/// Returns the symbols that the client of the request may see.
pub(super) fn visible(request: &HttpRequest) -> VisibleTable {
    let table = Worker::of(request).router.borrow().config().table.clone();
    let rights = identity(request).rights(&table);
    VisibleTable::new(table, rights)
}

/// Returns where the request comes from.
pub(super) fn caller(request: &HttpRequest) -> Caller {
    let origin = request.headers().get(ORIGIN).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Caller { address: forwarded::address(request), origin }
}

/// A session that is about to begin.
pub(super) struct Place {
    /// The client.
    pub(super) identity: Identity,
    /// The place among the sessions of the client's key, if it has one.
    pub(super) seat: Option<Seat>,
    /// The place among the sessions of the client's address, if they are limited.
    pub(super) lodging: Option<Box<Lodging>>,
    /// Ends the session with its key.
    pub(super) leash: Arc<Leash>,
}

impl Place {
    /// Takes the place of a session for the client of the request: last of all, when nothing else refuses it, because another session
    /// of the key may have to end for it. `HEAD` begins no session and takes none.
    ///
    /// # Errors
    ///
    /// Returns a problem document if the client's address or key has too many connections, or if the key has ended meanwhile.
    pub(super) fn take(request: &HttpRequest) -> Result<Self, Problem> {
        let (identity, leash) = (identity(request), Arc::<Leash>::default());
        if request.method() == Method::HEAD {
            return Ok(Self { identity, seat: None, lodging: None, leash });
        }
        let lodging = Worker::of(request).keys.lodge(forwarded::address(request), Instant::now());
        let lodging = lodging.map_err(|Crowded| {
            let detail = "the address has as many sessions as it may have (limits.address_connections_max)";
            Problem::connection_limit(detail)
        })?;
        if !identity.has_key() {
            return Ok(Self { identity, seat: None, lodging, leash });
        }
        let pulled = leash.clone();
        let end = move |reason| pulled.end(reason);
        let seat = Worker::of(request).keys.take_seat(&identity, "", AtExcess::Refuse, end);
        let seat = seat.map_err(|no_seat| match no_seat {
            NoSeat::Full => {
                Worker::of(request).record(request, Event::Refused, identity.name(), "connection_limit");
                Problem::key_connection_limit()
            }
            NoSeat::Ended(reason) => ended(reason),
        })?;
        Ok(Self { identity, seat: Some(seat), lodging, leash })
    }

    /// Returns the pass of the session with this number for the client of the request, with which it may renew its key.
    pub(super) fn into_pass(self, request: &HttpRequest, session: u64) -> Pass {
        let (leash, worker) = (self.leash, Worker::of(request));
        let end = Arc::new(move |reason| leash.end(reason));
        let pass = Pass::new(worker.keys.clone(), caller(request), self.identity, self.seat, end);
        pass.recorded(worker.audit.clone(), session)
    }
}

/// Calls `end` when the key of the client ends, until the result is dropped; `None` for a client without a key. The request takes no place
/// among the connections of the key.
///
/// # Errors
///
/// Returns a problem document if the key has ended meanwhile.
pub(super) fn end_with_key(
    request: &HttpRequest,
    identity: &Identity,
    end: impl Fn() + Send + Sync + 'static,
) -> Result<Option<Seat>, Problem> {
    if !identity.has_key() {
        return Ok(None);
    }
    let seat = Worker::of(request).keys.take_uncounted_seat(identity, move |_| end());
    seat.map(Some).map_err(|no_seat| match no_seat {
        NoSeat::Full => Problem::key_connection_limit(),
        NoSeat::Ended(reason) => ended(reason),
    })
}

/// Returns the response to a request whose key has ended while it was waiting.
pub(super) fn ended(reason: CloseReason) -> Problem {
    match reason {
        CloseReason::TokenExpired => refusal(KeyError::Expired),
        CloseReason::Replaced => Problem::key_connection_limit(),
        _ => Problem::unauthorized("the key has changed or is no longer valid", true),
    }
}

/// Returns the response to a client that is refused. It does not say whether an id exists.
fn refusal(err: KeyError) -> Problem {
    match err {
        KeyError::RateLimited { wait_ms } => Problem::rate_limited(err.to_string()).after_ms(wait_ms),
        KeyError::Missing => Problem::unauthorized("a key is needed: send Authorization, docs/PROTOCOL.md", false),
        KeyError::Mistyped | KeyError::Ticket | KeyError::Spent => Problem::unauthorized(err.to_string(), true),
        KeyError::Unknown => Problem::unauthorized("no such key, or another secret", true),
        KeyError::Token(err @ TokenError::Unavailable) => Problem::unavailable(err.to_string()),
        KeyError::Token(err) => Problem::token_invalid(err.to_string()),
        KeyError::TooManyTickets => Problem::unavailable(err.to_string()),
        KeyError::Expired => Problem::token_expired(),
        KeyError::Address | KeyError::NotEntitled => Problem::forbidden(err.to_string()),
        KeyError::Origin => Problem::forbidden_origin(err.to_string()),
    }
}
