//! The newest values of symbols: trade, quote, bar of a minute, and the bars of two days of New York.

use actix_web::HttpRequest;

use crate::domain::{Bar, Channel, Last, Price, Quote, Snapshot, Symbol, SymbolId, Timestamp, Trade};
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
    /// Absent before there is one, like each of these.
    pub(super) trade: Option<Numbered<Trade>>,
    pub(super) quote: Option<Numbered<Quote>>,
    pub(super) minute: Option<Bar>,
    pub(super) day: Option<Bar>,
    pub(super) day_before: Option<Bar>,
}

impl Newest {
    /// Returns the time of the newest trade or quote.
    pub(super) fn ts(&self) -> Option<Timestamp> {
        let [trade, quote] = [self.trade.map(|trade| trade.value.ts), self.quote.map(|quote| quote.value.ts)];
        trade.max(quote)
    }

    /// Returns the last price, and the last one of the day before; `None` before there are both.
    pub(super) fn prices(&self) -> Option<(Price, Price)> {
        Some((self.trade?.value.price, self.day_before?.close))
    }
}

/// Reads the newest trade of each symbol that has one.
///
/// # Errors
///
/// Returns an error if the read is refused or abandoned, here and below.
pub(super) async fn trades(
    request: &HttpRequest,
    symbols: &[(SymbolId, Symbol)],
) -> Result<Vec<Option<Numbered<Trade>>>, Busy> {
    let (worker, read) = (Worker::of(request), reader(request).each(symbols, last_trade).await?);
    Ok(symbols.iter().zip(read).map(|((id, _), trade)| trade.or_else(|| opening(worker, *id).0)).collect())
}

/// Reads the newest quote of each symbol that has one.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn quotes(
    request: &HttpRequest,
    symbols: &[(SymbolId, Symbol)],
) -> Result<Vec<Option<Numbered<Quote>>>, Busy> {
    let (worker, read) = (Worker::of(request), reader(request).each(symbols, last_quote).await?);
    Ok(symbols.iter().zip(read).map(|((id, _), quote)| quote.or_else(|| opening(worker, *id).1)).collect())
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
        Newest { trade: trade.or(first_trade), quote: quote.or(first_quote), minute, day, day_before }
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
fn opening(worker: &Worker, id: SymbolId) -> (Option<Numbered<Trade>>, Option<Numbered<Quote>>) {
    let Snapshot { ts, last, quote, .. } = **worker.router.borrow().snapshot(id);
    let trade = last.map(|Last { price, size }| valid(0, 0, Trade { ts, price, size }));
    (trade, quote.map(|quote| valid(0, 0, quote.at(ts))))
}

const fn valid<T>(seq: u64, offset: u64, value: T) -> Numbered<T> {
    Numbered { seq, offset, standing: Standing::Valid, value }
}
