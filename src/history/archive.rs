//! All bars and the newest events, for readers on any thread. Readers do not wait in the history's mailbox, and the history
//! waits for a reader only while the reader copies one answer, or a part of it.
//!
//! The `History` actor writes each batch into the archive under a short lock. Bars from before the start are computed
//! outside of the lock. [`ArchiveReader`] is the thread that reads the archive.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

use tokio::sync::OwnedSemaphorePermit;

use crate::domain::{Bar, Interval, SymbolId, Timestamp};
use crate::feed::Restart;
use crate::history::bars::LiveRead;
use crate::history::compact_bar::CompactBar;
use crate::history::past::PastBars;
use crate::history::past::past_of;
use crate::history::{BarBounds, BarRead, Bars, PastSource, Ring};
use crate::metrics::SharedMetrics;
use crate::protocol::Publication;

/// Niceness of the reading thread, so that threads that serve the stream run first.
const NICENESS: i32 = 10;

/// The bars of all symbols, see [`Self::new`].
#[derive(Debug)]
pub struct Archive {
    pub(super) live: RwLock<Bars>,
    /// Shared with the archives of delayed streams.
    past: RwLock<Arc<PastBars>>,
    past_bars_max: usize,
    metrics: SharedMetrics,
    pub(super) ring: RwLock<Ring>,
}

impl Archive {
    /// Returns an archive that continues these open bars from `start` on, one entry per symbol. `past` computes the bars from before
    /// the start, of which up to `past_bars_max` are cached. The newest `events_max` events are kept.
    pub fn new(
        open: Vec<[Option<Bar>; Interval::COUNT]>,
        start: Timestamp,
        bounds: BarBounds,
        past: PastSource,
        (past_bars_max, events_max): (usize, usize),
        metrics: SharedMetrics,
    ) -> Self {
        let past = Arc::new(PastBars::new(past, bounds.bars_max, past_bars_max, metrics.clone()));
        Self::with_past(Bars::new(open, start, bounds), past, (past_bars_max, events_max), metrics)
    }

    /// Begins with the closed bars of this source, of a market of which nothing else has been known: late trades change them like those that
    /// close later, and begin bars where there was none. A series of `whole_max` bars may have lost older ones, which no trade begins anew.
    pub fn restore(&self, past: &PastSource, whole_max: usize) {
        self.live.write().unwrap_or_else(PoisonError::into_inner).restore(past, whole_max);
    }

    /// Returns another archive that begins like this one, before its first event, and has the same past. It keeps `events_max` events.
    #[must_use]
    pub fn beside(&self, events_max: usize) -> Self {
        let bars = self.live.read().unwrap_or_else(PoisonError::into_inner).clone();
        Self::with_past(bars, self.past(), (self.past_bars_max, events_max), self.metrics.clone())
    }

    fn with_past(
        bars: Bars,
        past: Arc<PastBars>,
        (past_bars_max, events_max): (usize, usize),
        metrics: SharedMetrics,
    ) -> Self {
        let ring = RwLock::new(Ring::new(events_max).with_offsets(bars.symbols()));
        Self { live: RwLock::new(bars), past: RwLock::new(past), past_bars_max, metrics, ring }
    }

    /// Begins anew at the time of a restart.
    pub fn restart(&self, restart: &Restart) {
        let opening = restart.opening.clone();
        let source = Box::new(move |id, series| past_of(&opening, id, series));
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let bounds = live.bounds();
        let past = PastBars::new(source, bounds.bars_max, self.past_bars_max, self.metrics.clone());
        *live = Bars::new(restart.opening.open.clone(), restart.opening.start, bounds).after(restart.offset);
        *self.past.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(past);
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *ring = Ring::new(ring.capacity()).with_offsets(restart.opening.open.len());
    }

    /// Returns the bars from before the start.
    pub(super) fn past(&self) -> Arc<PastBars> {
        self.past.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the next events of the stream.
    pub fn apply(&self, batch: Arc<[Publication]>) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        for publication in batch.iter() {
            live.apply(publication);
        }
        drop(live);
        self.ring.write().unwrap_or_else(PoisonError::into_inner).push(batch);
    }

    /// Returns the newest events, which the caller must not keep locked for long: the history waits.
    pub(super) fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the newest `limit` bars that began before `before` (or the newest of all), including the open bar, and
    /// the offset of the newest event in them. If the past has to be computed first, this takes some milliseconds.
    pub fn read(&self, id: SymbolId, interval: Interval, limit: usize, before: Option<Timestamp>) -> (u64, BarRead) {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let LiveRead { offset, mut read, past_bars } = live.read(id, interval, limit, before);
        drop(live);
        let missing = limit - read.closed.len() - usize::from(read.open.is_some());
        if missing > 0 && past_bars > 0 {
            let past = self.past().series(id, interval);
            let newest = &past[past.len().saturating_sub(past_bars)..];
            // A minute from before the start is here too, if late trades have changed it.
            let live = read.closed.first().map(CompactBar::ts).or(read.open.map(|open| open.ts));
            let is_past = |ts: Timestamp| before.is_none_or(|before| ts < before) && live.is_none_or(|live| ts < live);
            let end = newest.partition_point(|bar| is_past(bar.ts()));
            read.closed.splice(0..0, newest[end.saturating_sub(missing)..end].iter().cloned());
        }
        (offset, read)
    }
}

/// Reads the archive on a thread of its own, one request after another, so that no worker waits. Clones share the
/// thread, which ends with the last clone.
#[derive(Clone, Debug)]
pub struct ArchiveReader {
    archive: Arc<Archive>,
    queue: Sender<Job>,
    thread: Arc<JoinHandle<()>>,
}

/// A read. It drops the permit when its answer is complete.
type Read = Box<dyn FnOnce(&Archive, OwnedSemaphorePermit) + Send>;

struct Job {
    archive: Arc<Archive>,
    read: Read,
    /// The permits bound the queue.
    permit: OwnedSemaphorePermit,
}

/// The reading thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderGone;

impl ArchiveReader {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the thread cannot be started.
    pub fn start(archive: Arc<Archive>) -> io::Result<Self> {
        let (queue, jobs) = channel::<Job>();
        let thread = std::thread::Builder::new().name("bars".into()).spawn(move || {
            // Every thread may raise its niceness. If the system refuses, reads run at normal priority.
            if let Err(err) = rustix::process::setpriority_process(None, NICENESS) {
                log::warn!("the thread that reads bars keeps its normal priority: {err}");
            }
            for Job { archive, read, permit } in jobs {
                read(&archive, permit);
            }
        })?;
        Ok(Self { archive, queue, thread: Arc::new(thread) })
    }

    /// Returns a reader of another archive, which shares the thread.
    #[must_use]
    pub fn with(&self, archive: Arc<Archive>) -> Self {
        Self { archive, ..self.clone() }
    }

    /// Returns whether the thread runs: a panic in a read ends it.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Queues `read` for the reading thread. `read` drops the permit when its answer is complete.
    ///
    /// # Errors
    ///
    /// Returns an error if the thread has ended.
    pub fn submit(
        &self,
        permit: OwnedSemaphorePermit,
        read: impl FnOnce(&Archive, OwnedSemaphorePermit) + Send + 'static,
    ) -> Result<(), ReaderGone> {
        let archive = self.archive.clone();
        self.queue.send(Job { archive, read: Box::new(read), permit }).map_err(|_| ReaderGone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClosedBar, DayFigures, Event, EventBody, Price, Size, Trade};
    use crate::history::CompactBar;
    use crate::metrics::Metrics;

    fn bar(minute: i64) -> Bar {
        let price = Price::from_cents(100 + minute);
        let ts = Timestamp::from_micros(minute * 60_000_000);
        Bar { ts, open: price, high: price, low: price, close: price, volume: Size::new(1), trades: 1, vwap: price }
    }

    /// Minutes 0 to 9 are before the start, minute 10 is open.
    fn archive(bars_max: usize, kept_max: usize) -> Archive {
        let mut open = [None; Interval::COUNT];
        open[Interval::M1 as usize] = Some(bar(10));
        let past: PastSource = Box::new(|_, _| (0..10).map(bar).collect());
        let bounds = BarBounds { bars_max, kept_max };
        Archive::new(vec![open], bar(10).ts, bounds, past, (1_000, 100), Arc::new(Metrics::default()))
    }

    fn publication(body: EventBody) -> Publication {
        Publication::new(Event { offset: 7, seq: 1, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), body })
    }

    fn close(minute: i64) -> Publication {
        closing(bar(minute))
    }

    fn closing(bar: Bar) -> Publication {
        let closed = ClosedBar { bar, day: DayFigures::from(&bar) };
        publication(EventBody::Bar(Interval::M1, closed.into()))
    }

    fn read(archive: &Archive, limit: usize, before: Option<i64>) -> Vec<i64> {
        let before = before.map(|minute| Timestamp::from_micros(minute * 60_000_000));
        let (_, read) = archive.read(SymbolId(0), Interval::M1, limit, before);
        let times = read.closed.iter().map(CompactBar::ts).chain(read.open.map(|bar| bar.ts));
        times.map(|ts| ts.micros() / 60_000_000).collect()
    }

    #[test]
    fn a_read_pages_backward_and_counts_the_open_bar() {
        let archive = archive(100, 100);
        assert_eq!(read(&archive, 3, None), [8, 9, 10]);
        assert_eq!(read(&archive, 3, Some(8)), [5, 6, 7]);
        assert_eq!(read(&archive, 1, None), [10]);
        assert_eq!(read(&archive, 0, None), [0; 0]);
        assert_eq!(read(&archive, 100, None).len(), 11);
        assert_eq!(read(&archive, 5, Some(0)), [0; 0]);
    }

    #[test]
    fn a_read_joins_bars_from_before_and_after_the_start() {
        let archive = archive(100, 100);
        archive.apply([close(10), close(11)].into());
        assert_eq!(read(&archive, 4, None), [8, 9, 10, 11]);
        assert_eq!(read(&archive, 4, Some(11)), [7, 8, 9, 10]);
        assert_eq!(read(&archive, 4, Some(3)), [0, 1, 2]);
        assert_eq!(read(&archive, 100, None), (0..=11).collect::<Vec<_>>());
    }

    #[test]
    fn a_minute_of_before_the_start_that_late_trades_have_changed_is_there_once() {
        let archive = archive(100, 100);
        let changed = Bar { volume: Size::new(9), ..bar(9) };
        let day = DayFigures::from(&changed);
        archive.apply([publication(EventBody::UpdatedBar(ClosedBar { bar: changed, day }.into()))].into());
        assert_eq!(read(&archive, 100, None), (0..=10).collect::<Vec<_>>());
        assert_eq!(read(&archive, 3, Some(10)), [7, 8, 9]);
        let (_, all) = archive.read(SymbolId(0), Interval::M1, 100, None);
        assert_eq!(Bar::from(&all.closed[9]), changed);
        // The rest of it is closed as any other.
        archive.apply([close(10)].into());
        assert_eq!(read(&archive, 4, None), [7, 8, 9, 10]);
    }

    #[test]
    fn a_minute_whose_first_trade_is_late_is_there_once() {
        let bounds = BarBounds { bars_max: 100, kept_max: 100 };
        let none: PastSource = Box::new(|_, _| Vec::new());
        let (open, start) = (vec![Default::default()], bar(10).ts);
        let archive = Archive::new(open, start, bounds, none, (1_000, 100), Arc::new(Metrics::default()));
        let late = Trade { ts: bar(9).ts, price: bar(9).close, size: bar(9).volume };
        archive.apply([publication(EventBody::Trade(late))].into());
        let day = DayFigures::from(&bar(9));
        archive.apply([publication(EventBody::UpdatedBar(ClosedBar { bar: bar(9), day }.into()))].into());
        assert_eq!(read(&archive, 100, None), [9]);
        let (_, all) = archive.read(SymbolId(0), Interval::M1, 100, None);
        assert_eq!((all.open, all.closed.len()), (None, 1));
    }

    #[test]
    fn closing_a_bar_moves_it_to_the_closed_ones_and_evicts_the_oldest() {
        let archive = archive(5, 5);
        let trade = Trade { ts: bar(10).ts, price: Price::from_cents(500), size: Size::new(2) };
        archive.apply([publication(EventBody::Trade(trade))].into());
        let (offset, newest) = archive.read(SymbolId(0), Interval::M1, 1, None);
        let open = newest.open.unwrap();
        assert_eq!((offset, open.high, open.volume.shares()), (7, Price::from_cents(500), 3));
        archive.apply([closing(open)].into());
        assert_eq!(read(&archive, 100, None), [6, 7, 8, 9, 10]);
        let (_, all) = archive.read(SymbolId(0), Interval::M1, 100, None);
        assert_eq!((all.open, Bar::from(&all.closed[4])), (None, open));
    }

    #[test]
    fn after_an_eviction_no_bar_before_the_hole_is_returned() {
        let archive = archive(100, 2);
        archive.apply([close(10), close(11)].into());
        assert_eq!(read(&archive, 100, None).len(), 12);
        archive.apply([close(12)].into());
        assert_eq!(read(&archive, 100, None), [11, 12]);
        assert_eq!(read(&archive, 100, Some(11)), [0; 0]);
    }

    #[test]
    fn a_panic_in_a_read_is_detected_and_the_reads_behind_it_fail() {
        let reader = ArchiveReader::start(Arc::new(archive(5, 5))).unwrap();
        let permits = Arc::new(tokio::sync::Semaphore::new(2));
        let permit = || permits.clone().try_acquire_owned().unwrap();
        // Like a panic, but without the hook that prints it.
        reader.submit(permit(), |_, _permit| std::panic::resume_unwind(Box::new("for the test"))).unwrap();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let _ = reader
            .submit(permit(), move |archive, _| answer.send(archive.read(SymbolId(0), Interval::M1, 1, None)).unwrap());
        answered.blocking_recv().unwrap_err();
        while reader.is_alive() {
            std::thread::yield_now();
        }
        assert_eq!(permits.available_permits(), 2);
        assert!(reader.submit(permit(), |_, _| ()).is_err());
    }
}
