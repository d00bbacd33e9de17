//! Alpaca's market data: the stock stream over WebSocket, and its history over HTTP.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod handler;
mod history;
mod latest;
mod meta;
pub(in crate::transport) mod rest;
mod timeframe;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};

use crate::protocol::alpaca::{Codec, Json, MessagePack};
use crate::transport::problem::Problem;
use crate::transport::{reading, websocket};

use handler::AlpacaHandler;

/// Adds the addresses.
pub(in crate::transport) fn addresses(config: &mut ServiceConfig) {
    config.service(reading("/v2/{feed:iex|sip|delayed_sip|test}", stream)).service(reading("/v2/replay", replay));
}

/// Opens the stream of a file that is played for this client alone: `?file=`.
async fn replay(request: HttpRequest) -> Result<HttpResponse, Problem> {
    if wants_message_pack(&request) {
        websocket::open_replay::<AlpacaHandler<MessagePack, false>>(request, "file").await
    } else {
        websocket::open_replay::<AlpacaHandler<Json, false>>(request, "file").await
    }
}

/// Opens the stream of a feed, in the codec that the handshake names.
async fn stream(request: HttpRequest) -> Result<HttpResponse, Problem> {
    if wants_message_pack(&request) { open::<MessagePack>(request).await } else { open::<Json>(request).await }
}

async fn open<C: Codec + Unpin>(request: HttpRequest) -> Result<HttpResponse, Problem> {
    if request.match_info().query("feed") == "test" {
        websocket::open::<AlpacaHandler<C, true>>(request).await
    } else {
        websocket::open::<AlpacaHandler<C, false>>(request).await
    }
}

fn wants_message_pack(request: &HttpRequest) -> bool {
    let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = header.split(';').next().unwrap_or_default().trim();
    ["application/msgpack", "application/x-msgpack"].iter().any(|name| media_type.eq_ignore_ascii_case(name))
}
