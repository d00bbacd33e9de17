//! Finnhub: quotes, candles and symbols over HTTP, and the stream of trades over WebSocket.

mod handler;
pub(in crate::transport) mod rest;

use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError};

use crate::access::{Credentials, Vendor};
use crate::transport::gate;
use crate::transport::problem::Problem;
use crate::transport::vendor::admission::refuse;
use crate::transport::vendor::entrance::refusal;
use crate::transport::websocket::upgrade::opens_websocket;
use crate::transport::{Worker, websocket};

use handler::FinnhubHandler;

/// Returns the resource of the stream at this path, for requests that open a WebSocket; the path may have a page for others.
pub(in crate::transport) fn stream_at(path: &str) -> Resource {
    web::resource(path)
        .guard(actix_web::guard::fn_guard(|context| opens_websocket(context.head())))
        .route(web::route().to(stream))
}

/// Opens the stream for a client with a valid token; the vendor responds to others before the upgrade. A client without a token has forgotten its
/// path: no client of this vendor comes without.
async fn stream(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let Some(token) = token(&request) else { return Err(Problem::no_stream(&worker.base_path, request.path())) };
    let (credentials, caller) = (Credentials::Token(&token), gate::caller(&request));
    // The session counts a right one.
    let wrong = worker.keys.look_up(Vendor::Finnhub, credentials, &caller).err();
    if let Some(denied) = wrong.and_then(|denied| worker.keys.count(credentials, &caller, Err(denied)).err()) {
        worker.metrics().count_refusal(refusal(denied.why));
        return Ok(refuse(worker, Vendor::Finnhub, &caller, &denied).error_response());
    }
    websocket::open::<FinnhubHandler>(request).await
}

/// Returns the first `token` of the query string.
fn token(request: &HttpRequest) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?;
    pairs.into_iter().find_map(|(name, value)| (name == "token").then_some(value))
}
