//! `/api/v1/feed`: the state of the feed, and orders to a replay.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::feed::{FeedError, FeedOrder, FeedStatus};
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, admin, gate, operator, origin};

/// Most events of one step.
const STEP_EVENTS_MAX: u32 = 1_000_000;

/// The answer of `/api/v1/feed`.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    status: FeedStatus,
    /// Whether the client may give orders, so that a page shows controls to those only who can use them.
    operator: bool,
}

/// Responds to `GET /api/v1/feed` with the state.
///
/// # Errors
///
/// Returns 400 for a parameter, and 503 if the feed has ended.
pub(super) async fn tell(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish()?;
    ask(&request, FeedOrder::Tell).await
}

/// Responds to `POST /api/v1/feed/{order}`: `pause`, `resume`, `step?events=1`, `speed?x=10`, `seek?ts=`. The answer is the state.
///
/// # Errors
///
/// Returns 400 for a bad parameter, 403 or 404 for who is no operator, 404 for an unknown order, and 409 for one that the feed cannot obey
/// now.
pub(super) async fn order(request: HttpRequest, name: Path<String>) -> Result<HttpResponse, Problem> {
    check(&request)?;
    let mut query = Parameters::of(&request)?;
    let order = match name.as_str() {
        "pause" => FeedOrder::Pause,
        "resume" => FeedOrder::Resume,
        "step" => FeedOrder::Step(match query.take("events")? {
            None => 1,
            Some(text) => {
                text.parse().ok().filter(|events| (1..=STEP_EVENTS_MAX).contains(events)).ok_or_else(|| {
                    Problem::bad_request(format!("'events' must be a number of events, 1 to {STEP_EVENTS_MAX}"))
                })?
            }
        }),
        "speed" => FeedOrder::Speed(match query.take("x")?.as_deref() {
            Some("max") => 0.0,
            text => text
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| Problem::bad_request("'x' must be a speed, 0.01 to 1000, or max"))?,
        }),
        "seek" => {
            let micros = query.take("ts")?.and_then(|text| text.parse().ok());
            let rule = "'ts' must be a time of the files, in microseconds since 1970";
            FeedOrder::Seek(Timestamp::from_micros(micros.ok_or_else(|| Problem::bad_request(rule))?))
        }
        _ => return Err(Problem::not_found(request.path())),
    };
    query.finish()?;
    let answer = ask(&request, order).await?;
    admin::note(&request, &format!("feed {name}"));
    Ok(answer)
}

/// Checks that the client may control the feed: one with a key that has `admin`, or without keys a program or page of this machine.
fn check(request: &HttpRequest) -> Result<(), Problem> {
    if !gate::has_key(request) {
        return operator::check(request, "control the feed").map(drop);
    }
    gate::check_operator(request)?;
    Worker::of(request).check_own_origin(request)
}

async fn ask(request: &HttpRequest, order: FeedOrder) -> Result<HttpResponse, Problem> {
    // Pages of other origins may read the state, and are not reported for it.
    let operator = origin::check_own(request).is_ok() && check(request).is_ok();
    let answered = Worker::of(request).feed.send(order).await;
    match answered.map_err(|_| Problem::unavailable("the feed has ended"))? {
        Ok(status) => {
            Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(Answer { status, operator }))
        }
        Err(err @ (FeedError::Speed | FeedError::OutOfRange)) => Err(Problem::bad_request(err.to_string())),
        Err(err) => Err(Problem::conflict(err.to_string())),
    }
}
