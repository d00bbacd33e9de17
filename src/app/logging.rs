//! The log. A thread that logs never waits for the reader of standard error, and mistakes of clients do not fill the
//! log.
//!
//! Lines go into a bounded queue, and a thread of its own writes them to standard error. If standard error is a pipe
//! that no process reads, only this thread blocks. Lines that do not fit into the queue are dropped and counted, and
//! the log reports their number as soon as it can be written again.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::{Level, Log, Metadata, Record};
use serde::Deserialize;

use crate::app::log_filter::LogFilter;
use crate::audit::TARGET;
use crate::metrics::ProcessMetrics;
use crate::transport::HTTP_LIBRARY;

/// Time between two attempts to write to a non-blocking pipe that is full.
const RETRY: Duration = Duration::from_millis(10);

/// The section `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Size of the queue. Bytes, 1,024 to 1 GiB.
    pub waiting_bytes_max: usize,
    /// Most lines of the audit log in a second: pairs of event and address. 1 to 1,000,000.
    pub audit_sources_max: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { waiting_bytes_max: 262_144, audit_sources_max: 1_000 }
    }
}

impl LogConfig {
    pub(super) fn validate(self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { waiting_bytes_max: ..1_024 | 1_073_741_825.., .. } => {
                Err(("log.waiting_bytes_max", "must be 1024 to 1073741824"))
            }
            Self { audit_sources_max: 0 | 1_000_001.., .. } => Err(("log.audit_sources_max", "must be 1 to 1000000")),
            _ => Ok(()),
        }
    }
}

/// The queue of lines, and the thread that writes them.
#[derive(Clone)]
pub struct LogLines(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    written: Condvar,
    bytes_max: usize,
    metrics: ProcessMetrics,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines dropped since the last report.
    dropped: u64,
    is_writing: bool,
}

impl LogLines {
    /// Starts the thread, which writes to `out`.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the thread cannot be started.
    pub fn start(config: LogConfig, out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Self(Arc::new(Shared {
            state: Mutex::default(),
            arrived: Condvar::new(),
            written: Condvar::new(),
            bytes_max: config.waiting_bytes_max,
            metrics: ProcessMetrics::default(),
        }));
        let shared = lines.0.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || shared.write_all(out))?;
        Ok(lines)
    }

    /// Waits until all lines are written, but at most `patience`.
    pub fn finish(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        // The result does not matter, because the process ends.
        drop(self.0.written.wait_timeout_while(self.0.lock(), patience, is_busy));
    }
}

/// Each call appends one line, and never blocks.
impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.bytes + line.len() > self.0.bytes_max {
            state.dropped += 1;
            self.0.metrics.log_lines_dropped.inc();
        } else {
            state.bytes += line.len();
            state.lines.push_back(line.into());
            self.0.arrived.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines as they arrive, for the life of the process.
    fn write_all(&self, mut out: impl Write) {
        loop {
            let line = self.next_line();
            let is_lost = write_patiently(&mut out, &line).is_err();
            let mut state = self.lock();
            state.is_writing = false;
            if is_lost {
                // The reader has closed the pipe.
                state.dropped += 1;
                self.metrics.log_lines_dropped.inc();
            }
            // Reported only when the queue has room again, or the report would be dropped, too.
            let dropped =
                if is_lost || state.bytes > self.bytes_max / 2 { 0 } else { std::mem::take(&mut state.dropped) };
            drop(state);
            if dropped > 0 {
                log::warn!("{dropped} lines of the log were dropped, as it was not read");
            }
            self.written.notify_all();
        }
    }

    fn next_line(&self) -> Vec<u8> {
        let mut state = self.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.is_writing = true;
                return line;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes a whole line, however long that takes.
fn write_patiently(out: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match out.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => line = &line[len..],
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            // Another process that shares the pipe may have made it non-blocking.
            Err(err) if err.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// A logger that counts messages of libraries about mistakes of clients, and passes everything else on that the filter of the process
/// lets through.
pub struct ServerLog<L> {
    logger: L,
    /// The lines of the audit log go there as they are.
    audit: Option<LogLines>,
    metrics: ProcessMetrics,
}

impl<L: Log> ServerLog<L> {
    /// Returns a logger in front of `logger`; the lines of the audit log go to `audit` as they are, or else to `logger`, too.
    pub fn new(logger: L, audit: Option<LogLines>) -> Self {
        Self { logger, audit, metrics: ProcessMetrics::default() }
    }

    fn pass(&self, record: &Record<'_>) {
        if !LogFilter::of_process().matches(record) {
            return;
        }
        match &self.audit {
            // One write, or the lines of two threads would mix. The queue never fails: it drops lines, and counts them.
            Some(lines) if record.target() == TARGET => {
                _ = lines.clone().write(format!("{}\n", record.args()).as_bytes());
            }
            _ => self.logger.log(record),
        }
    }
}

impl<L: Log> Log for ServerLog<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        LogFilter::of_process().enabled(metadata) && self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let target = record.target();
        if target.starts_with(HTTP_LIBRARY) && record.level() < Level::Debug {
            // A malformed request is its client's mistake; it is counted where its connection ends.
            let mut quiet = Record::builder();
            quiet.level(Level::Debug).target(target).args(*record.args());
            return self.pass(&quiet.build());
        }
        if target.starts_with("actix_server::accept") && record.args().to_string().starts_with("Error accepting") {
            self.metrics.accept_errors.inc();
        }
        self.pass(record);
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A pipe that accepts a line only when the test reads.
    struct Pipe(mpsc::SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.into()).unwrap()).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_thread_that_logs_never_waits_for_the_reader_and_dropped_lines_are_counted() {
        let (sender, read) = mpsc::sync_channel(0);
        let mut lines =
            LogLines::start(LogConfig { waiting_bytes_max: 1_024, ..LogConfig::default() }, Pipe(sender)).unwrap();
        let line = |index: u32| format!("{index:<9}\n");
        for index in 0..1_000 {
            lines.write_all(line(index).as_bytes()).unwrap();
        }
        let dropped = usize::try_from(lines.0.lock().dropped).unwrap();
        // One line may have been on its way to the pipe, and made room for another.
        assert!((1_000 - 103..=1_000 - 102).contains(&dropped), "{dropped}");
        let kept: Vec<_> = (0..1_000 - dropped).map(|_| read.recv().unwrap()).collect();
        assert!(kept.is_sorted_by_key(|line| line.trim().parse::<u32>().unwrap()), "in order: {kept:?}");
        assert!(kept.iter().all(|line| line.len() == 10 && line.ends_with('\n')), "and whole: {kept:?}");
        lines.finish(Duration::from_mins(1));
        lines.write_all(b"later\n").unwrap();
        assert_eq!(read.recv().unwrap(), "later\n");
    }

    /// Stores the records it receives.
    #[derive(Default)]
    struct Kept(Mutex<Vec<(Level, String)>>);

    impl Log for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            self.0.lock().unwrap().push((record.level(), record.args().to_string()));
        }

        fn flush(&self) {}
    }

    #[test]
    fn a_line_of_the_audit_log_is_written_as_one_so_that_two_threads_do_not_mix() {
        let (sender, read) = mpsc::sync_channel(0);
        let lines = LogLines::start(LogConfig::default(), Pipe(sender)).unwrap();
        let log = ServerLog::new(Kept::default(), Some(lines));
        let name = "first";
        log.pass(&Record::builder().level(Level::Info).target(TARGET).args(format_args!("{{{name}:{}}}", 1)).build());
        assert_eq!(read.recv().unwrap(), "{first:1}\n");
    }

    #[test]
    fn messages_of_libraries_about_clients_are_not_logged_as_errors() {
        let log = ServerLog::new(Kept::default(), None);
        let errors = log.metrics.accept_errors.get();
        for (target, text) in [
            (HTTP_LIBRARY, "stream error: bad head"),
            ("actix_server::accept", "Error accepting connection: Too many open files"),
            ("tickcast", "ours"),
        ] {
            log.log(&Record::builder().level(Level::Error).target(target).args(format_args!("{text}")).build());
        }
        let kept = log.logger.0.lock().unwrap();
        assert_eq!(kept.iter().map(|(level, _)| *level).collect::<Vec<_>>(), [Level::Error, Level::Error]);
        assert!(
            kept.iter().all(|(_, text)| text != "stream error: bad head"),
            "at debug, which the default filter drops"
        );
        assert_eq!(log.metrics.accept_errors.get(), errors + 1);
    }
}
