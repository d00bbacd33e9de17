//! Reads of the archive for vendors' clients: pages over many symbols, and single values of many symbols.
//!
//! A read is done in steps, each of which holds one of the worker's permits, so that no client keeps the reading thread for long.
//! Between two steps it is abandoned if its client has gone, or if it holds many bytes while other clients leave too many unread.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use tokio::sync::oneshot;

use crate::access::Payer;
use crate::domain::{Channel, Symbol, SymbolId};
use crate::history::{Archive, Row, Timeframe, Window};
use crate::hub::Held;
use crate::session::SNAPSHOT_WORK;
use crate::transport::connection::state::ConnectionState;
use crate::transport::pieces::{self, Answer, Pieces};
use crate::transport::traffic::ThreadTime;
use crate::transport::{Worker, gate};

/// How long the reading thread works on a read before it turns to other readers.
const STEP: Duration = Duration::from_millis(4);
/// Further steps of a read after its client has shut down its sending side: it may wait for the response, but most have gone.
const STEPS_IN_DOUBT_MAX: usize = 32;
/// A read that holds more bytes is refused if unread data of other clients exceeds its limit.
const BYTES_SHORT: usize = 131_072;

/// Too many reads are in progress, other clients have too much unread data, the client has gone, or the server is shutting down.
pub(super) struct Busy;

/// Whether the client of a request still waits for its response, as far as its connection can tell.
pub(super) struct Patience {
    connection: Option<Rc<ConnectionState>>,
    steps_left: usize,
}

impl Patience {
    /// Returns the patience of the client of this request.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self { connection: ConnectionState::of(request), steps_left: STEPS_IN_DOUBT_MAX }
    }

    /// Counts a step of the client's read; returns whether it is still to be done.
    pub(super) fn lasts(&mut self) -> bool {
        if self.connection.as_ref().is_some_and(|connection| connection.is_half_closed()) {
            self.steps_left = self.steps_left.saturating_sub(1);
        }
        self.steps_left > 0
    }
}

/// One read, in steps.
pub(super) struct Reader<'a, F> {
    worker: &'a Worker,
    /// Returns whether somebody still waits for the result.
    is_awaited: F,
    /// The bytes that have been read.
    held: Held,
    /// To whom the read is charged.
    payer: Option<Box<Payer>>,
}

/// Returns the reader for the client of this request.
pub(super) fn reader(request: &HttpRequest) -> Reader<'_, impl FnMut() -> bool> {
    let mut patience = Patience::of(request);
    let reader = Reader::new(Worker::of(request), move || patience.lasts());
    Reader { payer: gate::payer(request), ..reader }
}

/// The rows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// Bars.
    Bars(Timeframe),
    /// Trades or quotes.
    Ticks(Channel),
    /// Trades, with what has become of them.
    Trades,
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

    /// Reads for a while; returns whether the page is complete. Reads a row more than the limit, to know whether there is one.
    fn step(&mut self, archive: &Archive) -> bool {
        let began = Instant::now();
        loop {
            let wanted = self.limit + 1 - self.rows.len();
            let Some((id, symbol)) = self.symbols.pop().filter(|_| wanted > 0) else { return true };
            let after = self.after.take();
            let rows = match self.content {
                Content::Bars(timeframe) => archive.bars(id, timeframe, &self.window, after, wanted),
                Content::Ticks(channel) => archive.ticks(id, channel, &self.window, after, wanted),
                Content::Trades => archive.trades(id, &self.window, after, wanted),
            };
            self.rows.extend(rows.into_iter().map(|row| (symbol, row)));
            if began.elapsed() >= STEP {
                return false;
            }
        }
    }

    fn held_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<(Symbol, Row)>()
    }

    fn finish(mut self) -> Page {
        let has_more = self.rows.len() > self.limit;
        self.rows.truncate(self.limit);
        Page { rows: self.rows, has_more }
    }
}

impl<'a, F: FnMut() -> bool> Reader<'a, F> {
    /// Returns a reader that stops between two steps when `is_awaited` returns false, and that is charged to nobody.
    pub(super) fn new(worker: &'a Worker, is_awaited: F) -> Self {
        Self { worker, is_awaited, held: Held::new(worker.metrics().waiting_bytes.clone()), payer: None }
    }

    /// Reads a page, and encodes the beginning of the response that `make` makes of it.
    ///
    /// # Errors
    ///
    /// Returns an error if the read is refused or abandoned, here and below.
    pub(super) async fn page<P: Pieces + Send>(
        mut self,
        mut reading: Reading,
        make: impl FnOnce(Page) -> P + Send + 'static,
    ) -> Result<Answer<P>, Busy> {
        let mut make = Some(make);
        loop {
            self.check(reading.held_bytes())?;
            let payer = self.payer.take();
            let (read, answer) = on_archive(self.worker, move |archive| {
                let since = ThreadTime::now();
                if !reading.step(archive) {
                    gate::charge_read(payer.as_deref(), since, 0);
                    return (Some((reading, make, payer)), None);
                }
                let rows = reading.rows.len();
                let answer = make.map(|make| pieces::begin(make(reading.finish())));
                gate::charge_read(payer.as_deref(), since, rows);
                (None, answer)
            })
            .await?;
            match read {
                Some(rest) => (reading, make, self.payer) = rest,
                None => return answer.ok_or(Busy),
            }
        }
    }

    /// Reads a value of each symbol.
    ///
    /// # Errors
    ///
    /// See [`Self::page`].
    pub(super) async fn each<T: Send + 'static>(
        mut self,
        symbols: &[(SymbolId, Symbol)],
        read: impl Fn(&Archive, SymbolId) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, Busy> {
        self.charge(SNAPSHOT_WORK * symbols.len() as u64);
        let mut values: Vec<T> = Vec::with_capacity(symbols.len());
        let mut ids = symbols.iter().map(|(id, _)| *id).collect::<Vec<_>>().into_iter();
        while ids.len() > 0 {
            self.check(values.capacity() * size_of::<T>())?;
            let read = read.clone();
            let step = move |archive: &Archive| {
                let began = Instant::now();
                for id in ids.by_ref() {
                    values.push(read(archive, id));
                    if began.elapsed() >= STEP {
                        break;
                    }
                }
                (ids, values)
            };
            (ids, values) = on_archive(self.worker, step).await?;
        }
        Ok(values)
    }

    fn charge(&self, work: u64) {
        if let Some(payer) = &self.payer {
            payer.charge(work, Instant::now());
        }
    }

    /// Checks, before a step, that somebody waits for the result, and that there is room for so many bytes, which are counted.
    fn check(&mut self, bytes: usize) -> Result<(), Busy> {
        if !(self.is_awaited)() {
            self.worker.metrics().vendor_reads_abandoned.inc();
            return Err(Busy);
        }
        // The bytes of the others decide: a long read must be possible while nobody else reads.
        self.held.set(0);
        if bytes > BYTES_SHORT {
            pieces::check_room(self.worker).map_err(|_| Busy)?;
        }
        self.held.set(bytes);
        Ok(())
    }
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
