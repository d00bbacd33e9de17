//! Aggregates, as this vendor calls bars.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Bar, Symbol, Timestamp};
use crate::history::{Row, Timeframe, Window};
use crate::transport::pieces::{self, Array, Pieces};
use crate::transport::vendor::massive::rest::{
    Unit, bad_request, busy, cursor_of, descends, known_ticker, limit_of, moment, next_url, status, ticker_of,
};
use crate::transport::vendor::newest;
use crate::transport::vendor::object::Object;
use crate::transport::vendor::page_token::{PageToken, number_of};
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::reads::{Content, Page, Reading, reader};
use crate::transport::vendor::refused::Refused;

const LIMIT_MAX: usize = 50_000;
const LIMIT_DEFAULT: usize = 5_000;
/// The longest timeframe, in each unit: so many years are more than there are bars.
const COUNT_MAX: u32 = 10_000;

/// Responds to `/v2/aggs/ticker/{ticker}/range/{count}/{unit}/{from}/{to}`.
///
/// # Errors
///
/// Returns 400 for a bad parameter, and 503 if too many reads are in progress.
pub(super) async fn range(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let part = |name: &str| request.match_info().query(name);
    let timeframe = timeframe(part("count"), part("unit"))?;
    let time = |name: &str| {
        let message =
            || format!("Could not parse the time input: '{}'. Use YYYY-MM-DD or Unix MS Timestamp", part(name));
        moment(part(name), Unit::Millis).ok_or_else(|| bad_request(message()))
    };
    let (from, to) = (time("from").map(Moment::first)?, time("to").map(Moment::last)?);
    if to < from {
        return Err(bad_request("The parameter 'to' cannot be a time that occurs before 'from'"));
    }
    let limit = limit_of(&parameters, LIMIT_DEFAULT, LIMIT_MAX)?;
    let descends = descends(&parameters, "sort", false)?;
    let adjusted = parameters.get("adjusted") != Some("false");
    let (name, known) = ticker_of(&request);
    let number = number_of((&name, timeframe, from, to, descends));
    let after = cursor_of(&parameters, number)?.map(|token| token.position);
    let window = Window { from: timeframe.span(from).0, to, descends };
    let reading = Reading::new(Content::Bars(timeframe), window, Vec::from_iter(known), after, limit);
    let next = {
        let (request, parameters) = (&request, &parameters);
        next_url(request, parameters, "CURSOR")
    };
    let make = move |page: Page| {
        let cursor = page.rows.last().filter(|_| page.has_more).map(|(symbol, row)| {
            PageToken { request: number, symbol: *symbol, position: row.position(), from, to }.encode()
        });
        document(&name, adjusted, page.rows, cursor.map(|cursor| next.replacen("CURSOR", &cursor, 1)))
    };
    let answer = reader(&request).page(reading, make).await.map_err(busy)?;
    pieces::json(&request, answer, None).map_err(busy)
}

/// Responds to `/v2/aggs/ticker/{ticker}/prev`: the bar of the day before.
///
/// # Errors
///
/// Returns 404 for an unknown ticker, and 503 if too many reads are in progress.
pub(super) async fn previous(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let known = known_ticker(&request)?;
    let newest = newest::all(&request, &[known]).await.map_err(busy)?;
    let day = newest.into_iter().next().and_then(|newest| newest.day_before);
    let mut out = head(Some(known.1.as_str()), true, usize::from(day.is_some())).into_bytes();
    out.extend_from_slice(b"\"results\":[");
    if let Some(day) = day {
        let mut object = Object::begin(&mut out);
        object.text("T", known.1.as_str());
        fields(&day, &mut object);
        object.end();
    }
    out.extend_from_slice(format!("],{}}}", status()).as_bytes());
    pieces::whole_json(&request, out).map_err(busy)
}

pub(super) fn timeframe(count: &str, unit: &str) -> Result<Timeframe, Refused> {
    let count = count.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    let count = count.ok_or_else(|| bad_request("The parameter 'multiplier' must be a positive integer"))?;
    let of_day = |units: u32, make: fn(u32) -> Timeframe| match (count / units, count % units) {
        (0, _) | (1, 0) => Ok(make(count)),
        (days, 0) => Ok(Timeframe::Day(days)),
        _ => Err(bad_request("The parameter 'multiplier' must give at most a day, or whole days")),
    };
    Ok(match unit {
        "second" => of_day(86_400, Timeframe::Second)?,
        "minute" => of_day(1_440, Timeframe::Minute)?,
        "hour" => of_day(24, Timeframe::Hour)?,
        "day" => Timeframe::Day(count),
        "week" => Timeframe::SundayWeek(count),
        "month" => Timeframe::Month(count),
        "quarter" => Timeframe::Month(3 * count),
        "year" => Timeframe::Month(12 * count),
        _ => {
            return Err(bad_request(
                "The parameter 'timespan' must be one of: second, minute, hour, day, week, month, quarter, year",
            ));
        }
    })
}

/// Returns the beginning of an answer with so many rows, about one ticker or all.
pub(super) fn head(ticker: Option<&str>, adjusted: bool, count: usize) -> String {
    let ticker = ticker.map_or_else(String::new, |ticker| format!(r#""ticker":{},"#, serde_json::Value::from(ticker)));
    format!(r#"{{{ticker}"queryCount":{count},"resultsCount":{count},"count":{count},"adjusted":{adjusted},"#)
}

fn document(
    ticker: &str,
    adjusted: bool,
    rows: Vec<(Symbol, Row)>,
    next_url: Option<String>,
) -> impl Pieces + Send + use<> {
    let mut head = head(Some(ticker), adjusted, rows.len());
    let next = next_url.map_or_else(String::new, |url| format!(r#","next_url":"{url}""#));
    let mut tail = format!("{}{next}}}", status());
    if !rows.is_empty() {
        head.push_str("\"results\":[");
        tail.insert_str(0, "],");
    }
    let mut is_next = false;
    let encode = move |(_, row): &(Symbol, Row), out: &mut Vec<u8>| {
        if std::mem::replace(&mut is_next, true) {
            out.push(b',');
        }
        if let Row::Bar(bar) = row {
            let mut object = Object::begin(out);
            fields(&Bar::from(bar), &mut object);
            object.end();
        }
    };
    Array::new(head, rows, encode).ending(tail)
}

/// Appends the fields of a bar, except its number of trades and its time.
pub(super) fn prices(bar: &Bar, object: &mut Object<'_>) {
    object
        .shares("v", "dv", bar.volume)
        .price("vw", bar.vwap)
        .price("o", bar.open)
        .price("c", bar.close)
        .price("h", bar.high)
        .price("l", bar.low);
}

/// Appends the fields of a bar.
pub(super) fn fields(bar: &Bar, object: &mut Object<'_>) {
    prices(bar, object);
    object.integer("t", millis(bar.ts)).integer("n", bar.trades);
}

/// Returns milliseconds since 1970.
pub(super) fn millis(ts: Timestamp) -> i64 {
    ts.micros().div_euclid(1_000)
}
