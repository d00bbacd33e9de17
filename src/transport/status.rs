//! For those who run the server: `/healthz`, `/readyz`, `/metrics`.

use actix_web::{HttpRequest, HttpResponse};

use crate::transport::{Problem, Worker};

/// Answers `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// Answers `GET /readyz`: 200 when the server takes clients, 503 when it is going down.
///
/// # Errors
///
/// Returns a problem document when no session may begin.
pub(super) async fn readyz(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Worker::of(&request).ready()?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"))
}

/// Answers `GET /metrics` in the `OpenMetrics` text format.
pub(super) async fn metrics(request: HttpRequest) -> HttpResponse {
    let text = Worker::of(&request).metrics().render();
    HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text)
}
