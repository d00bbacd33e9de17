//! `/api/v1/replay`: a file that is played for one client, as server-sent events or as lines.

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse};

use crate::protocol::native::Native;
use crate::protocol::{Dialect, WILDCARD};
use crate::transport::query::Parameters;
use crate::transport::sse::{Asked, Form, LAST_EVENT_ID, open};
use crate::transport::traffic::{self, Transport};
use crate::transport::{Problem, Worker, replay as replays};

/// Answers `GET /api/v1/replay?file=&from=&to=&speed=&symbols=&channels=&mode=&max_hz=&on_lag=`: see `docs/REPLAY.md`.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid, the file or a symbol unknown, the file cannot be played, or no session may begin.
pub(in crate::transport) async fn replay(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut parameters = Parameters::of(&request)?;
    let account = traffic::charge(&request, &mut parameters, Transport::Sse)?;
    let asked = replays::take(&mut parameters, "file")?;
    parameters.default_to("symbols", WILDCARD);
    let wanted = parameters.take_subscribe(true)?;
    parameters.finish_with_ticket()?;
    if request.headers().contains_key(LAST_EVENT_ID) {
        // An `EventSource` that comes back. It must not begin anew without knowing, and stays closed after this status.
        return Ok(HttpResponse::NoContent().finish());
    }
    let worker = Worker::of(&request);
    if let Some(refused) = worker.faults.refuse(&request, Native::NAME, "stream") {
        return Ok(refused);
    }
    worker.admit(&request)?;
    let played = Some(replays::open(&request, asked).await?);
    open(&request, Asked { wanted, account, form: form(&request), played })
}

/// Returns server-sent events if the client accepts them by name, as an `EventSource` does; otherwise lines.
fn form(request: &HttpRequest) -> Form {
    let accepted = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|text| text.split(',')).map(|part| part.split(';').next().unwrap_or("").trim());
    if types.any(|name| name.eq_ignore_ascii_case(Form::Events.media_type())) { Form::Events } else { Form::Lines }
}
