//! The newest values of symbols: trade, quote, bar of a minute, and the bars of two days of New York.

use actix_web::HttpRequest;

use crate::domain::{Bar, Channel, Quote, Snapshot, Symbol, SymbolId, Timestamp, Trade};
use crate::history::{Archive, Row, Standing, Tick};
use crate::transport::Worker;
use crate::transport::vendor::reads::{Busy, Reader, reader};

/// A trade or a quote with its numbers: 0 if the stream began with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered<T> {
    /// Number in the topic.
    pub(super) seq: u64,
    /// Number in the stream.
    pub(super) offset: u64,
    /// Whether the trade still counts; a quote is never amended.
    pub(super) standing: Standing,
    /// The values.
    pub(super) value: T,
}

/// The newest values of a symbol.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    pub(super) trade: Numbered<Trade>,
    pub(super) quote: Numbered<Quote>,
    pub(super) minute: Option<Bar>,
    pub(super) day: Option<Bar>,
    pub(super) day_before: Option<Bar>,
}

impl Newest {
    /// Returns the time of the newest trade or quote.
    pub(super) fn ts(&self) -> Timestamp {
        self.trade.value.ts.max(self.quote.value.ts)
    }

    /// Returns the last price of the day before; of a symbol that is new, that of its newest trade.
    pub(super) fn close_before(&self) -> crate::domain::Price {
        self.day_before.map_or(self.trade.value.price, |day| day.close)
    }
}

/// Reads the newest trade of each symbol.
///
/// # Errors
///
/// Returns an error if the read is refused or abandoned, here and below.
pub(super) async fn trades(
    request: &HttpRequest,
    symbols: &[(SymbolId, Symbol)],
) -> Result<Vec<Numbered<Trade>>, Busy> {
    let (worker, read) = (Worker::of(request), reader(request).each(symbols, last_trade).await?);
    Ok(symbols.iter().zip(read).map(|((id, _), trade)| trade.unwrap_or_else(|| opening(worker, *id).0)).collect())
}

/// Reads the newest quote of each symbol.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn quotes(
    request: &HttpRequest,
    symbols: &[(SymbolId, Symbol)],
) -> Result<Vec<Numbered<Quote>>, Busy> {
    let (worker, read) = (Worker::of(request), reader(request).each(symbols, last_quote).await?);
    Ok(symbols.iter().zip(read).map(|((id, _), quote)| quote.unwrap_or_else(|| opening(worker, *id).1)).collect())
}

/// Reads the newest closed bar of a minute of each symbol.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn minutes(request: &HttpRequest, symbols: &[(SymbolId, Symbol)]) -> Result<Vec<Option<Bar>>, Busy> {
    reader(request).each(symbols, |archive, id| archive.last_minute(id).map(|bar| Bar::from(&bar))).await
}

/// Reads all newest values of each symbol.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn all(request: &HttpRequest, symbols: &[(SymbolId, Symbol)]) -> Result<Vec<Newest>, Busy> {
    all_of(Worker::of(request), reader(request), symbols).await
}

/// Reads all newest values of each symbol with this reader.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn all_of<F: FnMut() -> bool>(
    worker: &Worker,
    reader: Reader<'_, F>,
    symbols: &[(SymbolId, Symbol)],
) -> Result<Vec<Newest>, Busy> {
    let read = reader.each(symbols, |archive, id| {
        let minute = archive.last_minute(id).map(|bar| Bar::from(&bar));
        (last_trade(archive, id), last_quote(archive, id), minute, archive.last_days(id))
    });
    let newest = symbols.iter().zip(read.await?).map(|((id, _), (trade, quote, minute, [day, day_before]))| {
        let (first_trade, first_quote) = opening(worker, *id);
        Newest { trade: trade.unwrap_or(first_trade), quote: quote.unwrap_or(first_quote), minute, day, day_before }
    });
    Ok(newest.collect())
}

fn last_trade(archive: &Archive, id: SymbolId) -> Option<Numbered<Trade>> {
    match archive.last_trade(id)? {
        Row::Tick { seq, offset, tick: Tick::Trade(value, standing) } => {
            Some(Numbered { seq, offset, standing, value })
        }
        _ => None,
    }
}

fn last_quote(archive: &Archive, id: SymbolId) -> Option<Numbered<Quote>> {
    match archive.last_tick(id, Channel::Quotes)? {
        Row::Tick { seq, offset, tick: Tick::Quote(value) } => Some(valid(seq, offset, value)),
        _ => None,
    }
}

/// Returns the trade and the quote with which the stream began, as long as there have been no others.
fn opening(worker: &Worker, id: SymbolId) -> (Numbered<Trade>, Numbered<Quote>) {
    let Snapshot { ts, price, size, bid, bid_size, ask, ask_size, .. } = **worker.router.borrow().snapshot(id);
    let trade = valid(0, 0, Trade { ts, price, size });
    (trade, valid(0, 0, Quote { ts, bid, bid_size, ask, ask_size }))
}

const fn valid<T>(seq: u64, offset: u64, value: T) -> Numbered<T> {
    Numbered { seq, offset, standing: Standing::Valid, value }
}
