//! `Writer`: the thread that writes the stream into files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tickcast_tape::write::RecordingFile;

use crate::domain::{ChannelSet, Clock, SymbolTable, Timestamp};
use crate::feed::RecordConfig;
use crate::history::LastValues;
use crate::metrics::SharedMetrics;
use crate::protocol::native::Native;
use crate::protocol::{Dialect, Publication, ServerMessage};
use crate::record::Item;
use crate::record::line::{end_line, gap_line, header_line, open_gap_line};
use crate::record::newest::newest_end;

/// Time between two lines of the log about errors of the disk.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// See the module.
pub(super) struct Writer {
    directory: PathBuf,
    config: RecordConfig,
    channels: ChannelSet,
    table: Arc<SymbolTable>,
    /// The state after the newest event that was received.
    values: LastValues,
    epoch: Arc<str>,
    file: Option<RecordingFile>,
    /// The offset up to which every event of the epoch can be read from files, or is announced as missing there.
    recorded: u64,
    /// Bytes of the present file that were counted.
    counted: u64,
    /// Whether lines were written since the last frame.
    is_dirty: bool,
    /// The time at which the next file begins.
    rotate_at: Timestamp,
    /// The time of the next attempt after an error.
    retry_at: Option<Instant>,
    /// Lines about missing events for the next file.
    owed: String,
    /// How many of the missing events have been counted.
    told: u64,
    /// The time at which an error was logged.
    logged_at: Option<Instant>,
    lines: Vec<u8>,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
}

impl Writer {
    pub(super) fn new(
        config: RecordConfig,
        table: Arc<SymbolTable>,
        values: LastValues,
        epoch: Arc<str>,
        clock: Arc<dyn Clock>,
        metrics: SharedMetrics,
    ) -> Self {
        let mut writer = Self {
            directory: PathBuf::from(&config.dir),
            channels: config.channels(),
            config,
            table,
            recorded: values.offset(),
            values,
            epoch,
            file: None,
            counted: 0,
            is_dirty: false,
            rotate_at: Timestamp::default(),
            retry_at: None,
            owed: String::new(),
            told: 0,
            logged_at: None,
            lines: Vec::new(),
            clock,
            metrics,
        };
        // Before the first event, because a long file takes some seconds.
        writer.announce_cut();
        writer
    }

    /// Writes until the recorder is finished.
    pub(super) fn run(mut self, items: &Receiver<Item>) {
        let frame = Duration::from_millis(self.config.frame_ms);
        self.open();
        let mut next_frame = Instant::now() + frame;
        loop {
            match items.recv_timeout(next_frame.saturating_duration_since(Instant::now())) {
                Ok(Item::Batch(batch)) => {
                    self.append(&batch);
                    self.metrics.record_waiting.dec_by(i64::try_from(batch.len()).unwrap_or_default());
                }
                Ok(Item::State { values, epoch }) => self.go_on(values, epoch),
                Ok(Item::Finish) | Err(RecvTimeoutError::Disconnected) => return self.finish(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= next_frame {
                self.tick();
                next_frame = Instant::now() + frame;
            }
        }
    }

    /// If an earlier server was killed while it recorded into this directory, keeps the announcement for the first file.
    fn announce_cut(&mut self) {
        let newest = newest_end(&self.directory);
        if let Some(end) = newest.filter(|end| !end.is_complete && *end.epoch != *self.epoch) {
            self.owed.push_str(&open_gap_line(&end.epoch, end.offset + 1, "restarted"));
            self.metrics.record_gaps.inc();
        }
    }

    fn append(&mut self, batch: &[Publication]) {
        self.lines.clear();
        for publication in batch {
            if publication.event.offset <= self.values.offset() {
                continue;
            }
            self.values.apply(publication);
            let channel = publication.event.channel();
            if channel.carriers().iter().any(|carrier| self.channels.contains(*carrier)) {
                publication.append_native(&mut self.lines);
                self.lines.push(b'\n');
            }
        }
        self.write_lines();
    }

    /// Writes the lines into the file, if there is one.
    fn write_lines(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.write(&self.lines) {
            Ok(()) => self.is_dirty |= !self.lines.is_empty(),
            Err(err) => self.fail(&err),
        }
    }

    /// Goes on from another state.
    fn go_on(&mut self, values: LastValues, epoch: Arc<str>) {
        let is_same = epoch == self.epoch;
        let before = std::mem::replace(&mut self.values, values).offset();
        if is_same && self.file.is_some() {
            let to = self.values.offset();
            self.lines.clear();
            if to > before {
                self.metrics.record_gaps.inc();
                self.lines.extend_from_slice(gap_line(&self.epoch, before + 1, to, "queue_full").as_bytes());
            }
            self.append_snapshots();
            self.write_lines();
        } else if is_same {
            // Announced in the next file, but counted by the receiver.
            self.told += self.values.offset().saturating_sub(before);
        } else {
            self.complete(before);
            if self.recorded < before {
                self.owe(before);
            }
            (self.epoch, self.recorded) = (epoch, self.values.offset());
            if self.retry_at.is_none() {
                self.open();
            }
        }
    }

    /// Keeps the announcement for the next file that events up to this offset are missing.
    fn owe(&mut self, to: u64) {
        self.owed.push_str(&gap_line(&self.epoch, self.recorded + 1, to, "disk"));
        self.metrics.record_gaps.inc();
        self.metrics.record_events_lost.inc_by((to - self.recorded).saturating_sub(std::mem::take(&mut self.told)));
        self.recorded = to;
    }

    fn append_snapshots(&mut self) {
        let (offset, channels) = (self.values.offset(), self.channels);
        for id in self.table.ids() {
            let (symbol, state) = (self.table.instrument(id).symbol, self.values.snapshot(id).clone());
            let message = ServerMessage::Snapshot { symbol, offset, state, channels, shown: channels };
            Native::encode_message(&message, &mut self.lines);
            self.lines.push(b'\n');
        }
    }

    /// Ends a frame, begins the next file if it is time, and tries again after an error.
    fn tick(&mut self) {
        if self.is_dirty {
            self.end_frame();
        }
        if self.retry_at.is_some_and(|at| Instant::now() >= at) {
            self.open();
        }
        if self.file.is_some() && self.clock.now() >= self.rotate_at {
            self.complete(self.values.offset());
            if self.retry_at.is_none() {
                self.open();
            }
        }
    }

    fn end_frame(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.end_frame() {
            Ok(()) => {
                self.metrics.record_bytes.inc_by(file.bytes().saturating_sub(self.counted));
                (self.counted, self.recorded, self.is_dirty) = (file.bytes(), self.values.offset(), false);
            }
            Err(err) => self.fail(&err),
        }
    }

    /// Begins a file with the present state.
    fn open(&mut self) {
        let (started, offset) = (self.clock.now(), self.values.offset());
        self.lines.clear();
        self.lines.extend_from_slice(header_line(&self.epoch, offset, started, self.channels).as_bytes());
        if self.recorded < offset {
            self.owe(offset);
        }
        self.lines.extend_from_slice(self.owed.as_bytes());
        self.append_snapshots();
        match RecordingFile::create(&self.directory, started, &self.lines) {
            Ok(file) => {
                if self.retry_at.take().is_some() {
                    log::info!("recording again file={}", file.path().display());
                }
                self.owed.clear();
                self.metrics.record_bytes.inc_by(file.bytes());
                (self.counted, self.recorded, self.is_dirty) = (file.bytes(), offset, false);
                let span = i64::try_from(self.config.rotate_ms).unwrap_or(i64::MAX).saturating_mul(1_000);
                self.rotate_at = started.floor_to(span).plus_micros(span);
                self.file = Some(file);
            }
            Err(err) => self.fail(&err),
        }
    }

    /// Completes the file, which has every event up to `offset`.
    fn complete(&mut self, offset: u64) {
        let Some(mut file) = self.file.take() else { return };
        let ended = file.write(end_line(offset).as_bytes()).and_then(|()| file.end_frame());
        if let Err(err) = ended {
            self.file = Some(file);
            return self.fail(&err);
        }
        self.metrics.record_bytes.inc_by(file.bytes().saturating_sub(self.counted));
        self.recorded = offset;
        if let Err(err) = file.finish() {
            self.fail(&err);
        }
    }

    fn finish(mut self) {
        self.complete(self.values.offset());
    }

    /// After an error of the disk: the file ends with its last complete frame, and another one begins later.
    fn fail(&mut self, err: &io::Error) {
        self.metrics.record_failures.inc();
        if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            log::error!("the recording is interrupted, and the stream goes on: dir={} err={err}", self.config.dir);
            self.logged_at = Some(Instant::now());
        }
        if let Some(file) = self.file.take()
            && let Err(err) = file.cut()
        {
            log::warn!("the file of the recording was not cut to its last frame, and ends with .part: err={err}");
        }
        self.retry_at = Some(Instant::now() + Duration::from_millis(self.config.retry_ms));
    }
}
