//! Replays for one client each, of the files in `feed.files_dir`: their parameters, and how one begins. docs/REPLAY.md describes them to
//! users.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};

use crate::feed::replay::{FolderError, Wanted};
use crate::hub::{Playback, SharedRouter};
use crate::protocol::ReplayOrder;
use crate::session::Session;
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, gate, websocket};

/// After this time a client without a place may try again.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// A replay that is about to be played for a session.
pub(super) struct Played {
    /// The router of the session.
    pub(super) router: SharedRouter,
    pub(super) playback: Playback,
}

/// The parameters of a replay.
pub(super) struct Asked {
    wanted: Wanted,
    /// Whether its time waits for the order `resume`.
    paused: bool,
}

/// Takes the parameters of a replay: the file, under this name, `from`, `to`, `speed` and `paused`.
///
/// # Errors
///
/// Returns a problem document if one is missing, given twice, or malformed.
pub(super) fn take(parameters: &mut Parameters, name: &str) -> Result<Asked, Problem> {
    let file = parameters.take(name)?.ok_or_else(|| Problem::bad_request(format!("'{name}' is missing")))?;
    let (from, to) = (parameters.take("from")?, parameters.take("to")?);
    let speed = match parameters.take("speed")?.as_deref() {
        None => 1.0,
        Some("max") => 0.0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|speed| ReplayOrder::SPEEDS.contains(speed))
            .ok_or_else(|| Problem::bad_request("'speed' must be 0.01 to 1000, or max"))?,
    };
    let paused = match parameters.take("paused")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::bad_request("'paused' must be true or false")),
    };
    Ok(Asked { wanted: Wanted { file, from, to, speed, until: None }, paused })
}

/// Opens the file for the client of a request whom the worker has admitted.
///
/// # Errors
///
/// Returns 404 if there is no such file, 400 if it has a mistake or the client asks for a time that it does not have, and 503 if too many
/// files are being played.
pub(super) async fn open(request: &HttpRequest, asked: Asked) -> Result<Played, Problem> {
    let (worker, identity) = (Worker::of(request), gate::identity(request));
    let Asked { mut wanted, paused } = asked;
    let delay_ms = identity.entitlement().delay_ms;
    let reading = worker.clock.read();
    if delay_ms > 0 {
        let delay_micros = i64::try_from(delay_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        wanted.until = Some(reading.wall.plus_micros(-delay_micros));
    }
    let opened = worker.replays.open(wanted, reading).await.map_err(|err| problem(&err))?;
    // The file may have taken a while.
    worker.admit(request)?;
    let (router, playback) = Playback::begin(opened, &worker.router, delay_ms, paused, worker.clock.clone());
    Ok(Played { router, playback })
}

fn problem(err: &FolderError) -> Problem {
    let detail = err.to_string();
    match err {
        FolderError::Off | FolderError::Missing => Problem::no_such_file(detail),
        FolderError::Full | FolderError::Thread => Problem::unavailable(detail).after(FULL_WAIT),
        FolderError::Time(_) | FolderError::Read(_) => Problem::bad_request(detail),
    }
}

/// Opens a WebSocket of the native protocol: of the market, or with `replay=FILE` of a replay.
///
/// # Errors
///
/// Returns a problem document if the request does not open a WebSocket, the file cannot be played, or no session may begin.
pub(super) async fn native(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let is_replay = Parameters::of(&request).is_ok_and(|parameters| parameters.has("replay"));
    if is_replay {
        websocket::open_replay::<Session>(request, "replay").await
    } else {
        websocket::open::<Session>(request).await
    }
}
