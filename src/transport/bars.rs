//! Bars of the past: `/api/v1/bars`.

use actix_web::http::header::{HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::oneshot;

use crate::domain::{Channel, Interval, Timestamp};
use crate::history::{BarRead, CompactBar, ReaderGone};
use crate::protocol::native::encode_bar_object;
use crate::protocol::{ErrorCode, Mistake};
use crate::transport::pieces::{Array, Pieces};
use crate::transport::query::Parameters;
use crate::transport::traffic::ThreadTime;
use crate::transport::{Problem, Worker, gate, gzip, pieces};

/// The most bars of one answer.
const LIMIT_MAX: usize = 10_000;
/// A response with more bars is long. It is refused before anything is encoded if unread data of other clients exceeds its
/// limit.
const LIMIT_SHORT: usize = 1_000;
/// The number of bars if the client names none.
const LIMIT_DEFAULT: usize = 500;

/// Responds to `GET /api/v1/bars?symbol=&interval=&limit=&before=`: bars, oldest first, as of the event `offset`.
///
/// Defaults: `interval` is `1m`, `limit` is 500 (at most 10,000). `before` is a time before which the bars begin: in RFC 3339,
/// or in microseconds, milliseconds or seconds since 1970.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid, the symbol unknown, or too many reads are in progress.
pub(super) async fn bars(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let symbol = parameters.take("symbol")?.ok_or_else(|| Problem::bad_request("'symbol' is missing"))?;
    let interval = take_interval(&mut parameters)?;
    let limit = parameters.take_number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
    let before = take_before(&mut parameters)?;
    parameters.finish()?;
    let (table, epoch) = (gate::visible(&request), worker.router.borrow().epoch());
    if !table.rights().channels.contains(Channel::Bars(interval)) {
        let message = format!("the key does not include the channel bars.{interval}");
        return Err(Problem::mistake(Mistake::new(ErrorCode::ForbiddenChannel, message)));
    }
    let id = table.find(&symbol).ok_or_else(|| {
        let name: String = symbol.chars().take(64).collect();
        let message = format!("no such symbol: {name}");
        Problem::mistake(Mistake { symbols: vec![name], ..Mistake::new(ErrorCode::UnknownSymbol, message) })
    })?;
    let stream = worker.stream_of(&gate::identity(&request))?;
    let permit = worker.bars_reads.clone().try_acquire_owned().map_err(|_| {
        worker.metrics().bars_reads_refused.inc();
        Problem::unavailable("too many reads of bars (server.bars_reads_max)")
    })?;
    worker.answer_turns.clone().pass().await;
    if limit > LIMIT_SHORT {
        pieces::check_room(worker)?;
    }
    // Held until the bars have been read, so that this thread gets few results in one turn. The semaphore is never closed.
    let _few = worker.bars_answers.acquire().await;
    let symbol = table.instrument(id).symbol;
    let is_compressed = gzip::is_accepted(&request);
    let (answer, answered) = oneshot::channel();
    let payer = gate::payer(&request);
    let submitted = stream.archive.submit(permit, move |archive, permit| {
        // The client may have disconnected.
        if !answer.is_closed() {
            let since = ThreadTime::now();
            let (offset, read) = archive.read(id, interval, limit, before);
            let head = format!(
                r#"{{"symbol":"{symbol}","interval":"{interval}","epoch":"{epoch}","offset":{offset},"bars":["#
            );
            let rows = read.closed.len() + read.open.iter().len();
            let made = pieces::begin(array(head, read));
            let made = if is_compressed { gzip::compressed(made) } else { made };
            gate::charge_read(payer.as_deref(), since, rows);
            // The client may send its next request as soon as it has the response.
            drop(permit);
            let _ = answer.send(made);
        }
    });
    let answer = match submitted {
        Ok(()) => answered.await.ok(),
        Err(ReaderGone) => None,
    };
    let answer = answer.ok_or_else(|| Problem::unavailable("the server is shutting down"))?;
    stream.check()?;
    let mut response = pieces::json(&request, answer, None)?;
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    Ok(response)
}

/// Returns the document with this head and these bars.
fn array(head: String, read: BarRead) -> impl Pieces + Send {
    let final_bars = read.closed.len();
    let mut bars = read.closed;
    bars.extend(read.open.iter().map(CompactBar::from));
    let mut index = 0;
    let encode = move |bar: &CompactBar, out: &mut Vec<u8>| {
        encode_bar_object(&bar.into(), index < final_bars, out);
        index += 1;
    };
    Array::new(head, bars, encode)
}

pub(super) fn take_interval(parameters: &mut Parameters) -> Result<Interval, Problem> {
    let Some(text) = parameters.take("interval")? else { return Ok(Interval::M1) };
    text.parse().map_err(|()| {
        let names: Vec<_> = Interval::ALL.iter().map(|interval| interval.name()).collect();
        Problem::bad_request(format!("'interval' must be one of {}", names.join(", ")))
    })
}

pub(super) fn take_before(parameters: &mut Parameters) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = parameters.take("before")? else { return Ok(None) };
    let complaint = || {
        Problem::bad_request(
            "'before' must be a time of RFC 3339, or microseconds, milliseconds or seconds since 1970, from 1973-03-03 on",
        )
    };
    let moment = match text.parse() {
        Ok(number) => micros(number),
        Err(_) => from_rfc3339(&text),
    };
    moment.map(|micros| Some(Timestamp::from_micros(micros))).ok_or_else(complaint)
}

/// Returns the microseconds since 1970 of a number whose size tells its unit: between 1973-03-03 and the year 5138, seconds
/// have 9 to 11 digits, milliseconds 12 to 14 and microseconds 15 to 17. Read in a wrong unit, the time would be before every
/// bar, and the response an empty list.
fn micros(number: i64) -> Option<i64> {
    match number {
        100_000_000..100_000_000_000 => Some(number * 1_000_000),
        100_000_000_000..100_000_000_000_000 => Some(number * 1_000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(number),
        _ => None,
    }
}

/// Returns the microseconds of a time of RFC 3339. In a query string a raw `+` stands for a blank (WHATWG URL, section 5.1), so
/// that `+00:00` arrives as ` 00:00`; no other blank can stand before the offset.
pub(super) fn from_rfc3339(text: &str) -> Option<i64> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).or_else(|err| match text.rsplit_once(' ') {
        Some((time, offset)) => chrono::DateTime::parse_from_rfc3339(&format!("{time}+{offset}")),
        None => Err(err),
    });
    moment.ok().map(|moment| moment.timestamp_micros())
}
