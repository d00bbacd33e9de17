//! Admits requests over HTTP to a vendor's addresses: checks the key, counts the request, and adds the headers of the rate limit.

use std::net::IpAddr;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};

use crate::access::{Allowance, Caller, Denied, Identity, KeyError, TokenError, Vendor};
use crate::audit::{Entry, Event};
use crate::transport::vendor::credentials::Presented;
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::{Worker, gate};

/// Admits a request to the addresses of Alpaca.
pub(super) async fn alpaca(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    admit(Vendor::Alpaca, Presented::of(request.request()), request, next).await
}

/// Admits a request to the addresses of Massive: the key is a bearer token, or the parameter `apiKey`.
pub(super) async fn massive(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let presented = parameter(&request, "apiKey").or_else(|| Presented::of(request.request()));
    admit(Vendor::Massive, presented, request, next).await
}

/// Admits a request to the addresses of Finnhub: the key is the parameter `token`, or the header `X-Finnhub-Token`.
pub(super) async fn finnhub(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let header = request.headers().get(FINNHUB_TOKEN).map(|value| value.to_str().unwrap_or_default().to_owned());
    let presented = parameter(&request, "token").or_else(|| header.map(Presented::Token));
    admit(Vendor::Finnhub, presented, request, next).await
}

/// Finnhub's header with a key.
pub(super) const FINNHUB_TOKEN: &str = "x-finnhub-token";

fn parameter(request: &ServiceRequest, name: &str) -> Option<Presented> {
    Parameters::of(request.request()).get(name).map(|token| Presented::Token(token.to_owned()))
}

async fn admit(
    vendor: Vendor,
    presented: Option<Presented>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let worker = Worker::of(request.request());
    let metrics = worker.metrics();
    metrics.vendor_requests.inc();
    let caller = gate::caller(request.request());
    let paid = pay(vendor, request.request(), caller.address, &Identity::anybody());
    let key = paid.and_then(|()| check(worker, vendor, presented, &caller));
    let key_id = key.as_ref().ok().map(Identity::name);
    if let Some(refused) = worker.faults.refuse_key(request.request(), dialect(vendor), "rest", key_id) {
        metrics.vendor_requests_refused.inc();
        return Ok(request.into_response(refused));
    }
    let allowance = key.as_ref().ok().map(|key| worker.keys.spend(vendor, key, worker.clock.now()));
    let refused = match (key, &allowance) {
        (Err(refused), _) => Some(refused),
        (Ok(_), Some(Allowance { is_exceeded: true, wait_s, .. })) => Some(Refused::too_many(vendor, *wait_s)),
        (Ok(key), _) => {
            let paid = pay(vendor, request.request(), None, &key);
            request.extensions_mut().insert(key);
            paid.err()
        }
    };
    let mut response = match refused {
        Some(refused) => request.error_response(refused),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        metrics.vendor_requests_refused.inc();
    }
    if let Some(allowance) = allowance {
        let headers = [
            ("x-ratelimit-limit", i64::from(allowance.limit)),
            ("x-ratelimit-remaining", i64::from(allowance.remaining)),
            ("x-ratelimit-reset", allowance.reset_s),
        ];
        for (name, value) in headers {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
    Ok(response)
}

/// Charges the request to an address and a key.
///
/// # Errors
///
/// Returns an error if their earlier requests have cost too much.
fn pay(vendor: Vendor, request: &HttpRequest, address: Option<IpAddr>, identity: &Identity) -> Result<(), Refused> {
    gate::spend(request, address, identity).map_err(|owed| {
        let seconds = owed.wait.as_secs() + rand::random_range(1..=2);
        Refused::too_many(vendor, i64::try_from(seconds).unwrap_or(i64::MAX))
    })
}

/// Returns the name by which rules of faults choose the requests of a vendor's clients.
const fn dialect(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Alpaca => "alpaca",
        Vendor::Massive => "massive",
        Vendor::Finnhub => "finnhub",
    }
}

fn check(worker: &Worker, vendor: Vendor, presented: Option<Presented>, caller: &Caller) -> Result<Identity, Refused> {
    let found = match presented {
        Some(presented) => worker.keys.check(vendor, presented.credentials(), caller),
        None => Err(KeyError::Missing.into()),
    };
    found.map_err(|denied| refuse(worker, vendor, caller, &denied))
}

/// Returns the refusal for credentials that are not accepted, and writes that into the audit log.
pub(super) fn refuse(worker: &Worker, vendor: Vendor, caller: &Caller, denied: &Denied) -> Refused {
    worker.audit.record(
        Event::Refused,
        Entry { name: &denied.name, address: caller.address, reason: denied.why.name(), session: None },
    );
    let (status, message) = match (vendor, denied.why) {
        (_, KeyError::RateLimited { wait_ms }) => {
            return Refused::too_many(vendor, i64::try_from(wait_ms.div_ceil(1_000)).unwrap_or(i64::MAX));
        }
        (_, err @ KeyError::Token(TokenError::Unavailable)) => return Refused::unavailable(vendor, err.to_string()),
        (Vendor::Alpaca, KeyError::Missing) => (StatusCode::UNAUTHORIZED, "unauthorized."),
        (Vendor::Massive, KeyError::Missing) => (StatusCode::UNAUTHORIZED, "API Key was not provided"),
        (Vendor::Finnhub, KeyError::Missing) => (StatusCode::UNAUTHORIZED, "Please use an API key."),
        (Vendor::Alpaca, _) => (StatusCode::FORBIDDEN, "forbidden."),
        (Vendor::Massive, err) if err.is_forbidden() => {
            (StatusCode::FORBIDDEN, "You are not entitled to this data. Please upgrade your plan.")
        }
        (Vendor::Massive, _) => (StatusCode::UNAUTHORIZED, "Unknown API Key"),
        (Vendor::Finnhub, err) if err.is_forbidden() => {
            (StatusCode::FORBIDDEN, "You don't have access to this resource.")
        }
        (Vendor::Finnhub, _) => (StatusCode::UNAUTHORIZED, "Invalid API key"),
    };
    Refused::new(vendor, status, message)
}
