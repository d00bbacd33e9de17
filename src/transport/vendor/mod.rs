//! Clients of market-data vendors: their own client libraries connect to this server, which answers as the vendor would.
//!
//! The dialects are in `protocol`, the keys in `access`. Here are the streams and the addresses of each vendor.

mod admission;
pub(super) mod alpaca;
pub(super) mod credentials;
mod entrance;
pub(super) mod finnhub;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
pub(super) mod massive;
mod newest;
mod object;
mod page_token;
mod parameters;
mod reads;
mod refused;
mod whole_market;

use std::rc::Rc;

use actix_cors::Cors;
use actix_web::http::header::{AUTHORIZATION, HeaderName};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder};

use crate::access::{Vendor, VisibleTable};
use crate::domain::{Symbol, SymbolId, Timestamp};
use crate::transport::{Worker, gate, random_name, reading};

use refused::Refused;
use whole_market::WholeMarket;

/// How long a browser may cache the response to a preflight request, as Alpaca's has it. Seconds.
const PREFLIGHT_AGE_S_MAX: usize = 1_728_000;

/// Adds the addresses that are served over HTTP. They must be added before the server's own.
pub(super) fn addresses(config: &mut ServiceConfig) {
    config.app_data(Rc::<WholeMarket>::default());
    alpaca::rest::addresses(config);
    massive::rest::addresses(config);
    finnhub::rest::addresses(config);
}

/// Returns a resource that responds to GET and HEAD, and to other methods with 405 in the shape of the vendor.
fn serving<F, A>(vendor: Vendor, path: &str, handler: F) -> Resource
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let refuse = move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(Refused::method_not_allowed(vendor, request.method()))
    };
    reading(path, handler).default_service(web::to(refuse))
}

/// Returns the headers by which the pages of every origin may read responses, as at the vendors. Finnhub permits no header with a
/// key: a page puts it into the address.
fn cors(vendor: Vendor) -> Cors {
    let cors = Cors::default()
        .allow_any_origin()
        .send_wildcard()
        .allowed_methods(["GET", "HEAD"])
        .expose_headers(["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"])
        .max_age(PREFLIGHT_AGE_S_MAX);
    let named = HeaderName::from_static;
    match vendor {
        Vendor::Alpaca => cors.allowed_headers([named("apca-api-key-id"), named("apca-api-secret-key"), AUTHORIZATION]),
        Vendor::Massive => cors.allowed_headers([AUTHORIZATION]),
        Vendor::Finnhub => cors,
    }
}

/// Returns the symbols that the client of the request may see.
fn table(request: &HttpRequest) -> VisibleTable {
    gate::visible(request)
}

/// Returns the symbols with these names, as far as they are in the table: in the order of the alphabet, each once.
fn known(table: &VisibleTable, names: &[Symbol]) -> Vec<(SymbolId, Symbol)> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| Some((table.id(name)?, name))).collect()
}

/// Returns the present time of the market.
fn now(worker: &Worker) -> Timestamp {
    worker.router.borrow().config().market.at(worker.clock.read())
}

/// Returns a new name for a request, as vendors put it into their answers.
fn request_id() -> String {
    random_name()
}

/// Responds to an address that the vendor has not, or that is not served.
fn not_found(vendor: Vendor, request: &HttpRequest) -> Refused {
    Refused::not_found(vendor, format!("no such address: {}", request.path()))
}
