//! Symbols and their snapshots: `/api/v1/symbols` and `/api/v1/snapshot`.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::{ChannelSet, Instrument, Snapshot, Symbol, SymbolId};
use crate::protocol::native::Native;
use crate::protocol::{Dialect, Selector, ServerMessage};
use crate::session::{NAME_WORK, SNAPSHOT_WORK, select};
use crate::transport::gate;
use crate::transport::pieces::{self, Array};
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker};

#[derive(Serialize)]
struct SymbolItem<'a> {
    symbol: &'a str,
    name: &'a str,
    sector: &'a str,
}

/// Responds to `GET /api/v1/symbols?from=`: every symbol with its name and sector, but the first `from` of them.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid, or if the list is long and other clients have too much unread data.
pub(super) async fn symbols(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut parameters = Parameters::of(&request)?;
    let from = parameters.take_number("from", 0..=u32::MAX)?.unwrap_or(0);
    parameters.finish()?;
    Worker::of(&request).answer_turns.clone().pass().await;
    let table = gate::visible(&request);
    // Readers come again for what is added.
    let begin = if table.grows() { r#"{"grows":true,"symbols":["# } else { r#"{"symbols":["# };
    // A symbol keeps its place: who has the first ones needs only those behind them.
    let ids: Vec<_> = table.ids().skip(from as usize).collect();
    gate::charge(&request, NAME_WORK * ids.len() as u64);
    let encode = move |id: &SymbolId, out: &mut Vec<u8>| {
        let Instrument { symbol, name, sector, .. } = table.instrument(*id);
        let item = SymbolItem { symbol: symbol.as_str(), name, sector };
        // Writing text to a buffer in memory cannot fail.
        let _ = serde_json::to_writer(out, &item);
    };
    let answer = pieces::begin(Array::new(begin.into(), ids, encode));
    let mut response = pieces::json(&request, answer, None)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Responds to `GET /api/v1/snapshot?symbols=`: snapshots of these symbols, or of all, at one offset of the client's stream.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid, a symbol unknown, or the stream not served yet.
pub(super) async fn snapshot(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let symbols = parameters.take_symbols()?.unwrap_or_else(|| vec![Selector::All]);
    parameters.finish()?;
    worker.answer_turns.clone().pass().await;
    let table = gate::visible(&request);
    let shown = table.rights().channels;
    gate::charge(&request, NAME_WORK * symbols.len() as u64);
    let ids = select(&table, &symbols, worker.session.symbols_max).map_err(Problem::mistake)?;
    gate::charge(&request, SNAPSHOT_WORK * ids.len() as u64);
    let router = worker.stream_of(&gate::identity(&request))?.router.borrow();
    let offset = router.offset();
    let head = format!(r#"{{"epoch":"{}","offset":{offset},"snapshots":["#, router.epoch());
    let symbol = |id: SymbolId| router.config().table.instrument(id).symbol;
    let snapshots = ids.into_iter().map(|id| (symbol(id), router.snapshot(id).clone())).collect();
    let encode = move |(symbol, state): &(Symbol, Arc<Snapshot>), out: &mut Vec<u8>| {
        let (symbol, state, channels) = (*symbol, state.clone(), ChannelSet::EMPTY);
        Native::encode_message(&ServerMessage::Snapshot { symbol, offset, state, channels, shown }, out);
    };
    pieces::json(&request, pieces::begin(Array::new(head, snapshots, encode)), None)
}

/// Returns a short JSON response that must not be cached.
pub(super) fn json(body: Vec<u8>) -> HttpResponse {
    pieces::head().body(body)
}
