//! The newest trade and quote of a ticker.

use actix_web::{HttpRequest, HttpResponse};

use crate::access::Vendor;
use crate::domain::{Quote, Symbol, Timestamp, Trade};
use crate::protocol::identity;
use crate::transport::pieces;
use crate::transport::vendor::massive::rest::{busy, known_ticker, status};
use crate::transport::vendor::newest::{self, Numbered};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::refused::Refused;

/// Responds to `/v2/last/trade/{ticker}`.
///
/// # Errors
///
/// Returns 404 for an unknown ticker and for one without data, and 503 if too many reads are in progress.
pub(super) async fn trade(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let known = known_ticker(&request)?;
    let trades = newest::trades(&request, &[known]).await.map_err(busy)?;
    answer(&request, known.1, trades.into_iter().flatten().next(), trade_fields)
}

/// Responds to `/v2/last/nbbo/{ticker}`.
///
/// # Errors
///
/// Like [`trade`].
pub(super) async fn quote(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let known = known_ticker(&request)?;
    let quotes = newest::quotes(&request, &[known]).await.map_err(busy)?;
    answer(&request, known.1, quotes.into_iter().flatten().next(), quote_fields)
}

fn answer<T>(
    request: &HttpRequest,
    symbol: Symbol,
    value: Option<T>,
    fields: fn(Symbol, &T, &mut Object<'_>),
) -> Result<HttpResponse, Refused> {
    let value = value.ok_or_else(|| Refused::not_found(Vendor::Massive, "Data not found."))?;
    let mut out = b"{\"results\":".to_vec();
    let mut object = Object::begin(&mut out);
    object.text("T", symbol.as_str());
    fields(symbol, &value, &mut object);
    object.end();
    out.extend_from_slice(format!(",{}}}", status()).as_bytes());
    pieces::whole_json(request, out).map_err(busy)
}

/// Appends the fields of a trade that every answer has.
pub(super) fn trade_core(symbol: Symbol, trade: &Numbered<Trade>, object: &mut Object<'_>) {
    let Numbered { seq, value, .. } = trade;
    object
        .integers("c", identity::trade_conditions(symbol, *seq, value.size).massive())
        .text("i", &identity::trade_id(*seq).to_string())
        .price("p", value.price)
        .shares("s", "ds", value.size)
        .integer("t", nanos(value.ts))
        .integer("x", identity::exchange(symbol, *seq).massive);
}

fn trade_fields(symbol: Symbol, trade: &Numbered<Trade>, object: &mut Object<'_>) {
    trade_core(symbol, trade, object);
    object
        .integer("q", trade.offset)
        .integer("y", nanos(trade.value.ts))
        .integer("z", identity::tape(symbol).massive());
}

/// Appends the fields of a quote that every answer has.
pub(super) fn quote_core(quote: &Numbered<Quote>, object: &mut Object<'_>) {
    let Quote { ts, bid, bid_size, ask, ask_size } = quote.value;
    object
        .price("P", ask)
        .integer("S", ask_size.shares())
        .price("p", bid)
        .integer("s", bid_size.shares())
        .integer("t", nanos(ts));
}

fn quote_fields(symbol: Symbol, quote: &Numbered<Quote>, object: &mut Object<'_>) {
    let [bid, ask] = identity::quote_exchanges(symbol, quote.seq);
    quote_core(quote, object);
    object
        .integer("X", ask.massive)
        .integer("x", bid.massive)
        .integers("c", std::iter::once(identity::QUOTE_CONDITION_MASSIVE))
        .integer("q", quote.offset)
        .integer("y", nanos(quote.value.ts))
        .integer("z", identity::tape(symbol).massive());
}

/// Returns nanoseconds since 1970.
pub(super) fn nanos(ts: Timestamp) -> i64 {
    ts.micros().saturating_mul(1_000)
}
