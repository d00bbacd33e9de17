//! `Way`: who may come to an address. Addresses that are not named here need a key.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};

use crate::transport::Worker;
use crate::transport::vendor::finnhub;
use crate::transport::websocket::upgrade::opens_websocket;

/// The clients that may come to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Everybody: the probes, and the pages, which have no data of the market.
    Open,
    /// Clients with a key, by the headers and subprotocols of this server.
    Native,
    /// The same, for a WebSocket of the native protocol, whose client may also show a ticket in the address, or say by message who it is.
    Socket,
    /// The same, for server-sent events, whose client may also show a ticket in the address.
    Stream,
    /// Clients with a key, and pages of this server.
    Ticket,
    /// Clients with a key that has `admin`.
    Admin,
    /// The same, also where keys are required: an address on the listeners of clients.
    Control,
    /// Clients with a key that has `publish`.
    Publish,
    /// Clients of a vendor. The address asks for the key in the vendor's own way.
    Vendor,
}

/// The addresses of vendors begin so.
const VENDORS: [&str; 11] = [
    "/v2/stocks/",
    "/v2/iex",
    "/v2/sip",
    "/v2/delayed_sip",
    "/v2/test",
    "/v2/replay",
    "/v2/aggs/",
    "/v2/last/",
    "/v2/snapshot/",
    "/v3/",
    "/finnhub/",
];
/// The address of Massive's stream.
const MASSIVE_STREAM: &str = "/stocks";
/// The pages.
const PAGES: [&str; 6] = ["/", "/compare", "/compare/", "/handshake", "/handshake/", "/embed"];

impl Way {
    /// Returns the way to the address of the request.
    pub(super) fn of(worker: &Worker, request: &HttpRequest) -> Self {
        // The router's own spelling: it decodes `%6d`, and a path that is judged must be the one that is served.
        let path = request.match_info().as_str();
        if is_probe(path) {
            return Self::of_probe(path);
        }
        let Some(path) = path.strip_prefix(&*worker.base_path) else { return Self::Native };
        let is_upgrade = opens_websocket(request.head());
        // No browser asks for an upgrade in a preflight, which costs nothing.
        if is_preflight(request) && !is_upgrade {
            return Self::Open;
        }
        match path {
            "" | "/" if is_upgrade => Self::Vendor,
            // The address without its slash is a redirect.
            "" if !worker.base_path.is_empty() => Self::Open,
            path if is_probe(path) => Self::of_probe(path),
            "/faults" => Self::Admin,
            path if path.starts_with("/faults/") => Self::Admin,
            MASSIVE_STREAM => Self::Vendor,
            path if VENDORS.iter().any(|vendor| path.starts_with(vendor)) => Self::Vendor,
            path if path.starts_with("/api/v1/") && finnhub::rest::has_token(request.head()) => Self::Vendor,
            "/ws" | "/ws/" | "//ws" if is_upgrade => Self::Socket,
            "/handshake/ws" if is_upgrade => Self::Stream,
            "/api/v1/stream" | "/api/v1/replay" | "/handshake/capture" => Self::Stream,
            "/api/v1/ticket" => Self::Ticket,
            path if path.starts_with("/api/v1/feed/") => Self::Control,
            "/api/v1/publish" => Self::Publish,
            path if PAGES.contains(&path) || path.starts_with("/static/") => Self::Open,
            _ => Self::Native,
        }
    }

    /// Returns whether a ticket in the address counts.
    pub(super) const fn takes_tickets(self) -> bool {
        matches!(self, Self::Socket | Self::Stream)
    }

    fn of_probe(path: &str) -> Self {
        if path == "/metrics" { Self::Admin } else { Self::Open }
    }
}

/// Returns whether the address is that of server-sent events.
pub(super) fn begins_stream(worker: &Worker, request: &HttpRequest) -> bool {
    let path = request.match_info().as_str().strip_prefix(&*worker.base_path);
    matches!(path, Some("/api/v1/stream" | "/api/v1/replay"))
}

/// Returns whether monitoring may ask there under any name.
pub(super) fn is_probe_for_all(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Returns whether a browser asks whether a page may send a request. It sends no credentials, and gets no data.
fn is_preflight(request: &HttpRequest) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
}
