//! Reads of the archive for vendors' clients: pages over many symbols, and single values of many symbols. A read holds one of the
//! worker's permits, and is done in parts, so that no client keeps the reading thread for long.

use tokio::sync::oneshot;

use crate::domain::{Channel, Symbol, SymbolId};
use crate::history::{Archive, Row, Timeframe, Window};
use crate::transport::Worker;
use crate::transport::pieces::{self, Answer, Pieces};

/// Symbols that are read before the reading thread turns to other readers.
const SYMBOLS_MAX: usize = 8;

/// Too many reads are in progress, or the server is shutting down.
pub(super) struct Busy;

/// The rows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// Bars.
    Bars(Timeframe),
    /// Trades or quotes.
    Ticks(Channel),
}

/// A page that is being read.
pub(super) struct Reading {
    pub(super) content: Content,
    pub(super) window: Window,
    /// The symbols that are left, last one first.
    symbols: Vec<(SymbolId, Symbol)>,
    /// Where the rows of the next symbol begin.
    after: Option<i64>,
    limit: usize,
    rows: Vec<(Symbol, Row)>,
}

/// The rows of a page.
pub(super) struct Page {
    /// The rows, by symbol.
    pub(super) rows: Vec<(Symbol, Row)>,
    /// Whether more follow.
    pub(super) has_more: bool,
}

impl Reading {
    /// Returns a read of at most `limit` rows of these symbols; of the first one those after the position `after`.
    pub(super) fn new(
        content: Content,
        window: Window,
        mut symbols: Vec<(SymbolId, Symbol)>,
        after: Option<i64>,
        limit: usize,
    ) -> Self {
        symbols.reverse();
        Self { content, window, symbols, after, limit, rows: Vec::new() }
    }

    /// Reads some symbols; returns whether the page is complete. Reads a row more than the limit, to know whether there is one.
    fn step(&mut self, archive: &Archive) -> bool {
        for _ in 0..SYMBOLS_MAX {
            let wanted = self.limit + 1 - self.rows.len();
            let Some((id, symbol)) = self.symbols.pop().filter(|_| wanted > 0) else { return true };
            let after = self.after.take();
            let rows = match self.content {
                Content::Bars(timeframe) => archive.bars(id, timeframe, &self.window, after, wanted),
                Content::Ticks(channel) => archive.ticks(id, channel, &self.window, after, wanted),
            };
            self.rows.extend(rows.into_iter().map(|row| (symbol, row)));
        }
        false
    }

    fn finish(mut self) -> Page {
        let has_more = self.rows.len() > self.limit;
        self.rows.truncate(self.limit);
        Page { rows: self.rows, has_more }
    }
}

/// Reads a page, and encodes the beginning of the response that `make` makes of it.
///
/// # Errors
///
/// Returns an error if too many reads are in progress.
pub(super) async fn page<P: Pieces + Send>(
    worker: &Worker,
    mut reading: Reading,
    make: impl FnOnce(Page) -> P + Send + 'static,
) -> Result<Answer<P>, Busy> {
    let mut make = Some(make);
    loop {
        let (read, answer) = on_archive(worker, move |archive| {
            if !reading.step(archive) {
                return (Some((reading, make)), None);
            }
            (None, make.map(|make| pieces::begin(make(reading.finish()))))
        })
        .await?;
        match (read, answer) {
            (Some(rest), _) => (reading, make) = rest,
            (None, answer) => return answer.ok_or(Busy),
        }
    }
}

/// Reads a value of each symbol.
///
/// # Errors
///
/// Returns an error if too many reads are in progress.
pub(super) async fn each<T: Send + 'static>(
    worker: &Worker,
    symbols: &[(SymbolId, Symbol)],
    read: impl Fn(&Archive, SymbolId) -> T + Clone + Send + 'static,
) -> Result<Vec<T>, Busy> {
    let mut values = Vec::with_capacity(symbols.len());
    for some in symbols.chunks(SYMBOLS_MAX) {
        let (some, read) = (some.to_vec(), read.clone());
        let read =
            on_archive(worker, move |archive| some.into_iter().map(|(id, _)| read(archive, id)).collect::<Vec<_>>());
        values.extend(read.await?);
    }
    Ok(values)
}

async fn on_archive<T: Send + 'static>(
    worker: &Worker,
    read: impl FnOnce(&Archive) -> T + Send + 'static,
) -> Result<T, Busy> {
    let permit = worker.bars_reads.clone().try_acquire_owned().map_err(|_| {
        worker.metrics().bars_reads_refused.inc();
        Busy
    })?;
    worker.answer_turns.clone().pass().await;
    // Held until the rows have been read, so that this thread gets few results in one turn. The semaphore is never closed.
    let _few = worker.bars_answers.acquire().await;
    let (answer, answered) = oneshot::channel();
    let submitted = worker.archive.submit(permit, move |archive, permit| {
        // The client may have disconnected.
        if !answer.is_closed() {
            let value = read(archive);
            // The client may send its next request as soon as it has the response.
            drop(permit);
            let _ = answer.send(value);
        }
    });
    submitted.map_err(|_| Busy)?;
    answered.await.map_err(|_| Busy)
}
