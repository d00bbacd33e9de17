//! The reference of tickers.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Symbol, SymbolId, Timestamp};
use crate::transport::Worker;
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::massive::rest::{
    busy, cursor_of, descends, describe, known_ticker, limit_of, next_url, status,
};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::page_token::{PageToken, number_of};
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::table;

const LIMIT_MAX: usize = 1_000;
const LIMIT_DEFAULT: usize = 100;

/// Responds to `/v3/reference/tickers`.
///
/// # Errors
///
/// Returns 400 for a bad parameter.
pub(super) async fn tickers(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let worker = Worker::of(&request);
    let parameters = Parameters::of(&request);
    let limit = limit_of(&parameters, LIMIT_DEFAULT, LIMIT_MAX)?;
    let descends = descends(&parameters, "order", false)?;
    let number = number_of(parameters.encoded_without(&["apiKey", "cursor", "limit"]));
    let cursor = cursor_of(&parameters, number)?;
    worker.answer_turns.clone().pass().await;
    let table = table(worker);
    let is_after = |symbol: &Symbol| {
        cursor.is_none_or(|cursor| if descends { *symbol < cursor.symbol } else { *symbol > cursor.symbol })
    };
    let mut found: Vec<(Symbol, SymbolId)> = table
        .ids()
        .map(|id| (id, table.instrument(id)))
        .filter(|(_, instrument)| {
            matches(&parameters, instrument.symbol.as_str(), &instrument.name) && is_after(&instrument.symbol)
        })
        .map(|(id, instrument)| (instrument.symbol, id))
        .collect();
    found.sort_unstable();
    if descends {
        found.reverse();
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|(symbol, _)| {
        let at = Timestamp::default();
        let token = PageToken { request: number, symbol: *symbol, position: 0, from: at, to: at };
        format!(r#""next_url":"{}","#, next_url(&request, &parameters, &token.encode()))
    });
    let head = format!(r#"{{{},"count":{},{}"results":["#, status(), found.len(), next.unwrap_or_default());
    let encode = move |(_, id): &(Symbol, SymbolId), out: &mut Vec<u8>| {
        let mut object = Object::begin(out);
        describe(table.instrument(*id), &mut object);
        object.end();
    };
    pieces::json(&request, pieces::begin(Array::new(head, found, encode)), None).map_err(busy)
}

/// Responds to `/v3/reference/tickers/{ticker}`.
///
/// # Errors
///
/// Returns 404 for an unknown ticker.
pub(super) async fn ticker(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let (id, _) = known_ticker(&request)?;
    let table = table(Worker::of(&request));
    let mut out = format!(r#"{{{},"results":"#, status()).into_bytes();
    let mut object = Object::begin(&mut out);
    describe(table.instrument(id), &mut object);
    object.text("sic_description", &table.instrument(id).sector);
    object.end();
    out.push(b'}');
    pieces::whole_json(&request, out).map_err(busy)
}

/// Returns whether the ticker with this name is among those that a client asks for.
fn matches(parameters: &Parameters, ticker: &str, name: &str) -> bool {
    let is = |key: &str, accept: &dyn Fn(&str) -> bool| parameters.get(key).is_none_or(accept);
    let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    is("ticker", &|other| ticker == other)
        && is("ticker.gt", &|other| ticker > other)
        && is("ticker.gte", &|other| ticker >= other)
        && is("ticker.lt", &|other| ticker < other)
        && is("ticker.lte", &|other| ticker <= other)
        && is("market", &|market| market == "stocks")
        && is("type", &|kind| kind == "CS")
        && is("active", &|active| active == "true")
        && is("search", &|part| contains(ticker, part) || contains(name, part))
}
