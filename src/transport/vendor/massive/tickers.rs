//! The reference of tickers.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Symbol, SymbolId, Timestamp};
use crate::session::{NAME_WORK, SEARCH_WORK};
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::massive::rest::{
    busy, cursor_of, descends, describe, known_ticker, limit_of, next_url, status,
};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::page_token::{PageToken, number_of};
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::table;
use crate::transport::{Worker, gate};

const LIMIT_MAX: usize = 1_000;
const LIMIT_DEFAULT: usize = 100;

/// A page of tickers.
pub(super) struct Selected {
    /// The tickers, in the order of the request.
    pub(super) symbols: Vec<(SymbolId, Symbol)>,
    /// The field `next_url` with a comma, empty on the last page.
    pub(super) next: String,
}

/// Responds to `/v3/reference/tickers`.
///
/// # Errors
///
/// Returns 400 for a bad parameter.
pub(super) async fn tickers(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let limit = limit_of(&parameters, LIMIT_DEFAULT, LIMIT_MAX)?;
    let is_listed = |ticker: &str, name: &str| describes(&parameters, ticker, name);
    let Selected { symbols, next } = select(&request, &parameters, limit, is_listed).await?;
    let table = table(&request);
    gate::charge(&request, NAME_WORK * symbols.len() as u64);
    let head = format!(r#"{{{},"count":{},{next}"results":["#, status(), symbols.len());
    let encode = move |(id, _): &(SymbolId, Symbol), out: &mut Vec<u8>| {
        let mut object = Object::begin(out);
        describe(table.instrument(*id), &mut object);
        object.end();
    };
    pieces::json(&request, pieces::begin(Array::new(head, symbols, encode)), None).map_err(busy)
}

/// Returns a page of the tickers that a client asks for by `ticker` and its ranges, of those that `accepts` accepts by ticker and
/// name.
///
/// # Errors
///
/// Returns 400 for a bad `order` or `cursor`.
pub(super) async fn select(
    request: &HttpRequest,
    parameters: &Parameters,
    limit: usize,
    accepts: impl Fn(&str, &str) -> bool,
) -> Result<Selected, Refused> {
    let worker = Worker::of(request);
    let descends = descends(parameters, "order", false)?;
    let number = number_of(parameters.encoded_without(&["apiKey", "cursor", "limit"]));
    let cursor = cursor_of(parameters, number)?;
    worker.answer_turns.clone().pass().await;
    let table = table(request);
    gate::charge(request, SEARCH_WORK * table.ids().count() as u64);
    let is_after = |symbol: &Symbol| {
        cursor.is_none_or(|cursor| if descends { *symbol < cursor.symbol } else { *symbol > cursor.symbol })
    };
    let mut symbols: Vec<(SymbolId, Symbol)> = table
        .ids()
        .map(|id| (id, table.instrument(id)))
        .filter(|(_, instrument)| {
            let ticker = instrument.symbol.as_str();
            is_in_range(parameters, ticker) && accepts(ticker, &instrument.name) && is_after(&instrument.symbol)
        })
        .map(|(id, instrument)| (id, instrument.symbol))
        .collect();
    symbols.sort_unstable_by_key(|(_, symbol)| *symbol);
    if descends {
        symbols.reverse();
    }
    let has_more = symbols.len() > limit;
    symbols.truncate(limit);
    let next = symbols.last().filter(|_| has_more).map_or_else(String::new, |(_, symbol)| {
        let at = Timestamp::default();
        let token = PageToken { request: number, symbol: *symbol, position: 0, from: at, to: at };
        format!(r#""next_url":"{}","#, next_url(request, parameters, &token.encode()))
    });
    Ok(Selected { symbols, next })
}

/// Responds to `/v3/reference/tickers/{ticker}`.
///
/// # Errors
///
/// Returns 404 for an unknown ticker.
pub(super) async fn ticker(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let (id, _) = known_ticker(&request)?;
    let table = table(&request);
    let mut out = format!(r#"{{{},"results":"#, status()).into_bytes();
    let mut object = Object::begin(&mut out);
    describe(table.instrument(id), &mut object);
    object.text("sic_description", &table.instrument(id).sector);
    object.end();
    out.push(b'}');
    pieces::whole_json(&request, out).map_err(busy)
}

/// Returns whether the ticker is in the range that a client asks for.
fn is_in_range(parameters: &Parameters, ticker: &str) -> bool {
    let is = |key: &str, accept: &dyn Fn(&str) -> bool| parameters.get(key).is_none_or(accept);
    is("ticker", &|other| ticker == other)
        && is("ticker.gt", &|other| ticker > other)
        && is("ticker.gte", &|other| ticker >= other)
        && is("ticker.lt", &|other| ticker < other)
        && is("ticker.lte", &|other| ticker <= other)
}

/// Returns whether the ticker with this name has the properties that a client asks for.
fn describes(parameters: &Parameters, ticker: &str, name: &str) -> bool {
    let is = |key: &str, accept: &dyn Fn(&str) -> bool| parameters.get(key).is_none_or(accept);
    let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    is("market", &|market| market == "stocks")
        && is("type", &|kind| kind == "CS")
        && is("active", &|active| active == "true")
        && is("search", &|part| contains(ticker, part) || contains(name, part))
}
