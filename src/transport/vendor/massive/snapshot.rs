//! Snapshots of tickers: day, minute, day before, newest trade and quote.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Price, Symbol};
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::massive::aggregates::{millis, prices};
use crate::transport::vendor::massive::last::{nanos, quote_core, trade_core};
use crate::transport::vendor::massive::market;
use crate::transport::vendor::massive::rest::{busy, known_ticker, status};
use crate::transport::vendor::newest::{self, Newest};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{known, table};

/// Responds to `/v2/snapshot/locale/us/markets/stocks/tickers?tickers=`: all tickers if none is named.
///
/// # Errors
///
/// Returns 503 if too many reads are in progress.
pub(super) async fn many(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let names: Vec<Symbol> = match Parameters::of(&request).get("tickers") {
        Some(names) => names.split(',').filter_map(|name| name.trim().parse().ok()).collect(),
        None => return market::all(request).await,
    };
    let symbols = known(&table(&request), &names);
    let all = newest::all(&request, &symbols).await.map_err(busy)?;
    let all: Vec<_> = symbols.into_iter().map(|(_, symbol)| symbol).zip(all).collect();
    let head = format!(r#"{{{},"count":{},"tickers":["#, status(), all.len());
    let encode = |(symbol, newest): &(Symbol, Newest), out: &mut Vec<u8>| write(*symbol, newest, out);
    pieces::json(&request, pieces::begin(Array::new(head, all, encode)), None).map_err(busy)
}

/// Responds to `/v2/snapshot/locale/us/markets/stocks/tickers/{ticker}`.
///
/// # Errors
///
/// Returns 404 for an unknown ticker, and 503 if too many reads are in progress.
pub(super) async fn one(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let known = known_ticker(&request)?;
    let all = newest::all(&request, &[known]).await.map_err(busy)?;
    let mut out = format!(r#"{{{},"ticker":"#, status()).into_bytes();
    for newest in all {
        write(known.1, &newest, &mut out);
    }
    out.push(b'}');
    pieces::whole_json(&request, out).map_err(busy)
}

/// Returns the change of a price, in dollars and in per cent.
pub(super) fn change(last: Price, before: Price) -> (f64, f64) {
    let before = before.to_dollars();
    let change = last.to_dollars() - before;
    (change, 100.0 * change / before)
}

/// Appends the snapshot of a ticker.
pub(super) fn write(symbol: Symbol, newest: &Newest, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.text("ticker", symbol.as_str());
    if let Some((last, before)) = newest.prices() {
        let (change, per_cent) = change(last, before);
        object.decimal("todaysChange", change).decimal("todaysChangePerc", per_cent);
    }
    if let Some(ts) = newest.ts() {
        object.integer("updated", nanos(ts));
    }
    for (name, day) in [("day", newest.day), ("prevDay", newest.day_before)] {
        let mut bar = Object::begin(object.key(name));
        if let Some(day) = day {
            prices(&day, &mut bar);
        }
        bar.end();
    }
    let mut trade = Object::begin(object.key("lastTrade"));
    if let Some(last) = &newest.trade {
        trade_core(symbol, last, &mut trade);
    }
    trade.end();
    let mut quote = Object::begin(object.key("lastQuote"));
    if let Some(last) = &newest.quote {
        quote_core(last, &mut quote);
    }
    quote.end();
    let mut minute = Object::begin(object.key("min"));
    if let Some(bar) = newest.minute {
        minute.shares("av", "dav", newest.day.map(|day| day.volume).unwrap_or_default());
        prices(&bar, &mut minute);
        minute.integer("t", millis(bar.ts)).integer("n", bar.trades);
    }
    minute.end();
    object.end();
}
