//! What there is, and what it is worth now: `/api/v1/symbols` and `/api/v1/snapshot`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::SymbolId;
use crate::protocol::native::Selector;
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker};

#[derive(Serialize)]
struct Symbols<'a> {
    symbols: Vec<SymbolItem<'a>>,
}

#[derive(Serialize)]
struct SymbolItem<'a> {
    symbol: &'a str,
    name: &'a str,
    sector: &'a str,
}

/// Answers `GET /api/v1/symbols`: every symbol with its name and sector.
///
/// # Errors
///
/// Returns a problem document when a parameter is given.
pub(super) async fn symbols(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish()?;
    let table = Worker::of(&request).router.borrow().table().clone();
    let item = |each: &'_ crate::domain::Instrument| (each.symbol, each.name.clone(), each.sector.clone());
    let items: Vec<_> = table.instruments().iter().map(item).collect();
    let symbols = items.iter().map(|(symbol, name, sector)| SymbolItem { symbol: symbol.as_str(), name, sector });
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(Symbols { symbols: symbols.collect() }))
}

/// Answers `GET /api/v1/snapshot?symbols=`: the snapshots of these symbols, or of all, at one position of the stream.
///
/// # Errors
///
/// Returns a problem document when a parameter is wrong or a symbol unknown.
pub(super) async fn snapshot(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let symbols = parameters.take_symbols()?.unwrap_or_else(|| vec![Selector::All]);
    parameters.finish()?;
    let session = worker.join(None, std::time::Instant::now());
    let ids = session.select(&symbols).map_err(Problem::mistake)?;
    let mut router = worker.router.borrow_mut();
    let head = format!(r#"{{"epoch":"{}","offset":{},"snapshots":["#, router.epoch(), router.offset());
    let mut body = head.into_bytes();
    append_snapshots(&mut router, &ids, &mut body);
    body.extend_from_slice(b"]}");
    drop(router);
    Ok(json(body))
}

/// Appends the snapshots of these symbols with commas between them.
fn append_snapshots(router: &mut crate::hub::Router, ids: &[SymbolId], out: &mut Vec<u8>) {
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&router.snapshot_reply(*id).bytes);
    }
}

/// Returns an answer of JSON that no cache keeps.
pub(super) fn json(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").insert_header((CACHE_CONTROL, "no-store")).body(body)
}
