//! A feed of files: what was recorded, or bought, or downloaded, again, at any speed. Pausing, stepping and seeking included.
//!
//! In the direction of the data: a thread reads ahead (`tape.rs`), the source publishes what is due by the time of the replay (`pace.rs`),
//! and everything after it is as with any other feed. docs/REPLAY.md describes it to users.

mod config;
mod folder;
mod numbers;
mod pace;
mod past;
mod plan;
mod survey;
mod tape;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use crate::domain::{EventBody, Interval, Reading, SymbolId, SymbolTable, Timestamp};
use crate::feed::control::{Counted, FeedError, FeedOrder, FeedStatus, ReplayStatus};
use crate::feed::{FeedConfig, Opening, Source};
use crate::metrics::ReplayCounts;

pub(in crate::feed) use config::list;
pub use config::{ReplayConfig, ReplayTime};
pub use folder::{FolderError, OpenedReplay, ReplayFolder, Wanted};
pub use plan::ReplayError;

use folder::stand_back;
use numbers::TradeNumbers;
use pace::ReplayPace;
use plan::{Plan, PlanParts};
use survey::Survey;
use tape::{Tape, TapeState};

/// A tape that was opened at another time, and the state there.
type Opened = Result<(Opening, Tape), ReplayError>;

/// Events of files when they are due.
pub struct ReplaySource {
    plan: Plan,
    tape: Tape,
    pace: ReplayPace,
    /// Time of the newest event that was returned.
    last: Timestamp,
    /// The newest time up to which everything has been returned.
    settled: Timestamp,
    /// Events that a paused replay shall return.
    steps: u32,
    gap_max_ms: u64,
    /// The silence that was left out last, if it has not been told.
    gap: Option<(Timestamp, Timestamp)>,
    /// Events that were returned.
    events: u64,
    numbers: TradeNumbers,
    /// A seek in progress.
    seeking: Option<Receiver<Opened>>,
    /// The state after a seek.
    opening: Option<Opening>,
}

impl ReplaySource {
    /// Opens the files of a configuration, with the clocks at `reading`, for a history of at most `bars_max` bars of each symbol and
    /// interval. Returns the source, the symbols, and the state before the first event.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in the configuration or in a file.
    pub fn open(
        config: &FeedConfig,
        bars_max: usize,
        reading: Reading,
    ) -> Result<(Self, Arc<SymbolTable>, Opening), ReplayError> {
        let parsed = config.replay.parsed(config.bad_record.into());
        let parsed = parsed.map_err(|(key, rule)| ReplayError::Settings(key, rule))?;
        let ReplayConfig { is_loop, time, .. } = config.replay;
        let survey = Survey::read(&parsed)?;
        let parts = PlanParts { parsed, is_loop, time, bars_max, place: None };
        Self::of(Plan::of(parts, &survey)?, config, reading)
    }

    /// Opens the files of a plan, at its beginning.
    fn of(plan: Plan, config: &FeedConfig, reading: Reading) -> Result<(Self, Arc<SymbolTable>, Opening), ReplayError> {
        let (opening, tape) = plan.open(plan.from, reading.wall)?;
        let ReplayConfig { paused, gap_max_ms, .. } = config.replay;
        let tick_max = Duration::from_millis(config.catch_up_max_ms);
        let pace = ReplayPace::new(opening.start, reading.elapsed, config.speed, paused, tick_max);
        let (table, numbers) = (plan.table.clone(), TradeNumbers::new(plan.table.len()));
        let source = Self {
            plan,
            tape,
            pace,
            last: opening.start,
            settled: opening.start,
            steps: 0,
            gap_max_ms,
            gap: None,
            events: 0,
            numbers,
            seeking: None,
            opening: None,
        };
        Ok((source, table, opening))
    }

    /// Returns the time after which nothing happens any more: the end of the minute of the last event, once all have been returned.
    fn end(&mut self) -> Timestamp {
        if self.tape.peek().is_some() {
            return Timestamp::from_micros(i64::MAX);
        }
        // If the reader is late, time waits for it.
        if *self.tape.state() == TapeState::Running { self.pace.now() } else { minute_after(self.last) }
    }

    /// Ends a silence that is longer than it may be.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a silence of hours")]
    fn skip_gap(&mut self) {
        let Some(next) = self.tape.peek().map(|item| item.ts).filter(|_| self.gap_max_ms > 0) else { return };
        let longest = self.gap_max_ms as f64 * 1_000.0 * self.pace.speed();
        let waited = self.pace.now().micros() - self.last.micros();
        if next > self.pace.now() && waited >= longest as i64 {
            self.gap = Some((self.last, next));
            self.pace.jump(next);
        }
    }

    /// Goes on from the time of a seek whose files have been read.
    fn finish_seek(&mut self) {
        let Some(seeking) = &self.seeking else { return };
        match seeking.try_recv() {
            Ok(Ok((opening, tape))) => {
                (self.tape, self.last, self.settled, self.steps) = (tape, opening.start, opening.start, 0);
                self.gap = None;
                self.pace.jump(opening.start);
                self.numbers.forget();
                self.opening = Some(opening);
            }
            Ok(Err(err)) => log::error!("the seek failed, and the replay goes on where it was: {err}"),
            Err(TryRecvError::Disconnected) => log::error!("the seek failed, and the replay goes on where it was"),
            Err(TryRecvError::Empty) => return,
        }
        self.seeking = None;
    }

    fn seek(&mut self, at: Timestamp) -> Result<(), FeedError> {
        if !(self.plan.from..=self.plan.to).contains(&at) {
            return Err(FeedError::OutOfRange);
        }
        if self.seeking.is_some() || self.opening.is_some() {
            return Err(FeedError::Seeking);
        }
        let (done, seeking) = channel();
        let (plan, now) = (self.plan.clone(), self.pace.now());
        let thread = std::thread::Builder::new().name("seek".into());
        let started = thread.spawn(move || {
            if plan.is_private() {
                stand_back();
            }
            // If the server ends meanwhile, nobody waits for it.
            let _ = done.send(plan.open(at, now));
        });
        if let Err(err) = started {
            log::error!("cannot start a thread for a seek: {err}");
            return Err(FeedError::Seeking);
        }
        self.seeking = Some(seeking);
        // As at a pause: what has become due since the last step does not come.
        self.pace.wait(self.last, self.settled);
        Ok(())
    }

    /// Lets the clock go on without the time of the replay: who receives the events cannot follow.
    pub fn hold(&mut self, reading: Reading) {
        self.finish_seek();
        self.pace.hold(reading.elapsed);
    }

    /// Returns whether nothing happens until the next order.
    pub fn is_idle(&self) -> bool {
        self.pace.is_paused() && self.steps == 0 && self.seeking.is_none() && self.opening.is_none()
    }

    /// Returns whether everything has been returned, and the time has come to the end.
    pub fn is_over(&mut self) -> bool {
        if self.seeking.is_some() || self.opening.is_some() || self.tape.peek().is_some() {
            return false;
        }
        match self.tape.state() {
            TapeState::Running => false,
            TapeState::Ended => self.pace.now() >= self.end(),
            TapeState::Failed(_) => true,
        }
    }

    fn file_ts(&self) -> Timestamp {
        self.file_ts_of(self.pace.now())
    }

    fn file_ts_of(&self, ts: Timestamp) -> Timestamp {
        ts.plus_micros(-self.tape.shift).clamp(self.plan.from, self.plan.to.max(self.plan.from))
    }

    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn position(&self) -> f64 {
        let [from, to, file_ts] = [self.plan.from, self.plan.to, self.file_ts()].map(Timestamp::micros);
        (file_ts - from) as f64 / (to - from).max(1) as f64
    }

    fn state(&self) -> &'static str {
        match self.tape.state() {
            _ if self.seeking.is_some() || self.opening.is_some() => "seeking",
            TapeState::Failed(_) => "failed",
            TapeState::Ended => "ended",
            TapeState::Running if self.pace.is_paused() => "paused",
            TapeState::Running => "running",
        }
    }
}

impl Source for ReplaySource {
    fn tick(&mut self, reading: Reading) {
        self.finish_seek();
        if self.seeking.is_some() {
            // No bar ends whose last events are not read any more.
            return self.pace.hold(reading.elapsed);
        }
        let end = self.end();
        self.pace.tick(reading.elapsed, end);
        if self.pace.is_unpaced() && end < Timestamp::from_micros(i64::MAX) && *self.tape.state() != TapeState::Running
        {
            self.pace.reach(end);
        }
        if !self.pace.is_paused() && !self.pace.is_unpaced() {
            self.skip_gap();
        }
    }

    fn now(&self) -> Timestamp {
        self.pace.now()
    }

    fn speed(&self) -> f64 {
        if self.pace.is_paused() { 0.0 } else { self.pace.speed() }
    }

    fn take(&mut self) -> Option<(SymbolId, EventBody)> {
        if self.seeking.is_some() {
            return None;
        }
        let Some(ts) = self.tape.peek().map(|item| item.ts) else {
            if *self.tape.state() == TapeState::Running {
                self.pace.wait(self.last, self.settled);
            }
            return None;
        };
        let is_due =
            if self.pace.is_paused() { self.steps > 0 } else { self.pace.is_unpaced() || ts <= self.pace.now() };
        if !is_due {
            self.settled = self.pace.now();
            return None;
        }
        let item = self.tape.take()?;
        self.steps = self.steps.saturating_sub(1);
        self.pace.reach(ts);
        self.last = ts;
        let body = self.numbers.number(item.id, item.recorded, item.body)?;
        self.events += 1;
        Some((item.id, body))
    }

    fn next_ts(&mut self) -> Option<Timestamp> {
        self.tape.peek().map(|item| item.ts)
    }

    fn is_unpaced(&self) -> bool {
        self.pace.is_unpaced()
    }

    fn waits(&self) -> bool {
        true
    }

    fn take_opening(&mut self) -> Option<Opening> {
        self.opening.take()
    }

    fn counted(&self) -> Option<ReplayCounts> {
        let counts = &self.tape.counts;
        let [bad, one_sided, correction, no_volume, other, not_asked] = counts.skipped;
        Some(ReplayCounts {
            events: self.events,
            rounded: counts.rounded_prices + counts.rounded_sizes,
            reordered: counts.sorted + counts.moved,
            skipped: [bad, one_sided, correction, no_volume, other, not_asked, counts.cut, counts.lost],
            position: self.position(),
        })
    }

    fn take_gap(&mut self) -> Option<FeedStatus> {
        let (from, to) = self.gap.take()?;
        let [from, to] = [from, to].map(|ts| self.file_ts_of(ts).micros());
        let status = self.status();
        let replay = status.replay.map(|replay| ReplayStatus { from, to, ..replay });
        Some(FeedStatus { state: "gap", replay, ..status })
    }

    fn told_state(&mut self) -> Option<(&'static str, f64)> {
        let state = match self.state() {
            // The last events are still to be published.
            "ended" if !self.is_over() && self.pace.is_paused() => "paused",
            "ended" if !self.is_over() => "running",
            state => state,
        };
        Some((state, self.pace.speed()))
    }

    fn obey(&mut self, order: FeedOrder) -> Result<(), FeedError> {
        match order {
            FeedOrder::Tell => {}
            FeedOrder::Pause => {
                self.pace.set_paused(true);
                // Events that have become due since the last step come after the pause.
                self.pace.wait(self.last, self.settled);
            }
            FeedOrder::Resume => {
                self.steps = 0;
                self.pace.set_paused(false);
            }
            FeedOrder::Step(_) if !self.pace.is_paused() => return Err(FeedError::NotPaused),
            FeedOrder::Step(events) => self.steps = self.steps.saturating_add(events),
            FeedOrder::Speed(speed) if speed == 0.0 || (0.01..=1_000.0).contains(&speed) => self.pace.set_speed(speed),
            FeedOrder::Speed(_) => return Err(FeedError::Speed),
            FeedOrder::Seek(at) => self.seek(at)?,
        }
        Ok(())
    }

    fn status(&self) -> FeedStatus {
        let (from, to, file_ts) = (self.plan.from.micros(), self.plan.to.micros(), self.file_ts().micros());
        let counts = &self.tape.counts;
        let complaint = match self.tape.state() {
            TapeState::Failed(complaint) => Some(complaint.clone()),
            _ => None,
        };
        let replay = ReplayStatus {
            file_ts,
            from,
            to,
            position: self.position(),
            files: self.plan.names(),
            is_loop: self.plan.is_loop,
            complaint,
            counted: Counted {
                rounded: counts.rounded_prices + counts.rounded_sizes,
                skipped: counts.skipped.iter().sum(),
                reordered: counts.sorted + counts.moved,
            },
        };
        FeedStatus {
            kind: "replay",
            state: self.state(),
            market_ts: self.pace.now().micros(),
            speed: self.pace.speed(),
            paused: self.pace.is_paused(),
            replay: Some(replay),
        }
    }
}

/// Returns the end of the minute of a time.
fn minute_after(ts: Timestamp) -> Timestamp {
    Interval::M1.start_of(ts).plus_micros(Interval::M1.micros())
}
