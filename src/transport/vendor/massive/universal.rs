//! Universal snapshots: one form for every kind of asset, of which there are stocks here.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Quote, Symbol, SymbolId, Trade};
use crate::protocol::identity;
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::massive::last::nanos;
use crate::transport::vendor::massive::rest::{bad_request, busy, limit_of, status};
use crate::transport::vendor::massive::snapshot::change;
use crate::transport::vendor::massive::tickers::{Selected, select};
use crate::transport::vendor::newest::{self, Newest, Numbered};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::table;

const LIMIT_MAX: usize = 250;
const LIMIT_DEFAULT: usize = 10;
/// The vendor's kind of an asset.
const KIND: &str = "stocks";

/// A row: a ticker with its values, or one that a client named and that does not exist.
enum Row {
    Known { symbol: Symbol, name: String, newest: Box<Newest> },
    Unknown(String),
}

/// Responds to `/v3/snapshot`: the tickers of `ticker.any_of`, otherwise all, in pages.
///
/// # Errors
///
/// Returns 400 for a bad parameter, and 503 if too many reads are in progress.
pub(super) async fn snapshots(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let limit = limit_of(&parameters, LIMIT_DEFAULT, LIMIT_MAX)?;
    let is_stocks = parameters.get("type").is_none_or(|kind| kind == KIND);
    let wanted: Option<Vec<&str>> = parameters.get("ticker.any_of").map(|names| names.split(',').collect());
    let (symbols, unknown, next) = match wanted {
        _ if !is_stocks => (Vec::new(), Vec::new(), String::new()),
        Some(names) if names.len() > LIMIT_MAX => {
            return Err(bad_request(format!("The parameter 'ticker.any_of' has more than {LIMIT_MAX} tickers.")));
        }
        Some(names) => {
            let (known, unknown) = resolve(&request, &names);
            (known, unknown, String::new())
        }
        None => {
            let Selected { symbols, next, .. } = select(&request, &parameters, limit, |_, _| true).await?;
            (symbols, Vec::new(), next)
        }
    };
    let all = newest::all(&request, &symbols).await.map_err(busy)?;
    let table = table(&request);
    let known = symbols.into_iter().zip(all).map(|((id, symbol), newest)| {
        let name = table.instrument(id).name.clone();
        Row::Known { symbol, name, newest: Box::new(newest) }
    });
    let rows: Vec<Row> = known.chain(unknown.into_iter().map(Row::Unknown)).collect();
    let head = format!(r#"{{{},{next}"results":["#, status());
    pieces::json(&request, pieces::begin(Array::new(head, rows, write)), None).map_err(busy)
}

/// Returns the tickers with these names, each once, and the names that no ticker has.
fn resolve(request: &HttpRequest, names: &[&str]) -> (Vec<(SymbolId, Symbol)>, Vec<String>) {
    let table = table(request);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match name.parse().ok().and_then(|symbol| Some((table.id(symbol)?, symbol))) {
            Some(found) if known.contains(&found) => {}
            Some(found) => known.push(found),
            None => unknown.push((*name).to_owned()),
        }
    }
    known.sort_unstable_by_key(|(_, symbol)| *symbol);
    (known, unknown)
}

fn write(row: &Row, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    match row {
        Row::Unknown(name) => {
            object.text("ticker", name).text("error", "NOT_FOUND").text("message", "Ticker not found.");
        }
        Row::Known { symbol, name, newest } => {
            object.text("ticker", symbol.as_str()).text("name", name).text("type", KIND).text("market_status", "open");
            if let Some(ts) = newest.ts() {
                object.integer("last_updated", nanos(ts));
            }
            session(newest, &mut Object::begin(object.key("session")));
            object.close();
            if let Some(last) = &newest.trade {
                trade(*symbol, last, &mut Object::begin(object.key("last_trade")));
                object.close();
            }
            if let Some(last) = &newest.quote {
                quote(*symbol, last, &mut Object::begin(object.key("last_quote")));
                object.close();
            }
            if let Some(bar) = newest.minute {
                Object::begin(object.key("last_minute"))
                    .price("open", bar.open)
                    .price("high", bar.high)
                    .price("low", bar.low)
                    .price("close", bar.close)
                    .shares("volume", "decimal_volume", bar.volume)
                    .price("vwap", bar.vwap)
                    .integer("transactions", bar.trades)
                    .integer("last_updated", nanos(bar.ts));
                object.close();
            }
        }
    }
    object.end();
}

fn session(newest: &Newest, object: &mut Object<'_>) {
    if let Some(trade) = newest.trade {
        object.price("price", trade.value.price);
    }
    if let Some((last, before)) = newest.prices() {
        let (change, per_cent) = change(last, before);
        object.decimal("change", change).decimal("change_percent", per_cent).price("previous_close", before);
    }
    if let Some(day) = newest.day {
        object
            .price("open", day.open)
            .price("high", day.high)
            .price("low", day.low)
            .price("close", day.close)
            .shares("volume", "decimal_volume", day.volume)
            .price("vwap", day.vwap);
    }
}

fn trade(symbol: Symbol, trade: &Numbered<Trade>, object: &mut Object<'_>) {
    let Numbered { seq, value, .. } = trade;
    object
        .text("id", &identity::trade_id(*seq).to_string())
        .price("price", value.price)
        .shares("size", "decimal_size", value.size)
        .integer("exchange", identity::exchange(symbol, *seq).massive)
        .integers("conditions", identity::trade_conditions(symbol, *seq, value.size).massive())
        .text("timeframe", "REAL-TIME")
        .integer("last_updated", nanos(value.ts))
        .integer("participant_timestamp", nanos(value.ts))
        .integer("sip_timestamp", nanos(value.ts));
}

fn quote(symbol: Symbol, quote: &Numbered<Quote>, object: &mut Object<'_>) {
    let [bid, ask] = identity::quote_exchanges(symbol, quote.seq);
    let Quote { ts, bid: bid_price, bid_size, ask: ask_price, ask_size } = quote.value;
    object
        .price("bid", bid_price)
        .integer("bid_size", bid_size.shares())
        .integer("bid_exchange", bid.massive)
        .price("ask", ask_price)
        .integer("ask_size", ask_size.shares())
        .integer("ask_exchange", ask.massive)
        .decimal("midpoint", f64::midpoint(bid_price.to_dollars(), ask_price.to_dollars()))
        .text("timeframe", "REAL-TIME")
        .integer("last_updated", nanos(ts));
}
