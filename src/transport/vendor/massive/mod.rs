//! Massive (formerly Polygon): market data of stocks over HTTP, and the stock stream over WebSocket.

mod aggregates;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod handler;
mod last;
mod market;
pub(in crate::transport) mod rest;
mod snapshot;
mod ticks;
mod tickers;
mod universal;

use actix_web::web::ServiceConfig;

use crate::transport::websocket;

use handler::MassiveHandler;

/// The address of the stream.
const STREAM: &str = "/stocks";

/// Adds the address of the stream.
pub(in crate::transport) fn addresses(config: &mut ServiceConfig) {
    config.service(websocket::<MassiveHandler>(STREAM));
}
