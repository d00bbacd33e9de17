//! Clients of market-data vendors: their own client libraries connect to this server, which answers as the vendor would.
//!
//! The dialects are in `protocol`, the keys in `access`. Here are the streams and the addresses of each vendor.

mod admission;
pub(super) mod alpaca;
mod credentials;
mod entrance;
pub(super) mod finnhub;
pub(super) mod massive;
mod newest;
mod object;
mod page_token;
mod parameters;
mod reads;
mod refused;

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::ServiceConfig;

use crate::access::Vendor;
use crate::domain::{Symbol, SymbolId, SymbolTable, Timestamp};
use crate::transport::{Worker, random_name};

use refused::Refused;

/// Adds the addresses that are served over HTTP. They must be added before the server's own.
pub(super) fn addresses(config: &mut ServiceConfig) {
    alpaca::rest::addresses(config);
    massive::rest::addresses(config);
    finnhub::rest::addresses(config);
}

/// Returns the table of symbols.
fn table(worker: &Worker) -> Arc<SymbolTable> {
    worker.router.borrow().config().table.clone()
}

/// Returns the symbols with these names, as far as they are in the table: in the order of the alphabet, each once.
fn known(table: &SymbolTable, names: &[Symbol]) -> Vec<(SymbolId, Symbol)> {
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
