//! The newest values of symbols: trade, quote, bar of a minute, and the bars of two days of New York.

use crate::domain::{Bar, Channel, Quote, Snapshot, Symbol, SymbolId, Timestamp, Trade};
use crate::history::{Archive, Row, Tick};
use crate::transport::Worker;
use crate::transport::vendor::reads::{Busy, each};

/// A trade or a quote, and its `seq`: 0 if the stream began with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered<T> {
    pub(super) seq: u64,
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
/// Returns an error if too many reads are in progress, here and below.
pub(super) async fn trades(worker: &Worker, symbols: &[(SymbolId, Symbol)]) -> Result<Vec<Numbered<Trade>>, Busy> {
    let read = each(worker, symbols, last_trade).await?;
    Ok(symbols.iter().zip(read).map(|((id, _), trade)| trade.unwrap_or_else(|| opening(worker, *id).0)).collect())
}

/// Reads the newest quote of each symbol.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn quotes(worker: &Worker, symbols: &[(SymbolId, Symbol)]) -> Result<Vec<Numbered<Quote>>, Busy> {
    let read = each(worker, symbols, last_quote).await?;
    Ok(symbols.iter().zip(read).map(|((id, _), quote)| quote.unwrap_or_else(|| opening(worker, *id).1)).collect())
}

/// Reads the newest closed bar of a minute of each symbol.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn minutes(worker: &Worker, symbols: &[(SymbolId, Symbol)]) -> Result<Vec<Option<Bar>>, Busy> {
    each(worker, symbols, |archive, id| archive.last_minute(id).map(|bar| Bar::from(&bar))).await
}

/// Reads all newest values of each symbol.
///
/// # Errors
///
/// See [`trades`].
pub(super) async fn all(worker: &Worker, symbols: &[(SymbolId, Symbol)]) -> Result<Vec<Newest>, Busy> {
    let read = each(worker, symbols, |archive, id| {
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
    match archive.last_tick(id, Channel::Trades)? {
        Row::Tick { seq, tick: Tick::Trade(value), .. } => Some(Numbered { seq, value }),
        _ => None,
    }
}

fn last_quote(archive: &Archive, id: SymbolId) -> Option<Numbered<Quote>> {
    match archive.last_tick(id, Channel::Quotes)? {
        Row::Tick { seq, tick: Tick::Quote(value), .. } => Some(Numbered { seq, value }),
        _ => None,
    }
}

/// Returns the trade and the quote with which the stream began, as long as there have been no others.
fn opening(worker: &Worker, id: SymbolId) -> (Numbered<Trade>, Numbered<Quote>) {
    let Snapshot { ts, price, size, bid, bid_size, ask, ask_size, .. } = **worker.router.borrow().snapshot(id);
    let trade = Numbered { seq: 0, value: Trade { ts, price, size } };
    (trade, Numbered { seq: 0, value: Quote { ts, bid, bid_size, ask, ask_size } })
}
