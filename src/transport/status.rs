//! For those who run the server: `/healthz`, `/readyz`, `/metrics`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::transport::{Problem, Worker};

/// Answers `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> HttpResponse {
    ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// Answers `GET /readyz`: 200 when the server takes clients, 503 when it is going down.
///
/// # Errors
///
/// Returns a problem document when no session may begin.
pub(super) async fn readyz(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Worker::of(&request).ready()?;
    Ok(ok().content_type("text/plain; charset=utf-8").body("ready\n"))
}

/// Answers `GET /metrics` in the `OpenMetrics` text format.
pub(super) async fn metrics(request: HttpRequest) -> HttpResponse {
    let text = Worker::of(&request).metrics().render();
    ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text)
}

/// Returns an answer that holds for now only.
fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}
