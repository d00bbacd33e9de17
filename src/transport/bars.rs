//! The past: `/api/v1/bars`.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Bar, Interval, Timestamp};
use crate::history::ReadBars;
use crate::protocol::ErrorCode;
use crate::protocol::native::encode_bar_object;
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, rest};

/// The most bars of one answer.
const LIMIT_MAX: usize = 10_000;
/// How many bars an answer has when the client does not say.
const LIMIT_DEFAULT: usize = 500;

/// Answers `GET /api/v1/bars?symbol=&interval=&limit=&before=`: bars oldest first, the state right after `offset`.
///
/// `interval` is `1m` when absent, `limit` 500 (at most 10,000), `before` a time in microseconds or RFC 3339 before which
/// the bars begin.
///
/// # Errors
///
/// Returns a problem document when a parameter is wrong or the symbol unknown.
pub(super) async fn bars(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let symbol = parameters.take("symbol")?.ok_or_else(|| Problem::bad_request("'symbol' is missing"))?;
    let interval = take_interval(&mut parameters)?;
    let limit = parameters.take_number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
    let before = take_before(&mut parameters)?;
    parameters.finish()?;
    let (table, epoch) = {
        let router = worker.router.borrow();
        (router.table().clone(), router.epoch().clone())
    };
    let id = table.find(&symbol).ok_or_else(|| {
        let name: String = symbol.chars().take(64).collect();
        Problem::client_error(ErrorCode::UnknownSymbol, format!("no such symbol: {name}"), vec![name])
    })?;
    let read = worker.history.send(ReadBars { id, interval, limit, before }).await;
    let (offset, read) = read.map_err(|_| Problem::unavailable("the server is shutting down"))?;
    let symbol = table.instrument(id).symbol;
    let head = format!(r#"{{"symbol":"{symbol}","interval":"{interval}","epoch":"{epoch}","offset":{offset},"bars":["#);
    let mut body = head.into_bytes();
    let closed = read.closed.iter().map(|bar| (bar, true));
    append_bars(closed.chain(read.open.iter().map(|bar| (bar, false))), &mut body);
    body.extend_from_slice(b"]}");
    Ok(rest::json(body))
}

fn append_bars<'a>(bars: impl Iterator<Item = (&'a Bar, bool)>, out: &mut Vec<u8>) {
    for (index, (bar, is_final)) in bars.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        encode_bar_object(bar, is_final, out);
    }
}

fn take_interval(parameters: &mut Parameters) -> Result<Interval, Problem> {
    let Some(text) = parameters.take("interval")? else { return Ok(Interval::M1) };
    text.parse().map_err(|()| {
        let names: Vec<_> = Interval::ALL.iter().map(|interval| interval.name()).collect();
        Problem::bad_request(format!("'interval' must be one of {}", names.join(", ")))
    })
}

fn take_before(parameters: &mut Parameters) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = parameters.take("before")? else { return Ok(None) };
    if let Ok(micros) = text.parse() {
        return Ok(Some(Timestamp::from_micros(micros)));
    }
    let moment = chrono::DateTime::parse_from_rfc3339(&text)
        .map_err(|_| Problem::bad_request("'before' must be microseconds since 1970 or a time of RFC 3339"))?;
    Ok(Some(Timestamp::from_micros(moment.timestamp_micros())))
}
