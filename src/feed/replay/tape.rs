//! `Tape`: the events of the files from some time on, read ahead on a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::vec::IntoIter;

use tickcast_tape::{BarsAsTrades, Body, Counts, Merge, ReadError, Reader, Row};

use crate::domain::{Cancel, Correction, EventBody, Quote, SymbolId, Timestamp, Trade};
use crate::feed::replay::folder::stand_back;
use crate::feed::replay::plan::Plan;

/// Events that are handed over at once.
const CHUNK_EVENTS: usize = 2_048;
/// Chunks that are read ahead.
const CHUNKS_AHEAD: usize = 4;

/// An event of the files.
pub(super) struct Item {
    /// Time of the event in the market.
    pub(super) ts: Timestamp,
    pub(super) id: SymbolId,
    /// The number of a trade in the recording; 0 in other files.
    pub(super) recorded: u64,
    pub(super) body: EventBody,
}

/// Some events, and what was counted until then.
pub(super) struct Chunk {
    pub(super) items: Vec<Item>,
    pub(super) counts: Counts,
    /// Microseconds by which the market's times are after those of the files.
    pub(super) shift: i64,
}

/// The events that are not published yet.
pub(super) struct Tape {
    chunks: Receiver<Result<Chunk, String>>,
    items: IntoIter<Item>,
    next: Option<Item>,
    pub(super) counts: Counts,
    pub(super) shift: i64,
    state: TapeState,
}

/// Whether a tape has further events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TapeState {
    Running,
    /// All events have been taken.
    Ended,
    /// A file cannot be read on, for this reason.
    Failed(String),
}

impl Tape {
    /// Returns the next event, if it has been read.
    pub(super) fn peek(&mut self) -> Option<&Item> {
        while self.next.is_none() {
            self.next = self.items.next();
            if self.next.is_some() || self.state != TapeState::Running {
                break;
            }
            match self.chunks.try_recv() {
                Ok(Ok(chunk)) => {
                    (self.counts, self.shift) = (chunk.counts, chunk.shift);
                    self.items = chunk.items.into_iter();
                }
                Ok(Err(complaint)) => {
                    self.state = TapeState::Failed(complaint);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.state = TapeState::Ended,
            }
        }
        self.next.as_ref()
    }

    /// Takes the event that [`Self::peek`] has returned.
    pub(super) fn take(&mut self) -> Option<Item> {
        self.next.take()
    }

    pub(super) fn state(&self) -> &TapeState {
        &self.state
    }
}

/// Reads the rows of a plan.
pub(super) struct Rows {
    plan: Plan,
    reader: BarsAsTrades<Merge>,
    next: Option<Row>,
}

impl Rows {
    /// Opens the files at their beginning.
    pub(super) fn open(plan: &Plan) -> Result<Self, ReadError> {
        let reader =
            BarsAsTrades::new(Merge::open(&plan.parsed.files, &plan.parsed.options)?, plan.parsed.options.events_max);
        let mut rows = Self { plan: plan.clone(), reader, next: None };
        rows.advance()?;
        Ok(rows)
    }

    fn advance(&mut self) -> Result<Option<Row>, ReadError> {
        let end = self.plan.to;
        let next = self.reader.next()?.filter(|row| row.ts <= end);
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Returns the next row, if it is before `ts`.
    pub(super) fn before(&mut self, ts: Timestamp) -> Result<Option<Row>, ReadError> {
        if self.next.as_ref().is_some_and(|row| row.ts < ts) { self.advance() } else { Ok(None) }
    }

    /// Hands over the rest of the rows, `shift` microseconds later, on a thread that ends with the tape or the files.
    pub(super) fn play(self, shift: i64) -> io::Result<Tape> {
        let (chunks, read) = sync_channel(CHUNKS_AHEAD);
        std::thread::Builder::new().name("replay".into()).spawn(move || {
            let is_private = self.plan.is_private();
            if is_private {
                stand_back();
            }
            if let Err(err) = self.hand_over(shift, &chunks) {
                log::error!("the replay has ended, because a file cannot be read on: {err}");
                let complaint = without_folder(&err);
                // Nobody waits for it if the tape was dropped.
                let _ = chunks.send(Err(complaint));
            }
        })?;
        let (items, counts) = (Vec::new().into_iter(), Counts::default());
        Ok(Tape { chunks: read, items, next: None, counts, shift, state: TapeState::Running })
    }

    fn hand_over(mut self, mut shift: i64, chunks: &SyncSender<Result<Chunk, String>>) -> Result<(), ReadError> {
        loop {
            let mut items = Vec::with_capacity(CHUNK_EVENTS);
            let mut mistake = None;
            while items.len() < CHUNK_EVENTS && mistake.is_none() {
                let row = self.advance().unwrap_or_else(|err| {
                    mistake = Some(err);
                    // What is before the mistake is played.
                    self.next.take()
                });
                let Some(row) = row else { break };
                items.extend(self.plan.event(&row, shift));
            }
            let is_over = self.next.is_none();
            let chunk = Chunk { items, counts: self.reader.counts(), shift };
            if chunks.send(Ok(chunk)).is_err() {
                return Ok(());
            }
            if let Some(err) = mistake {
                return Err(err);
            }
            if is_over && !self.plan.is_loop {
                return Ok(());
            }
            if is_over {
                shift += self.plan.loop_micros();
                self = Self::open(&self.plan)?;
                let from = self.plan.from;
                while self.before(from)?.is_some() {}
            }
        }
    }
}

/// Returns the complaint about a file as clients may read it: with the name of the file, and not where it lies.
pub(super) fn without_folder(err: &ReadError) -> String {
    let file = err.file();
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    err.to_string().replacen(&*file.to_string_lossy(), &name, 1)
}

impl Plan {
    /// Returns the event of a row, `shift` microseconds later.
    pub(super) fn event(&self, row: &Row, shift: i64) -> Option<Item> {
        let ts = row.ts.plus_micros(shift);
        let id = *self.ids.get(&row.symbol)?;
        let mut recorded = 0;
        let trade = |trade: &tickcast_tape::Amended| Trade {
            ts: trade.ts.plus_micros(shift),
            price: trade.price,
            size: trade.size,
        };
        let body = match &row.body {
            Body::Trade { price, size, seq } => {
                recorded = *seq;
                EventBody::Trade(Trade { ts, price: *price, size: *size })
            }
            Body::Quote { bid, bid_size, ask, ask_size } => {
                EventBody::Quote(Quote { ts, bid: *bid, bid_size: *bid_size, ask: *ask, ask_size: *ask_size })
            }
            Body::Correction(correction) => EventBody::Correction(Box::new(Correction {
                ts,
                trade_seq: correction.trade.seq,
                trade: trade(&correction.trade),
                price: correction.price,
                size: correction.size,
            })),
            Body::Cancel(cancel) => EventBody::Cancel(Box::new(Cancel {
                ts,
                trade_seq: cancel.trade.seq,
                trade: trade(&cancel.trade),
                kind: cancel.kind,
            })),
            Body::Bar(_) => return None,
        };
        Some(Item { ts, id, recorded, body })
    }
}
