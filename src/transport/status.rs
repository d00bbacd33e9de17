//! Endpoints for operators: `/healthz`, `/readyz`, `/metrics`.

use std::fmt::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use actix_web::http::header::{Accept, CACHE_CONTROL, Header, Quality};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::session::ROW_WORK;
use crate::transport::{Problem, Worker, gate};

/// Why the server is not ready, as its watchdog reports, and which part of it has ended. Shared by all workers.
#[derive(Debug, Default)]
pub struct Health {
    complaint: Mutex<Option<String>>,
    ended: OnceLock<&'static str>,
}

impl Health {
    /// Records that a part of the server has ended by a panic.
    pub fn end(&self, part: &'static str) {
        // Another part may have ended before.
        let _ = self.ended.set(part);
    }

    /// Returns the first part that has ended.
    pub fn ended(&self) -> Option<&'static str> {
        self.ended.get().copied()
    }

    /// Sets the reason why the server is not ready, or `None`. Returns it if the server has become ready or unready.
    pub fn set(&self, complaint: Option<String>) -> Option<Option<String>> {
        let mut present = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let is_change = present.is_some() != complaint.is_some();
        present.clone_from(&complaint);
        is_change.then_some(complaint)
    }

    fn check(&self) -> Result<(), Problem> {
        let present = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        present.as_ref().map_or(Ok(()), |complaint| Err(Problem::unavailable(complaint.clone())))
    }
}

/// Responds to `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> HttpResponse {
    ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// Responds to `GET /readyz`: 200 if the server accepts sessions, 503 if it shuts down, is full or late. The body tells of a replay that has
/// ended.
///
/// # Errors
///
/// Returns a problem document if no session may begin, or the server is late.
pub(super) async fn readyz(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    worker.ready()?;
    worker.health.check()?;
    let body = match worker.router.borrow().told() {
        Some("ended") => "ready\nthe replay has ended\n",
        Some("failed") => "ready\nthe replay has ended, because a file cannot be read on\n",
        _ => "ready\n",
    };
    Ok(ok().content_type("text/plain; charset=utf-8").body(body))
}

/// Responds to `GET /metrics` in the text format of Prometheus 0.0.4, or of `OpenMetrics` 1.0 if `Accept` names and prefers it.
///
/// # Errors
///
/// Returns 403 to a client whose key has no `admin`.
pub(super) async fn metrics(request: HttpRequest) -> Result<HttpResponse, Problem> {
    gate::check_operator(&request)?;
    let text = Worker::of(&request).metrics().render();
    gate::charge(&request, ROW_WORK * text.lines().count() as u64);
    if prefers_open_metrics(&request) {
        return Ok(ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text));
    }
    Ok(ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(prometheus_text(&text)))
}

/// Compares the accepted types (RFC 9110 section 12.5.1). `OpenMetrics` must be named.
fn prefers_open_metrics(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    let quality = |kind: &str| {
        let of_kind = accept.iter().filter(|accepted| accepted.item.essence_str() == kind);
        of_kind.map(|accepted| accepted.quality).max()
    };
    let open_metrics = quality("application/openmetrics-text").unwrap_or(Quality::ZERO);
    let plain = ["text/plain", "text/*", "*/*"].into_iter().find_map(quality).unwrap_or(Quality::ZERO);
    open_metrics > Quality::ZERO && open_metrics >= plain
}

/// Converts a text in the format of `OpenMetrics` 1.0 to that of Prometheus 0.0.4: comments about a counter name it with
/// `_total`, and there is neither `# UNIT` nor `# EOF` (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
fn prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 1_024);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let total = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                _ = writeln!(text, "# HELP {name}{total} {words}");
            }
            _ = writeln!(text, "# TYPE {name}{total} {kind}");
        } else if !line.starts_with("# UNIT ") && line != "# EOF" {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Begins a response that must not be cached.
fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}
