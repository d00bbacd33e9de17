//! Finnhub: quotes, candles and symbols over HTTP, and the stream of trades over WebSocket.

mod handler;
pub(in crate::transport) mod rest;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse, Resource};

use crate::access::{Credentials, KeyError, TokenError, Vendor};
use crate::protocol::Refusal;
use crate::transport::gate;
use crate::transport::problem::Problem;
use crate::transport::websocket::upgrade::opens_websocket;
use crate::transport::{Worker, websocket};

use handler::FinnhubHandler;

/// Returns the resource of the stream at this path, for requests that open a WebSocket; the path may have a page for others.
pub(in crate::transport) fn stream_at(path: &str) -> Resource {
    web::resource(path)
        .guard(actix_web::guard::fn_guard(|context| opens_websocket(context.head())))
        .route(web::route().to(stream))
}

/// Opens the stream for a client with a valid token; the vendor responds to others with 401. A client without a token has forgotten its
/// path: no client of this vendor comes without.
async fn stream(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let Some(token) = token(&request) else { return Err(Problem::no_stream(&worker.base_path, request.path())) };
    let (credentials, caller) = (Credentials::Token(&token), gate::caller(&request));
    // The session counts a right one.
    if worker.keys.look_up(Vendor::Finnhub, credentials, &caller).is_err()
        && let Err(err) = worker.keys.check(Vendor::Finnhub, credentials, &caller)
    {
        if let KeyError::RateLimited { wait_ms } = err {
            return Err(Problem::rate_limited(err.to_string()).after_ms(wait_ms));
        }
        if err == KeyError::Token(TokenError::Unavailable) {
            return Err(Problem::unavailable(err.to_string()));
        }
        worker.metrics().count_refusal(Refusal::AuthFailed);
        let mut response = HttpResponse::Unauthorized();
        response.content_type("application/json").insert_header((CACHE_CONTROL, "no-store"));
        return Ok(response.body(r#"{"error":"Invalid API key"}"#));
    }
    websocket::open::<FinnhubHandler>(request).await
}

/// Returns the first `token` of the query string.
fn token(request: &HttpRequest) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?;
    pairs.into_iter().find_map(|(name, value)| (name == "token").then_some(value))
}
