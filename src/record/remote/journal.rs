//! `Journal`: the files of a recording from outside, and the cursor after their last line.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tickcast_tape::write::RecordingFile;

use crate::domain::{Channel, ChannelSet, Clock, Timestamp};
use crate::record::line::{end_line, gap_line, header_line, open_gap_line};
use crate::record::newest::newest_end;
use crate::record::remote::{Omissions, Protocol, Recorded, RemoteConfig};

/// A place in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: String,
    pub(super) offset: u64,
}

/// See the module.
pub(super) struct Journal {
    directory: PathBuf,
    channels: ChannelSet,
    symbols: Vec<String>,
    rotate_micros: i64,
    clock: Arc<dyn Clock>,
    file: Option<RecordingFile>,
    /// The place up to which every event has been written.
    place: Option<Place>,
    /// The place up to which every event can be read from files, whatever happens.
    kept: Option<Place>,
    /// Lines that came without a file.
    owed: Vec<u8>,
    rotate_at: Timestamp,
    is_dirty: bool,
    recorded: Recorded,
    /// How many of the events can be read from files, whatever happens.
    kept_events: u64,
    /// Whether the disk has taken nothing since its last error.
    is_failing: bool,
    protocol: Protocol,
    /// The reason why events of a stream that has ended may be missing.
    blamed: &'static str,
}

impl Journal {
    /// Returns the journal of a directory, which goes on after its newest recording, if that has the same channels and symbols.
    pub(super) fn open(config: &RemoteConfig, clock: Arc<dyn Clock>) -> Self {
        let channels: ChannelSet = config.channels.iter().copied().collect();
        let place = newest_place(&config.directory, channels, &config.symbols);
        Self {
            directory: config.directory.clone(),
            channels,
            symbols: config.symbols.clone(),
            rotate_micros: i64::try_from(config.rotate.as_micros()).unwrap_or(i64::MAX),
            clock,
            file: None,
            kept: place.clone(),
            place,
            owed: Vec::new(),
            rotate_at: Timestamp::default(),
            is_dirty: false,
            recorded: Recorded::default(),
            kept_events: 0,
            is_failing: false,
            protocol: config.protocol,
            blamed: config.protocol.blamed(),
        }
    }

    /// Returns the cursor for the next session.
    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    pub(super) fn recorded(&self) -> Recorded {
        self.recorded
    }

    /// Returns the counters of messages that are not recorded as they came.
    pub(super) fn omissions(&mut self) -> &mut Omissions {
        &mut self.recorded.omissions
    }

    /// Sets the reason for which the next announcement says that events of a stream that has ended are missing.
    pub(super) fn blame(&mut self, reason: &'static str) {
        self.blamed = reason;
    }

    /// Returns whether it is time for the next file.
    pub(super) fn is_rotation_due(&self) -> bool {
        self.file.is_some() && self.clock.now() >= self.rotate_at
    }

    /// Goes on in the stream of the cursor: every event after it follows.
    pub(super) fn go_on(&mut self, epoch: &str) -> io::Result<()> {
        match (&self.file, &self.place) {
            (None, Some(place)) if place.epoch == epoch => self.begin(place.clone()),
            _ => Ok(()),
        }
    }

    /// Begins a file at this place, at which snapshots follow. The events between the cursor and this place are missing, unless
    /// `is_whole`.
    pub(super) fn begin_at(&mut self, place: Place, is_whole: bool) -> io::Result<()> {
        if is_whole {
            self.reach(place.offset);
        }
        self.complete()?;
        let gap = match &self.place {
            // The market has moved to another time, after everything up to here.
            Some(last) if last.epoch != place.epoch && is_whole => String::new(),
            Some(last) if last.epoch != place.epoch => open_gap_line(&last.epoch, last.offset + 1, self.blamed),
            Some(last) if last.offset < place.offset => {
                gap_line(&last.epoch, last.offset + 1, place.offset, "cursor_void")
            }
            _ => String::new(),
        };
        self.recorded.gaps += u64::from(!gap.is_empty());
        self.blamed = self.protocol.blamed();
        self.owed.extend_from_slice(gap.as_bytes());
        self.begin(place)
    }

    fn begin(&mut self, place: Place) -> io::Result<()> {
        let started = self.clock.now();
        let header = header_line(&place.epoch, place.offset, started, self.channels);
        // Before its closing brace.
        let source = match self.protocol {
            Protocol::Native => String::new(),
            vendor => format!(",\"source\":\"{}\"", vendor.name()),
        };
        let symbols = format!(",\"symbols\":{}{source}}}\n", json!(self.symbols));
        let mut first = [header.trim_end().trim_end_matches('}').as_bytes(), symbols.as_bytes()].concat();
        first.extend_from_slice(&self.owed);
        let file = RecordingFile::create(&self.directory, started, &first)?;
        log::info!("recording file={}", file.path().display());
        self.owed.clear();
        (self.file, self.is_dirty, self.is_failing) = (Some(file), false, false);
        self.recorded.files += 1;
        self.rotate_at = started.floor_to(self.rotate_micros).plus_micros(self.rotate_micros);
        (self.kept, self.place) = (Some(place.clone()), Some(place));
        Ok(())
    }

    /// Writes an event.
    pub(super) fn event(&mut self, offset: u64, text: &str) -> io::Result<()> {
        self.recorded.events += 1;
        self.line(text)?;
        self.reach(offset);
        Ok(())
    }

    /// Announces that the event with this number is missing.
    pub(super) fn missing(&mut self, offset: u64, reason: &str) -> io::Result<()> {
        self.recorded.gaps += 1;
        let epoch = self.place.as_ref().map_or("", |place| &place.epoch);
        let line = gap_line(epoch, offset, offset, reason);
        self.line(line.trim_end())?;
        self.reach(offset);
        Ok(())
    }

    /// Writes the number of events that the server has skipped.
    pub(super) fn lag(&mut self, text: &str) -> io::Result<()> {
        self.recorded.gaps += 1;
        self.line(text)
    }

    /// Writes a message, or keeps it for the next file if there is none.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            self.owed.extend_from_slice(text.as_bytes());
            self.owed.push(b'\n');
            return Ok(());
        };
        self.is_dirty = true;
        file.write(text.as_bytes())?;
        file.write(b"\n")
    }

    /// Notes that every event up to this offset has been written.
    pub(super) fn reach(&mut self, offset: u64) {
        if let Some(place) = &mut self.place {
            place.offset = place.offset.max(offset);
        }
    }

    /// Ends a frame.
    pub(super) fn frame(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file
            && self.is_dirty
        {
            file.end_frame()?;
            (self.is_dirty, self.kept, self.kept_events) = (false, self.place.clone(), self.recorded.events);
        }
        Ok(())
    }

    /// Keeps what is written while there is no connection.
    pub(super) fn pause(&mut self) {
        if let Err(err) = self.frame() {
            self.fail(&err);
        }
    }

    /// After an error of the disk: ends the file with its last frame, and goes back to the place after that.
    pub(super) fn fail(&mut self, err: &io::Error) {
        log::error!("the recording is interrupted: dir={} err={err}", self.directory.display());
        if let Some(file) = self.file.take()
            && let Err(err) = file.cut()
        {
            log::warn!("the file was not cut to its last frame, and ends with .part: err={err}");
        }
        (self.place, self.is_dirty, self.is_failing) = (self.kept.clone(), false, true);
        // The server sends them again, if it still has them.
        self.recorded.events = self.kept_events;
    }

    /// Returns whether the disk has taken nothing since its last error.
    pub(super) const fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Completes the file, which has every event up to the cursor.
    fn complete(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let offset = self.place.as_ref().map_or(0, |place| place.offset);
        file.write(end_line(offset).as_bytes())?;
        file.end_frame()?;
        (self.kept, self.kept_events) = (self.place.clone(), self.recorded.events);
        self.file.take().map_or(Ok(()), RecordingFile::finish)
    }

    /// Completes the file at the end of the recording.
    pub(super) fn finish(&mut self) {
        if let Err(err) = self.complete() {
            self.fail(&err);
        }
    }
}

/// Returns the place at which the newest recording of a directory ends.
fn newest_place(directory: &Path, channels: ChannelSet, symbols: &[String]) -> Option<Place> {
    let end = newest_end(directory)?;
    let names: Vec<_> = channels.iter().map(Channel::name).collect();
    (end.channels == names && end.symbols == symbols).then_some(Place { epoch: end.epoch, offset: end.offset })
}
