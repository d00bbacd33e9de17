//! Errors over HTTP: `application/problem+json` (RFC 9457) with a `code`.

use std::fmt;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;

use crate::feed::publish::BadEvents;
use crate::metrics::{Metrics, SharedMetrics};
use crate::protocol::{ErrorCode, Mistake};
use crate::transport::Worker;
use crate::transport::websocket::upgrade::opens_websocket;

/// The time, after the end of a temporary problem, at which the client may try again. Seconds.
const RETRY_AFTER_S: u64 = 1;
/// Challenges to a client without a key, and to one with a wrong key. A challenge of the scheme Basic would make browsers ask their
/// users, and then send the answer with every request, also of other pages.
const NO_KEY: &str = "Bearer";
const WRONG_KEY: &str = "Bearer error=\"invalid_token\"";

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    /// The member `code`: the name of an [`ErrorCode`], or one of this file.
    code: &'static str,
    detail: String,
    symbols: Vec<String>,
    /// The place of the bad event among those that a publisher has sent, from 0.
    index: Option<u32>,
    /// How long a temporary problem lasts at least.
    retry_after_ms: u64,
    /// Whether the connection is closed after the response.
    closes: bool,
    /// The value of `WWW-Authenticate` (RFC 6750 section 3).
    challenge: Option<&'static str>,
    /// The value of `Allow` (RFC 9110 section 10.2.1).
    allowed: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            symbols: Vec::new(),
            index: None,
            retry_after_ms: 0,
            closes: false,
            challenge: None,
            allowed: None,
        }
    }

    /// Returns 400: the request is malformed.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::mistake(Mistake::new(ErrorCode::BadRequest, detail))
    }

    /// Returns the response to a client's mistake: 404 for an unknown symbol, 403 for what a key does not permit, 400 for the others.
    pub fn mistake(Mistake { code, message, symbols, retry_after_ms }: Mistake) -> Self {
        let status = match code {
            ErrorCode::UnknownSymbol => StatusCode::NOT_FOUND,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::ForbiddenChannel | ErrorCode::ForbiddenMode => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { symbols, ..Self::new(status, code.name(), message) }.after_ms(retry_after_ms.unwrap_or(0))
    }

    /// Returns the response to events of a publisher that are not published: 413 for too many, 400 for bad ones.
    pub(super) fn bad_events(bad: BadEvents) -> Self {
        let index = bad.index.and_then(|index| u32::try_from(index).ok());
        let whole = bad.is_too_large().then(|| Self::too_large(&*bad.reason));
        whole.unwrap_or(Self { index, ..Self::new(StatusCode::BAD_REQUEST, bad.code.name(), bad.reason) })
    }

    /// Returns 413: the body is too long.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// Returns 422: the name of the request is that of another one.
    pub(super) fn other_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "other_request", detail)
    }

    /// Returns 426 (RFC 6455 section 4.4, RFC 9110 section 15.5.22): the address requires WebSocket version 13.
    pub fn upgrade_required(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
    }

    /// Returns 403: the page of the request may not connect.
    pub fn forbidden_origin(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden_origin", detail)
    }

    /// Returns 421: the server does not have the name by which it was addressed.
    pub fn unknown_host(setting: &str) -> Self {
        let detail = format!("the server does not answer to this name ({setting})");
        Self::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)
    }

    /// Returns 401: the client has shown no valid key. `is_wrong`: it has shown one that is not.
    pub fn unauthorized(detail: impl Into<String>, is_wrong: bool) -> Self {
        let challenge = if is_wrong { WRONG_KEY } else { NO_KEY };
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail) }
    }

    /// Returns 401: the key or the token has expired.
    pub fn token_expired() -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "token_expired", "the key or the token has expired");
        Self { challenge: Some(WRONG_KEY), ..problem }
    }

    /// Returns 401: the token is none of the issuer's, or may not be used (RFC 6750 section 3.1).
    pub fn token_invalid(detail: impl Into<String>) -> Self {
        Self { challenge: Some(WRONG_KEY), ..Self::new(StatusCode::UNAUTHORIZED, "token_invalid", detail) }
    }

    /// Returns 403: the key does not permit this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Returns 409: this cannot be done now.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// Returns 429: too many attempts.
    pub fn rate_limited(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited.name(), detail)
    }

    /// Returns 429: the address or the key has too many connections. The clients are not to come back all at once.
    pub fn connection_limit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "connection_limit", detail).after_ms(rand::random_range(0..5_000))
    }

    /// Returns 429: the key has too many connections.
    pub fn key_connection_limit() -> Self {
        Self::connection_limit("the key has as many connections as it may have (connections_max of the key)")
    }

    /// Returns 503: try again later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// Sets after how many milliseconds the client may try again.
    #[must_use]
    pub fn after_ms(self, retry_after_ms: u64) -> Self {
        Self { retry_after_ms, ..self }
    }

    /// Returns how long a temporary problem lasts at least, in milliseconds.
    pub(super) const fn lasts_ms(&self) -> u64 {
        self.retry_after_ms
    }

    /// Sets after which time the client may try again, and adds up to two seconds, so that clients do not come back all at once.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.after_ms(wait_ms.saturating_add(rand::random_range(0..2_000)))
    }

    /// Closes the connection after the response; kept open, it would use the place of another client.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// Returns 400: the client speaks HTTP on the port of HTTPS.
    pub(super) fn tls_required() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "tls_required",
            "this port speaks HTTPS: the address begins with https:// or wss://",
        )
    }

    /// Returns 408: the request did not arrive in time.
    pub(super) fn request_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the request took too long (server.request_timeout_ms)",
        )
    }

    /// Returns 431: the head of the request is too long.
    pub(super) fn head_too_long() -> Self {
        let detail = "the request's head is too long (server.request_head_bytes_max)";
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_long", detail)
    }

    /// Returns 431: the head of the request has too many headers.
    pub(super) fn too_many_headers() -> Self {
        let detail = "the head of the request has too many headers";
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_long", detail)
    }

    /// Returns 405: the address supports only these methods.
    pub(super) fn method_not_allowed(request: &HttpRequest, allowed: &'static str) -> Self {
        let detail = format!("{} is not served here", request.method());
        Self { allowed: Some(allowed), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail) }
    }

    /// Returns 404: there is no such address.
    pub fn not_found(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such address: {path}"))
    }

    /// Returns 404: the address is on the listener of the operators only.
    pub fn for_operators(path: &str) -> Self {
        let detail = format!(
            "{path} is not on the listeners of clients, because they need keys (auth.required): ask the listener of the operators, \
             admin.host and admin.port"
        );
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Returns 404: the client has no capture with the name that it gives, or that one has a socket.
    pub fn no_such_capture() -> Self {
        let detail = "'capture' must name a capture of this client that has no socket yet";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Returns 404: there is no such file to be played.
    pub fn no_such_file(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Returns 404: no session has this name.
    pub fn no_such_session(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such session: {name}"))
    }

    /// Returns 404: there is no stream at this address, and which ones there are below `base_path`.
    pub fn no_stream(base_path: &str, path: &str) -> Self {
        let detail = format!(
            "no WebSocket is served at {path}: connect to {base_path}/ws, or with a client of Alpaca to {base_path}/v2/iex, \
             {base_path}/v2/sip, {base_path}/v2/delayed_sip or {base_path}/v2/test, of Massive to {base_path}/stocks, of Finnhub to \
             {base_path}/?token=KEY"
        );
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    fn document(&self) -> String {
        let mut document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if !self.symbols.is_empty() {
            document["symbols"] = json!(self.symbols);
        }
        if let Some(index) = self.index {
            document["index"] = json!(index);
        }
        document.to_string()
    }

    /// Counts the error.
    pub(super) fn count_in(&self, metrics: &Metrics) {
        metrics.count_problem(self.code);
    }

    /// Returns the whole response, for bytes that never become a request. The connection ends with it.
    pub(super) fn to_http(&self) -> Vec<u8> {
        let document = self.document();
        let head = format!(
            "HTTP/1.1 {}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\ncontent-length: {}\r\n\r\n",
            self.status,
            document.len()
        );
        [head, document].concat().into_bytes()
    }

    /// Returns 404: no request of this client is known.
    pub fn no_such_client(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such client: {name}"))
    }
}

/// Responds to an address without a route.
pub(super) async fn not_found(request: HttpRequest) -> Problem {
    if opens_websocket(request.head()) {
        return Problem::no_stream(&Worker::of(&request).base_path, request.path());
    }
    Problem::not_found(request.path())
}

/// Responds to a method that an address for reading does not support.
pub(super) async fn method_not_allowed(request: HttpRequest) -> Problem {
    Problem::method_not_allowed(&request, "GET, HEAD")
}

impl actix_web::Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        // The response keeps the error, which is counted on its way out.
        HttpResponse::from_error(self)
    }
}

/// Counts the response if it is a problem.
pub(super) fn count<B>(answer: &ServiceResponse<B>, metrics: &SharedMetrics) {
    if let Some(problem) = answer.response().error().and_then(actix_web::Error::as_error::<Problem>) {
        problem.count_in(metrics);
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        match self.status {
            StatusCode::UPGRADE_REQUIRED => {
                response.insert_header((UPGRADE, "websocket")).insert_header((SEC_WEBSOCKET_VERSION, "13"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let seconds = self.retry_after_ms.div_ceil(1_000) + RETRY_AFTER_S;
                response.insert_header((RETRY_AFTER, seconds.to_string()));
            }
            _ => {}
        }
        if let Some(allowed) = self.allowed {
            response.insert_header((ALLOW, allowed));
        }
        if let Some(challenge) = self.challenge {
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        if self.closes {
            response.force_close();
        }
        response
            .insert_header((CONTENT_TYPE, "application/problem+json"))
            // The problem may be temporary.
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(self.document())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::HTTP_ERRORS;

    #[test]
    fn every_code_is_in_the_metrics_from_the_start() {
        let problems = [
            Problem::upgrade_required(""),
            Problem::forbidden_origin(""),
            Problem::unavailable(""),
            Problem::not_found(""),
            Problem::bad_request(""),
            Problem::request_timeout(),
            Problem::head_too_long(),
            Problem::tls_required(),
            Problem::unauthorized("", true),
            Problem::unknown_host("server.hosts"),
            Problem::token_expired(),
            Problem::token_invalid(""),
            Problem::forbidden(""),
            Problem::rate_limited(""),
            Problem::key_connection_limit(),
            Problem::conflict(""),
            Problem::too_large(""),
            Problem::other_request(""),
        ];
        for problem in problems {
            let is_code = |code: &ErrorCode| code.name() == problem.code;
            assert!(HTTP_ERRORS.contains(&problem.code) || ErrorCode::ALL.iter().any(is_code), "{problem}");
        }
    }
}
