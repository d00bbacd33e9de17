//! The orders of an operator: shutdown, new keys and certificate, and the filter of the log.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Reread;
use crate::transport::admin::{Admin, note};
use crate::transport::query::Parameters;
use crate::transport::{Problem, rest};

/// Longest filter of the log. Bytes.
const FILTER_BYTES_MAX: usize = 1_024;

/// Returns a short answer.
pub(super) fn answer(body: &Value) -> HttpResponse {
    rest::json(body.to_string().into_bytes())
}

/// Responds to `POST /admin/drain`: the server shuts down as after SIGTERM. Answered before it does.
///
/// # Errors
///
/// Returns a problem document if a parameter is given.
pub(super) async fn drain(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let admin = Admin::of(&request)?;
    Parameters::of(&request)?.finish()?;
    note(&request, "drain");
    admin.controls.drain();
    Ok(answer(&json!({ "draining": true })))
}

/// Responds to `POST /admin/reload`: for each setting that names a file what came of reading it again, and the mistake of a bad one.
///
/// # Errors
///
/// Returns a problem document if a parameter is given.
pub(super) async fn reload(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let controls = Admin::of(&request)?.controls.clone();
    Parameters::of(&request)?.finish()?;
    note(&request, "reload");
    // Not on this thread, whose sessions would wait for the files.
    let read = web::block(move || controls.reload()).await;
    let read = read.map_err(|_| Problem::unavailable("the server is shutting down"))?;
    let result = |(setting, read): (&str, Reread)| {
        let mut result = json!({ "result": read.name() });
        if let Reread::Kept(reason) = read {
            result["reason"] = reason.into();
        }
        (setting.to_owned(), result)
    };
    Ok(answer(&Value::Object(read.into_iter().map(result).collect())))
}

/// Responds to `GET /admin/log`: the filter of the log.
///
/// # Errors
///
/// Returns a problem document if a parameter is given.
pub(super) async fn log(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let admin = Admin::of(&request)?;
    Parameters::of(&request)?.finish()?;
    Ok(answer(&json!({ "filter": admin.controls.log_filter() })))
}

/// The body of `PUT /admin/log`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    filter: String,
}

/// Responds to `PUT /admin/log`: sets the filter of the log until the end of the process.
///
/// # Errors
///
/// Returns 400 if the text is no filter.
pub(super) async fn set_log(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let admin = Admin::of(&request)?;
    Parameters::of(&request)?.finish()?;
    let body = body.map_err(|err| Problem::bad_request(format!("no filter arrived: {err}")))?;
    let Filter { filter } = serde_json::from_slice(&body).map_err(|err| {
        let mistake: String = err.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        Problem::bad_request(format!(r#"the body must be {{"filter":"info"}}: {mistake}"#))
    })?;
    let is_plain = filter.len() <= FILTER_BYTES_MAX && !filter.chars().any(char::is_control);
    if filter.is_empty() || !is_plain {
        return Err(Problem::bad_request("a filter has 1 to 1024 bytes and no control characters"));
    }
    // A mistyped level would be taken for the name of a module, and the log would be silent.
    let is_level = |part: &str| part.trim().parse::<log::LevelFilter>().is_ok();
    if !filter.split(',').any(is_level) {
        return Err(Problem::bad_request("a filter has a level for all modules: info, or info,tickcast::hub=debug"));
    }
    admin.controls.set_log_filter(&filter).map_err(Problem::bad_request)?;
    note(&request, &format!("log filter={filter:?}"));
    Ok(answer(&json!({ "filter": admin.controls.log_filter() })))
}
