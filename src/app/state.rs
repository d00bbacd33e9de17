//! Writes the state of a published market into `feed.state_file`, on a thread of its own: at intervals, and at the shutdown.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::{Addr, Recipient};

use crate::app::market::Market;
use crate::app::watchdog::Part;
use crate::app::{Settings, StartError};
use crate::domain::{Clock, MarketClock, SymbolTable};
use crate::feed::publish::CloseDoor;
use crate::feed::state::{StateFile, StateLock};
use crate::history::{History, ReadSaved, Saved};
use crate::metrics::SharedMetrics;

/// Symbols that the history reads at once.
const PIECE_SYMBOLS: u32 = 16;
/// Longest time that the history may take for them, and for the events before them, and the feed to close its door.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks how far the history is.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// The thread that writes the state.
#[derive(Debug)]
pub(super) struct StateWriter {
    door: Recipient<CloseDoor>,
    stop: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
    /// Gone when the thread has ended.
    alive: Weak<()>,
}

impl StateWriter {
    /// Starts it, if the state is kept.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if it has no thread.
    pub(super) fn start(
        settings: &Settings,
        market: &mut Market,
        clock: Arc<dyn Clock>,
        metrics: SharedMetrics,
    ) -> Result<Option<Self>, StartError> {
        let feed = &settings.feed;
        let Some(lock) = market.state_lock.take() else { return Ok(None) };
        let life = Arc::new(());
        let alive = Arc::downgrade(&life);
        let state = State {
            path: feed.state_file.clone().into(),
            bars_max: feed.state_bars_max,
            table: market.table.clone(),
            history: market.history.clone(),
            head: market.head.clone(),
            market: market.clock.clone(),
            clock,
            metrics,
            is_failing: false,
            _lock: lock,
            _life: life,
        };
        let (interval, (stop, stopped)) = (Duration::from_millis(feed.state_interval_ms), channel());
        let thread = std::thread::Builder::new().name("state".into());
        let thread = thread.spawn(move || state.run(interval, &stopped)).map_err(StartError::Thread)?;
        Ok(Some(Self { door: market.door.clone(), stop, thread, alive }))
    }

    /// Returns what the watchdog must watch.
    pub(super) fn part(&self) -> Part {
        let alive = self.alive.clone();
        Part { name: "the writer of feed.state_file".into(), is_alive: Box::new(move || alive.strong_count() > 0) }
    }

    /// Writes the state of the end, with everything that a publisher was answered. The feed and the history must still run.
    ///
    /// # Errors
    ///
    /// Returns an error if that is not in the file.
    pub(super) async fn finish(self) -> io::Result<()> {
        let Self { door, stop, thread, .. } = self;
        // A feed that has ended publishes nothing either.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, door.send(CloseDoor)).await;
        drop(stop);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the state was not written, its thread has ended")))
    }
}

struct State {
    path: PathBuf,
    bars_max: usize,
    table: Arc<SymbolTable>,
    history: Addr<History>,
    head: Arc<AtomicU64>,
    market: Arc<MarketClock>,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
    /// Whether the log has already reported it.
    is_failing: bool,
    /// Until the last file is written.
    _lock: StateLock,
    /// Gone with the thread.
    _life: Arc<()>,
}

impl State {
    /// Writes a file at each interval in which something has happened, and one at the end. Returns the error of the last one.
    fn run(mut self, interval: Duration, stopped: &Receiver<()>) -> io::Result<()> {
        let (mut written, mut due) = (0, Instant::now() + interval);
        loop {
            let wait = due.saturating_duration_since(Instant::now());
            let is_last = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
            // From beginning to beginning: a file is older than the interval only while the next one is written.
            due = Instant::now() + interval;
            let head = self.head.load(Ordering::Acquire);
            if is_last || head != written {
                match self.write() {
                    Ok(()) => {
                        (written, self.is_failing) = (head, false);
                        self.metrics.state_files.inc();
                    }
                    Err(err) => {
                        self.metrics.state_failures.inc();
                        let err =
                            io::Error::other(format!("feed.state_file {} is not written: {err}", self.path.display()));
                        if is_last {
                            return Err(err);
                        }
                        if !std::mem::replace(&mut self.is_failing, true) {
                            log::error!("{err}");
                        }
                    }
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Writes the state with everything that the feed has published by now.
    fn write(&self) -> io::Result<()> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let now = self.market.at(self.clock.read());
        let head = self.head.load(Ordering::Acquire);
        // An event that was answered may still be on its way into the history.
        while self.read(0..0)?.offset < head {
            if Instant::now() >= deadline {
                return Err(io::Error::other("the history is behind"));
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        let symbols = self.table.len();
        let mut file = StateFile::create(&self.path, now, symbols)?;
        let symbols = u32::try_from(symbols).unwrap_or(u32::MAX);
        for first in (0..symbols).step_by(PIECE_SYMBOLS as usize) {
            for state in self.read(first..symbols.min(first.saturating_add(PIECE_SYMBOLS)))?.symbols {
                file.push(&state)?;
            }
        }
        file.finish()
    }

    /// Reads the state of these symbols from the history.
    #[expect(clippy::disallowed_methods, reason = "one message at a time, which must not be lost in a full mailbox")]
    fn read(&self, symbols: std::ops::Range<u32>) -> io::Result<Saved> {
        let (answer, answered) = channel();
        let (bars_max, table) = (self.bars_max, self.table.clone());
        self.history.do_send(ReadSaved { symbols, bars_max, table, answer });
        answered.recv_timeout(ANSWER_TIMEOUT).map_err(|_| io::Error::other("the history does not answer"))
    }
}
