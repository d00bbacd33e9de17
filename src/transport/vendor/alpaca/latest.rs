//! The newest trade, quote and bar of symbols, and snapshots of them.

use actix_web::{HttpRequest, HttpResponse};

use crate::access::Vendor;
use crate::domain::{Bar, Quote, Symbol, SymbolId, Trade};
use crate::protocol::alpaca::{Json, write_bar, write_quote, write_trade};
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::alpaca::history::{Kind, update};
use crate::transport::vendor::alpaca::rest::{busy, check_common, currency, symbol_of, symbols_of};
use crate::transport::vendor::newest::{self, Newest, Numbered};
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{known, table};

/// Feeds with newest values. All of them have the same ones here.
const FEEDS: [&str; 6] = ["sip", "iex", "delayed_sip", "boats", "overnight", "otc"];

/// Responds to `/v2/stocks/trades/latest?symbols=`, and the same of quotes and bars.
///
/// # Errors
///
/// Returns 400 for a bad parameter, and 503 if too many reads are in progress.
pub(super) async fn many(request: HttpRequest, kind: Kind) -> Result<HttpResponse, Refused> {
    let symbols = named(&request)?;
    let rows = rows(&request, &symbols, kind).await?;
    let head = format!(r#"{{"{}":{{"#, kind.plural());
    let tail = format!("}}{}}}", currency(&Parameters::of(&request)));
    let body = list(head, rows, |symbol, value: &Value, out: &mut Vec<u8>| value.write(symbol, out), tail);
    pieces::json(&request, pieces::begin(body), None).map_err(busy)
}

/// Responds to `/v2/stocks/{symbol}/trades/latest`, and the same of quotes and bars.
///
/// # Errors
///
/// Like [`many`]; and 404 for a symbol without data.
pub(super) async fn one(request: HttpRequest, kind: Kind) -> Result<HttpResponse, Refused> {
    let (symbol, symbols) = only(&request)?;
    let row = rows(&request, &symbols, kind).await?.pop();
    let name = kind.singular();
    let Some((_, value)) = row else {
        return Err(Refused::not_found(Vendor::Alpaca, format!("no {name} found for {symbol}")));
    };
    let currency = currency(&Parameters::of(&request));
    let mut out = format!(r#"{{"symbol":"{symbol}"{currency},"{name}":"#).into_bytes();
    value.write(symbol, &mut out);
    out.push(b'}');
    pieces::whole_json(&request, out).map_err(busy)
}

/// Responds to `/v2/stocks/snapshots?symbols=`.
///
/// # Errors
///
/// Like [`many`].
pub(super) async fn snapshots(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let symbols = named(&request)?;
    let all = newest::all(&request, &symbols).await.map_err(busy)?;
    let all = symbols.into_iter().map(|(_, symbol)| symbol).zip(all).collect();
    let write = |symbol, newest: &Newest, out: &mut Vec<u8>| {
        out.push(b'{');
        write_snapshot(symbol, newest, out);
    };
    pieces::json(&request, pieces::begin(list("{".into(), all, write, "}".into())), None).map_err(busy)
}

/// Responds to `/v2/stocks/{symbol}/snapshot`.
///
/// # Errors
///
/// Like [`one`].
pub(super) async fn snapshot(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let (symbol, symbols) = only(&request)?;
    let Some(newest) = newest::all(&request, &symbols).await.map_err(busy)?.pop() else {
        return Err(Refused::not_found(Vendor::Alpaca, format!("no snapshot found for {symbol}")));
    };
    let mut out = format!(r#"{{"symbol":"{symbol}"{},"#, currency(&Parameters::of(&request))).into_bytes();
    write_snapshot(symbol, &newest, &mut out);
    pieces::whole_json(&request, out).map_err(busy)
}

/// Returns the symbols that a request names, as far as they are known.
fn named(request: &HttpRequest) -> Result<Vec<(SymbolId, Symbol)>, Refused> {
    let parameters = Parameters::of(request);
    let names = symbols_of(&parameters)?;
    check_common(&parameters, &FEEDS)?;
    Ok(known(&table(request), &names))
}

/// Returns the symbol in the path, and a list with it if it is known.
fn only(request: &HttpRequest) -> Result<(Symbol, Vec<(SymbolId, Symbol)>), Refused> {
    check_common(&Parameters::of(request), &FEEDS)?;
    let symbol = symbol_of(request)?.ok_or_else(|| Refused::bad_request(Vendor::Alpaca, "symbol is required"))?;
    Ok((symbol, known(&table(request), &[symbol])))
}

/// The newest value of a symbol.
enum Value {
    Trade(Numbered<Trade>),
    Quote(Numbered<Quote>),
    Bar(Bar),
}

impl Value {
    fn write(&self, symbol: Symbol, out: &mut Vec<u8>) {
        match self {
            Self::Trade(trade) => put_trade(symbol, trade, out),
            Self::Quote(quote) => put_quote(symbol, quote, out),
            Self::Bar(bar) => write_bar::<Json>(bar, out),
        }
    }
}

/// Returns the newest value of each symbol that has one.
async fn rows(
    request: &HttpRequest,
    symbols: &[(SymbolId, Symbol)],
    kind: Kind,
) -> Result<Vec<(Symbol, Value)>, Refused> {
    let names = symbols.iter().map(|(_, symbol)| *symbol);
    Ok(match kind {
        Kind::Trades => {
            let trades = newest::trades(request, symbols).await.map_err(busy)?;
            names.zip(trades).filter_map(|(symbol, trade)| Some((symbol, Value::Trade(trade?)))).collect()
        }
        Kind::Quotes => {
            let quotes = newest::quotes(request, symbols).await.map_err(busy)?;
            names.zip(quotes).filter_map(|(symbol, quote)| Some((symbol, Value::Quote(quote?)))).collect()
        }
        Kind::Bars => {
            let bars = newest::minutes(request, symbols).await.map_err(busy)?;
            names.zip(bars).filter_map(|(symbol, bar)| Some((symbol, Value::Bar(bar?)))).collect()
        }
    })
}

/// Returns a document with `"SYMBOL":value` for each symbol.
fn list<T: Unpin + 'static>(
    head: String,
    items: Vec<(Symbol, T)>,
    write: impl Fn(Symbol, &T, &mut Vec<u8>) + Unpin + 'static,
    tail: String,
) -> impl pieces::Pieces {
    let mut is_next = false;
    let encode = move |(symbol, item): &(Symbol, T), out: &mut Vec<u8>| {
        out.extend_from_slice(if std::mem::replace(&mut is_next, true) { b",\"" } else { b"\"" });
        out.extend_from_slice(symbol.as_bytes());
        out.extend_from_slice(b"\":");
        write(*symbol, item, out);
    };
    Array::new(head, items, encode).ending(tail)
}

/// Appends the fields of a snapshot, and the end of its object.
fn write_snapshot(symbol: Symbol, newest: &Newest, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"latestTrade\":");
    put_or_null(newest.trade.as_ref(), |trade, out| put_trade(symbol, trade, out), out);
    out.extend_from_slice(b",\"latestQuote\":");
    put_or_null(newest.quote.as_ref(), |quote, out| put_quote(symbol, quote, out), out);
    let bars = [("minuteBar", newest.minute), ("dailyBar", newest.day), ("prevDailyBar", newest.day_before)];
    for (name, bar) in bars {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        put_or_null(bar.as_ref(), write_bar::<Json>, out);
    }
    out.push(b'}');
}

fn put_trade(symbol: Symbol, trade: &Numbered<Trade>, out: &mut Vec<u8>) {
    write_trade::<Json>(symbol, trade.seq, &trade.value, update(trade.standing), out);
}

fn put_quote(symbol: Symbol, quote: &Numbered<Quote>, out: &mut Vec<u8>) {
    write_quote::<Json>(symbol, quote.seq, &quote.value, out);
}

fn put_or_null<T>(value: Option<&T>, put: impl FnOnce(&T, &mut Vec<u8>), out: &mut Vec<u8>) {
    match value {
        Some(value) => put(value, out),
        None => out.extend_from_slice(b"null"),
    }
}
