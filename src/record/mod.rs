//! Records the stream into files (docs/RECORDING.md), on a thread of its own.
//!
//! In the direction of the data: the actor `Receiver` takes the batches from the feed and passes them into a bounded queue, so that the
//! stream never waits for a disk. It has a thread of its own, because a feed that catches up leaves no time to other actors of its thread.
//! The thread of the `Writer` writes them as lines into a file, a frame each `feed.record.frame_ms`. Events
//! that are not in the files are announced there by a line `gap`.

mod line;
mod newest;
mod receiver;
pub mod remote;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver as DoneReceiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, ArbiterHandle};

use crate::domain::{Clock, SymbolTable};
use crate::feed::{Attach, RecordConfig};
use crate::history::{History, LastValues};
use crate::metrics::SharedMetrics;
use crate::protocol::Publication;

use receiver::{Finish, Receiver};
use writer::Writer;

/// Longest time that the end of the server waits for the last file.
const FINISH_TIMEOUT: Duration = Duration::from_secs(20);

/// An order to the writer.
enum Item {
    /// The stream goes on from this state: the first one, or after a restart, or after events that were lost.
    State { values: LastValues, epoch: Arc<str> },
    /// The next events.
    Batch(Arc<[Publication]>),
    /// The file is complete.
    Finish,
}

/// The parts of a recorder.
pub struct RecorderParts {
    /// The keys of `[feed.record]`.
    pub config: RecordConfig,
    /// The symbols.
    pub table: Arc<SymbolTable>,
    /// The name of the stream.
    pub epoch: Arc<str>,
    /// The state before the first event.
    pub values: LastValues,
    /// Tells the state after lost events.
    pub history: Addr<History>,
    /// Tells the time at which a file begins.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: SharedMetrics,
}

/// A running recorder.
pub struct Recorder {
    receiver: Addr<Receiver>,
    /// The thread of the receiver.
    arbiter: ArbiterHandle,
    done: Mutex<DoneReceiver<()>>,
}

impl Recorder {
    /// Starts a recorder; returns it, and the receiver of its batches, which must be attached to the feed before the first event.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if it has no thread.
    pub fn start(parts: RecorderParts) -> io::Result<(Self, Attach)> {
        let RecorderParts { config, table, epoch, values, history, clock, metrics } = parts;
        let arbiter = Arbiter::try_new()?.handle();
        let (queue, items) = channel();
        let (finished, done) = channel();
        let (expected, events_max) = (values.offset() + 1, config.queue_events_max);
        let writer = Writer::new(config, table, values, epoch.clone(), clock, metrics.clone());
        let waiting = Waiting(metrics.clone());
        std::thread::Builder::new().name("record".into()).spawn(move || {
            let _waiting = waiting;
            writer.run(&items);
            // Nobody waits if the server has not been shut down in order.
            let _ = finished.send(());
        })?;
        let receiver = Receiver::new(queue, history, epoch, expected, events_max, metrics);
        let receiver = Receiver::start_in_arbiter(&arbiter, |_| receiver);
        let attach = Attach {
            batches: receiver.clone().recipient(),
            restarts: Some(receiver.clone().recipient()),
            notices: None,
        };
        Ok((Self { receiver, arbiter, done: Mutex::new(done) }, attach))
    }

    /// Completes the file: it has every event that the feed has sent until now.
    #[expect(clippy::disallowed_methods, reason = "a single message, which must not be lost in a full mailbox")]
    pub fn finish(&self) {
        let done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.receiver.do_send(Finish);
        if done.recv_timeout(FINISH_TIMEOUT).is_err() {
            log::error!("the last file of the recording is not complete; it ends with .part");
        }
        self.arbiter.stop();
    }
}

/// At the end of the thread, also by a panic, nothing waits any more: a replay would wait for it for ever.
struct Waiting(SharedMetrics);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.record_waiting.set(0);
    }
}

/// Creates the directory of the recordings, and checks that files can be made there.
///
/// # Errors
///
/// Returns the error of the system.
pub fn prepare(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let probe: PathBuf = directory.join(format!(".tickcast-{:016x}", rand::random::<u64>()));
    fs::File::create_new(&probe)?;
    fs::remove_file(probe)
}
